#include "store/embedded/count.h"

#include <stdlib.h>

/* ---- labels of the exemplars' series ---- */

struct series_list {
	struct counts *counts;
	struct arena *arena;
	struct map by_id; /* series -> index + 1 */
	struct store_labels *list;
	size_t count, cap;
};

static int compare_labels(const void *a, const void *b)
{
	const struct store_label *x = a, *y = b;
	return str_compare(x->name, y->name);
}

static int copy_labels(struct series_list *list, uint32_t series, struct store_labels *ret,
		       struct err *err)
{
	struct query *query = list->counts->query;
	struct series_labels *ids = &list->counts->groups.labels;
	int rc = query_labels(query, series, ids, err);
	if (rc)
		return rc;
	struct store_label *labels = arena_zalloc(list->arena, ids->count + 1, sizeof(*labels));
	if (!labels)
		return query_no_room(list->arena, err);
	for (size_t i = 0; !rc && i < ids->count; i++) {
		rc = query_text(query, ids->ids[i * 2], list->arena, &labels[i].name, err);
		rc = rc ? rc
			: query_text(query, ids->ids[i * 2 + 1], list->arena, &labels[i].value,
				     err);
	}
	if (!rc)
		qsort(labels, ids->count, sizeof(*labels), compare_labels);
	*ret = (struct store_labels){labels, ids->count};
	return rc;
}

static int find_series(struct series_list *list, uint32_t series, uint32_t *ret, struct err *err)
{
	uint64_t *known = map_get(&list->by_id, series);
	if (known) {
		*ret = (uint32_t)*known - 1;
		return 0;
	}
	struct store_labels *grown =
		arena_grow(list->arena, list->list, &list->cap, list->count + 1, sizeof(*grown));
	if (!grown)
		return query_no_room(list->arena, err);
	list->list = grown;
	int rc = copy_labels(list, series, &grown[list->count], err);
	*ret = (uint32_t)list->count++;
	return rc ? rc : map_put(&list->by_id, series, list->count, err);
}

/* ---- tallies ---- */

static int by_place(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->step != y->step)
		return x->step < y->step ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static int fill(struct series_list *list, const struct counted *from, struct store_tally *to,
		struct err *err)
{
	const struct grid *grid = &list->counts->grid;
	*to = (struct store_tally){
		.time_ns = grid->start_ns + from->step * grid->step_ns,
		.value = from->value,
		.count = from->count,
		.exemplar = {.time_ns = from->time_ns,
			     .profile = profile_id_make(from->series, from->time_ns),
			     .span = from->span},
	};
	return find_series(list, from->series, &to->exemplar.series, err);
}

static int by_labels(const void *a, const void *b)
{
	const struct store_tally_group *x = a, *y = b;
	return labels_compare(x->labels, x->label_count, y->labels, y->label_count);
}

static int build_group(struct series_list *list, size_t from, size_t to,
		       struct store_tally_group *ret, struct err *err)
{
	struct counts *counts = list->counts;
	struct store_tally *tallies = arena_zalloc(list->arena, to - from, sizeof(*tallies));
	struct store_label *labels;
	if (!tallies)
		return query_no_room(list->arena, err);
	int rc = group_labels(&counts->groups, counts->list[from].group, list->arena, &labels,
			      &ret->label_count, err);
	for (size_t i = from; !rc && i < to; i++)
		rc = fill(list, &counts->list[i], &tallies[i - from], err);
	ret->labels = labels;
	ret->tallies = tallies;
	ret->tally_count = to - from;
	return rc;
}

int count_build(struct counts *counts, struct arena *arena, struct store_tallies *ret,
		struct err *err)
{
	struct series_list list = {.counts = counts, .arena = arena};
	struct store_tally_group *groups =
		arena_zalloc(arena, counts->groups.count + 1, sizeof(*groups));
	size_t group_count = 0;
	int rc = groups ? 0 : query_no_room(arena, err);
	if (!rc && counts->count)
		qsort(counts->list, counts->count, sizeof(*counts->list), by_place);
	for (size_t i = 0; !rc && i < counts->count;) {
		size_t from = i;
		while (i < counts->count && counts->list[i].group == counts->list[from].group)
			i++;
		rc = build_group(&list, from, i, &groups[group_count++], err);
	}
	map_deinit(&list.by_id);
	if (rc)
		return rc;
	qsort(groups, group_count, sizeof(*groups), by_labels);
	*ret = (struct store_tallies){groups, group_count, list.list, list.count};
	return 0;
}
