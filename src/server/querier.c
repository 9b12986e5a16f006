/* querier.v1.QuerierService: what each method asks of the store and how the
 * answer looks. Times are milliseconds since 1970. */
#include "server/api.h"

#include "querier.pb-c.h"
#include "server/pbjson.h"
#include "server/querier_private.h"
#include "server/range.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* ---- ProfileTypes ---- */

static Types__V1__ProfileType *new_type(struct arena *arena, const struct query_type *type)
{
	Types__V1__ProfileType *reply =
		(Types__V1__ProfileType *)pbmsg_new(arena, &types__v1__profile_type__descriptor);
	if (!reply)
		return NULL;
	reply->id = api_text(arena, type->id);
	reply->name = api_text(arena, type->name);
	reply->sample_type = api_text(arena, type->sample_type);
	reply->sample_unit = api_text(arena, type->sample_unit);
	reply->period_type = api_text(arena, type->period_type);
	reply->period_unit = api_text(arena, type->period_unit);
	bool whole = reply->id && reply->name && reply->sample_type && reply->sample_unit &&
		     reply->period_type && reply->period_unit;
	return whole ? reply : NULL;
}

int querier_profile_types(const struct api_call *call, const ProtobufCMessage *message,
			  ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__ProfileTypesRequest *in = (const void *)message;
	Querier__V1__ProfileTypesResponse *out = (void *)response;
	struct query_range range = api_range_new(call);
	struct query_type *types;
	size_t count;

	int rc = api_range_times(call, in->start, in->end, &range, err);
	if (rc == 0)
		rc = query_types(call->api->store, &range, call->arena, &types, &count, err);
	if (rc)
		return rc;
	out->profile_types = arena_zalloc(call->arena, count + 1, sizeof(void *));
	if (!out->profile_types)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		out->profile_types[i] = new_type(call->arena, &types[i]);
		if (!out->profile_types[i])
			return no_memory(err);
	}
	out->n_profile_types = count;
	return 0;
}

/* ---- the table ---- */

API_SECONDS(profile_types_seconds, "ProfileTypes");
API_SECONDS(label_names_seconds, "LabelNames");
API_SECONDS(label_values_seconds, "LabelValues");
API_SECONDS(series_seconds, "Series");
API_SECONDS(select_series_seconds, "SelectSeries");
API_SECONDS(select_heatmap_seconds, "SelectHeatmap");
API_SECONDS(merge_stacktraces_seconds, "SelectMergeStacktraces");
API_SECONDS(merge_span_profile_seconds, "SelectMergeSpanProfile");
API_SECONDS(merge_profile_seconds, "SelectMergeProfile");
API_SECONDS(diff_seconds, "Diff");
API_SECONDS(profile_stats_seconds, "GetProfileStats");
API_SECONDS(analyze_seconds, "AnalyzeQuery");

#define RPC(name_, request_, response_, method_, seconds_)                                   \
	API_RPC("/querier.v1.QuerierService/" name_, request_, response_, querier_##method_, \
		seconds_##_seconds)
#define QUERIER_RPC(name_, message_, method_, seconds_)                                            \
	RPC(name_, querier__v1__##message_##_request, querier__v1__##message_##_response, method_, \
	    seconds_)

static const struct api_rpc rpcs[] = {
	QUERIER_RPC("ProfileTypes", profile_types, profile_types, profile_types),
	RPC("LabelNames", types__v1__label_names_request, types__v1__label_names_response,
	    label_names, label_names),
	RPC("LabelValues", types__v1__label_values_request, types__v1__label_values_response,
	    label_values, label_values),
	QUERIER_RPC("Series", series, series, series),
	QUERIER_RPC("SelectSeries", select_series, select_series, select_series),
	QUERIER_RPC("SelectHeatmap", select_heatmap, select_heatmap, select_heatmap),
	QUERIER_RPC("SelectMergeStacktraces", select_merge_stacktraces, select_merge_stacktraces,
		    merge_stacktraces),
	QUERIER_RPC("SelectMergeSpanProfile", select_merge_span_profile, select_merge_span_profile,
		    merge_span_profile),
	RPC("SelectMergeProfile", querier__v1__select_merge_profile_request, google__v1__profile,
	    select_merge_profile, merge_profile),
	QUERIER_RPC("Diff", diff, diff, diff),
	RPC("GetProfileStats", types__v1__get_profile_stats_request,
	    types__v1__get_profile_stats_response, profile_stats, profile_stats),
	QUERIER_RPC("AnalyzeQuery", analyze_query, analyze, analyze),
};

const struct api_service api_querier = {rpcs, sizeof(rpcs) / sizeof(rpcs[0])};
