/* SPDX-License-Identifier: Apache-2.0
 *
 * What HTTP itself lets a client get wrong: methods, paths, types, sizes, heads. */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

#define MERGE  "/querier.v1.QuerierService/SelectMergeStacktraces"
#define EXPORT "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
#define OTLP   "/v1development/profiles"

enum { MIB = 1 << 20, KIB = 1 << 10 };

/* Each answered with its status. */
struct expectation {
	const char *what;
	struct ask ask;
	int status, grpc_status; /* 0: any 4xx, or that grpc-status does not matter */
};

static void send_expected(struct verdict *verdict, const struct expectation *row)
{
	struct reply reply;
	char why[64];

	ask_send(&row->ask, &reply);
	verdict_reply(verdict, row->what, &row->ask, &reply, false);
	bool right = row->status ? reply.status == row->status
				 : reply.status >= 400 && reply.status < 500;
	if (!right || (row->grpc_status && reply.grpc_status != row->grpc_status)) {
		snprintf(why, sizeof(why), "status %d, gRPC status %d, not %d and %d", reply.status,
			 reply.grpc_status, row->status, row->grpc_status);
		verdict_bad(verdict, row->what, buf_text(&reply.body), why);
	}
	if (str_find(buf_text(&reply.body), STR("root:")) >= 0)
		verdict_bad(verdict, row->what, row->ask.body, "it shows a file of the system");
	reply_deinit(&reply);
}

#define GET(path)                                         \
	{                                                 \
		"GET", path, NULL, NULL, {NULL, 0}, false \
	}
static const struct expectation paths[] = {
	{"ready", GET("/ready"), 200, 0},
	{"metrics", GET("/metrics"), 200, 0},
	{"page", GET("/"), 200, 0},
	{"unknown", GET("/nothing"), 404, 0},
	{"assets", GET("/assets/x"), 404, 0},
	{"traversal", GET("/assets/../../../../../../etc/passwd"), 404, 0},
	{"traversal, escaped", GET("/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), 404, 0},
	{"traversal, escaped slash", GET("/assets/..%2f..%2f..%2f..%2fetc%2fpasswd"), 404, 0},
	{"traversal, twice escaped", GET("/assets/%252e%252e%252fetc%252fpasswd"), 404, 0},
	{"traversal, overlong UTF-8", GET("/assets/%c0%ae%c0%ae/etc/passwd"), 404, 0},
	{"traversal, NUL", GET("/assets/index.html%00/../../etc/passwd"), 404, 0},
	{"traversal, backslash", GET("/assets/..\\..\\..\\etc\\passwd"), 404, 0},
	{"double slash", GET("//etc/passwd"), 404, 0},
	{"absolute", GET("http://elsewhere/etc/passwd"), 404, 0},
	{"asterisk", {"OPTIONS", "*", NULL, NULL, {NULL, 0}, false}, 0, 0},
	{"post to ready", {"POST", "/ready", NULL, NULL, {NULL, 0}, false}, 405, 0},
	{"delete page", {"DELETE", "/", NULL, NULL, {NULL, 0}, false}, 405, 0},
	{"put asset", {"PUT", "/assets/x", NULL, NULL, {"x", 1}, false}, 405, 0},
	{"get method", GET(MERGE), 405, 0},
	{"get export", GET(OTLP), 405, 0},
	{"delete export", {"DELETE", OTLP, "application/json", NULL, {"{}", 2}, false}, 405, 0},
	{"no type", {"POST", MERGE, NULL, NULL, {"{}", 2}, false}, 415, 0},
	{"text", {"POST", MERGE, "text/plain", NULL, {"{}", 2}, false}, 415, 0},
	{"pprof to OTLP",
	 {"POST", OTLP, "application/octet-stream", NULL, {"{}", 2}, false},
	 415,
	 0},
	{"no type to OTLP", {"POST", OTLP, NULL, NULL, {"{}", 2}, false}, 415, 0},
	{"gRPC on HTTP/1.1", {"POST", EXPORT, "application/grpc", NULL, {"", 0}, false}, 505, 0},
	{"gRPC to a page", {"POST", "/nothing", "application/grpc", NULL, {"", 0}, true}, 200, 12},
	{"JSON as gRPC", {"POST", EXPORT, "application/json", NULL, {"{}", 2}, true}, 415, 0},
	{"method unknown",
	 {"POST", "/querier.v1.QuerierService/No", "application/json", NULL, {"{}", 2}, false},
	 501,
	 0},
	{"brotli",
	 {"POST", OTLP, "application/json", "Content-Encoding: br\r\n", {"{}", 2}, false},
	 415,
	 0},
	{"gzip that is not",
	 {"POST", OTLP, "application/json", "Content-Encoding: gzip\r\n", {"{}", 2}, false},
	 400,
	 0},
	{"expectation", {"POST", OTLP, NULL, "Expect: wonders\r\n", {"{}", 2}, false}, 417, 0},
	{"tenant upwards",
	 {"POST", MERGE, "application/json", "X-Scope-OrgID: ../../etc\r\n", {"{", 1}, false},
	 400,
	 0},
};

static void send_paths(void)
{
	struct verdict verdict = verdict_begin(
		"wrong paths, methods, types and encodings get the status they should");

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		send_expected(&verdict, &paths[i]);
	verdict_end(&verdict);
}

/* ---- heads ---- */

/* Text, and the status that it must have; 0: any 4xx, or the end of the connection. */
static const struct {
	const char *text;
	int status;
} heads[] = {
	{"GET /ready HTTP/1.1\r\n\r\n", 400},
	{"GET /ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
	{"GET /ready HTTP/9.9\r\nHost: a\r\n\r\n", 0},
	{"get /ready HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	{"GET ready HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET /\x01\x02 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	{"GET /ready HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400},
	{"GET /ready HTTP/1.1\r\nHost : a\r\n\r\n", 400},
	{"GET /ready HTTP/1.1\r\nHost: a\r\nX\x80: b\r\n\r\n", 400},
	{"GET /ready HTTP/1.1\r\nHost: a\nX: b\n\n", 0},
	{"CONNECT elsewhere:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999\r\n\r\n", 413},
	{"POST " MERGE " HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
	 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
	 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, identity\r\n\r\n{}", 0},
	{"POST " OTLP " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	 "ffffffffffffffffff\r\n",
	 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n", 400},
	{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n",
	 400},
};

static void send_head(struct verdict *verdict, struct str text, int status)
{
	struct ask shown = {.body = text};
	struct reply reply;
	char why[64];

	talk(text, true, &reply);
	verdict_reply(verdict, "head", &shown, &reply, status == 0);
	bool right = status ? reply.status == status
			    : reply.status == 0 || (reply.status >= 400 && reply.status < 600);
	if (!right) {
		snprintf(why, sizeof(why), "status %d, not %d", reply.status, status);
		verdict_bad(verdict, "head", text, why);
	}
	reply_deinit(&reply);
}

static void put_many(struct buf *out, const char *piece, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_cstr(out, piece);
}

static void send_large_heads(struct verdict *verdict)
{
	static const struct {
		const char *before, *piece, *after;
		size_t times;
	} rows[] = {
		{"GET /", "a", " HTTP/1.1\r\nHost: a\r\n\r\n", 100 * KIB},
		{"GET /ready?", "a=b&", " HTTP/1.1\r\nHost: a\r\n\r\n", 100 * KIB},
		{"GET /ready HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", "\r\n", 200},
		{"GET /ready HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n", "\r\n", 100 * KIB},
		{"GET /ready HTTP/1.1\r\nHost: a\r\nX: ", "b", "\r\n\r\n", MIB},
		{"GET /ready HTTP/1.1\r\nHost: a\r\n", "x", ": b\r\n\r\n", MIB},
		{"POST " OTLP " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n0\r\n",
		 "X-A: b\r\n", "\r\n", 100 * KIB},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text = {0};
		buf_cstr(&text, rows[i].before);
		put_many(&text, rows[i].piece, rows[i].times);
		buf_cstr(&text, rows[i].after);
		send_head(verdict, buf_text(&text), 431);
		buf_deinit(&text);
	}
}

static void send_heads(void)
{
	struct verdict verdict = verdict_begin("malformed and endless heads are refused");

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		send_head(&verdict, str_of(heads[i].text), heads[i].status);
	send_large_heads(&verdict);
	verdict_end(&verdict);
}

/* ---- sizes ---- */

static void send_large(void)
{
	struct verdict verdict =
		verdict_begin("bodies that are too large are refused with 413 or 8");
	char *zeros = calloc(101, MIB);
	if (!zeros)
		die("memory");
	const struct expectation rows[] = {
		{"query",
		 {"POST", MERGE, "application/json", NULL, {zeros, 5 * MIB}, false},
		 413,
		 0},
		{"gRPC", {"POST", MERGE, "application/grpc", NULL, {zeros, 5 * MIB}, true}, 200, 8},
		{"OTLP",
		 {"POST", OTLP, "application/x-protobuf", NULL, {zeros, 101 * MIB}, false},
		 413,
		 0},
		{"JSON",
		 {"POST", OTLP, "application/json", NULL, {zeros, 17 * MIB}, false},
		 413,
		 0},
		{"export",
		 {"POST", EXPORT, "application/grpc", NULL, {zeros, 101 * MIB}, true},
		 200,
		 8},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		send_expected(&verdict, &rows[i]);
	free(zeros);
	verdict_end(&verdict);
}

static void send_bombs(void)
{
	struct verdict verdict =
		verdict_begin("gzip that unpacks to 4 GiB is refused, whoever gets it");
	const char *http = "Content-Encoding: gzip\r\n", *grpc = "grpc-encoding: gzip\r\n";
	struct arena arena;

	arena_init(&arena, 0);
	struct str small = gzip_bomb(&arena, 3072), large = gzip_bomb(&arena, 4096);
	const struct expectation rows[] = {
		{"query", {"POST", MERGE, "application/json", http, small, false}, 0, 0},
		{"query", {"POST", MERGE, "application/proto", http, small, false}, 0, 0},
		{"query gRPC",
		 {"POST", MERGE, "application/grpc", grpc, grpc_frame(&arena, small, true), true},
		 200,
		 8},
		{"OTLP", {"POST", OTLP, "application/x-protobuf", http, large, false}, 413, 0},
		{"OTLP JSON", {"POST", OTLP, "application/json", http, large, false}, 413, 0},
		{"export",
		 {"POST", EXPORT, "application/grpc", grpc, grpc_frame(&arena, large, true), true},
		 200,
		 8},
	};
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			send_expected(&verdict, &rows[i]);
	arena_deinit(&arena);
	verdict_end(&verdict);
}

void attack_http(void)
{
	send_paths();
	send_heads();
	send_large();
	send_bombs();
}
