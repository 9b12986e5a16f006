#include "conn.h"

#include <string.h>

#include "base/clock.h"
#include "h1.h"
#include "h2.h"
#include "route.h"
#include "stats.h"

/* RFC 9113 section 3.4. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum { PREFACE_BYTES = sizeof(preface) - 1 };
_Static_assert(sizeof(((struct conn *)0)->first) >= PREFACE_BYTES, "the preface must fit");

void conn_init(struct conn *conn, struct conn_host *host, bool tls)
{
	*conn = (struct conn){.host = host, .tls = tls, .opened_ns = clock_mono_ns()};
	str_copy(conn->peer, sizeof(conn->peer), STR("unknown"));
}

static void orphan_calls(struct conn *conn)
{
	while (conn->calls) {
		struct call *call = conn->calls;
		if (call->state != CALL_RUNNING) {
			conn_call_end(conn, call);
			continue;
		}
		conn->calls = call->next;
		if (conn->calls)
			conn->calls->prev = NULL;
		atomic_store(&call->cancelled, CALL_GONE);
		call->conn = NULL;
	}
}

void conn_deinit(struct conn *conn)
{
	if (conn->self)
		conn->protocol->destroy(conn->self);
	conn->self = NULL;
	orphan_calls(conn);
}

static void use(struct conn *conn, const struct conn_protocol *protocol)
{
	conn->protocol = protocol;
	conn->self = protocol->create(conn);
	if (!conn->self) {
		refuse_count(REFUSE_MEMORY);
		conn->failed = true;
		return;
	}
	if (conn->draining)
		protocol->drain(conn->self);
}

void conn_use_http2(struct conn *conn)
{
	use(conn, &h2_protocol);
}

void conn_use_http1(struct conn *conn)
{
	use(conn, &h1_protocol);
}

/* Decides by the first byte that differs from the preface, or by the whole of it. */
static void sniff(struct conn *conn, const char **ptr, size_t *len)
{
	while (*len > 0 && conn->first_len < PREFACE_BYTES) {
		if (**ptr != preface[conn->first_len]) {
			conn_use_http1(conn);
			return;
		}
		conn->first[conn->first_len++] = **ptr;
		(*ptr)++;
		(*len)--;
	}
	if (conn->first_len == PREFACE_BYTES)
		conn_use_http2(conn);
}

void conn_input(struct conn *conn, const char *ptr, size_t len)
{
	if (!conn->protocol) {
		sniff(conn, &ptr, &len);
		if (conn->protocol && !conn->failed && conn->first_len > 0)
			conn->protocol->input(conn->self, conn->first, conn->first_len);
	}
	if (conn->protocol && !conn->failed && len > 0)
		conn->protocol->input(conn->self, ptr, len);
}

void conn_input_end(struct conn *conn)
{
	conn->input_ended = true;
	if (conn->protocol && !conn->failed)
		conn->protocol->input_end(conn->self);
}

void conn_output(struct conn *conn, struct buf *out, size_t room)
{
	if (conn->protocol && !conn->failed)
		conn->protocol->output(conn->self, out, room);
}

void conn_answered(struct conn *conn, struct call *call)
{
	conn->running--;
	call->state = CALL_SENDING;
	if (call->gone || conn->failed)
		conn_call_end(conn, call);
	else
		conn->protocol->answered(conn->self, call);
}

bool conn_wants_input(const struct conn *conn)
{
	if (conn->failed || conn->input_ended)
		return false;
	return !conn->protocol || conn->protocol->wants_input(conn->self);
}

/* Before the protocol is known: a client that sends nothing is idle, one that began is slow. */
static void tick_unknown(struct conn *conn, uint64_t now_ns)
{
	const struct net_limits *limits = &conn->host->limits;
	uint64_t limit_ns = conn->first_len ? limits->header_timeout_ns : limits->idle_timeout_ns;

	if (now_ns - conn->opened_ns < limit_ns)
		return;
	if (conn->first_len)
		refuse_count(REFUSE_SLOW_HEADERS);
	conn->failed = true;
}

void conn_tick(struct conn *conn, uint64_t now_ns)
{
	if (conn->failed)
		return;
	if (conn->protocol)
		conn->protocol->tick(conn->self, now_ns);
	else
		tick_unknown(conn, now_ns);
}

void conn_drain(struct conn *conn)
{
	conn->draining = true;
	if (conn->protocol && !conn->failed)
		conn->protocol->drain(conn->self);
}

bool conn_is_done(const struct conn *conn)
{
	if (conn->failed)
		return true;
	if (!conn->protocol)
		return conn->draining || conn->input_ended;
	return conn->protocol->is_done(conn->self);
}

struct call *conn_call_begin(struct conn *conn)
{
	struct call *call = call_create(&conn->host->limits, &conn->host->budget);

	if (!call)
		return NULL;
	if (call_set_text(call, str_of(conn->peer), &call->request.peer) != REFUSE_NONE) {
		call_destroy(call);
		return NULL;
	}
	call->conn = conn;
	call->request.tls = conn->tls;
	call->request.http_major = conn->protocol->http_major;
	call->progress_ns = clock_mono_ns();
	call->next = conn->calls;
	if (call->next)
		call->next->prev = call;
	conn->calls = call;
	return call;
}

void conn_call_end(struct conn *conn, struct call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		conn->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call_destroy(call);
}

static enum refusal check_route(struct conn *conn, struct call *call)
{
	struct str allow;
	enum refusal reason = route_find(conn->host->routes, conn->host->route_count, call, &allow);

	if (reason == REFUSE_METHOD) {
		call_refuse(call, reason);
		net_answer_header(&call->answer, STR("allow"), allow);
	}
	return reason;
}

/* What the gate refuses is not received. */
static enum refusal pass_gate(struct conn *conn, struct call *call)
{
	const struct conn_host *host = conn->host;

	if (!host->gate || host->gate(host->gate_user, call->route, &call->request, &call->answer))
		return REFUSE_NONE;
	refuse_count(REFUSE_GATE);
	return REFUSE_GATE;
}

enum refusal conn_call_check(struct conn *conn, struct call *call, int64_t content_length)
{
	struct str expect = net_header_get(&call->request, STR("expect"));
	enum refusal reason = check_route(conn, call);

	if (reason == REFUSE_METHOD)
		return reason;
	if (reason == REFUSE_NONE && net_is_grpc(&call->request) && call->request.http_major == 1)
		reason = REFUSE_GRPC_ON_HTTP1;
	if (reason == REFUSE_NONE && expect.ptr && !str_equal_nocase(expect, STR("100-continue")))
		reason = REFUSE_EXPECTATION;
	if (reason == REFUSE_NONE && content_length >= 0 &&
	    (uint64_t)content_length > call->body_limit_bytes)
		reason = REFUSE_BODY_SIZE;
	if (reason != REFUSE_NONE) {
		call_refuse(call, reason);
		return reason;
	}
	return pass_gate(conn, call);
}

void conn_call_dispatch(struct conn *conn, struct call *call)
{
	call_seal(call);
	call->state = CALL_RUNNING;
	conn->running++;
	if (conn->host->dispatch(conn->host->user, call))
		return;
	call_refuse(call, REFUSE_QUEUE);
	conn_answered(conn, call);
}

void conn_call_abandon(struct call *call)
{
	call->gone = true;
	atomic_store(&call->cancelled, CALL_GONE);
}
