/* From the rows of a request to encoded blocks: dictionary ids first, then each
 * series cut at hours and every hour sorted by (stack, time), so that equal
 * stacks stand together. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/block.h"
#include "store/embedded/times.h"
#include "store/embedded/txn.h"

enum { ROWS_PER_BLOCK = 16384 };

/* A row's place in its block: the stack, then the time within the hour in units of 2^10 ns, which fits.
 * Rows that differ less than that may stand in any order. */
struct row {
	uint64_t order;
	const struct store_sample *sample;
};

struct maps {
	uint32_t *frames, *nodes, *strings;
	uint32_t *spans; /* of the block being made: 1 + its own index */
	int64_t *columns[BLOCK_COLUMNS];
	struct store_span *block_spans;
	uint32_t *block_span_ids;
	struct row *rows, *spare;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "encoding samples: no memory");
}

static int map_frames(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		      struct maps *maps, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < batch->frame_count; i++)
		rc = dict_frame(txn, tenant, &batch->frames[i], &maps->frames[i], err);
	return rc;
}

static int map_nodes(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		     struct maps *maps, struct err *err)
{
	int rc = 0;
	lookahead_nodes(txn, tenant, batch, maps->frames);
	for (size_t i = 1; !rc && i < batch->node_count; i++)
		rc = dict_node(txn, tenant, maps->nodes[batch->nodes[i].parent],
			       maps->frames[batch->nodes[i].frame], &maps->nodes[i], err);
	return rc;
}

static int map_thread_names(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
			    struct maps *maps, struct err *err)
{
	int rc = 0;
	for (size_t s = 0; s < batch->series_count; s++)
		for (size_t i = 0; !rc && i < batch->series[s].sample_count; i++) {
			uint32_t name = batch->series[s].samples[i].thread_name;
			if (name && !maps->strings[name])
				rc = dict_string(txn, tenant, batch->strings[name],
						 &maps->strings[name], err);
		}
	return rc;
}

static size_t longest_series(const struct store_batch *batch)
{
	size_t most = 0;
	for (size_t i = 0; i < batch->series_count; i++)
		if (batch->series[i].sample_count > most)
			most = batch->series[i].sample_count;
	return most;
}

static int make_maps(struct txn *txn, const struct store_batch *batch, struct maps *maps,
		     struct err *err)
{
	size_t rows = longest_series(batch);
	size_t block = rows < ROWS_PER_BLOCK ? rows : ROWS_PER_BLOCK;
	struct arena *a = &txn->arena;
	maps->frames = arena_zalloc(a, batch->frame_count + 1, sizeof(uint32_t));
	maps->nodes = arena_zalloc(a, batch->node_count + 1, sizeof(uint32_t));
	maps->strings = arena_zalloc(a, batch->string_count + 1, sizeof(uint32_t));
	maps->spans = arena_zalloc(a, batch->span_count + 1, sizeof(uint32_t));
	maps->rows = arena_alloc(a, rows * sizeof(struct row));
	maps->spare = arena_alloc(a, rows * sizeof(struct row));
	maps->block_spans = arena_alloc(a, block * sizeof(struct store_span));
	maps->block_span_ids = arena_alloc(a, block * sizeof(uint32_t));
	bool ok = maps->frames && maps->nodes && maps->strings && maps->spans && maps->rows &&
		  maps->spare && maps->block_spans && maps->block_span_ids;
	for (size_t i = 0; i < BLOCK_COLUMNS; i++) {
		maps->columns[i] = arena_alloc(a, block * sizeof(int64_t));
		ok = ok && maps->columns[i];
	}
	return ok ? 0 : no_memory(err);
}

/* ---- one block ---- */

static int compare_spans(const void *a, const void *b, void *context)
{
	const struct store_span *spans = context;
	const uint32_t *x = a, *y = b;
	return memcmp(&spans[*x - 1], &spans[*y - 1], sizeof(*spans));
}

/* The spans that these rows use, sorted so that one trace stands together. */
static size_t collect_spans(const struct store_batch *batch, struct maps *maps,
			    const struct row *rows, size_t count)
{
	uint32_t *used = maps->block_span_ids;
	size_t used_count = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t span = rows[i].sample->span;
		if (span && !maps->spans[span]) {
			maps->spans[span] = 1;
			used[used_count++] = span;
		}
	}
	if (used_count)
		qsort_r(used, used_count, sizeof(*used), compare_spans, (void *)batch->spans);
	for (size_t i = 0; i < used_count; i++) {
		maps->spans[used[i]] = (uint32_t)i + 1;
		maps->block_spans[i] = batch->spans[used[i] - 1];
	}
	return used_count;
}

static void fill_columns(struct maps *maps, const struct row *rows, size_t count, uint64_t first_ns)
{
	for (size_t i = 0; i < count; i++) {
		const struct store_sample *sample = rows[i].sample;
		maps->columns[BLOCK_TIME][i] = (int64_t)(sample->time_ns - first_ns);
		maps->columns[BLOCK_NODE][i] = maps->nodes[sample->node];
		maps->columns[BLOCK_VALUE][i] = sample->value;
		maps->columns[BLOCK_PID][i] = sample->pid;
		maps->columns[BLOCK_TID][i] = sample->tid;
		maps->columns[BLOCK_THREAD_NAME][i] = maps->strings[sample->thread_name];
		maps->columns[BLOCK_CPU][i] = (int64_t)sample->cpu + 1;
		maps->columns[BLOCK_SPAN][i] = maps->spans[sample->span];
	}
}

static unsigned columns_present(const struct maps *maps, size_t count)
{
	unsigned present = 0;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
		for (size_t i = 0; i < count; i++)
			if (maps->columns[c][i]) {
				present |= 1u << c;
				break;
			}
	return present;
}

static struct txn_block *add_block(struct txn *txn)
{
	struct txn_block *blocks = arena_grow(&txn->arena, txn->blocks, &txn->block_cap,
					      txn->block_count + 1, sizeof(*blocks));
	if (!blocks)
		return NULL;
	txn->blocks = blocks;
	return &blocks[txn->block_count++];
}

static int encode_block(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
			struct maps *maps, uint32_t series, const struct row *rows, size_t count,
			struct err *err)
{
	uint64_t oldest = UINT64_MAX, newest = 0;
	struct txn_block *block = add_block(txn);
	if (!block)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		uint64_t time_ns = rows[i].sample->time_ns;
		oldest = time_ns < oldest ? time_ns : oldest;
		newest = time_ns > newest ? time_ns : newest;
	}
	struct block_rows columns = {.count = count, .spans = maps->block_spans};
	columns.span_count = collect_spans(batch, maps, rows, count);
	fill_columns(maps, rows, count, oldest);
	for (size_t i = 0; i < columns.span_count; i++)
		maps->spans[maps->block_span_ids[i]] = 0;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
		columns.columns[c] = maps->columns[c];
	*block = (struct txn_block){
		.key = {tenant->id, day_of(oldest), series, oldest, tenant->next.sequence++},
		.offset = txn->encoded.len,
		.samples = count,
		.newest_ns = newest,
	};
	block_encode(&txn->encoded, &columns);
	block->len = txn->encoded.len - block->offset;
	int rc = buf_check(&txn->encoded, "sample block", err);
	return rc ? rc
		  : series_mark(txn, tenant, series, oldest, columns_present(maps, count), err);
}

/* ---- one series ---- */

static int compare_times(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t s = x->sample->time_ns, t = y->sample->time_ns;
	return s < t ? -1 : s > t;
}

/* Requests hold some seconds, so their rows nearly always lie in one hour. */
static void group_hours(struct row *rows, size_t count)
{
	uint32_t first = hour_of(rows[0].sample->time_ns);
	for (size_t i = 1; i < count; i++)
		if (hour_of(rows[i].sample->time_ns) != first) {
			qsort(rows, count, sizeof(*rows), compare_times);
			return;
		}
}

static size_t hour_end(const struct row *rows, size_t start, size_t count)
{
	uint32_t hour = hour_of(rows[start].sample->time_ns);
	size_t end = start + 1;
	while (end < count && hour_of(rows[end].sample->time_ns) == hour)
		end++;
	return end;
}

static int compare_orders(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* One pass of a radix sort: stable by one byte. False: all rows have the same there. */
static bool sort_pass(const struct row *from, struct row *to, size_t count, unsigned shift)
{
	uint32_t starts[256] = {0}, at = 0;
	for (size_t i = 0; i < count; i++)
		starts[from[i].order >> shift & 0xff]++;
	if (starts[from[0].order >> shift & 0xff] == count)
		return false;
	for (unsigned i = 0; i < 256; i++) {
		uint32_t rows = starts[i];
		starts[i] = at;
		at += rows;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[from[i].order >> shift & 0xff]++] = from[i];
	return true;
}

static void sort_hour(struct maps *maps, struct row *rows, size_t count)
{
	enum { FEW = 64, TIME_BITS = 32, TIME_UNIT_BITS = 10 };
	for (size_t i = 0; i < count; i++) {
		const struct store_sample *sample = rows[i].sample;
		rows[i].order = (uint64_t)maps->nodes[sample->node] << TIME_BITS |
				(sample->time_ns % NS_PER_HOUR) >> TIME_UNIT_BITS;
	}
	if (count < FEW) {
		qsort(rows, count, sizeof(*rows), compare_orders);
		return;
	}
	struct row *from = rows, *to = maps->spare;
	for (unsigned shift = 0; shift < 64; shift += 8)
		if (sort_pass(from, to, count, shift)) {
			struct row *other = from;
			from = to;
			to = other;
		}
	if (from != rows)
		memcpy(rows, from, count * sizeof(*rows));
}

static int encode_hour(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		       struct maps *maps, uint32_t series, struct row *rows, size_t count,
		       struct err *err)
{
	int rc = 0;
	sort_hour(maps, rows, count);
	for (size_t start = 0, part; !rc && start < count; start += part) {
		part = count - start < ROWS_PER_BLOCK ? count - start : ROWS_PER_BLOCK;
		rc = encode_block(txn, tenant, batch, maps, series, rows + start, part, err);
	}
	return rc;
}

static int encode_series(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
			 const struct store_series *series, struct maps *maps, struct err *err)
{
	uint32_t id;
	if (series->sample_count == 0)
		return 0;
	int rc = series_id(txn, tenant, series, &id, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < series->sample_count; i++)
		maps->rows[i].sample = &series->samples[i];
	group_hours(maps->rows, series->sample_count);
	for (size_t start = 0, end; !rc && start < series->sample_count; start = end) {
		end = hour_end(maps->rows, start, series->sample_count);
		rc = encode_hour(txn, tenant, batch, maps, id, maps->rows + start, end - start,
				 err);
	}
	return rc;
}

int samples_encode(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		   struct err *err)
{
	struct maps maps = {0};
	int rc = make_maps(txn, batch, &maps, err);
	rc = rc ? rc : map_frames(txn, tenant, batch, &maps, err);
	rc = rc ? rc : map_nodes(txn, tenant, batch, &maps, err);
	rc = rc ? rc : map_thread_names(txn, tenant, batch, &maps, err);
	for (size_t i = 0; !rc && i < batch->series_count; i++)
		rc = encode_series(txn, tenant, batch, &batch->series[i], &maps, err);
	return rc;
}
