/* SelectMergeStacktraces, SelectMergeSpanProfile and SelectMergeProfile. */
#include "server/querier_private.h"

#include "base/base64.h"
#include "server/flame_reply.h"
#include "server/pbjson.h"
#include "server/pprof_reply.h"
#include "server/range.h"
#include "server/stack_ask.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* ---- formats ---- */

typedef Querier__V1__SelectMergeStacktracesRequest merge_request;
typedef Querier__V1__SelectMergeStacktracesResponse merge_response;

static int check_format(int format, bool graphs_only, struct err *err)
{
	bool graph = format >= 0 && format <= QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_TREE;
	bool known = format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_DOT ||
		     format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_PPROF ||
		     format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FUNCTIONS ||
		     format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_SANDWICH;
	if (graph || (known && !graphs_only))
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "format %d is not there; %s are", format,
		       graphs_only ? "FLAMEGRAPH and TREE"
				   : "FLAMEGRAPH, TREE, DOT, PPROF, FUNCTIONS and SANDWICH");
}

static int merge_pprof(const struct api_call *call, const struct stack_ask *ask,
		       merge_response *out, struct err *err)
{
	struct store_tree stacks;
	out->pprof =
		(Querier__V1__PprofProfile *)pbmsg_new(call->arena,
						       &querier__v1__pprof_profile__descriptor);
	if (!out->pprof)
		return no_memory(err);
	int rc = stack_ask_stacks(call, ask, &stacks, err);
	rc = rc ? rc : query_stacks_fold(call->arena, &stacks, ask->max_nodes, &stacks, err);
	return rc ? rc
		  : pprof_reply(call->arena, &stacks, &ask->range,
				ask->selector ? ask->selector->go_pgo : NULL, &out->pprof->profile,
				err);
}

static int merge_folded(const struct api_call *call, const struct stack_ask *ask, int format,
			const struct query_tree *whole, merge_response *out, struct err *err)
{
	struct query_tree tree;
	int rc = query_tree_fold(call->arena, whole, ask->max_nodes, &tree, err);
	if (rc)
		return rc;
	if (format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_TREE)
		return flame_reply_bytes(call->arena, &tree, &out->tree, err);
	return flame_reply_graph(call->arena, &tree, &out->flamegraph, err);
}

static int merge_tree(const struct api_call *call, const struct stack_ask *ask,
		      const merge_request *in, merge_response *out, struct err *err)
{
	struct query_tree whole;
	int rc = stack_ask_tree(call, ask, &whole, err);
	if (rc)
		return rc;
	switch ((int)in->format) {
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_DOT:
		return flame_reply_dot(call->arena, &whole, ask->type.id, ask->max_nodes, &out->dot,
				       err);
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FUNCTIONS:
		return flame_reply_functions(call->arena, &whole, ask->max_nodes, &out->functions,
					     err);
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_SANDWICH:
		return flame_reply_sandwich(call->arena, &whole, str_of(in->sandwich_function),
					    ask->max_nodes, &out->sandwich, err);
	default:
		return merge_folded(call, ask, (int)in->format, &whole, out, err);
	}
}

/* A format that shows everything unless told otherwise has no default limit. */
static int64_t default_nodes(const struct api_call *call, int format)
{
	switch (format) {
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_DOT:
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_PPROF:
	case QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FUNCTIONS:
		return 0;
	default:
		return call->api->limits->flame_nodes_default;
	}
}

static int merge(const struct api_call *call, const merge_request *in, merge_response *out,
		 struct err *err)
{
	struct stack_ask ask;
	int format = (int)in->format;
	int rc = check_format(format, false, err);
	if (rc == 0 && format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_SANDWICH &&
	    !(in->sandwich_function_set_case && in->sandwich_function[0]))
		rc = err_set(err, ERR_INVALID, "sandwich_function: which function?");
	rc = rc ? rc : stack_ask_read(call, in, default_nodes(call, format), &ask, err);
	if (rc)
		return rc;
	if (format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_PPROF)
		return merge_pprof(call, &ask, out, err);
	return merge_tree(call, &ask, in, out, err);
}

/* ---- asynchronous queries ----
 * A client of these submits, gets an id, and asks for its answer until it is there. Nothing is kept
 * meanwhile: the id is the request itself, which is answered when it is asked for. So an id is good
 * as long as anybody likes, and after a restart too. */

static int new_async(struct arena *arena, struct str id, int status,
		     Querier__V1__AsyncQueryResponse **ret, struct err *err)
{
	Querier__V1__AsyncQueryResponse *async = (Querier__V1__AsyncQueryResponse *)
		pbmsg_new(arena, &querier__v1__async_query_response__descriptor);
	if (!async)
		return no_memory(err);
	async->request_id = api_text(arena, id);
	async->status = (Querier__V1__AsyncQueryStatus)status;
	*ret = async;
	return async->request_id ? 0 : no_memory(err);
}

static int submit(const struct api_call *call, const merge_request *in, merge_response *out,
		  struct err *err)
{
	struct stack_ask ask;
	struct buf packed, id;
	merge_request plain = *in;
	int rc = check_format((int)in->format, false, err);
	rc = rc ? rc : stack_ask_read(call, in, 0, &ask, err);
	if (rc)
		return rc;
	plain.async = NULL;
	buf_init(&packed, 0);
	buf_init(&id, 0);
	pbmsg_encode(&plain.base, &packed);
	base64_put(&id, buf_text(&packed), true);
	rc = buf_check(&packed, "the request's id", err);
	rc = rc ? rc : buf_check(&id, "the request's id", err);
	rc = rc ? rc
		: new_async(call->arena, buf_text(&id),
			    QUERIER__V1__ASYNC_QUERY_STATUS__ASYNC_QUERY_STATUS_IN_PROGRESS,
			    &out->async, err);
	buf_deinit(&packed);
	buf_deinit(&id);
	return rc;
}

static int poll(const struct api_call *call, struct str id, merge_response *out, struct err *err)
{
	ProtobufCMessage *in;
	size_t len;
	uint8_t *bytes = arena_alloc(call->arena, base64_decoded_max(id.len));
	if (!bytes)
		return no_memory(err);
	if (!base64_get(id, bytes, &len) ||
	    pbmsg_decode(call->arena, &querier__v1__select_merge_stacktraces_request__descriptor,
			 str_make(bytes, len), &in, NULL))
		return err_set(err, ERR_NOT_FOUND, "async.request_id: there is no such request");
	int rc = merge(call, (const merge_request *)in, out, err);
	return rc ? rc
		  : new_async(call->arena, id,
			      QUERIER__V1__ASYNC_QUERY_STATUS__ASYNC_QUERY_STATUS_SUCCESS,
			      &out->async, err);
}

int querier_select_merge_stacktraces(const struct api_call *call, const ProtobufCMessage *message,
				     ProtobufCMessage *response, struct err *err)
{
	const merge_request *in = (const void *)message;
	merge_response *out = (void *)response;
	const Querier__V1__AsyncQueryRequest *async = in->async;

	if (async && async->request_id[0])
		return poll(call, str_of(async->request_id), out, err);
	if (async && async->type == QUERIER__V1__ASYNC_QUERY_TYPE__ASYNC_QUERY_TYPE_FORCE)
		return submit(call, in, out, err);
	return merge(call, in, out, err);
}

/* ---- the other two ---- */

int querier_select_merge_span_profile(const struct api_call *call, const ProtobufCMessage *message,
				      ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectMergeSpanProfileRequest *in = (const void *)message;
	Querier__V1__SelectMergeSpanProfileResponse *out = (void *)response;
	struct stack_ids spans = {in->span_selector, in->n_span_selector};
	struct stack_ask ask = {0};
	merge_response merged = QUERIER__V1__SELECT_MERGE_STACKTRACES_RESPONSE__INIT;
	struct query_tree whole;

	int rc = check_format((int)in->format, true, err);
	rc = rc ? rc
		: stack_ask_nodes(call, in->max_nodes_set_case ? in->max_nodes : 0,
				  call->api->limits->flame_nodes_default, &ask.max_nodes, err);
	rc = rc ? rc
		: api_range_read(call, in->profile_typeid, in->label_selector, in->start, in->end,
				 &ask.type, &ask.range, err);
	if (rc == 0)
		rc = spans.count ? stack_ask_spans(call, spans, &ask.range, err)
				 : stack_ask_any_span(call, &ask.range, err);
	rc = rc ? rc : stack_ask_tree(call, &ask, &whole, err);
	rc = rc ? rc : merge_folded(call, &ask, (int)in->format, &whole, &merged, err);
	out->flamegraph = merged.flamegraph;
	out->tree = merged.tree;
	return rc;
}

int querier_select_merge_profile(const struct api_call *call, const ProtobufCMessage *message,
				 ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectMergeProfileRequest *in = (const void *)message;
	merge_request request = QUERIER__V1__SELECT_MERGE_STACKTRACES_REQUEST__INIT;
	merge_response merged = QUERIER__V1__SELECT_MERGE_STACKTRACES_RESPONSE__INIT;

	request.profile_typeid = in->profile_typeid;
	request.label_selector = in->label_selector;
	request.start = in->start;
	request.end = in->end;
	request.max_nodes_set_case =
		(Querier__V1__SelectMergeStacktracesRequest__MaxNodesSetCase)in->max_nodes_set_case;
	request.max_nodes = in->max_nodes;
	request.stack_trace_selector = in->stack_trace_selector;
	request.profile_id_selector = in->profile_id_selector;
	request.n_profile_id_selector = in->n_profile_id_selector;
	request.trace_id_selector = in->trace_id_selector;
	request.n_trace_id_selector = in->n_trace_id_selector;
	request.format = QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_PPROF;
	int rc = merge(call, &request, &merged, err);
	if (rc == 0)
		*(Google__V1__Profile *)response = *merged.pprof->profile;
	return rc;
}
