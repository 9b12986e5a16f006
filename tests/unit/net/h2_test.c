/* HTTP/2: by curl, nghttp and h2load, and as hostile frames. */
#include <nghttp2/nghttp2.h>
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
	limits.header_timeout_ns = (uint64_t)500 * NS_PER_MS;
	limits.body_timeout_ns = (uint64_t)600 * NS_PER_MS;
	limits.idle_timeout_ns = (uint64_t)1500 * NS_PER_MS;
	limits.body_bytes = 3 << 20;
	limits.header_bytes = 16384;
	limits.header_count = 50;
	limits.streams_per_connection = 20;
	harness_start(&harness, &limits, false);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	harness_stop(&harness);
	return 0;
}

/* ---- other people's clients ---- */

static void curl_speaks_both_protocols_on_the_same_port(void **state)
{
	static const char *const flags[] = {"--http2-prior-knowledge", "--http1.1", "--http2"};
	char out[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(harness_run(out, sizeof(out),
					     "curl -sS %s --max-time 5 -w '%%{http_code} "
					     "%%{http_version}' --data-binary 'a body' "
					     "http://127.0.0.1:%d/echo?q",
					     flags[i], harness.port),
				 0);
		assert_string_equal(out, i == 0 ? "a body200 2" : "a body200 1.1");
	}
}

static void curl_uploads_and_downloads_megabytes(void **state)
{
	char out[4096];

	(void)state;
	for (int h2 = 0; h2 < 2; h2++) {
		assert_int_equal(
			harness_run(
				out, sizeof(out),
				"head -c 3000000 /dev/zero | tr '\\0' z | curl -sS %s --max-time "
				"20 -T - -X PUT http://127.0.0.1:%d/echo | tr -d z | wc -c; curl "
				"-sS %s --max-time 20 'http://127.0.0.1:%d/large?bytes=20000000' "
				"| wc -c",
				h2 ? "--http2-prior-knowledge" : "--http1.1", harness.port,
				h2 ? "--http2-prior-knowledge" : "--http1.1", harness.port),
			0);
		assert_string_equal(out, "0\n20000000\n");
	}
}

static void gzip_is_sent_to_those_who_ask(void **state)
{
	char out[16384];

	(void)state;
	harness_run(out, sizeof(out),
		    "curl -sS --compressed -D - http://127.0.0.1:%d/gzip | tr -d '\\r'",
		    harness.port);
	assert_non_null(strstr(out, "content-encoding: gzip\n"));
	assert_non_null(strstr(out, "vary: accept-encoding\n"));
	assert_non_null(strstr(out, "01234567890123456789"));
	harness_run(out, sizeof(out),
		    "curl -sS -D - -H 'Accept-Encoding: gzip;q=0' http://127.0.0.1:%d/gzip",
		    harness.port);
	assert_null(strstr(out, "content-encoding"));
	assert_non_null(strstr(out, "content-length: 4000"));
}

static void limits_answer_with_a_status_over_http_2_too(void **state)
{
	char out[8192];

	(void)state;
	harness_run(out, sizeof(out),
		    "for i in $(seq 60); do echo \"header = \\\"x-$i: 1\\\"\"; done | curl -sS -K "
		    "- "
		    "--http2-prior-knowledge -o /dev/null -w '%%{http_code}\\n' "
		    "http://127.0.0.1:%d/hello;"
		    "curl -sS --http2-prior-knowledge -o /dev/null -w '%%{http_code}\\n' -d "
		    "@/proc/self/exe http://127.0.0.1:%d/small;"
		    "curl -sS --http2-prior-knowledge -o /dev/null -w '%%{http_code}\\n' "
		    "http://127.0.0.1:%d/nothing;"
		    "curl -sS --http2-prior-knowledge -o /dev/null -w '%%{http_code}\\n' -X DELETE "
		    "http://127.0.0.1:%d/echo",
		    harness.port, harness.port, harness.port, harness.port);
	assert_string_equal(out, "431\n413\n404\n405\n");
}

static void nghttp_gets_many_streams_at_once(void **state)
{
	char out[65536], urls[4096] = "";

	(void)state;
	for (int i = 0; i < 15; i++) {
		char url[64];
		snprintf(url, sizeof(url), " http://127.0.0.1:%d/assets/%d", harness.port, i);
		strcat(urls, url);
	}
	assert_int_equal(harness_run(out, sizeof(out), "timeout 10 nghttp -v%s", urls), 0);
	for (int i = 0; i < 15; i++) {
		char needle[32];
		snprintf(needle, sizeof(needle), "/assets/%d", i);
		assert_non_null(strstr(out, needle));
	}
}

static void h2load_has_every_request_answered(void **state)
{
	char out[16384];

	(void)state;
	assert_int_equal(harness_run(out, sizeof(out),
				     "timeout 30 h2load -n 3000 -c 8 -m 20 "
				     "http://127.0.0.1:%d/hello",
				     harness.port),
			 0);
	assert_non_null(strstr(out, "3000 succeeded, 0 failed, 0 errored"));
	assert_int_equal(harness_run(out, sizeof(out),
				     "head -c 20000 /dev/zero > /tmp/cresset-net-body; timeout 30 "
				     "h2load -n 1000 -c 4 -m 10 -d /tmp/cresset-net-body "
				     "http://127.0.0.1:%d/echo; rm -f /tmp/cresset-net-body",
				     harness.port),
			 0);
	assert_non_null(strstr(out, "1000 succeeded, 0 failed, 0 errored"));
}

/* ---- frames by hand ---- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

enum { PREFACE_BYTES = sizeof(preface) - 1 };

/* :method POST (3), :scheme http (6), :path (4) and :authority (1) as literals (RFC 7541). */
static const char post_slow[] = "\x82\x86\x04\x0d/slow?ms=4000\x01\x01x";
static const char get_hello[] = "\x82\x86\x04\x06/hello\x01\x01x";
static const char post_echo[] = "\x83\x86\x04\x05/echo\x01\x01x";

static void put_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream,
		      const void *payload, size_t len)
{
	char head[9] = {(char)(len >> 16),    (char)(len >> 8),	   (char)len,
			(char)type,	      (char)flags,	   (char)(stream >> 24),
			(char)(stream >> 16), (char)(stream >> 8), (char)stream};

	buf_append(out, head, sizeof(head));
	buf_append(out, payload, len);
}

/* Sends preface and bytes, reads all that comes until the end or the deadline. */
static size_t exchange(const struct buf *bytes, char *out, size_t cap, int timeout_ms,
		       bool *ret_ended)
{
	int fd = harness_connect(&harness);

	harness_send(fd, preface, PREFACE_BYTES);
	harness_send(fd, bytes->ptr, bytes->len);
	size_t len = harness_read(fd, out, cap, timeout_ms, ret_ended);
	close(fd);
	return len;
}

/* The highest error code in frames of the type (GOAWAY or RST_STREAM), or -1. */
static int64_t error_in(const char *bytes, size_t len, uint8_t type)
{
	int64_t found = -1;
	size_t at = 0;

	while (len - at >= 9) {
		const unsigned char *p = (const unsigned char *)bytes + at;
		size_t size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		size_t skip = type == NGHTTP2_GOAWAY ? 4 : 0;
		if (size > len - at - 9)
			break;
		if (p[3] == type && size >= skip + 4) {
			const unsigned char *e = p + 9 + skip;
			int64_t code = (int64_t)e[0] << 24 | e[1] << 16 | e[2] << 8 | e[3];
			found = code > found ? code : found;
		}
		at += 9 + size;
	}
	return found;
}

static int frames_in(const char *bytes, size_t len, uint8_t type)
{
	int count = 0;

	for (size_t at = 0; len - at >= 9;) {
		const unsigned char *p = (const unsigned char *)bytes + at;
		size_t size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		if (size > len - at - 9)
			break;
		count += p[3] == type;
		at += 9 + size;
	}
	return count;
}

enum flood {
	FLOOD_PING,
	FLOOD_SETTINGS,
	FLOOD_RESET,
	FLOOD_EMPTY_DATA,
	FLOOD_PRIORITY,
	FLOOD_COUNT
};

static void put_flood(struct buf *out, enum flood kind, uint32_t number)
{
	uint32_t stream = 1 + 2 * number;

	switch (kind) {
	case FLOOD_PING:
		put_frame(out, NGHTTP2_PING, 0, 0, "12345678", 8);
		break;
	case FLOOD_SETTINGS:
		put_frame(out, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\xff\xff", 6);
		break;
	case FLOOD_RESET:
		put_frame(out, NGHTTP2_HEADERS, 5, stream, post_slow, sizeof(post_slow) - 1);
		put_frame(out, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
		break;
	case FLOOD_EMPTY_DATA:
		if (number == 0)
			put_frame(out, NGHTTP2_HEADERS, 4, 1, post_echo, sizeof(post_echo) - 1);
		put_frame(out, NGHTTP2_DATA, 0, 1, "", 0);
		break;
	case FLOOD_PRIORITY:
		put_frame(out, NGHTTP2_PRIORITY, 0, stream, "\0\0\0\0\1", 5);
		break;
	case FLOOD_COUNT:
		break;
	}
}

static void floods_of_every_kind_end_the_connection(void **state)
{
	static char out[1 << 20];

	(void)state;
	for (int kind = 0; kind < FLOOD_COUNT; kind++) {
		struct buf bytes = {0};
		bool ended;
		for (uint32_t i = 0; i < 3000; i++)
			put_flood(&bytes, (enum flood)kind, i);
		size_t len = exchange(&bytes, out, sizeof(out), 4000, &ended);
		if (!ended || error_in(out, len, NGHTTP2_GOAWAY) != NGHTTP2_ENHANCE_YOUR_CALM)
			fail_msg("flood %d: ended %d, GOAWAY %lld", kind, ended,
				 (long long)error_in(out, len, NGHTTP2_GOAWAY));
		buf_deinit(&bytes);
	}
	assert_true(harness_metric("cresset_net_refused_total{reason=\"flood\"}") >= FLOOD_COUNT);
}

/* What was reset is cancelled in its handler, and what had not begun never begins. */
static void reset_streams_do_not_keep_the_workers(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	int handled = harness_handled();

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		put_flood(&bytes, FLOOD_RESET, i);
	(void)exchange(&bytes, out, sizeof(out), 100, NULL);
	buf_deinit(&bytes);
	uint64_t start_ns = clock_mono_ns();
	harness_run(out, sizeof(out), "curl -sS --max-time 5 -d x http://127.0.0.1:%d/echo",
		    harness.port);
	assert_string_equal(out, "x");
	assert_true(clock_mono_ns() - start_ns < (uint64_t)2 * NS_PER_S);
	assert_true(harness_handled() - handled < 50);
}

static void more_streams_than_allowed_are_refused(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		put_frame(&bytes, NGHTTP2_HEADERS, 4, 1 + 2 * i, post_echo, sizeof(post_echo) - 1);
	size_t len = exchange(&bytes, out, sizeof(out), 300, NULL);
	assert_int_equal(frames_in(out, len, NGHTTP2_RST_STREAM), 10);
	assert_int_equal(error_in(out, len, NGHTTP2_RST_STREAM), NGHTTP2_REFUSED_STREAM);
	buf_deinit(&bytes);
}

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
} broken[] = {
#define BROKEN(name_, bytes_)                     \
	{                                         \
		name_, bytes_, sizeof(bytes_) - 1 \
	}
	BROKEN("a frame of 16 MiB", "\xff\xff\xff\0\0\0\0\0\1"),
	BROKEN("data on an idle stream", "\0\0\1\0\0\0\0\0\1x"),
	BROKEN("headers on an even stream", "\0\0\1\1\5\0\0\0\2\x82"),
	BROKEN("headers on stream 0", "\0\0\1\1\5\0\0\0\0\x82"),
	BROKEN("a wrong settings length", "\0\0\5\4\0\0\0\0\0\0\4\0\0\xff"),
	BROKEN("a window update of nothing", "\0\0\4\x08\0\0\0\0\0\0\0\0\0"),
	BROKEN("HPACK: index out of range", "\0\0\2\1\5\0\0\0\1\xff\xff"),
	BROKEN("HPACK: cut Huffman", "\0\0\4\1\5\0\0\0\1\x04\x83\xff\xff"),
	BROKEN("continuation of nothing", "\0\0\0\x09\4\0\0\0\1"),
	BROKEN("a frame between headers and continuation",
	       "\0\0\1\1\0\0\0\0\1\x82\0\0\x08\6\0\0\0\0\0abcdefgh"),
	BROKEN("push promise from a client", "\0\0\5\5\4\0\0\0\1\0\0\0\2\x82"),
};

static void broken_frames_end_the_connection_with_goaway(void **state)
{
	static char out[1 << 16];

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct buf bytes = {0};
		bool ended;
		buf_append(&bytes, broken[i].bytes, broken[i].len);
		size_t len = exchange(&bytes, out, sizeof(out), 3000, &ended);
		if (!ended || error_in(out, len, NGHTTP2_GOAWAY) <= 0)
			fail_msg("%s: ended %d, GOAWAY %lld", broken[i].name, ended,
				 (long long)error_in(out, len, NGHTTP2_GOAWAY));
		buf_deinit(&bytes);
	}
}

static void a_preface_without_settings_is_refused(void **state)
{
	char out[4096];
	bool ended;
	int fd = harness_connect(&harness);

	(void)state;
	harness_send_text(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	harness_send(fd, "\0\0\x08\6\0\0\0\0\0abcdefgh", 17);
	size_t len = harness_read(fd, out, sizeof(out), 3000, &ended);
	assert_true(ended);
	assert_true(error_in(out, len, NGHTTP2_GOAWAY) > 0);
	close(fd);
}

static void a_frame_cut_off_by_the_client_is_survived(void **state)
{
	char out[4096];

	(void)state;
	for (size_t cut = 1; cut < 40; cut++) {
		struct buf bytes = {0};
		int fd = harness_connect(&harness);
		bool ended;
		buf_append(&bytes, preface, PREFACE_BYTES);
		put_frame(&bytes, NGHTTP2_HEADERS, 4, 1, post_echo, sizeof(post_echo) - 1);
		put_frame(&bytes, NGHTTP2_DATA, 0, 1, "12345678", 8);
		harness_send(fd, bytes.ptr, bytes.len - cut);
		shutdown(fd, SHUT_WR);
		harness_read(fd, out, sizeof(out), 2000, &ended);
		assert_true(ended);
		close(fd);
		buf_deinit(&bytes);
	}
}

/* One large entry in the table, named a thousand times: small on the wire, large once unpacked. */
static void a_header_bomb_is_answered_431(void **state)
{
	static char out[1 << 16];
	struct buf block = {0}, bytes = {0};

	(void)state;
	buf_append(&block, get_hello, sizeof(get_hello) - 1);
	buf_append(&block,
		   "\x40\x01"
		   "b\x7f\xa1\x1e",
		   6); /* incremental, value of 4000 bytes */
	for (int i = 0; i < 4000; i++)
		buf_char(&block, 'x');
	for (int i = 0; i < 5000; i++)
		buf_char(&block, '\xbe'); /* index 62 */
	put_frame(&bytes, NGHTTP2_HEADERS, 5, 1, block.ptr, block.len);
	int64_t before = harness_metric("cresset_net_refused_total{reason=\"header_size\"}");
	size_t len = exchange(&bytes, out, sizeof(out), 1000, NULL);
	assert_true(frames_in(out, len, NGHTTP2_HEADERS) >= 1);
	assert_int_equal(harness_metric("cresset_net_refused_total{reason=\"header_size\"}"),
			 before + 1);
	buf_deinit(&block);
	buf_deinit(&bytes);
}

static void a_flood_of_continuations_ends_the_connection(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	bool ended;

	(void)state;
	put_frame(&bytes, NGHTTP2_HEADERS, 0, 1, get_hello, sizeof(get_hello) - 1);
	for (int i = 0; i < 100; i++)
		put_frame(&bytes, NGHTTP2_CONTINUATION, 0, 1, "\0\1a\1b", 5);
	size_t len = exchange(&bytes, out, sizeof(out), 3000, &ended);
	assert_true(ended);
	assert_true(error_in(out, len, NGHTTP2_GOAWAY) > 0);
	buf_deinit(&bytes);
}

static void headers_that_never_end_are_timed_out(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	bool ended;

	(void)state;
	put_frame(&bytes, NGHTTP2_HEADERS, 0, 1, get_hello, sizeof(get_hello) - 1);
	size_t len = exchange(&bytes, out, sizeof(out), 1400, &ended);
	assert_true(ended);
	assert_int_equal(error_in(out, len, NGHTTP2_GOAWAY), NGHTTP2_ENHANCE_YOUR_CALM);
	buf_deinit(&bytes);
}

static void a_body_that_stops_is_answered_and_its_stream_reset(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	int64_t before = harness_metric("cresset_net_refused_total{reason=\"slow_body\"}");

	(void)state;
	put_frame(&bytes, NGHTTP2_HEADERS, 4, 1, post_echo, sizeof(post_echo) - 1);
	put_frame(&bytes, NGHTTP2_DATA, 0, 1, "1234", 4);
	size_t len = exchange(&bytes, out, sizeof(out), 1200, NULL);
	assert_int_equal(frames_in(out, len, NGHTTP2_HEADERS), 1);
	assert_int_equal(frames_in(out, len, NGHTTP2_RST_STREAM), 1);
	assert_int_equal(harness_metric("cresset_net_refused_total{reason=\"slow_body\"}"),
			 before + 1);
	buf_deinit(&bytes);
}

static void a_body_that_dribbles_is_answered_and_its_stream_reset(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	int fd = harness_connect(&harness), sent = 0;
	size_t len = 0;

	(void)state;
	harness_send(fd, preface, PREFACE_BYTES);
	put_frame(&bytes, NGHTTP2_HEADERS, 4, 1, post_echo, sizeof(post_echo) - 1);
	harness_send(fd, bytes.ptr, bytes.len);
	buf_clear(&bytes);
	put_frame(&bytes, NGHTTP2_DATA, 0, 1, "1", 1);
	while (frames_in(out, len, NGHTTP2_RST_STREAM) == 0 && sent < 100) {
		harness_send(fd, bytes.ptr, bytes.len);
		sent++;
		len += harness_read(fd, out + len, sizeof(out) - len, 100, NULL);
	}
	assert_in_range(sent, 6, 40);
	assert_int_equal(frames_in(out, len, NGHTTP2_HEADERS), 1);
	close(fd);
	buf_deinit(&bytes);
}

/* curl takes a reset for a failure, so the answer to a small request comes without one. */
static void a_refused_request_may_be_finished_and_an_endless_one_is_cut_off(void **state)
{
	static char out[1 << 16], chunk[16000];
	static const char post_none[] = "\x83\x86\x04\x05/none\x01\x01x";

	(void)state;
	for (int chunks = 1; chunks < 60; chunks += 40) {
		struct buf bytes = {0};
		put_frame(&bytes, NGHTTP2_HEADERS, 4, 1, post_none, sizeof(post_none) - 1);
		for (int i = 0; i < chunks; i++)
			put_frame(&bytes, NGHTTP2_DATA, i == 0 && chunks == 1, 1, chunk,
				  sizeof(chunk));
		size_t len = exchange(&bytes, out, sizeof(out), 400, NULL);
		assert_int_equal(frames_in(out, len, NGHTTP2_HEADERS), 1);
		assert_int_equal(frames_in(out, len, NGHTTP2_RST_STREAM), chunks > 1);
		buf_deinit(&bytes);
	}
}

/* A client that opens no window for its answer holds memory: the stream is reset. */
static void an_answer_that_nobody_takes_is_dropped(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};

	(void)state;
	put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
	put_frame(&bytes, NGHTTP2_HEADERS, 5, 1, get_hello, sizeof(get_hello) - 1);
	size_t len = exchange(&bytes, out, sizeof(out), 1400, NULL);
	assert_int_equal(frames_in(out, len, NGHTTP2_DATA), 0);
	assert_int_equal(error_in(out, len, NGHTTP2_RST_STREAM), NGHTTP2_CANCEL);
	buf_deinit(&bytes);
}

static void an_idle_connection_gets_goaway(void **state)
{
	static char out[1 << 16];
	struct buf bytes = {0};
	bool ended;

	(void)state;
	put_frame(&bytes, NGHTTP2_HEADERS, 5, 1, get_hello, sizeof(get_hello) - 1);
	size_t len = exchange(&bytes, out, sizeof(out), 4000, &ended);
	assert_true(ended);
	assert_int_equal(error_in(out, len, NGHTTP2_GOAWAY), NGHTTP2_NO_ERROR);
	assert_int_equal(frames_in(out, len, NGHTTP2_DATA), 1);
	buf_deinit(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(curl_speaks_both_protocols_on_the_same_port),
		cmocka_unit_test(curl_uploads_and_downloads_megabytes),
		cmocka_unit_test(gzip_is_sent_to_those_who_ask),
		cmocka_unit_test(limits_answer_with_a_status_over_http_2_too),
		cmocka_unit_test(nghttp_gets_many_streams_at_once),
		cmocka_unit_test(h2load_has_every_request_answered),
		cmocka_unit_test(floods_of_every_kind_end_the_connection),
		cmocka_unit_test(reset_streams_do_not_keep_the_workers),
		cmocka_unit_test(more_streams_than_allowed_are_refused),
		cmocka_unit_test(broken_frames_end_the_connection_with_goaway),
		cmocka_unit_test(a_preface_without_settings_is_refused),
		cmocka_unit_test(a_frame_cut_off_by_the_client_is_survived),
		cmocka_unit_test(a_header_bomb_is_answered_431),
		cmocka_unit_test(a_flood_of_continuations_ends_the_connection),
		cmocka_unit_test(headers_that_never_end_are_timed_out),
		cmocka_unit_test(a_body_that_stops_is_answered_and_its_stream_reset),
		cmocka_unit_test(a_body_that_dribbles_is_answered_and_its_stream_reset),
		cmocka_unit_test(a_refused_request_may_be_finished_and_an_endless_one_is_cut_off),
		cmocka_unit_test(an_answer_that_nobody_takes_is_dropped),
		cmocka_unit_test(an_idle_connection_gets_goaway),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
