/* What conversion makes of types, values and times. */
#include "ingest_fixture.h"

static void cpu_samples_become_cpu_time_one_event_a_period(void **state)
{
	uint32_t location = named_location("main");

	(void)state;
	add_sample(stack(&location, 1));
	add_time(NOW_NS);
	add_time(NOW_NS + 5);
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
	assert_label(0, "__profile_type__", "process_cpu:cpu:nanoseconds:cpu:nanoseconds");
	assert_label(0, "__name__", "process_cpu");
	assert_label(0, "__type__", "cpu");
	assert_label(0, "__unit__", "nanoseconds");
	assert_label(0, "__period_type__", "cpu");
	assert_label(0, "__period_unit__", "nanoseconds");
	assert_int_equal(f.rows.series[0].sample_count, 2);
	assert_int_equal(f.rows.series[0].samples[0].value, 10);
	assert_int_equal(f.rows.series[0].samples[0].time_ns, NOW_NS);
	assert_int_equal(f.rows.series[0].samples[1].time_ns, NOW_NS + 5);
	assert_int_equal(f.result.samples, 2);
}

static void ids_of_profiles_tell_requests_apart(void **state)
{
	(void)state;
	add_sample(0);
	add_time(NOW_NS);
	convert();
	assert_int_equal(f.rows.identity.len, 0);
	f.profile->has_profile_id = true;
	memset(f.profile->profile_id, 7, sizeof(f.profile->profile_id));
	convert();
	assert_int_equal(f.rows.identity.len, 16);
	assert_memory_equal(f.rows.identity.ptr, f.profile->profile_id, 16);
}

static void every_type_has_a_name(void **state)
{
	static const struct {
		const char *type, *unit, *period_type, *period_unit;
		int64_t period;
		const char *id;
		int64_t value;
	} rows[] = {
		{"samples", "count", "cpu", "nanoseconds", 10,
		 "process_cpu:cpu:nanoseconds:cpu:nanoseconds", 30},
		{"samples", "count", "cpu", "nanoseconds", 0, "samples:samples:count::", 3},
		{"off_cpu", "nanoseconds", "", "", 0, "off_cpu:off_cpu:nanoseconds::", 3},
		{"events", "nanoseconds", "", "", 0, "off_cpu:off_cpu:nanoseconds::", 3},
		{"events", "count", "", "", 0, "events:events:count::", 3},
		{"alloc_space", "bytes", "space", "bytes", 512,
		 "space:alloc_space:bytes:space:bytes", 3},
		{"wall", "ns", "", "", 5, "wall:wall:ns::", 3},
		{"a:b", "c", "", "", 0, "a_b:a_b:c::", 3},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		renew(state);
		set_types(f.profile, rows[i].type, rows[i].unit, rows[i].period_type,
			  rows[i].period_unit, rows[i].period);
		add_sample(0);
		add_value(3);
		convert_checked();
		assert_label(0, "__profile_type__", rows[i].id);
		assert_int_equal(f.rows.series[0].samples[0].value, rows[i].value);
	}
}

static void a_profile_without_a_type_costs_only_itself(void **state)
{
	struct profile *good;

	(void)state;
	set_types(f.profile, "", "", "", "", 0);
	add_sample(0);
	add_time(NOW_NS);
	must(profile_add(f.batch, f.scope, &good, NULL));
	f.profile = good;
	good->time_ns = NOW_NS;
	set_types(good, "events", "count", "", "", 0);
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
	assert_int_equal(f.result.rejected_profiles, 1);
	assert_int_equal(f.result.samples, 1);
	assert_true(f.result.reason[0] != '\0');
}

static void the_three_shapes_of_samples_are_understood(void **state)
{
	(void)state;
	set_types(f.profile, "off_cpu", "nanoseconds", "", "", 0);
	add_sample(0);
	add_value(100);
	add_value(200);
	add_time(NOW_NS + 1);
	add_time(NOW_NS + 2);
	add_sample(0);
	add_value(7);
	convert_checked();
	const struct store_sample *samples = f.rows.series[0].samples;
	assert_int_equal(f.rows.series[0].sample_count, 3);
	assert_int_equal(samples[0].value, 100);
	assert_int_equal(samples[1].value, 200);
	assert_int_equal(samples[1].time_ns, NOW_NS + 2);
	assert_int_equal(samples[2].value, 7);
	assert_int_equal(samples[2].time_ns, NOW_NS);
}

static void a_profile_without_a_time_is_of_now(void **state)
{
	(void)state;
	f.profile->time_ns = 0;
	add_sample(0);
	add_value(1);
	convert_checked();
	assert_int_equal(f.rows.series[0].samples[0].time_ns, NOW_NS);
}

/* What lies between two multiples belongs to the earlier one, and still tells requests apart. */
static void times_are_kept_as_precisely_as_configured(void **state)
{
	struct ingest_config defaults;
	struct str identity;
	(void)state;
	ingest_config_default(&defaults);
	assert_int_equal(defaults.time_precision_ns, NS_PER_MS);
	f.config.time_precision_ns = NS_PER_MS;
	add_sample(0);
	add_time(NOW_NS - 1);
	add_time(NOW_NS - NS_PER_MS);
	convert_checked();
	assert_int_equal(f.rows.series[0].samples[0].time_ns, NOW_NS - NS_PER_MS);
	assert_int_equal(f.rows.series[0].samples[1].time_ns, NOW_NS - NS_PER_MS);
	identity = f.rows.identity;
	add_time(NOW_NS - 2);
	convert_checked();
	assert_false(str_equal(f.rows.identity, identity));
}

static void a_huge_value_stays_at_the_top(void **state)
{
	(void)state;
	add_sample(0);
	add_value(INT64_MAX / 2);
	convert_checked();
	assert_int_equal(f.rows.series[0].samples[0].value, INT64_MAX);
}

static void negative_values_and_impossible_times_are_refused_one_by_one(void **state)
{
	(void)state;
	f.config.reject_older_ns = NS_PER_S;
	add_sample(0);
	add_value(-1);
	add_value(0);
	add_value(5);
	add_sample(0);
	add_time(NOW_NS + f.config.reject_newer_ns + 1);
	add_time(NOW_NS - NS_PER_S - 1);
	add_time(NOW_NS - NS_PER_S);
	convert_checked();
	assert_int_equal(f.rows.series[0].sample_count, 2);
	assert_int_equal(f.result.rejected_samples, 3);
	assert_int_equal(f.result.rejected_profiles, 0);
	assert_string_equal(f.result.reason, "negative_value");
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	uint32_t location = named_location("main");
	struct err err = {0};
	int rc = -1;

	(void)state;
	resource_attr("service.name", string_value("demo"));
	for (int i = 0; i < 400; i++) {
		add_sample(stack(&location, 1));
		add_time(NOW_NS);
		add_attr(attr("thread.id", int_value(i)));
		add_attr(attr("endpoint", int_value(i % 50)));
	}
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		struct arena arena;
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		const struct ingest_rules rules = {&f.config, f.relabel, f.naming};
		rc = ingest_convert(&rules, f.batch, NOW_NS, &arena, &f.rows, &f.result, &err);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
		arena_deinit(&arena);
	}
	assert_int_equal(rc, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(cpu_samples_become_cpu_time_one_event_a_period),
		TEST(ids_of_profiles_tell_requests_apart),
		TEST(every_type_has_a_name),
		TEST(a_profile_without_a_type_costs_only_itself),
		TEST(the_three_shapes_of_samples_are_understood),
		TEST(a_profile_without_a_time_is_of_now),
		TEST(times_are_kept_as_precisely_as_configured),
		TEST(a_huge_value_stays_at_the_top),
		TEST(negative_values_and_impossible_times_are_refused_one_by_one),
		TEST(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("server/ingest_convert", tests, NULL, NULL);
}
