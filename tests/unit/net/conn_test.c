/* Connections without sockets: every cut of the input, and every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipe.h"

static const char h1_requests[] =
	"POST /echo?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
	"POST /any/thing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
	"chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	"GET /missing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/* Preface, SETTINGS, a POST with body, a GET, a gRPC call, PING. */
static const char h2_requests[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				  "\0\0\0\4\0\0\0\0\0"
				  "\0\0\x0c\1\4\0\0\0\1\x83\x86\x04\x05/echo\x01\x01x"
				  "\0\0\5\0\1\0\0\0\1hello"
				  "\0\0\x0d\1\5\0\0\0\3\x82\x86\x04\x06/hello\x01\x01x"
				  "\0\0\x1f\1\4\0\0\0\5\x83\x86\x04\x05/grpc\x01\x01x\x0f\x10\x10"
				  "application/grpc"
				  "\0\0\x08\0\1\0\0\0\5\0\0\0\0\3abc"
				  "\0\0\x08\6\0\0\0\0\0abcdefgh";

struct script {
	const char *bytes;
	size_t len;
	const char *wanted[4];
	bool ends;
};

static const struct script scripts[] = {
	{h1_requests, sizeof(h1_requests) - 1, {"hello", "hello\n", "abc", "404 Not Found"}, true},
	{h2_requests, sizeof(h2_requests) - 1, {"hello", "hello\n", "abc", "abcdefgh"}, false},
};

enum { SCRIPT_COUNT = sizeof(scripts) / sizeof(scripts[0]) };

static void check_answers(const struct script *script, struct str out)
{
	for (size_t i = 0; i < 4; i++)
		assert_true(str_find(out, str_of(script->wanted[i])) >= 0);
}

static void every_cut_of_the_input_gives_the_same_answers(void **state)
{
	(void)state;
	for (size_t s = 0; s < SCRIPT_COUNT; s++) {
		for (size_t cut = 0; cut <= scripts[s].len; cut++) {
			struct pipe pipe;
			pipe_init(&pipe);
			pipe_feed(&pipe, scripts[s].bytes, cut);
			bool open = pipe_feed(&pipe, scripts[s].bytes + cut, scripts[s].len - cut);
			check_answers(&scripts[s], buf_text(&pipe.out));
			assert_int_equal(open, !scripts[s].ends);
			pipe_deinit(&pipe);
			assert_int_equal(pipe.host.budget.used_bytes, 0);
		}
	}
}

static void byte_by_byte_and_with_slow_workers_too(void **state)
{
	(void)state;
	for (size_t s = 0; s < SCRIPT_COUNT; s++) {
		struct pipe pipe;
		pipe_init(&pipe);
		pipe.workers = true;
		for (size_t i = 0; i < scripts[s].len; i++)
			pipe_feed(&pipe, scripts[s].bytes + i, 1);
		for (int round = 0; round < 5; round++) {
			pipe_work(&pipe);
			pipe_pull(&pipe);
		}
		check_answers(&scripts[s], buf_text(&pipe.out));
		pipe_deinit(&pipe);
	}
}

static void a_connection_that_goes_leaves_its_handlers_to_end(void **state)
{
	(void)state;
	for (size_t s = 0; s < SCRIPT_COUNT; s++) {
		struct pipe pipe;
		pipe_init(&pipe);
		pipe.workers = true;
		pipe_feed(&pipe, scripts[s].bytes, scripts[s].len);
		assert_non_null(pipe.waiting);
		assert_int_equal(atomic_load(pipe.waiting->request.cancelled), CALL_WANTED);
		conn_deinit(&pipe.conn);
		for (struct call *call = pipe.waiting; call; call = call->queue_next)
			assert_int_equal(atomic_load(call->request.cancelled), CALL_GONE);
		pipe_deinit(&pipe);
		assert_int_equal(pipe.host.budget.used_bytes, 0);
	}
}

/* Each allocation fails once: a request may be refused and a connection end, nothing else. */
static void a_shortage_of_memory_at_any_point_is_survived(void **state)
{
	(void)state;
	for (size_t s = 0; s < SCRIPT_COUNT; s++) {
		uint64_t points = 1000;
		for (uint64_t nth = 1; nth <= points; nth++) {
			struct pipe pipe;
			pipe_init(&pipe);
			/* The test's own memory is not to fail. */
			buf_reserve(&pipe.out, 100000);
			pipe.workers = nth % 2;
			mem_fail_nth(nth);
			pipe_feed(&pipe, scripts[s].bytes, scripts[s].len / 2);
			pipe_feed(&pipe, scripts[s].bytes + scripts[s].len / 2,
				  scripts[s].len - scripts[s].len / 2);
			pipe_work(&pipe);
			pipe_pull(&pipe);
			conn_tick(&pipe.conn, clock_mono_ns());
			conn_drain(&pipe.conn);
			pipe_pull(&pipe);
			uint64_t made = mem_fail_nth(0);
			pipe_deinit(&pipe);
			assert_int_equal(pipe.host.budget.used_bytes, 0);
			if (made < nth)
				points = made;
		}
		assert_in_range(points, 20, 999);
	}
}

static void nothing_is_read_while_enough_is_waiting(void **state)
{
	static char many[100000];
	static const char one[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
	struct pipe pipe;

	(void)state;
	for (size_t at = 0; at + sizeof(one) < sizeof(many); at += sizeof(one) - 1)
		memcpy(many + at, one, sizeof(one) - 1);
	pipe_init(&pipe);
	pipe.workers = true;
	assert_true(conn_wants_input(&pipe.conn));
	pipe_feed(&pipe, many, 1000);
	assert_true(conn_wants_input(&pipe.conn));
	pipe_feed(&pipe, many + 1000, sizeof(many) - 1000 - sizeof(one));
	assert_false(conn_wants_input(&pipe.conn));
	assert_null(pipe.waiting->queue_next); /* one at a time */
	pipe.workers = false;
	pipe_work(&pipe);
	pipe_pull(&pipe);
	assert_true(conn_wants_input(&pipe.conn));
	pipe_deinit(&pipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_of_the_input_gives_the_same_answers),
		cmocka_unit_test(byte_by_byte_and_with_slow_workers_too),
		cmocka_unit_test(a_connection_that_goes_leaves_its_handlers_to_end),
		cmocka_unit_test(a_shortage_of_memory_at_any_point_is_survived),
		cmocka_unit_test(nothing_is_read_while_enough_is_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
