/* The same profile as JSON with the names of each release, and as protobuf of 1.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "protoscope.h"
#include "random_batch.h"
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
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static void must_decode(const char *text)
{
	if (wire_otlp_decode_json(str_of(text), &arena, &limits, &batch, &report, &err))
		fail_msg("%s", err.text);
	if (report.rejected_profiles)
		fail_msg("%s", report.reason);
}

/* Strings 1 samples, 2 count, 3 main, 4 libc.so.6, 5 thread.id, 6 By; two samples: values for two
 * timestamps with an attribute and a link, and a value alone. */
static const char proto_1_10[] =
	"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { 1: { 1: 1 2: "
	"2 } "
	"2: { 1: 1 2: [1] 3: 1 4: [5 -6] 5: [101i64 103i64] } 2: { 1: 1 4: [9] } 3: 100i64 4: 50 "
	"5: { 1: 1 2: 2 } 6: 10 7: x\"000102030405060708090a0b0c0d0e0f\" 8: 3 } } } "
	"2: { 1: {} 1: { 1: 4096 2: 18446744073709551615 3: 1 4: 4 } 2: {} 2: { 1: 1 2: 0x1234 3: "
	"{ 1: "
	"1 2: 7 3: 2 } } 3: {} 3: { 1: 3 2: 4 3: 3 4: 5 } 4: {} "
	"4: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "
	"5: \"\" 5: \"samples\" 5: \"count\" 5: \"main\" 5: \"libc.so.6\" 5: \"thread.id\" "
	"5: \"By\" 6: {} 6: { 1: 5 2: { 3: 42 } 3: 6 } 7: {} 7: { 1: [1] } }";

#define AROUND(profile)                                                                      \
	"\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"host\",\"value\":{" \
	"\"stringValue\":\"h\"}}],\"future\":1},\"scopeProfiles\":[{\"scope\":{\"name\":"    \
	"\"scope\"},\"profiles\":[{" profile "}]}]}]"
#define STRINGS                                                                             \
	"\"stringTable\":[\"\",\"samples\",\"count\",\"main\",\"libc.so.6\",\"thread.id\"," \
	"\"By\"]"
#define HEX_LINK \
	"{\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"1011121314151617\"}"
#define BASE64_LINK "{\"traceId\":\"AAECAwQFBgcICQoLDA0ODw==\",\"spanId\":\"EBESExQVFhc=\"}"
#define ATTRIBUTE   "{\"key\":\"thread.id\",\"value\":{\"intValue\":\"42\"}}"

static const char json_1_3[] = "{" AROUND(
	"\"profileId\":\"AAECAwQFBgcICQoLDA0ODw==\",\"startTimeUnixNano\":\"100\","
	"\"endTimeUnixNano\":150,\"droppedAttributesCount\":3,\"profile\":{"
	"\"sampleType\":[{\"type\":1,\"unit\":\"2\",\"aggregationTemporality\":"
	"\"AGGREGATION_TEMPORALITY_DELTA\"}],"
	"\"periodType\":{\"type\":1,\"unit\":2},\"period\":\"10\","
	"\"sample\":[{\"locationsStartIndex\":0,\"locationsLength\":\"1\",\"value\":[5,\"-6\"],"
	"\"attributes\":[\"0\"],\"link\":1,\"timestampsUnixNano\":[\"101\",103]},"
	"{\"locationIndex\":[0],\"value\":[\"9\"]}],"
	"\"mapping\":[{\"id\":1,\"memoryStart\":\"4096\",\"memoryLimit\":\"18446744073709551615\","
	"\"fileOffset\":1,\"filename\":4,\"hasFunctions\":false,\"buildIdKind\":"
	"\"BUILD_ID_LINKER\"}],"
	"\"location\":[{\"id\":1,\"address\":4660,\"line\":[{\"line\":7,\"column\":2}]}],"
	"\"function\":[{\"name\":3,\"systemName\":4,\"filename\":3,\"startLine\":5}],"
	"\"locationIndices\":[0],\"attributeTable\":[" ATTRIBUTE "],"
	"\"attributeUnits\":[{\"attributeKey\":5,\"unit\":6}],"
	"\"linkTable\":[{}," HEX_LINK "]," STRINGS "}") "}";

#define SAMPLES_1_5                                                                              \
	"\"sample\":[{\"locationsStartIndex\":0,\"locationsLength\":1,\"value\":[\"5\",\"-6\"]," \
	"\"attributeIndices\":[0],\"linkIndex\":0,\"timestampsUnixNano\":[\"101\",\"103\"]},{"   \
	"\"locationsLength\":1,\"value\":[9],\"linkIndex\":null}],\"locationIndices\":[0],"      \
	"\"sampleType\":[{\"typeStrindex\":1,\"unitStrindex\":2}],\"periodType\":{"              \
	"\"typeStrindex\":1,\"unitStrindex\":2},\"period\":10,\"timeNanos\":\"100\","            \
	"\"durationNanos\":50,\"profileId\":\"000102030405060708090a0b0c0d0e0f\","               \
	"\"droppedAttributesCount\":3"
#define TABLES_1_5                                                                                \
	"\"mappingTable\":[{\"memoryStart\":4096,\"memoryLimit\":\"18446744073709551615\","       \
	"\"fileOffset\":\"1\",\"filenameStrindex\":4}],\"locationTable\":[{\"mappingIndex\":0,"   \
	"\"address\":\"4660\",\"line\":[{\"functionIndex\":0,\"line\":7,\"column\":2}]}],"        \
	"\"functionTable\":[{\"nameStrindex\":3,\"systemNameStrindex\":4,\"filenameStrindex\":3," \
	"\"startLine\":5}],\"linkTable\":[" BASE64_LINK "]," STRINGS                              \
	",\"attributeTable\":[" ATTRIBUTE                                                         \
	"],\"attributeUnits\":[{\"attributeKeyStrindex\":5,\"unitStrindex\":6}]"

static const char json_1_5[] = "{" AROUND(SAMPLES_1_5 "," TABLES_1_5) "}";
static const char json_1_6[] = "{" AROUND(SAMPLES_1_5) "," TABLES_1_5 "}";
static const char json_1_7[] = "{" AROUND(SAMPLES_1_5) ",\"dictionary\":{" TABLES_1_5 "}}";

static const struct {
	const char *text;
	enum wire_layout layout;
} rows[] = {
	{json_1_3, WIRE_LAYOUT_A},
	{json_1_5, WIRE_LAYOUT_B},
	{json_1_6, WIRE_LAYOUT_C},
	{json_1_7, WIRE_LAYOUT_D},
};

static struct digest expected(void)
{
	struct buf bytes = protoscope(proto_1_10);

	if (wire_otlp_decode(buf_text(&bytes), &arena, &limits, &batch, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.layout, WIRE_LAYOUT_F);
	assert_int_equal(report.samples, 2);
	buf_deinit(&bytes);
	return digest_batch(batch);
}

static void assert_expected(const char *text, enum wire_layout layout)
{
	struct digest want = expected(), got;

	must_decode(text);
	got = digest_batch(batch);
	assert_int_equal(report.layout, layout);
	assert_int_equal(got.events, want.events);
	assert_int_equal(got.total, want.total);
	assert_int_equal(got.content, want.content);
}

static void each_release_has_its_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_expected(rows[i].text, rows[i].layout);
}

/* locationsStartIndex → locations_start_index: all between quotes, values too. */
static struct str snake(const char *text)
{
	char *out = arena_alloc(&arena, strlen(text) * 2), *to = out;
	bool quoted = false;

	assert_non_null(out);
	for (const char *p = text; *p; p++) {
		quoted ^= *p == '"';
		if (quoted && isupper((unsigned char)*p) && islower((unsigned char)p[-1])) {
			*to++ = '_';
			*to++ = (char)tolower((unsigned char)*p);
		} else {
			*to++ = *p;
		}
	}
	return str_make(out, (size_t)(to - out));
}

/* The text with another value of the first member of a name. */
static struct str replaced(struct str text, const char *name, const char *value)
{
	struct str head = arena_printf(&arena, "\"%s\":\"", name);
	ptrdiff_t at = str_find(text, head);

	assert_true(at >= 0);
	size_t start = (size_t)at + head.len;
	ptrdiff_t len = str_find_char(str_sub(text, start, text.len), '"');
	struct str tail = str_sub(text, start + (size_t)len, text.len);
	return arena_printf(&arena, "%.*s%s%.*s", (int)start, text.ptr, value, STR_ARG(tail));
}

static void names_may_be_those_of_the_proto(void **state)
{
	(void)state;
	for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* base64 has capitals */
		struct str text = snake(rows[i].text);
		text = replaced(text, "trace_id", "000102030405060708090a0b0c0d0e0f");
		text = replaced(text, "span_id", "1011121314151617");
		assert_expected(text.ptr, rows[i].layout);
	}
}

static void enums_and_flags_by_name_or_number(void **state)
{
	static const char *const texts[] = {
		"\"buildIdKind\":\"BUILD_ID_BINARY_HASH\",\"hasInlineFrames\":true",
		"\"buildIdKind\":1,\"hasInlineFrames\":1",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[1024];
		snprintf(text, sizeof(text),
			 "{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"profile\":{"
			 "\"sampleType\":[{\"type\":1}],\"sample\":[{\"locationsLength\":1,"
			 "\"value\":[1]}"
			 "],\"location\":[{\"address\":1,\"typeIndex\":1,\"isFolded\":true}],"
			 "\"locationIndices\":[0],"
			 "\"mapping\":[{\"buildId\":2,%s}],\"stringTable\":[\"\",\"native\","
			 "\"abcd\"]"
			 "}}]}]}]}",
			 texts[i]);
		must_decode(text);
		const struct profile_mapping *mapping = &batch->dict.mappings[1];
		const struct value *id =
			profile_find_index(&batch->dict, mapping->attrs, mapping->attr_count,
					   STR("process.executable.build_id.htlhash"));
		assert_non_null(id);
		assert_true(str_equal(id->text, STR("abcd")));
		assert_non_null(profile_find_index(&batch->dict, mapping->attrs,
						   mapping->attr_count,
						   STR("pprof.mapping.has_inline_frames")));
	}
}

static void later_releases_are_told_by_their_names(void **state)
{
	(void)state;
	must_decode("{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"sample\":[{"
		    "\"values\":[1]}]}]}]}],\"dictionary\":{}}");
	assert_int_equal(report.layout, WIRE_LAYOUT_E1);
	must_decode("{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"samples\":[{"
		    "\"values\":[1]}]}]}]}],\"dictionary\":{}}");
	assert_int_equal(report.layout, WIRE_LAYOUT_F);
	must_decode("{}");
}

static void what_is_no_profile_is_refused_with_the_name_of_the_field(void **state)
{
	static const char *const bad[][2] = {
		{"{\"stringTable\":5}", "stringTable"},
		{"{\"stringTable\":[5]}", "stringTable"},
		{"{\"stringTable\":[],\"mappingTable\":[{\"memoryStart\":\"x\"}]}", "memoryStart"},
		{"{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"sample\":[{"
		 "\"value\":"
		 "[true]}]}]}]}]}",
		 "value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(wire_otlp_decode_json(str_of(bad[i][0]), &arena, &limits, &batch,
						       &report, &err),
				 ERR_INVALID);
		assert_non_null(strstr(err.text, bad[i][1]));
	}
}

static void samples_times_types_have_no_room_before_they_have_values(void **state)
{
	(void)state;
	assert_int_equal(wire_otlp_decode_json(STR("{\"resourceProfiles\":[{\"scopeProfiles\":[{"
						   "\"profiles\":[{"
						   "\"sampleType\":[{},{},{}],\"sample\":[{},{"
						   "\"value\":[1,2,3]},{}]}]}]}]}"),
					       &arena, &limits, &batch, &report, &err),
			 0);
	assert_int_equal(report.rejected_profiles, 1);
	assert_int_equal(report.rejected_samples, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_release_has_its_names),
		TEST(names_may_be_those_of_the_proto),
		TEST(enums_and_flags_by_name_or_number),
		TEST(later_releases_are_told_by_their_names),
		TEST(what_is_no_profile_is_refused_with_the_name_of_the_field),
		TEST(samples_times_types_have_no_room_before_they_have_values),
	};
	return cmocka_run_group_tests_name("wire/json_layouts", tests, NULL, NULL);
}
