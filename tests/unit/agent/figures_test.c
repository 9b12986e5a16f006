#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/figures.h"

static size_t end_named(const char *name)
{
	size_t end = 0;
	while (end < AGENT_STACK_ENDS && strcmp(agent_stack_end_name(end), name) != 0)
		end++;
	return end;
}

static void stacks_are_told_for_the_host_first_and_then_by_executable(void **state)
{
	struct figures figures;
	struct stack_ends ends = {0};
	struct agent_stacks rows[AGENT_STACKS_ROWS];
	const struct agent_gauges gauges = {.agent_samples = 3, .ends = &ends};
	(void)state;
	figures_init(&figures);
	assert_int_equal(figures_get_stacks(&figures, rows, AGENT_STACKS_ROWS), 1);
	assert_int_equal(rows[0].all, 0);
	stack_ends_count(&ends, STR("bash"), UNWIND_END_ROOT);
	stack_ends_count(&ends, STR("bash"), UNWIND_END_CUT);
	stack_ends_count(&ends, STR("node"), UNWIND_END_ROOT);
	figures_set(&figures, &gauges);
	assert_int_equal(figures_get_stacks(&figures, rows, AGENT_STACKS_ROWS), 3);
	assert_string_equal(rows[0].executable, "");
	assert_int_equal(rows[0].all, 3);
	assert_int_equal(rows[0].ends[end_named("root")], 2);
	assert_string_equal(rows[1].executable, "bash");
	assert_int_equal(rows[1].ends[end_named("cut")], 1);
	figures_tell(&figures);
	figures_deinit(&figures);
}

static void no_more_rows_are_written_than_there_is_room_for(void **state)
{
	struct figures figures;
	struct stack_ends ends = {0};
	struct agent_stacks rows[2];
	const struct agent_gauges gauges = {.ends = &ends};
	(void)state;
	figures_init(&figures);
	stack_ends_count(&ends, STR("a"), UNWIND_END_ROOT);
	stack_ends_count(&ends, STR("b"), UNWIND_END_ROOT);
	figures_set(&figures, &gauges);
	assert_int_equal(figures_get_stacks(&figures, rows, 0), 0);
	assert_int_equal(figures_get_stacks(&figures, rows, 1), 1);
	assert_int_equal(figures_get_stacks(&figures, rows, 2), 2);
	figures_deinit(&figures);
}

static void samples_lost_in_any_way_are_one_figure(void **state)
{
	struct figures figures;
	struct agent_stats stats;
	const struct stack_ends ends = {0};
	const struct agent_gauges gauges = {.agent_samples = 10,
					    .lost_memory = 2,
					    .sampler = {.lost_ring = 3},
					    .unwinding = {.used_bytes = 7, .finished = 4},
					    .ends = &ends};
	(void)state;
	figures_init(&figures);
	figures_set(&figures, &gauges);
	figures_get_stats(&figures, &stats);
	assert_int_equal(stats.lost_samples, 5);
	assert_int_equal(stats.unwind_bytes, 7);
	assert_int_equal(stats.finished_samples, 4);
	figures_tell(&figures);
	assert_int_equal(figures.lost_told, 5);
	figures_deinit(&figures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_are_told_for_the_host_first_and_then_by_executable),
		cmocka_unit_test(no_more_rows_are_written_than_there_is_room_for),
		cmocka_unit_test(samples_lost_in_any_way_are_one_figure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
