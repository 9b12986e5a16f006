/* The same question in every protocol: what is in the frames, headers and trailers. */
#include "api_fixture.h"

#include "base/base64.h"

/* LabelValues of service_name, and its answer, in protobuf. */
#define QUESTION     "\x0a\x0cservice_name"
#define ANSWER	     "\x0a\x04shop\x0a\x04till"
#define FRAMED	     "\0\0\0\0\x0e" QUESTION
#define BYTES(text_) str_make(text_, sizeof(text_) - 1)

static void ask_as(struct fixture *f, const char *type, struct str body)
{
	f->request.header_count = 0;
	add_header(f, STR("content-type"), str_of(type));
	call(f, "LabelValues", body);
}

static void assert_bytes(const struct fixture *f, struct str want)
{
	assert_int_equal(f->answer.body.len, want.len);
	assert_memory_equal(f->answer.body.ptr, want.ptr, want.len);
}

static void grpc_web_ends_in_a_frame_of_trailers(void **state)
{
	struct fixture *f = *state;
	static const char *const types[] = {"application/grpc-web", "application/grpc-web+proto",
					    "application/grpc-web+proto;charset=utf-8"};
	for (size_t i = 0; i < 3; i++) {
		ask_as(f, types[i], BYTES(FRAMED));
		assert_int_equal(f->answer.status, 200);
		assert_bytes(f, BYTES("\0\0\0\0\x0c" ANSWER "\x80\0\0\0\x10"
				      "grpc-status: 0\r\n"));
		assert_int_equal(f->answer.trailer_count, 0);
		assert_true(
			str_equal(header(f, "content-type"), STR("application/grpc-web+proto")));
	}
}

static void grpc_web_text_is_base64_of_the_same(void **state)
{
	struct fixture *f = *state;
	struct buf whole = {0}, pieces = {0}, want = {0};
	base64_put(&whole, BYTES(FRAMED), true);
	ask_as(f, "application/grpc-web-text", buf_text(&whole));
	base64_put(&want,
		   BYTES("\0\0\0\0\x0c" ANSWER "\x80\0\0\0\x10"
			 "grpc-status: 0\r\n"),
		   true);
	assert_bytes(f, buf_text(&want));
	/* Each chunk padded on its own. */
	base64_put(&pieces, BYTES("\0\0\0\0"), true);
	base64_put(&pieces, BYTES("\x0e" QUESTION), true);
	ask_as(f, "application/grpc-web-text+proto", buf_text(&pieces));
	assert_bytes(f, buf_text(&want));
	ask_as(f, "application/grpc-web-text", STR("?"));
	assert_int_equal(f->answer.status, 200);
	buf_deinit(&whole);
	buf_deinit(&pieces);
	buf_deinit(&want);
}

static void grpc_web_says_errors_in_the_body(void **state)
{
	struct fixture *f = *state;
	ask_as(f, "application/grpc-web+proto", BYTES("\0\0\0\0\0"));
	assert_int_equal(f->answer.status, 200);
	struct str got = buf_text(&f->answer.body);
	assert_true(got.len > 5 && (uint8_t)got.ptr[0] == 0x80);
	assert_int_equal((uint8_t)got.ptr[3] << 8 | (uint8_t)got.ptr[4], got.len - 5);
	assert_true(str_find(got, STR("grpc-status: 3\r\n")) == 5);
	assert_true(str_find(got, STR("grpc-message: name: which label's values?\r\n")) > 0);
}

static void json_goes_in_every_frame(void **state)
{
	struct fixture *f = *state;
	static const char body[] = "\0\0\0\0\x17{\"name\":\"service_name\"}";
	f->request.http_major = 2;
	ask_as(f, "application/grpc+json", BYTES(body));
	assert_bytes(f, BYTES("\0\0\0\0\x19{\"names\":[\"shop\",\"till\"]}"));
	assert_true(str_equal(header(f, "content-type"), STR("application/grpc+json")));
	f->request.http_major = 1;
	ask_as(f, "application/grpc-web+json", BYTES(body));
	assert_true(str_starts_with(buf_text(&f->answer.body),
				    BYTES("\0\0\0\0\x19{\"names\":[\"shop\",\"till\"]}\x80")));
}

static void content_types_have_parameters_and_case(void **state)
{
	static const struct {
		const char *type;
		int http_major, status;
	} rows[] = {
		{"application/json", 1, 200},
		{"Application/JSON ; charset=UTF-8", 1, 200},
		{"application/jsonp", 1, 415},
		{"text/plain", 1, 415},
		{"application/connect+json", 1, 415}, /* streams */
		{"application/x-protobuf", 1, 415},
		{"application/grpc", 1, 415}, /* its trailers need HTTP/2 */
		{"application/grpcx", 2, 415},
		{"", 1, 415},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->request.http_major = rows[i].http_major;
		ask_as(f, rows[i].type, STR("{\"name\":\"service_name\"}"));
		if (f->answer.status != rows[i].status)
			fail_msg("%s: %d", rows[i].type, f->answer.status);
	}
	assert_true(str_starts_with(header(f, "accept-post"), STR("application/json")));
}

static void a_time_limit_is_kept(void **state)
{
	struct fixture *f = *state;

	ask_as(f, "application/json", STR("{\"name\":\"service_name\"}"));
	add_header(f, STR("connect-timeout-ms"), STR("60000"));
	call(f, "LabelValues", STR("{\"name\":\"service_name\"}"));
	assert_int_equal(f->answer.status, 200);
	f->headers[1].value = STR("0");
	call(f, "LabelValues", STR("{\"name\":\"service_name\"}"));
	assert_answer(f, 504,
		      "{\"code\":\"deadline_exceeded\",\"message\":\"the time that the client gave "
		      "has passed\"}");
	f->headers[1].value = STR("soon");
	call(f, "LabelValues", STR("{\"name\":\"service_name\"}"));
	assert_int_equal(f->answer.status, 400);
	f->request.http_major = 2;
	ask_as(f, "application/grpc", BYTES(FRAMED));
	add_header(f, STR("grpc-timeout"), STR("1n"));
	call(f, "LabelValues", BYTES(FRAMED));
	assert_true(str_equal(f->answer.trailers[0].value, STR("4")));
	f->headers[1].value = STR("10S");
	call(f, "LabelValues", BYTES(FRAMED));
	assert_true(str_equal(f->answer.trailers[0].value, STR("0")));
	f->headers[1].value = STR("10");
	call(f, "LabelValues", BYTES(FRAMED));
	assert_true(str_equal(f->answer.trailers[0].value, STR("3")));
}

static void a_query_stops_when_its_time_is_up(void **state)
{
	struct fixture *f = *state;
	const struct store_selection selection = {.tenant = STR("anonymous"),
						  .end_ns = UINT64_MAX,
						  .deadline_ns = 1};
	struct store_tree tree;
	assert_int_equal(store_merge(f->store, &selection, &f->arena, &tree, &f->err), ERR_TIMEOUT);
}

static void another_version_of_connect_is_refused(void **state)
{
	struct fixture *f = *state;
	ask_as(f, "application/json", STR("{}"));
	add_header(f, STR("connect-protocol-version"), STR("2"));
	call(f, "ProfileTypes", STR("{}"));
	assert_int_equal(f->answer.status, 400);
	f->headers[1].value = STR("1");
	call(f, "ProfileTypes", STR("{}"));
	assert_int_equal(f->answer.status, 200);
}

static void long_grpc_answers_are_packed_when_accepted(void **state)
{
	struct fixture *f = *state;
	struct net_answer answer = {0};
	struct buf plain = {0};
	char text[4000];
	memset(text, 'x', sizeof(text));
	f->request.header_count = 0;
	add_header(f, STR("grpc-accept-encoding"), STR("identity, gzip"));
	net_grpc_answer_gzip(&f->request, &answer, str_make(text, sizeof(text)));
	assert_int_equal(answer.body.ptr[0], 1);
	assert_int_equal(zip_gunzip(str_sub(buf_text(&answer.body), 5, SIZE_MAX), 10000, &plain,
				    &f->err),
			 0);
	assert_int_equal(plain.len, sizeof(text));
	buf_clear(&answer.body);
	f->headers[0].value = STR("identity");
	net_grpc_answer_gzip(&f->request, &answer, str_make(text, sizeof(text)));
	assert_int_equal(answer.body.ptr[0], 0);
	assert_int_equal(answer.body.len, sizeof(text) + 5);
	buf_deinit(&answer.body);
	buf_deinit(&plain);
}

/* ---- every method ---- */

/* gRPC's number for the "code" of a Connect error; 0 for an answer that is none. */
static int status_of_connect(const struct fixture *f)
{
	struct str got = buf_text(&f->answer.body);
	if (f->answer.status == 200)
		return 0;
	for (int code = ERR_INVALID; code >= ERR_INTERNAL; code--) {
		const struct err_info *info = err_info(code);
		char start[64];
		snprintf(start, sizeof(start), "{\"code\":\"%s\",", info->connect_code);
		if (str_starts_with(got, str_of(start)) && info->http_status == f->answer.status)
			return info->grpc_status;
	}
	fail_msg("%d %.*s", f->answer.status, STR_ARG(got));
	return -1;
}

static int number_behind(struct str text, const char *name)
{
	ptrdiff_t at = str_find(text, str_of(name));
	assert_true(at >= 0);
	return atoi(text.ptr + at + strlen(name));
}

static void ask_rpc(struct fixture *f, const struct api_rpc *rpc, const char *type, int http_major,
		    struct str body)
{
	f->request.header_count = 0;
	f->request.http_major = http_major;
	add_header(f, STR("content-type"), str_of(type));
	call(f, rpc->path, body);
}

/* The empty question: some methods answer it, others say what is missing. */
static void every_method_says_the_same_in_every_protocol(void **state)
{
	struct fixture *f = *state;
	const struct api_rpc *rpc;
	size_t count = 0;
	for (; (rpc = api_rpc_at(count)) != NULL; count++) {
		ask_rpc(f, rpc, "application/json", 1, STR("{}"));
		int want = status_of_connect(f);
		ask_rpc(f, rpc, "application/proto", 2, STR(""));
		assert_int_equal(f->answer.status == 200, want == 0);
		ask_rpc(f, rpc, "application/grpc+proto", 2, BYTES("\0\0\0\0\0"));
		assert_int_equal(atoi(f->answer.trailers[0].value.ptr), want);
		ask_rpc(f, rpc, "application/grpc+json", 2, BYTES("\0\0\0\0\2{}"));
		assert_int_equal(atoi(f->answer.trailers[0].value.ptr), want);
		ask_rpc(f, rpc, "application/grpc-web+proto", 1, BYTES("\0\0\0\0\0"));
		assert_int_equal(number_behind(buf_text(&f->answer.body), "grpc-status: "), want);
		ask_rpc(f, rpc, "application/grpc-web+json", 2, BYTES("\0\0\0\0\2{}"));
		assert_int_equal(number_behind(buf_text(&f->answer.body), "grpc-status: "), want);
		ask_rpc(f, rpc, "application/json", 1, STR("{"));
		assert_int_equal(f->answer.status, 400);
		ask_rpc(f, rpc, "application/proto", 1, STR("\xff"));
		assert_int_equal(f->answer.status, 400);
	}
	assert_true(count > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(grpc_web_ends_in_a_frame_of_trailers),
		TEST(grpc_web_text_is_base64_of_the_same),
		TEST(grpc_web_says_errors_in_the_body),
		TEST(json_goes_in_every_frame),
		TEST(content_types_have_parameters_and_case),
		TEST(a_time_limit_is_kept),
		TEST(a_query_stops_when_its_time_is_up),
		TEST(another_version_of_connect_is_refused),
		TEST(long_grpc_answers_are_packed_when_accepted),
		TEST(every_method_says_the_same_in_every_protocol),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
