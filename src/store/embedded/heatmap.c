/* Two scans: the first finds the smallest and the largest value, which decide
 * where the rows lie, the second counts the samples of each cell. A cell's
 * number is step * rows + row, so that sums.c keeps only those that occur. */
#include <stdlib.h>

#include "store/embedded/answer.h"

struct bounds {
	bool any;
	int64_t min, max;
};

struct heatmap {
	struct groups groups;
	struct query *query;
	const struct store_heatmap_options *options;
	struct grid grid;
	struct bounds bounds; /* what the first scan found; the second only reads it */
};

/* ---- the first scan ---- */

static void bounds_widen(struct bounds *bounds, int64_t min, int64_t max)
{
	bounds->min = bounds->any && bounds->min < min ? bounds->min : min;
	bounds->max = bounds->any && bounds->max > max ? bounds->max : max;
	bounds->any = true;
}

static int note_values(struct scan *scan, void *context, struct err *err)
{
	const int64_t *values;
	int rc = scan_column(scan, BLOCK_VALUE, &values, err);
	if (rc)
		return rc;
	int64_t min = values[scan->all ? 0 : scan->rows[0]], max = min;
	for (size_t i = 0; i < scan->row_count; i++) {
		int64_t value = values[scan->all ? i : scan->rows[i]];
		min = value < min ? value : min;
		max = value > max ? value : max;
	}
	bounds_widen(context, min, max);
	return 0;
}

static int fork_bounds(const void *context, struct query *query, void **ret, struct err *err)
{
	(void)context;
	*ret = query_alloc(query, 1, sizeof(struct bounds), err);
	return *ret ? 0 : ERR_LIMIT;
}

static int absorb_bounds(void *context, void *forked, struct err *err)
{
	const struct bounds *from = forked;
	(void)err;
	if (from->any)
		bounds_widen(context, from->min, from->max);
	return 0;
}

/* ---- the second ---- */

static uint64_t row_of(const struct heatmap *heatmap, int64_t value)
{
	const struct bounds *bounds = &heatmap->bounds;
	uint64_t range = (uint64_t)bounds->max - (uint64_t)bounds->min;
	uint64_t above = (uint64_t)value - (uint64_t)bounds->min;
	if (above >= range)
		return range ? STORE_HEATMAP_ROWS - 1 : 0;
	return (uint64_t)((unsigned __int128)above * STORE_HEATMAP_ROWS / range);
}

static int cells_of(struct heatmap *heatmap, uint32_t group, struct sums **ret, struct err *err)
{
	struct group *g = &heatmap->groups.list[group];
	uint32_t cells = heatmap->grid.steps * STORE_HEATMAP_ROWS;
	int rc = 0;
	if (!g->sums) {
		g->sums = query_alloc(heatmap->query, 1, sizeof(*g->sums), err);
		rc = g->sums ? sums_init(g->sums, heatmap->query, cells, sums_page_for(cells), err)
			     : ERR_LIMIT;
	}
	*ret = g->sums;
	return rc;
}

static int count_row(struct heatmap *heatmap, uint32_t group, uint64_t time_ns, int64_t value,
		     struct err *err)
{
	struct sums *cells;
	uint64_t step = grid_part(&heatmap->grid, time_ns);
	int rc = cells_of(heatmap, group, &cells, err);
	rc = rc ? rc : sums_add(cells, step * STORE_HEATMAP_ROWS + row_of(heatmap, value), 1, err);
	struct group *g = &heatmap->groups.list[group];
	g->sum = (int64_t)((uint64_t)g->sum + (uint64_t)value);
	return rc;
}

static int count_block(struct scan *scan, void *context, struct err *err)
{
	struct heatmap *heatmap = context;
	const int64_t *times, *values;
	int rc = groups_enter(&heatmap->groups, scan, err);
	rc = rc ? rc : scan_column(scan, BLOCK_TIME, &times, err);
	rc = rc ? rc : scan_column(scan, BLOCK_VALUE, &values, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->all ? (uint32_t)i : scan->rows[i], group;
		rc = groups_of_row(&heatmap->groups, scan, row, &group, err);
		rc = rc ? rc
			: count_row(heatmap, group, scan->block.min_time_ns + (uint64_t)times[row],
				    values[row], err);
	}
	return rc;
}

/* ---- threads ---- */

static int fork_heatmap(const void *context, struct query *query, void **ret, struct err *err)
{
	const struct heatmap *from = context;
	struct heatmap *heatmap = query_alloc(query, 1, sizeof(*heatmap), err);
	*ret = heatmap;
	if (!heatmap)
		return ERR_LIMIT;
	*heatmap = (struct heatmap){
		.query = query,
		.options = from->options,
		.grid = from->grid,
		.bounds = from->bounds,
	};
	return groups_init(&heatmap->groups, query, from->options->group_by,
			   from->options->group_count, err);
}

static int absorb_cells(void *context, void *forked, struct err *err)
{
	struct heatmap *heatmap = context;
	const struct groups *from = &((struct heatmap *)forked)->groups;
	int rc = 0;
	for (size_t i = 0; !rc && i < from->count; i++) {
		uint32_t group;
		struct sums *cells;
		if (!from->list[i].sums)
			continue;
		rc = groups_find_alike(&heatmap->groups, &from->list[i], &group, err);
		rc = rc ? rc : cells_of(heatmap, group, &cells, err);
		rc = rc ? rc : sums_absorb(cells, from->list[i].sums, err);
		if (rc)
			break;
		struct group *g = &heatmap->groups.list[group];
		g->sum = (int64_t)((uint64_t)g->sum + (uint64_t)from->list[i].sum);
	}
	return rc;
}

static void release_heatmap(void *forked)
{
	groups_deinit(&((struct heatmap *)forked)->groups);
}

/* ---- the answer ---- */

static size_t count_slots(const struct sums *cells)
{
	size_t count = 0;
	uint32_t cell = 0;
	int64_t unused;
	for (; sums_next(cells, &cell, &unused); count++)
		cell = (cell / STORE_HEATMAP_ROWS + 1) * STORE_HEATMAP_ROWS;
	return count;
}

static int fill(const struct heatmap *heatmap, const struct sums *cells, struct arena *arena,
		struct store_heatmap_group *ret, struct err *err)
{
	ret->slot_count = count_slots(cells);
	struct store_slot *slots = arena_zalloc(arena, ret->slot_count, sizeof(*slots));
	if (!slots)
		return query_no_room(arena, err);
	ret->slots = slots;
	int64_t count;
	uint64_t last = UINT64_MAX;
	for (uint32_t cell = 0; sums_next(cells, &cell, &count); cell++) {
		uint64_t step = cell / STORE_HEATMAP_ROWS;
		slots += last != UINT64_MAX && step != last;
		last = step;
		slots->time_ns = heatmap->grid.start_ns + step * heatmap->grid.step_ns;
		slots->counts[cell % STORE_HEATMAP_ROWS] = (uint64_t)count;
	}
	return 0;
}

struct ranked {
	int64_t sum;
	struct store_heatmap_group group;
};

static int by_labels(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return labels_compare(x->group.labels, x->group.label_count, y->group.labels,
			      y->group.label_count);
}

static int by_sum(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->sum != y->sum)
		return x->sum > y->sum ? -1 : 1;
	return by_labels(a, b);
}

static int rank(struct heatmap *heatmap, struct arena *arena, struct ranked **ret,
		size_t *ret_count, struct err *err)
{
	struct groups *groups = &heatmap->groups;
	struct ranked *ranked =
		query_alloc(heatmap->query, groups->count + 1, sizeof(*ranked), err);
	size_t count = 0;
	int rc = ranked ? 0 : ERR_LIMIT;
	for (uint32_t i = 0; !rc && i < groups->count; i++) {
		struct store_label *labels;
		struct ranked *at = &ranked[count];
		if (!groups->list[i].sums)
			continue;
		rc = group_labels(groups, i, arena, &labels, &at->group.label_count, err);
		at->group.labels = labels;
		at->sum = groups->list[i].sum;
		rc = rc ? rc : fill(heatmap, groups->list[i].sums, arena, &at->group, err);
		count++;
	}
	*ret = ranked;
	*ret_count = count;
	return rc;
}

static void set_rows(const struct heatmap *heatmap, struct store_heatmap *ret)
{
	const struct bounds *bounds = &heatmap->bounds;
	double range = (double)((uint64_t)bounds->max - (uint64_t)bounds->min);
	ret->min = bounds->min;
	ret->max = bounds->max;
	for (unsigned i = 0; i < STORE_HEATMAP_ROWS; i++)
		ret->row_min[i] = (double)bounds->min + range * i / STORE_HEATMAP_ROWS;
}

static int build(struct heatmap *heatmap, struct arena *arena, struct store_heatmap *ret,
		 struct err *err)
{
	struct ranked *ranked;
	size_t count;
	int rc = rank(heatmap, arena, &ranked, &count, err);
	if (rc)
		return rc;
	if (heatmap->options->limit && heatmap->options->limit < count) {
		qsort(ranked, count, sizeof(*ranked), by_sum);
		count = (size_t)heatmap->options->limit;
	}
	qsort(ranked, count, sizeof(*ranked), by_labels);
	struct store_heatmap_group *groups = arena_zalloc(arena, count + 1, sizeof(*groups));
	if (!groups)
		return query_no_room(arena, err);
	for (size_t i = 0; i < count; i++)
		groups[i] = ranked[i].group;
	*ret = (struct store_heatmap){.groups = groups, .group_count = count};
	set_rows(heatmap, ret);
	return 0;
}

static int scan_twice(struct heatmap *heatmap, const roaring_bitmap_t *series, struct err *err)
{
	const struct scan_job first = {
		.borders = heatmap->grid.borders,
		.raw = true, /* sums have no values of samples */
		.visit = note_values,
		.context = &heatmap->bounds,
		.fork = fork_bounds,
		.absorb = absorb_bounds,
	};
	const struct scan_job second = {
		.borders = heatmap->grid.borders,
		.raw = true,
		.visit = count_block,
		.context = heatmap,
		.fork = fork_heatmap,
		.absorb = absorb_cells,
		.release = release_heatmap,
	};
	int rc = scan_series(heatmap->query, series, &first, err);
	if (rc || !heatmap->bounds.any)
		return rc;
	return scan_series(heatmap->query, series, &second, err);
}

int answer_heatmap(struct query *query, const struct store_heatmap_options *options,
		   struct arena *arena, struct store_heatmap *ret, struct err *err)
{
	struct heatmap heatmap = {.query = query, .options = options};
	roaring_bitmap_t *series;
	int rc = grid_init(&heatmap.grid, query->selection, options->step_ns, false, err);
	rc = rc ? rc
		: groups_init(&heatmap.groups, query, options->group_by, options->group_count, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	rc = scan_twice(&heatmap, series, err);
	roaring_bitmap_free(series);
	rc = rc ? rc : build(&heatmap, arena, ret, err);
	groups_deinit(&heatmap.groups);
	return rc;
}
