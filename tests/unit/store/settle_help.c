#include "settle_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/embedded/times.h"

/* ---- reading ---- */

static struct raw_row *add_row(struct rows *rows)
{
	if (rows->count == rows->cap) {
		rows->cap = rows->cap ? rows->cap * 2 : 1024;
		rows->list = realloc(rows->list, rows->cap * sizeof(*rows->list));
		assert_non_null(rows->list);
	}
	memset(&rows->list[rows->count], 0, sizeof(*rows->list));
	return &rows->list[rows->count++];
}

static void add_block(struct rows *rows, const struct sample_key *key, unsigned level,
		      struct str bytes)
{
	static int64_t columns[BLOCK_COLUMNS][BLOCK_ROWS_MAX], scratch[BLOCK_ROWS_MAX];
	static struct store_span spans[BLOCK_ROWS_MAX];
	struct block block;
	struct err err;
	must(block_open(bytes, key->time_ns, &block, &err), &err);
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
		must(block_column(&block, (enum block_column)c, columns[c], &err), &err);
		assert_true(level == 0 || c <= BLOCK_VALUE || !block.columns[c].ptr);
	}
	must(block_spans(&block, scratch, spans, &err), &err);
	assert_int_equal(block.min_time_ns / NS_PER_DAY, key->day);
	if (level < LEVEL_DAY)
		assert_int_equal(hour_of(block.min_time_ns), hour_of(block.max_time_ns));
	uint64_t smallest = UINT64_MAX;
	for (size_t i = 0; i < block.count; i++) {
		struct raw_row *row = add_row(rows);
		*row = (struct raw_row){.tenant = key->tenant,
					.level = level,
					.day = key->day,
					.series = key->series,
					.time_ns = key->time_ns + (uint64_t)columns[BLOCK_TIME][i],
					.node = (uint32_t)columns[BLOCK_NODE][i],
					.value = columns[BLOCK_VALUE][i],
					.pid = columns[BLOCK_PID][i],
					.tid = columns[BLOCK_TID][i],
					.thread_name = columns[BLOCK_THREAD_NAME][i],
					.cpu = columns[BLOCK_CPU][i]};
		assert_true(row->time_ns <= block.max_time_ns);
		smallest = row->time_ns < smallest ? row->time_ns : smallest;
		assert_in_range(columns[BLOCK_SPAN][i], 0, block.span_count);
		if (columns[BLOCK_SPAN][i])
			row->span = spans[columns[BLOCK_SPAN][i] - 1];
	}
	assert_int_equal(smallest, key->time_ns);
	rows->blocks += level == 0;
	rows->bytes += level == 0 ? bytes.len : 0;
}

#define COMPARE(field)                                       \
	do {                                                 \
		if (x->field != y->field)                    \
			return x->field < y->field ? -1 : 1; \
	} while (0)

static int compare_rows(const void *a, const void *b)
{
	const struct raw_row *x = a, *y = b;
	COMPARE(tenant);
	COMPARE(level);
	COMPARE(day);
	COMPARE(series);
	COMPARE(time_ns);
	COMPARE(node);
	COMPARE(value);
	COMPARE(pid);
	COMPARE(tid);
	COMPARE(thread_name);
	COMPARE(cpu);
	return memcmp(&x->span, &y->span, sizeof(x->span));
}

static void read_family(struct store *store, enum rocks_family family, struct rows *ret)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct key from = {0}, to;
	struct err err;
	memset(&to, 0xff, sizeof(to));
	to.len = KEY_MAX;
	rocks_view_open(store->rocks, &view);
	rocks_iter_open(&view, family, &from, &to, true, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct sample_key key;
		uint8_t level = LEVEL_RAW;
		bool ok = family == FAMILY_SAMPLES
				  ? key_parse_samples(rocks_iter_key(&iter), &key)
				  : key_parse_sums(rocks_iter_key(&iter), &level, &key);
		assert_true(ok);
		add_block(ret, &key, level, rocks_iter_value(&iter));
	}
	must(rocks_iter_check(&iter, &err), &err);
	rocks_iter_close(&iter);
	rocks_view_close(&view);
}

void read_rows(struct store *store, struct rows *ret)
{
	memset(ret, 0, sizeof(*ret));
	read_family(store, FAMILY_SAMPLES, ret);
	read_family(store, FAMILY_ROLLUPS, ret);
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), compare_rows);
}

void free_rows(struct rows *rows)
{
	free(rows->list);
	memset(rows, 0, sizeof(*rows));
}

static const struct raw_row *next_raw(const struct rows *rows, size_t *at)
{
	while (*at < rows->count && rows->list[*at].level != LEVEL_RAW)
		(*at)++;
	return *at < rows->count ? &rows->list[(*at)++] : NULL;
}

void same_samples(struct store *store, const struct rows *before)
{
	struct rows after;
	size_t i = 0, j = 0;
	read_rows(store, &after);
	for (;;) {
		const struct raw_row *x = next_raw(before, &i), *y = next_raw(&after, &j);
		assert_int_equal(x != NULL, y != NULL);
		if (!x)
			break;
		if (compare_rows(x, y) != 0)
			fail_msg("row %zu of series %u at %llu is another", i, x->series,
				 (unsigned long long)x->time_ns);
	}
	free_rows(&after);
}

/* ---- is it true? ---- */

static size_t count_between(const struct rows *rows, size_t at, const struct raw_row *like,
			    uint64_t end_ns)
{
	size_t end = at;
	while (end < rows->count && rows->list[end].tenant == like->tenant &&
	       rows->list[end].level == like->level && rows->list[end].day == like->day &&
	       rows->list[end].series == like->series && rows->list[end].time_ns < end_ns)
		end++;
	return end - at;
}

/* Rows of a level of a series in [start_ns, end_ns). */
static const struct raw_row *find(const struct rows *rows, const struct raw_row *like,
				  uint64_t start_ns, uint64_t end_ns, size_t *ret_count)
{
	struct raw_row first = {.tenant = like->tenant,
				.level = like->level,
				.day = like->day,
				.series = like->series,
				.time_ns = start_ns,
				.value = INT64_MIN};
	size_t low = 0, high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_rows(&rows->list[middle], &first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_count = count_between(rows, low, &first, end_ns);
	return rows->list + low;
}

/* Distinct (coarse time, node) with their sums, into ret. */
static size_t add_up(enum level level, const struct raw_row *rows, size_t count,
		     struct raw_row *ret)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		ret[i] = (struct raw_row){.time_ns = level_time(level, rows[i].time_ns),
					  .node = rows[i].node,
					  .value = rows[i].value};
	if (count)
		qsort(ret, count, sizeof(*ret), compare_rows);
	for (size_t i = 0; i < count; i++) {
		if (kept && ret[kept - 1].time_ns == ret[i].time_ns &&
		    ret[kept - 1].node == ret[i].node)
			ret[kept - 1].value =
				(int64_t)((uint64_t)ret[kept - 1].value + (uint64_t)ret[i].value);
		else
			ret[kept++] = ret[i];
	}
	return kept;
}

struct span_check {
	const struct rows *rows;
	uint32_t tenant, day, series;
	uint64_t start_ns, end_ns;
	bool exact;
};

/* Are the sums of the level those of the raw rows? there: the mark says that they are. Returns their number. */
static size_t check_level(const struct span_check *c, enum level level, bool there, size_t finer)
{
	struct raw_row like = {.tenant = c->tenant, .day = c->day, .series = c->series};
	size_t raw_count, sum_count;
	const struct raw_row *raw = find(c->rows, &like, c->start_ns, c->end_ns, &raw_count);
	like.level = level;
	const struct raw_row *sums = find(c->rows, &like, c->start_ns, c->end_ns, &sum_count);
	struct raw_row *expected = calloc(raw_count + 1, sizeof(*expected));
	struct raw_row *got = calloc(sum_count + 1, sizeof(*got));
	size_t expected_count = add_up(level, raw, raw_count, expected);
	if (there) {
		size_t got_count = add_up(LEVEL_RAW, sums, sum_count, got);
		assert_int_equal(got_count, expected_count);
		for (size_t i = 0; i < got_count; i++)
			assert_int_equal(compare_rows(&got[i], &expected[i]), 0);
	} else {
		assert_int_equal(sum_count, 0);
	}
	if (c->exact)
		assert_int_equal(there, expected_count && level_pays(level, expected_count,
								     finer ? finer : raw_count));
	free(expected);
	free(got);
	return there ? expected_count : 0;
}

static size_t raw_count_of(const struct span_check *c)
{
	struct raw_row like = {.tenant = c->tenant, .day = c->day, .series = c->series};
	size_t count;
	(void)find(c->rows, &like, c->start_ns, c->end_ns, &count);
	return count;
}

static unsigned check_mark(struct span_check c, const struct mark *mark)
{
	size_t best_rows = 0;
	for (unsigned h = 0; h < 24; h++) {
		c.start_ns = c.day * NS_PER_DAY + h * NS_PER_HOUR;
		c.end_ns = c.start_ns + NS_PER_HOUR;
		if (mark->pending >> h & 1)
			continue;
		size_t raw = raw_count_of(&c);
		size_t minutes = check_level(&c, LEVEL_MINUTE, mark->minute >> h & 1, raw);
		size_t hours =
			check_level(&c, LEVEL_HOUR, mark->hour >> h & 1, minutes ? minutes : raw);
		best_rows += hours ? hours : minutes ? minutes : raw;
	}
	c.start_ns = c.day * NS_PER_DAY;
	c.end_ns = c.start_ns + NS_PER_DAY;
	c.exact = c.exact && mark->whole != WHOLE_UNTRIED;
	if (!mark->pending)
		check_level(&c, LEVEL_DAY, mark->whole == WHOLE_SUMMED, best_rows);
	return (unsigned)__builtin_popcount(mark->pending);
}

static unsigned check_marks(struct store *store, const struct rows *rows, bool exact)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct key from = {0}, to;
	struct err err;
	unsigned pending = 0;
	memset(&to, 0xff, sizeof(to));
	to.len = KEY_MAX;
	rocks_view_open(store->rocks, &view);
	rocks_iter_open(&view, FAMILY_SERIES, &from, &to, true, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		struct mark mark;
		if (key.ptr[4] != KEY_DAY)
			continue;
		must(mark_decode(rocks_iter_value(&iter), &mark, &err), &err);
		struct span_check check = {.rows = rows,
					   .tenant = key_number(key),
					   .day = key_part(key, 0),
					   .series = key_part(key, 1),
					   .exact = exact};
		pending += check_mark(check, &mark);
	}
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return pending;
}

/* The totals of all days together. */
static void check_totals(struct store *store, const struct rows *rows)
{
	struct key from = key_meta(META_DAY), to = key_after(&from);
	struct rocks_view view;
	struct rocks_iter iter;
	struct err err;
	size_t blocks = 0, bytes = 0, samples = 0, raw = 0;
	rocks_view_open(store->rocks, &view);
	rocks_iter_open(&view, FAMILY_META, &from, &to, true, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct day_stats day;
		must(day_decode(rocks_iter_value(&iter), &day, &err), &err);
		blocks += day.blocks;
		bytes += day.bytes;
		samples += day.samples;
	}
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	for (size_t i = 0; i < rows->count; i++)
		raw += rows->list[i].level == LEVEL_RAW;
	assert_int_equal(samples, raw);
	assert_int_equal(blocks, rows->blocks);
	assert_int_equal(bytes, rows->bytes);
}

unsigned check_settled(struct store *store, bool exact)
{
	struct rows rows;
	read_rows(store, &rows);
	unsigned pending = check_marks(store, &rows, exact);
	check_totals(store, &rows);
	free_rows(&rows);
	return pending;
}

struct mark mark_of(struct store *store, uint32_t tenant, uint32_t day, uint32_t series)
{
	struct key key = key_kind_u32x2(tenant, KEY_DAY, day, series);
	struct mark mark;
	struct err err;
	must(series_read_mark(&store->writer.txn, &key, &mark, &err), &err);
	return mark;
}

/* ---- writing ---- */

static uint64_t random_time(struct random *random, uint64_t start_ns, uint64_t end_ns)
{
	static const uint64_t buckets[] = {NS_PER_HOUR / 60, NS_PER_HOUR, NS_PER_DAY};
	uint64_t time_ns = start_ns + random_u64(random) % (end_ns - start_ns);
	if (random_below(random, 2)) {
		uint64_t bucket_ns = buckets[random_below(random, 3)];
		time_ns = time_ns - time_ns % bucket_ns + random_below(random, 4) - 1;
	}
	return time_ns < start_ns || time_ns >= end_ns ? start_ns : time_ns;
}

void write_random(struct store *store, struct random *random, const char *tenant, unsigned series,
		  uint64_t start_ns, uint64_t end_ns, unsigned count)
{
	static const struct str strings[] = {STR(""), STR("main"), STR("gc")};
	struct store_frame frames[3] = {{.name = STR("a")}, {.name = STR("b")}, {.name = STR("c")}};
	const struct store_node nodes[5] = {{0, 0}, {0, 0}, {1, 1}, {2, 2}, {1, 2}};
	struct store_span spans[4] = {0};
	struct store_sample *samples = calloc(count, sizeof(*samples));
	char name[16];
	struct err err;
	snprintf(name, sizeof(name), "%u", series);
	struct store_label label = {STR("series"), str_of(name)};
	for (unsigned i = 0; i < 4; i++) {
		spans[i].trace_id[0] = (uint8_t)(1 + random_below(random, 3));
		spans[i].span_id[7] = (uint8_t)(1 + random_below(random, 5));
	}
	for (unsigned i = 0; i < count; i++)
		samples[i] =
			(struct store_sample){.time_ns = random_time(random, start_ns, end_ns),
					      .value = random_below(random, 9)
							       ? (int64_t)random_below(random, 100)
							       : (int64_t)random_u64(random),
					      .node = random_below(random, 5),
					      .pid = random_below(random, 3),
					      .tid = random_below(random, 4),
					      .thread_name = random_below(random, 3),
					      .cpu = (int32_t)random_below(random, 4) - 1,
					      .span = random_below(random, 3)
							      ? 0
							      : 1 + random_below(random, 4)};
	struct store_series one = {&label, 1, samples, count};
	char identity[24];
	snprintf(identity, sizeof(identity), "%llx", (unsigned long long)random_u64(random));
	struct store_batch batch = {.tenant = str_of(tenant),
				    .identity = str_of(identity),
				    .strings = strings,
				    .string_count = 3,
				    .frames = frames,
				    .frame_count = 3,
				    .nodes = nodes,
				    .node_count = 5,
				    .spans = spans,
				    .span_count = 4,
				    .series = &one,
				    .series_count = 1};
	must(store_write(store, &batch, &err), &err);
	free(samples);
}
