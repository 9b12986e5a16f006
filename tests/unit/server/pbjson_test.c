#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "querier.pb-c.h"
#include "server/pbjson.h"

struct fixture {
	struct arena arena;
	struct buf out;
	struct err err;
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	buf_deinit(&f->out);
	arena_deinit(&f->arena);
	return 0;
}

static void *decode(struct fixture *f, const ProtobufCMessageDescriptor *type, const char *text)
{
	ProtobufCMessage *message = NULL;
	if (pbjson_decode(&f->arena, type, str_of(text), &message, &f->err))
		fail_msg("%s: %s", text, f->err.text);
	return message;
}

static const char *encode(struct fixture *f, const void *message)
{
	buf_clear(&f->out);
	pbjson_encode(message, &f->out);
	buf_char(&f->out, '\0');
	return f->out.ptr;
}

#define MERGE_REQUEST  &querier__v1__select_merge_stacktraces_request__descriptor
#define SERIES_REQUEST &querier__v1__select_series_request__descriptor

static void both_spellings_of_a_field_are_read(void **state)
{
	static const char *const texts[] = {
		"{\"profileTypeID\":\"t\",\"labelSelector\":\"{}\",\"start\":\"1\",\"end\":2,"
		"\"maxNodes\":\"3\"}",
		"{\"profile_typeID\":\"t\",\"label_selector\":\"{}\",\"start\":1,\"end\":\"2\","
		"\"max_nodes\":3}",
		" {\"end\":2.0,\"start\":1e0,\"label_selector\":\"{}\",\"maxNodes\":3,"
		"\"profileTypeID\":\"t\"}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		Querier__V1__SelectMergeStacktracesRequest *in = decode(f, MERGE_REQUEST, texts[i]);
		assert_string_equal(in->profile_typeid, "t");
		assert_string_equal(in->label_selector, "{}");
		assert_int_equal(in->start, 1);
		assert_int_equal(in->end, 2);
		assert_int_equal(in->max_nodes_set_case, 5);
		assert_int_equal(in->max_nodes, 3);
	}
}

static void unknown_fields_and_nulls_are_passed_over(void **state)
{
	struct fixture *f = *state;
	Querier__V1__SelectMergeStacktracesRequest *in =
		decode(f, MERGE_REQUEST,
		       "{\"start\":null,\"unheardOf\":{\"a\":[1,{}]},\"end\":7,\"maxNodes\":"
		       "null}");
	assert_int_equal(in->start, 0);
	assert_int_equal(in->end, 7);
	assert_int_equal(in->max_nodes_set_case, 0);
	assert_string_equal(in->profile_typeid, "");
}

static void enums_are_names_or_numbers(void **state)
{
	struct fixture *f = *state;
	Querier__V1__SelectMergeStacktracesRequest *in =
		decode(f, MERGE_REQUEST, "{\"format\":\"PROFILE_FORMAT_TREE\"}");
	assert_int_equal(in->format, 2);
	in = decode(f, MERGE_REQUEST, "{\"format\":4}");
	assert_int_equal(in->format, 4);
	assert_string_equal(encode(f, in), "{\"format\":\"PROFILE_FORMAT_PPROF\"}");
	in = decode(f, MERGE_REQUEST, "{\"format\":77}");
	assert_string_equal(encode(f, in), "{\"format\":77}");
	Querier__V1__SelectSeriesRequest *series =
		decode(f, SERIES_REQUEST,
		       "{\"aggregation\":\"TIME_SERIES_AGGREGATION_TYPE_AVERAGE\"}");
	assert_int_equal(series->aggregation_set_case, 7);
	assert_int_equal(series->aggregation, 1);
}

static void messages_and_lists_nest(void **state)
{
	struct fixture *f = *state;
	const char *text = "{\"groupBy\":[\"a\",\"b\"],\"step\":15.5,\"stackTraceSelector\":"
			   "{\"callSite\":[{\"name\":\"main\"},{\"name\":\"f\"}],\"goPgo\":"
			   "{\"keepLocations\":5,\"aggregateCallees\":true}},\"limit\":\"0\"}";
	Querier__V1__SelectSeriesRequest *in = decode(f, SERIES_REQUEST, text);
	assert_int_equal(in->n_group_by, 2);
	assert_string_equal(in->stack_trace_selector->call_site[1]->name, "f");
	/* An optional 0 that was given stays given. */
	assert_string_equal(encode(f, in), text);
}

static void wrong_values_are_refused_by_field(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"{\"start\":\"x\"}", "field \"start\": expected a whole number"},
		{"{\"start\":1.5}", "field \"start\": expected a whole number"},
		{"{\"start\":1e300}", "field \"start\": expected a whole number"},
		{"{\"start\":\"9223372036854775808\"}", "field \"start\": expected a whole number"},
		{"{\"start\":true}", "field \"start\": expected a whole number"},
		{"{\"step\":\"fast\"}", "field \"step\": expected a number"},
		{"{\"groupBy\":\"a\"}", "field \"group_by\": expected an array"},
		{"{\"groupBy\":[1]}", "field \"group_by\": expected a string"},
		{"{\"groupBy\":[null]}", "field \"group_by\": expected a string"},
		{"{\"stackTraceSelector\":[]}",
		 "field \"stack_trace_selector\": expected an object"},
		{"{\"stackTraceSelector\":{\"goPgo\":{\"keepLocations\":-1}}}",
		 "field \"keep_locations\": expected a whole number that is not negative"},
		{"{\"stackTraceSelector\":{\"goPgo\":{\"keepLocations\":4294967296}}}",
		 "field \"keep_locations\": expected a number of 32 bits"},
		{"{\"stackTraceSelector\":{\"goPgo\":{\"aggregateCallees\":1}}}",
		 "field \"aggregate_callees\": expected true or false"},
		{"[]", "the body is no JSON object but an array"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ProtobufCMessage *message;
		assert_int_equal(pbjson_decode(&f->arena, SERIES_REQUEST, str_of(rows[i].text),
					       &message, &f->err),
				 ERR_INVALID);
		assert_string_equal(f->err.text, rows[i].why);
	}
}

static void an_enums_unknown_name_is_a_newer_clients(void **state)
{
	struct fixture *f = *state;
	ProtobufCMessage *message;
	assert_int_equal(pbjson_decode(&f->arena, SERIES_REQUEST, STR("{\"aggregation\":\"SUM\"}"),
				       &message, &f->err),
			 ERR_UNSUPPORTED);
	assert_string_equal(f->err.text, "field \"aggregation\": \"SUM\" is no "
					 "TimeSeriesAggregationType that is known here");
}

static void text_that_is_no_json_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "1",
					    "\"a\"",
					    "{\"start\":01}",
					    "{\"a\":1,\"a\":2}",
					    "{} x",
					    "{\"start\":99999999999999999999}",
					    "{\"profileTypeID\":\"\\u0000\"}",
					    "{\"profileTypeID\":\"\xff\"}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ProtobufCMessage *message;
		assert_int_equal(pbjson_decode(&f->arena, MERGE_REQUEST, str_of(texts[i]), &message,
					       &f->err),
				 ERR_INVALID);
	}
}

static void little_text_with_very_many_values_is_refused(void **state)
{
	enum { COUNT = 200 * 1000 };
	struct fixture *f = *state;
	ProtobufCMessage *message;
	struct buf text = {0};

	buf_cstr(&text, "{\"unknown\":[{}");
	for (int i = 0; i < COUNT; i++)
		buf_cstr(&text, ",{}");
	buf_cstr(&text, "]}");
	assert_int_equal(pbjson_decode(&f->arena, MERGE_REQUEST, buf_text(&text), &message,
				       &f->err),
			 ERR_LIMIT);
	buf_deinit(&text);
}

static void int64_go_out_as_strings_and_zeros_not_at_all(void **state)
{
	struct fixture *f = *state;
	Querier__V1__FlameGraph graph = QUERIER__V1__FLAME_GRAPH__INIT;
	Querier__V1__Level level = QUERIER__V1__LEVEL__INIT, *levels[] = {&level};
	int64_t values[] = {0, INT64_MAX, INT64_MIN, -7};
	char *names[] = {(char[]){"total"}, (char[]){"a\"\\\n\t\x01\x7f\xc3\xbc"}};

	assert_string_equal(encode(f, &graph), "{}");
	level.values = values;
	level.n_values = 4;
	graph.levels = levels;
	graph.n_levels = 1;
	graph.names = names;
	graph.n_names = 2;
	graph.total = 123;
	assert_string_equal(encode(f, &graph),
			    "{\"names\":[\"total\",\"a\\\"\\\\\\n\\t\\u0001\x7f\xc3\xbc\"],"
			    "\"levels\":[{\"values\":[\"0\",\"9223372036854775807\","
			    "\"-9223372036854775808\",\"-7\"]}],\"total\":\"123\"}");
}

static void doubles_are_as_short_as_they_can_be(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{1, "{\"value\":1}"},
		{0.1, "{\"value\":0.1}"},
		{1.0 / 3, "{\"value\":0.3333333333333333}"},
		{5e9, "{\"value\":5000000000}"},
		{1e300, "{\"value\":1e+300}"},
		{-2.5, "{\"value\":-2.5}"},
		{(double)NAN, "{\"value\":\"NaN\"}"},
		{-(double)INFINITY, "{\"value\":\"-Infinity\"}"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		Types__V1__Point point = TYPES__V1__POINT__INIT;
		point.value = rows[i].value;
		assert_string_equal(encode(f, &point), rows[i].text);
	}
}

static void field_names_are_those_of_protojson(void **state)
{
	struct fixture *f = *state;
	Querier__V1__SeriesResponse out = QUERIER__V1__SERIES_RESPONSE__INIT;
	Types__V1__Labels labels = TYPES__V1__LABELS__INIT, *sets[] = {&labels};
	Types__V1__ProfileType type = TYPES__V1__PROFILE_TYPE__INIT;
	char text[] = "x";

	out.labels_set = sets;
	out.n_labels_set = 1;
	assert_string_equal(encode(f, &out), "{\"labelsSet\":[{}]}");
	type.id = text;
	type.sample_type = text;
	assert_string_equal(encode(f, &type), "{\"ID\":\"x\",\"sampleType\":\"x\"}");
}

static void bytes_are_base64(void **state)
{
	static const char *const texts[] = {"{}", "{\"tree\":\"AA==\"}", "{\"tree\":\"AAE=\"}",
					    "{\"tree\":\"AAH+\"}", "{\"tree\":\"+/8A/w==\"}"};
	struct fixture *f = *state;
	const ProtobufCMessageDescriptor *type =
		&querier__v1__select_merge_stacktraces_response__descriptor;
	ProtobufCMessage *message;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_string_equal(encode(f, decode(f, type, texts[i])), texts[i]);
	assert_string_equal(encode(f, decode(f, type, "{\"tree\":\"-_8A_w\"}")), texts[4]);
	assert_int_equal(pbjson_decode(&f->arena, type, STR("{\"tree\":\"A\"}"), &message, &f->err),
			 ERR_INVALID);
	assert_int_equal(pbjson_decode(&f->arena, type, STR("{\"tree\":\"A*==\"}"), &message,
				       &f->err),
			 ERR_INVALID);
}

/* Bytes by hand from the specification: tag, length, ...; levels are packed. */
static void protobuf_goes_out_packed(void **state)
{
	static const uint8_t want[] = {0x0a, 5, 't',  'o',  't', 'a', 'l',  0x12, 7,   0x0a,
				       5,    0, 0xac, 0x02, 1,	 0,   0x18, 0xac, 0x02};
	struct fixture *f = *state;
	Querier__V1__FlameGraph *graph = decode(f, &querier__v1__flame_graph__descriptor,
						"{\"names\":[\"total\"],\"levels\":[{\"values\":[0,"
						"300,1,0]}],\"total\":300}");
	pbmsg_encode(&graph->base, &f->out);
	assert_int_equal(f->out.len, sizeof(want));
	assert_memory_equal(f->out.ptr, want, sizeof(want));
}

static void protobuf_comes_in(void **state)
{
	static const char bytes[] = "\x0a\x01t\x12\x02{}\x18\x01\x20\x02\x28\x00\x30\x01";
	struct fixture *f = *state;
	ProtobufCMessage *message;

	assert_int_equal(pbmsg_decode(&f->arena, MERGE_REQUEST, str_make(bytes, sizeof(bytes) - 1),
				      &message, &f->err),
			 0);
	assert_string_equal(encode(f, message),
			    "{\"profileTypeID\":\"t\",\"labelSelector\":\"{}\",\"start\":\"1\","
			    "\"end\":\"2\",\"maxNodes\":\"0\",\"format\":\"PROFILE_FORMAT_"
			    "FLAMEGRAPH\"}");
	assert_int_equal(pbmsg_decode(&f->arena, MERGE_REQUEST, str_make(bytes, 6), &message,
				      &f->err),
			 ERR_INVALID);
}

static void decoding_survives_every_failed_allocation(void **state)
{
	struct fixture *f = *state;
	for (uint64_t nth = 1;; nth++) {
		ProtobufCMessage *message;
		struct arena arena;
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		int rc = pbjson_decode(&arena, SERIES_REQUEST,
				       STR("{\"groupBy\":[\"a\"],\"stackTraceSelector\":{"
					   "\"callSite\":[{}]}}"),
				       &message, &f->err);
		mem_fail_nth(0);
		arena_deinit(&arena);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_true(nth < 100);
	}
}

/* stack_trace_selector, each time with one more call_site: merged one by one, that is the square. */
static void parts_of_a_message_take_memory_by_their_bytes(void **state)
{
	enum { PARTS = 20000 };
	static const char part[] = {7 << 3 | 2, 2, 1 << 3 | 2, 0};
	struct fixture *f = *state;
	ProtobufCMessage *message;
	struct buf bytes = {0};

	for (size_t i = 0; i < PARTS; i++)
		buf_append(&bytes, part, sizeof(part));
	arena_deinit(&f->arena);
	(void)!pbmsg_decode(&f->arena, MERGE_REQUEST, buf_text(&bytes), &message, &f->err);
	assert_true(f->arena.used_bytes < 512 * bytes.len);
	buf_deinit(&bytes);
}

/* The densest that is honest. */
static void small_elements_are_read(void **state)
{
	enum { SITES = 100000 };
	struct fixture *f = *state;
	ProtobufCMessage *message;
	struct buf bytes = {0}, sites = {0};
	char head[16];
	size_t len = 0;

	for (size_t i = 0; i < SITES; i++)
		buf_append(&sites, "\x0a\0", 2);
	head[len++] = 7 << 3 | 2;
	for (size_t left = sites.len; left; left >>= 7)
		head[len++] = (char)((left & 127) | (left > 127 ? 128 : 0));
	buf_append(&bytes, head, len);
	buf_str(&bytes, buf_text(&sites));
	if (pbmsg_decode(&f->arena, MERGE_REQUEST, buf_text(&bytes), &message, &f->err))
		fail_msg("%s", f->err.text);
	const Querier__V1__SelectMergeStacktracesRequest *in = (const void *)message;
	assert_int_equal(in->stack_trace_selector->n_call_site, SITES);
	buf_deinit(&sites);
	buf_deinit(&bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(both_spellings_of_a_field_are_read),
		TEST(unknown_fields_and_nulls_are_passed_over),
		TEST(enums_are_names_or_numbers),
		TEST(messages_and_lists_nest),
		TEST(wrong_values_are_refused_by_field),
		TEST(an_enums_unknown_name_is_a_newer_clients),
		TEST(text_that_is_no_json_is_refused),
		TEST(little_text_with_very_many_values_is_refused),
		TEST(int64_go_out_as_strings_and_zeros_not_at_all),
		TEST(doubles_are_as_short_as_they_can_be),
		TEST(field_names_are_those_of_protojson),
		TEST(bytes_are_base64),
		TEST(protobuf_goes_out_packed),
		TEST(protobuf_comes_in),
		TEST(parts_of_a_message_take_memory_by_their_bytes),
		TEST(small_elements_are_read),
		TEST(decoding_survives_every_failed_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
