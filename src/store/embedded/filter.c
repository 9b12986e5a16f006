/* Matchers on sample fields: thread, CPU, process, span, trace. Each distinct
 * value is tested once; what a value says is remembered. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/embedded/scan.h"

enum {
	MEMO_MAX = 65536,
	BITS = 64, /* matchers whose verdicts on a series fit a number */
};

/* A matcher on a sample field. Where a sample does not have it, the series' label of that name counts. */
struct field_filter {
	const struct matcher *matcher;
	struct wanted wanted;
	bool label_matches;
	struct map memo; /* column value -> does it match */
};

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

int filters_apply(struct scan *scan, struct err *err)
{
	const struct store_selection *selection = scan->query->selection;
	int rc = selection->profile_count ? profile_filter_apply(scan, err) : 0;
	if (!rc && selection->call_site_count)
		rc = stack_filter_apply(scan, err);
	for (size_t i = 0; !rc && i < scan->filter_count; i++)
		rc = filter_field(scan, &scan->filters[i], err);
	return rc;
}

static int test_labels(struct scan *scan, struct err *err)
{
	int rc = query_labels(scan->query, scan->series, &scan->labels, err);
	for (size_t i = 0; !rc && i < scan->filter_count; i++) {
		struct field_filter *filter = &scan->filters[i];
		uint32_t value = wanted_value(&filter->wanted, &scan->labels);
		struct str text;
		rc = pages_string(&scan->query->pages, value, &text, err);
		rc = rc ? rc : matcher_test(filter->matcher, text, &filter->label_matches, err);
	}
	return rc;
}

/* A series comes again every day. */
int filters_enter(struct scan *scan, struct err *err)
{
	bool remembers = scan->filter_count <= BITS;
	uint64_t bits = 0, *known;
	int rc = scan->query->selection->profile_count ? profile_filter_enter(scan, err) : 0;
	if (rc || scan->filter_count == 0)
		return rc;
	known = remembers ? map_get(&scan->known_labels, scan->series) : NULL;
	for (size_t i = 0; known && i < scan->filter_count; i++)
		scan->filters[i].label_matches = *known >> i & 1;
	if (known)
		return 0;
	rc = test_labels(scan, err);
	for (size_t i = 0; !rc && remembers && i < scan->filter_count; i++)
		bits |= (uint64_t)scan->filters[i].label_matches << i;
	if (scan->known_labels.count >= MEMO_MAX)
		map_clear(&scan->known_labels);
	return rc || !remembers ? rc : map_put(&scan->known_labels, scan->series, bits, err);
}

int filters_make(struct scan *scan, struct err *err)
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

void filters_free(struct scan *scan)
{
	for (size_t i = 0; i < scan->filter_count; i++)
		map_deinit(&scan->filters[i].memo);
	map_deinit(&scan->known_labels);
	map_deinit(&scan->known_nodes);
	scan->filter_count = 0;
}
