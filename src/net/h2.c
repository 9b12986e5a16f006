#include "h2.h"

#include "base/clock.h"
#include "base/mem.h"
#include "h2_state.h"

/* Windows: what one stream, and all together, may have on its way to us before we say more. One
 * 4 MiB gRPC message within a few round trips, without one client filling the budget by itself. */
enum {
	STREAM_WINDOW_BYTES = 1024 * 1024,
	CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024,
	RESET_BURST = 1000,
	RESET_PER_S = 100,
	OUTBOUND_ACK_MAX = 200,
	OUTBOUND_MAX = 1000, /* frames */
};

static void *session_alloc(size_t size, void *user)
{
	(void)user;
	return mem_alloc(size);
}

static void session_free(void *ptr, void *user)
{
	(void)user;
	mem_free(ptr);
}

static void *session_zalloc(size_t count, size_t size, void *user)
{
	(void)user;
	return mem_zalloc(count, size);
}

static void *session_resize(void *ptr, size_t size, void *user)
{
	(void)user;
	return mem_realloc(ptr, size);
}

static int new_session(struct h2 *h2, nghttp2_session_callbacks *callbacks, nghttp2_option *option)
{
	nghttp2_mem memory = {NULL, session_alloc, session_free, session_zalloc, session_resize};

	h2_set_callbacks(callbacks);
	nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACK_MAX);
	nghttp2_option_set_stream_reset_rate_limit(option, RESET_BURST, RESET_PER_S);
	/* Closed streams kept for priorities that nobody uses are memory for nothing. */
	nghttp2_option_set_no_closed_streams(option, 1);
	return nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &memory);
}

static int make_session(struct h2 *h2)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int code = -1;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0)
		code = new_session(h2, callbacks, option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return code;
}

static int submit_settings(struct h2 *h2)
{
	const struct net_limits *limits = &h2->conn->host->limits;
	uint32_t header_bytes =
		limits->header_bytes > INT32_MAX ? INT32_MAX : (uint32_t)limits->header_bytes;
	nghttp2_settings_entry entries[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams_per_connection},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_bytes},
	};

	if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries,
				    sizeof(entries) / sizeof(entries[0])) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						     CONNECTION_WINDOW_BYTES);
}

static void destroy(void *self)
{
	struct h2 *h2 = self;

	nghttp2_session_del(h2->session);
	mem_free(h2);
}

static void *create(struct conn *conn)
{
	struct h2 *h2 = mem_zalloc(1, sizeof(*h2));

	if (!h2)
		return NULL;
	h2->conn = conn;
	h2->idle_since_ns = clock_mono_ns();
	h2_guard_init(&h2->guard, h2->idle_since_ns);
	if (make_session(h2) != 0 || submit_settings(h2) != 0) {
		destroy(h2);
		return NULL;
	}
	return h2;
}

static void input(void *self, const char *ptr, size_t len)
{
	struct h2 *h2 = self;

	if (h2->terminated)
		return;
	ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)ptr, len);
	if (used >= 0)
		return;
	if (used == NGHTTP2_ERR_NOMEM) {
		refuse_count(REFUSE_MEMORY);
		h2->conn->failed = true;
	} else {
		h2_terminate(h2,
			     used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM
							 : NGHTTP2_PROTOCOL_ERROR,
			     used == NGHTTP2_ERR_FLOODED ? REFUSE_FLOOD : REFUSE_PROTOCOL);
	}
}

/* As for HTTP/1: a client that ended its side may still read, but long work should stop. What was
 * not sent whole will never be. */
static void input_end(void *self)
{
	struct h2 *h2 = self;
	struct call *next;

	h2->draining = true;
	for (struct call *call = h2->conn->calls; call; call = next) {
		next = call->next;
		if (call->state == CALL_RUNNING && !call->gone)
			atomic_store(&call->cancelled, CALL_HALF_CLOSED);
		if (call->state != CALL_RECEIVING)
			continue;
		nghttp2_session_set_stream_user_data(h2->session, call->stream_id, NULL);
		conn_call_end(h2->conn, call);
	}
}

static void output(void *self, struct buf *out, size_t room)
{
	struct h2 *h2 = self;
	size_t start = out->len;

	while (out->len - start < room && !h2->conn->failed) {
		const uint8_t *ptr;
		ssize_t len = nghttp2_session_mem_send(h2->session, &ptr);
		if (len == 0)
			return;
		if (len > 0)
			buf_append(out, ptr, (size_t)len);
		if (len < 0 || out->failed)
			h2->conn->failed = true;
	}
}

static void answered(void *self, struct call *call)
{
	h2_submit_answer(self, call);
}

/* With much unsent, reading on would only make more to send. */
static bool wants_input(const void *self)
{
	const struct h2 *h2 = self;

	return !h2->terminated && nghttp2_session_want_read(h2->session) &&
	       nghttp2_session_get_outbound_queue_size(h2->session) < OUTBOUND_MAX;
}

/* A client that gives no window, or no more of its body, holds memory for nothing. */
static void tick_call(struct h2 *h2, struct call *call)
{
	if (call->state == CALL_RECEIVING) {
		if (!call->refused)
			call_refuse(call, REFUSE_SLOW_BODY);
		call->state = CALL_SENDING;
		h2_submit_answer(h2, call);
		return;
	}
	refuse_count(REFUSE_SLOW_READER);
	if (nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, call->stream_id,
				      NGHTTP2_CANCEL) != 0)
		h2->conn->failed = true;
}

/* The one that receives waits for the client's bytes, the one that sends for its window. */
static bool is_late(const struct call *call, uint64_t now_ns)
{
	if (call->state == CALL_RECEIVING)
		return call->body_expected && call_body_late(call, now_ns);
	return call->state == CALL_SENDING && now_ns > call->progress_ns &&
	       now_ns - call->progress_ns > call->limits->body_timeout_ns;
}

static void tick_streams(struct h2 *h2, uint64_t now_ns)
{
	struct call *next;

	for (struct call *call = h2->conn->calls; call; call = next) {
		next = call->next;
		if (!is_late(call, now_ns))
			continue;
		call->progress_ns = now_ns;
		tick_call(h2, call);
	}
}

static void tick(void *self, uint64_t now_ns)
{
	struct h2 *h2 = self;
	const struct net_limits *limits = &h2->conn->host->limits;

	if (h2->headers_since_ns && now_ns - h2->headers_since_ns > limits->header_timeout_ns)
		h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, REFUSE_SLOW_HEADERS);
	tick_streams(h2, now_ns);
	if (!h2->conn->calls && !h2->terminated &&
	    now_ns - h2->idle_since_ns > limits->idle_timeout_ns) {
		h2->terminated = true;
		if (nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR) != 0)
			h2->conn->failed = true;
	}
}

/* Streams up to the last one seen are served; what the client opens later it must take elsewhere
 * (RFC 9113 section 6.8). */
static void drain(void *self)
{
	struct h2 *h2 = self;
	int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);

	if (h2->draining || h2->terminated)
		return;
	h2->draining = true;
	if (nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
				  0) != 0)
		h2->conn->failed = true;
}

static bool is_done(const void *self)
{
	const struct h2 *h2 = self;

	if (nghttp2_session_want_write(h2->session))
		return false;
	return h2->terminated || !nghttp2_session_want_read(h2->session) ||
	       (h2->draining && !h2->conn->calls);
}

const struct conn_protocol h2_protocol = {
	.http_major = 2,
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
