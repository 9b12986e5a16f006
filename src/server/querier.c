/* querier.v1.QuerierService: what each method asks of the store and how the
 * answer looks. Times are milliseconds since 1970. */
#include "server/api.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "querier.pb-c.h"
#include "server/flame_reply.h"
#include "server/labels_reply.h"
#include "server/pbjson.h"
#include "server/querier_labels.h"
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

static int profile_types(const struct api_call *call, const ProtobufCMessage *message,
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

/* ---- SelectSeries ---- */

static int fill_series(const struct api_call *call, const struct store_points *points,
		       Types__V1__Series **ret, struct err *err)
{
	Types__V1__Series *one =
		(Types__V1__Series *)pbmsg_new(call->arena, &types__v1__series__descriptor);
	Types__V1__Point *all = arena_zalloc(call->arena, points->point_count + 1, sizeof(*all));
	Types__V1__Point **list = arena_zalloc(call->arena, points->point_count + 1, sizeof(*list));

	if (!one || !all || !list)
		return no_memory(err);
	for (size_t i = 0; i < points->point_count; i++) {
		types__v1__point__init(&all[i]);
		all[i].value = points->points[i].value;
		all[i].timestamp = (int64_t)(points->points[i].time_ns / NS_PER_MS);
		list[i] = &all[i];
	}
	one->points = list;
	one->n_points = points->point_count;
	struct store_labels labels = {points->labels, points->label_count};
	*ret = one;
	return labels_reply(call->arena, &labels, !call->utf8_names, &one->labels, &one->n_labels,
			    err);
}

static int select_series(const struct api_call *call, const ProtobufCMessage *message,
			 ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectSeriesRequest *in = (const void *)message;
	Querier__V1__SelectSeriesResponse *out = (void *)response;
	struct query_type type;
	struct query_range range;
	struct query_points points = {.step_s = in->step,
				      .group_by = api_strings(call->arena, in->group_by,
							      in->n_group_by),
				      .group_count = in->n_group_by};
	struct store_points *found;
	size_t count;

	if (!points.group_by)
		return no_memory(err);
	if (in->aggregation_set_case && in->aggregation)
		points.aggregation = STORE_AVERAGE;
	if (in->limit_set_case)
		points.limit = in->limit;
	if (in->stack_trace_selector && in->stack_trace_selector->n_call_site)
		return err_set(err, ERR_UNSUPPORTED,
			       "stack_trace_selector is not there for SelectSeries");
	int rc = api_check_count(points.group_count, API_NAMES_MAX, "group_by", err);
	if (rc == 0)
		rc = api_range_read(call, in->profile_typeid, in->label_selector, in->start,
				    in->end, &type, &range, err);
	if (rc == 0)
		rc = query_series(call->api->store, &range, &points, call->arena, &found, &count,
				  err);
	if (rc)
		return rc;
	out->series = arena_zalloc(call->arena, count + 1, sizeof(void *));
	if (!out->series)
		return no_memory(err);
	for (; rc == 0 && out->n_series < count; out->n_series++)
		rc = fill_series(call, &found[out->n_series], &out->series[out->n_series], err);
	return rc;
}

/* ---- SelectMergeStacktraces ---- */

static int node_limit(const struct api_call *call,
		      const Querier__V1__SelectMergeStacktracesRequest *in, uint64_t *ret,
		      struct err *err)
{
	const struct server_limits *limits = call->api->limits;
	int64_t nodes = in->max_nodes_set_case ? in->max_nodes : 0;

	if (nodes < 0)
		return err_set(err, ERR_INVALID, "max_nodes %lld is negative", (long long)nodes);
	if (limits->flame_nodes_max > 0 && nodes > limits->flame_nodes_max)
		return err_set(err, ERR_INVALID,
			       "max_nodes %lld is above limits.max_flamegraph_nodes_max, %lld",
			       (long long)nodes, (long long)limits->flame_nodes_max);
	*ret = (uint64_t)(nodes ? nodes : limits->flame_nodes_default);
	return 0;
}

static int check_format(const Querier__V1__SelectMergeStacktracesRequest *in, struct err *err)
{
	if ((int)in->format < 0 || (int)in->format > 2)
		return err_set(err, ERR_UNSUPPORTED,
			       "format %d is not there; FLAMEGRAPH and TREE are", (int)in->format);
	if (in->n_profile_id_selector > 0)
		return err_set(err, ERR_UNSUPPORTED, "profile_id_selector is not there");
	return 0;
}

static int select_merge_stacktraces(const struct api_call *call, const ProtobufCMessage *message,
				    ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectMergeStacktracesRequest *in = (const void *)message;
	Querier__V1__SelectMergeStacktracesResponse *out = (void *)response;
	struct query_type type;
	struct query_range range;
	uint64_t max_nodes = 0;

	int rc = check_format(in, err);
	if (rc == 0)
		rc = node_limit(call, in, &max_nodes, err);
	if (rc == 0)
		rc = api_range_read(call, in->profile_typeid, in->label_selector, in->start,
				    in->end, &type, &range, err);
	if (rc == 0)
		rc = flame_select_ids(call, in, &range.selector, err);
	return rc ? rc : flame_reply(call, &range, max_nodes, in, out, err);
}

/* ---- the table ---- */

#define SECONDS(name_, method_)                                                   \
	static struct histogram name_ =                                           \
		HISTOGRAM_INIT("cresset_query_seconds", "method=\"" method_ "\"", \
			       "Time to answer calls of the query API", 100 * NS_PER_US)

SECONDS(profile_types_seconds, "ProfileTypes");
SECONDS(label_names_seconds, "LabelNames");
SECONDS(label_values_seconds, "LabelValues");
SECONDS(series_seconds, "Series");
SECONDS(select_series_seconds, "SelectSeries");
SECONDS(select_merge_stacktraces_seconds, "SelectMergeStacktraces");

#define QUERIER "/querier.v1.QuerierService/"

const struct api_rpc api_querier[] = {
	{QUERIER "ProfileTypes", &querier__v1__profile_types_request__descriptor,
	 &querier__v1__profile_types_response__descriptor, profile_types, &profile_types_seconds},
	{QUERIER "LabelNames", &types__v1__label_names_request__descriptor,
	 &types__v1__label_names_response__descriptor, querier_label_names, &label_names_seconds},
	{QUERIER "LabelValues", &types__v1__label_values_request__descriptor,
	 &types__v1__label_values_response__descriptor, querier_label_values,
	 &label_values_seconds},
	{QUERIER "Series", &querier__v1__series_request__descriptor,
	 &querier__v1__series_response__descriptor, querier_series, &series_seconds},
	{QUERIER "SelectSeries", &querier__v1__select_series_request__descriptor,
	 &querier__v1__select_series_response__descriptor, select_series, &select_series_seconds},
	{QUERIER "SelectMergeStacktraces",
	 &querier__v1__select_merge_stacktraces_request__descriptor,
	 &querier__v1__select_merge_stacktraces_response__descriptor, select_merge_stacktraces,
	 &select_merge_stacktraces_seconds},
};

const size_t api_querier_count = sizeof(api_querier) / sizeof(api_querier[0]);
