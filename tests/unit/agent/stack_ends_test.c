#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stack_ends.h"

static const struct stack_ends_row *row_of(const struct stack_ends *ends, const char *name)
{
	for (size_t i = 0; i < ends->count; i++) {
		if (!strcmp(ends->rows[i].name, name))
			return &ends->rows[i];
	}
	return NULL;
}

static void every_end_but_the_root_has_its_words(void **state)
{
	(void)state;
	assert_null(stack_end_note(UNWIND_END_ROOT));
	for (int i = 0; i < UNWIND_ENDS; i++) {
		assert_non_null(stack_end_name((enum unwind_end)i));
		if (i == UNWIND_END_ROOT)
			continue;
		const char *note = stack_end_note((enum unwind_end)i);
		assert_non_null(note);
		assert_int_equal(note[0], '[');
		assert_int_equal(note[strlen(note) - 1], ']');
		for (int j = 0; j < i; j++) {
			const char *other = stack_end_note((enum unwind_end)j);
			assert_true(!other || strcmp(note, other) != 0);
			assert_string_not_equal(stack_end_name((enum unwind_end)i),
						stack_end_name((enum unwind_end)j));
		}
	}
}

static void stacks_are_counted_for_the_host_and_for_each_executable(void **state)
{
	struct stack_ends ends = {0};
	(void)state;
	stack_ends_count(&ends, STR("bash"), UNWIND_END_ROOT);
	stack_ends_count(&ends, STR("bash"), UNWIND_END_ROOT);
	stack_ends_count(&ends, STR("bash"), UNWIND_END_NO_ROW);
	stack_ends_count(&ends, STR("node"), UNWIND_END_CUT);
	assert_int_equal(ends.ends[UNWIND_END_ROOT], 2);
	assert_int_equal(ends.ends[UNWIND_END_CUT], 1);
	assert_int_equal(row_of(&ends, "bash")->all, 3);
	assert_int_equal(stack_ends_broken(row_of(&ends, "bash")), 1);
	assert_int_equal(row_of(&ends, "node")->ends[UNWIND_END_CUT], 1);
}

static void a_long_name_is_cut_and_still_one_executable(void **state)
{
	struct stack_ends ends = {0};
	char name[200];
	(void)state;
	memset(name, 'n', sizeof(name));
	stack_ends_count(&ends, str_make(name, sizeof(name)), UNWIND_END_ROOT);
	stack_ends_count(&ends, str_make(name, sizeof(name)), UNWIND_END_ROOT);
	assert_int_equal(ends.count, 1);
	assert_int_equal(ends.rows[0].all, 2);
}

static void when_there_are_too_many_the_one_with_whole_stacks_leaves(void **state)
{
	struct stack_ends ends = {0};
	uint64_t all = 0;
	(void)state;
	stack_ends_count(&ends, STR("broken"), UNWIND_END_NO_ROW);
	for (int i = 0; i < 1000; i++) {
		char name[32];
		snprintf(name, sizeof(name), "fine-%d", i);
		stack_ends_count(&ends, str_of(name), UNWIND_END_ROOT);
	}
	assert_int_equal(ends.count, STACK_ENDS_EXECUTABLES);
	assert_int_equal(row_of(&ends, "broken")->ends[UNWIND_END_NO_ROW], 1);
	for (size_t i = 0; i < ends.count; i++)
		all += ends.rows[i].all;
	assert_int_equal(all + ends.rest.all, 1001);
	assert_int_equal(ends.ends[UNWIND_END_ROOT], 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_but_the_root_has_its_words),
		cmocka_unit_test(stacks_are_counted_for_the_host_and_for_each_executable),
		cmocka_unit_test(a_long_name_is_cut_and_still_one_executable),
		cmocka_unit_test(when_there_are_too_many_the_one_with_whole_stacks_leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
