#include "stacks.h"

static struct query_tree below(struct stacks *s, const char *path)
{
	struct query_tree tree = stacks_tree(s), part;
	struct str names[8], rest = str_of(path);
	size_t count = 0;
	while (count < 8 && str_next(&rest, ';', &names[count]))
		count++;
	assert_int_equal(query_tree_below(&s->arena, &tree, names, count, &part, NULL), 0);
	return part;
}

static const char input[] = "main 1\nmain;a 2\nmain;a;b 4\nmain;a;c;d 8\nmain;e 16\na;b 32\n";

static void only_stacks_below_the_call_site_stay(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, input);
	struct query_tree part = below(&s, "main;a");
	assert_folded(&s.arena, &part, "main;a 2\nmain;a;b 4\nmain;a;c;d 8\n");
	assert_int_equal(part.nodes[0].total, 14);
	part = below(&s, "a");
	assert_folded(&s.arena, &part, "a;b 32\n");
	part = below(&s, "main;a;c;d");
	assert_folded(&s.arena, &part, "main;a;c;d 8\n");
	arena_deinit(&s.arena);
}

static void a_call_site_that_is_not_there_leaves_nothing(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, input);
	struct query_tree part = below(&s, "main;b");
	assert_int_equal(part.count, 1);
	assert_int_equal(part.nodes[0].total, 0);
	arena_deinit(&s.arena);
}

/* By hand: the root has 2 children (a with 1, b with 0). */
static void the_tree_format_is_depth_first_with_varints(void **state)
{
	static const char want[] = "\0\0\2"
				   "\1a\5\1"
				   "\1x\xac\2\0"
				   "\1b\1\0";
	struct stacks s;
	struct buf out;
	(void)state;
	stacks_init(&s, "b 1\na 5\na;x 300\n");
	struct query_tree tree = stacks_tree(&s);
	buf_init(&out, 0);
	assert_int_equal(query_tree_bytes(&s.arena, &tree, &out, NULL), 0);
	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.ptr, want, out.len);
	buf_deinit(&out);
	arena_deinit(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_stacks_below_the_call_site_stay),
		cmocka_unit_test(a_call_site_that_is_not_there_leaves_nothing),
		cmocka_unit_test(the_tree_format_is_depth_first_with_varints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
