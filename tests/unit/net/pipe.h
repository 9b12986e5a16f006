/* A connection without a socket: what tests and fuzzers drive with bytes. */
#pragma once

#include "net/conn.h"

struct pipe {
	struct conn_host host;
	struct conn conn;
	struct buf out;	      /* all that the server said */
	struct call *waiting; /* dispatched to "workers", when workers is set */
	bool workers;
};

/* Small limits, routes /hello (on the loop), /echo, /grpc. */
void pipe_init(struct pipe *pipe);
void pipe_deinit(struct pipe *pipe);
/* Bytes in, answers out; false: the connection is done. */
bool pipe_feed(struct pipe *pipe, const void *ptr, size_t len);
/* Runs the waiting handlers and hands their answers back. */
void pipe_work(struct pipe *pipe);
void pipe_pull(struct pipe *pipe);
