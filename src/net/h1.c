#include "h1.h"

#include "base/clock.h"
#include "base/mem.h"
#include "h1_state.h"
#include "stats.h"

static void *create(struct conn *conn)
{
	struct h1 *h1 = mem_zalloc(1, sizeof(*h1));

	if (!h1)
		return NULL;
	h1->conn = conn;
	h1->since_ns = clock_mono_ns();
	h1_parser_init(h1);
	return h1;
}

/* The call is the connection's, which ends it. */
static void destroy(void *self)
{
	struct h1 *h1 = self;

	buf_deinit(&h1->target);
	buf_deinit(&h1->name);
	buf_deinit(&h1->value);
	buf_deinit(&h1->pending);
	buf_deinit(&h1->head);
	mem_free(h1);
}

static void fail(struct h1 *h1)
{
	refuse_count(REFUSE_MEMORY);
	h1->conn->failed = true;
}

static void start_answer(struct h1 *h1)
{
	if (h1->draining || h1->input_ended)
		h1->keep_alive = false;
	stats_request(1, h1->call->answer.status);
	h1_put_head(h1);
	if (h1->head.failed)
		fail(h1);
}

/* A refused request's rest is not read: the connection ends with the answer. */
static void answer_refusal(struct h1 *h1)
{
	if (h1->refused == REFUSE_MEMORY ||
	    (!h1->call && !(h1->call = conn_call_begin(h1->conn)))) {
		fail(h1);
		return;
	}
	if (h1->call->answer.status == 0)
		call_refuse(h1->call, h1->refused);
	h1->closing = true;
	h1->keep_alive = false;
	h1->call->state = CALL_SENDING;
	start_answer(h1);
}

static void dispatch(struct h1 *h1)
{
	h1_parser_next(h1);
	conn_call_dispatch(h1->conn, h1->call);
	/* The client said that it sends no more: nobody may be there any more. */
	if (h1->call && h1->call->state == CALL_RUNNING && h1->input_ended)
		atomic_store(&h1->call->cancelled, CALL_HALF_CLOSED);
}

/* Returns the bytes used: all, or those up to the end of a request. */
static size_t feed(struct h1 *h1, const char *ptr, size_t len)
{
	size_t used = h1_parse(h1, ptr, len);

	if (h1->refused != REFUSE_NONE)
		answer_refusal(h1);
	else if (h1->message_complete)
		dispatch(h1);
	return used;
}

static bool is_busy(const struct h1 *h1)
{
	return h1->call && h1->call->state != CALL_RECEIVING;
}

static void keep(struct h1 *h1, const char *ptr, size_t len)
{
	buf_append(&h1->pending, ptr, len);
	if (h1->pending.failed)
		fail(h1);
}

static void input(void *self, const char *ptr, size_t len)
{
	struct h1 *h1 = self;

	if (h1->closing)
		return;
	if (is_busy(h1) || h1->pending.len > 0) {
		keep(h1, ptr, len);
		return;
	}
	size_t used = feed(h1, ptr, len);
	if (used < len && !h1->closing && !h1->conn->failed)
		keep(h1, ptr + used, len - used);
}

/* The next pipelined request, once the one before is answered. */
static void feed_pending(struct h1 *h1)
{
	struct buf taken = h1->pending;

	h1->pending = (struct buf){0};
	size_t used = feed(h1, taken.ptr, taken.len);
	if (used < taken.len && !h1->closing && !h1->conn->failed)
		keep(h1, taken.ptr + used, taken.len - used);
	buf_deinit(&taken);
}

static void input_end(void *self)
{
	struct h1 *h1 = self;

	h1->input_ended = true;
	if (h1->call && h1->call->state == CALL_RUNNING)
		atomic_store(&h1->call->cancelled, CALL_HALF_CLOSED);
	if (is_busy(h1) || h1->pending.len > 0)
		return;
	if (h1->call)
		conn_call_end(h1->conn, h1->call);
	h1->call = NULL;
	h1->closing = true;
}

static void answered(void *self, struct call *call)
{
	struct h1 *h1 = self;

	(void)call;
	start_answer(h1);
}

static void end_request(struct h1 *h1)
{
	conn_call_end(h1->conn, h1->call);
	h1->call = NULL;
	h1->since_ns = clock_mono_ns();
	buf_deinit(&h1->head);
	h1->head_sent = 0;
	if (!h1->keep_alive)
		h1->closing = true;
}

static size_t move(struct buf *out, struct str from, size_t *sent, size_t room)
{
	size_t len = from.len - *sent < room ? from.len - *sent : room;

	buf_append(out, from.ptr + *sent, len);
	*sent += len;
	return len;
}

static bool has_body(const struct h1 *h1)
{
	int status = h1->call->answer.status;

	return !h1->head_only && status != 204 && status != 304;
}

/* One step of sending; false when there is nothing to do now. */
static bool step(struct h1 *h1, struct buf *out, size_t room)
{
	if (h1->head_sent < h1->head.len) {
		move(out, buf_text(&h1->head), &h1->head_sent, room);
		return true;
	}
	if (h1->call && h1->call->state == CALL_SENDING) {
		if (!has_body(h1) ||
		    !move(out, call_answer_body(h1->call), &h1->call->sent_bytes, room))
			end_request(h1);
		return true;
	}
	if (!h1->call && !h1->closing && h1->pending.len > 0) {
		feed_pending(h1);
		return true;
	}
	if (!h1->call && h1->input_ended)
		h1->closing = true;
	return false;
}

static void output(void *self, struct buf *out, size_t room)
{
	struct h1 *h1 = self;
	size_t start = out->len;

	while (!h1->conn->failed && out->len - start < room)
		if (!step(h1, out, room - (out->len - start)))
			return;
}

static bool wants_input(const void *self)
{
	const struct h1 *h1 = self;

	return !h1->closing && h1->pending.len < H1_PENDING_MAX_BYTES;
}

static void time_out(struct h1 *h1, enum refusal reason)
{
	h1->refused = reason;
	answer_refusal(h1);
}

static void tick(void *self, uint64_t now_ns)
{
	struct h1 *h1 = self;
	const struct net_limits *limits = &h1->conn->host->limits;

	if (h1->closing || is_busy(h1) || h1->pending.len > 0)
		return;
	if (!h1->call) {
		if (now_ns - h1->since_ns > limits->idle_timeout_ns)
			h1->closing = true;
	} else if (!h1->in_body) {
		if (now_ns - h1->since_ns > limits->header_timeout_ns)
			time_out(h1, REFUSE_SLOW_HEADERS);
	} else if (call_body_late(h1->call, now_ns)) {
		time_out(h1, REFUSE_SLOW_BODY);
	}
}

static void drain(void *self)
{
	struct h1 *h1 = self;

	h1->draining = true;
	if (!h1->call)
		h1->closing = true;
}

static bool is_done(const void *self)
{
	const struct h1 *h1 = self;

	return h1->closing && !h1->call && h1->head_sent == h1->head.len;
}

const struct conn_protocol h1_protocol = {
	.http_major = 1,
	.create = create,
	.destroy = destroy,
	.input = input,
	.input_end = input_end,
	.output = output,
	.answered = answered,
	.wants_input = wants_input,
	.tick = tick,
	.drain = drain,
	.is_done = is_done,
};
