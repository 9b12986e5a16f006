/* Unary RPCs over Connect (connectrpc.com/docs/protocol, "Unary-Request") and
 * gRPC. The content type says which, and in which encoding; everything between
 * the bytes of the request and those of the answer is the same. */
#include "server/api.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "server/pbjson.h"
#include "server/settings.h"

enum codec { CODEC_NONE, CODEC_JSON, CODEC_PROTO, CODEC_GRPC };

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
			"the content type must be application/json, application/proto "
			"or application/grpc");
	net_answer_header(answer, STR("accept-post"),
			  STR("application/json, application/proto, application/grpc"));
}

/* ---- requests ---- */

static enum codec codec_of(const struct net_request *request)
{
	struct str rest = net_header_get(request, STR("content-type")), type;

	if (net_is_grpc(request))
		return CODEC_GRPC;
	if (!str_next(&rest, ';', &type))
		return CODEC_NONE;
	type = str_trim(type);
	if (str_equal_nocase(type, STR("application/json")))
		return CODEC_JSON;
	return str_equal_nocase(type, STR("application/proto")) ? CODEC_PROTO : CODEC_NONE;
}

static int read_message(const struct net_request *request, enum codec codec,
			const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
			struct err *err)
{
	struct str body;
	int rc = codec == CODEC_GRPC ? net_grpc_message(request, API_BODY_MAX_BYTES, &body, err)
				     : net_body(request, API_BODY_MAX_BYTES, &body, err);
	if (rc)
		return rc;
	if (codec == CODEC_JSON && str_trim(body).len > 0)
		return pbjson_decode(request->arena, type, body, ret, err);
	return pbmsg_decode(request->arena, type, codec == CODEC_JSON ? STR("") : body, ret, err);
}

/* With the limits of the call's tenant. */
static int call_method(const struct api_rpc *rpc, const struct api_call *call,
		       const ProtobufCMessage *in, ProtobufCMessage *reply, struct err *err)
{
	struct api api = *call->api;
	struct settings *settings = ingest_settings(api.ingest);

	if (settings)
		api.limits = &settings_policy(settings, call->tenant)->limits;
	struct api_call limited = *call;
	limited.api = &api;
	int rc = rpc->method(&limited, in, reply, err);
	settings_put(settings);
	return rc;
}

static int run(const struct api_endpoint *endpoint, const struct net_request *request,
	       enum codec codec, struct buf *out, struct err *err)
{
	const struct api_rpc *rpc = endpoint->rpc;
	struct api_call call = {.api = endpoint->api,
				.arena = request->arena,
				.cancelled = request->cancelled,
				.utf8_names = api_accepts_utf8_names(request)};
	ProtobufCMessage *in = NULL, *reply = pbmsg_new(request->arena, rpc->response);

	if (!reply)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	int rc = ingest_tenant(endpoint->api->ingest, request, &call.tenant, err);
	if (rc == 0)
		rc = read_message(request, codec, rpc->request, &in, err);
	if (rc == 0)
		rc = call_method(rpc, &call, in, reply, err);
	if (rc)
		return rc;
	if (codec == CODEC_JSON)
		pbjson_encode(reply, out);
	else
		pbmsg_encode(reply, out);
	return buf_check(out, "the answer", err);
}

static void serve(const struct api_endpoint *endpoint, const struct net_request *request,
		  enum codec codec, struct net_answer *answer)
{
	struct err err = {0};
	struct buf out;

	buf_init(&out, 0);
	int rc = run(endpoint, request, codec, &out, &err);
	if (rc)
		metric_add(&errors_total, 1);
	if (codec == CODEC_GRPC) {
		if (rc)
			net_grpc_error(answer, &err, -1);
		else
			net_grpc_answer(answer, buf_text(&out));
		buf_deinit(&out);
		return;
	}
	buf_deinit(&answer->body);
	answer->body = out;
	if (rc) {
		api_error(answer, &err);
		return;
	}
	answer->status = 200;
	net_answer_header(answer, STR("content-type"),
			  codec == CODEC_JSON ? STR("application/json") : STR("application/proto"));
	net_answer_gzip(request, answer);
}

void api_serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct api_endpoint *endpoint = user;
	enum codec codec = codec_of(request);
	uint64_t start_ns = clock_mono_ns();

	if (!str_equal(request->method, STR("POST"))) {
		refuse_method(answer);
	} else if (codec == CODEC_NONE) {
		refuse_type(answer);
	} else {
		serve(endpoint, request, codec, answer);
		histogram_observe_ns(endpoint->rpc->seconds, clock_mono_ns() - start_ns);
	}
}
