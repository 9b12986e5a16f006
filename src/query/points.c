/* Points over time, as Pyroscope's clients ask for them: in seconds and
 * milliseconds. The store does the counting. */
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

static int select_points(const struct query_range *range, const struct query_points *points,
			 struct arena *arena, struct store_selection *ret, struct err *err)
{
	int rc = check_points(range, points, err);
	rc = rc ? rc : query_select(arena, range, ret, err);
	if (rc == 0)
		ret->end_ns--; /* of points the end is the last time that one may have */
	return rc;
}

static uint64_t step_ns(const struct query_points *points)
{
	return (uint64_t)llround(points->step_s * 1e9);
}

int query_series(struct store *store, const struct query_range *range,
		 const struct query_points *points, struct arena *arena, struct store_points **ret,
		 size_t *ret_count, struct err *err)
{
	struct store_selection selection;
	int rc = select_points(range, points, arena, &selection, err);
	if (rc)
		return rc;
	struct store_points_options options = {
		.step_ns = step_ns(points),
		.aggregation = points->aggregation,
		.group_by = points->group_by,
		.group_count = points->group_count,
		.limit = points->limit > 0 ? (uint64_t)points->limit : 0,
	};
	return store_points(store, &selection, &options, arena, ret, ret_count, err);
}

static int tally(struct store *store, const struct query_range *range,
		 const struct query_points *points, enum store_unit unit, bool largest,
		 struct arena *arena, struct store_tallies *ret, struct err *err)
{
	struct store_selection selection;
	int rc = select_points(range, points, arena, &selection, err);
	if (rc)
		return rc;
	struct store_tally_options options = {
		.step_ns = step_ns(points),
		.group_by = points->group_by,
		.group_count = points->group_count,
		.unit = unit,
		.largest = largest,
	};
	return store_tally(store, &selection, &options, arena, ret, err);
}

int query_exemplars(struct store *store, const struct query_range *range,
		    const struct query_points *points, enum store_unit unit, struct arena *arena,
		    struct store_tallies *ret, struct err *err)
{
	return tally(store, range, points, unit, true, arena, ret, err);
}

/* ---- heat maps ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "heatmap: no memory");
}

static double sum_of(const struct store_tally_group *group)
{
	double sum = 0;
	for (size_t i = 0; i < group->tally_count; i++)
		sum += (double)group->tallies[i].value * (double)group->tallies[i].count;
	return sum;
}

struct ranked {
	double sum;
	size_t at;
};

/* Equal sums stay in the order of labels. */
static int by_sum(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->sum != y->sum)
		return x->sum > y->sum ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_place(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int pick_groups(struct arena *arena, const struct store_tallies *tallies, int64_t limit,
		       struct query_heatmap *ret, struct err *err)
{
	size_t count = tallies->group_count;
	struct ranked *ranked = arena_zalloc(arena, count + 1, sizeof(*ranked));
	ret->groups = arena_zalloc(arena, count + 1, sizeof(*ret->groups));
	if (!ranked || !ret->groups)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		ranked[i] = (struct ranked){sum_of(&tallies->groups[i]), i};
	if (limit > 0 && (uint64_t)limit < count) {
		qsort(ranked, count, sizeof(*ranked), by_sum);
		count = (size_t)limit;
		qsort(ranked, count, sizeof(*ranked), by_place);
	}
	for (size_t i = 0; i < count; i++)
		ret->groups[i].group = &tallies->groups[ranked[i].at];
	ret->group_count = count;
	return 0;
}

struct bounds {
	int64_t min, max;
};

static struct bounds find_bounds(const struct query_heatmap *heatmap)
{
	struct bounds bounds = {INT64_MAX, INT64_MIN};
	for (size_t g = 0; g < heatmap->group_count; g++) {
		const struct store_tally_group *group = heatmap->groups[g].group;
		for (size_t i = 0; i < group->tally_count; i++) {
			int64_t value = group->tallies[i].value;
			bounds.min = value < bounds.min ? value : bounds.min;
			bounds.max = value > bounds.max ? value : bounds.max;
		}
	}
	return bounds;
}

static size_t row_of(const struct bounds *bounds, int64_t value)
{
	uint64_t range = (uint64_t)bounds->max - (uint64_t)bounds->min;
	uint64_t above = (uint64_t)value - (uint64_t)bounds->min;
	if (above >= range)
		return range ? QUERY_HEATMAP_ROWS - 1 : 0;
	return (size_t)((unsigned __int128)above * QUERY_HEATMAP_ROWS / range);
}

static struct query_slot new_slot(uint64_t time_ns)
{
	struct query_slot slot = {.time_ns = time_ns};
	for (size_t row = 0; row < QUERY_HEATMAP_ROWS; row++)
		slot.best[row] = -1;
	return slot;
}

/* Tallies come by time, then value, so the last of a row is its largest. */
static int fill_slots(struct arena *arena, const struct bounds *bounds, struct query_heat *heat,
		      struct err *err)
{
	const struct store_tally_group *group = heat->group;
	struct query_slot *slots = NULL;
	size_t cap = 0, count = 0;
	for (size_t i = 0; i < group->tally_count; i++) {
		const struct store_tally *tally = &group->tallies[i];
		if (count == 0 || slots[count - 1].time_ns != tally->time_ns) {
			slots = arena_grow(arena, slots, &cap, count + 1, sizeof(*slots));
			if (!slots)
				return no_memory(err);
			slots[count++] = new_slot(tally->time_ns);
		}
		size_t row = row_of(bounds, tally->value);
		slots[count - 1].counts[row] += tally->count;
		slots[count - 1].best[row] = (int64_t)i;
	}
	heat->slots = slots;
	heat->slot_count = count;
	return 0;
}

int query_heatmap(struct store *store, const struct query_range *range,
		  const struct query_points *points, enum store_unit unit, struct arena *arena,
		  struct query_heatmap *ret, struct err *err)
{
	*ret = (struct query_heatmap){0};
	int rc = tally(store, range, points, unit, false, arena, &ret->tallies, err);
	rc = rc ? rc : pick_groups(arena, &ret->tallies, points->limit, ret, err);
	struct bounds bounds = find_bounds(ret);
	double width = (double)((uint64_t)bounds.max - (uint64_t)bounds.min);
	for (size_t row = 0; row < QUERY_HEATMAP_ROWS; row++)
		ret->row_min[row] = (double)bounds.min + width * (double)row / QUERY_HEATMAP_ROWS;
	for (size_t i = 0; rc == 0 && i < ret->group_count; i++)
		rc = fill_slots(arena, &bounds, &ret->groups[i], err);
	return rc;
}
