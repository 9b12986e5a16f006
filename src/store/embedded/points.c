/* Sums per step and group. The point at t covers (t - step, t], so the first
 * one reaches back one step before start. */
#include <stdlib.h>

#include "store/embedded/answer.h"

enum {
	POINTS_MAX = 1000 * 1000,
	POINTS_PAGE = 64, /* steps: groups may be many, and most of them short */
};

struct points {
	struct groups groups;
	struct query *query;
	uint64_t start_ns, step_ns;
	uint32_t steps;
};

/* Which point covers the time. */
static uint64_t step_of(const struct points *points, uint64_t time_ns)
{
	if (time_ns <= points->start_ns)
		return 0;
	return (time_ns - points->start_ns - 1) / points->step_ns + 1;
}

static int add(struct points *points, uint32_t group, uint64_t step, int64_t value, struct err *err)
{
	struct group *g = &points->groups.list[group];
	if (!g->sums) {
		g->sums = query_alloc(points->query, 1, sizeof(*g->sums), err);
		if (!g->sums)
			return ERR_LIMIT;
		int rc = sums_init(g->sums, points->query, points->steps, POINTS_PAGE, err);
		if (rc)
			return rc;
	}
	return sums_add(g->sums, step, value, err);
}

static int add_row(struct points *points, struct scan *scan, const int64_t *times,
		   const int64_t *values, uint32_t row, struct err *err)
{
	uint64_t step = step_of(points, scan->block.min_time_ns + (uint64_t)times[row]);
	uint32_t group;
	int rc = groups_of_row(&points->groups, scan, row, &group, err);
	return rc ? rc : add(points, group, step, values[row], err);
}

static int add_block(struct scan *scan, void *context, struct err *err)
{
	struct points *points = context;
	const int64_t *times, *values;
	int rc = groups_enter(&points->groups, scan, err);
	if (rc)
		return rc;
	uint64_t first = step_of(points, scan->block.min_time_ns);
	if (scan->all && points->groups.field_count == 0 &&
	    first == step_of(points, scan->block.max_time_ns))
		return add(points, points->groups.base_group, first, scan->block.sum, err);
	rc = scan_column(scan, BLOCK_TIME, &times, err);
	rc = rc ? rc : scan_column(scan, BLOCK_VALUE, &values, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++)
		rc = add_row(points, scan, times, values, scan->all ? (uint32_t)i : scan->rows[i],
			     err);
	return rc;
}

/* ---- the answer ---- */

static int fill(struct points *points, const struct group *group, struct arena *arena,
		struct store_points *ret, struct err *err)
{
	int64_t sum;
	ret->point_count = sums_rank(group->sums);
	ret->points = arena_zalloc(arena, ret->point_count, sizeof(*ret->points));
	if (!ret->points)
		return query_no_room(arena, err);
	struct store_point *at = ret->points;
	for (uint32_t step = 0; sums_next(group->sums, &step, &sum); step++)
		*at++ = (struct store_point){
			.time_ns = points->start_ns + step * points->step_ns,
			.value = (double)sum,
		};
	return 0;
}

static int compare_points(const void *a, const void *b)
{
	const struct store_points *x = a, *y = b;
	for (size_t i = 0; i < x->label_count && i < y->label_count; i++) {
		int order = str_compare(x->labels[i].name, y->labels[i].name);
		order = order ? order : str_compare(x->labels[i].value, y->labels[i].value);
		if (order)
			return order;
	}
	return x->label_count < y->label_count ? -1 : x->label_count > y->label_count;
}

static int build(struct points *points, struct arena *arena, struct store_points **ret,
		 size_t *ret_count, struct err *err)
{
	struct groups *groups = &points->groups;
	struct store_points *list = arena_zalloc(arena, groups->count + 1, sizeof(*list));
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
	if (rc)
		return rc;
	qsort(list, count, sizeof(*list), compare_points);
	*ret = list;
	*ret_count = count;
	return 0;
}

/* start, start + step ... <= end; ERR_INVALID, ERR_LIMIT. */
static int plan(struct points *points, const struct store_selection *selection, uint64_t step_ns,
		uint64_t *from_ns, uint64_t *to_ns, struct err *err)
{
	if (step_ns == 0)
		return err_set(err, ERR_INVALID, "the step of points is 0");
	if (selection->end_ns < selection->start_ns)
		return err_set(err, ERR_INVALID, "the time range ends before it starts");
	uint64_t steps = (selection->end_ns - selection->start_ns) / step_ns;
	if (steps >= POINTS_MAX)
		return err_set(err, ERR_LIMIT,
			       "%llu points are too many (at most %d); "
			       "take a longer step",
			       (unsigned long long)steps, POINTS_MAX);
	points->start_ns = selection->start_ns;
	points->step_ns = step_ns;
	points->steps = (uint32_t)steps + 1;
	*from_ns = points->start_ns >= step_ns ? points->start_ns - step_ns + 1 : 0;
	*to_ns = points->start_ns + steps * step_ns;
	*to_ns += *to_ns < UINT64_MAX;
	return 0;
}

int answer_points(struct query *query, uint64_t step_ns, const struct str *group_by,
		  size_t group_count, struct arena *arena, struct store_points **ret,
		  size_t *ret_count, struct err *err)
{
	struct points points = {.query = query};
	roaring_bitmap_t *series;
	uint64_t from_ns = 0, to_ns = 0;
	int rc = plan(&points, query->selection, step_ns, &from_ns, &to_ns, err);
	rc = rc ? rc : groups_init(&points.groups, query, group_by, group_count, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	rc = scan_samples(query, series, from_ns, to_ns, add_block, &points, err);
	roaring_bitmap_free(series);
	rc = rc ? rc : build(&points, arena, ret, ret_count, err);
	groups_deinit(&points.groups);
	return rc;
}
