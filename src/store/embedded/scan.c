/* Walks the sample blocks of the selected series in the order of their keys,
 * jumping over what is not selected, and picks the rows that the time range
 * and the matchers on sample fields select. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/query.h"
#include "store/embedded/times.h"

enum { MEMO_MAX = 65536 };

/* A matcher on a sample field. Where a sample does not have it, the series' label of that name counts. */
struct field_filter {
	const struct matcher *matcher;
	struct wanted wanted;
	bool label_matches;
	struct map memo; /* column value -> does it match */
};

struct walk {
	struct scan scan;
	const roaring_bitmap_t *series;
	roaring_uint32_iterator_t next_series;
	struct rocks_iter iter;
	struct series_labels labels;
};

/* ---- columns ---- */

static int reserve(struct scan *scan, struct err *err)
{
	size_t cap = scan->cap ? scan->cap : 1024;
	if (scan->block.count <= scan->cap)
		return 0;
	while (cap < scan->block.count)
		cap *= 2;
	for (unsigned i = 0; i < BLOCK_COLUMNS; i++) {
		scan->columns[i] = query_alloc(scan->query, cap, sizeof(int64_t), err);
		if (!scan->columns[i])
			return ERR_LIMIT;
	}
	scan->rows = query_alloc(scan->query, cap, sizeof(*scan->rows), err);
	scan->spans = query_alloc(scan->query, cap, sizeof(*scan->spans), err);
	scan->span_matches = query_alloc(scan->query, cap, 1, err);
	scan->scratch = query_alloc(scan->query, cap, sizeof(*scan->scratch), err);
	if (!scan->rows || !scan->spans || !scan->span_matches || !scan->scratch)
		return ERR_LIMIT;
	scan->cap = cap;
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
		rc = block_column(&scan->block, column, scan->columns[column], err);
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
		rc = block_spans(&scan->block, scan->scratch, scan->spans, err);
		scan->have_spans = !rc;
	}
	*ret = scan->spans;
	return rc;
}

/* ---- matchers on fields ---- */

static int test_number(const struct matcher *matcher, int64_t value, bool *ret, struct err *err)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)value);
	return matcher_test(matcher, str_make(text, (size_t)len), ret, err);
}

static int test_value(struct scan *scan, struct field_filter *filter, int64_t value, bool *ret,
		      struct err *err)
{
	uint64_t *known = map_get(&filter->memo, (uint64_t)value);
	struct str text;
	int rc = 0;
	if (known) {
		*ret = *known != 0;
		return 0;
	}
	if (filter->matcher->field == FIELD_THREAD_NAME) {
		rc = value < 0 || value > UINT32_MAX
			     ? err_set(err, ERR_CORRUPT, "sample block: thread name out of range")
			     : pages_string(&scan->query->pages, (uint32_t)value, &text, err);
		rc = rc ? rc : matcher_test(filter->matcher, text, ret, err);
	} else {
		int64_t number = filter->matcher->field == FIELD_CPU ? value - 1 : value;
		rc = test_number(filter->matcher, number, ret, err);
	}
	if (filter->memo.count >= MEMO_MAX)
		map_clear(&filter->memo);
	return rc ? rc : map_put(&filter->memo, (uint64_t)value, *ret, err);
}

static struct str hex(char *text, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		text[i * 2] = digits[bytes[i] >> 4];
		text[i * 2 + 1] = digits[bytes[i] & 15];
	}
	return str_make(text, count * 2);
}

/* Each span of the block is tested once. */
static int test_spans(struct scan *scan, const struct field_filter *filter, struct err *err)
{
	const struct store_span *spans;
	int rc = scan_spans(scan, &spans, err);
	for (size_t i = 0; !rc && i < scan->block.span_count; i++) {
		char text[32];
		bool matches;
		struct str id = filter->matcher->field == FIELD_TRACE
					? hex(text, spans[i].trace_id, 16)
					: hex(text, spans[i].span_id, 8);
		rc = matcher_test(filter->matcher, id, &matches, err);
		scan->span_matches[i] = !rc && matches;
	}
	return rc;
}

static int filter_field(struct scan *scan, struct field_filter *filter, struct err *err)
{
	enum block_column column = column_of_field(filter->matcher->field);
	const int64_t *values;
	size_t kept = 0;
	int rc = column == BLOCK_SPAN ? test_spans(scan, filter, err) : 0;
	rc = rc ? rc : scan_column(scan, column, &values, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->rows[i];
		bool matches = filter->label_matches;
		if (values[row] && column == BLOCK_SPAN)
			matches = scan->span_matches[values[row] - 1];
		else if (values[row])
			rc = test_value(scan, filter, values[row], &matches, err);
		scan->rows[kept] = row;
		kept += matches;
	}
	scan->row_count = kept;
	return rc;
}

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

static int pick_rows(struct scan *scan, struct err *err)
{
	const struct block *block = &scan->block;
	bool whole = block->min_time_ns >= scan->start_ns && block->max_time_ns < scan->end_ns;
	int rc = reserve(scan, err);
	scan->all = whole && scan->filter_count == 0;
	scan->row_count = block->count;
	if (rc || scan->all)
		return rc;
	if (whole)
		for (size_t i = 0; i < block->count; i++)
			scan->rows[i] = (uint32_t)i;
	else
		rc = filter_times(scan, err);
	for (size_t i = 0; !rc && i < scan->filter_count; i++)
		rc = filter_field(scan, &scan->filters[i], err);
	return rc;
}

/* ---- series ---- */

static int enter_series(struct walk *walk, uint32_t series, struct err *err)
{
	struct scan *scan = &walk->scan;
	int rc = 0;
	scan->series = series;
	if (scan->filter_count)
		rc = query_labels(scan->query, series, &walk->labels, err);
	for (size_t i = 0; !rc && i < scan->filter_count; i++) {
		struct field_filter *filter = &scan->filters[i];
		uint32_t value = wanted_value(&filter->wanted, &walk->labels);
		struct str text;
		rc = pages_string(&scan->query->pages, value, &text, err);
		rc = rc ? rc : matcher_test(filter->matcher, text, &filter->label_matches, err);
	}
	return rc;
}

/* To the first block of the first selected series at or after (day, series). */
static void seek(struct walk *walk, uint32_t day, uint32_t series)
{
	struct scan *scan = &walk->scan;
	uint64_t from_ns = (uint64_t)day * NS_PER_DAY;
	if (!roaring_move_uint32_iterator_equalorlarger(&walk->next_series, series)) {
		roaring_init_iterator(walk->series, &walk->next_series);
		from_ns = (uint64_t)++day * NS_PER_DAY;
	}
	/* A block that reaches into the range begins in the range's first hour, or later. */
	uint64_t hour_ns = scan->start_ns - scan->start_ns % NS_PER_HOUR;
	if (from_ns < hour_ns)
		from_ns = hour_ns;
	struct key key = key_samples_series(scan->query->tenant, day,
					    walk->next_series.current_value, from_ns);
	rocks_iter_seek(&walk->iter, &key);
}

static int visit_block(struct walk *walk, const struct sample_key *key, scan_visit *visit,
		       void *context, struct err *err)
{
	struct scan *scan = &walk->scan;
	memset(scan->have, 0, sizeof(scan->have));
	scan->have_spans = false;
	int rc = block_open(rocks_iter_value(&walk->iter), key->time_ns, &scan->block, err);
	if (rc || scan->block.max_time_ns < scan->start_ns)
		return rc;
	metric_add(&store_blocks_read_total, 1);
	metric_add(&store_rows_read_total, (int64_t)scan->block.count);
	rc = pick_rows(scan, err);
	if (rc || scan->row_count == 0)
		return rc;
	return visit(scan, context, err);
}

static int step(struct walk *walk, scan_visit *visit, void *context, struct err *err)
{
	struct scan *scan = &walk->scan;
	struct sample_key key;
	if (!key_parse_samples(rocks_iter_key(&walk->iter), &key))
		return err_set(err, ERR_CORRUPT, "sample block: malformed key");
	int rc = query_check(scan->query, err);
	if (!rc && key.series != scan->series && roaring_bitmap_contains(walk->series, key.series))
		rc = enter_series(walk, key.series, err);
	if (rc)
		return rc;
	if (key.series != scan->series) {
		seek(walk, key.day, key.series);
		return 0;
	}
	if (key.time_ns >= scan->end_ns || roaring_bitmap_contains(scan->skip, key.series)) {
		seek(walk, key.day, key.series + 1);
		return 0;
	}
	if (key.time_ns + NS_PER_HOUR <= scan->start_ns) {
		seek(walk, key.day, key.series);
		return 0;
	}
	rc = visit_block(walk, &key, visit, context, err);
	rocks_iter_next(&walk->iter);
	return rc;
}

static int make_filters(struct scan *scan, struct err *err)
{
	struct query *query = scan->query;
	scan->filters = query_alloc(query, query->matcher_count + 1, sizeof(*scan->filters), err);
	int rc = scan->filters ? 0 : ERR_LIMIT;
	for (size_t i = 0; !rc && i < query->matcher_count; i++) {
		if (query->matchers[i].field == FIELD_NONE)
			continue;
		struct field_filter *filter = &scan->filters[scan->filter_count++];
		filter->matcher = &query->matchers[i];
		rc = query_wanted(query, filter->matcher->name, &filter->wanted, err);
	}
	return rc;
}

static int walk_blocks(struct walk *walk, scan_visit *visit, void *context, struct err *err)
{
	struct scan *scan = &walk->scan;
	struct key from = key_samples_day(scan->query->tenant, day_of(scan->start_ns));
	struct key last = key_samples_day(scan->query->tenant, day_of(scan->end_ns - 1));
	struct key to = key_after(&last);
	int rc = 0;
	rocks_iter_open(&scan->query->view, FAMILY_SAMPLES, &from, &to, true, &walk->iter);
	seek(walk, day_of(scan->start_ns), 0);
	while (!rc && rocks_iter_valid(&walk->iter))
		rc = step(walk, visit, context, err);
	rc = rc ? rc : rocks_iter_check(&walk->iter, err);
	rocks_iter_close(&walk->iter);
	return rc;
}

int scan_samples(struct query *query, const roaring_bitmap_t *series, uint64_t start_ns,
		 uint64_t end_ns, scan_visit *visit, void *context, struct err *err)
{
	struct walk walk = {
		.scan = {.query = query, .start_ns = start_ns, .end_ns = end_ns},
		.series = series,
	};
	if (!query->tenant || start_ns >= end_ns || roaring_bitmap_is_empty(series))
		return 0;
	roaring_init_iterator(series, &walk.next_series);
	walk.scan.skip = roaring_bitmap_create();
	int rc = walk.scan.skip ? make_filters(&walk.scan, err)
				: err_set(err, ERR_NOMEM, "scanning samples: no memory");
	rc = rc ? rc : walk_blocks(&walk, visit, context, err);
	for (size_t i = 0; i < walk.scan.filter_count; i++)
		map_deinit(&walk.scan.filters[i].memo);
	if (walk.scan.skip)
		roaring_bitmap_free(walk.scan.skip);
	return rc;
}
