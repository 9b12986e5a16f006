#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
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
	return wire_otlp_decode_json(str_of(text), &arena, &limits, &batch, &report, &err);
}

static const char request[] =
	"{\"resourceProfiles\":[{\"resource\":{\"attributes\":["
	"{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
	"{\"key\":\"process.pid\",\"value\":{\"intValue\":\"4711\"}},"
	"{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},"
	"{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"boolValue\":true}}]}}]}}},"
	"{\"key\":\"bytes\",\"value\":{\"bytesValue\":\"AP8Q\"}},"
	"{\"key\":\"double\",\"value\":{\"doubleValue\":\"NaN\"}},"
	"{\"keyStrindex\":3,\"value\":{\"stringValueStrindex\":1}}]},\"schemaUrl\":\"url\","
	"\"scopeProfiles\":[{\"scope\":{\"name\":\"cresset\",\"version\":\"1\"},\"profiles\":[{"
	"\"sampleType\":{\"typeStrindex\":1,\"unitStrindex\":2},"
	"\"periodType\":{\"typeStrindex\":1,\"unitStrindex\":2},\"period\":\"10\","
	"\"timeUnixNano\":\"1700000000000000000\",\"durationNano\":5e9,"
	"\"profileId\":\"000102030405060708090a0b0c0d0e0f\",\"unknownField\":[1],"
	"\"samples\":[{\"stackIndex\":1,\"linkIndex\":1,\"attributeIndices\":[1,0],"
	"\"timestampsUnixNano\":[\"7\",8]},{\"stackIndex\":1,\"values\":[\"-5\"]}]}]}]}],"
	"\"dictionary\":{\"stringTable\":[\"\",\"cpu\",\"count\",\"main\",\"libc.so.6\"],"
	"\"mappingTable\":[{},{\"memoryStart\":\"18446744073709551615\",\"filenameStrindex\":4}],"
	"\"functionTable\":[{},{\"nameStrindex\":3,\"startLine\":\"10\"}],"
	"\"locationTable\":[{},{\"mappingIndex\":1,\"address\":\"4660\",\"lines\":[{"
	"\"functionIndex\":1,"
	"\"line\":\"11\",\"column\":4}]}],"
	"\"linkTable\":[{},{\"traceId\":\"AAECAwQFBgcICQoLDA0ODw==\",\"spanId\":"
	"\"1011121314151617\"}],"
	"\"attributeTable\":[{},{\"keyStrindex\":3,\"value\":{\"intValue\":42},\"unitStrindex\":2}]"
	","
	"\"stackTable\":[{},{\"locationIndices\":[1]}]}}";

static void the_whole_request_is_read(void **state)
{
	(void)state;
	if (decode(request))
		fail_msg("%s", err.text);
	const struct profile_resource *resource = &batch->resources[0];
	const struct profile *profile = &resource->scopes[0].profiles[0];
	const struct profile_dict *dict = &batch->dict;
	assert_int_equal(report.rejected_profiles, 0);
	assert_int_equal(report.samples, 2);
	assert_int_equal(resource->attr_count, 6);
	assert_true(str_equal(resource->attrs[0].value.text, STR("shop")));
	assert_int_equal(resource->attrs[1].value.number, 4711);
	assert_true(str_equal(resource->attrs[2].value.text, STR("[\"a\",{\"k\":true}]")));
	assert_int_equal(resource->attrs[3].value.text.len, 3);
	assert_true(str_equal(resource->attrs[5].key, STR("main")));
	assert_true(str_equal(resource->attrs[5].value.text, STR("cpu")));
	assert_true(str_equal(resource->scopes[0].name, STR("cresset")));
	assert_int_equal(profile->period, 10);
	assert_int_equal(profile->time_ns, 1700000000000000000);
	assert_int_equal(profile->duration_ns, 5000000000);
	assert_true(profile->has_profile_id);
	assert_int_equal(profile->profile_id[15], 15);
	assert_int_equal(profile->samples[0].attr_count, 1);
	assert_int_equal(profile->samples[0].times_ns[1], 8);
	assert_int_equal(profile->samples[1].values[0], -5);
	assert_int_equal(dict->links[1].trace_id[15], 15);
	assert_int_equal(dict->links[1].span_id[7], 0x17);
	assert_int_equal(dict->mappings[1].memory_start, UINT64_MAX);
	assert_int_equal(dict->locations[1].lines[0].column, 4);
	assert_true(str_equal(profile_str(dict, dict->functions[1].name), STR("main")));
	assert_int_equal(dict->attributes[1].value.number, 42);
}

static void names_of_1_8_and_of_the_proto_file_are_read_too(void **state)
{
	(void)state;
	assert_int_equal(
		decode("{\"resource_profiles\":[{\"scope_profiles\":[{\"profiles\":[{\"sample\":[{"
		       "\"stack_index\":1,\"values\":[3]}],\"sample_type\":{\"type_strindex\":1}}]}"
		       "]}],"
		       "\"dictionary\":{\"string_table\":[\"\",\"cpu\"],\"stack_table\":[{},{"
		       "\"location_indices\":[1]}],\"location_table\":[{},{\"line\":[{\"line\":5}]}"
		       "]}}"),
		0);
	assert_int_equal(report.samples, 1);
	assert_int_equal(batch->dict.locations[1].lines[0].line, 5);
}

static void a_bad_index_costs_its_profile(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":["
				"{\"samples\":[{\"stackIndex\":5,\"values\":[1]}]},"
				"{\"samples\":[{\"stackIndex\":-1,\"values\":[1]}]},"
				"{\"samples\":[{\"values\":[1]}]}]}]}]}"),
			 0);
	assert_int_equal(report.rejected_profiles, 2);
	assert_int_equal(report.profiles, 1);
}

static void what_is_no_request_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"5",
		"{\"resourceProfiles\":5}",
		"{\"resourceProfiles\":[{\"scopeProfiles\":{}}]}",
		"{\"dictionary\":{\"stringTable\":[5]}}",
		"{\"dictionary\":{\"stackTable\":[{\"locationIndices\":[\"x\"]}]}}",
		"{\"dictionary\":{\"mappingTable\":[{\"memoryStart\":-1}]}}",
		"{\"dictionary\":{\"mappingTable\":[{\"memoryStart\":1.5}]}}",
		"{\"dictionary\":{\"mappingTable\":[{\"memoryStart\":1e300}]}}",
		"{\"resourceProfiles\":[{\"schemaUrl\":5}]}",
		"{\"a\":\"\xff\"}",
		"{} {}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (decode(rows[i]) != ERR_INVALID)
			fail_msg("row %zu is not refused", i);
}

static void null_is_absent(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"resourceProfiles\":null,\"dictionary\":null}"), 0);
	assert_int_equal(decode("{\"resourceProfiles\":[null],\"dictionary\":{\"stringTable\":null,"
				"\"stackTable\":[null]}}"),
			 0);
	assert_int_equal(batch->resource_count, 1);
}

static void limits_hold(void **state)
{
	(void)state;
	limits.message_bytes = 100;
	assert_int_equal(decode(request), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.samples = 1;
	assert_int_equal(decode(request), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.rows = 3;
	assert_int_equal(decode(request), ERR_LIMIT);
	wire_limits_default(&limits);
	limits.value_depth = 1;
	assert_int_equal(decode(request), ERR_LIMIT);
}

static void every_cut_of_a_request_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(request) - 1; len += 3) {
		assert_int_equal(wire_otlp_decode_json(str_make(request, len), &arena, &limits,
						       &batch, &report, &err),
				 ERR_INVALID);
		arena_reset(&arena);
	}
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	int rc = -1;

	(void)state;
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		arena_deinit(&arena);
		mem_fail_nth(nth);
		rc = decode(request);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
	for (size_t limit = 64; limit < 32 * 1024; limit += 251) {
		arena_deinit(&arena);
		arena.limit_bytes = limit;
		rc = decode(request);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
}

static void little_text_with_very_many_values_is_refused_before_it_is_read(void **state)
{
	enum { COUNT = 1000 * 1000 };
	struct buf text = {0};

	(void)state;
	buf_cstr(&text, "{\"resourceProfiles\":[{}");
	for (int i = 0; i < COUNT; i++)
		buf_cstr(&text, ",{}");
	buf_cstr(&text, "]}");
	assert_int_equal(wire_otlp_decode_json(buf_text(&text), &arena, &limits, &batch, &report,
					       &err),
			 ERR_LIMIT);
	buf_clear(&text);
	/* The same bytes inside of a string are no values. */
	buf_cstr(&text, "{\"unknown\":\"\\\"");
	for (int i = 0; i < COUNT; i++)
		buf_cstr(&text, ",{}");
	buf_cstr(&text, "\"}");
	assert_int_equal(wire_otlp_decode_json(buf_text(&text), &arena, &limits, &batch, &report,
					       &err),
			 0);
	buf_deinit(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_whole_request_is_read),
		TEST(names_of_1_8_and_of_the_proto_file_are_read_too),
		TEST(a_bad_index_costs_its_profile),
		TEST(what_is_no_request_is_refused),
		TEST(null_is_absent),
		TEST(limits_hold),
		TEST(little_text_with_very_many_values_is_refused_before_it_is_read),
		TEST(every_cut_of_a_request_is_refused),
		TEST(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("wire/json", tests, NULL, NULL);
}
