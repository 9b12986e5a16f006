/* querier.v1.QuerierService: what each method asks of the store and how the
 * answer looks. Times are milliseconds since 1970. */
#include "server/api.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "querier.pb-c.h"
#include "server/flame_reply.h"
#include "server/labels_reply.h"
#include "server/pbjson.h"

/* ---- what the methods share ---- */

/* Each costs a walk of the index; honest clients send one or two. */
enum { SELECTORS_MAX = 64, NAMES_MAX = 256 };

static int check_count(size_t count, size_t max, const char *what, struct err *err)
{
	if (count > max)
		return err_set(err, ERR_INVALID, "%zu %s are too many (at most %zu)", count, what,
			       max);
	return 0;
}

static int64_t lookback_ms(const struct api_call *call)
{
	int64_t ns = call->api->limits->query_lookback_ns;
	return ns > 0 ? (int64_t)(clock_real_ns() / NS_PER_MS) - ns / NS_PER_MS : 0;
}

/* Queries reach back only so far when a limit says so. */
static void clip(const struct api_call *call, struct query_range *range)
{
	int64_t bound = lookback_ms(call);
	if (range->start_ms < bound)
		range->start_ms = bound;
	if (range->end_ms < bound)
		range->end_ms = bound;
}

static int set_times(const struct api_call *call, int64_t start_ms, int64_t end_ms,
		     struct query_range *range, struct err *err)
{
	int64_t max_ms = call->api->limits->query_length_ns / NS_PER_MS;
	range->start_ms = start_ms;
	range->end_ms = end_ms;
	if (start_ms == 0 && end_ms == 0) /* ever */
		return 0;
	int rc = query_check_range(start_ms, end_ms, max_ms, err);
	if (rc == 0)
		clip(call, range);
	return rc;
}

static struct query_range new_range(const struct api_call *call)
{
	return (struct query_range){.tenant = call->tenant, .cancelled = call->cancelled};
}

/* Profile type, selector and times, as the Select methods have them. */
static int read_range(const struct api_call *call, const char *type_id, const char *selector,
		      int64_t start_ms, int64_t end_ms, struct query_type *type,
		      struct query_range *range, struct err *err)
{
	*range = new_range(call);
	int rc = query_parse_type(str_of(type_id), type, err);
	if (rc == 0)
		rc = query_parse_selector(call->arena, str_of(selector), &range->selector, err);
	if (rc == 0 && (start_ms == 0 || end_ms == 0))
		rc = err_set(err, ERR_INVALID,
			     "start and end must be given, in milliseconds since 1970");
	if (rc == 0)
		rc = set_times(call, start_ms, end_ms, range, err);
	range->type = type;
	return rc;
}

/* Does each for every selector (or once for none), so that answers are the union. */
static int for_each_selector(const struct api_call *call, char *const *matchers, size_t count,
			     int64_t start_ms, int64_t end_ms,
			     int (*each)(const struct api_call *, const struct query_range *,
					 void *, struct err *),
			     void *user, struct err *err)
{
	struct query_range range = new_range(call);
	int rc = check_count(count, SELECTORS_MAX, "matchers", err);

	if (rc == 0)
		rc = set_times(call, start_ms, end_ms, &range, err);
	for (size_t i = 0; rc == 0 && i < (count ? count : 1); i++) {
		struct str text = count ? str_of(matchers[i]) : STR("");
		rc = query_parse_selector(call->arena, text, &range.selector, err);
		if (rc == 0)
			rc = each(call, &range, user, err);
	}
	return rc;
}

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
	struct query_range range = new_range(call);
	struct query_type *types;
	size_t count;

	int rc = set_times(call, in->start, in->end, &range, err);
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

/* ---- LabelNames, LabelValues ---- */

static int add_names(const struct api_call *call, const struct query_range *range, void *user,
		     struct err *err)
{
	struct store_selection selection;
	struct str *names;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_label_names(call->api->store, &selection, call->arena, &names, &count,
				       err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct str name =
			call->utf8_names ? names[i] : api_legacy_name(call->arena, names[i]);
		if (name.ptr)
			rc = texts_add(user, name, err);
	}
	return rc;
}

static int label_names(const struct api_call *call, const ProtobufCMessage *message,
		       ProtobufCMessage *response, struct err *err)
{
	const Types__V1__LabelNamesRequest *in = (const void *)message;
	Types__V1__LabelNamesResponse *out = (void *)response;
	struct texts names = {.arena = call->arena};

	int rc = for_each_selector(call, in->matchers, in->n_matchers, in->start, in->end,
				   add_names, &names, err);
	return rc ? rc : texts_take(&names, &out->names, &out->n_names, err);
}

struct value_list {
	struct texts texts;
	struct str name;
};

static int add_values(const struct api_call *call, const struct query_range *range, void *user,
		      struct err *err)
{
	struct value_list *list = user;
	struct store_selection selection;
	struct str *values;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_label_values(call->api->store, &selection, list->name, call->arena,
					&values, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = texts_add(&list->texts, values[i], err);
	return rc;
}

static int label_values(const struct api_call *call, const ProtobufCMessage *message,
			ProtobufCMessage *response, struct err *err)
{
	const Types__V1__LabelValuesRequest *in = (const void *)message;
	Types__V1__LabelValuesResponse *out = (void *)response;
	struct value_list list = {.texts = {.arena = call->arena}, .name = str_of(in->name)};

	if (list.name.len == 0)
		return err_set(err, ERR_INVALID, "name: which label's values?");
	int rc = for_each_selector(call, in->matchers, in->n_matchers, in->start, in->end,
				   add_values, &list, err);
	return rc ? rc : texts_take(&list.texts, &out->names, &out->n_names, err);
}

/* ---- Series ---- */

struct series_list {
	struct label_sets sets;
	const struct str *names;
	size_t name_count;
};

static int add_series(const struct api_call *call, const struct query_range *range, void *user,
		      struct err *err)
{
	struct series_list *list = user;
	struct store_selection selection;
	struct store_labels *sets;
	size_t count;

	int rc = query_select(call->arena, range, &selection, err);
	if (rc == 0)
		rc = store_series_labels(call->api->store, &selection, list->names,
					 list->name_count, call->arena, &sets, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = label_sets_add(&list->sets, &sets[i], err);
	return rc;
}

static struct str *strings_of(struct arena *arena, char *const *texts, size_t count)
{
	struct str *strings = arena_zalloc(arena, count + 1, sizeof(*strings));
	for (size_t i = 0; strings && i < count; i++)
		strings[i] = str_of(texts[i]);
	return strings;
}

static int series(const struct api_call *call, const ProtobufCMessage *message,
		  ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SeriesRequest *in = (const void *)message;
	Querier__V1__SeriesResponse *out = (void *)response;
	struct series_list list = {.sets = {.arena = call->arena},
				   .names = strings_of(call->arena, in->label_names,
						       in->n_label_names),
				   .name_count = in->n_label_names};

	if (!list.names)
		return no_memory(err);
	int rc = check_count(list.name_count, NAMES_MAX, "label_names", err);
	if (rc)
		return rc;
	rc = for_each_selector(call, in->matchers, in->n_matchers, in->start, in->end, add_series,
			       &list, err);
	return rc ? rc
		  : label_sets_take(&list.sets, !call->utf8_names, &out->labels_set,
				    &out->n_labels_set, err);
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
				      .group_by =
					      strings_of(call->arena, in->group_by, in->n_group_by),
				      .group_count = in->n_group_by};
	struct store_points *found;
	size_t count;

	if (!points.group_by)
		return no_memory(err);
	if (in->aggregation_set_case && in->aggregation)
		points.aggregation = QUERY_AVERAGE;
	if (in->limit_set_case)
		points.limit = in->limit;
	if (in->stack_trace_selector && in->stack_trace_selector->n_call_site)
		return err_set(err, ERR_UNSUPPORTED,
			       "stack_trace_selector is not there for SelectSeries");
	int rc = check_count(points.group_count, NAMES_MAX, "group_by", err);
	if (rc == 0)
		rc = read_range(call, in->profile_typeid, in->label_selector, in->start, in->end,
				&type, &range, err);
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
		rc = read_range(call, in->profile_typeid, in->label_selector, in->start, in->end,
				&type, &range, err);
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
	 &types__v1__label_names_response__descriptor, label_names, &label_names_seconds},
	{QUERIER "LabelValues", &types__v1__label_values_request__descriptor,
	 &types__v1__label_values_response__descriptor, label_values, &label_values_seconds},
	{QUERIER "Series", &querier__v1__series_request__descriptor,
	 &querier__v1__series_response__descriptor, series, &series_seconds},
	{QUERIER "SelectSeries", &querier__v1__select_series_request__descriptor,
	 &querier__v1__select_series_response__descriptor, select_series, &select_series_seconds},
	{QUERIER "SelectMergeStacktraces",
	 &querier__v1__select_merge_stacktraces_request__descriptor,
	 &querier__v1__select_merge_stacktraces_response__descriptor, select_merge_stacktraces,
	 &select_merge_stacktraces_seconds},
};

const size_t api_querier_count = sizeof(api_querier) / sizeof(api_querier[0]);
