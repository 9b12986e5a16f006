#include "stacks.h"

static struct query_flame flame_of(struct stacks *s)
{
	struct query_tree tree = stacks_tree(s);
	struct query_flame flame;
	struct err err = {0};
	if (query_flame_encode(&s->arena, &tree, &flame, &err))
		fail_msg("%s", err.text);
	return flame;
}

static void assert_level(const struct query_flame *flame, size_t level, const int64_t *want,
			 size_t count)
{
	assert_int_equal(flame->levels[level].count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(flame->levels[level].values[i], want[i]);
}

#define ASSERT_LEVEL(flame, level, ...)                                              \
	do {                                                                         \
		const int64_t want_[] = {__VA_ARGS__};                               \
		assert_level(flame, level, want_, sizeof(want_) / sizeof(want_[0])); \
	} while (0)

/* By hand:      total 20 (self 1)
 *          |self|  a 12 (self 2)     |  b 7 (self 3)   |
 *      x:   0  1   1..13                13..20
 *                  |2| x 7 | y 3 |      |3| z 4 (0) |
 *      x:          1 3..10  10..13      13 16..20
 *                                          | w 4 |
 */
static void self_comes_first_and_offsets_are_from_the_bar_before(void **state)
{
	static const char *const names[] = {"total", "a", "b", "x", "y", "z", "w"};
	struct stacks s;
	(void)state;
	stacks_init(&s, "a 2\na;x 7\na;y 3\nb 3\nb;z;w 4\n");
	s.self[0] = 1;
	struct query_flame flame = flame_of(&s);
	assert_int_equal(flame.total, 20);
	assert_int_equal(flame.max_self, 7);
	assert_int_equal(flame.level_count, 4);
	ASSERT_LEVEL(&flame, 0, 0, 20, 1, 0);
	ASSERT_LEVEL(&flame, 1, 1, 12, 2, 1, 0, 7, 3, 2);
	ASSERT_LEVEL(&flame, 2, 3, 7, 7, 3, 0, 3, 3, 4, 3, 4, 0, 5);
	ASSERT_LEVEL(&flame, 3, 16, 4, 4, 6);
	assert_int_equal(flame.name_count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_true(str_equal(flame.names[i], str_of(names[i])));
	arena_deinit(&s.arena);
}

static void an_empty_graph_is_a_root_without_width(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "");
	struct query_flame flame = flame_of(&s);
	assert_int_equal(flame.level_count, 1);
	ASSERT_LEVEL(&flame, 0, 0, 0, 0, 0);
	arena_deinit(&s.arena);
}

static void a_name_is_written_once(void **state)
{
	struct stacks s;
	(void)state;
	stacks_init(&s, "f;f;f 1\ntotal;f 2\n");
	struct query_flame flame = flame_of(&s);
	assert_int_equal(flame.name_count, 2);
	arena_deinit(&s.arena);
}

static void decoding_gives_back_the_tree(void **state)
{
	static const char folded[] = "total 1\na 2\na;b;a 9\na;c 3\nd;b 4\nd;e;e;e 1\n";
	struct stacks s;
	struct query_tree tree;
	struct err err = {0};
	(void)state;
	stacks_init(&s, folded + strlen("total 1\n"));
	s.self[0] = 1;
	struct query_flame flame = flame_of(&s);
	if (query_flame_decode(&s.arena, &flame, &tree, &err))
		fail_msg("%s", err.text);
	assert_folded(&s.arena, &tree, folded);
	arena_deinit(&s.arena);
}

static void a_broken_graph_is_refused(void **state)
{
	static int64_t root[] = {0, 10, 0, 0};
	static int64_t rows[][4] = {
		{0, 11, 0, 1}, /* wider than its parent */
		{4, 7, 0, 1},  /* sticks out */
		{-1, 2, 0, 1}, {0, -2, 0, 1}, {0, 2, -1, 1},
		{0, 2, 0, 2},  {0, 2, 0, -1}, {INT64_MAX, 2, 0, 1},
	};
	struct arena arena;
	struct str names[] = {STR("total"), STR("a")};
	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query_level levels[] = {{root, 4}, {rows[i], 4}};
		struct query_flame flame = {names, 2, levels, 2, 10, 0};
		struct query_tree tree;
		assert_int_equal(query_flame_decode(&arena, &flame, &tree, NULL), ERR_INVALID);
	}
	struct query_flame none = {names, 2, NULL, 0, 0, 0};
	struct query_tree tree;
	assert_int_equal(query_flame_decode(&arena, &none, &tree, NULL), ERR_INVALID);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_comes_first_and_offsets_are_from_the_bar_before),
		cmocka_unit_test(an_empty_graph_is_a_root_without_width),
		cmocka_unit_test(a_name_is_written_once),
		cmocka_unit_test(decoding_gives_back_the_tree),
		cmocka_unit_test(a_broken_graph_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
