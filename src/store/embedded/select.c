/* From matchers to series, through the postings (label name, value, series),
 * which are sorted: an equality is one short scan; anything else tests each
 * distinct value once. Bitmaps then do the logic. */
#include "store/embedded/scan.h"

struct posting_walk {
	struct query *query;
	const struct matcher *matcher;
	roaring_bitmap_t *yes;	 /* the value matches */
	roaring_bitmap_t *known; /* has one of the labels that the name may mean */
	bool need_known;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "selecting series: no memory");
}

/* ---- one label ---- */

/* All series of one (name, value): the iterator ends on the first key behind. */
static void collect(struct rocks_iter *iter, uint32_t name, uint32_t value,
		    const roaring_bitmap_t *known, roaring_bitmap_t *yes, roaring_bitmap_t *all)
{
	for (; rocks_iter_valid(iter); rocks_iter_next(iter)) {
		struct str key = rocks_iter_key(iter);
		uint32_t series = key_part(key, 2);
		if (key_part(key, 0) != name || key_part(key, 1) != value)
			return;
		if (all)
			roaring_bitmap_add(all, series);
		if (yes && !roaring_bitmap_contains(known, series))
			roaring_bitmap_add(yes, series);
	}
}

static int walk_values(struct posting_walk *walk, uint32_t name, struct rocks_iter *iter,
		       roaring_bitmap_t *all, struct err *err)
{
	struct query *query = walk->query;
	while (rocks_iter_valid(iter)) {
		uint32_t value = key_part(rocks_iter_key(iter), 1);
		struct str text;
		bool matches;
		int rc = query_check(query, err);
		rc = rc ? rc : pages_string(&query->pages, value, &text, err);
		rc = rc ? rc : matcher_test(walk->matcher, text, &matches, err);
		if (rc)
			return rc;
		if (matches || walk->need_known) {
			collect(iter, name, value, walk->known, matches ? walk->yes : NULL, all);
		} else {
			struct key prefix = key_kind_u32x2(query->tenant, KEY_POSTING, name, value);
			struct key next = key_after(&prefix);
			rocks_iter_seek(iter, &next);
		}
	}
	return rocks_iter_check(iter, err);
}

static int walk_name(struct posting_walk *walk, uint32_t name, struct err *err)
{
	struct key from = key_kind_u32(walk->query->tenant, KEY_POSTING, name);
	struct key to = key_after(&from);
	struct rocks_iter iter;
	roaring_bitmap_t *all = roaring_bitmap_create();
	if (!all)
		return no_memory(err);
	rocks_iter_open(&walk->query->view, FAMILY_SERIES, &from, &to, false, &iter);
	int rc = walk_values(walk, name, &iter, walk->need_known ? all : NULL, err);
	rocks_iter_close(&iter);
	roaring_bitmap_or_inplace(walk->known, all);
	roaring_bitmap_free(all);
	return rc;
}

/* One label, one value: no need to look at the others. */
static int walk_equal(struct posting_walk *walk, uint32_t name, struct err *err)
{
	struct query *query = walk->query;
	uint32_t value = 0;
	struct key id = key_hash(query->tenant, KEY_STRING,
				 dict_hash(query->store->seed, walk->matcher->value));
	int rc = dict_read_id(query->store->rocks, &query->view, &id, &value, err);
	if (rc || !value)
		return rc;
	struct key from = key_kind_u32x2(query->tenant, KEY_POSTING, name, value);
	struct key to = key_after(&from);
	struct rocks_iter iter;
	rocks_iter_open(&query->view, FAMILY_SERIES, &from, &to, false, &iter);
	collect(&iter, name, value, walk->known, walk->yes, NULL);
	rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}

static int walk_label(struct posting_walk *walk, const struct wanted *wanted, struct err *err)
{
	int rc = 0;
	if (wanted->count == 1 && walk->matcher->op == MATCH_EQUAL && !walk->matcher->matches_empty)
		return walk_equal(walk, wanted->ids[0], err);
	walk->need_known = walk->matcher->matches_empty || wanted->count > 1;
	for (size_t i = 0; !rc && i < wanted->count; i++)
		rc = walk_name(walk, wanted->ids[i], err);
	return rc;
}

/* Keeps in result those series that the matcher accepts. */
static int apply(struct query *query, const struct matcher *matcher, roaring_bitmap_t *result,
		 struct err *err)
{
	struct posting_walk walk = {.query = query, .matcher = matcher};
	struct wanted wanted;
	int rc = query_wanted(query, matcher->name, &wanted, err);
	if (rc)
		return rc;
	walk.yes = roaring_bitmap_create();
	walk.known = roaring_bitmap_create();
	rc = walk.yes && walk.known ? walk_label(&walk, &wanted, err) : no_memory(err);
	if (!rc && matcher->matches_empty) {
		roaring_bitmap_andnot_inplace(walk.known, walk.yes);
		roaring_bitmap_andnot_inplace(result, walk.known);
	} else if (!rc) {
		roaring_bitmap_and_inplace(result, walk.yes);
	}
	roaring_bitmap_free(walk.yes);
	roaring_bitmap_free(walk.known);
	return rc;
}

int select_series(struct query *query, roaring_bitmap_t **ret, struct err *err)
{
	roaring_bitmap_t *result = roaring_bitmap_create();
	int rc = result ? 0 : no_memory(err);
	if (!rc && query->tenant)
		roaring_bitmap_add_range(result, 1, query->counters.series);
	for (size_t i = 0; !rc && query->tenant && i < query->matcher_count; i++)
		if (query->matchers[i].field == FIELD_NONE)
			rc = apply(query, &query->matchers[i], result, err);
	if (!rc && query->selection->profile_count)
		rc = profile_filter_series(query, result, err);
	if (rc) {
		roaring_bitmap_free(result);
		return rc;
	}
	*ret = result;
	return 0;
}

/* ---- who has samples at the time ---- */

struct activity {
	roaring_bitmap_t *active;
	unsigned *columns;
};

static int note_mark(struct query *query, uint32_t day, uint32_t series, const struct mark *mark,
		     void *context, struct err *err)
{
	struct activity *activity = context;
	(void)query;
	(void)day;
	(void)err;
	roaring_bitmap_add(activity->active, series);
	*activity->columns |= mark->columns;
	return 0;
}

bool has_field_matchers(const struct query *query)
{
	if (query->selection->profile_count)
		return true;
	for (size_t i = 0; i < query->matcher_count; i++)
		if (query->matchers[i].field != FIELD_NONE)
			return true;
	return false;
}

static int note_series(struct scan *scan, void *context, struct err *err)
{
	(void)err;
	roaring_bitmap_add(context, scan->series);
	roaring_bitmap_add(scan->skip, scan->series);
	return 0;
}

static int fork_notes(const void *context, struct query *query, void **ret, struct err *err)
{
	(void)context;
	(void)query;
	*ret = roaring_bitmap_create();
	return *ret ? 0 : no_memory(err);
}

static int absorb_notes(void *context, void *forked, struct err *err)
{
	(void)err;
	roaring_bitmap_or_inplace(context, forked);
	return 0;
}

static void release_notes(void *forked)
{
	roaring_bitmap_free(forked);
}

/* Labels cannot tell which series have a sample of that thread: only the samples can. */
static int keep_matching(struct query *query, roaring_bitmap_t *active, struct err *err)
{
	roaring_bitmap_t *matching = roaring_bitmap_create();
	if (!matching)
		return no_memory(err);
	struct scan_job job = {
		.borders = {query->selection->start_ns, query->selection->end_ns, 0, 0},
		.raw = true,
		.visit = note_series,
		.context = matching,
		.fork = fork_notes,
		.absorb = absorb_notes,
		.release = release_notes,
	};
	int rc = scan_series(query, active, &job, err);
	if (!rc)
		roaring_bitmap_and_inplace(active, matching);
	roaring_bitmap_free(matching);
	return rc;
}

int select_active(struct query *query, roaring_bitmap_t **ret, unsigned *ret_columns,
		  struct err *err)
{
	roaring_bitmap_t *selected, *active;
	*ret_columns = 0;
	int rc = select_series(query, &selected, err);
	if (rc)
		return rc;
	active = roaring_bitmap_create();
	rc = active ? 0 : no_memory(err);
	if (!rc && query->tenant && query->selection->start_ns < query->selection->end_ns) {
		struct activity activity = {active, ret_columns};
		rc = marks_walk(query, selected, query->selection->start_ns,
				query->selection->end_ns, note_mark, &activity, err);
		if (!rc && has_field_matchers(query))
			rc = keep_matching(query, active, err);
	}
	roaring_bitmap_free(selected);
	if (rc && active)
		roaring_bitmap_free(active);
	*ret = active;
	return rc;
}
