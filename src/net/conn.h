/* Private to net: one connection without its socket. Clear bytes go in, answers
 * come out, whole requests go to the host. Finds out by the first bytes which
 * protocol is spoken. Never touches a descriptor, so that a test or a fuzzer can
 * drive it with bytes alone. Everything here is the loop's thread. */
#pragma once

#include "call.h"

struct conn;

/* What a connection needs from whoever runs it. */
struct conn_host {
	struct net_limits limits;
	struct call_budget budget;
	const struct net_route *routes;
	size_t route_count;
	net_gate *gate; /* NULL: everybody may come in */
	void *gate_user;
	/* Takes a request that is whole; conn_answered() must follow once, at any later time, even
	 * when the connection is gone by then (call->conn NULL: call_destroy() instead). May answer
	 * before it returns. False: the queue is full. */
	bool (*dispatch)(void *user, struct call *call);
	void *user;
};

/* What a protocol does for a connection; all are given what create() made. */
struct conn_protocol {
	int http_major;
	void *(*create)(struct conn *conn); /* NULL: no memory */
	void (*destroy)(void *self);
	void (*input)(void *self, const char *ptr, size_t len);
	void (*input_end)(void *self); /* the client sends no more */
	/* Appends what there is to send, until about room bytes are in out. */
	void (*output)(void *self, struct buf *out, size_t room);
	void (*answered)(void *self, struct call *call); /* call->answer is there */
	bool (*wants_input)(const void *self);
	void (*tick)(void *self, uint64_t now_ns); /* timeouts */
	void (*drain)(void *self);	   /* no new requests; done after the running ones */
	bool (*is_done)(const void *self); /* with nothing left to send: close */
};

struct conn {
	struct conn_host *host;
	const struct conn_protocol *protocol; /* NULL: not known yet */
	void *self;
	char peer[64];
	bool tls;
	bool failed; /* out of memory, or a hostile client: close at once */
	bool draining;
	bool input_ended;
	char first[24]; /* bytes before the protocol is known */
	size_t first_len;
	uint64_t opened_ns;
	struct call *calls; /* whatever belongs to this connection */
	uint32_t running;   /* of them, in a handler */
};

void conn_init(struct conn *conn, struct conn_host *host, bool tls);
/* Calls in handlers are told and go on without it. */
void conn_deinit(struct conn *conn);

/* ALPN said so; without it the first bytes say. */
void conn_use_http2(struct conn *conn);
void conn_use_http1(struct conn *conn);
void conn_input(struct conn *conn, const char *ptr, size_t len);
void conn_input_end(struct conn *conn);
void conn_output(struct conn *conn, struct buf *out, size_t room);
void conn_answered(struct conn *conn, struct call *call);
bool conn_wants_input(const struct conn *conn);
void conn_tick(struct conn *conn, uint64_t now_ns);
void conn_drain(struct conn *conn);
bool conn_is_done(const struct conn *conn);

/* ---- for the protocols ---- */

/* A call of this connection; NULL without memory. */
struct call *conn_call_begin(struct conn *conn);
/* Out of the connection's list, and destroyed. */
void conn_call_end(struct conn *conn, struct call *call);
/* The headers are there: finds the route, and the reason to refuse, if any; then the answer is set.
 * content_length -1: unknown. */
enum refusal conn_call_check(struct conn *conn, struct call *call, int64_t content_length);
/* The request is whole. The answer comes by protocol->answered(), maybe before this returns. */
void conn_call_dispatch(struct conn *conn, struct call *call);
/* The stream went away while the call was RUNNING: it ends when its handler does. */
void conn_call_abandon(struct call *call);
