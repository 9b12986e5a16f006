/* The query API from bytes to bytes: labels, selectors, encodings, errors. */
#include "api_fixture.h"

/* ---- the tests ---- */

static void profile_types_are_listed_in_parts(void **state)
{
	static const char both[] =
		"{\"profileTypes\":[{\"ID\":\"" OFF
		"\",\"name\":\"off_cpu\",\"sampleType\":\"off_cpu\","
		"\"sampleUnit\":\"nanoseconds\"},{\"ID\":\"" CPU "\",\"name\":\"process_cpu\","
		"\"sampleType\":\"cpu\",\"sampleUnit\":\"nanoseconds\",\"periodType\":\"cpu\","
		"\"periodUnit\":\"nanoseconds\"}]}";
	struct fixture *f = *state;
	ask(f, "ProfileTypes", "{}", 200, both);
	ask(f, "ProfileTypes", "", 200, both);
	ask(f, "ProfileTypes", "{" RANGE "}", 200, both);
	ask(f, "ProfileTypes", "{\"start\":1000,\"end\":4000}", 200, "{}");
}

static void label_names_have_underscores_unless_asked_otherwise(void **state)
{
	struct fixture *f = *state;
	call(f, "LabelNames", STR(""));
	assert_int_equal(f->answer.status, 415);
	ask(f, "LabelNames", "{\"matchers\":[\"{service_name=\\\"till\\\"}\"]," RANGE "}", 200,
	    "{\"names\":[\"__name__\",\"__profile_type__\",\"process_pid\",\"service_name\","
	    "\"thread_id\",\"thread_name\"]}");
	ask(f, "LabelNames", "{" RANGE "}", 200,
	    "{\"names\":[\"__name__\",\"__profile_type__\",\"process_executable_name\","
	    "\"process_pid\",\"service_name\",\"thread_id\",\"thread_name\"]}");
	add_header(f, STR("accept"), STR("*/*; allow-utf8-labelnames=true"));
	call(f, "LabelNames", STR("{" RANGE "}"));
	assert_answer(f, 200,
		      "{\"names\":[\"__name__\",\"__profile_type__\",\"process.executable.name\","
		      "\"process.pid\",\"service_name\",\"thread.id\",\"thread.name\"]}");
}

static void label_values_answer_to_both_names(void **state)
{
	struct fixture *f = *state;
	ask(f, "LabelValues", "{\"name\":\"service_name\"," RANGE "}", 200,
	    "{\"names\":[\"shop\",\"till\"]}");
	ask(f, "LabelValues", "{\"name\":\"process.executable.name\"," RANGE "}", 200,
	    "{\"names\":[\"shopd\"]}");
	ask(f, "LabelValues", "{\"name\":\"process_executable_name\"," RANGE "}", 200,
	    "{\"names\":[\"shopd\"]}");
	ask(f, "LabelValues",
	    "{\"name\":\"service_name\",\"matchers\":[\"{service_name=\\\"shop\\\"}\","
	    "\"{service_name=~\\\"t.*\\\"}\"]," RANGE "}",
	    200, "{\"names\":[\"shop\",\"till\"]}");
	ask(f, "LabelValues", "{\"name\":\"none\"," RANGE "}", 200, "{}");
	ask(f, "LabelValues", "{" RANGE "}", 400,
	    "{\"code\":\"invalid_argument\",\"message\":\"name: which label's values?\"}");
}

static void series_are_distinct_label_sets(void **state)
{
	struct fixture *f = *state;
	ask(f, "Series", "{\"labelNames\":[\"service_name\",\"__profile_type__\"]," RANGE "}", 200,
	    "{\"labelsSet\":[{\"labels\":[{\"name\":\"__profile_type__\",\"value\":\"" OFF
	    "\"},{\"name\":\"service_name\",\"value\":\"till\"}]},{\"labels\":[{\"name\":"
	    "\"__profile_type__\",\"value\":\"" CPU
	    "\"},{\"name\":\"service_name\",\"value\":\"shop\"}]}]}");
	ask(f, "Series",
	    "{\"matchers\":[\"{service_name=\\\"till\\\"}\"],\"label_names\":[\"service_name\"]"
	    "," RANGE "}",
	    200, "{\"labelsSet\":[{\"labels\":[{\"name\":\"service_name\",\"value\":\"till\"}]}]}");
}

/* total 56, main 56 (self 1), other_name 5, work 50 (self 20), libfoo.so+0x1234 30 */
static void a_flame_graph_is_delta_encoded(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeStacktraces",
	    "{\"profileTypeID\":\"" CPU
	    "\",\"labelSelector\":\"{service_name=\\\"shop\\\"}\"," RANGE "}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"other_name\",\"work\","
	    "\"libfoo.so+0x1234\"],\"levels\":[{\"values\":[\"0\",\"56\",\"0\",\"0\"]},"
	    "{\"values\":[\"0\",\"56\",\"1\",\"1\"]},{\"values\":[\"1\",\"5\",\"5\",\"2\",\"0\","
	    "\"50\",\"20\",\"3\"]},{\"values\":[\"26\",\"30\",\"30\",\"4\"]}],\"total\":\"56\","
	    "\"maxSelf\":\"30\"}}");
}

static void small_nodes_fold_into_other(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeStacktraces",
	    "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{}\",\"maxNodes\":\"3\"," RANGE "}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"work\",\"other\"],\"levels\":["
	    "{\"values\":[\"0\",\"56\",\"0\",\"0\"]},{\"values\":[\"0\",\"56\",\"1\",\"1\"]},"
	    "{\"values\":[\"1\",\"50\",\"20\",\"2\",\"0\",\"5\",\"5\",\"3\"]},"
	    "{\"values\":[\"21\",\"30\",\"30\",\"3\"]}],\"total\":\"56\",\"maxSelf\":\"30\"}}");
}

static void sample_columns_select_and_call_sites_narrow(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeStacktraces",
	    "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{thread_id=\\\"101\\\"}\"," RANGE
	    "}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"work\"],\"levels\":["
	    "{\"values\":[\"0\",\"20\",\"0\",\"0\"]},{\"values\":[\"0\",\"20\",\"0\",\"1\"]},"
	    "{\"values\":[\"0\",\"20\",\"20\",\"2\"]}],\"total\":\"20\",\"maxSelf\":\"20\"}}");
	ask(f, "SelectMergeStacktraces",
	    "{\"profileTypeID\":\"" CPU
	    "\",\"stackTraceSelector\":{\"callSite\":[{\"name\":\"main\"},"
	    "{\"name\":\"other_name\"}]}," RANGE "}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"other_name\"],\"levels\":["
	    "{\"values\":[\"0\",\"5\",\"0\",\"0\"]},{\"values\":[\"0\",\"5\",\"0\",\"1\"]},"
	    "{\"values\":[\"0\",\"5\",\"5\",\"2\"]}],\"total\":\"5\",\"maxSelf\":\"5\"}}");
	ask(f, "SelectMergeStacktraces",
	    "{\"profileTypeID\":\"" CPU "\",\"spanSelector\":[\"0011223344556677\"]," RANGE "}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\"],\"levels\":[{\"values\":[\"0\",\"0\",\"0\","
	    "\"0\"]}]}}");
}

static void sums_over_time_by_group(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectSeries",
	    "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{}\",\"step\":10," RANGE "}", 200,
	    "{\"series\":[{\"points\":[{\"value\":50,\"timestamp\":\"1700000010000\"},"
	    "{\"value\":6,\"timestamp\":\"1700000020000\"}]}]}");
	ask(f, "SelectSeries",
	    "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{}\",\"step\":20,\"groupBy\":"
	    "[\"thread_id\"],\"limit\":1," RANGE "}",
	    200,
	    "{\"series\":[{\"labels\":[{\"name\":\"thread_id\",\"value\":\"100\"}],\"points\":["
	    "{\"value\":36,\"timestamp\":\"1700000020000\"}]}]}");
}

static void protobuf_gives_the_same_answer(void **state)
{
	/* ProfileTypeID, selector {}, start and end as varints. */
	static const char request[] = "\x0a\x1d" OFF "\x12\x02{}"
				      "\x18\x80\xd0\x95\xff\xbc\x31"
				      "\x20\xa0\xec\x96\xff\xbc\x31";
	static const char want[] = "\x0a\x26"
				   "\x0a\x05total"
				   "\x0a\x04main"
				   "\x12\x07\x0a\x05\x00\xe8\x07\x00\x00"
				   "\x12\x08\x0a\x06\x00\xe8\x07\xe8\x07\x01"
				   "\x18\xe8\x07"
				   "\x20\xe8\x07";
	struct fixture *f = *state;
	add_header(f, STR("content-type"), STR("application/proto"));
	add_header(f, STR("connect-protocol-version"), STR("1"));
	call(f, "SelectMergeStacktraces", str_make(request, sizeof(request) - 1));
	assert_int_equal(f->answer.status, 200);
	assert_true(str_equal(header(f, "content-type"), STR("application/proto")));
	assert_int_equal(f->answer.body.len, sizeof(want) - 1);
	assert_memory_equal(f->answer.body.ptr, want, sizeof(want) - 1);
}

static void gzip_works_in_both_directions(void **state)
{
	struct fixture *f = *state;
	struct buf packed;
	buf_init(&packed, 0);
	assert_int_equal(zip_gzip(STR("{\"name\":\"service_name\"," RANGE "}"), 6, &packed, NULL),
			 0);
	add_header(f, STR("content-type"), STR("application/json; charset=utf-8"));
	add_header(f, STR("content-encoding"), STR("gzip"));
	add_header(f, STR("accept-encoding"), STR("gzip"));
	call(f, "LabelValues", buf_text(&packed));
	assert_answer(f, 200, "{\"names\":[\"shop\",\"till\"]}");
	buf_deinit(&packed);
}

static void grpc_is_served_too(void **state)
{
	static const char request[] = "\0\0\0\0\x0e\x0a\x0cservice_name";
	static const char want[] = "\0\0\0\0\x0c\x0a\x04shop\x0a\x04till";
	struct fixture *f = *state;
	f->request.http_major = 2;
	add_header(f, STR("content-type"), STR("application/grpc+proto"));
	call(f, "LabelValues", str_make(request, sizeof(request) - 1));
	assert_int_equal(f->answer.body.len, sizeof(want) - 1);
	assert_memory_equal(f->answer.body.ptr, want, sizeof(want) - 1);
	assert_true(f->answer.trailer_count > 0);
	assert_true(str_equal(f->answer.trailers[0].value, STR("0")));
}

static void wrong_questions_are_refused(void **state)
{
	static const struct {
		const char *method, *body;
		int status;
		const char *code, *message;
	} rows[] = {
		{"SelectMergeStacktraces", "{" RANGE "}", 400, "invalid_argument",
		 "profile type \\\"\\\""},
		{"SelectMergeStacktraces", "{\"profileTypeID\":\"" CPU "\"}", 400,
		 "invalid_argument", "start and end must be given"},
		{"SelectMergeStacktraces", "{\"profileTypeID\":\"" CPU "\",\"start\":3,\"end\":2}",
		 400, "invalid_argument", "start 3 is after end 2"},
		{"SelectMergeStacktraces",
		 "{\"profileTypeID\":\"" CPU "\",\"maxNodes\":-1," RANGE "}", 400,
		 "invalid_argument", "negative"},
		{"SelectMergeStacktraces",
		 "{\"profileTypeID\":\"" CPU "\",\"maxNodes\":1048577," RANGE "}", 400,
		 "invalid_argument", "max_flamegraph_nodes_max"},
		{"SelectMergeStacktraces",
		 "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{a}\"," RANGE "}", 400,
		 "invalid_argument", "selector, character 3"},
		{"SelectMergeStacktraces",
		 "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{a=~\\\"(\\\"}\"," RANGE "}",
		 400, "invalid_argument", "("},
		{"SelectMergeStacktraces",
		 "{\"profileTypeID\":\"" CPU "\",\"spanSelector\":[\"x\"]," RANGE "}", 400,
		 "invalid_argument", "hexadecimal"},
		{"SelectMergeStacktraces", "{\"profileTypeID\":\"" CPU "\",\"format\":9," RANGE "}",
		 501, "unimplemented", "format 9"},
		{"SelectSeries", "{\"profileTypeID\":\"" CPU "\"," RANGE "}", 400,
		 "invalid_argument", "step"},
		{"LabelNames", "{\"matchers\":[\"{\"]," RANGE "}", 400, "invalid_argument",
		 "selector"},
		{"LabelNames", "{", 400, "invalid_argument", "no JSON"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char start[64];
		f->request.header_count = 0;
		add_header(f, STR("content-type"), STR("application/json"));
		call(f, rows[i].method, str_of(rows[i].body));
		struct str got = buf_text(&f->answer.body);
		snprintf(start, sizeof(start), "{\"code\":\"%s\",\"message\":\"", rows[i].code);
		if (f->answer.status != rows[i].status || !str_starts_with(got, str_of(start)) ||
		    str_find(got, str_of(rows[i].message)) < 0)
			fail_msg("%s: %d %.*s", rows[i].body, f->answer.status, STR_ARG(got));
		assert_true(str_equal(header(f, "content-type"), STR("application/json")));
	}
}

static void a_question_of_a_thousand_parts_is_refused(void **state)
{
	static const struct {
		const char *method, *field, *part;
	} rows[] = {
		{"LabelNames", "matchers", "\"{}\""}, {"LabelValues", "matchers", "\"{}\""},
		{"Series", "matchers", "\"{}\""},     {"Series", "labelNames", "\"a\""},
		{"SelectSeries", "groupBy", "\"a\""},
	};
	struct fixture *f = *state;

	add_header(f, STR("content-type"), STR("application/json"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf body;
		buf_init(&body, 0);
		buf_printf(&body,
			   "{\"name\":\"a\",\"profileTypeID\":\"" CPU "\",\"step\":15," RANGE
			   ",\"%s\":[",
			   rows[i].field);
		for (int k = 0; k < 1000; k++)
			buf_printf(&body, "%s%s", k ? "," : "", rows[i].part);
		buf_cstr(&body, "]}");
		call(f, rows[i].method, buf_text(&body));
		assert_int_equal(f->answer.status, 400);
		assert_true(str_find(buf_text(&f->answer.body), STR("are too many")) > 0);
		buf_deinit(&body);
	}
}

static void old_walls_stand_only_when_configured(void **state)
{
	struct fixture *f = *state;
	const char *month = "{\"profileTypeID\":\"" CPU
			    "\",\"step\":3600,\"start\":1697500000000,\"end\":1700092000000}";
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, "SelectSeries", str_of(month));
	assert_int_equal(f->answer.status, 200);
	f->limits.query_length_ns = 24LL * 3600 * NS_PER_S;
	call(f, "SelectSeries", str_of(month));
	assert_int_equal(f->answer.status, 400);
	f->limits.query_length_ns = 0;
	f->limits.query_lookback_ns = NS_PER_S; /* everything is older */
	ask(f, "SelectSeries", month, 200, "{}");
	ask(f, "LabelValues", "{\"name\":\"service_name\"}", 200, "{}");
	f->limits.query_lookback_ns = 0;
	ask(f, "LabelValues", "{\"name\":\"service_name\"}", 200,
	    "{\"names\":[\"shop\",\"till\"]}");
}

/* Whatever allocation fails, the client gets a whole answer or an error, and the next call works. */
static void a_call_survives_every_failed_allocation(void **state)
{
	struct fixture *f = *state;
	const char *body =
		"{\"profileTypeID\":\"" CPU "\",\"groupBy\":[\"thread_id\"],\"step\":10," RANGE "}";
	const char *const methods[] = {"SelectMergeStacktraces", "SelectSeries", "Series",
				       "LabelNames", "ProfileTypes"};
	add_header(f, STR("content-type"), STR("application/json"));
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		uint64_t nth = 0;
		do {
			arena_deinit(&f->arena);
			mem_fail_nth(++nth);
			call(f, methods[i], str_of(body));
			mem_fail_nth(0);
			assert_true(nth < 5000);
		} while (f->answer.status != 200);
		assert_true(nth > 1);
	}
}

static void other_methods_and_types_are_refused(void **state)
{
	static const char *const types[] = {"text/plain", "application/x-protobuf", "",
					    "application/jsonp", "application/grpc-webs"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		f->request.header_count = 0;
		add_header(f, STR("content-type"), str_of(types[i]));
		call(f, "LabelNames", STR("{}"));
		assert_int_equal(f->answer.status, 415);
		assert_true(str_starts_with(header(f, "accept-post"), STR("application/json")));
	}
	f->request.method = STR("GET");
	call(f, "LabelNames", STR(""));
	assert_int_equal(f->answer.status, 405);
	assert_true(str_equal(header(f, "allow"), STR("POST")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(profile_types_are_listed_in_parts),
		TEST(label_names_have_underscores_unless_asked_otherwise),
		TEST(label_values_answer_to_both_names),
		TEST(series_are_distinct_label_sets),
		TEST(a_flame_graph_is_delta_encoded),
		TEST(small_nodes_fold_into_other),
		TEST(sample_columns_select_and_call_sites_narrow),
		TEST(sums_over_time_by_group),
		TEST(protobuf_gives_the_same_answer),
		TEST(gzip_works_in_both_directions),
		TEST(grpc_is_served_too),
		TEST(wrong_questions_are_refused),
		TEST(a_question_of_a_thousand_parts_is_refused),
		TEST(old_walls_stand_only_when_configured),
		TEST(a_call_survives_every_failed_allocation),
		TEST(other_methods_and_types_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
