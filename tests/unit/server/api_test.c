/* The query API from bytes to bytes, on the real store; no sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/zip.h"
#include "server/api.h"

#define CPU "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
#define OFF "off_cpu:off_cpu:nanoseconds::"

struct fixture {
	char path[64];
	struct store *store;
	struct ingest *ingest;
	struct server_limits limits;
	struct api api;
	struct arena arena;
	struct err err;
	struct net_header headers[8];
	struct net_request request;
	struct net_answer answer;
};

/* ---- what is stored ---- */

static const struct store_frame frames[] = {
	{.name = STR("main")},
	{.name = STR("work")},
	{.name = STR("other_name")},
	{.mapping = STR("/lib/libfoo.so"), .address = 0x1234},
};

/* main; main;work; main;work;libfoo.so+0x1234; main;other_name */
static const struct store_node nodes[] = {{0, 0}, {0, 0}, {1, 1}, {2, 3}, {1, 2}};

static void put(struct fixture *f, const struct store_label *labels, size_t label_count,
		const struct store_sample *samples, size_t sample_count)
{
	const struct str strings[] = {STR(""), STR("worker")};
	const struct store_series series = {labels, label_count, samples, sample_count};
	const struct store_batch batch = {
		.tenant = STR("anonymous"),
		.strings = strings,
		.string_count = 2,
		.frames = frames,
		.frame_count = 4,
		.nodes = nodes,
		.node_count = 5,
		.series = &series,
		.series_count = 1,
	};
	if (store_write(f->store, &batch, &f->err))
		fail_msg("%s", f->err.text);
}

static struct store_sample sample(int after_s, uint32_t node, int64_t value, uint32_t tid)
{
	return (struct store_sample){.time_ns = (uint64_t)(1700000000 + after_s) * NS_PER_S,
				     .value = value,
				     .node = node,
				     .tid = tid,
				     .pid = 7,
				     .thread_name = 1,
				     .cpu = -1};
}

static void put_everything(struct fixture *f)
{
	const struct store_label shop[] = {
		{STR("__name__"), STR("process_cpu")},
		{STR("__profile_type__"), STR(CPU)},
		{STR("process.executable.name"), STR("shopd")},
		{STR("service_name"), STR("shop")},
	};
	const struct store_sample shop_samples[] = {sample(1, 3, 30, 100), sample(2, 2, 20, 101),
						    sample(12, 4, 5, 100), sample(12, 1, 1, 100)};
	const struct store_label till[] = {
		{STR("__name__"), STR("off_cpu")},
		{STR("__profile_type__"), STR(OFF)},
		{STR("service_name"), STR("till")},
	};
	const struct store_sample till_samples[] = {sample(3, 1, 1000, 200)};
	put(f, shop, 4, shop_samples, 4);
	put(f, till, 3, till_samples, 1);
}

/* ---- asking ---- */

static int set_up(void **state)
{
	static struct fixture f;
	struct ingest_config ingest;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-api-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	const struct store_options options = {.path = f.path};
	ingest_config_default(&ingest);
	if (store_open(&options, &f.store, &f.err) ||
	    ingest_create(&ingest, f.store, &f.ingest, &f.err))
		fail_msg("%s", f.err.text);
	f.limits.flame_nodes_default = 8192;
	f.limits.flame_nodes_max = 1048576;
	f.api = (struct api){f.store, f.ingest, &f.limits};
	f.request = (struct net_request){.method = STR("POST"),
					 .headers = f.headers,
					 .arena = &f.arena,
					 .http_major = 1};
	put_everything(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	buf_deinit(&f->answer.body);
	ingest_destroy(f->ingest);
	store_close(f->store);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

static void add_header(struct fixture *f, struct str name, struct str value)
{
	f->headers[f->request.header_count++] = (struct net_header){name, value};
}

static struct str header(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->answer.header_count; i++)
		if (str_equal(f->answer.headers[i].name, str_of(name)))
			return f->answer.headers[i].value;
	return STR("");
}

static void call(struct fixture *f, const char *method, struct str body)
{
	struct api_endpoint endpoint = {.api = &f->api};
	char path[128];

	snprintf(path, sizeof(path), "/querier.v1.QuerierService/%s", method);
	for (size_t i = 0; i < api_querier_count; i++)
		if (strcmp(api_querier[i].path, path) == 0)
			endpoint.rpc = &api_querier[i];
	assert_non_null(endpoint.rpc);
	f->request.path = str_of(path);
	f->request.body = body;
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	api_serve(&endpoint, &f->request, &f->answer);
}

static void assert_answer(struct fixture *f, int status, const char *want)
{
	struct str got = buf_text(&f->answer.body);
	if (f->answer.status != status || !str_equal(got, str_of(want)))
		fail_msg("%d %.*s\nwanted %d %s", f->answer.status, STR_ARG(got), status, want);
}

static void ask(struct fixture *f, const char *method, const char *body, int status,
		const char *want)
{
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, method, str_of(body));
	assert_answer(f, status, want);
}

#define RANGE "\"start\":\"1700000000000\",\"end\":\"1700000020000\""

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
		{"SelectMergeStacktraces", "{\"profileTypeID\":\"" CPU "\",\"format\":4," RANGE "}",
		 501, "unimplemented", "format 4"},
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
					    "application/jsonp", "application/grpc-web"};
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
