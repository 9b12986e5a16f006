/* SelectSeries and SelectHeatmap: values over time. */
#include "server/querier_private.h"

#include "querier.pb-c.h"
#include "server/labels_reply.h"
#include "server/pbjson.h"
#include "server/range.h"
#include "server/stack_ask.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

/* ---- exemplars ---- */

static char *hex_text(struct arena *arena, const uint8_t *bytes, size_t count)
{
	char *text = arena_alloc(arena, 2 * count + 1);
	for (size_t i = 0; text && i < count; i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	if (text)
		text[2 * count] = '\0';
	return text;
}

/* 8-4-4-4-12 (RFC 9562 section 4). */
static char *uuid_text(struct arena *arena, const struct store_profile_id *id)
{
	const char *h = hex_text(arena, id->bytes, sizeof(id->bytes));
	struct str text =
		h ? arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%s", h, h + 8, h + 12, h + 16, h + 20)
		  : (struct str){NULL, 0};
	return (char *)(uintptr_t)text.ptr;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

/* What the series is grouped by is said there already. */
static int exemplar_labels(const struct api_call *call, const struct store_labels *all,
			   const struct store_tally_group *group, Types__V1__Exemplar *out,
			   struct err *err)
{
	struct store_label *kept = arena_zalloc(call->arena, all->label_count + 1, sizeof(*kept));
	size_t count = 0;
	if (!kept)
		return no_memory(err);
	for (size_t i = 0; i < all->label_count; i++) {
		bool grouped = false;
		for (size_t k = 0; k < group->label_count; k++)
			grouped |= str_equal(all->labels[i].name, group->labels[k].name);
		if (!grouped)
			kept[count++] = all->labels[i];
	}
	struct store_labels labels = {kept, count};
	return labels_reply(call->arena, &labels, !call->utf8_names, &out->labels, &out->n_labels,
			    err);
}

static int new_exemplar(const struct api_call *call, const struct store_tallies *tallies,
			const struct store_tally_group *group, const struct store_tally *tally,
			Types__V1__Exemplar **ret, struct err *err)
{
	const struct store_exemplar *from = &tally->exemplar;
	Types__V1__Exemplar *out =
		(Types__V1__Exemplar *)pbmsg_new(call->arena, &types__v1__exemplar__descriptor);
	if (!out)
		return no_memory(err);
	out->timestamp = (int64_t)(from->time_ns / NS_PER_MS);
	out->value = tally->value;
	out->profile_id = uuid_text(call->arena, &from->profile);
	if (!is_zero(from->span.span_id, sizeof(from->span.span_id)))
		out->span_id = hex_text(call->arena, from->span.span_id, 8);
	if (!is_zero(from->span.trace_id, sizeof(from->span.trace_id)))
		out->trace_id = hex_text(call->arena, from->span.trace_id, 16);
	if (!out->profile_id || !out->span_id || !out->trace_id)
		return no_memory(err);
	*ret = out;
	return exemplar_labels(call, &tallies->series[from->series], group, out, err);
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

static bool same_labels(const struct store_points *points, const struct store_tally_group *group)
{
	if (points->label_count != group->label_count)
		return false;
	for (size_t i = 0; i < group->label_count; i++)
		if (!str_equal(points->labels[i].name, group->labels[i].name) ||
		    !str_equal(points->labels[i].value, group->labels[i].value))
			return false;
	return true;
}

/* Points and tallies are both by time. */
static int hang_exemplars(const struct api_call *call, const struct store_tallies *tallies,
			  const struct store_tally_group *group, Types__V1__Series *out,
			  struct err *err)
{
	size_t at = 0;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < group->tally_count; i++) {
		int64_t time_ms = (int64_t)(group->tallies[i].time_ns / NS_PER_MS);
		while (at < out->n_points && out->points[at]->timestamp < time_ms)
			at++;
		if (at == out->n_points)
			return 0;
		Types__V1__Point *point = out->points[at];
		if (point->timestamp != time_ms || point->n_exemplars)
			continue;
		point->exemplars = arena_zalloc(call->arena, 1, sizeof(void *));
		if (!point->exemplars)
			return no_memory(err);
		rc = new_exemplar(call, tallies, group, &group->tallies[i], &point->exemplars[0],
				  err);
		point->n_exemplars = rc == 0;
	}
	return rc;
}

/* Series and groups are both by labels; a limit may have left out series. */
static int add_exemplars(const struct api_call *call, const struct query_range *range,
			 const struct query_points *points, enum store_unit unit,
			 const struct store_points *found, Querier__V1__SelectSeriesResponse *out,
			 struct err *err)
{
	struct store_tallies tallies;
	size_t at = 0;
	int rc = query_exemplars(call->api->store, range, points, unit, call->arena, &tallies, err);
	for (size_t i = 0; rc == 0 && i < out->n_series; i++) {
		size_t from = at;
		while (at < tallies.group_count && !same_labels(&found[i], &tallies.groups[at]))
			at++;
		if (at == tallies.group_count) /* a series without a span, say */
			at = from;
		else
			rc = hang_exemplars(call, &tallies, &tallies.groups[at++], out->series[i],
					    err);
	}
	return rc;
}

static int check_exemplars(int type, struct err *err)
{
	if (type >= 0 && type <= TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_SPAN)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "exemplar_type %d is not there", type);
}

static int ask_series(const struct api_call *call, const Querier__V1__SelectSeriesRequest *in,
		      struct query_type *type, struct query_range *range,
		      struct query_points *points, struct err *err)
{
	*points = (struct query_points){.step_s = in->step,
					.group_by = api_strings(call->arena, in->group_by,
								in->n_group_by),
					.group_count = in->n_group_by};
	if (!points->group_by)
		return no_memory(err);
	if (in->aggregation_set_case && in->aggregation)
		points->aggregation = STORE_AVERAGE;
	if (in->limit_set_case)
		points->limit = in->limit;
	int rc = check_exemplars((int)in->exemplar_type, err);
	rc = rc ? rc : api_check_count(points->group_count, API_NAMES_MAX, "group_by", err);
	rc = rc ? rc
		: api_range_read(call, in->profile_typeid, in->label_selector, in->start, in->end,
				 type, range, err);
	return rc ? rc : stack_ask_call_sites(call, in->stack_trace_selector, range, err);
}

int querier_select_series(const struct api_call *call, const ProtobufCMessage *message,
			  ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectSeriesRequest *in = (const void *)message;
	Querier__V1__SelectSeriesResponse *out = (void *)response;
	struct query_type type;
	struct query_range range;
	struct query_points points;
	struct store_points *found;
	size_t count;

	int rc = ask_series(call, in, &type, &range, &points, err);
	rc = rc ? rc
		: query_series(call->api->store, &range, &points, call->arena, &found, &count, err);
	if (rc)
		return rc;
	out->series = arena_zalloc(call->arena, count + 1, sizeof(void *));
	if (!out->series)
		return no_memory(err);
	for (; rc == 0 && out->n_series < count; out->n_series++)
		rc = fill_series(call, &found[out->n_series], &out->series[out->n_series], err);
	if (rc || in->exemplar_type <= TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_NONE)
		return rc;
	enum store_unit unit = in->exemplar_type == TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_SPAN
				       ? STORE_SPANS
				       : STORE_PROFILES;
	return add_exemplars(call, &range, &points, unit, found, out, err);
}

/* ---- SelectHeatmap ---- */

struct heat_call {
	const struct api_call *call;
	struct query_heatmap heatmap;
	bool exemplars;
};

static int fill_slot(const struct heat_call *h, const struct query_heat *heat,
		     const struct query_slot *slot, Types__V1__HeatmapSlot *out, struct err *err)
{
	struct arena *arena = h->call->arena;
	out->timestamp = (int64_t)(slot->time_ns / NS_PER_MS);
	out->y_min = arena_copy(arena, h->heatmap.row_min, sizeof(h->heatmap.row_min));
	out->counts = arena_zalloc(arena, QUERY_HEATMAP_ROWS, sizeof(*out->counts));
	out->exemplars = arena_zalloc(arena, QUERY_HEATMAP_ROWS, sizeof(void *));
	if (!out->y_min || !out->counts || !out->exemplars)
		return no_memory(err);
	out->n_y_min = out->n_counts = QUERY_HEATMAP_ROWS;
	for (size_t row = 0; row < QUERY_HEATMAP_ROWS; row++) {
		out->counts[row] =
			slot->counts[row] > INT32_MAX ? INT32_MAX : (int32_t)slot->counts[row];
		if (!h->exemplars || slot->best[row] < 0)
			continue;
		int rc = new_exemplar(h->call, &h->heatmap.tallies, heat->group,
				      &heat->group->tallies[slot->best[row]],
				      &out->exemplars[out->n_exemplars], err);
		if (rc)
			return rc;
		out->n_exemplars++;
	}
	return 0;
}

static int fill_heat(const struct heat_call *h, const struct query_heat *heat,
		     Types__V1__HeatmapSeries **ret, struct err *err)
{
	struct arena *arena = h->call->arena;
	struct store_labels labels = {heat->group->labels, heat->group->label_count};
	Types__V1__HeatmapSeries *out =
		(Types__V1__HeatmapSeries *)pbmsg_new(arena,
						      &types__v1__heatmap_series__descriptor);
	Types__V1__HeatmapSlot *slots = arena_zalloc(arena, heat->slot_count + 1, sizeof(*slots));
	if (!out || !slots)
		return no_memory(err);
	out->slots = arena_zalloc(arena, heat->slot_count + 1, sizeof(void *));
	if (!out->slots)
		return no_memory(err);
	for (size_t i = 0; i < heat->slot_count; i++) {
		types__v1__heatmap_slot__init(&slots[i]);
		out->slots[i] = &slots[i];
		int rc = fill_slot(h, heat, &heat->slots[i], &slots[i], err);
		if (rc)
			return rc;
	}
	out->n_slots = heat->slot_count;
	*ret = out;
	return labels_reply(arena, &labels, !h->call->utf8_names, &out->labels, &out->n_labels,
			    err);
}

/* INDIVIDUAL unless spans are asked for; exemplars must be of the same kind. */
static int heat_unit(const Querier__V1__SelectHeatmapRequest *in, enum store_unit *ret,
		     struct err *err)
{
	int wanted = (int)in->exemplar_type;
	bool spans = in->query_type == QUERIER__V1__HEATMAP_QUERY_TYPE__HEATMAP_QUERY_TYPE_SPAN;
	int fits = spans ? TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_SPAN
			 : TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_INDIVIDUAL;
	*ret = spans ? STORE_SPANS : STORE_PROFILES;
	if ((int)in->query_type < 0 ||
	    in->query_type > QUERIER__V1__HEATMAP_QUERY_TYPE__HEATMAP_QUERY_TYPE_SPAN)
		return err_set(err, ERR_UNSUPPORTED, "query_type %d is not there",
			       (int)in->query_type);
	int rc = check_exemplars(wanted, err);
	if (rc == 0 && wanted > TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_NONE && wanted != fits)
		rc = err_set(err, ERR_INVALID,
			     "exemplar_type must be NONE or the same kind as query_type");
	return rc;
}

static int ask_heat(const struct api_call *call, const Querier__V1__SelectHeatmapRequest *in,
		    struct query_heatmap *ret, struct err *err)
{
	struct query_type type;
	struct query_range range;
	enum store_unit unit;
	struct query_points points = {.step_s = in->step,
				      .group_by = api_strings(call->arena, in->group_by,
							      in->n_group_by),
				      .group_count = in->n_group_by,
				      .limit = in->limit_set_case ? in->limit : 0};
	if (!points.group_by)
		return no_memory(err);
	int rc = heat_unit(in, &unit, err);
	rc = rc ? rc : api_check_count(points.group_count, API_NAMES_MAX, "group_by", err);
	rc = rc ? rc
		: api_range_read(call, in->profile_typeid, in->label_selector, in->start, in->end,
				 &type, &range, err);
	return rc ? rc
		  : query_heatmap(call->api->store, &range, &points, unit, call->arena, ret, err);
}

int querier_select_heatmap(const struct api_call *call, const ProtobufCMessage *message,
			   ProtobufCMessage *response, struct err *err)
{
	const Querier__V1__SelectHeatmapRequest *in = (const void *)message;
	Querier__V1__SelectHeatmapResponse *out = (void *)response;
	struct heat_call h = {.call = call,
			      .exemplars = in->exemplar_type >
					   TYPES__V1__EXEMPLAR_TYPE__EXEMPLAR_TYPE_NONE};

	int rc = ask_heat(call, in, &h.heatmap, err);
	if (rc)
		return rc;
	out->series = arena_zalloc(call->arena, h.heatmap.group_count + 1, sizeof(void *));
	if (!out->series)
		return no_memory(err);
	for (size_t i = 0; rc == 0 && i < h.heatmap.group_count; i++) {
		rc = fill_heat(&h, &h.heatmap.groups[i], &out->series[i], err);
		out->n_series += rc == 0;
	}
	return rc;
}
