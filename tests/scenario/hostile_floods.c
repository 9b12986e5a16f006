/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that are no use to anybody: garbage, silence, slowness, floods. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "hostile.h"

enum {
	GARBAGE = 250,
	IDLE = 10000,
	SLOW = 16,
	SLOW_END_MS = 15000, /* the server gives heads 10 s */
	FLOOD_MS = 3000,
	STREAMS = 20000,
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
static const struct str h2_hello = {preface, sizeof(preface) - 1};

/* ---- what one connection gets ---- */

static void send_bytes(struct verdict *verdict, const char *what, struct str bytes)
{
	struct ask shown = {.body = bytes};
	struct reply reply;

	talk(bytes, true, &reply);
	verdict_reply(verdict, what, &shown, &reply, true);
	reply_deinit(&reply);
}

static void put_random(struct buf *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_char(out, (char)rng());
}

static void send_garbage(void)
{
	static const struct str starts[] = {
		{"", 0},
		{"GET / HTTP/1.1\r\n", 16},
		{"POST /v1development/profiles HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 71},
		{preface, sizeof(preface) - 1},
		{preface, 24},
		{"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11}, /* TLS ClientHello */
		{"\0", 1},
	};
	struct verdict verdict = verdict_begin("random bytes over TCP, behind each kind of start");

	for (unsigned i = 0; i < rounds(GARBAGE); i++) {
		struct buf bytes = {0};
		buf_str(&bytes, starts[i % (sizeof(starts) / sizeof(starts[0]))]);
		put_random(&bytes, below(i % 10 ? 300 : 100000));
		send_bytes(&verdict, "garbage", buf_text(&bytes));
		buf_deinit(&bytes);
	}
	verdict_end(&verdict);
}

/* ---- HTTP/2 frames (RFC 9113 section 4.1) ---- */

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };

static void put_frame(struct buf *out, unsigned type, unsigned flags, uint32_t stream,
		      struct str payload)
{
	const char head[9] = {(char)(payload.len >> 16),
			      (char)(payload.len >> 8),
			      (char)payload.len,
			      (char)type,
			      (char)flags,
			      (char)(stream >> 24),
			      (char)(stream >> 16),
			      (char)(stream >> 8),
			      (char)stream};
	buf_append(out, head, sizeof(head));
	buf_str(out, payload);
}

/* POST, http, and a path without Huffman (RFC 7541 appendix A and section 6.2.2). */
static const struct str head_block = {"\x83\x86\x04\x06/ready\x01\x01x", 13};
static const struct str get_block = {"\x82\x86\x04\x06/ready\x01\x01x", 13};

static void send_frames(void)
{
	struct verdict verdict = verdict_begin("HTTP/2 frames of random kinds, flags and content");

	for (unsigned i = 0; i < rounds(GARBAGE); i++) {
		struct buf bytes = {0}, payload = {0};
		buf_str(&bytes, h2_hello);
		for (size_t n = 1 + below(12); n > 0; n--) {
			buf_clear(&payload);
			if (below(3))
				put_random(&payload, below(64));
			else
				buf_str(&payload, below(2) ? head_block : get_block);
			put_frame(&bytes, (unsigned)below(11), below(2) ? 5 : (unsigned)below(256),
				  (uint32_t)below(8), buf_text(&payload));
		}
		if (below(4) == 0 && bytes.len > h2_hello.len) /* a length that lies */
			bytes.ptr[h2_hello.len + below(3)] = (char)rng();
		send_bytes(&verdict, "frames", buf_text(&bytes));
		buf_deinit(&bytes);
		buf_deinit(&payload);
	}
	verdict_end(&verdict);
}

/* ---- floods over HTTP/2 ---- */

static void put_flood(struct buf *out, int kind)
{
	static const char zeros[64];

	buf_str(out, h2_hello);
	if (kind == CONTINUATION)
		put_frame(out, HEADERS, 0, 1, get_block);
	if (kind == DATA)
		put_frame(out, HEADERS, 4, 1, head_block);
	for (uint32_t i = 0; i < STREAMS; i++) {
		switch (kind) {
		case RST: /* CVE-2023-44487 */
			put_frame(out, HEADERS, 5, 2 * i + 1, get_block);
			put_frame(out, RST, 0, 2 * i + 1, str_make("\0\0\0\x08", 4));
			break;
		case HEADERS: /* no end of stream: requests that never come */
			put_frame(out, HEADERS, 4, 2 * i + 1, head_block);
			break;
		case CONTINUATION: /* CVE-2024-28182 and its relatives */
			put_frame(out, CONTINUATION, 0, 1, STR("\x00\x01x\x01y"));
			break;
		case WINDOW:
			put_frame(out, WINDOW, 0, 0, str_make("\x7f\xff\xff\xff", 4));
			break;
		case PRIORITY:
			put_frame(out, PRIORITY, 0, 2 * i + 1, str_make("\0\0\0\x03\x10", 5));
			break;
		case PING:
			put_frame(out, PING, 0, 0, str_make(zeros, 8));
			break;
		default: /* SETTINGS, DATA: empty */
			put_frame(out, (unsigned)kind, 0, kind == DATA, STR(""));
		}
	}
}

/* A flooded connection is closed, or at least what is behind it is thrown away. */
static void send_floods(void)
{
	static const struct {
		const char *what;
		int kind;
	} rows[] = {
		{"rapid reset", RST},
		{"unfinished requests", HEADERS},
		{"continuations", CONTINUATION},
		{"pings", PING},
		{"settings", SETTINGS},
		{"priorities", PRIORITY},
		{"empty data", DATA},
		{"window overflow", WINDOW},
	};
	struct verdict verdict =
		verdict_begin("20,000 frames of each kind that floods: the connection ends");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf bytes = {0};
		put_flood(&bytes, rows[i].kind);
		send_bytes(&verdict, rows[i].what, buf_text(&bytes));
		buf_deinit(&bytes);
	}
	verdict_end(&verdict);
}

/* RFC 7541 section 2.3.3: an entry of the dynamic table that is 4,000 bytes long costs one byte each time
 * that it is named: 16 KiB on the wire, 64 MiB as text (CVE-2016-6581 and its relatives). */
static void put_header_bomb(struct buf *out, unsigned repeats)
{
	struct buf block = {0};
	static char value[3900];

	memset(value, 'b', sizeof(value));
	buf_str(&block, get_block);
	buf_append(&block, "\x40\x01x\x7f\xbd\x1d",
		   6); /* incremental indexing; 127 + 3773 = 3900 */
	buf_append(&block, value, sizeof(value));
	for (unsigned i = 0; i < repeats; i++)
		buf_append(&block, "\xbe", 1); /* index 62: the newest entry */
	buf_str(out, h2_hello);
	put_frame(out, HEADERS, 5, 1, buf_text(&block));
	buf_deinit(&block);
}

static void send_header_bombs(void)
{
	struct verdict verdict = verdict_begin("header bombs: what unpacks to 47 MiB of headers");

	for (unsigned i = 0; i < 50; i++) {
		struct buf bytes = {0};
		put_header_bomb(&bytes, 12000);
		send_bytes(&verdict, "header bomb", buf_text(&bytes));
		buf_deinit(&bytes);
	}
	verdict_end(&verdict);
}

/* The client says that it has said everything, on streams whose requests lack their body, and goes on
 * listening; or shuts its side of the socket. */
static void send_half_closed(void)
{
	struct verdict verdict = verdict_begin("half-closed streams and sockets");

	for (unsigned i = 0; i < 200; i++) {
		struct buf bytes = {0};
		int fd = dial();
		buf_str(&bytes, h2_hello);
		for (uint32_t s = 0; s < 50; s++)
			put_frame(&bytes, HEADERS, i % 2 ? 5 : 4, 2 * s + 1,
				  i % 3 ? head_block : get_block);
		if (fd >= 0) {
			(void)!send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
			shutdown(fd, SHUT_WR);
			struct buf got = {0};
			bool hung = false;
			pump(fd, STR(""), false, 2000, &got, &hung);
			verdict.count++;
			if (hung)
				verdict_bad(&verdict, "half-closed", buf_text(&bytes),
					    "still open after 2 s");
			buf_deinit(&got);
			close(fd);
		}
		buf_deinit(&bytes);
	}
	verdict_end(&verdict);
}

static void reset_for_a_while(void)
{
	struct verdict verdict = verdict_begin("rapid reset again and again, for 3 s");
	uint64_t end_ns = clock_mono_ns() + (uint64_t)FLOOD_MS * NS_PER_MS;
	struct buf bytes = {0};

	put_flood(&bytes, RST);
	while (clock_mono_ns() < end_ns)
		send_bytes(&verdict, "rapid reset", buf_text(&bytes));
	buf_deinit(&bytes);
	verdict_end(&verdict);
}

/* ---- pipelines and readers that do not read ---- */

static void send_pipelines(void)
{
	struct verdict verdict =
		verdict_begin("10,000 pipelined requests whose answers nobody reads");
	struct buf bytes = {0};

	for (int i = 0; i < 10000; i++)
		buf_cstr(&bytes, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 8; i++) {
		size_t sent = 0;
		int fd = dial();
		while (fd >= 0 && sent < bytes.len) {
			ssize_t n = send(fd, bytes.ptr + sent, bytes.len - sent, MSG_NOSIGNAL);
			if (n <= 0)
				break;
			sent += (size_t)n;
		}
		usleep(100 * 1000);
		if (fd >= 0)
			close(fd);
		verdict.count++;
	}
	buf_deinit(&bytes);
	send_bytes(&verdict, "after them", STR("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"));
	verdict_end(&verdict);
}

/* ---- silence ---- */

/* They stay until the end of the attack; an honest request goes through meanwhile. */
static void hold_idle(void)
{
	struct verdict verdict = verdict_begin("10,000 idle connections stop nobody");
	struct rlimit files;
	int *fds = calloc(IDLE, sizeof(*fds));

	if (!fds || getrlimit(RLIMIT_NOFILE, &files) != 0)
		die("limits");
	if (files.rlim_cur < IDLE + 64) {
		files.rlim_cur = files.rlim_max < IDLE + 64 ? files.rlim_max : IDLE + 64;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	size_t count = files.rlim_cur < IDLE + 64 ? files.rlim_cur - 64 : IDLE;
	for (size_t i = 0; i < count; i++) {
		fds[i] = dial();
		if (fds[i] >= 0 && i % 2)
			(void)!write(fds[i], i % 4 == 1 ? "GET" : preface, 3);
	}
	for (int i = 0; i < 20; i++) {
		send_bytes(&verdict, "ready",
			   STR("GET /ready HTTP/1.1\r\nHost: a\r\n"
			       "Connection: close\r\n\r\n"));
		if (verdict.closed)
			verdict_bad(&verdict, "ready", STR(""), "not answered");
	}
	honest_check("with 10,000 idle connections");
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	verdict_end(&verdict);
}

/* ---- slowness ---- */

static struct {
	int fds[SLOW];
	uint64_t since_ns;
} slow;

static const char *slow_text(int i)
{
	static const char *const texts[] = {"G", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
					    "PRI * HTTP/2.0\r\n",
					    "POST /v1development/profiles HTTP/1.1\r\nHost"};
	return texts[i % 4];
}

void attack_slow_begin(void)
{
	slow.since_ns = clock_mono_ns();
	for (int i = 0; i < SLOW; i++) {
		slow.fds[i] = dial();
		if (slow.fds[i] >= 0)
			(void)!send(slow.fds[i], slow_text(i), strlen(slow_text(i)), MSG_NOSIGNAL);
	}
}

void attack_slow_end(void)
{
	struct verdict verdict = verdict_begin("heads that dribble in are cut off after 10 s");

	clock_sleep_until_ns(slow.since_ns + (uint64_t)SLOW_END_MS * NS_PER_MS);
	for (int i = 0; i < SLOW; i++) {
		struct buf got = {0};
		bool hung = false;
		verdict.count++;
		if (slow.fds[i] < 0)
			continue;
		pump(slow.fds[i], STR(""), false, 100, &got, &hung);
		if (hung)
			verdict_bad(&verdict, "slow head", str_of(slow_text(i)), "still open");
		buf_deinit(&got);
		close(slow.fds[i]);
	}
	verdict_end(&verdict);
}

void attack_connections(void)
{
	send_garbage();
	send_frames();
	send_floods();
	send_header_bombs();
	send_half_closed();
	reset_for_a_while();
	send_pipelines();
	hold_idle();
}
