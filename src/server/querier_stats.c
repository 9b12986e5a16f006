/* GetProfileStats and AnalyzeQuery. */
#include "server/querier_private.h"

#include "base/clock.h"
#include "querier.pb-c.h"
#include "server/pbjson.h"
#include "server/range.h"

int querier_profile_stats(const struct api_call *call, const ProtobufCMessage *message,
			  ProtobufCMessage *response, struct err *err)
{
	Types__V1__GetProfileStatsResponse *out = (void *)response;
	struct store_extent extent;
	(void)message;
	int rc = store_extent(call->api->store, call->tenant, &extent, err);
	if (rc)
		return rc;
	out->data_ingested = extent.newest_ns > 0;
	out->oldest_profile_time = (int64_t)(extent.oldest_ns / NS_PER_MS);
	out->newest_profile_time = (int64_t)(extent.newest_ns / NS_PER_MS);
	return 0;
}

/* ---- AnalyzeQuery ---- */

static int add_scope(struct arena *arena, const struct store_analysis *found,
		     Querier__V1__AnalyzeQueryResponse *out, struct err *err)
{
	Querier__V1__QueryScope *scope =
		(Querier__V1__QueryScope *)pbmsg_new(arena, &querier__v1__query_scope__descriptor);
	Querier__V1__QueryImpact *impact =
		(Querier__V1__QueryImpact *)pbmsg_new(arena,
						      &querier__v1__query_impact__descriptor);
	out->query_scopes = arena_zalloc(arena, 1, sizeof(void *));
	if (!scope || !impact || !out->query_scopes)
		return err_set(err, ERR_NOMEM, "no memory for the answer");
	scope->component_type = "store";
	scope->component_count = 1;
	scope->block_count = found->blocks;
	scope->series_count = found->series;
	scope->profile_count = found->blocks;
	scope->sample_count = found->samples;
	scope->profile_bytes = found->bytes;
	impact->total_bytes_in_time_range = found->bytes;
	impact->total_queried_series = found->series;
	out->query_scopes[0] = scope;
	out->n_query_scopes = 1;
	out->query_impact = impact;
	return 0;
}

/* query is a selector, with or without a profile type in front. */
int querier_analyze(const struct api_call *call, const ProtobufCMessage *message,
		    ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__AnalyzeQueryRequest *in = (const void *)message;
	struct query_range range = api_range_new(call);
	struct store_selection selection;
	struct store_analysis found;
	struct query_type type;
	struct str id, selector;

	api_split_query(str_of(in->query), &id, &selector);
	if (id.len > 0 && query_parse_type(id, &type, NULL) == 0)
		range.type = &type;
	int rc = query_parse_selector(call->arena, selector, &range.selector, err);
	rc = rc ? rc : api_range_times(call, in->start, in->end, &range, err);
	rc = rc ? rc : query_select(call->arena, &range, &selection, err);
	rc = rc ? rc : store_analyze(call->api->store, &selection, &found, err);
	return rc ? rc : add_scope(call->arena, &found, (void *)response, err);
}
