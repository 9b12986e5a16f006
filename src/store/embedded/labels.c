/* Names, values and sets of labels: of those series that have samples on the
 * days of the time range. Sample fields (thread.name ...) are listed as names
 * where they occur; their values are read from the samples themselves. */
#include <stdlib.h>
#include <string.h>

#include "store/embedded/answer.h"

static int compare_texts(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Sorts, drops the doubles. */
static size_t sort_texts(struct str *texts, size_t count)
{
	size_t kept = 0;
	if (count)
		qsort(texts, count, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !str_equal(texts[i], texts[kept - 1]))
			texts[kept++] = texts[i];
	return kept;
}

typedef int visit_labels(struct query *query, const struct series_labels *labels, void *context,
			 struct err *err);

static int each_series(struct query *query, const roaring_bitmap_t *series, visit_labels *visit,
		       void *context, struct err *err)
{
	struct series_labels labels = {0};
	roaring_uint32_iterator_t at;
	int rc = 0;
	roaring_init_iterator(series, &at);
	for (; !rc && at.has_value; roaring_advance_uint32_iterator(&at)) {
		rc = query_check(query, err);
		rc = rc ? rc : query_labels(query, at.current_value, &labels, err);
		rc = rc ? rc : visit(query, &labels, context, err);
	}
	return rc;
}

/* ---- names ---- */

static int collect_names(struct query *query, const struct series_labels *labels, void *context,
			 struct err *err)
{
	(void)query;
	(void)err;
	for (size_t i = 0; i < labels->count; i++)
		roaring_bitmap_add(context, labels->ids[i * 2]);
	return 0;
}

static size_t add_fields(struct str *texts, size_t count, unsigned columns)
{
	for (unsigned f = FIELD_PID; f <= FIELD_TRACE; f++)
		if (columns & 1u << column_of_field((enum sample_field)f))
			texts[count++] = name_of_field((enum sample_field)f);
	return count;
}

static int copy_ids(struct query *query, const roaring_bitmap_t *ids, unsigned columns,
		    struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	size_t count = 0, most = (size_t)roaring_bitmap_get_cardinality(ids) + FIELD_TRACE + 1;
	struct str *texts = arena_zalloc(arena, most, sizeof(*texts));
	roaring_uint32_iterator_t at;
	int rc = texts ? 0 : query_no_room(arena, err);
	roaring_init_iterator(ids, &at);
	for (; !rc && at.has_value; roaring_advance_uint32_iterator(&at))
		rc = query_text(query, at.current_value, arena, &texts[count++], err);
	if (rc)
		return rc;
	count = add_fields(texts, count, columns);
	*ret = texts;
	*ret_count = sort_texts(texts, count);
	return 0;
}

static int names_of(struct query *query, const roaring_bitmap_t *series, unsigned columns,
		    struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	roaring_bitmap_t *ids = roaring_bitmap_create();
	int rc = ids ? each_series(query, series, collect_names, ids, err)
		     : err_set(err, ERR_NOMEM, "label names: no memory");
	rc = rc ? rc : copy_ids(query, ids, columns, arena, ret, ret_count, err);
	if (ids)
		roaring_bitmap_free(ids);
	return rc;
}

int answer_label_names(struct query *query, struct arena *arena, struct str **ret,
		       size_t *ret_count, struct err *err)
{
	roaring_bitmap_t *series;
	unsigned columns;
	int rc = select_active(query, &series, &columns, err);
	if (rc)
		return rc;
	rc = names_of(query, series, columns, arena, ret, ret_count, err);
	roaring_bitmap_free(series);
	return rc;
}

/* ---- values ---- */

struct values {
	struct wanted wanted;
	roaring_bitmap_t *ids;
};

static int collect_value(struct query *query, const struct series_labels *labels, void *context,
			 struct err *err)
{
	struct values *values = context;
	uint32_t id = wanted_value(&values->wanted, labels);
	(void)query;
	(void)err;
	if (id)
		roaring_bitmap_add(values->ids, id);
	return 0;
}

static int label_values(struct query *query, struct wanted *wanted, struct arena *arena,
			struct str **ret, size_t *ret_count, struct err *err)
{
	struct values values = {.wanted = *wanted, .ids = roaring_bitmap_create()};
	roaring_bitmap_t *series = NULL;
	unsigned columns;
	int rc = values.ids ? select_active(query, &series, &columns, err)
			    : err_set(err, ERR_NOMEM, "label values: no memory");
	rc = rc ? rc : each_series(query, series, collect_value, &values, err);
	rc = rc ? rc : copy_ids(query, values.ids, 0, arena, ret, ret_count, err);
	if (values.ids)
		roaring_bitmap_free(values.ids);
	if (series)
		roaring_bitmap_free(series);
	return rc;
}

static int collect_groups(struct scan *scan, void *context, struct err *err)
{
	struct groups *groups = context;
	uint32_t group;
	int rc = groups_enter(groups, scan, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++)
		rc = groups_of_row(groups, scan, scan->all ? (uint32_t)i : scan->rows[i], &group,
				   err);
	return rc;
}

static int fork_groups(const void *context, struct query *query, void **ret, struct err *err)
{
	const struct groups *from = context;
	struct groups *groups = query_alloc(query, 1, sizeof(*groups), err);
	*ret = groups;
	return groups ? groups_init(groups, query, &from->names[0].name, 1, err) : ERR_LIMIT;
}

static int absorb_groups(void *context, void *forked, struct err *err)
{
	const struct groups *from = forked;
	uint32_t group;
	int rc = 0;
	for (size_t i = 0; !rc && i < from->count; i++)
		rc = groups_find_alike(context, &from->list[i], &group, err);
	return rc;
}

static void release_groups(void *forked)
{
	groups_deinit(forked);
}

static int group_texts(struct groups *groups, struct arena *arena, struct str **ret,
		       size_t *ret_count, struct err *err)
{
	struct str *texts = arena_zalloc(arena, groups->count + 1, sizeof(*texts));
	size_t count = 0;
	int rc = texts ? 0 : query_no_room(arena, err);
	for (size_t i = 0; !rc && i < groups->count; i++) {
		rc = group_text(groups, groups->list[i].parts, arena, &texts[count], err);
		count += texts[count].ptr != NULL;
	}
	if (rc)
		return rc;
	*ret = texts;
	*ret_count = sort_texts(texts, count);
	return 0;
}

static int field_values(struct query *query, struct str name, struct arena *arena, struct str **ret,
			size_t *ret_count, struct err *err)
{
	const struct store_selection *selection = query->selection;
	struct groups groups;
	roaring_bitmap_t *series;
	struct scan_job job = {
		.borders = {selection->start_ns, selection->end_ns, 0, 0},
		.raw = true,
		.visit = collect_groups,
		.context = &groups,
		.fork = fork_groups,
		.absorb = absorb_groups,
		.release = release_groups,
	};
	int rc = groups_init(&groups, query, &name, 1, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	rc = scan_series(query, series, &job, err);
	roaring_bitmap_free(series);
	rc = rc ? rc : group_texts(&groups, arena, ret, ret_count, err);
	groups_deinit(&groups);
	return rc;
}

int answer_label_values(struct query *query, struct str name, struct arena *arena, struct str **ret,
			size_t *ret_count, struct err *err)
{
	struct wanted wanted;
	int rc = query_wanted(query, name, &wanted, err);
	if (rc)
		return rc;
	if (wanted.field != FIELD_NONE)
		return field_values(query, name, arena, ret, ret_count, err);
	return label_values(query, &wanted, arena, ret, ret_count, err);
}

/* ---- label sets ---- */

struct sets {
	struct wanted *names;
	size_t name_count;
	struct arena *arena;
	struct store_labels *list;
	size_t count, cap;
};

static int add_label(struct query *query, struct sets *sets, struct store_labels *set,
		     struct store_label *labels, struct str name, uint32_t name_id, uint32_t value,
		     struct err *err)
{
	struct store_label *label = &labels[set->label_count++];
	int rc = name_id ? query_text(query, name_id, sets->arena, &label->name, err) : 0;
	if (!name_id)
		label->name = arena_str(sets->arena, name);
	return rc ? rc : query_text(query, value, sets->arena, &label->value, err);
}

static int collect_set(struct query *query, const struct series_labels *labels, void *context,
		       struct err *err)
{
	struct sets *sets = context;
	size_t most = (sets->name_count ? sets->name_count : labels->count) + 1;
	struct store_labels *list =
		arena_grow(sets->arena, sets->list, &sets->cap, sets->count + 1, sizeof(*list));
	struct store_label *texts = arena_zalloc(sets->arena, most, sizeof(*texts));
	int rc = 0;
	if (!list || !texts)
		return query_no_room(sets->arena, err);
	sets->list = list;
	struct store_labels *set = &list[sets->count];
	*set = (struct store_labels){.labels = texts};
	for (size_t i = 0; !rc && !sets->name_count && i < labels->count; i++)
		rc = add_label(query, sets, set, texts, STR(""), labels->ids[i * 2],
			       labels->ids[i * 2 + 1], err);
	for (size_t i = 0; !rc && i < sets->name_count; i++) {
		uint32_t value = wanted_value(&sets->names[i], labels);
		if (value)
			rc = add_label(query, sets, set, texts, sets->names[i].name, 0, value, err);
	}
	sets->count += set->label_count > 0;
	return rc;
}

static int compare_sets(const void *a, const void *b)
{
	const struct store_labels *x = a, *y = b;
	for (size_t i = 0; i < x->label_count && i < y->label_count; i++) {
		int order = str_compare(x->labels[i].name, y->labels[i].name);
		order = order ? order : str_compare(x->labels[i].value, y->labels[i].value);
		if (order)
			return order;
	}
	return x->label_count < y->label_count ? -1 : x->label_count > y->label_count;
}

static void sort_sets(struct sets *sets)
{
	size_t kept = 0;
	if (sets->count)
		qsort(sets->list, sets->count, sizeof(*sets->list), compare_sets);
	for (size_t i = 0; i < sets->count; i++)
		if (i == 0 || compare_sets(&sets->list[i], &sets->list[kept - 1]))
			sets->list[kept++] = sets->list[i];
	sets->count = kept;
}

static int wanted_names(struct query *query, const struct str *names, size_t count,
			struct sets *sets, struct err *err)
{
	sets->name_count = count;
	sets->names = query_alloc(query, count + 1, sizeof(*sets->names), err);
	int rc = sets->names ? 0 : ERR_LIMIT;
	for (size_t i = 0; !rc && i < count; i++)
		rc = query_wanted(query, names[i], &sets->names[i], err);
	return rc;
}

int answer_series(struct query *query, const struct str *names, size_t name_count,
		  struct arena *arena, struct store_labels **ret, size_t *ret_count,
		  struct err *err)
{
	struct sets sets = {.arena = arena};
	roaring_bitmap_t *series;
	unsigned columns;
	int rc = wanted_names(query, names, name_count, &sets, err);
	rc = rc ? rc : select_active(query, &series, &columns, err);
	if (rc)
		return rc;
	rc = each_series(query, series, collect_set, &sets, err);
	roaring_bitmap_free(series);
	if (rc)
		return rc;
	sort_sets(&sets);
	*ret = sets.list;
	*ret_count = sets.count;
	return 0;
}
