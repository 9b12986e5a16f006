/* Points over time. The store sums per step. For an average it is asked for
 * finer steps, one a second where that divides the step, and the mean is taken
 * over those that have samples. */
#include "query/query.h"

#include <math.h>
#include <stdlib.h>

enum { POINTS_MAX = 1000 * 1000 };

static int check_points(const struct query_range *range, const struct query_points *points,
			struct err *err)
{
	double span_s = (double)(range->end_ms - range->start_ms) / 1000.0;

	if (!(points->step_s >= 0.001) || !(points->step_s < 1e9))
		return err_set(err, ERR_INVALID, "step must be at least 0.001 s (and below 1e9 s)");
	if (span_s / points->step_s > POINTS_MAX)
		return err_set(err, ERR_INVALID, "a step of %g s makes more than %d points",
			       points->step_s, POINTS_MAX);
	return 0;
}

/* ---- averages ---- */

/* Into how many equal parts of a second or more the step falls, and the store can count. */
static uint64_t parts_of(const struct store_selection *selection, uint64_t step_ns)
{
	uint64_t span_ns = selection->end_ns - selection->start_ns + step_ns;
	uint64_t parts = step_ns / 1000000000;

	if (selection->start_ns < step_ns)
		return 1;
	while (parts > 1 && (step_ns % parts || span_ns / (step_ns / parts) >= POINTS_MAX))
		parts--;
	return parts ? parts : 1;
}

/* The step that a fine point belongs to, as the time of its point. */
static uint64_t step_of(uint64_t time_ns, uint64_t start_ns, uint64_t step_ns)
{
	if (time_ns <= start_ns)
		return start_ns;
	return start_ns + (time_ns - start_ns + step_ns - 1) / step_ns * step_ns;
}

/* Sums of fine steps become means of whole ones, in place. */
static void average(struct store_points *series, const struct store_selection *selection,
		    uint64_t step_ns)
{
	size_t count = 0;

	for (size_t i = 0; i < series->point_count;) {
		uint64_t time_ns = step_of(series->points[i].time_ns, selection->start_ns, step_ns);
		double sum = 0;
		size_t first = i;
		for (; i < series->point_count &&
		       step_of(series->points[i].time_ns, selection->start_ns, step_ns) == time_ns;
		     i++)
			sum += series->points[i].value;
		if (time_ns <= selection->end_ns)
			series->points[count++] =
				(struct store_point){time_ns, sum / (double)(i - first)};
	}
	series->point_count = count;
}

static int ask_average(struct store *store, const struct store_selection *selection,
		       uint64_t step_ns, const struct query_points *points, struct arena *arena,
		       struct store_points **ret, size_t *ret_count, struct err *err)
{
	uint64_t fine_ns = step_ns / parts_of(selection, step_ns);
	struct store_selection fine = *selection;

	fine.start_ns +=
		fine_ns < step_ns ? fine_ns - step_ns : 0; /* the first step's first part */
	int rc = store_points(store, &fine, fine_ns, points->group_by, points->group_count, arena,
			      ret, ret_count, err);
	for (size_t i = 0; rc == 0 && i < *ret_count; i++)
		average(&(*ret)[i], selection, step_ns);
	return rc;
}

/* ---- order ---- */

static int compare_labels(const struct store_points *a, const struct store_points *b)
{
	for (size_t i = 0; i < a->label_count && i < b->label_count; i++) {
		int c = str_compare(a->labels[i].name, b->labels[i].name);
		if (c == 0)
			c = str_compare(a->labels[i].value, b->labels[i].value);
		if (c)
			return c;
	}
	return a->label_count < b->label_count ? -1 : a->label_count > b->label_count;
}

static int by_labels(const void *a, const void *b)
{
	return compare_labels(a, b);
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
	return compare_labels(&x->series, &y->series);
}

static int keep_largest(struct arena *arena, struct store_points *series, size_t *count,
			size_t limit, struct err *err)
{
	struct ranked *ranked = arena_zalloc(arena, *count, sizeof(*ranked));
	if (!ranked)
		return err_set(err, ERR_NOMEM, "query: no memory to rank %zu series", *count);
	for (size_t i = 0; i < *count; i++) {
		ranked[i].series = series[i];
		for (size_t k = 0; k < series[i].point_count; k++)
			ranked[i].sum += series[i].points[k].value;
	}
	qsort(ranked, *count, sizeof(*ranked), by_sum);
	for (size_t i = 0; i < limit; i++)
		series[i] = ranked[i].series;
	*count = limit;
	return 0;
}

/* ---- the question ---- */

static int ask(struct store *store, const struct query_range *range,
	       const struct query_points *points, struct arena *arena, struct store_points **ret,
	       size_t *ret_count, struct err *err)
{
	struct store_selection selection;
	uint64_t step_ns = (uint64_t)llround(points->step_s * 1e9);

	int rc = query_select(arena, range, &selection, err);
	if (rc)
		return rc;
	selection.end_ns--; /* of points the end is the last time that one may have */
	if (points->aggregation == QUERY_AVERAGE)
		return ask_average(store, &selection, step_ns, points, arena, ret, ret_count, err);
	return store_points(store, &selection, step_ns, points->group_by, points->group_count,
			    arena, ret, ret_count, err);
}

int query_series(struct store *store, const struct query_range *range,
		 const struct query_points *points, struct arena *arena, struct store_points **ret,
		 size_t *ret_count, struct err *err)
{
	struct store_points *series = NULL;
	size_t count = 0;

	int rc = check_points(range, points, err);
	if (rc == 0)
		rc = ask(store, range, points, arena, &series, &count, err);
	if (rc == 0 && points->limit > 0 && (uint64_t)points->limit < count)
		rc = keep_largest(arena, series, &count, (size_t)points->limit, err);
	if (rc)
		return rc;
	if (count > 0)
		qsort(series, count, sizeof(*series), by_labels);
	*ret = series;
	*ret_count = count;
	return 0;
}
