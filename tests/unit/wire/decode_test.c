#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "protoscope.h"
#include "wire/wire.h"

static struct arena arena;
static struct wire_limits limits;
static struct wire_report report;
static struct profile_batch *batch;
static struct err err;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	wire_limits_default(&limits);
	batch = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static int decode(const char *text)
{
	struct buf bytes = protoscope(text);
	int rc = wire_otlp_decode(buf_text(&bytes), &arena, &limits, &batch, &report, &err);

	buf_deinit(&bytes); /* the batch is made of copies */
	return rc;
}

static const struct profile *first_profile(void)
{
	return &batch->resources[0].scopes[0].profiles[0];
}

static struct str text_of(uint32_t string)
{
	return profile_str(&batch->dict, string);
}

/* Strings 1 cpu, 2 count, 3 main, 4 inlined, 5 main.c, 6 libc.so.6, 7 thread.id, 8 profile.frame.type,
 * 9 native, 10 build id key; attributes 1 thread.id 42, 2 frame type native, 3 build id. */
#define STRINGS                                                                        \
	"5: \"\" 5: \"cpu\" 5: \"count\" 5: \"main\" 5: \"inlined\" 5: \"main.c\" 5: " \
	"\"libc.so.6\" "                                                               \
	"5: \"thread.id\" 5: \"profile.frame.type\" 5: \"native\" "                    \
	"5: \"process.executable.build_id.gnu\" "
#define DICT                                                                                      \
	STRINGS                                                                                   \
	"1: {} 1: { 1: 4096 2: 8192 3: 512 4: 6 5: [3] } "                                        \
	"3: {} 3: { 1: 3 2: 3 3: 5 4: 10 } 3: { 1: 4 3: 5 } "                                     \
	"2: {} 2: { 1: 1 2: 4660 3: { 1: 2 2: 11 3: 4 } 3: { 1: 1 2: 12 } 4: [2] } 2: { 1: 1 2: " \
	"99 } "                                                                                   \
	"4: { 1: x\"00000000000000000000000000000000\" 2: x\"0000000000000000\" } "               \
	"4: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "               \
	"6: {} 6: { 1: 7 2: { 3: 42 } } 6: { 1: 8 2: { 1: \"native\" } } 6: { 1: 10 2: { 1: "     \
	"\"c0de\" } 3: 2 } "                                                                      \
	"7: {} 7: { 1: [2 1] } "
#define AROUND(profile)                                                                            \
	"1: { 1: { 1: { 1: \"service.name\" 2: { 1: \"shop\" } } 1: { 1: \"process.pid\" 2: { 3: " \
	"4711 } } } "                                                                              \
	"2: { 1: { 1: \"cresset\" 2: \"0.1\" 3: { 1: \"s\" 2: { 2: 1 } } } 2: {" profile           \
	"} 3: \"scope-url\" } "                                                                    \
	"3: \"resource-url\" } 2: {" DICT "}"
#define HEAD \
	"1: { 1: 1 2: 2 } 3: 1700000000000000000i64 4: 5000000000 5: { 1: 1 2: 2 } 6: 10309278 "

static void assert_common(void)
{
	const struct profile_resource *resource = &batch->resources[0];
	const struct profile *profile = first_profile();

	assert_int_equal(report.rejected_profiles, 0);
	assert_true(str_equal(resource->schema_url, STR("resource-url")));
	assert_true(str_equal(resource->attrs[0].key, STR("service.name")));
	assert_true(str_equal(resource->attrs[0].value.text, STR("shop")));
	assert_int_equal(resource->attrs[1].value.number, 4711);
	assert_true(str_equal(resource->scopes[0].name, STR("cresset")));
	assert_true(str_equal(resource->scopes[0].version, STR("0.1")));
	assert_true(str_equal(resource->scopes[0].schema_url, STR("scope-url")));
	assert_int_equal(resource->scopes[0].attrs[0].value.kind, VALUE_BOOL);
	assert_true(str_equal(text_of(profile->sample_type.type), STR("cpu")));
	assert_true(str_equal(text_of(profile->period_type.unit), STR("count")));
	assert_int_equal(profile->period, 10309278);
	assert_int_equal(profile->time_ns, 1700000000000000000);
	assert_int_equal(profile->duration_ns, 5000000000);
}

static void assert_dictionary(uint32_t stack)
{
	const struct profile_dict *dict = &batch->dict;
	const struct profile_location *named = &dict->locations[dict->stacks[stack].locations[1]];
	const struct profile_mapping *mapping = &dict->mappings[named->mapping];

	assert_int_equal(dict->stacks[stack].count, 2);
	assert_int_equal(dict->locations[dict->stacks[stack].locations[0]].address, 99);
	assert_int_equal(named->address, 4660);
	assert_int_equal(named->line_count, 2);
	assert_int_equal(named->lines[0].line, 11);
	assert_int_equal(named->lines[0].column, 4);
	assert_true(
		str_equal(text_of(dict->functions[named->lines[0].function].name), STR("inlined")));
	const struct profile_function *outer = &dict->functions[named->lines[1].function];
	assert_true(str_equal(text_of(outer->name), STR("main")));
	assert_true(str_equal(text_of(outer->filename), STR("main.c")));
	assert_int_equal(outer->start_line, 10);
	assert_true(str_equal(profile_find_index(dict, named->attrs, named->attr_count,
						 STR("profile.frame.type"))
				      ->text,
			      STR("native")));
	assert_int_equal(mapping->memory_start, 4096);
	assert_int_equal(mapping->memory_limit, 8192);
	assert_int_equal(mapping->file_offset, 512);
	assert_true(str_equal(text_of(mapping->filename), STR("libc.so.6")));
	assert_true(str_equal(text_of(dict->attributes[mapping->attrs[0]].unit), STR("count")));
}

static void timestamps_only_in_1_10(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(
				 HEAD "2: { 1: 1 2: [1] 3: 1 5: [7i64 8i64] } 7: "
				      "x\"000102030405060708090a0b0c0d0e0f\" 8: 3 9: \"pprof\" 10: "
				      "x\"1f8b00\" 11: [1]")),
			 0);
	assert_common();
	const struct profile *profile = first_profile();
	const struct profile_sample *sample = &profile->samples[0];
	assert_int_equal(report.layout, WIRE_LAYOUT_F);
	assert_dictionary(sample->stack);
	assert_int_equal(sample->value_count, 0);
	assert_int_equal(sample->time_count, 2);
	assert_int_equal(sample->times_ns[1], 8);
	assert_int_equal(profile_find_index(&batch->dict, sample->attrs, 1, STR("thread.id"))
				 ->number,
			 42);
	assert_int_equal(batch->dict.links[sample->link].span_id[7], 0x17);
	assert_int_equal(batch->dict.links[sample->link].trace_id[15], 0x0f);
	assert_true(profile->has_profile_id);
	assert_int_equal(profile->profile_id[15], 15);
	assert_int_equal(profile->dropped_attributes, 3);
	assert_true(str_equal(profile->original_format, STR("pprof")));
	assert_int_equal(profile->original_payload.len, 3);
	assert_int_equal(profile->attr_count, 1);
}

static void values_only_in_1_10(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 4: [-5] }")), 0);
	assert_int_equal(report.layout, WIRE_LAYOUT_F);
	assert_int_equal(first_profile()->samples[0].value_count, 1);
	assert_int_equal(first_profile()->samples[0].values[0], -5);
}

static void values_and_timestamps_in_1_10(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 4: [10 300] 5: [7i64 8i64] }")), 0);
	const struct profile_sample *sample = &first_profile()->samples[0];
	assert_int_equal(sample->values[1], 300);
	assert_int_equal(sample->times_ns[0], 7);
}

static void the_sample_of_1_9(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 2: [10 300] 3: [1] 4: 1 5: [7i64 8i64] } 7: "
					    "x\"000102030405060708090a0b0c0d0e0f\" 8: 3 11: [1]")),
			 0);
	assert_common();
	assert_int_equal(report.layout, WIRE_LAYOUT_E2);
	const struct profile_sample *sample = &first_profile()->samples[0];
	assert_dictionary(sample->stack);
	assert_int_equal(sample->values[1], 300);
	assert_int_equal(sample->attr_count, 1);
	assert_int_equal(sample->attrs[0], 1);
	assert_int_equal(sample->link, 1);
	assert_true(first_profile()->has_profile_id);
	assert_int_equal(first_profile()->dropped_attributes, 3);
}

static void the_profile_of_1_8(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD
				       "2: { 1: 1 2: [10] 3: [1] } 7: [3] 8: "
				       "x\"000102030405060708090a0b0c0d0e0f\" 9: 3 10: \"jfr\" 11: "
				       "x\"ff\" 12: [2]")),
			 0);
	assert_common();
	assert_int_equal(report.layout, WIRE_LAYOUT_E1);
	assert_true(first_profile()->has_profile_id);
	assert_int_equal(first_profile()->dropped_attributes, 3);
	assert_true(str_equal(first_profile()->original_format, STR("jfr")));
	assert_int_equal(first_profile()->attrs[0], 2);
	assert_int_equal(first_profile()->samples[0].values[0], 10);
}

static void repeated_numbers_may_come_unpacked(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD
				       "2: { 1: 1 4: [1] } 2: { 1: 1 4: 1 4: 2 4: [3 4] 5: 7i64 5: "
				       "[8i64 9i64] 5: 10i64 2: [1] }")),
			 0);
	const struct profile_sample *sample = &first_profile()->samples[1];
	assert_int_equal(sample->value_count, 4);
	assert_int_equal(sample->time_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(sample->values[i], i + 1);
		assert_int_equal(sample->times_ns[i], i + 7);
	}
}

static void the_dictionary_may_come_first_and_in_parts(void **state)
{
	(void)state;
	assert_int_equal(decode("2: { 5: \"\" 5: \"cpu\" 6: {} } 2: { 5: \"count\" } "
				"1: { 2: { 2: { 1: { 1: 1 2: 2 } 2: { 4: [5] } } } }"),
			 0);
	assert_true(str_equal(text_of(first_profile()->sample_type.unit), STR("count")));
	assert_int_equal(report.samples, 1);
}

static void attribute_texts_come_inline_by_reference_or_both(void **state)
{
	(void)state;
	assert_int_equal(
		decode("1: { 1: { 1: { 3: 1 2: { 8: 2 } } 1: { 1: \"inline\" 2: { 1: \"v\" } } "
		       "1: { 1: \"both\" 3: 1 2: { 1: \"w\" 8: 2 } } 1: { 2: { 1: \"no key\" } } "
		       "1: { 3: 77 2: { 8: 78 } } 1: { 1: \"outside\" 2: { 8: 78 } } } } "
		       "2: { 5: \"\" 5: \"key\" 5: \"value\" }"),
		0);
	const struct key_value *attrs = batch->resources[0].attrs;
	assert_int_equal(batch->resources[0].attr_count, 4);
	assert_int_equal(report.dropped_attributes, 2);
	assert_true(str_equal(attrs[0].key, STR("key")));
	assert_true(str_equal(attrs[0].value.text, STR("value")));
	assert_true(str_equal(attrs[1].key, STR("inline")));
	assert_true(str_equal(attrs[2].key, STR("both")));
	assert_true(str_equal(attrs[2].value.text, STR("w")));
	assert_true(str_equal(attrs[3].value.text, STR("")));
}

static void every_kind_of_value_is_understood(void **state)
{
	static const struct {
		const char *any;
		enum value_kind kind;
		const char *text;
	} rows[] = {
		{"", VALUE_NONE, ""},
		{"1: \"s\"", VALUE_STRING, "s"},
		{"2: 1", VALUE_BOOL, "true"},
		{"3: -7", VALUE_INT, "-7"},
		{"4: 4611686018427387904i64", VALUE_DOUBLE, "2"},
		{"7: x\"00ff\"", VALUE_BYTES, "00ff"},
		{"5: { 1: { 1: \"a\" } 1: { 3: 2 } 1: {} }", VALUE_OTHER, "[\"a\",2,null]"},
		{"6: { 1: { 1: \"k\" 2: { 5: { 1: { 2: 0 } } } } 1: { 1: \"l\" 2: { 7: x\"00ff10\" "
		 "} } }",
		 VALUE_OTHER, "{\"k\":[false],\"l\":\"AP8Q\"}"},
		{"5: {}", VALUE_OTHER, "[]"},
		{"9: \"of the future\"", VALUE_NONE, ""},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "1: { 1: { 1: { 1: \"k\" 2: { %s } } } }",
			 rows[i].any);
		assert_int_equal(decode(text), 0);
		const struct value *value = &batch->resources[0].attrs[0].value;
		assert_int_equal(value->kind, rows[i].kind);
		assert_string_equal(value_text(&arena, value).ptr, rows[i].text);
	}
}

static void a_bad_profile_costs_only_itself(void **state)
{
	(void)state;
	assert_int_equal(decode("1: { 2: { 2: {" HEAD "2: { 1: 9 4: [1] } 2: { 1: 1 4: [1] } } "
				"2: {" HEAD "2: { 1: 1 4: [1] } } "
				"2: {" HEAD "2: { 1: 1 4: [1 2] 5: [3i64] } } "
				"2: {" HEAD "2: { 1: 1 } } } } 2: {" DICT "}"),
			 0);
	assert_int_equal(batch->resources[0].scopes[0].profile_count, 1);
	assert_int_equal(report.profiles, 1);
	assert_int_equal(report.samples, 1);
	assert_int_equal(report.rejected_profiles, 3);
	assert_int_equal(report.rejected_samples, 4);
	assert_true(str_find(str_of(report.reason), STR("stack index 9")) >= 0);
}

static void indices_that_do_not_fit_lead_nowhere(void **state)
{
	static const char *const samples[] = {"1: -1 4: [1]", "1: 4294967297 4: [1]",
					      "1: 1 4: [1] 2: [4294967297]", "1: 1 4: [1] 3: 2"};
	char text[2048];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "1: { 2: { 2: {" HEAD "2: { %s } } } } 2: {" DICT "}",
			 samples[i]);
		assert_int_equal(decode(text), 0);
		assert_int_equal(report.rejected_profiles, 1);
		assert_int_equal(report.profiles, 0);
	}
}

static void attribute_index_0_is_not_set(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 4: [1] 2: [0 1 0] }")), 0);
	assert_int_equal(first_profile()->samples[0].attr_count, 1);
	assert_int_equal(first_profile()->samples[0].attrs[0], 1);
}

static void text_that_is_not_utf8_is_mended(void **state)
{
	(void)state;
	assert_int_equal(decode("1: { 1: { 1: { 1: \"k\" 2: { 1: x\"61ff62\" } } } } "
				"2: { 5: \"\" 5: x\"c3a9c3\" }"),
			 0);
	assert_true(str_equal(batch->resources[0].attrs[0].value.text, STR("a\xef\xbf\xbd"
									   "b")));
	assert_true(str_equal(text_of(1), STR("\xc3\xa9\xef\xbf\xbd")));
}

static void a_known_field_of_another_type_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 4: [1] } 2: { 1: 1 3: [1] 4: [1] }")),
			 ERR_INVALID);
	assert_non_null(strstr(err.text, "wire type"));
	assert_int_equal(decode("1: 5"), ERR_INVALID);
	assert_int_equal(decode("2: 5"), ERR_INVALID);
}

static void every_cut_of_a_request_is_refused_or_read(void **state)
{
	struct buf bytes = protoscope(AROUND(HEAD "2: { 1: 1 2: [1] 3: 1 5: [7i64 8i64] }"));

	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		int rc = wire_otlp_decode(str_sub(buf_text(&bytes), 0, len), &arena, &limits,
					  &batch, &report, &err);
		assert_true(rc == 0 || rc == ERR_INVALID);
		arena_reset(&arena);
	}
	buf_deinit(&bytes);
}

static void limits_hold(void **state)
{
	(void)state;
	limits.samples = 1;
	assert_int_equal(decode(AROUND(HEAD "2: { 1: 1 4: [1] } 2: { 1: 1 4: [1] }")), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.rows = 20;
	assert_int_equal(decode(AROUND(HEAD)), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.parts = 5;
	assert_int_equal(decode("1: { 2: { 2: {} 2: {} 2: {} } }"), 0);
	assert_int_equal(decode("1: { 2: { 2: {} 2: {} 2: {} 2: {} } }"), ERR_LIMIT);
	assert_int_equal(decode("1: { 2: {} 2: {} 2: {} 2: {} 2: {} }"), ERR_LIMIT);
	assert_int_equal(decode("1: {} 1: {} 1: {} 1: {} 1: {} 1: {}"), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.message_bytes = 100;
	assert_int_equal(decode(AROUND(HEAD)), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.value_depth = 2;
	assert_int_equal(decode("1: { 1: { 1: { 1: \"k\" 2: { 5: { 1: { 5: { 1: { 3: 1 } } } } } } "
				"} }"),
			 ERR_LIMIT);
	assert_int_equal(decode("1: { 1: { 1: { 1: \"k\" 2: { 5: { 1: { 3: 1 } } } } } }"), 0);
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct buf bytes = protoscope(AROUND(HEAD "2: { 1: 1 2: [1] 3: 1 5: [7i64 8i64] }"));
	int rc = -1;

	(void)state;
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		arena_deinit(&arena);
		mem_fail_nth(nth);
		rc = wire_otlp_decode(buf_text(&bytes), &arena, &limits, &batch, &report, &err);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
	/* And at every size that an arena may be limited to. */
	for (size_t limit = 64; limit < 64 * 1024; limit += 509) {
		arena_deinit(&arena);
		arena.limit_bytes = limit;
		rc = wire_otlp_decode(buf_text(&bytes), &arena, &limits, &batch, &report, &err);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	buf_deinit(&bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(timestamps_only_in_1_10),
		TEST(values_only_in_1_10),
		TEST(values_and_timestamps_in_1_10),
		TEST(the_sample_of_1_9),
		TEST(the_profile_of_1_8),
		TEST(repeated_numbers_may_come_unpacked),
		TEST(the_dictionary_may_come_first_and_in_parts),
		TEST(attribute_texts_come_inline_by_reference_or_both),
		TEST(every_kind_of_value_is_understood),
		TEST(a_bad_profile_costs_only_itself),
		TEST(indices_that_do_not_fit_lead_nowhere),
		TEST(attribute_index_0_is_not_set),
		TEST(text_that_is_not_utf8_is_mended),
		TEST(a_known_field_of_another_type_is_refused),
		TEST(every_cut_of_a_request_is_refused_or_read),
		TEST(limits_hold),
		TEST(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("wire/decode", tests, NULL, NULL);
}
