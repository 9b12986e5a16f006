/* From the bytes of any layout to the rows of the store: the same profile gives the same
 * rows, and every shape that Pyroscope refuses has its type, labels and total. */
#include "ingest_fixture.h"

#include "../wire/layout_encode.h"
#include "../wire/protoscope.h"
#include "../wire/random_batch.h"

/* ---- rows as a number that no order changes ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, struct str text)
{
	return mix(hash, str_hash(text));
}

static uint64_t mix_stack(const struct store_batch *rows, uint32_t node)
{
	uint64_t hash = 5;

	for (; node; node = rows->nodes[node].parent) {
		const struct store_frame *frame = &rows->frames[rows->nodes[node].frame];
		hash = mix_text(mix_text(hash, frame->name), frame->system_name);
		hash = mix_text(mix_text(hash, frame->filename), frame->kind);
		hash = mix_text(mix_text(hash, frame->mapping), frame->build_id);
		hash = mix(mix(hash, frame->address), (uint64_t)frame->line);
		hash = mix(hash, (uint64_t)frame->start_line);
	}
	return hash;
}

static uint64_t mix_row(const struct store_batch *rows, uint64_t hash,
			const struct store_sample *row)
{
	hash = mix(mix(hash, row->time_ns), (uint64_t)row->value);
	hash = mix(mix(hash, row->pid), row->tid);
	hash = mix_text(mix(hash, (uint64_t)(int64_t)row->cpu), rows->strings[row->thread_name]);
	if (row->span)
		hash = mix_text(hash,
				str_make(&rows->spans[row->span - 1], sizeof(struct store_span)));
	return mix(hash, mix_stack(rows, row->node));
}

struct rows_digest {
	uint64_t content, series, samples;
	int64_t total;
};

static struct rows_digest digest_rows(const struct store_batch *rows)
{
	struct rows_digest digest = {.series = rows->series_count};

	for (size_t i = 0; i < rows->series_count; i++) {
		const struct store_series *series = &rows->series[i];
		uint64_t hash = 3;
		for (size_t k = 0; k < series->label_count; k++)
			hash = mix_text(mix_text(hash, series->labels[k].name),
					series->labels[k].value);
		for (size_t k = 0; k < series->sample_count; k++) {
			digest.content += mix_row(rows, hash, &series->samples[k]);
			digest.total += series->samples[k].value;
		}
		digest.samples += series->sample_count;
	}
	return digest;
}

/* ---- through a layout ---- */

/* f.batch as the bytes of a layout, decoded and converted into f.rows. */
static void travel(const struct profile_batch *sent, enum wire_layout layout)
{
	struct buf bytes = layout_encode(sent, layout);
	struct wire_limits limits;
	struct wire_report report;
	struct err err = {0};

	wire_limits_default(&limits);
	if (wire_otlp_decode(buf_text(&bytes), &f.arena, &limits, &f.batch, &report, &err))
		fail_msg("%s: %s", wire_layout_name(layout), err.text);
	assert_int_equal(report.rejected_profiles, 0);
	buf_deinit(&bytes);
	convert_checked();
}

static void assert_same_rows(const struct profile_batch *sent, struct rows_digest want)
{
	for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_F; layout++) {
		travel(sent, (enum wire_layout)layout);
		struct rows_digest got = digest_rows(&f.rows);
		if (got.content != want.content || got.series != want.series ||
		    got.samples != want.samples || got.total != want.total)
			fail_msg("layout %s: %llu samples of %llu, total %lld of %lld, or others",
				 wire_layout_name((enum wire_layout)layout),
				 (unsigned long long)got.samples, (unsigned long long)want.samples,
				 (long long)got.total, (long long)want.total);
	}
}

static void a_random_profile_is_stored_the_same_from_every_layout(void **state)
{
	enum { SEEDS = 16, SAMPLES = 50 };

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const struct profile_batch *sent =
			random_batch(&f.arena, seed, SAMPLES, (int)(seed % 4));
		f.batch = (struct profile_batch *)(uintptr_t)sent;
		convert_checked();
		struct rows_digest want = digest_rows(&f.rows);
		assert_true(want.samples >= SAMPLES / 2);
		assert_same_rows(sent, want);
		renew(state);
	}
}

/* ---- shapes ---- */

static uint32_t unsymbolised(uint64_t address)
{
	const struct value id = string_value("0123abcd");
	uint32_t build_id = attr("process.executable.build_id.gnu", id), at;
	struct profile_mapping mapping = {.memory_limit = 4096,
					  .filename = text("/lib/libc.so.6"),
					  .attr_count = 1,
					  .attrs = &build_id};
	struct profile_location row = {.address = address};

	must(profile_mapping(f.batch, &mapping, &row.mapping, NULL));
	must(profile_location(f.batch, &row, &at, NULL));
	return at;
}

enum shape { TIMES, VALUE, BOTH };

static const struct shape_row {
	const char *type, *unit, *period_type, *period_unit;
	int64_t period;
	enum shape shape;
	const char *profile_type;
	int64_t total; /* of values 5 and 6, or of two events */
	uint64_t samples;
} shape_rows[] = {
	/* on-CPU: timestamps only */
	{"samples", "count", "cpu", "nanoseconds", 10, TIMES,
	 "process_cpu:cpu:nanoseconds:cpu:nanoseconds", 20, 2},
	/* values for timestamps, with a period: Pyroscope refuses the whole export */
	{"samples", "count", "cpu", "nanoseconds", 10, BOTH,
	 "process_cpu:cpu:nanoseconds:cpu:nanoseconds", 110, 2},
	/* off-CPU, also under its name before 2025-09 */
	{"off_cpu", "nanoseconds", "", "", 0, BOTH, "off_cpu:off_cpu:nanoseconds::", 11, 2},
	{"events", "nanoseconds", "", "", 0, BOTH, "off_cpu:off_cpu:nanoseconds::", 11, 2},
	/* kprobes and uprobes; no period */
	{"events", "count", "", "", 0, TIMES, "events:events:count::", 2, 2},
	{"wall", "nanoseconds", "", "", 0, VALUE, "wall:wall:nanoseconds::", 5, 1},
	{"wall", "nanoseconds", "cpu", "nanoseconds", 0, BOTH, "wall:wall:nanoseconds::", 11, 2},
	/* allocations, with a period and without */
	{"alloc_space", "bytes", "space", "bytes", 524288, VALUE,
	 "space:alloc_space:bytes:space:bytes", 5, 1},
	{"alloc_objects", "count", "", "", 0, BOTH, "alloc_objects:alloc_objects:count::", 11, 2},
};

static void fill_shape(const struct shape_row *row)
{
	const struct profile_link link = {.trace_id = {1}, .span_id = {2}};
	const uint32_t stack_of[] = {unsymbolised(0xbeef), named_location("main")};

	set_types(f.profile, row->type, row->unit, row->period_type, row->period_unit, row->period);
	resource_attr("service.name", string_value("shop"));
	resource_attr("host.name", string_value("h1"));
	add_sample(stack(stack_of, 2));
	add_attr(attr("thread.id", int_value(42)));
	add_attr(attr("thread.name", string_value("worker")));
	add_attr(attr("k8s.pod.name", string_value("pod-1")));
	must(profile_link(f.batch, &link, &f.sample->link, NULL));
	for (int i = 0; i < (row->shape == VALUE ? 1 : 2); i++) {
		if (row->shape != TIMES)
			add_value(5 + i);
		if (row->shape != VALUE)
			add_time(NOW_NS - 1000 - (uint64_t)i);
	}
}

static void assert_rows(const struct shape_row *row)
{
	struct rows_digest digest = digest_rows(&f.rows);

	assert_int_equal(f.rows.series_count, 1);
	assert_label(0, "__profile_type__", row->profile_type);
	assert_label(0, "service_name", "shop");
	assert_label(0, "host.name", "h1");
	assert_label(0, "k8s.pod.name", "pod-1");
	assert_int_equal(digest.total, row->total);
	assert_int_equal(digest.samples, row->samples);
	const struct store_sample *sample = &f.rows.series[0].samples[0];
	assert_int_equal(sample->tid, 42);
	assert_true(str_equal(f.rows.strings[sample->thread_name], STR("worker")));
	assert_int_equal(f.rows.spans[sample->span - 1].trace_id[0], 1);
	assert_int_equal(f.rows.spans[sample->span - 1].span_id[0], 2);
	/* a frame without symbols is no lost frame */
	const struct store_frame *leaf = frame_of(sample->node);
	assert_int_equal(leaf->name.len, 0);
	assert_int_equal(leaf->address, 0xbeef);
	assert_true(str_equal(leaf->mapping, STR("libc.so.6")));
	assert_true(str_equal(leaf->build_id, STR("0123abcd")));
	assert_true(str_equal(frame_of(f.rows.nodes[sample->node].parent)->name, STR("main")));
}

static void every_shape_is_stored_from_every_layout(void **state)
{
	for (size_t i = 0; i < sizeof(shape_rows) / sizeof(shape_rows[0]); i++)
		for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_F; layout++) {
			renew(state);
			fill_shape(&shape_rows[i]);
			travel(f.batch, (enum wire_layout)layout);
			assert_rows(&shape_rows[i]);
		}
}

/* ---- texts by reference (1.10) ---- */

static void decode_text(const char *text_of_request)
{
	struct buf bytes = protoscope(text_of_request);
	struct wire_limits limits;
	struct wire_report report;
	struct err err = {0};

	wire_limits_default(&limits);
	if (wire_otlp_decode(buf_text(&bytes), &f.arena, &limits, &f.batch, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.rejected_profiles, 0);
	buf_deinit(&bytes);
	convert_checked();
}

/* Pyroscope reads no references, so that these become unknown_service there. */
static void keys_and_texts_by_reference_are_labels(void **state)
{
	(void)state;
	decode_text("1: { 1: { 1: { 3: 3 2: { 8: 4 } } 1: { 1: \"k8s.pod.name\" 3: 5 2: { 1: "
		    "\"inline\" "
		    "} } 1: { 3: 6 2: { 5: { 1: { 8: 4 } 1: { 1: \"b\" } } } } } "
		    "2: { 2: { 1: { 1: 1 2: 2 } 2: { 4: [7] } 3: 5i64 } } } "
		    "2: { 5: \"\" 5: \"events\" 5: \"count\" 5: \"service.name\" 5: \"shop\" "
		    "5: \"other\" 5: \"list\" }");
	assert_int_equal(f.rows.series_count, 1);
	assert_label(0, "service_name", "shop");
	assert_label(0, "k8s.pod.name", "inline");
	assert_label(0, "list", "[\"shop\",\"b\"]");
	assert_label(0, "__profile_type__", "events:events:count::");
}

/* ---- several sample types (up to 1.7) ---- */

static void each_sample_type_is_a_profile_type(void **state)
{
	(void)state;
	/* 1.7, as a heap profile: alloc_objects, alloc_space, inuse_objects, inuse_space */
	decode_text("1: { 2: { 2: { 1: { 1: 1 2: 2 } 1: { 1: 3 2: 4 } 1: { 1: 5 2: 2 } 1: { 1: 6 "
		    "2: 4 } "
		    "2: { 2: 1 3: [10 4096 0 0] } 2: { 2: 1 3: [3 300 2 200] } 3: [0] 4: 7 "
		    "6: { 1: 7 2: 4 } 7: 524288 } } } 2: { 2: { 2: 9 3: {} } 3: { 1: 8 } "
		    "5: \"\" 5: \"alloc_objects\" 5: \"count\" 5: \"alloc_space\" 5: \"bytes\" "
		    "5: \"inuse_objects\" 5: \"inuse_space\" 5: \"space\" 5: \"malloc\" }");
	static const struct {
		const char *type;
		int64_t total;
	} want[] = {
		{"space:alloc_objects:count:space:bytes", 13},
		{"space:alloc_space:bytes:space:bytes", 4396},
		{"space:inuse_objects:count:space:bytes", 2},
		{"space:inuse_space:bytes:space:bytes", 200},
	};
	assert_int_equal(f.rows.series_count, 4);
	for (size_t i = 0; i < 4; i++) {
		int64_t total = 0;
		assert_label(i, "__profile_type__", want[i].type);
		for (size_t k = 0; k < f.rows.series[i].sample_count; k++)
			total += f.rows.series[i].samples[k].value;
		assert_int_equal(total, want[i].total);
		assert_true(
			str_equal(frame_of(f.rows.series[i].samples[0].node)->name, STR("malloc")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_random_profile_is_stored_the_same_from_every_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(every_shape_is_stored_from_every_layout, setup,
						teardown),
		cmocka_unit_test_setup_teardown(keys_and_texts_by_reference_are_labels, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_sample_type_is_a_profile_type, setup,
						teardown),
	};
	return cmocka_run_group_tests_name("server/ingest_layouts", tests, NULL, NULL);
}
