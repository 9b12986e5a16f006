/* Points over time, as Pyroscope's clients ask for them: in seconds and
 * milliseconds. The store does the counting. */
#include "query/query.h"

#include <math.h>

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

int query_series(struct store *store, const struct query_range *range,
		 const struct query_points *points, struct arena *arena, struct store_points **ret,
		 size_t *ret_count, struct err *err)
{
	struct store_selection selection;
	int rc = check_points(range, points, err);
	rc = rc ? rc : query_select(arena, range, &selection, err);
	if (rc)
		return rc;
	selection.end_ns--; /* of points the end is the last time that one may have */
	struct store_points_options options = {
		.step_ns = (uint64_t)llround(points->step_s * 1e9),
		.aggregation = points->aggregation,
		.group_by = points->group_by,
		.group_count = points->group_count,
		.limit = points->limit > 0 ? (uint64_t)points->limit : 0,
	};
	return store_points(store, &selection, &options, arena, ret, ret_count, err);
}
