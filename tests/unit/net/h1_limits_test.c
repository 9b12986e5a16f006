/* HTTP/1.1 clients that send too much, too slowly, or do not read. */
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

#define HEAD "POST /echo HTTP/1.1\r\nHost: x\r\n"

static void too_many_or_too_large_headers_are_answered_431(void **state)
{
	char request[16384], answer[4096];
	size_t len =
		(size_t)snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: x\r\n");

	(void)state;
	for (int i = 0; i < 21; i++)
		len += (size_t)snprintf(request + len, sizeof(request) - len, "x-%d: 1\r\n", i);
	snprintf(request + len, sizeof(request) - len, "\r\n");
	harness_exchange(&harness, request, answer, sizeof(answer));
	assert_int_equal(status_of(answer), 431);
	assert_non_null(strstr(answer, "at most 20 of 4096 bytes"));

	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /hello HTTP/1.1\r\nHost: ", 27);
	memcpy(request + 5000, "\r\n\r\n", 5);
	harness_exchange(&harness, request, answer, sizeof(answer));
	assert_int_equal(status_of(answer), 431);

	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /", 5);
	memcpy(request + 5000, " HTTP/1.1\r\nHost: x\r\n\r\n", 23);
	harness_exchange(&harness, request, answer, sizeof(answer));
	assert_int_equal(status_of(answer), 431);
}

static void headers_that_only_together_are_too_large_are_answered_431(void **state)
{
	char request[8192], answer[4096];
	size_t len =
		(size_t)snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: x\r\n");

	(void)state;
	for (int i = 0; i < 12; i++)
		len += (size_t)snprintf(request + len, sizeof(request) - len, "x-%d: %0400d\r\n", i,
					i);
	snprintf(request + len, sizeof(request) - len, "\r\n");
	harness_exchange(&harness, request, answer, sizeof(answer));
	assert_int_equal(status_of(answer), 431);
}

/* A bomb that never ends is cut off at the limit, not read on. */
static void endless_headers_and_trailers_end_at_the_limit(void **state)
{
	char answer[4096], line[64];
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, "GET /hello HTTP/1.1\r\n");
	for (int i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "header-number-%d: value\r\n", i);
		harness_send_text(fd, line);
	}
	harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 431);
	close(fd);
	fd = harness_connect(&harness);
	harness_send_text(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "trailer-number-%d: value\r\n", i);
		harness_send_text(fd, line);
	}
	harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 431);
	close(fd);
}

static void trailers_do_not_become_headers(void **state)
{
	char answer[4096];

	(void)state;
	harness_exchange(&harness,
			 "GET /header HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
			 "chunked\r\nConnection: close\r\n\r\n0\r\nX-Scope-OrgID: evil\r\n\r\n",
			 answer, sizeof(answer));
	assert_non_null(strstr(answer, "host=x\n"));
	assert_null(strstr(answer, "evil"));
}

static void a_body_over_the_limit_is_answered_413(void **state)
{
	char answer[4096];
	static char body[200000];
	int fd;

	(void)state;
	harness_exchange(&harness, HEAD "Content-Length: 100001\r\n\r\n", answer, sizeof(answer));
	assert_int_equal(status_of(answer), 413);
	assert_non_null(strstr(answer, "at most 100000 bytes"));
	/* Chunked: known only when it is there. */
	fd = harness_connect(&harness);
	harness_send_text(fd, HEAD "Transfer-Encoding: chunked\r\n\r\n20000\r\n");
	harness_send(fd, body, 0x20000);
	harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 413);
	close(fd);
	assert_true(harness_metric("cresset_net_refused_total{reason=\"body_size\"}") >= 2);
}

static void exactly_the_limit_is_taken(void **state)
{
	static char answer[150000], body[100000];
	int fd = harness_connect(&harness);

	(void)state;
	memset(body, 'b', sizeof(body));
	harness_send_text(fd, HEAD "Content-Length: 100000\r\nConnection: close\r\n\r\n");
	harness_send(fd, body, sizeof(body));
	size_t len = harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 200);
	assert_memory_equal(answer + len - sizeof(body), body, sizeof(body));
	close(fd);
}

static void slow_headers_are_answered_408(void **state)
{
	static const char *const starts[] = {"G", "PRI * ", "GET /hello HTTP/1.1\r\nHo",
					     "GET /hello HTTP/1.1\r\nHost: x\r\n"};
	char answer[4096];
	bool ended;

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		int fd = harness_connect(&harness);
		uint64_t start_ns = clock_mono_ns();
		harness_send_text(fd, starts[i]);
		for (int k = 0; k < 5; k++) {
			usleep(50000);
			if (i > 1)
				harness_send_text(fd, "y");
		}
		harness_read(fd, answer, sizeof(answer), 3000, &ended);
		assert_true(ended);
		if (i != 1)
			assert_int_equal(status_of(answer), 408);
		assert_true(clock_mono_ns() - start_ns < (uint64_t)2500 * NS_PER_MS);
		close(fd);
	}
}

static void a_body_that_stops_is_answered_408(void **state)
{
	char answer[4096];
	bool ended;
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, HEAD "Content-Length: 10\r\n\r\nabc");
	harness_read(fd, answer, sizeof(answer), 4000, &ended);
	assert_int_equal(status_of(answer), 408);
	assert_true(ended);
	close(fd);
}

/* A byte now and then is progress, but not enough of it. */
static void a_body_that_dribbles_is_answered_408(void **state)
{
	char answer[4096];
	bool ended;
	size_t len = 0;
	int fd = harness_connect(&harness), sent = 0;

	(void)state;
	harness_send_text(fd, HEAD "Content-Length: 1000\r\n\r\n");
	while (len == 0 && sent < 100) {
		harness_send_text(fd, "a");
		sent++;
		len = harness_read(fd, answer, sizeof(answer), 100, &ended);
	}
	assert_in_range(sent, 5, 30);
	assert_int_equal(status_of(answer), 408);
	assert_non_null(strstr(answer, "too slowly"));
	close(fd);
}

/* Longer than the time limit, and faster than it must be. */
static void a_body_that_takes_its_time_is_taken(void **state)
{
	char answer[8192], piece[101];
	int fd = harness_connect(&harness);

	(void)state;
	memset(piece, 'x', sizeof(piece) - 1);
	piece[sizeof(piece) - 1] = 0;
	harness_send_text(fd, HEAD "Content-Length: 1500\r\n\r\n");
	for (int i = 0; i < 15; i++) {
		harness_send_text(fd, piece);
		clock_sleep_until_ns(clock_mono_ns() + 50 * NS_PER_MS);
	}
	harness_read_for(fd, answer, sizeof(answer), "xxxx");
	assert_int_equal(status_of(answer), 200);
	close(fd);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
	char answer[4096];
	bool ended;

	(void)state;
	for (int said_hello = 0; said_hello < 2; said_hello++) {
		int fd = harness_connect(&harness);
		if (said_hello) {
			harness_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
			harness_read_for(fd, answer, sizeof(answer), "hello\n");
		}
		assert_int_equal(harness_read(fd, answer, sizeof(answer), 3000, &ended), 0);
		assert_true(ended);
		close(fd);
	}
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
	char answer[4096];
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, HEAD "Content-Length: 5\r\n\r\nhello");
	shutdown(fd, SHUT_WR);
	harness_read(fd, answer, sizeof(answer), 3000, NULL);
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "\r\n\r\nhello"));
	close(fd);
	/* Cut off in the middle: there is nobody to answer. */
	fd = harness_connect(&harness);
	harness_send_text(fd, HEAD "Content-Length: 5\r\n\r\nabc");
	shutdown(fd, SHUT_WR);
	bool ended;
	assert_int_equal(harness_read(fd, answer, sizeof(answer), 400, &ended), 0);
	assert_true(ended);
	close(fd);
}

static void a_handler_learns_that_its_client_went(void **state)
{
	int before = harness_cancelled();
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, "GET /slow?ms=20000 HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(100000);
	close(fd);
	for (int i = 0; i < 300 && harness_cancelled() == before; i++)
		usleep(10000);
	assert_int_equal(harness_cancelled(), before + 1);
}

static void a_large_answer_reaches_a_slow_reader_whole(void **state)
{
	static char answer[8 << 20];
	int fd = harness_connect(&harness);
	size_t len = 0;

	(void)state;
	harness_send_text(fd, "GET /large?bytes=8000000 HTTP/1.1\r\nHost: x\r\nConnection: "
			      "close\r\n\r\n");
	for (;;) {
		ssize_t got =
			recv(fd, answer + len,
			     sizeof(answer) - len > 300000 ? 300000 : sizeof(answer) - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
		usleep(1000);
	}
	close(fd);
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(len - (size_t)(body - answer), 8000000);
	for (size_t i = 0; i < 8000000; i++)
		if (body[i] != (char)('a' + i % 26))
			fail_msg("byte %zu is wrong", i);
}

static void a_client_that_stops_reading_is_dropped(void **state)
{
	const char *metric = "cresset_net_refused_total{reason=\"slow_reader\"}";
	int64_t before = harness_metric(metric);
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, "GET /large?bytes=50000000 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(harness_metric_reaches(metric, before + 1));
	close(fd);
}

static void a_client_that_floods_requests_without_reading_is_slowed_down(void **state)
{
	static const char request[] = "GET /large?bytes=100000 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = harness_connect(&harness);
	size_t sent = 0;

	(void)state;
	/* Nothing is read: what the server takes is bounded by its buffers and the kernel's. */
	while (sent < (64 << 20)) {
		ssize_t got = send(fd, request, sizeof(request) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (got <= 0)
			break;
		sent += (size_t)got;
	}
	assert_true(sent < (32 << 20));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many_or_too_large_headers_are_answered_431),
		cmocka_unit_test(headers_that_only_together_are_too_large_are_answered_431),
		cmocka_unit_test(endless_headers_and_trailers_end_at_the_limit),
		cmocka_unit_test(trailers_do_not_become_headers),
		cmocka_unit_test(a_body_over_the_limit_is_answered_413),
		cmocka_unit_test(exactly_the_limit_is_taken),
		cmocka_unit_test(slow_headers_are_answered_408),
		cmocka_unit_test(a_body_that_dribbles_is_answered_408),
		cmocka_unit_test(a_body_that_takes_its_time_is_taken),
		cmocka_unit_test(a_body_that_stops_is_answered_408),
		cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
		cmocka_unit_test(a_half_closed_client_still_gets_its_answer),
		cmocka_unit_test(a_handler_learns_that_its_client_went),
		cmocka_unit_test(a_large_answer_reaches_a_slow_reader_whole),
		cmocka_unit_test(a_client_that_stops_reading_is_dropped),
		cmocka_unit_test(a_client_that_floods_requests_without_reading_is_slowed_down),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
