/* A profile is what one series has at one time: its samples stand in one block,
 * since they came in one batch. So each block is sorted by group, time and
 * span, and what is alike is added up. */
#include "store/embedded/count.h"

#include <stdlib.h>
#include <string.h>

struct count_item {
	uint32_t group, span; /* index + 1 */
	uint64_t time_ns;
	int64_t value;
};

/* ---- counting ---- */

static uint64_t hash_of(const struct counts *counts, const struct counted *one)
{
	const uint64_t key[3] = {one->group, one->step,
				 counts->options->largest ? 0 : (uint64_t)one->value};
	return str_hash(str_make(key, sizeof(key)));
}

static bool alike(const struct counts *counts, const struct counted *a, const struct counted *b)
{
	return a->group == b->group && a->step == b->step &&
	       (counts->options->largest || a->value == b->value);
}

/* The same question has the same answer, whichever thread reads what first. */
static bool is_before(const struct counted *a, const struct counted *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	if (a->series != b->series)
		return a->series < b->series;
	return memcmp(&a->span, &b->span, sizeof(a->span)) < 0;
}

static void join(struct counted *to, const struct counted *from)
{
	bool larger = from->value > to->value;
	to->count += from->count;
	if (!larger && (from->value < to->value || !is_before(from, to)))
		return;
	to->value = from->value;
	to->series = from->series;
	to->time_ns = from->time_ns;
	to->span = from->span;
}

static int add(struct counts *counts, const struct counted *one, struct err *err)
{
	uint64_t hash = hash_of(counts, one), *found = map_get(&counts->by_hash, hash);
	uint32_t first = found ? (uint32_t)*found : 0;
	for (uint32_t at = first; at; at = counts->list[at - 1].next)
		if (alike(counts, &counts->list[at - 1], one)) {
			join(&counts->list[at - 1], one);
			return 0;
		}
	struct counted *list = arena_grow(&counts->query->work, counts->list, &counts->cap,
					  counts->count + 1, sizeof(*list));
	if (!list)
		return query_full(counts->query, counts->cap * 2 * sizeof(*list), err);
	counts->list = list;
	list[counts->count] = *one;
	list[counts->count].next = first;
	return map_put(&counts->by_hash, hash, ++counts->count, err);
}

/* ---- a block ---- */

static int by_place(const void *a, const void *b)
{
	const struct count_item *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->span < y->span ? -1 : x->span > y->span;
}

static int reserve(struct counts *counts, size_t count, struct err *err)
{
	size_t cap = counts->item_cap ? counts->item_cap : 1024;
	if (counts->items && count <= counts->item_cap)
		return 0;
	while (cap < count)
		cap *= 2;
	counts->items = query_alloc(counts->query, cap, sizeof(*counts->items), err);
	counts->item_cap = counts->items ? cap : 0;
	return counts->items ? 0 : ERR_LIMIT;
}

static int gather(struct counts *counts, struct scan *scan, size_t *ret_count, struct err *err)
{
	const int64_t *times, *values, *spans = NULL;
	bool of_spans = counts->options->unit == STORE_SPANS;
	size_t count = 0;
	int rc = reserve(counts, scan->row_count, err);
	rc = rc ? rc : groups_enter(&counts->groups, scan, err);
	rc = rc ? rc : scan_column(scan, BLOCK_TIME, &times, err);
	rc = rc ? rc : scan_column(scan, BLOCK_VALUE, &values, err);
	if (!rc && of_spans)
		rc = scan_column(scan, BLOCK_SPAN, &spans, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->all ? (uint32_t)i : scan->rows[i], group;
		if (of_spans && spans[row] == 0)
			continue;
		rc = groups_of_row(&counts->groups, scan, row, &group, err);
		counts->items[count++] = (struct count_item){
			.group = group,
			.span = of_spans ? (uint32_t)spans[row] : 0,
			.time_ns = scan->block.min_time_ns + (uint64_t)times[row],
			.value = values[row],
		};
	}
	*ret_count = count;
	return rc;
}

static int add_sorted(struct counts *counts, struct scan *scan, size_t count, struct err *err)
{
	const struct count_item *items = counts->items;
	const struct store_span *spans = NULL;
	int rc = counts->options->unit == STORE_SPANS ? scan_spans(scan, &spans, err) : 0;
	for (size_t i = 0; !rc && i < count;) {
		size_t from = i;
		uint64_t sum = 0;
		for (; i < count && by_place(&items[i], &items[from]) == 0; i++)
			sum += (uint64_t)items[i].value;
		struct counted one = {
			.group = items[from].group,
			.step = (uint32_t)grid_part(&counts->grid, items[from].time_ns),
			.series = scan->series,
			.value = (int64_t)sum,
			.count = 1,
			.time_ns = items[from].time_ns,
		};
		if (spans)
			one.span = spans[items[from].span - 1];
		rc = add(counts, &one, err);
	}
	return rc;
}

static int count_block(struct scan *scan, void *context, struct err *err)
{
	struct counts *counts = context;
	size_t count;
	int rc = gather(counts, scan, &count, err);
	if (rc || count == 0)
		return rc;
	qsort(counts->items, count, sizeof(*counts->items), by_place);
	return add_sorted(counts, scan, count, err);
}

/* ---- threads ---- */

static int fork_counts(const void *context, struct query *query, void **ret, struct err *err)
{
	const struct counts *from = context;
	struct counts *counts = query_alloc(query, 1, sizeof(*counts), err);
	*ret = counts;
	if (!counts)
		return ERR_LIMIT;
	*counts = (struct counts){.query = query, .options = from->options, .grid = from->grid};
	return groups_init(&counts->groups, query, from->options->group_by,
			   from->options->group_count, err);
}

static int absorb_counts(void *context, void *forked, struct err *err)
{
	struct counts *counts = context;
	const struct counts *from = forked;
	int rc = 0;
	for (size_t i = 0; !rc && i < from->count; i++) {
		struct counted one = from->list[i];
		rc = groups_find_alike(&counts->groups, &from->groups.list[one.group], &one.group,
				       err);
		rc = rc ? rc : add(counts, &one, err);
	}
	return rc;
}

static void release_counts(void *forked)
{
	struct counts *counts = forked;
	groups_deinit(&counts->groups);
	map_deinit(&counts->by_hash);
}

/* ---- the question ---- */

int answer_tally(struct query *query, const struct store_tally_options *options,
		 struct arena *arena, struct store_tallies *ret, struct err *err)
{
	struct counts counts = {.query = query, .options = options};
	roaring_bitmap_t *series;
	int rc = grid_init(&counts.grid, query->selection, options->step_ns, false, err);
	rc = rc ? rc
		: groups_init(&counts.groups, query, options->group_by, options->group_count, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	struct scan_job job = {
		.borders = counts.grid.borders,
		.raw = true, /* sums have no profiles */
		.visit = count_block,
		.context = &counts,
		.fork = fork_counts,
		.absorb = absorb_counts,
		.release = release_counts,
	};
	rc = scan_series(query, series, &job, err);
	roaring_bitmap_free(series);
	rc = rc ? rc : count_build(&counts, arena, ret, err);
	release_counts(&counts);
	return rc;
}
