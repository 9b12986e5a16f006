#include "stacks.h"

static void assert_row(const struct query_function *row, const char *name, int64_t self,
		       int64_t total)
{
	assert_true(str_equal(row->name, str_of(name)));
	assert_int_equal(row->self, self);
	assert_int_equal(row->total, total);
}

static void functions_are_listed_by_self(void **state)
{
	struct stacks s;
	struct query_function *rows;
	size_t count;
	(void)state;
	stacks_init(&s, "main;a;leaf 5\nmain;b;leaf 4\nmain;a 2\nmain;c 2\n");
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(query_top(&s.arena, &tree, &rows, &count, NULL), 0);
	assert_int_equal(count, 5);
	assert_row(&rows[0], "leaf", 9, 9);
	assert_row(&rows[1], "a", 2, 7);
	assert_row(&rows[2], "c", 2, 2);
	assert_row(&rows[3], "main", 0, 13);
	assert_row(&rows[4], "b", 0, 4);
	arena_deinit(&s.arena);
}

static void recursion_counts_once(void **state)
{
	struct stacks s;
	struct query_function *rows;
	size_t count;
	(void)state;
	stacks_init(&s, "f;f;g;f 5\nf;g 1\ng;f 10\n");
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(query_top(&s.arena, &tree, &rows, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_row(&rows[0], "f", 15, 16);
	assert_row(&rows[1], "g", 1, 16);
	arena_deinit(&s.arena);
}

static void an_empty_tree_has_no_functions(void **state)
{
	struct stacks s;
	struct query_function *rows;
	size_t count;
	(void)state;
	stacks_init(&s, "");
	struct query_tree tree = stacks_tree(&s);
	assert_int_equal(query_top(&s.arena, &tree, &rows, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_folded(&s.arena, &tree, "");
	arena_deinit(&s.arena);
}

static void a_name_cannot_break_a_folded_line(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "a 3\n");
	s.frames[1].name = STR("f<a;b>\nc");
	struct query_tree tree = stacks_tree(&s);
	assert_folded(&s.arena, &tree, "f<a:b> c 3\n");
	arena_deinit(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_listed_by_self),
		cmocka_unit_test(recursion_counts_once),
		cmocka_unit_test(an_empty_tree_has_no_functions),
		cmocka_unit_test(a_name_cannot_break_a_folded_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
