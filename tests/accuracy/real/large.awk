# A C file for which a compiler needs seconds.
BEGIN {
	print "struct node { struct node *next; int kind; double weight; char name[32]; };"
	for (f = 0; f < 120; f++) {
		printf "int work_%d(struct node *n, int a, int b)\n{\n\tint sum = a;\n\tdouble weight = b;\n", f
		print "\tfor (; n; n = n->next) {\n\t\tswitch (n->kind + a) {"
		for (c = 0; c < 12; c++)
			printf "\t\tcase %d: sum += n->name[%d] * %d; weight *= n->weight + %d; break;\n", c * f % 97 * 13 + c, c, f + c, c
		print "\t\tdefault: for (int i = 0; i < b; i++) sum ^= n->name[i & 31] << (i & 7);\n\t\t}\n\t}"
		printf "\treturn sum + (int)weight%s;\n}\n", f ? " + work_" f - 1 "(n, b, a)" : ""
	}
}
