/* The network room: one listener that speaks HTTP/1.1 and HTTP/2 (prior
 * knowledge, or ALPN inside TLS) on the same port or Unix socket, unary gRPC
 * on top, and a client for gRPC and HTTP.
 *
 * A server runs one libuv loop in one thread of its own. A request is handed to
 * its route's handler when it is there whole (headers and body, within the
 * limits). Handlers run on worker threads (several at once), so they may block;
 * everything they get stays valid until they return. What they answer is sent
 * by the loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* ---- requests and answers ---- */

struct net_header {
	struct str name; /* lower case */
	struct str value;
};

struct net_request {
	struct str method; /* "POST" */
	struct str path;   /* "/ready", percent-decoding not done */
	struct str query;  /* behind '?', or "" */
	struct str peer;   /* "127.0.0.1:51234", "unix" */
	const struct net_header *headers;
	size_t header_count;
	struct str body; /* as received: not yet unpacked, gRPC frame included */
	int http_major;	 /* 1 or 2 */
	bool tls;
	/* Memory of this request, with a limit; dropped after the answer is sent. */
	struct arena *arena;
	/* Not 0 (set by the loop) when the client went away: long work should stop. A client that
	 * only closed its sending side looks the same, so what is answered all the same is sent. */
	const _Atomic int *cancelled;
};

/* A peer without its port: "127.0.0.1", "[::1]", "unix"; what stays the same over connections. */
struct str net_peer_host(struct str peer);
/* The value of a header (name in lower case), or {NULL, 0}. */
struct str net_header_get(const struct net_request *request, struct str name);
/* The decoded value of a query parameter, in the arena; {NULL, 0} if absent. */
struct str net_query_get(const struct net_request *request, struct str name);

struct net_answer {
	int status;	 /* 200 */
	struct buf body; /* freed by net after sending */
	struct net_header headers[24];
	size_t header_count;
	struct net_header trailers[8]; /* gRPC: grpc-status ...; HTTP/2 only */
	size_t trailer_count;
	/* A body that outlives the answer, sent instead of body without a copy. */
	struct str static_body;
	/* Where net_grpc_error() and net_answer_text() keep their texts; nobody else's. */
	char scratch[5120];
	size_t scratch_len;
};

/* Adds a header or trailer; name (lower case) and value must live until the handler's arena goes.
 * Dropped: too many, values with control bytes, and what is net's to say (length, date, connection,
 * transfer-encoding). */
void net_answer_header(struct net_answer *answer, struct str name, struct str value);
void net_answer_trailer(struct net_answer *answer, struct str name, struct str value);
/* Plain text answer: status and one line. */
void net_answer_text(struct net_answer *answer, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The status of err_info and the sentence as one line; for HTTP what net_grpc_error is for gRPC. */
void net_answer_error(struct net_answer *answer, const struct err *err);
/* Does Accept-Encoding allow gzip (RFC 9110 section 12.5.3)? */
bool net_accepts_gzip(const struct net_request *request);
/* Packs a body over 1 KiB when the request's Accept-Encoding allows gzip and no Content-Encoding
 * is set, and sets Content-Encoding and Vary. Without memory the answer stays as it is. Call it
 * last. */
void net_answer_gzip(const struct net_request *request, struct net_answer *answer);

/* Fills the answer (status 0 becomes 500). Runs on a worker thread. */
typedef void net_handler(void *user, const struct net_request *request, struct net_answer *answer);

struct net_route {
	const char *method; /* "GET", "POST", or "*" */
	const char *path;   /* exact, or a prefix when it ends in '*' ("/assets/" + '*') */
	net_handler *handler;
	void *user;
	/* A handler that never blocks (health, static files) may run on the loop itself. */
	bool on_loop;
	size_t body_limit_bytes; /* 0: the server's default */
};

/* ---- server ---- */

/* A field that is 0 means its default. */
struct net_limits {
	size_t body_bytes;		 /* default 100 MiB; over it: 413 / RESOURCE_EXHAUSTED */
	size_t header_bytes;		 /* default 64 KiB; over it: 431 */
	uint32_t header_count;		 /* default 100 */
	uint32_t connections;		 /* default 12000; over it the newest are closed at once */
	uint32_t streams_per_connection; /* HTTP/2, default 100 */
	size_t buffered_bytes; /* bodies being received, all connections, default 512 MiB: 503 */
	uint64_t header_timeout_ns; /* first byte to end of headers, default 10 s */
	uint64_t body_timeout_ns;   /* without progress, default 30 s */
	uint32_t body_rate;	  /* B/s that a body must come with beyond that time, default 500 */
	uint64_t idle_timeout_ns; /* between requests, default 2 min */
	uint64_t graceful_ns;	  /* stop: how long running requests may go on, default 10 s */
	uint32_t workers;	  /* default 4 */
	uint32_t queue;		  /* requests waiting for a worker, default 1024: 503 */
	size_t request_memory_bytes; /* what a request's arena may take, default 1 GiB */
};

void net_limits_default(struct net_limits *limits);

/* Asked on the loop when the headers of a request are there, before its body is taken in: so it never blocks. False:
 * the answer, which it filled, is sent, and the body is not received. */
typedef bool net_gate(void *user, const struct net_route *route, const struct net_request *request,
		      struct net_answer *answer);

/* What clients show of themselves; the values and names of Go's crypto/tls ClientAuthType. */
enum net_client_auth {
	NET_CLIENT_CERT_DEFAULT, /* verified if given when there is a client CA, else not asked for */
	NET_CLIENT_CERT_NONE,
	NET_CLIENT_CERT_REQUEST,	 /* asked for, none is fine, not verified */
	NET_CLIENT_CERT_REQUIRE_ANY,	 /* needed, not verified */
	NET_CLIENT_CERT_VERIFY_IF_GIVEN, /* none is fine */
	NET_CLIENT_CERT_REQUIRE_VERIFY,
};

/* Of each pair either the file or the text, PEM. */
struct net_tls_config {
	const char *cert_file, *key_file;
	const char *cert_text, *key_text;
	const char *client_ca_file, *client_ca_text; /* for what is verified, else NULL */
	enum net_client_auth client_auth;
	int min_version; /* 0x0301 (TLS 1.0) to 0x0304, as on the wire; 0: TLS 1.2 */
	/* Names of the IANA registry (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), split at commas; NULL: OpenSSL's
	 * choice. As in Go the list is about versions before 1.3; suites of 1.3 in it choose among those. */
	const char *cipher_suites;
};

struct net_server_config {
	/* "127.0.0.1:4040", "[::1]:0", ":4040" (every address), "unix:/run/x.sock" (mode 0660) */
	const char *listen;
	struct net_limits limits;
	const struct net_tls_config *tls; /* NULL: clear text */
	const struct net_route *routes;	  /* first match wins; must outlive the server */
	size_t route_count;
	net_gate *gate; /* NULL: none */
	void *gate_user;
};

struct net_server;

/* Binds and starts the thread. Errors name the address and what to do (port taken ...). The config
 * and its limits are copied, tls is read here only. A path
 * whose routes all have other methods is answered 405; a GET route serves HEAD as well. */
MUST_USE int net_server_start(const struct net_server_config *config, struct net_server **ret,
			      struct err *err);
/* "127.0.0.1:4040" with the port really bound; lives as long as the server. */
const char *net_server_address(const struct net_server *server);
/* Connections that come from now on are made with these certificates and settings; those there are stay. Errors name
 * the file, and all is as before; ERR_INVALID also for a server that was started without TLS. Any thread. */
MUST_USE int net_server_set_tls(struct net_server *server, const struct net_tls_config *tls,
				struct err *err);
/* Would a server start with these? Reads the files. Errors as there. */
MUST_USE int net_tls_check(const struct net_tls_config *tls, struct err *err);
/* Listens on one more address with the same routes (the Unix socket of `cresset up`). */
MUST_USE int net_server_listen(struct net_server *server, const char *listen, struct err *err);
/* Stops accepting, sends GOAWAY, lets running requests end within graceful_ns, then sets their
 * cancelled flag, waits for their handlers to return and joins. NULL is fine. */
void net_server_stop(struct net_server *server);

/* ---- gRPC, unary (gRPC over HTTP/2, PROTOCOL-HTTP2.md) ---- */

bool net_is_grpc(const struct net_request *request);
/* The message of a request, unpacked (identity, gzip, zstd, snappy) into the arena. */
MUST_USE int net_grpc_message(const struct net_request *request, size_t limit_bytes,
			      struct str *ret, struct err *err);
/* Frames the message and sets grpc-status 0. */
void net_grpc_answer(struct net_answer *answer, struct str message);
/* The same, packed when that pays and the request's grpc-accept-encoding allows gzip. */
void net_grpc_answer_gzip(const struct net_request *request, struct net_answer *answer,
			  struct str message);
/* Trailers-only answer from an error: status from err_info, grpc-message percent-encoded;
 * retry_ms >= 0 adds google.rpc.RetryInfo in grpc-status-details-bin. */
void net_grpc_error(struct net_answer *answer, const struct err *err, int64_t retry_ms);
/* A plain HTTP body, unpacked by Content-Encoding (identity, gzip, zstd, snappy) into the arena. */
MUST_USE int net_body(const struct net_request *request, size_t limit_bytes, struct str *ret,
		      struct err *err);

/* ---- client (libcurl); one client belongs to one thread ---- */

struct net_client_config {
	/* "host:port", "http://host:port", "https://host:port", "unix:///path" */
	const char *endpoint;
	bool insecure; /* clear text when the endpoint has no scheme */
	const char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;
	uint64_t timeout_ns;		  /* per call */
	const struct net_header *headers; /* sent with every call; copied */
	size_t header_count;
	const char *user_agent;
	size_t reply_bytes; /* most that a reply may carry, unpacked too; 0: 64 MiB */
};

struct net_client;

struct net_reply {
	int http_status; /* 0: no answer at all */
	/* -1: none seen with a 200; a proxy's other HTTP status without one is mapped as gRPC's
	 * http-grpc-status-mapping.md says */
	int grpc_status;
	char grpc_message[512];
	int64_t retry_after_ms; /* RetryInfo or Retry-After; -1: none */
	struct buf body; /* gRPC: the message without its frame; free with net_reply_deinit */
};

MUST_USE int net_client_create(const struct net_client_config *config, struct net_client **ret,
			       struct err *err);
void net_client_destroy(struct net_client *client);
/* One unary gRPC call; method as "/package.Service/Method". gzip packs the message. Returns 0 when
 * an answer came (look at grpc_status), else ERR_IO / ERR_TIMEOUT with the reason. */
MUST_USE int net_client_grpc(struct net_client *client, const char *method, struct str message,
			     bool gzip, struct net_reply *reply, struct err *err);
/* One HTTP request; body may be empty. path with query. */
MUST_USE int net_client_http(struct net_client *client, const char *method, const char *path,
			     const char *content_type, struct str body, struct net_reply *reply,
			     struct err *err);
/* The same with headers of its own beside the configured ones. */
struct net_client_request {
	const char *method, *path;
	const struct net_header *headers;
	size_t header_count;
	struct str body;
};

MUST_USE int net_client_send(struct net_client *client, const struct net_client_request *request,
			     struct net_reply *reply, struct err *err);
/* Lets a call in flight in another thread end at once with ERR_CANCELLED, and every later call too
 * (shutdown). Any thread. */
void net_client_cancel(struct net_client *client);
void net_reply_deinit(struct net_reply *reply);
