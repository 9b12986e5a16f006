/* What becomes a column of a sample, and what splits its series. */
#include "ingest_fixture.h"

static void threads_and_cpus_are_columns_and_not_series(void **state)
{
	(void)state;
	resource_attr("process.pid", int_value(4711));
	for (int i = 0; i < 100; i++) {
		add_sample(0);
		add_time(NOW_NS);
		add_attr(attr("thread.id", int_value(1000 + i)));
		add_attr(attr("thread.name", string_value(i % 2 ? "worker" : "main")));
		add_attr(attr("cpu.logical_number", int_value(i % 8)));
	}
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
	assert_int_equal(f.rows.series[0].sample_count, 100);
	assert_label(0, "process.pid", "");
	assert_label(0, "thread.id", "");
	const struct store_sample *sample = &f.rows.series[0].samples[3];
	assert_int_equal(sample->pid, 4711);
	assert_int_equal(sample->tid, 1003);
	assert_int_equal(sample->cpu, 3);
	assert_true(str_equal(f.rows.strings[sample->thread_name], STR("worker")));
	assert_int_equal(f.rows.string_count, 3);
}

static void what_is_not_known_of_a_sample_is_marked_so(void **state)
{
	(void)state;
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	const struct store_sample *sample = &f.rows.series[0].samples[0];
	assert_int_equal(sample->pid, 0);
	assert_int_equal(sample->tid, 0);
	assert_int_equal(sample->cpu, -1);
	assert_int_equal(sample->span, 0);
	assert_int_equal(sample->thread_name, 0);
	assert_int_equal(sample->node, 0);
}

static void links_and_span_attributes_become_spans(void **state)
{
	struct profile_link link = {.trace_id = {0xaa, 0xbb}, .span_id = {0xcc}};

	(void)state;
	add_sample(0);
	add_time(NOW_NS);
	must(profile_link(f.batch, &link, &f.sample->link, NULL));
	add_sample(0);
	add_time(NOW_NS);
	add_attr(attr("span_id", string_value("cc00000000000000")));
	add_attr(attr("trace_id", string_value("AABB0000000000000000000000000000")));
	add_sample(0);
	add_time(NOW_NS);
	add_attr(attr("span_id", string_value("nonsense")));
	convert_checked();
	const struct store_sample *samples = f.rows.series[0].samples;
	assert_int_equal(f.rows.series_count, 1);
	assert_int_equal(f.rows.span_count, 1);
	assert_int_equal(samples[0].span, 1);
	assert_int_equal(samples[1].span, 1);
	assert_int_equal(samples[2].span, 0);
	assert_memory_equal(f.rows.spans[0].trace_id, link.trace_id, 16);
	assert_memory_equal(f.rows.spans[0].span_id, link.span_id, 8);
}

static void other_sample_attributes_split_the_series(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		add_sample(0);
		add_time(NOW_NS);
		if (i % 3)
			add_attr(attr("endpoint", string_value(i % 3 == 1 ? "/a" : "/b")));
		add_attr(attr("thread.id", int_value(i)));
	}
	convert_checked();
	assert_int_equal(f.rows.series_count, 3);
	assert_label(0, "endpoint", "");
	assert_label(1, "endpoint", "/a");
	assert_label(2, "endpoint", "/b");
	for (int i = 0; i < 3; i++)
		assert_int_equal(f.rows.series[i].sample_count, 2);
}

static void profiles_with_equal_labels_share_a_series(void **state)
{
	struct profile *second;

	(void)state;
	add_sample(0);
	add_time(NOW_NS);
	must(profile_add(f.batch, f.scope, &second, NULL));
	f.profile = second;
	set_types(second, "samples", "count", "cpu", "nanoseconds", 20);
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
	assert_int_equal(f.rows.series[0].sample_count, 2);
	assert_int_equal(f.rows.series[0].samples[1].value, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(threads_and_cpus_are_columns_and_not_series),
		TEST(what_is_not_known_of_a_sample_is_marked_so),
		TEST(links_and_span_attributes_become_spans),
		TEST(other_sample_attributes_split_the_series),
		TEST(profiles_with_equal_labels_share_a_series),
	};
	return cmocka_run_group_tests_name("server/ingest_columns", tests, NULL, NULL);
}
