#include "stacks.h"

static int64_t total_of(const char *folded, const char *function)
{
	struct stacks s;
	int64_t total = -1;
	stacks_init(&s, folded);
	assert_int_equal(query_function_total(&s.arena, &s.tree, str_of(function), &total, NULL),
			 0);
	arena_deinit(&s.arena);
	return total;
}

static const char input[] = "main 1\nmain;a 2\nmain;a;b 4\nmain;c;a;d;a 8\nab 16\na;b 32\n";

static void a_function_has_the_stacks_that_it_is_in_each_once(void **state)
{
	(void)state;
	assert_int_equal(total_of(input, "a"), 2 + 4 + 8 + 32);
	assert_int_equal(total_of(input, "b"), 4 + 32);
	assert_int_equal(total_of(input, "main"), 1 + 2 + 4 + 8);
	assert_int_equal(total_of(input, "ab"), 16);
}

static void a_function_that_is_nowhere_has_nothing(void **state)
{
	(void)state;
	assert_int_equal(total_of(input, "mai"), 0);
	assert_int_equal(total_of(input, ""), 0);
	assert_int_equal(total_of("", "a"), 0);
}

static void a_frame_without_a_name_goes_by_its_address(void **state)
{
	struct stacks s;
	int64_t total;
	(void)state;
	stacks_init(&s, "main;x 5\n");
	s.frames[2] = (struct store_frame){.mapping = STR("/lib/libfoo.so"), .address = 0x1234};
	assert_int_equal(query_function_total(&s.arena, &s.tree, STR("libfoo.so+0x1234"), &total,
					      NULL),
			 0);
	assert_int_equal(total, 5);
	arena_deinit(&s.arena);
}

static void sums_stop_at_the_largest_number(void **state)
{
	(void)state;
	assert_true(total_of("a 9223372036854775807\na;b 1\n", "a") == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_has_the_stacks_that_it_is_in_each_once),
		cmocka_unit_test(a_function_that_is_nowhere_has_nothing),
		cmocka_unit_test(a_frame_without_a_name_goes_by_its_address),
		cmocka_unit_test(sums_stop_at_the_largest_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
