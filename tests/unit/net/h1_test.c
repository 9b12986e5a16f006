/* HTTP/1.1 as strangers speak it: raw bytes against a running server. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness.h"

static struct harness harness;

static int start(void **state)
{
	struct net_limits limits;

	(void)state;
	net_limits_default(&limits);
	limits.header_timeout_ns = (uint64_t)400 * NS_PER_MS;
	limits.body_timeout_ns = (uint64_t)500 * NS_PER_MS;
	limits.idle_timeout_ns = (uint64_t)900 * NS_PER_MS;
	limits.body_bytes = 100000;
	limits.header_bytes = 4096;
	limits.header_count = 20;
	harness_start(&harness, &limits, false);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	harness_stop(&harness);
	return 0;
}

static int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static int count_of(const char *text, const char *needle)
{
	int count = 0;

	for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
		count++;
	return count;
}

static void a_get_is_answered_and_the_connection_kept(void **state)
{
	char answer[4096];
	int fd = harness_connect(&harness);

	(void)state;
	for (int i = 0; i < 3; i++) {
		harness_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		harness_read_for(fd, answer, sizeof(answer), "hello\n");
		assert_int_equal(status_of(answer), 200);
		assert_non_null(strstr(answer, "\r\ncontent-length: 6\r\n"));
		assert_non_null(strstr(answer, "\r\ndate: "));
		assert_non_null(strstr(answer, "\r\n\r\nhello\n"));
		assert_null(strstr(answer, "connection: close"));
	}
	close(fd);
}

static void connection_close_and_http_1_0_end_the_connection(void **state)
{
	char answer[4096];
	int fd;
	bool ended;

	(void)state;
	harness_exchange(&harness, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			 answer, sizeof(answer));
	assert_non_null(strstr(answer, "connection: close\r\n"));
	assert_non_null(strstr(answer, "hello\n"));
	fd = harness_connect(&harness);
	harness_send_text(fd, "GET /hello HTTP/1.0\r\n\r\n");
	harness_read(fd, answer, sizeof(answer), 2000, &ended);
	assert_int_equal(status_of(answer), 200);
	assert_true(ended);
	close(fd);
	fd = harness_connect(&harness);
	harness_send_text(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	harness_read_for(fd, answer, sizeof(answer), "hello\n");
	assert_non_null(strstr(answer, "connection: keep-alive\r\n"));
	harness_send_text(fd, "GET /hello HTTP/1.0\r\n\r\n");
	harness_read_for(fd, answer, sizeof(answer), "hello\n");
	close(fd);
}

static void requests_sent_in_one_go_are_answered_in_order(void **state)
{
	char answer[16384];
	char requests[8192] = "";

	(void)state;
	for (int i = 0; i < 20; i++) {
		char one[256];
		snprintf(one, sizeof(one),
			 i % 2 ? "GET /assets/item%d HTTP/1.1\r\nHost: x\r\n\r\n"
			       : "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
				 "6\r\n\r\nitem%02d",
			 i);
		strcat(requests, one);
	}
	strcat(requests, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	harness_exchange(&harness, requests, answer, sizeof(answer));
	assert_int_equal(count_of(answer, "HTTP/1.1 200"), 21);
	const char *at = answer;
	for (int i = 0; i < 20; i++) {
		char needle[32];
		snprintf(needle, sizeof(needle), i % 2 ? "item%d" : "item%02d", i);
		at = strstr(at, needle);
		assert_non_null(at);
	}
}

static void a_chunked_body_arrives_whole_however_it_is_cut(void **state)
{
	static const char request[] =
		"POST /echo?x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: "
		"close\r\n\r\n5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n";
	char answer[4096];

	(void)state;
	for (size_t step = 1; step < sizeof(request); step += 17) {
		int fd = harness_connect(&harness);
		for (size_t at = 0; at < sizeof(request) - 1; at += step) {
			size_t left = sizeof(request) - 1 - at;
			harness_send(fd, request + at, left < step ? left : step);
			if (step > 1)
				usleep(1000);
		}
		harness_read(fd, answer, sizeof(answer), 3000, NULL);
		close(fd);
		assert_int_equal(status_of(answer), 200);
		assert_non_null(strstr(answer, "\r\n\r\nhello0123456789"));
		assert_non_null(strstr(answer, "x-query: x\r\n"));
	}
}

static void a_head_request_gets_the_headers_only(void **state)
{
	char answer[4096];

	(void)state;
	harness_exchange(&harness,
			 "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /assets/next "
			 "HTTP/1.1\r\nHost: "
			 "x\r\nConnection: close\r\n\r\n",
			 answer, sizeof(answer));
	assert_non_null(strstr(answer, "content-length: 6\r\n"));
	assert_null(strstr(answer, "hello\n"));
	assert_non_null(strstr(answer, "/assets/next"));
}

static void a_client_that_asks_first_is_told_to_continue(void **state)
{
	char answer[4096];
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: "
			      "100-continue\r\nConnection: close\r\n\r\n");
	harness_read_for(fd, answer, sizeof(answer), "\r\n\r\n");
	assert_string_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n");
	harness_send_text(fd, "hello");
	harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 200);
	close(fd);
	harness_exchange(&harness,
			 "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: "
			 "100-continue\r\n\r\n",
			 answer, sizeof(answer));
	assert_int_equal(status_of(answer), 413);
	harness_exchange(&harness,
			 "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: "
			 "wonders\r\n\r\n",
			 answer, sizeof(answer));
	assert_int_equal(status_of(answer), 417);
}

static void unknown_paths_and_methods_are_named(void **state)
{
	char answer[4096];

	(void)state;
	harness_exchange(&harness, "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			 answer, sizeof(answer));
	assert_int_equal(status_of(answer), 404);
	harness_exchange(&harness, "DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n", answer,
			 sizeof(answer));
	assert_int_equal(status_of(answer), 405);
	assert_non_null(strstr(answer, "allow: POST, PUT\r\n"));
	harness_exchange(&harness,
			 "GET http://other:80/assets/abs?q HTTP/1.1\r\nHost: x\r\nConnection: "
			 "close\r\n\r\n",
			 answer, sizeof(answer));
	assert_non_null(strstr(answer, "\r\n\r\n/assets/abs"));
}

static void grpc_over_http_1_is_told_to_use_http_2(void **state)
{
	char answer[4096];

	(void)state;
	harness_exchange(&harness,
			 "POST /test.Echo/Call HTTP/1.1\r\nHost: x\r\nContent-Type: "
			 "application/grpc\r\nContent-Length: 5\r\n\r\n\1\1\1\1\1",
			 answer, sizeof(answer));
	assert_int_equal(status_of(answer), 505);
	assert_non_null(strstr(answer, "HTTP/2"));
}

/* The offer of h2c is not taken; the request is answered in HTTP/1.1. */
static void an_upgrade_offer_is_ignored(void **state)
{
	char answer[4096];

	(void)state;
	harness_exchange(&harness,
			 "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, "
			 "close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
			 answer, sizeof(answer));
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "hello\n"));
}

#define HEAD "POST /echo HTTP/1.1\r\nHost: x\r\n"

static const char *const malformed[] = {
	/* Two opinions on where the body ends: request smuggling. */
	HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	HEAD "Content-Length: 5, 6\r\n\r\nhello!",
	HEAD "Content-Length: +5\r\n\r\nhello",
	HEAD "Content-Length: -5\r\n\r\nhello",
	HEAD "Content-Length: 0x5\r\n\r\nhello",
	HEAD "Content-Length: 99999999999999999999999\r\n\r\nhello",
	HEAD "Transfer-Encoding: gzip\r\n\r\nhello",
	HEAD "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	/* Chunks. */
	HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
	HEAD "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
	/* Header lines. */
	"GET /hello HTTP/1.1\r\n\r\n",
	"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	HEAD "X-A: one\r\n two\r\n\r\n",
	HEAD "X-A: one\r\n\ttwo\r\n\r\n",
	HEAD "X-A:\r\n two\r\n\r\n",
	HEAD "X A: one\r\n\r\n",
	HEAD ": one\r\n\r\n",
	HEAD "X-A\r\n\r\n",
	HEAD "X-A: one\rX-B: two\r\n\r\n",
	HEAD "X-A: \x01\r\n\r\n",
	" GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
	/* Request lines. */
	"get /hello HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /hello HTTP/3.0\r\nHost: x\r\n\r\n",
	"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n",
	"GET /hello FTP/1.1\r\nHost: x\r\n\r\n",
	"GET /hello\r\n\r\n",
	"GET /a\x01lo HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT host:443 HTTP/1.1\r\nHost: x\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n",
	"PRI * HTTP/2.0\r\nHost: x\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"SSH-2.0-OpenSSH_9.2\r\n\r\n",
};

static void malformed_requests_are_answered_400_and_the_connection_ends(void **state)
{
	char answer[8192];
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		int handled = harness_handled();
		int fd = harness_connect(&harness);
		bool ended;
		harness_send(fd, malformed[i], strlen(malformed[i]));
		harness_send_text(fd, "GET /assets/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
		harness_read(fd, answer, sizeof(answer), 3000, &ended);
		close(fd);
		if (status_of(answer) != 400 || !ended || count_of(answer, "HTTP/1.1") != 1 ||
		    handled != harness_handled()) {
			print_message("case %zu: %s\n-> %s\n", i, malformed[i], answer);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Cut inside of a value is no folding; folded is malformed wherever the input is cut. */
static void a_folded_value_is_found_however_it_is_cut(void **state)
{
	static const char folded[] = "GET /header HTTP/1.1\r\nHost: x\r\nX-A: one\r\n two\r\n\r\n";
	static const char late[] = "GET /header HTTP/1.1\r\nHost: x\r\nX-A: \r\n two\r\n\r\n";
	static const char whole[] = "GET /header HTTP/1.1\r\nHost: x\r\nX-A: one two\r\n\r\n";
	char answer[4096];

	(void)state;
	for (size_t cut = 1; cut < sizeof(folded) - 2; cut++) {
		for (size_t more = 1; more < 4 && cut + more < sizeof(folded) - 1; more++) {
			int fd = harness_connect(&harness);
			harness_send(fd, folded, cut);
			usleep(2000);
			harness_send(fd, folded + cut, more);
			usleep(2000);
			harness_send(fd, folded + cut + more, sizeof(folded) - 1 - cut - more);
			shutdown(fd, SHUT_WR);
			harness_read(fd, answer, sizeof(answer), 3000, NULL);
			close(fd);
			assert_int_equal(status_of(answer), 400);
		}
	}
	for (size_t cut = 30; cut < sizeof(late) - 2; cut++) {
		for (size_t more = 1; more < 4 && cut + more < sizeof(late) - 1; more++) {
			int fd = harness_connect(&harness);
			harness_send(fd, late, cut);
			usleep(2000);
			harness_send(fd, late + cut, more);
			usleep(2000);
			harness_send(fd, late + cut + more, sizeof(late) - 1 - cut - more);
			shutdown(fd, SHUT_WR);
			harness_read(fd, answer, sizeof(answer), 3000, NULL);
			close(fd);
			assert_int_equal(status_of(answer), 400);
		}
	}
	for (size_t cut = 20; cut < sizeof(whole) - 2; cut++) {
		int fd = harness_connect(&harness);
		harness_send(fd, whole, cut);
		usleep(2000);
		harness_send(fd, whole + cut, sizeof(whole) - 1 - cut);
		shutdown(fd, SHUT_WR);
		harness_read(fd, answer, sizeof(answer), 3000, NULL);
		close(fd);
		assert_int_equal(status_of(answer), 200);
		assert_non_null(strstr(answer, "x-a=one two\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_is_answered_and_the_connection_kept),
		cmocka_unit_test(connection_close_and_http_1_0_end_the_connection),
		cmocka_unit_test(requests_sent_in_one_go_are_answered_in_order),
		cmocka_unit_test(a_chunked_body_arrives_whole_however_it_is_cut),
		cmocka_unit_test(a_head_request_gets_the_headers_only),
		cmocka_unit_test(a_client_that_asks_first_is_told_to_continue),
		cmocka_unit_test(unknown_paths_and_methods_are_named),
		cmocka_unit_test(grpc_over_http_1_is_told_to_use_http_2),
		cmocka_unit_test(an_upgrade_offer_is_ignored),
		cmocka_unit_test(malformed_requests_are_answered_400_and_the_connection_ends),
		cmocka_unit_test(a_folded_value_is_found_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
