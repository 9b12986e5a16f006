#include "refuse.h"

#include "base/metrics.h"

struct row {
	struct metric metric;
	int http_status;
	int code;
	const char *text;
};

#define ROW(label_, status_, code_, text_)                                                \
	{                                                                                 \
		METRIC_COUNTER_INIT("cresset_net_refused_total", "reason=\"" label_ "\"", \
				    "Requests and connections refused, by reason."),      \
			status_, code_, text_                                             \
	}

static struct row rows[REFUSE_COUNT] = {
	[REFUSE_MALFORMED] = ROW("malformed", 400, ERR_INVALID, "malformed HTTP request"),
	[REFUSE_PATH] = ROW("path", 404, ERR_UNSUPPORTED, "there is nothing at this path"),
	[REFUSE_METHOD] =
		ROW("method", 405, ERR_UNSUPPORTED, "this path does not take this method"),
	[REFUSE_SLOW_HEADERS] = ROW("slow_headers", 408, ERR_TIMEOUT,
				    "the request's headers took too long to arrive"),
	[REFUSE_SLOW_BODY] = ROW("slow_body", 408, ERR_TIMEOUT,
				 "the request's body stopped arriving, or came too slowly"),
	[REFUSE_BODY_SIZE] = ROW("body_size", 413, ERR_LIMIT, "the request's body is too large"),
	[REFUSE_EXPECTATION] = ROW("expectation", 417, ERR_INVALID,
				   "the only expectation met here is 100-continue"),
	[REFUSE_HEADER_SIZE] = ROW("header_size", 431, ERR_LIMIT,
				   "the request's headers are too many or too large"),
	[REFUSE_GRPC_ON_HTTP1] = ROW("grpc_on_http1", 505, ERR_UNSUPPORTED,
				     "gRPC needs HTTP/2; connect with prior knowledge or ALPN h2"),
	[REFUSE_BUFFERED_BYTES] = ROW("buffered_bytes", 503, ERR_BUSY,
				      "too many bytes of requests are in memory; try again"),
	[REFUSE_QUEUE] = ROW("queue", 503, ERR_BUSY, "too many requests are waiting; try again"),
	[REFUSE_GATE] = ROW("gate", 0, ERR_DENIED, ""),
	[REFUSE_CONNECTIONS] = ROW("connections", 0, ERR_BUSY, ""),
	[REFUSE_STREAMS] = ROW("streams", 0, ERR_BUSY, ""),
	[REFUSE_FLOOD] = ROW("flood", 0, ERR_LIMIT, ""),
	[REFUSE_PROTOCOL] = ROW("protocol", 0, ERR_INVALID, ""),
	[REFUSE_TLS] = ROW("tls", 0, ERR_INVALID, ""),
	[REFUSE_SLOW_READER] = ROW("slow_reader", 0, ERR_TIMEOUT, ""),
	[REFUSE_MEMORY] = ROW("memory", 0, ERR_NOMEM, ""),
};

void refuse_count(enum refusal reason)
{
	metric_add(&rows[reason].metric, 1);
}

int64_t refuse_counted(enum refusal reason)
{
	return metric_get(&rows[reason].metric);
}

void refuse_register_metrics(void)
{
	for (int i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++)
		metric_register(&rows[i].metric);
}

/* A limit that was hit is named with its number: the client's owner must know what to change. */
static void set_sentence(enum refusal reason, const struct net_limits *limits,
			 size_t body_limit_bytes, struct err *err)
{
	const struct row *row = &rows[reason];

	if (reason == REFUSE_BODY_SIZE)
		err_set(err, row->code, "%s: at most %zu bytes are taken here", row->text,
			body_limit_bytes);
	else if (reason == REFUSE_HEADER_SIZE)
		err_set(err, row->code, "%s: at most %u of %zu bytes in all", row->text,
			limits->header_count, limits->header_bytes);
	else
		err_set(err, row->code, "%s", row->text);
}

void refuse_answer(enum refusal reason, const struct net_request *request,
		   const struct net_limits *limits, size_t body_limit_bytes,
		   struct net_answer *answer)
{
	struct err err;

	refuse_count(reason);
	set_sentence(reason, limits, body_limit_bytes, &err);
	if (net_is_grpc(request) && request->http_major == 2) {
		net_grpc_error(answer, &err, -1);
		return;
	}
	net_answer_text(answer, rows[reason].http_status, "%s", err.text);
	if (rows[reason].http_status == 503)
		net_answer_header(answer, STR("retry-after"), STR("1"));
}
