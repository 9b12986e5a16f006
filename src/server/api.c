/* Unary RPCs. The content type says in which protocol and encoding; everything
 * between the bytes of the request and those of the answer is the same. */
#include "server/api.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "server/pbjson.h"
#include "server/settings.h"
#include "server/speech.h"

static struct metric errors_total =
	METRIC_COUNTER_INIT("cresset_query_errors_total", NULL,
			    "Calls of the query API that were answered with an error");

/* ---- answers ---- */

static void refuse_method(struct net_answer *answer)
{
	net_answer_text(answer, 405, "only POST is allowed here");
	net_answer_header(answer, STR("allow"), STR("POST"));
}

static void refuse_type(struct net_answer *answer)
{
	net_answer_text(answer, 415,
			"the content type must be application/json or application/proto (Connect), "
			"application/grpc over HTTP/2, or application/grpc-web");
	net_answer_header(answer, STR("accept-post"),
			  STR("application/json, application/proto, application/grpc, "
			      "application/grpc+proto, application/grpc-web, "
			      "application/grpc-web+proto, application/grpc-web-text"));
}

size_t api_body_bytes(const struct api_rpc *rpc)
{
	return rpc->body_bytes ? rpc->body_bytes : API_BODY_MAX_BYTES;
}

/* ---- one call ---- */

static int read_message(const struct speech *speech, const struct net_request *request,
			const struct api_endpoint *endpoint, ProtobufCMessage **ret,
			struct err *err)
{
	const struct api_rpc *rpc = endpoint->rpc;
	size_t limit = endpoint->body_bytes ? endpoint->body_bytes : api_body_bytes(rpc);
	struct str body;
	int rc = speech_read(speech, request, limit, &body, err);
	if (rc)
		return rc;
	if (speech->json && str_trim(body).len > 0)
		return pbjson_decode(request->arena, rpc->request, body, ret, err);
	return pbmsg_decode(request->arena, rpc->request, speech->json ? STR("") : body, ret, err);
}

/* An answer that comes too late is one that nobody waits for. */
static int check_time(const struct api_call *call, struct err *err)
{
	if (call->deadline_ns && clock_mono_ns() > call->deadline_ns)
		return err_set(err, ERR_TIMEOUT, "the time that the client gave has passed");
	return 0;
}

struct settings *api_of_tenant(const struct api *api, struct str tenant, struct api *ret)
{
	struct settings *settings = ingest_settings(api->ingest);
	*ret = *api;
	if (settings)
		ret->limits = &settings_policy(settings, tenant)->limits;
	return settings;
}

static int call_method(const struct api_rpc *rpc, const struct api_call *call,
		       const ProtobufCMessage *in, ProtobufCMessage *reply, struct err *err)
{
	struct api api;
	struct settings *settings = api_of_tenant(call->api, call->tenant, &api);
	struct api_call limited = *call;
	limited.api = &api;
	int rc = rpc->method(&limited, in, reply, err);
	settings_put(settings);
	return rc;
}

static int run(const struct api_endpoint *endpoint, const struct net_request *request,
	       const struct speech *speech, struct buf *out, int64_t *retry_ms, struct err *err)
{
	const struct api_rpc *rpc = endpoint->rpc;
	struct api_call call = {.api = endpoint->api,
				.arena = request->arena,
				.tenant = STR(""),
				.cancelled = request->cancelled,
				.retry_ms = retry_ms,
				.utf8_names = api_accepts_utf8_names(request)};
	ProtobufCMessage *in = NULL, *reply = pbmsg_new(request->arena, rpc->response);

	if (!reply)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	int rc = rpc->no_tenant ? 0
				: ingest_tenant(endpoint->api->ingest, request, &call.tenant, err);
	rc = rc ? rc : speech_deadline(speech, request, &call.deadline_ns, err);
	rc = rc ? rc : read_message(speech, request, endpoint, &in, err);
	rc = rc ? rc : call_method(rpc, &call, in, reply, err);
	rc = rc ? rc : check_time(&call, err);
	if (rc)
		return rc;
	if (speech->json)
		pbjson_encode(reply, out);
	else
		pbmsg_encode(reply, out);
	return buf_check(out, "the answer", err);
}

static void serve(const struct api_endpoint *endpoint, const struct net_request *request,
		  const struct speech *speech, struct net_answer *answer)
{
	struct err err = {0};
	int64_t retry_ms = -1;
	struct buf out;

	buf_init(&out, 0);
	if (run(endpoint, request, speech, &out, &retry_ms, &err)) {
		metric_add(&errors_total, 1);
		speech_error(speech, request, answer, &err, retry_ms);
	} else {
		speech_answer(speech, request, answer, &out);
	}
	buf_deinit(&out);
}

void api_serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct api_endpoint *endpoint = user;
	struct speech speech = speech_of(request);
	uint64_t start_ns = clock_mono_ns();

	if (!str_equal(request->method, STR("POST"))) {
		refuse_method(answer);
	} else if (speech.protocol == PROTOCOL_NONE) {
		refuse_type(answer);
	} else {
		serve(endpoint, request, &speech, answer);
		histogram_observe_ns(endpoint->rpc->seconds, clock_mono_ns() - start_ns);
	}
}
