/* How series get their labels. */
#include "ingest_fixture.h"

static void attributes_become_labels_as_they_were_sent(void **state)
{
	(void)state;
	resource_attr("process.executable.name", string_value("nginx"));
	resource_attr("k8s.pod/x", string_value("web-1"));
	resource_attr("answer", int_value(42));
	resource_attr("flag", (struct value){.kind = VALUE_BOOL, .number = 1});
	resource_attr("empty", string_value(""));
	resource_attr("answer", int_value(43));
	must(profile_scope_attr(f.batch, f.scope, STR("k8s.pod/x"),
				&(struct value){VALUE_STRING, STR("no"), 0, 0}, NULL));
	must(profile_scope_attr(f.batch, f.scope, STR("scoped"),
				&(struct value){VALUE_STRING, STR("yes"), 0, 0}, NULL));
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	assert_label(0, "process.executable.name", "nginx");
	assert_label(0, "k8s.pod/x", "web-1");
	assert_label(0, "answer", "42");
	assert_label(0, "flag", "true");
	assert_label(0, "empty", "");
	assert_label(0, "scoped", "yes");
	assert_label(0, "__otel__", "");
}

static void the_service_is_named_by_sample_then_resource_then_executable(void **state)
{
	static const struct {
		const char *sample, *resource, *executable;
		bool from_executable;
		const char *service;
	} rows[] = {
		{"s", "r", "e", false, "s"},
		{NULL, "r", "e", true, "r"},
		{NULL, NULL, "e", false, "unknown_service:e"},
		{NULL, NULL, "e", true, "e"},
		{NULL, NULL, NULL, false, "unknown_service"},
		{NULL, NULL, NULL, true, "unknown_service"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		renew(state);
		f.config.default_service_from_executable = rows[i].from_executable;
		if (rows[i].resource)
			resource_attr("service.name", string_value(rows[i].resource));
		if (rows[i].executable)
			resource_attr("process.executable.name", string_value(rows[i].executable));
		add_sample(0);
		add_time(NOW_NS);
		if (rows[i].sample)
			add_attr(attr("service.name", string_value(rows[i].sample)));
		convert_checked();
		assert_label(0, "service_name", rows[i].service);
		assert_label(0, "service.name", rows[i].resource ? rows[i].resource : "");
	}
}

static void the_documented_rule_names_services_after_executables(void **state)
{
	(void)state;
	use_rule("labelmap", "^process.executable.name$", "service_name");
	resource_attr("process.executable.name", string_value("nginx"));
	resource_attr("process.executable.path", string_value("/usr/sbin/nginx"));
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	assert_label(0, "service_name", "nginx");
	assert_label(0, "process.executable.path", "/usr/sbin/nginx");
}

static void what_a_rule_drops_is_not_a_failure(void **state)
{
	(void)state;
	use_rule("drop", "", "");
	add_sample(0);
	add_time(NOW_NS);
	convert();
	assert_int_equal(f.rows.series_count, 0);
	assert_int_equal(f.result.samples, 0);
	assert_int_equal(f.result.rejected_samples, 0);
}

static void rules_cannot_take_the_fixed_labels_away(void **state)
{
	(void)state;
	use_rule("labeldrop", ".*", "");
	add_sample(0);
	add_time(NOW_NS);
	convert_checked();
	assert_label(0, "__name__", "process_cpu");
	assert_label(0, "service_name", "unknown_service");
	assert_label(0, "__profile_type__", "process_cpu:cpu:nanoseconds:cpu:nanoseconds");
}

static void labels_over_a_limit_are_refused_with_the_reason(void **state)
{
	static const char *const reasons[] = {"max_label_names_per_series", "label_name_too_long",
					      "label_value_too_long"};

	for (int i = 0; i < 3; i++) {
		renew(state);
		resource_attr("a.very.long.name",
			      string_value("a very long value, much longer than ids are"));
		f.config.label_names = i == 0 ? 7 : 0;
		f.config.label_name_bytes = i == 1 ? 15 : 0;
		f.config.label_value_bytes = i == 2 ? 42 : 0;
		resource_attr("more", string_value("x"));
		add_sample(0);
		add_time(NOW_NS);
		add_time(NOW_NS);
		convert();
		assert_int_equal(f.result.rejected_profiles, 1);
		assert_int_equal(f.result.rejected_samples, 2);
		assert_string_equal(f.result.reason, reasons[i]);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(attributes_become_labels_as_they_were_sent),
		TEST(the_service_is_named_by_sample_then_resource_then_executable),
		TEST(the_documented_rule_names_services_after_executables),
		TEST(what_a_rule_drops_is_not_a_failure),
		TEST(rules_cannot_take_the_fixed_labels_away),
		TEST(labels_over_a_limit_are_refused_with_the_reason),
	};
	return cmocka_run_group_tests_name("server/ingest_labels", tests, NULL, NULL);
}
