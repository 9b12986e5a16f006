/* Shapes of more than one tree or more than a tree: stacks narrowed and folded, diffs, sandwiches, DOT. */
#include "stacks.h"

#include <stdio.h>

#define TREE "main;a;b 3\nmain;a;b;c 2\nmain;a;a 4\nmain;d 1\n"

static struct str folded(struct stacks *s, const struct query_tree *tree)
{
	struct buf out = {0};
	struct err err;
	assert_int_equal(query_folded(&s->arena, tree, &out, &err), 0);
	struct str text = arena_str(&s->arena, buf_text(&out));
	buf_deinit(&out);
	return text;
}

static void assert_stacks(struct stacks *s, const struct store_tree *stacks, const char *want)
{
	struct query_tree tree;
	struct err err;
	assert_int_equal(query_tree_build(&s->arena, stacks, &tree, &err), 0);
	struct str got = folded(s, &tree);
	if (!str_equal(got, str_of(want)))
		fail_msg("%.*s", STR_ARG(got));
}

static void stacks_narrow_to_a_path(void **state)
{
	static struct stacks s;
	struct store_tree part;
	struct err err;
	const struct str path[] = {STR("main"), STR("a"), STR("b")};
	(void)state;
	stacks_init(&s, TREE "root_self 7\n");
	assert_int_equal(query_stacks_below(&s.arena, &s.tree, path, 3, &part, &err), 0);
	assert_stacks(&s, &part, "main;a;b 3\nmain;a;b;c 2\n");
	assert_int_equal(query_stacks_below(&s.arena, &s.tree, path + 1, 2, &part, &err), 0);
	assert_stacks(&s, &part, "");
	assert_int_equal(query_stacks_below(&s.arena, &s.tree, path, 0, &part, &err), 0);
	assert_stacks(&s, &part, "main;a;a 4\nmain;a;b 3\nmain;a;b;c 2\nmain;d 1\nroot_self 7\n");
	arena_deinit(&s.arena);
}

static void a_frame_that_goes_leaves_its_values_to_its_caller(void **state)
{
	static struct stacks s;
	static bool keep[STACKS_MAX];
	struct store_tree part;
	struct err err;
	(void)state;
	stacks_init(&s, TREE);
	for (uint32_t i = 0; i < s.tree.frame_count; i++)
		keep[i] = !str_equal(s.frames[i].name, STR("b")) &&
			  !str_equal(s.frames[i].name, STR("main"));
	assert_int_equal(query_stacks_keep(&s.arena, &s.tree, keep, &part, &err), 0);
	assert_stacks(&s, &part, "a 3\na;a 4\na;c 2\nd 1\n");
	arena_deinit(&s.arena);
}

static void folding_keeps_the_sum(void **state)
{
	static struct stacks s;
	struct store_tree part;
	struct err err;
	(void)state;
	/* Each line is its own stack here: main 3 and a 3 and b 3, main 2 ... */
	stacks_init(&s, "main;x 1\nmain;a;b 30\nmain;c;d;e 2\n");
	assert_int_equal(query_stacks_fold(&s.arena, &s.tree, 4, &part, &err), 0);
	assert_stacks(&s, &part, "main;a;b 30\nother 3\n");
	assert_int_equal(query_stacks_fold(&s.arena, &s.tree, 0, &part, &err), 0);
	assert_stacks(&s, &part, "main;a;b 30\nmain;c;d;e 2\nmain;x 1\n");
	arena_deinit(&s.arena);
}

static void build(struct stacks *s, struct query_tree *ret)
{
	struct err err;
	assert_int_equal(query_tree_build(&s->arena, &s->tree, ret, &err), 0);
}

static void a_diff_pads_both_trees_to_one_shape(void **state)
{
	static struct stacks left, right;
	struct query_tree l, r;
	struct query_diff diff;
	struct err err;
	static const int64_t level1[] = {0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4, 4, 2};
	static const int64_t level2[] = {0, 3, 3, 0, 0, 0, 3};
	(void)state;
	stacks_init(&left, "a;x 3\n");
	stacks_init(&right, "b 4\n");
	build(&left, &l);
	build(&right, &r);
	assert_int_equal(query_diff_encode(&left.arena, &l, &r, 0, &diff, &err), 0);
	assert_int_equal(diff.level_count, 3);
	assert_int_equal(diff.levels[1].count, 14);
	assert_memory_equal(diff.levels[1].values, level1, sizeof(level1));
	assert_memory_equal(diff.levels[2].values, level2, sizeof(level2));
	assert_int_equal(diff.total, 7);
	assert_int_equal(diff.max_self, 4);
	arena_deinit(&left.arena);
	arena_deinit(&right.arena);
}

static void a_negative_side_is_refused(void **state)
{
	static struct stacks left, right;
	struct query_tree l, r;
	struct query_diff diff;
	struct err err;
	(void)state;
	stacks_init(&left, "a -3\n");
	stacks_init(&right, "a 4\n");
	build(&left, &l);
	build(&right, &r);
	assert_int_equal(query_diff_encode(&left.arena, &l, &r, 0, &diff, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "left side"));
	assert_int_equal(query_diff_encode(&left.arena, &r, &l, 0, &diff, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "right side"));
	arena_deinit(&left.arena);
	arena_deinit(&right.arena);
}

static void a_sandwich_has_every_occurrence_and_counts_each_sample_once(void **state)
{
	static struct stacks s;
	struct query_tree tree;
	struct query_sandwich sandwich;
	struct err err;
	(void)state;
	stacks_init(&s, TREE);
	build(&s, &tree);
	assert_int_equal(query_sandwich(&s.arena, &tree, STR("a"), &sandwich, &err), 0);
	/* main;a (9) and main;a;a (4), which is in the first, too. */
	assert_int_equal(sandwich.total, 9);
	assert_int_equal(sandwich.self, 4);
	assert_int_equal(sandwich.callers.nodes[0].total, 13);
	assert_int_equal(sandwich.callees.nodes[0].total, 13);
	struct str callers = folded(&s, &sandwich.callers), callees = folded(&s, &sandwich.callees);
	assert_true(str_equal(callers, STR("a;main 4\nmain 9\n")));
	assert_true(str_equal(callees, STR("a 4\na 4\nb 3\nb;c 2\n")));
	assert_int_equal(query_sandwich(&s.arena, &tree, STR("none"), &sandwich, &err), 0);
	assert_int_equal(sandwich.callees.nodes[0].total, 0);
	arena_deinit(&s.arena);
}

static void recursion_without_end_is_refused(void **state)
{
	static struct stacks s;
	static char text[9000];
	struct query_tree tree;
	struct query_sandwich sandwich;
	struct err err;
	size_t len = 0;
	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, i ? ";a" : "a");
	snprintf(text + len, sizeof(text) - len, " 1\n");
	stacks_init(&s, text);
	build(&s, &tree);
	/* 4000 occurrences of a path of 4000: 16 million steps go. */
	assert_int_equal(query_sandwich(&s.arena, &tree, STR("a"), &sandwich, &err), 0);
	assert_int_equal(sandwich.total, 1);
	arena_deinit(&s.arena);
}

static void dot_counts_recursion_once(void **state)
{
	static struct stacks s;
	struct query_tree tree;
	struct buf out = {0};
	struct err err;
	(void)state;
	stacks_init(&s, TREE "with\"quote 1\n");
	build(&s, &tree);
	assert_int_equal(query_dot(&s.arena, &tree, STR("t"), 0, &out, &err), 0);
	struct str text = buf_text(&out);
	assert_true(str_find(text, STR("label=\"a\\n4 (36.36%)\\nof 9 (81.82%)\"")) > 0);
	assert_true(str_find(text, STR("label=\"with\\\"quote\\n1")) > 0);
	assert_true(str_ends_with(text, STR("}\n")));
	buf_clear(&out);
	assert_int_equal(query_dot(&s.arena, &tree, STR("t"), 2, &out, &err), 0);
	assert_true(str_find(buf_text(&out), STR("label=\"d\\n")) < 0);
	buf_deinit(&out);
	arena_deinit(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_narrow_to_a_path),
		cmocka_unit_test(a_frame_that_goes_leaves_its_values_to_its_caller),
		cmocka_unit_test(folding_keeps_the_sum),
		cmocka_unit_test(a_diff_pads_both_trees_to_one_shape),
		cmocka_unit_test(a_negative_side_is_refused),
		cmocka_unit_test(a_sandwich_has_every_occurrence_and_counts_each_sample_once),
		cmocka_unit_test(recursion_without_end_is_refused),
		cmocka_unit_test(dot_counts_recursion_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
