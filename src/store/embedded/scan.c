/* Reads the segments of a plan: an iterator for each level that only moves
 * forwards, since segments come in rising order. It seeks only where there is
 * something between the end of one segment and the start of the next. */
#include "store/embedded/scan.h"

#include <string.h>

#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

/* ---- columns ---- */

/* Room for so many rows; what was there is forgotten. Only the columns that are looked at take memory. */
static void *reserve(struct scan *scan, void *old, size_t *cap, size_t elem_bytes, struct err *err)
{
	size_t wanted = *cap ? *cap : 1024;
	if (old && scan->block.count <= *cap)
		return old;
	while (wanted < scan->block.count)
		wanted *= 2;
	void *memory = query_alloc(scan->query, wanted, elem_bytes, err);
	*cap = memory ? wanted : 0;
	return memory;
}

static int reserve_column(struct scan *scan, enum block_column column, struct err *err)
{
	scan->columns[column] = reserve(scan, scan->columns[column], &scan->column_caps[column],
					sizeof(int64_t), err);
	return scan->columns[column] ? 0 : ERR_LIMIT;
}

static int reserve_spans(struct scan *scan, struct err *err)
{
	if (scan->spans && scan->block.count <= scan->span_cap)
		return 0;
	size_t cap = scan->span_cap;
	scan->span_cap = 0;
	scan->spans = reserve(scan, NULL, &cap, sizeof(*scan->spans), err);
	scan->scratch = scan->spans ? query_alloc(scan->query, cap, sizeof(int64_t), err) : NULL;
	scan->span_matches = scan->scratch ? query_alloc(scan->query, cap, 1, err) : NULL;
	if (!scan->span_matches)
		return ERR_LIMIT;
	scan->span_cap = cap;
	return 0;
}

static int check_spans(const struct scan *scan, const int64_t *index, struct err *err)
{
	for (size_t i = 0; i < scan->block.count; i++)
		if (index[i] < 0 || (uint64_t)index[i] > scan->block.span_count)
			return err_set(err, ERR_CORRUPT, "sample block: span out of range");
	return 0;
}

int scan_column(struct scan *scan, enum block_column column, const int64_t **ret, struct err *err)
{
	int rc = 0;
	if (!scan->have[column]) {
		rc = reserve_column(scan, column, err);
		rc = rc ? rc : block_column(&scan->block, column, scan->columns[column], err);
		if (!rc && column == BLOCK_SPAN)
			rc = check_spans(scan, scan->columns[column], err);
		scan->have[column] = !rc;
	}
	*ret = scan->columns[column];
	return rc;
}

int scan_spans(struct scan *scan, const struct store_span **ret, struct err *err)
{
	int rc = 0;
	if (!scan->have_spans) {
		rc = reserve_spans(scan, err);
		rc = rc ? rc : block_spans(&scan->block, scan->scratch, scan->spans, err);
		scan->have_spans = !rc;
	}
	*ret = scan->spans;
	return rc;
}

/* ---- rows ---- */

static int filter_times(struct scan *scan, struct err *err)
{
	const int64_t *times;
	int rc = scan_column(scan, BLOCK_TIME, &times, err);
	size_t kept = 0;
	for (size_t i = 0; !rc && i < scan->block.count; i++) {
		uint64_t time_ns = scan->block.min_time_ns + (uint64_t)times[i];
		scan->rows[kept] = (uint32_t)i;
		kept += time_ns >= scan->start_ns && time_ns < scan->end_ns;
	}
	scan->row_count = kept;
	return rc;
}

/* Filters beside the matchers. */
static bool picks_more(const struct store_selection *selection)
{
	return selection->call_site_count > 0 || selection->profile_count > 0;
}

static int pick_rows(struct scan *scan, struct err *err)
{
	const struct block *block = &scan->block;
	bool whole = block->min_time_ns >= scan->start_ns && block->max_time_ns < scan->end_ns;
	scan->all = whole && scan->filter_count == 0 && !picks_more(scan->query->selection);
	scan->row_count = block->count;
	if (scan->all)
		return 0;
	scan->rows = reserve(scan, scan->rows, &scan->row_cap, sizeof(*scan->rows), err);
	if (!scan->rows)
		return ERR_LIMIT;
	int rc = whole ? 0 : filter_times(scan, err);
	for (size_t i = 0; whole && i < block->count; i++)
		scan->rows[i] = (uint32_t)i;
	return rc ? rc : filters_apply(scan, err);
}

static int visit_block(struct walk *walk, struct str bytes, uint64_t time_ns, struct err *err)
{
	struct scan *scan = &walk->scan;
	memset(scan->have, 0, sizeof(scan->have));
	scan->have_spans = false;
	scan->block_bytes = bytes.len;
	int rc = block_open(bytes, time_ns, &scan->block, err);
	if (rc || scan->block.max_time_ns < scan->start_ns)
		return rc;
	scan->blocks_read++;
	scan->rows_read += scan->block.count;
	rc = pick_rows(scan, err);
	if (rc || scan->row_count == 0)
		return rc;
	return walk->job->visit(scan, walk->context, err);
}

/* ---- segments ---- */

static struct key key_of(const struct walk *walk, const struct segment *segment, uint64_t time_ns)
{
	uint32_t tenant = walk->scan.query->tenant;
	if (segment->level == LEVEL_RAW)
		return key_samples_series(tenant, segment->day, segment->series, time_ns);
	return key_sums_series(tenant, segment->level, segment->day, segment->series, time_ns);
}

/* Over everything of the level from the segment to the end of the range. */
static void open_level(struct walk *walk, const struct segment *segment, const struct key *from)
{
	uint32_t tenant = walk->scan.query->tenant, last_day = day_of(walk->scan.end_ns - 1);
	struct key last = segment->level == LEVEL_RAW
				  ? key_samples_day(tenant, last_day)
				  : key_sums_day(tenant, segment->level, last_day);
	struct key to = key_after(&last);
	enum rocks_family family = segment->level == LEVEL_RAW ? FAMILY_SAMPLES : FAMILY_ROLLUPS;
	rocks_iter_open(&walk->scan.query->view, family, from, &to, true,
			&walk->iters[segment->level]);
	walk->open[segment->level] = true;
}

static int parse(const struct segment *segment, struct str bytes, struct sample_key *ret,
		 struct err *err)
{
	uint8_t level;
	bool ok = segment->level == LEVEL_RAW ? key_parse_samples(bytes, ret)
					      : key_parse_sums(bytes, &level, ret);
	return ok ? 0 : err_set(err, ERR_CORRUPT, "sample block: malformed key");
}

static struct rocks_iter *stand_on(struct walk *walk, const struct segment *segment,
				   uint64_t from_ns)
{
	struct rocks_iter *iter = &walk->iters[segment->level];
	struct key from = key_of(walk, segment, from_ns);
	if (!walk->open[segment->level]) {
		open_level(walk, segment, &from);
	} else if (rocks_iter_valid(iter)) {
		struct str key = rocks_iter_key(iter);
		if (memcmp(key.ptr, from.bytes, key.len < from.len ? key.len : from.len) < 0)
			rocks_iter_seek(iter, &from);
	}
	return iter;
}

static int read_segment(struct walk *walk, const struct segment *segment, struct err *err)
{
	struct scan *scan = &walk->scan;
	uint64_t day_ns = (uint64_t)segment->day * NS_PER_DAY;
	uint64_t to_ns = day_ns + segment->to * NS_PER_HOUR;
	struct rocks_iter *iter = stand_on(walk, segment, day_ns + segment->from * NS_PER_HOUR);
	struct sample_key key;
	for (; rocks_iter_valid(iter); rocks_iter_next(iter)) {
		int rc = parse(segment, rocks_iter_key(iter), &key, err);
		rc = rc ? rc : query_check(scan->query, err);
		if (rc || key.day != segment->day || key.series != segment->series ||
		    key.time_ns >= to_ns || key.time_ns >= scan->end_ns ||
		    roaring_bitmap_contains(scan->skip, key.series))
			return rc;
		rc = visit_block(walk, rocks_iter_value(iter), key.time_ns, err);
		if (rc)
			return rc;
	}
	return rocks_iter_check(iter, err);
}

int walk_segment(struct walk *walk, const struct segment *segment, struct err *err)
{
	struct scan *scan = &walk->scan;
	int rc = query_check(scan->query, err);
	if (!rc && segment->series != scan->series) {
		scan->series = segment->series;
		rc = filters_enter(scan, err);
	}
	return rc ? rc : read_segment(walk, segment, err);
}

int walk_open(struct walk *walk, struct query *query, const struct scan_job *job, void *context,
	      struct err *err)
{
	*walk = (struct walk){
		.scan = {.query = query,
			 .start_ns = job->borders.start_ns,
			 .end_ns = job->borders.end_ns},
		.job = job,
		.context = context,
	};
	walk->scan.skip = roaring_bitmap_create();
	if (!walk->scan.skip)
		return err_set(err, ERR_NOMEM, "scanning samples: no memory");
	return filters_make(&walk->scan, err);
}

void walk_close(struct walk *walk)
{
	for (unsigned i = 0; i < LEVEL_COUNT; i++)
		if (walk->open[i])
			rocks_iter_close(&walk->iters[i]);
	filters_free(&walk->scan);
	if (walk->scan.skip)
		roaring_bitmap_free(walk->scan.skip);
	metric_add(&store_blocks_read_total, (int64_t)walk->scan.blocks_read);
	metric_add(&store_rows_read_total, (int64_t)walk->scan.rows_read);
	memset(walk, 0, sizeof(*walk));
}
