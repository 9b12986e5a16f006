#include "base/clock.h"
#include "h2_state.h"

void h2_terminate(struct h2 *h2, uint32_t error_code, enum refusal reason)
{
	if (h2->terminated)
		return;
	h2->terminated = true;
	refuse_count(reason);
	if (nghttp2_session_terminate_session(h2->session, error_code) != 0)
		h2->conn->failed = true;
}

static struct call *call_of(struct h2 *h2, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(h2->session, stream_id);
}

/* A call that gets no answer: the stream goes, the client may try again. */
static void reset(struct h2 *h2, int32_t stream_id, uint32_t error_code)
{
	if (nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream_id, error_code) != 0)
		h2->conn->failed = true;
}

static void answer_now(struct h2 *h2, struct call *call)
{
	call->state = CALL_SENDING;
	h2_submit_answer(h2, call);
}

/* The answer waits until the request has ended, or goes on for too long: an answer in the middle
 * of a request is allowed (RFC 9113 section 8.1), but curl 7.88, for one, then stops without
 * ending the request, and takes the reset that would follow for a failure. */
static void refuse(struct h2 *h2, struct call *call, enum refusal reason)
{
	if (reason == REFUSE_MEMORY) {
		int32_t stream_id = call->stream_id;
		refuse_count(reason);
		nghttp2_session_set_stream_user_data(h2->session, stream_id, NULL);
		conn_call_end(h2->conn, call);
		reset(h2, stream_id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	if (call->answer.status == 0)
		call_refuse(call, reason);
	call->refused = true;
}

static void discard(struct h2 *h2, struct call *call, size_t len)
{
	call->discarded_bytes += len;
	if (call->discarded_bytes > H2_DISCARD_MAX_BYTES)
		answer_now(h2, call);
}

static void begin_call(struct h2 *h2, int32_t stream_id)
{
	/* Calls whose stream was reset still hold a worker or a place in its queue: they count. */
	if (h2->conn->running >= h2->conn->host->limits.streams_per_connection) {
		refuse_count(REFUSE_STREAMS);
		reset(h2, stream_id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	struct call *call = conn_call_begin(h2->conn);
	if (!call) {
		refuse_count(REFUSE_MEMORY);
		reset(h2, stream_id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	call->stream_id = stream_id;
	nghttp2_session_set_stream_user_data(h2->session, stream_id, call);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;

	(void)session;
	h2->headers_since_ns = clock_mono_ns();
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		begin_call(h2, frame->hd.stream_id);
	return 0;
}

static enum refusal add_pseudo_header(struct call *call, struct str name, struct str value)
{
	call->header_bytes += name.len + value.len + 32;
	if (call->header_bytes > call->limits->header_bytes)
		return REFUSE_HEADER_SIZE;
	if (str_equal(name, STR(":method")))
		return call_set_text(call, value, &call->request.method);
	if (str_equal(name, STR(":path")))
		return call_set_target(call, value);
	if (str_equal(name, STR(":authority")))
		return call_add_header(call, STR("host"), value);
	return REFUSE_NONE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user)
{
	struct h2 *h2 = user;
	struct call *call = call_of(h2, frame->hd.stream_id);
	struct str n = str_make(name, name_len), v = str_make(value, value_len);
	enum refusal reason;

	(void)session;
	(void)flags;
	/* Trailers (headers.cat HEADERS) bring nothing that we use. */
	if (!call || call->state != CALL_RECEIVING || call->refused ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (n.len > 0 && n.ptr[0] == ':')
		reason = add_pseudo_header(call, n, v);
	else
		reason = call_add_header(call, n, v);
	if (reason != REFUSE_NONE)
		refuse(h2, call, reason);
	return 0;
}

static int64_t content_length(const struct call *call)
{
	uint64_t length;
	struct str text = net_header_get(&call->request, STR("content-length"));

	if (!text.ptr || !str_to_u64(text, &length))
		return -1;
	return length > INT64_MAX ? INT64_MAX : (int64_t)length;
}

static void headers_done(struct h2 *h2, struct call *call, bool end_stream)
{
	enum refusal reason = REFUSE_NONE;
	bool asks_first = !end_stream && net_header_get(&call->request, STR("expect")).ptr;

	call->body_expected = !end_stream;
	call_begin_body(call, clock_mono_ns());
	if (!call->refused) {
		if (str_equal(call->request.method, STR("CONNECT")) || call->request.path.len == 0)
			reason = REFUSE_MALFORMED;
		if (reason == REFUSE_NONE)
			reason = conn_call_check(h2->conn, call, content_length(call));
		if (reason != REFUSE_NONE)
			refuse(h2, call, reason);
	}
	if (asks_first && call->refused)
		answer_now(h2, call);
	else if (asks_first)
		h2_submit_continue(h2, call->stream_id);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;
	struct call *call = call_of(h2, frame->hd.stream_id);
	bool end_stream = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2->headers_since_ns = 0;
	if (!call || call->state != CALL_RECEIVING ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		headers_done(h2, call, end_stream);
	if (!end_stream || call->state != CALL_RECEIVING)
		return 0;
	if (call->refused)
		answer_now(h2, call);
	else
		conn_call_dispatch(h2->conn, call);
	return 0;
}

/* The window is given back whatever becomes of the bytes: memory is bounded by the limits, and a
 * refused stream must not stop the others. nghttp2 does that by itself. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *ptr,
		   size_t len, void *user)
{
	struct h2 *h2 = user;
	struct call *call = call_of(h2, stream_id);

	(void)session;
	(void)flags;
	if (!call || call->state != CALL_RECEIVING)
		return 0;
	call->progress_ns = clock_mono_ns();
	if (call->refused) {
		discard(h2, call, len);
		return 0;
	}
	enum refusal reason = call_add_body(call, ptr, len);
	if (reason != REFUSE_NONE)
		refuse(h2, call, reason);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
			   void *user)
{
	struct h2 *h2 = user;
	struct call *call = call_of(h2, stream_id);

	(void)error_code;
	h2->idle_since_ns = clock_mono_ns();
	h2->headers_since_ns = 0;
	if (!call)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	if (call->state == CALL_RUNNING)
		conn_call_abandon(call);
	else
		conn_call_end(h2->conn, call);
	return 0;
}

static bool is_costly(const nghttp2_frame_hd *head)
{
	switch (head->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_WINDOW_UPDATE:
	case NGHTTP2_GOAWAY:
	case NGHTTP2_CONTINUATION:
		return false;
	case NGHTTP2_DATA:
		return head->length == 0 && !(head->flags & NGHTTP2_FLAG_END_STREAM);
	default:
		return true;
	}
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user)
{
	struct h2 *h2 = user;

	(void)session;
	if (is_costly(head) && !h2_guard_take(&h2->guard, clock_mono_ns()))
		h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, REFUSE_FLOOD);
	return 0;
}

/* An answer that went out before the request was whole: the rest is not wanted (RFC 9113, 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;
	bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);

	if (ends && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
		reset(h2, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *user)
{
	struct h2 *h2 = user;

	(void)session;
	(void)frame;
	(void)error;
	if (!h2_guard_take(&h2->guard, clock_mono_ns()))
		h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, REFUSE_FLOOD);
	return 0;
}

void h2_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
}
