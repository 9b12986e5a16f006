#include "sums_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/embedded/block.h"
#include "store/embedded/mark.h"
#include "store/embedded/rocks.h"

enum { ROWS_PER_BLOCK = 50, HOURS = 24 };

struct row {
	uint32_t day, series;
	uint64_t time_ns;
	int64_t node, value;
};

struct by_hand {
	struct rocks *rocks;
	rocksdb_writebatch_t *batch;
	struct random *random; /* NULL: all of it */
	bool raw_gone;
	uint32_t tenant;
	struct row *rows; /* of all raw blocks of the tenant */
	size_t count, cap;
	uint64_t sequence;
};

static bool perhaps(struct by_hand *h)
{
	return !h->random || random_below(h->random, 3);
}

static void read_block(struct by_hand *h, const struct sample_key *key, struct str bytes)
{
	static int64_t columns[3][BLOCK_ROWS_MAX];
	struct block block;
	struct err err;
	must(block_open(bytes, key->time_ns, &block, &err), &err);
	for (unsigned c = BLOCK_TIME; c <= BLOCK_VALUE; c++)
		must(block_column(&block, (enum block_column)c, columns[c], &err), &err);
	if (h->count + block.count > h->cap) {
		h->cap = (h->count + block.count) * 2;
		h->rows = realloc(h->rows, h->cap * sizeof(*h->rows));
		assert_non_null(h->rows);
	}
	for (size_t i = 0; i < block.count; i++)
		h->rows[h->count++] =
			(struct row){key->day, key->series, key->time_ns + (uint64_t)columns[0][i],
				     columns[1][i], columns[2][i]};
}

static void read_samples(struct by_hand *h)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct sample_key key;
	struct key from = key_samples_day(h->tenant, 0), to = key_samples_day(h->tenant + 1, 0);
	h->count = 0;
	rocks_view_open(h->rocks, &view);
	rocks_iter_open(&view, FAMILY_SAMPLES, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		assert_true(key_parse_samples(rocks_iter_key(&iter), &key));
		read_block(h, &key, rocks_iter_value(&iter));
	}
	rocks_iter_close(&iter);
	rocks_view_close(&view);
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void put_block(struct by_hand *h, enum level level, const struct row *rows, size_t count)
{
	int64_t columns[3][ROWS_PER_BLOCK];
	struct block_rows block = {.count = count, .columns = {columns[0], columns[1], columns[2]}};
	struct buf out = {0};
	for (size_t i = 0; i < count; i++) {
		columns[0][i] = (int64_t)(rows[i].time_ns - rows[0].time_ns);
		columns[1][i] = rows[i].node;
		columns[2][i] = rows[i].value;
	}
	struct sample_key key = {h->tenant, rows[0].day, rows[0].series, rows[0].time_ns,
				 h->sequence++};
	struct key bytes = key_sums((uint8_t)level, &key);
	block_encode(&out, &block);
	rocks_put(h->rocks, h->batch, FAMILY_ROLLUPS, key_str(&bytes), buf_text(&out));
	buf_deinit(&out);
}

static void put_sums(struct by_hand *h, enum level level, const struct row *raw, size_t count)
{
	struct row *rows = malloc((count + 1) * sizeof(*rows));
	size_t kept = 0;
	assert_non_null(rows);
	for (size_t i = 0; i < count; i++) {
		rows[i] = raw[i];
		rows[i].time_ns = level_time(level, raw[i].time_ns);
	}
	qsort(rows, count, sizeof(*rows), compare);
	for (size_t i = 0; i < count; i++) {
		if (kept && compare(&rows[kept - 1], &rows[i]) == 0)
			rows[kept - 1].value =
				(int64_t)((uint64_t)rows[kept - 1].value + (uint64_t)rows[i].value);
		else
			rows[kept++] = rows[i];
	}
	for (size_t i = 0; i < kept; i += ROWS_PER_BLOCK)
		put_block(h, level, rows + i,
			  kept - i < ROWS_PER_BLOCK ? kept - i : ROWS_PER_BLOCK);
	free(rows);
}

static void delete_raw(struct by_hand *h, uint32_t day, uint32_t series, unsigned hour)
{
	uint64_t from_ns = day * NS_PER_DAY + hour * NS_PER_HOUR;
	struct key from = key_samples_series(h->tenant, day, series, from_ns);
	struct key to = key_samples_series(h->tenant, day, series, from_ns + NS_PER_HOUR);
	struct err err;
	must(rocks_delete_range(h->rocks, h->batch, FAMILY_SAMPLES, &from, &to, &err), &err);
}

static void sum_hour(struct by_hand *h, struct mark *mark, unsigned hour, const struct row *rows,
		     size_t count)
{
	uint32_t bit = 1u << hour;
	if (perhaps(h)) {
		put_sums(h, LEVEL_MINUTE, rows, count);
		mark->minute |= bit;
	}
	if (perhaps(h)) {
		put_sums(h, LEVEL_HOUR, rows, count);
		mark->hour |= bit;
	}
	if (perhaps(h))
		mark->pending &= ~bit;
	if (h->raw_gone && count)
		delete_raw(h, rows[0].day, rows[0].series, hour);
}

static struct mark read_mark(struct by_hand *h, const struct key *key)
{
	struct rocks_value value;
	struct mark mark;
	struct err err;
	must(rocks_get(h->rocks, NULL, FAMILY_SERIES, key_str(key), &value, &err), &err);
	assert_non_null(value.bytes.ptr);
	must(mark_decode(value.bytes, &mark, &err), &err);
	rocks_value_free(&value);
	return mark;
}

static void sum_day(struct by_hand *h, const struct row *rows, size_t count)
{
	struct key key = key_kind_u32x2(h->tenant, KEY_DAY, rows[0].day, rows[0].series);
	struct mark mark = read_mark(h, &key);
	struct buf out = {0};
	size_t at = 0;
	mark.pending = MARK_ALL_HOURS;
	for (unsigned hour = 0; hour < HOURS; hour++) {
		size_t end = at;
		while (end < count && rows[end].time_ns / NS_PER_HOUR % HOURS == hour)
			end++;
		sum_hour(h, &mark, hour, rows + at, end - at);
		at = end;
	}
	assert_int_equal(at, count);
	if (!h->random || random_below(h->random, 2)) {
		put_sums(h, LEVEL_DAY, rows, count);
		mark.whole = WHOLE_SUMMED;
		if (perhaps(h))
			mark.pending = 0;
	}
	mark_encode(&out, &mark);
	rocks_put(h->rocks, h->batch, FAMILY_SERIES, key_str(&key), buf_text(&out));
	buf_deinit(&out);
}

static int by_series(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return compare(a, b);
}

static void sum_tenant(struct by_hand *h)
{
	struct err err;
	h->batch = rocksdb_writebatch_create();
	read_samples(h);
	if (h->count)
		qsort(h->rows, h->count, sizeof(*h->rows), by_series);
	for (size_t i = 0, end; i < h->count; i = end) {
		for (end = i + 1; end < h->count && h->rows[end].series == h->rows[i].series &&
				  h->rows[end].day == h->rows[i].day;)
			end++;
		sum_day(h, h->rows + i, end - i);
	}
	must(rocks_write_synced(h->rocks, h->batch, &err), &err);
	rocksdb_writebatch_destroy(h->batch);
}

static void sum_store(const char *path, struct random *random, bool raw_gone)
{
	const struct rocks_limits limits = {.block_cache_bytes = 1 << 20,
					    .write_buffer_bytes = 4 << 20,
					    .open_files_max = 64};
	struct by_hand h = {.random = random, .raw_gone = raw_gone, .sequence = 1ull << 40};
	struct err err;
	char database[96];
	snprintf(database, sizeof(database), "%s/db", path);
	must(rocks_open(database, &limits, false, &h.rocks, &err), &err);
	for (h.tenant = 1; h.tenant <= 2; h.tenant++)
		sum_tenant(&h);
	rocks_close(h.rocks);
	free(h.rows);
}

void sum_by_hand(const char *path, struct random *random)
{
	sum_store(path, random, false);
}

void sum_all_by_hand(const char *path, bool raw_gone)
{
	sum_store(path, NULL, raw_gone);
}
