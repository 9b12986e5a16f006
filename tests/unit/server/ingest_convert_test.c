/* What conversion makes of a batch, before any store sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/ingest_convert.h"

#define NOW_NS (UINT64_C(1700000000) * NS_PER_S)

struct fixture {
	struct arena arena;
	struct ingest_config config;
	struct relabel *relabel;
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	struct profile_sample *sample;
	struct store_batch rows;
	struct ingest_result result;
};

static struct fixture f;

static void must(int rc)
{
	assert_int_equal(rc, 0);
}

static uint32_t text(const char *cstr)
{
	uint32_t at;

	must(profile_string(f.batch, str_of(cstr), &at, NULL));
	return at;
}

static uint32_t attr(const char *key, struct value value)
{
	uint32_t at;

	must(profile_attribute(f.batch, str_of(key), &value, STR(""), &at, NULL));
	return at;
}

static struct value string_value(const char *cstr)
{
	return (struct value){.kind = VALUE_STRING, .text = str_of(cstr)};
}

static struct value int_value(int64_t number)
{
	return (struct value){.kind = VALUE_INT, .number = number};
}

static void resource_attr(const char *key, struct value value)
{
	must(profile_resource_attr(f.batch, f.resource, str_of(key), &value, NULL));
}

static void set_types(struct profile *profile, const char *type, const char *unit,
		      const char *period_type, const char *period_unit, int64_t period)
{
	profile->sample_type = (struct value_type){text(type), text(unit)};
	profile->period_type = (struct value_type){text(period_type), text(period_unit)};
	profile->period = period;
}

static uint32_t function(const char *name)
{
	struct profile_function row = {.name = text(name)};
	uint32_t at;

	must(profile_function(f.batch, &row, &at, NULL));
	return at;
}

static uint32_t named_location(const char *name)
{
	struct profile_line line = {.function = function(name), .line = 7};
	struct profile_location row = {.address = 0x1234, .line_count = 1, .lines = &line};
	uint32_t at;

	must(profile_location(f.batch, &row, &at, NULL));
	return at;
}

static uint32_t stack(const uint32_t *locations, uint32_t count)
{
	uint32_t at;

	must(profile_stack(f.batch, locations, count, &at, NULL));
	return at;
}

static void add_sample(uint32_t stack_index)
{
	must(profile_sample_add(f.batch, f.profile, &f.sample, NULL));
	f.sample->stack = stack_index;
}

static void add_time(uint64_t time_ns)
{
	must(profile_sample_time(f.batch, f.sample, time_ns, NULL));
}

static void add_value(int64_t value)
{
	must(profile_sample_value(f.batch, f.sample, value, NULL));
}

static void add_attr(uint32_t index)
{
	must(profile_sample_attr(f.batch, f.sample, index, NULL));
}

/* A CPU profile of one process, without samples. */
static int setup(void **state)
{
	(void)state;
	f = (struct fixture){0};
	arena_init(&f.arena, 0);
	ingest_config_default(&f.config);
	must(relabel_create(NULL, 0, &f.relabel, NULL));
	must(profile_batch_create(&f.arena, &f.batch, NULL));
	must(profile_resource_add(f.batch, &f.resource, NULL));
	must(profile_scope_add(f.batch, f.resource, &f.scope, NULL));
	must(profile_add(f.batch, f.scope, &f.profile, NULL));
	f.profile->time_ns = NOW_NS;
	set_types(f.profile, "samples", "count", "cpu", "nanoseconds", 10);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	relabel_destroy(f.relabel);
	arena_deinit(&f.arena);
	return 0;
}

/* For tests that run over a table. */
static void renew(void **state)
{
	teardown(state);
	setup(state);
}

static void use_rule(const char *action, const char *regex, const char *replacement)
{
	struct relabel_rule_spec spec;

	relabel_rule_default(&spec);
	spec.action = str_of(action);
	spec.regex = str_of(regex);
	spec.replacement = str_of(replacement);
	relabel_destroy(f.relabel);
	f.relabel = NULL;
	must(relabel_create(&spec, 1, &f.relabel, NULL));
}

static void convert(void)
{
	struct err err = {0};

	if (ingest_convert(&f.config, f.relabel, f.batch, NOW_NS, &f.arena, &f.rows, &f.result,
			   &err))
		fail_msg("%s", err.text);
}

/* Converts and checks what the store's contract asks of a batch. */
static void convert_checked(void)
{
	convert();
	assert_true(f.rows.strings[0].len == 0);
	for (size_t i = 1; i < f.rows.node_count; i++) {
		assert_true(f.rows.nodes[i].parent < i);
		assert_true(f.rows.nodes[i].frame < f.rows.frame_count);
	}
	for (size_t i = 0; i < f.rows.series_count; i++) {
		const struct store_series *series = &f.rows.series[i];
		for (size_t k = 1; k < series->label_count; k++)
			assert_true(str_compare(series->labels[k - 1].name,
						series->labels[k].name) < 0);
		assert_true(series->sample_count > 0);
		for (size_t k = 0; k < series->sample_count; k++) {
			assert_true(series->samples[k].node < f.rows.node_count);
			assert_true(series->samples[k].thread_name < f.rows.string_count);
			assert_true(series->samples[k].span <= f.rows.span_count);
		}
	}
}

static struct str label(size_t series, const char *name)
{
	for (size_t i = 0; i < f.rows.series[series].label_count; i++)
		if (str_equal(f.rows.series[series].labels[i].name, str_of(name)))
			return f.rows.series[series].labels[i].value;
	return STR("");
}

static void assert_label(size_t series, const char *name, const char *value)
{
	struct str got = label(series, name);

	if (!str_equal(got, str_of(value)))
		fail_msg("%s is '%.*s', expected '%s'", name, STR_ARG(got), value);
}

static const struct store_frame *frame_of(uint32_t node)
{
	return &f.rows.frames[f.rows.nodes[node].frame];
}

/* ---- types and values ---- */

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

/* ---- labels ---- */

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

/* ---- columns ---- */

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

/* ---- frames ---- */

static void stacks_grow_from_the_root_and_share_their_beginning(void **state)
{
	uint32_t main_at = named_location("main");
	uint32_t a[] = {named_location("a"), main_at};
	uint32_t b[] = {named_location("b"), main_at};

	(void)state;
	add_sample(stack(a, 2));
	add_time(NOW_NS);
	add_sample(stack(b, 2));
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.node_count, 4);
	uint32_t leaf_a = f.rows.series[0].samples[0].node,
		 leaf_b = f.rows.series[0].samples[1].node;
	assert_true(str_equal(frame_of(leaf_a)->name, STR("a")));
	assert_true(str_equal(frame_of(leaf_b)->name, STR("b")));
	assert_int_equal(f.rows.nodes[leaf_a].parent, f.rows.nodes[leaf_b].parent);
	assert_true(str_equal(frame_of(f.rows.nodes[leaf_a].parent)->name, STR("main")));
	assert_int_equal(f.rows.nodes[f.rows.nodes[leaf_a].parent].parent, 0);
	assert_int_equal(frame_of(leaf_a)->line, 7);
	assert_int_equal(frame_of(leaf_a)->address, 0);
}

static void inlined_functions_are_frames_of_their_own(void **state)
{
	struct profile_line lines[] = {{function("inner"), 1, 0}, {function("outer"), 2, 0}};
	struct profile_location row = {.line_count = 2, .lines = lines};
	uint32_t at;

	(void)state;
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	uint32_t leaf = f.rows.series[0].samples[0].node;
	assert_true(str_equal(frame_of(leaf)->name, STR("inner")));
	assert_true(str_equal(frame_of(f.rows.nodes[leaf].parent)->name, STR("outer")));
}

static void a_frame_without_a_name_keeps_mapping_and_address(void **state)
{
	uint32_t attrs[] = {attr("process.executable.build_id.htlhash", string_value("beef")),
			    attr("process.executable.build_id.gnu", string_value("c0ffee"))};
	uint32_t kind = attr("profile.frame.type", string_value("native"));
	struct profile_mapping mapping = {.filename = text("/usr/lib/libc.so.6"),
					  .attr_count = 2,
					  .attrs = attrs};
	struct profile_location row = {.address = 0xabc, .attr_count = 1, .attrs = &kind};
	uint32_t at;

	(void)state;
	must(profile_mapping(f.batch, &mapping, &row.mapping, NULL));
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	const struct store_frame *frame = frame_of(f.rows.series[0].samples[0].node);
	assert_int_equal(frame->name.len, 0);
	assert_int_equal(frame->address, 0xabc);
	assert_true(str_equal(frame->mapping, STR("libc.so.6")));
	assert_true(str_equal(frame->build_id, STR("c0ffee")));
	assert_true(str_equal(frame->kind, STR("native")));
}

static void a_function_without_a_name_goes_by_its_system_name(void **state)
{
	struct profile_function named = {.name = text("f()"),
					 .system_name = text("_Z1fv"),
					 .filename = text("f.cc"),
					 .start_line = 3};
	struct profile_function mangled = {.system_name = text("_Z1gv")};
	struct profile_line lines[2] = {{0}};
	struct profile_location row = {.line_count = 2, .lines = lines};
	uint32_t at;

	(void)state;
	must(profile_function(f.batch, &named, &lines[0].function, NULL));
	must(profile_function(f.batch, &mangled, &lines[1].function, NULL));
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	uint32_t leaf = f.rows.series[0].samples[0].node;
	assert_true(str_equal(frame_of(leaf)->system_name, STR("_Z1fv")));
	assert_true(str_equal(frame_of(leaf)->filename, STR("f.cc")));
	assert_int_equal(frame_of(leaf)->start_line, 3);
	const struct store_frame *outer = frame_of(f.rows.nodes[leaf].parent);
	assert_true(str_equal(outer->name, STR("_Z1gv")));
	assert_int_equal(outer->system_name.len, 0);
}

static void a_stack_that_is_too_deep_keeps_its_leaf(void **state)
{
	uint32_t locations[50];
	char name[16];

	(void)state;
	f.config.stack_depth = 10;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		locations[i] = named_location(name);
	}
	add_sample(stack(locations, 50));
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.node_count, 11);
	assert_true(str_equal(frame_of(f.rows.series[0].samples[0].node)->name, STR("f0")));
	assert_true(str_equal(frame_of(1)->name, STR("f9")));
}

static void long_names_are_cut_between_characters(void **state)
{
	uint32_t location = named_location("abc\xc3\xa9");

	(void)state;
	f.config.symbol_bytes = 4;
	add_sample(stack(&location, 1));
	add_time(NOW_NS);
	convert_checked();
	assert_true(str_equal(frame_of(1)->name, STR("abc")));
}

static void equal_frames_of_different_addresses_are_one(void **state)
{
	struct profile_line line = {.function = function("spin"), .line = 7};
	struct profile_location row = {.address = 1, .line_count = 1, .lines = &line};
	uint32_t at;

	(void)state;
	for (int i = 0; i < 5; i++) {
		row.address++;
		must(profile_location(f.batch, &row, &at, NULL));
		add_sample(stack(&at, 1));
		add_time(NOW_NS);
	}
	convert_checked();
	assert_int_equal(f.rows.frame_count, 1);
	assert_int_equal(f.rows.node_count, 2);
}

static void many_stacks_make_a_tree_without_doubles(void **state)
{
	enum { NAMES = 40, STACKS = 3000, DEPTH = 12 };
	uint32_t names[NAMES], locations[DEPTH];
	uint64_t seed = 1;
	char name[16];

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		names[i] = named_location(name);
	}
	for (int i = 0; i < STACKS; i++) {
		for (int k = 0; k < DEPTH; k++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			locations[k] = names[(seed >> 33) % (k > 8 ? 2 : NAMES)];
		}
		add_sample(stack(locations, DEPTH));
		add_time(NOW_NS);
	}
	convert_checked();
	assert_int_equal(f.rows.frame_count, NAMES);
	for (size_t i = 1; i < f.rows.node_count; i++)
		for (size_t k = i + 1; k < f.rows.node_count && k < i + 50; k++)
			assert_false(f.rows.nodes[i].parent == f.rows.nodes[k].parent &&
				     f.rows.nodes[i].frame == f.rows.nodes[k].frame);
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
		rc = ingest_convert(&f.config, f.relabel, f.batch, NOW_NS, &arena, &f.rows,
				    &f.result, &err);
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
		TEST(every_type_has_a_name),
		TEST(a_profile_without_a_type_costs_only_itself),
		TEST(the_three_shapes_of_samples_are_understood),
		TEST(a_profile_without_a_time_is_of_now),
		TEST(a_huge_value_stays_at_the_top),
		TEST(negative_values_and_impossible_times_are_refused_one_by_one),
		TEST(attributes_become_labels_as_they_were_sent),
		TEST(the_service_is_named_by_sample_then_resource_then_executable),
		TEST(the_documented_rule_names_services_after_executables),
		TEST(what_a_rule_drops_is_not_a_failure),
		TEST(rules_cannot_take_the_fixed_labels_away),
		TEST(labels_over_a_limit_are_refused_with_the_reason),
		TEST(threads_and_cpus_are_columns_and_not_series),
		TEST(what_is_not_known_of_a_sample_is_marked_so),
		TEST(links_and_span_attributes_become_spans),
		TEST(other_sample_attributes_split_the_series),
		TEST(profiles_with_equal_labels_share_a_series),
		TEST(stacks_grow_from_the_root_and_share_their_beginning),
		TEST(inlined_functions_are_frames_of_their_own),
		TEST(a_frame_without_a_name_keeps_mapping_and_address),
		TEST(a_function_without_a_name_goes_by_its_system_name),
		TEST(a_stack_that_is_too_deep_keeps_its_leaf),
		TEST(long_names_are_cut_between_characters),
		TEST(equal_frames_of_different_addresses_are_one),
		TEST(many_stacks_make_a_tree_without_doubles),
		TEST(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("server/ingest_convert", tests, NULL, NULL);
}
