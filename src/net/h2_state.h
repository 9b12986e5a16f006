/* Private to h2*.c: one HTTP/2 connection. nghttp2 keeps the streams, the flow
 * control and the header tables; a stream's user data is its call (NULL once
 * the call is refused or gone). */
#pragma once

#include <nghttp2/nghttp2.h>

#include "conn.h"

/* A token bucket of frames that make us work and bring nothing: PING, SETTINGS, PRIORITY,
 * RST_STREAM, empty DATA (CVE-2019-9511 to 9518, CVE-2023-44487). Not among them: WINDOW_UPDATE, of
 * which a client that downloads sends many, and unknown types, which nghttp2 skips unseen; one of
 * either costs us no more than it costs the sender. */
enum { H2_FLOOD_BURST = 1000, H2_FLOOD_PER_S = 100, H2_DISCARD_MAX_BYTES = 256 * 1024 };

struct h2_guard {
	uint64_t tokens_micro; /* millionths of a token */
	uint64_t refilled_ns;
};

void h2_guard_init(struct h2_guard *guard, uint64_t now_ns);
/* False: the client is flooding us. */
bool h2_guard_take(struct h2_guard *guard, uint64_t now_ns);

struct h2 {
	struct conn *conn;
	nghttp2_session *session;
	struct h2_guard guard;
	uint64_t idle_since_ns;	   /* since the last stream ended */
	uint64_t headers_since_ns; /* 0: no header block is open */
	bool draining;
	bool terminated; /* GOAWAY with an error is on its way: nothing else counts */
};

/* h2_receive.c */
void h2_set_callbacks(nghttp2_session_callbacks *callbacks);
/* GOAWAY with NGHTTP2_ENHANCE_YOUR_CALM and so on, then the connection closes. */
void h2_terminate(struct h2 *h2, uint32_t error_code, enum refusal reason);

/* h2_answer.c */
/* Sends the call's answer, which stays until the stream is closed. */
void h2_submit_answer(struct h2 *h2, struct call *call);
void h2_submit_continue(struct h2 *h2, int32_t stream_id);
