/* Private to net: one request and its answer, from the first header byte to the
 * last answer byte.
 *
 * Life: RECEIVING (a protocol fills it) -> RUNNING (a handler has it; the
 * protocol keeps its hands off) -> SENDING (the protocol sends the answer).
 * The loop owns it except while RUNNING, when only `cancelled` may be written.
 * While RUNNING it outlives its stream (gone) and its connection (conn NULL). */
#pragma once

#include <stdatomic.h>

#include "net.h"
#include "refuse.h"

struct conn;

enum call_state { CALL_RECEIVING, CALL_RUNNING, CALL_SENDING };

/* What `cancelled` holds. A half-closed client may still read the answer; a gone one does not. */
enum { CALL_WANTED = 0, CALL_HALF_CLOSED = 1, CALL_GONE = 2 };

/* Body bytes in memory over all connections of a server; the loop's thread only. */
struct call_budget {
	size_t limit_bytes;
	size_t used_bytes;
};

struct call {
	struct net_request request;
	struct net_answer answer;
	struct arena arena;
	struct buf body;
	_Atomic int cancelled;
	enum call_state state;
	bool gone;		  /* its stream is; nothing is sent */
	bool body_expected;	  /* headers are there, the body is still coming */
	struct conn *conn;	  /* NULL when the connection is gone */
	struct call *prev, *next; /* the connection's calls */
	struct call *queue_next;  /* in the pool */
	const struct net_route *route;
	const struct net_limits *limits;
	struct call_budget *budget;
	size_t charged_bytes;
	size_t body_limit_bytes;
	size_t header_bytes;
	size_t header_cap;
	struct net_header *headers;
	int32_t stream_id;
	size_t sent_bytes;	/* of the answer's body */
	bool refused;		/* HTTP/2: the answer is there before the request is whole */
	size_t discarded_bytes; /* of such a request's body */
	uint64_t progress_ns;	/* when the last bytes came or went */
	uint64_t body_since_ns; /* when its headers were there */
};

/* NULL without memory. The limits and the budget must outlive it. */
struct call *call_create(const struct net_limits *limits, struct call_budget *budget);
void call_destroy(struct call *call);

/* Both copy; name becomes lower case. REFUSE_NONE, REFUSE_HEADER_SIZE, REFUSE_MEMORY. */
enum refusal call_add_header(struct call *call, struct str name, struct str value);
/* Splits path and query; takes absolute-form too (RFC 9112 section 3.2.2). */
enum refusal call_set_target(struct call *call, struct str target);
enum refusal call_set_text(struct call *call, struct str text, struct str *ret);
/* REFUSE_NONE, _BODY_SIZE, _BUFFERED_BYTES, _MEMORY. */
enum refusal call_add_body(struct call *call, const void *ptr, size_t len);
/* Its headers are there, the body begins. */
void call_begin_body(struct call *call, uint64_t now_ns);
/* No byte of the body for body_timeout, or all of it slower than body_rate. */
bool call_body_late(const struct call *call, uint64_t now_ns);
/* The request is whole: what the handler sees is set. */
void call_seal(struct call *call);

/* What is sent as body. */
struct str call_answer_body(const struct call *call);
/* Whatever answer there was is dropped for this refusal, which is counted. */
void call_refuse(struct call *call, enum refusal reason);
/* Runs the route's handler; status 0 becomes 500. Worker thread or loop. */
void call_run(struct call *call);
