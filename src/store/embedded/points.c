/* Sums per step and group, or per second of a step where an average is asked
 * for. The point at t covers (t - step, t], so the first one reaches back one
 * step before start. */
#include <stdlib.h>

#include "store/embedded/answer.h"

struct points {
	struct groups groups;
	struct query *query;
	const struct store_points_options *options;
	struct grid grid;
};

static int sums_of(struct points *points, uint32_t group, struct sums **ret, struct err *err)
{
	struct group *g = &points->groups.list[group];
	uint32_t parts = points->grid.steps * points->grid.parts;
	int rc = 0;
	if (!g->sums) {
		g->sums = query_alloc(points->query, 1, sizeof(*g->sums), err);
		rc = g->sums ? sums_init(g->sums, points->query, parts, sums_page_for(parts), err)
			     : ERR_LIMIT;
	}
	*ret = g->sums;
	return rc;
}

static int add(struct points *points, uint32_t group, uint64_t part, int64_t value, struct err *err)
{
	struct sums *sums;
	int rc = sums_of(points, group, &sums, err);
	return rc ? rc : sums_add(sums, part, value, err);
}

static int add_rows(struct points *points, struct scan *scan, struct err *err)
{
	const int64_t *times, *values;
	int rc = scan_column(scan, BLOCK_TIME, &times, err);
	rc = rc ? rc : scan_column(scan, BLOCK_VALUE, &values, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->all ? (uint32_t)i : scan->rows[i], group;
		uint64_t time_ns = scan->block.min_time_ns + (uint64_t)times[row];
		rc = groups_of_row(&points->groups, scan, row, &group, err);
		rc = rc ? rc
			: add(points, group, grid_part(&points->grid, time_ns), values[row], err);
	}
	return rc;
}

/* A block within one step is answered by its head. */
static int add_block(struct scan *scan, void *context, struct err *err)
{
	struct points *points = context;
	int rc = groups_enter(&points->groups, scan, err);
	if (rc)
		return rc;
	uint64_t first = grid_part(&points->grid, scan->block.min_time_ns);
	if (scan->all && points->groups.field_count == 0 &&
	    first == grid_part(&points->grid, scan->block.max_time_ns))
		return add(points, points->groups.base_group, first, scan->block.sum, err);
	return add_rows(points, scan, err);
}

/* ---- threads ---- */

static int fork_points(const void *context, struct query *query, void **ret, struct err *err)
{
	const struct points *from = context;
	struct points *points = query_alloc(query, 1, sizeof(*points), err);
	*ret = points;
	if (!points)
		return ERR_LIMIT;
	*points = (struct points){.query = query, .options = from->options, .grid = from->grid};
	return groups_init(&points->groups, query, from->options->group_by,
			   from->options->group_count, err);
}

static int absorb_points(void *context, void *forked, struct err *err)
{
	struct points *points = context;
	const struct groups *from = &((struct points *)forked)->groups;
	int rc = 0;
	for (size_t i = 0; !rc && i < from->count; i++) {
		uint32_t group;
		struct sums *sums;
		if (!from->list[i].sums)
			continue;
		rc = groups_find_alike(&points->groups, &from->list[i], &group, err);
		rc = rc ? rc : sums_of(points, group, &sums, err);
		rc = rc ? rc : sums_absorb(sums, from->list[i].sums, err);
	}
	return rc;
}

static void release_points(void *forked)
{
	groups_deinit(&((struct points *)forked)->groups);
}

/* ---- the answer ---- */

static size_t count_steps(const struct points *points, const struct sums *sums)
{
	size_t count = 0;
	uint32_t part = 0;
	int64_t unused;
	for (; sums_next(sums, &part, &unused); count++)
		part = (part / points->grid.parts + 1) * points->grid.parts;
	return count;
}

/* The parts of a step follow each other. */
static int fill(struct points *points, const struct group *group, struct arena *arena,
		struct store_points *ret, struct err *err)
{
	const struct grid *grid = &points->grid;
	bool average = points->options->aggregation == STORE_AVERAGE;
	uint32_t part = 0;
	int64_t value;
	ret->point_count = count_steps(points, group->sums);
	ret->points = arena_zalloc(arena, ret->point_count, sizeof(*ret->points));
	if (!ret->points)
		return query_no_room(arena, err);
	struct store_point *at = ret->points;
	while (sums_next(group->sums, &part, &value)) {
		uint32_t step = part / grid->parts, count = 0;
		uint64_t sum = 0;
		do {
			sum += (uint64_t)value;
			count++;
			part++;
		} while (sums_next(group->sums, &part, &value) && part / grid->parts == step);
		*at++ = (struct store_point){
			.time_ns = grid->start_ns + step * grid->step_ns,
			.value = average ? (double)(int64_t)sum / count : (double)(int64_t)sum,
		};
	}
	return 0;
}

static int by_labels(const void *a, const void *b)
{
	const struct store_points *x = a, *y = b;
	return labels_compare(x->labels, x->label_count, y->labels, y->label_count);
}

struct ranked {
	double sum;
	struct store_points series;
};

/* Ties by labels, so that the same question has the same answer. */
static int by_sum(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->sum != y->sum)
		return x->sum > y->sum ? -1 : 1;
	return by_labels(&x->series, &y->series);
}

static int keep_largest(struct query *query, struct store_points *list, size_t *count, size_t limit,
			struct err *err)
{
	struct ranked *ranked = query_alloc(query, *count, sizeof(*ranked), err);
	if (!ranked)
		return ERR_LIMIT;
	for (size_t i = 0; i < *count; i++) {
		ranked[i].series = list[i];
		for (size_t k = 0; k < list[i].point_count; k++)
			ranked[i].sum += list[i].points[k].value;
	}
	qsort(ranked, *count, sizeof(*ranked), by_sum);
	for (size_t i = 0; i < limit; i++)
		list[i] = ranked[i].series;
	*count = limit;
	return 0;
}

static int build(struct points *points, struct arena *arena, struct store_points **ret,
		 size_t *ret_count, struct err *err)
{
	struct groups *groups = &points->groups;
	struct store_points *list = arena_zalloc(arena, groups->count + 1, sizeof(*list));
	uint64_t limit = points->options->limit;
	size_t count = 0;
	int rc = list ? 0 : query_no_room(arena, err);
	for (uint32_t i = 0; !rc && i < groups->count; i++) {
		struct store_label *labels;
		if (!groups->list[i].sums)
			continue;
		rc = group_labels(groups, i, arena, &labels, &list[count].label_count, err);
		list[count].labels = labels;
		rc = rc ? rc : fill(points, &groups->list[i], arena, &list[count++], err);
	}
	if (!rc && limit && limit < count)
		rc = keep_largest(points->query, list, &count, (size_t)limit, err);
	if (rc)
		return rc;
	qsort(list, count, sizeof(*list), by_labels);
	*ret = list;
	*ret_count = count;
	return 0;
}

int answer_points(struct query *query, const struct store_points_options *options,
		  struct arena *arena, struct store_points **ret, size_t *ret_count,
		  struct err *err)
{
	struct points points = {.query = query, .options = options};
	roaring_bitmap_t *series;
	int rc = grid_init(&points.grid, query->selection, options->step_ns,
			   options->aggregation == STORE_AVERAGE, err);
	rc = rc ? rc
		: groups_init(&points.groups, query, options->group_by, options->group_count, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	struct scan_job job = {
		.borders = points.grid.borders,
		.raw = points.groups.field_count > 0,
		.visit = add_block,
		.context = &points,
		.fork = fork_points,
		.absorb = absorb_points,
		.release = release_points,
	};
	rc = scan_series(query, series, &job, err);
	roaring_bitmap_free(series);
	rc = rc ? rc : build(&points, arena, ret, ret_count, err);
	groups_deinit(&points.groups);
	return rc;
}
