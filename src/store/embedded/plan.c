/* A level may stand for the blocks of an hour when the day mark says that its
 * sums are complete, and when every border that falls into the hour lies where
 * the level keeps samples apart (level.h). Which levels the borders allow is
 * the same for all series, so it is found out once a day; then each mark costs
 * a few bit operations. */
#include "store/embedded/plan.h"

#include "store/embedded/times.h"

enum {
	HOURS = 24,
	NEAR_SERIES = 16, /* reading over that many marks is cheaper than a seek */
};

struct planner {
	struct query *query;
	const struct borders *borders;
	bool raw;
	struct plan *plan;
	uint32_t day;	       /* for which the following holds; no day: UINT32_MAX */
	unsigned first, end;   /* its hours that lie in the range */
	uint32_t minute, hour; /* hours for which the borders allow the level */
	bool whole;
};

/* ---- marks ---- */

/* To the mark of the next wanted series. */
static void skip_marks(struct query *query, struct rocks_iter *iter, const roaring_bitmap_t *series,
		       roaring_uint32_iterator_t *wanted, uint32_t day, uint32_t at)
{
	struct key key;
	if (!roaring_move_uint32_iterator_equalorlarger(wanted, at)) {
		roaring_init_iterator(series, wanted);
		struct key prefix = key_kind_u32(query->tenant, KEY_DAY, day);
		key = key_after(&prefix);
	} else if (wanted->current_value - at < NEAR_SERIES) {
		rocks_iter_next(iter);
		return;
	} else {
		key = key_kind_u32x2(query->tenant, KEY_DAY, day, wanted->current_value);
	}
	rocks_iter_seek(iter, &key);
}

static int walk(struct query *query, struct rocks_iter *iter, const roaring_bitmap_t *series,
		visit_mark *visit, void *context, struct err *err)
{
	roaring_uint32_iterator_t wanted;
	int rc = 0;
	roaring_init_iterator(series, &wanted);
	while (!rc && rocks_iter_valid(iter)) {
		uint32_t day = key_part(rocks_iter_key(iter), 0);
		uint32_t at = key_part(rocks_iter_key(iter), 1);
		struct mark mark;
		rc = query_check(query, err);
		if (rc)
			break;
		if (!roaring_bitmap_contains(series, at)) {
			skip_marks(query, iter, series, &wanted, day, at);
			continue;
		}
		rc = mark_decode(rocks_iter_value(iter), &mark, err);
		rc = rc ? rc : visit(query, day, at, &mark, context, err);
		rocks_iter_next(iter);
	}
	return rc ? rc : rocks_iter_check(iter, err);
}

int marks_walk(struct query *query, const roaring_bitmap_t *series, uint64_t start_ns,
	       uint64_t end_ns, visit_mark *visit, void *context, struct err *err)
{
	if (!query->tenant || start_ns >= end_ns || roaring_bitmap_is_empty(series))
		return 0;
	struct key from = key_kind_u32(query->tenant, KEY_DAY, day_of(start_ns));
	struct key last = key_kind_u32(query->tenant, KEY_DAY, day_of(end_ns - 1));
	struct key to = key_after(&last);
	struct rocks_iter iter;
	rocks_iter_open(&query->view, FAMILY_SERIES, &from, &to, false, &iter);
	int rc = walk(query, &iter, series, visit, context, err);
	rocks_iter_close(&iter);
	return rc;
}

/* ---- borders ---- */

static bool apart(uint64_t border_ns, uint64_t from_ns, uint64_t to_ns, enum level level)
{
	return border_ns <= from_ns || border_ns >= to_ns || level_respects(level, border_ns);
}

/* The first inner border above from_ns, or UINT64_MAX. */
static uint64_t next_inner(const struct borders *borders, uint64_t from_ns)
{
	uint64_t inner_ns = borders->inner_ns, step_ns = borders->step_ns;
	if (inner_ns > from_ns)
		return inner_ns;
	inner_ns += (from_ns - inner_ns) / step_ns * step_ns;
	return step_ns <= UINT64_MAX - inner_ns ? inner_ns + step_ns : UINT64_MAX;
}

bool borders_respect(const struct borders *borders, uint64_t from_ns, uint64_t to_ns,
		     enum level level)
{
	if (!apart(borders->start_ns, from_ns, to_ns, level) ||
	    !apart(borders->end_ns, from_ns, to_ns, level))
		return false;
	if (!borders->step_ns)
		return true;
	uint64_t last_ns = to_ns < borders->end_ns ? to_ns : borders->end_ns;
	uint64_t at_ns = next_inner(borders, from_ns);
	while (at_ns < last_ns) {
		if (!level_respects(level, at_ns))
			return false;
		if (borders->step_ns % level_bucket_ns(level) == 0)
			return true; /* the others lie as this one does */
		at_ns = next_inner(borders, at_ns);
	}
	return true;
}

static void enter_day(struct planner *planner, uint32_t day)
{
	const struct borders *borders = planner->borders;
	uint64_t day_ns = (uint64_t)day * NS_PER_DAY;
	planner->day = day;
	planner->first = HOURS;
	planner->end = 0;
	planner->minute = planner->hour = 0;
	planner->whole =
		!planner->raw && borders_respect(borders, day_ns, day_ns + NS_PER_DAY, LEVEL_DAY);
	for (unsigned h = 0; h < HOURS; h++) {
		uint64_t from_ns = day_ns + h * NS_PER_HOUR, to_ns = from_ns + NS_PER_HOUR;
		if (to_ns <= borders->start_ns || from_ns >= borders->end_ns)
			continue;
		planner->first = h < planner->first ? h : planner->first;
		planner->end = h + 1;
		if (planner->raw)
			continue;
		if (borders_respect(borders, from_ns, to_ns, LEVEL_MINUTE))
			planner->minute |= 1u << h;
		if (borders_respect(borders, from_ns, to_ns, LEVEL_HOUR))
			planner->hour |= 1u << h;
	}
}

/* ---- segments ---- */

static int add_segment(struct query *query, struct plan *plan, struct segment segment,
		       struct err *err)
{
	struct segment *list =
		arena_grow(&query->work, plan->list, &plan->cap, plan->count + 1, sizeof(*list));
	if (!list)
		return query_full(query, plan->cap * 2 * sizeof(*list), err);
	plan->list = list;
	list[plan->count++] = segment;
	return 0;
}

static enum level level_of(const struct planner *planner, const struct mark *mark, unsigned hour)
{
	uint32_t bit = 1u << hour;
	if (planner->hour & bit && mark_covers(mark, LEVEL_HOUR, hour))
		return LEVEL_HOUR;
	if (planner->minute & bit && mark_covers(mark, LEVEL_MINUTE, hour))
		return LEVEL_MINUTE;
	return LEVEL_RAW;
}

static int plan_mark(struct query *query, uint32_t day, uint32_t series, const struct mark *mark,
		     void *context, struct err *err)
{
	struct planner *planner = context;
	int rc = 0;
	if (day != planner->day)
		enter_day(planner, day);
	if (planner->whole && mark_covers(mark, LEVEL_DAY, 0))
		return add_segment(query, planner->plan,
				   (struct segment){day, series, LEVEL_DAY, 0, HOURS}, err);
	for (unsigned h = planner->first, end; !rc && h < planner->end; h = end) {
		enum level level = level_of(planner, mark, h);
		for (end = h + 1; end < planner->end && level_of(planner, mark, end) == level;)
			end++;
		rc = add_segment(query, planner->plan,
				 (struct segment){day, series, (uint8_t)level, (uint8_t)h,
						  (uint8_t)end},
				 err);
	}
	return rc;
}

int plan_make(struct query *query, const roaring_bitmap_t *series, const struct borders *borders,
	      bool raw, struct plan *ret, struct err *err)
{
	struct planner planner = {.query = query,
				  .borders = borders,
				  .raw = raw,
				  .plan = ret,
				  .day = UINT32_MAX};
	*ret = (struct plan){0};
	return marks_walk(query, series, borders->start_ns, borders->end_ns, plan_mark, &planner,
			  err);
}

static size_t hours_of(const struct segment *segment)
{
	return segment->level == LEVEL_DAY ? 1 : (size_t)segment->to - segment->from;
}

int plan_split(struct query *query, struct plan *plan, size_t wanted, struct err *err)
{
	struct plan parts = {0};
	size_t hours = 0;
	int rc = 0;
	if (plan->count >= wanted)
		return 0;
	for (size_t i = 0; i < plan->count; i++)
		hours += hours_of(&plan->list[i]);
	size_t length = hours / wanted ? hours / wanted : 1;
	for (size_t i = 0; i < plan->count; i++) {
		struct segment part = plan->list[i];
		while (!rc && hours_of(&part) > length) {
			struct segment head = part;
			head.to = (uint8_t)(head.from + length);
			part.from = head.to;
			rc = add_segment(query, &parts, head, err);
		}
		rc = rc ? rc : add_segment(query, &parts, part, err);
		if (rc)
			return rc;
	}
	*plan = parts;
	return 0;
}
