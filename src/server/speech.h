/* Private to server: which protocol a request is spoken in, and the ends of it
 * that are not HTTP's: frames, time limits, versions. */
#pragma once

#include <stdbool.h>

#include "net/net.h"

enum protocol {
	PROTOCOL_NONE,	   /* a content type that is none of these */
	PROTOCOL_CONNECT,  /* connectrpc.com/docs/protocol, "Unary-Request" */
	PROTOCOL_GRPC,	   /* grpc/doc/PROTOCOL-HTTP2.md */
	PROTOCOL_GRPC_WEB, /* grpc/doc/PROTOCOL-WEB.md */
};

struct speech {
	enum protocol protocol;
	bool json; /* else protobuf */
	bool text; /* gRPC-web in base64 */
};

struct speech speech_of(const struct net_request *request);
/* The message of a request, unpacked. ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED (its packing). */
MUST_USE int speech_read(const struct speech *speech, const struct net_request *request,
			 size_t limit_bytes, struct str *ret, struct err *err);
/* Fills the answer with a message (whose memory goes over to it), or with an error (retry_ms >= 0: the same call
 * may go well later). */
void speech_answer(const struct speech *speech, const struct net_request *request,
		   struct net_answer *answer, struct buf *message);
/* retry_ms >= 0: the same can go well then. */
void speech_error(const struct speech *speech, const struct net_request *request,
		  struct net_answer *answer, const struct err *err, int64_t retry_ms);
/* When the client's time is up, on the monotonic clock: Connect-Timeout-Ms, grpc-timeout; 0: never.
 * ERR_INVALID: a header that is no time, a version of Connect that is not 1. */
MUST_USE int speech_deadline(const struct speech *speech, const struct net_request *request,
			     uint64_t *ret_ns, struct err *err);
