/* Private to link*.c. */
#pragma once

#include "base/clock.h"
#include "link.h"

enum {
	/* One write: large enough for few system calls, small enough to share the loop. */
	LINK_WRITE_BYTES = 256 * 1024,
	/* Writes in a row that the kernel takes at once before others get their turn. */
	LINK_WRITES_MAX = 8,
};
#define LINK_LINGER_NS ((uint64_t)2 * NS_PER_S)

struct link {
	struct conn conn;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct net_server *server;
	struct link *prev, *next;
	struct tls *tls; /* NULL: clear text */
	struct buf out;	 /* being written */
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct link *marked_next;
	bool marked;
	bool is_unix;
	bool reading, writing, input_ended;
	bool alpn_done; /* TLS: what ALPN said has been followed */
	bool notified;	/* TLS: close_notify was said */
	bool lingering; /* all is sent; what still comes is thrown away, for a while */
	bool closed;
	uint64_t opened_ns, lingering_since_ns;
	size_t unwritten_bytes; /* at write_since_ns */
	uint64_t write_since_ns;
};

void link_close(struct link *link);
void link_set_reading(struct link *link);
