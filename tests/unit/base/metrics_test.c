#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/metrics.h"

static struct metric lost_full = METRIC_COUNTER_INIT("test_lost_total", "reason=\"full\"",
						     "Samples lost.\nBy reason \\ kind.");
static struct metric lost_old = METRIC_COUNTER_INIT("test_lost_total", "reason=\"old\"",
						    "Samples lost.\nBy reason \\ kind.");
static struct metric depth = METRIC_GAUGE_INIT("test_depth", NULL, "Depth.");
static struct metric threaded = METRIC_COUNTER_INIT("test_threaded_total", NULL, "Threads.");
static struct metric never = METRIC_COUNTER_INIT("test_never_total", NULL, "Never touched.");
static struct histogram waits = HISTOGRAM_INIT("test_middle_seconds", "kind=\"x\"", "Waits.", 1000);

static struct str render(struct buf *buf)
{
	buf_clear(buf);
	metrics_render(buf);
	return buf_text(buf);
}

static bool has(struct str text, const char *part)
{
	return str_find(text, str_of(part)) >= 0;
}

static void counters_and_gauges_are_shown_once_touched(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_false(has(render(&buf), "test_depth"));
	metric_add(&lost_old, 2);
	metric_add(&lost_full, 3);
	metric_register(&lost_full);
	metric_set(&depth, -7);
	metric_add(&depth, 2);
	assert_int_equal(metric_get(&depth), -5);
	struct str text = render(&buf);
	assert_true(
		has(text, "# HELP test_depth Depth.\n# TYPE test_depth gauge\ntest_depth -5\n"));
	assert_true(has(text, "# HELP test_lost_total Samples lost.\\nBy reason \\\\ kind.\n"
			      "# TYPE test_lost_total counter\n"
			      "test_lost_total{reason=\"full\"} 3\n"
			      "test_lost_total{reason=\"old\"} 2\n"));
	assert_false(has(text, "test_never_total"));
	metric_register(&never);
	assert_true(has(render(&buf), "test_never_total 0\n"));
	buf_deinit(&buf);
}

static void histograms_are_cumulative_and_in_seconds(void **state)
{
	struct buf buf = {0};

	(void)state;
	histogram_observe_ns(&waits, 0);
	histogram_observe_ns(&waits, 1000);
	histogram_observe_ns(&waits, 1001);
	histogram_observe_ns(&waits, UINT64_C(3600) * 1000000000);
	struct str text = render(&buf);
	assert_true(has(text, "# TYPE test_middle_seconds histogram\n"
			      "test_middle_seconds_bucket{kind=\"x\",le=\"1e-06\"} 2\n"
			      "test_middle_seconds_bucket{kind=\"x\",le=\"2e-06\"} 3\n"));
	assert_true(has(text, "test_middle_seconds_bucket{kind=\"x\",le=\"8.388608\"} 3\n"
			      "test_middle_seconds_bucket{kind=\"x\",le=\"+Inf\"} 4\n"));
	assert_true(has(text, "test_middle_seconds_count{kind=\"x\"} 4\n"));
	assert_true(has(text, "test_middle_seconds_sum{kind=\"x\"} 3600"));
	buf_deinit(&buf);
}

static void names_come_in_order_across_kinds(void **state)
{
	struct buf buf = {0};
	struct str text = render(&buf);

	(void)state;
	ptrdiff_t a = str_find(text, STR("# HELP test_depth"));
	ptrdiff_t b = str_find(text, STR("# HELP test_lost"));
	ptrdiff_t c = str_find(text, STR("# HELP test_middle"));
	ptrdiff_t d = str_find(text, STR("# HELP test_never"));
	assert_true(a >= 0 && a < b && b < c && c < d);
	buf_deinit(&buf);
}

/* The value behind a name at the start of a line. */
static double value_of(struct str text, const char *name)
{
	struct str line;
	double value = -1;

	while (str_next(&text, '\n', &line)) {
		size_t len = strlen(name);
		if (str_starts_with(line, str_of(name)) && line.ptr[len] == ' ')
			assert_true(str_to_double(str_sub(line, len + 1, line.len), &value));
	}
	return value;
}

static void the_process_tells_of_itself(void **state)
{
	struct buf buf = {0};
	struct str text = render(&buf);

	(void)state;
	assert_true(value_of(text, "process_cpu_seconds_total") >= 0);
	assert_true(value_of(text, "process_resident_memory_bytes") > 100 * 1024);
	assert_true(value_of(text, "process_virtual_memory_bytes") >
		    value_of(text, "process_resident_memory_bytes"));
	assert_true(value_of(text, "process_open_fds") >= 3);
	assert_true(value_of(text, "process_max_fds") > 3);
	assert_true(value_of(text, "process_start_time_seconds") > 1.7e9);
	buf_deinit(&buf);
}

static void *add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++)
		metric_add(&threaded, 1);
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	pthread_t threads[4];
	struct buf buf = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_get(&threaded), 80000);
	struct str text = render(&buf);
	ptrdiff_t first = str_find(text, STR("test_threaded_total 80000"));
	assert_true(first > 0);
	assert_int_equal(str_find(str_sub(text, (size_t)first + 1, text.len),
				  STR("test_threaded_total 80000")),
			 -1);
	buf_deinit(&buf);
}

static void a_buffer_too_small_is_told_by_the_buffer(void **state)
{
	struct buf buf = {.limit_bytes = 100};

	(void)state;
	metrics_render(&buf);
	assert_int_equal(buf_check(&buf, "metrics", NULL), ERR_LIMIT);
	buf_deinit(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_gauges_are_shown_once_touched),
		cmocka_unit_test(histograms_are_cumulative_and_in_seconds),
		cmocka_unit_test(names_come_in_order_across_kinds),
		cmocka_unit_test(the_process_tells_of_itself),
		cmocka_unit_test(threads_lose_no_count),
		cmocka_unit_test(a_buffer_too_small_is_told_by_the_buffer),
	};

	return cmocka_run_group_tests_name("base/metrics", tests, NULL, NULL);
}
