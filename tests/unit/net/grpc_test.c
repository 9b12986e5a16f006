/* The helpers that handlers and the client use, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/zip.h"
#include "net/grpc_status.h"
#include "net/net.h"

struct fixture {
	struct arena arena;
	struct net_header headers[4];
	struct net_request request;
	struct net_answer answer;
	_Atomic int cancelled;
};

static void init(struct fixture *f)
{
	*f = (struct fixture){0};
	arena_init(&f->arena, 1 << 20);
	f->request.arena = &f->arena;
	f->request.headers = f->headers;
	f->request.cancelled = &f->cancelled;
}

static void deinit(struct fixture *f)
{
	buf_deinit(&f->answer.body);
	arena_deinit(&f->arena);
}

static void add_header(struct fixture *f, const char *name, const char *value)
{
	f->headers[f->request.header_count++] = (struct net_header){str_of(name), str_of(value)};
}

static struct str trailer(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->answer.trailer_count; i++)
		if (str_equal(f->answer.trailers[i].name, str_of(name)))
			return f->answer.trailers[i].value;
	return (struct str){NULL, 0};
}

static void content_types_of_grpc_are_known_from_its_neighbours(void **state)
{
	static const struct {
		const char *type;
		bool grpc;
	} cases[] = {{"application/grpc", true},
		     {"application/grpc+proto", true},
		     {"application/grpc;charset=x", true},
		     {"application/grpc-web", false},
		     {"application/grpc-web+proto", false},
		     {"application/json", false},
		     {"", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		init(&f);
		add_header(&f, "content-type", cases[i].type);
		assert_int_equal(net_is_grpc(&f.request), cases[i].grpc);
		deinit(&f);
	}
}

static int message_of(struct fixture *f, struct str body, const char *encoding, size_t limit,
		      struct str *ret, struct err *err)
{
	init(f);
	if (encoding)
		add_header(f, "grpc-encoding", encoding);
	f->request.body = body;
	return net_grpc_message(&f->request, limit, ret, err);
}

static void broken_frames_are_refused_with_a_reason(void **state)
{
	static const struct {
		struct str body;
		const char *encoding;
		int code;
	} cases[] = {
		{{"", 0}, NULL, ERR_INVALID},
		{{"\0\0\0\0", 4}, NULL, ERR_INVALID},
		{{"\0\0\0\0\4abc", 8}, NULL, ERR_INVALID},
		{{"\0\xff\xff\xff\xff"
		  "abc",
		  8},
		 NULL,
		 ERR_INVALID},
		{{"\2\0\0\0\0", 5}, NULL, ERR_INVALID},
		{{"\0\0\0\0\1a\0\0\0\0\1b", 12}, NULL, ERR_UNSUPPORTED},
		{{"\1\0\0\0\3abc", 8}, NULL, ERR_INTERNAL},
		{{"\1\0\0\0\3abc", 8}, "identity", ERR_INTERNAL},
		{{"\1\0\0\0\3abc", 8}, "gzip", ERR_INVALID},
		{{"\1\0\0\0\3abc", 8}, "zstd", ERR_INVALID},
		{{"\1\0\0\0\3abc", 8}, "snappy", ERR_INVALID},
		{{"\1\0\0\0\3abc", 8}, "lz4", ERR_UNSUPPORTED},
		{{"\0\0\0\0\x0b"
		  "hello world",
		  16},
		 NULL,
		 ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		struct str message = STR("untouched");
		struct err err = {0};
		assert_int_equal(message_of(&f, cases[i].body, cases[i].encoding, 10, &message,
					    &err),
				 cases[i].code);
		assert_true(str_equal(message, STR("untouched")));
		assert_true(strncmp(err.text, "gRPC message", 12) == 0);
		deinit(&f);
	}
}

static void packed_messages_are_unpacked_up_to_the_limit(void **state)
{
	static char zeros[100000];
	struct buf body = {0};
	struct fixture f;
	struct str message;
	struct err err = {0};

	(void)state;
	buf_append(&body, "\1\0\0\0\0", 5);
	assert_int_equal(zip_gzip(str_make(zeros, sizeof(zeros)), 6, &body, &err), 0);
	body.ptr[3] = (char)((body.len - 5) >> 8);
	body.ptr[4] = (char)(body.len - 5);
	assert_int_equal(message_of(&f, buf_text(&body), "gzip", sizeof(zeros), &message, &err), 0);
	assert_int_equal(message.len, sizeof(zeros));
	deinit(&f);
	assert_int_equal(message_of(&f, buf_text(&body), "gzip", sizeof(zeros) - 1, &message, &err),
			 ERR_LIMIT);
	deinit(&f);
	/* The limit allows it, the request's memory does not. */
	init(&f);
	f.arena.limit_bytes = 50000;
	add_header(&f, "content-encoding", "gzip");
	f.request.body = str_sub(buf_text(&body), 5, body.len);
	assert_int_equal(net_body(&f.request, sizeof(zeros), &message, &err), ERR_NOMEM);
	deinit(&f);
	buf_deinit(&body);
}

static void bodies_follow_their_content_encoding(void **state)
{
	struct fixture f;
	struct str body;
	struct err err = {0};

	(void)state;
	init(&f);
	f.request.body = STR("plain");
	assert_int_equal(net_body(&f.request, 5, &body, &err), 0);
	assert_true(str_equal(body, STR("plain")));
	assert_int_equal(net_body(&f.request, 4, &body, &err), ERR_LIMIT);
	add_header(&f, "content-encoding", "br");
	assert_int_equal(net_body(&f.request, 5, &body, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "\"br\""));
	deinit(&f);
}

#define HELLO "hello hello hello hello hello"

/* HELLO as zstd packs it, as a stream of one snappy chunk (what gRPC senders in Go call snappy), and as a
 * bare block of snappy; written by other programs than ours. */
static const struct {
	const char *coding;
	struct str packed;
} packed_hellos[] = {
	{"zstd",
	 {"\x28\xb5\x2f\xfd\x04\x58\x65\x00\x00\x30\x68\x65\x6c\x6c\x6f\x20\x01\x00\xa9\x4b\x11\x87"
	  "\x4e\x20\x0a",
	  25}},
	{"snappy",
	 {"\xff\x06\x00\x00sNaPpY\x00\x12\x00\x00\x5c\xac\x59\x07\x1d\x14"
	  "hello \x1d\x06\x1d\x06\x00o",
	  32}},
	{"snappy",
	 {"\x1d\x14"
	  "hello \x1d\x06\x1d\x06\x00o",
	  14}},
};

static void zstd_and_snappy_are_unpacked_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packed_hellos) / sizeof(packed_hellos[0]); i++) {
		struct str packed = packed_hellos[i].packed, message;
		struct buf body = {0};
		struct fixture f;
		struct err err = {0};
		buf_append(&body, "\1\0\0\0", 4);
		buf_char(&body, (char)packed.len);
		buf_str(&body, packed);
		if (message_of(&f, buf_text(&body), packed_hellos[i].coding, 29, &message, &err))
			fail_msg("%s", err.text);
		assert_true(str_equal(message, STR(HELLO)));
		deinit(&f);
		assert_int_equal(message_of(&f, buf_text(&body), packed_hellos[i].coding, 28,
					    &message, &err),
				 ERR_LIMIT);
		deinit(&f);
		init(&f);
		add_header(&f, "content-encoding", packed_hellos[i].coding);
		f.request.body = packed;
		assert_int_equal(net_body(&f.request, 29, &message, &err), 0);
		assert_true(str_equal(message, STR(HELLO)));
		assert_int_equal(net_body(&f.request, 28, &message, &err), ERR_LIMIT);
		deinit(&f);
		buf_deinit(&body);
	}
}

static void an_error_has_exactly_these_bytes(void **state)
{
	static const unsigned char wanted[] = {
		0x08, 0x08, 0x12, 0x04, 'f', 'u', 'l', 'l', 0x1a, 0x35, 0x0a, 0x28,
	};
	struct buf status = {0}, decoded = {0};
	struct fixture f;
	struct err err;

	(void)state;
	grpc_status_encode(8, STR("full"), 2250, &status);
	assert_memory_equal(status.ptr, wanted, sizeof(wanted));
	assert_true(str_find(buf_text(&status), STR("type.googleapis.com/google.rpc.RetryInfo")) >
		    0);
	/* Any.value { RetryInfo { retry_delay { seconds 2, nanos 250000000 } } } */
	assert_true(str_find(buf_text(&status),
			     STR("\x12\x09\x0a\x07\x08\x02\x10\x80\xe5\x9a\x77")) > 0);
	init(&f);
	err_set(&err, ERR_LIMIT, "full");
	net_grpc_error(&f.answer, &err, 2250);
	assert_int_equal(f.answer.status, 200);
	assert_true(str_equal(trailer(&f, "grpc-status"), STR("8")));
	assert_true(str_equal(trailer(&f, "grpc-message"), STR("full")));
	struct str packed = trailer(&f, "grpc-status-details-bin");
	assert_true(buf_reserve(&decoded, base64_decoded_max(packed.len)));
	assert_true(base64_get(packed, decoded.ptr, &decoded.len));
	assert_true(str_equal(buf_text(&decoded), buf_text(&status)));
	assert_int_equal(grpc_status_retry_ms(buf_text(&decoded)), 2250);
	net_grpc_error(&f.answer, &err, -1);
	assert_int_equal(f.answer.trailer_count, 2);
	buf_deinit(&status);
	buf_deinit(&decoded);
	deinit(&f);
}

static void the_longest_error_fits_with_its_details(void **state)
{
	char long_text[ERR_TEXT_MAX];
	struct fixture f;
	struct err err;

	(void)state;
	memset(long_text, '\xe4', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	init(&f);
	err_set(&err, ERR_INVALID, "%s", long_text);
	net_grpc_error(&f.answer, &err, 10);
	assert_int_equal(trailer(&f, "grpc-message").len, (ERR_TEXT_MAX - 1) * 3);
	assert_true(trailer(&f, "grpc-status-details-bin").len > ERR_TEXT_MAX);
	deinit(&f);
}

static void messages_are_percent_encoded_and_back(void **state)
{
	char out[64], back[64];

	(void)state;
	size_t len = grpc_message_encode(STR("50 % \n\xc3\xa9~"), out, sizeof(out));
	assert_true(str_equal(str_make(out, len), STR("50 %25 %0A%C3%A9~")));
	grpc_message_decode(str_make(out, len), back, sizeof(back));
	assert_string_equal(back, "50 % \n\xc3\xa9~");
	grpc_message_decode(STR("100% %zz %4"), back, sizeof(back));
	assert_string_equal(back, "100% %zz %4");
	assert_int_equal(grpc_message_encode(STR("ab%"), out, 4), 2);
	grpc_message_decode(STR("abcdef"), back, 4);
	assert_string_equal(back, "abc");
}

static void query_parameters_are_decoded(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	f.request.query = STR("a=1&b=x%20y+z&c&d=%zz%4&b=2&%65=e&=nameless");
	assert_true(str_equal(net_query_get(&f.request, STR("a")), STR("1")));
	assert_true(str_equal(net_query_get(&f.request, STR("b")), STR("x y z")));
	assert_true(str_equal(net_query_get(&f.request, STR("c")), STR("")));
	assert_non_null(net_query_get(&f.request, STR("c")).ptr);
	assert_true(str_equal(net_query_get(&f.request, STR("d")), STR("%zz%4")));
	assert_true(str_equal(net_query_get(&f.request, STR("e")), STR("e")));
	assert_null(net_query_get(&f.request, STR("f")).ptr);
	f.request.query = STR("");
	assert_null(net_query_get(&f.request, STR("a")).ptr);
	deinit(&f);
}

static void gzip_is_used_only_where_it_is_wanted(void **state)
{
	static const struct {
		const char *accepts;
		bool packed;
	} cases[] = {{"gzip", true},	  {"br, gzip", true},  {"GZIP ; q=0.5", true},
		     {"*", true},	  {"gzip;q=0", false}, {"gzip; q=0.000", false},
		     {"identity", false}, {"br", false},       {"", false},
		     {"xgzip", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		init(&f);
		add_header(&f, "accept-encoding", cases[i].accepts);
		for (int k = 0; k < 1025; k++)
			buf_char(&f.answer.body, 'x');
		net_answer_gzip(&f.request, &f.answer);
		if ((f.answer.body.len < 1025) != cases[i].packed)
			fail_msg("Accept-Encoding \"%s\"", cases[i].accepts);
		assert_int_equal(f.answer.header_count, cases[i].packed ? 2 : 1);
		deinit(&f);
	}
	struct fixture f;
	init(&f);
	add_header(&f, "accept-encoding", "gzip");
	buf_cstr(&f.answer.body, "small");
	net_answer_gzip(&f.request, &f.answer);
	assert_int_equal(f.answer.header_count, 0);
	deinit(&f);
}

static void headers_that_would_break_the_message_are_dropped(void **state)
{
	struct net_answer answer = {0};

	(void)state;
	net_answer_header(&answer, STR("x-a"), STR("one\r\nset-cookie: evil"));
	net_answer_header(&answer, STR("Content-Length"), STR("5"));
	net_answer_header(&answer, STR("transfer-encoding"), STR("chunked"));
	net_answer_header(&answer, STR(""), STR("x"));
	assert_int_equal(answer.header_count, 0);
	for (int i = 0; i < 30; i++) {
		net_answer_header(&answer, STR("x-b"), STR("two"));
		net_answer_trailer(&answer, STR("x-c"), STR("three"));
	}
	assert_int_equal(answer.header_count, 24);
	assert_int_equal(answer.trailer_count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_types_of_grpc_are_known_from_its_neighbours),
		cmocka_unit_test(broken_frames_are_refused_with_a_reason),
		cmocka_unit_test(packed_messages_are_unpacked_up_to_the_limit),
		cmocka_unit_test(bodies_follow_their_content_encoding),
		cmocka_unit_test(zstd_and_snappy_are_unpacked_too),
		cmocka_unit_test(an_error_has_exactly_these_bytes),
		cmocka_unit_test(the_longest_error_fits_with_its_details),
		cmocka_unit_test(messages_are_percent_encoded_and_back),
		cmocka_unit_test(query_parameters_are_decoded),
		cmocka_unit_test(gzip_is_used_only_where_it_is_wanted),
		cmocka_unit_test(headers_that_would_break_the_message_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
