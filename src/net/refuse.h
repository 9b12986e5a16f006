/* Private to net: why a request or a connection is refused, in one table:
 * metric, HTTP status, error code (so gRPC status) and sentence. */
#pragma once

#include "net.h"

enum refusal {
	REFUSE_NONE,
	/* Answered. */
	REFUSE_MALFORMED,
	REFUSE_PATH,
	REFUSE_METHOD,
	REFUSE_SLOW_HEADERS,
	REFUSE_SLOW_BODY,
	REFUSE_BODY_SIZE,
	REFUSE_EXPECTATION,
	REFUSE_HEADER_SIZE,
	REFUSE_GRPC_ON_HTTP1,
	REFUSE_BUFFERED_BYTES,
	REFUSE_QUEUE,
	REFUSE_GATE, /* the gate's own answer */
	/* The connection is closed, or the stream reset, without an answer. */
	REFUSE_CONNECTIONS,
	REFUSE_STREAMS,
	REFUSE_FLOOD,
	REFUSE_PROTOCOL,
	REFUSE_TLS,
	REFUSE_SLOW_READER,
	REFUSE_MEMORY,
	REFUSE_COUNT
};

/* Counts it. Any thread. */
void refuse_count(enum refusal reason);
int64_t refuse_counted(enum refusal reason);
void refuse_register_metrics(void);
/* Fills the answer (gRPC or plain) with the reason's status and sentence, and counts it. */
void refuse_answer(enum refusal reason, const struct net_request *request,
		   const struct net_limits *limits, size_t body_limit_bytes,
		   struct net_answer *answer);
