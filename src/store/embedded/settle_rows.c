/* Blocks of the running job, one by one: their rows go to the sums, and those of
 * small raw blocks are kept until there are enough for big ones. */
#include "store/embedded/settle.h"

#include <string.h>

#include "base/mem.h"

/* A raw block of so many rows is left alone: rewriting it would gain little. */
enum { SMALL_ROWS = ROWS_PER_BLOCK / 2 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "settling: no memory");
}

void settle_forget_rows(struct settler *s)
{
	s->row_count = s->held_count = s->span_count = 0;
	s->held_bytes = 0;
}

/* ---- merging ---- */

/* Equal parts of the rows in time, each a block. */
static int put_part(struct settler *s, size_t from, size_t to, struct err *err)
{
	struct settle_change *change = &s->batch.changes[s->batch.change_count - 1];
	struct sort_row *rows = s->builder.rows + from;
	struct built built;
	builder_sort(&s->builder, rows, to - from);
	int rc = builder_encode(&s->builder, rows, to - from, &s->batch.bytes, &built, err);
	rc = rc ? rc : settle_put(s, LEVEL_RAW, built.oldest_ns, built.offset, err);
	change->blocks_out++;
	change->bytes_out += built.len;
	return rc;
}

static int put_merged(struct settler *s, struct err *err)
{
	size_t count = s->row_count, parts = (count + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
	int rc = 0;
	s->builder.spans = s->spans;
	for (size_t i = 0; i < count; i++)
		s->builder.rows[i] =
			(struct sort_row){.order = s->rows[i].time_ns, .sample = &s->rows[i]};
	if (parts > 1)
		sort_rows(s->builder.rows, s->builder.spare, count);
	for (size_t i = 0; !rc && i < parts; i++)
		rc = put_part(s, count * i / parts, count * (i + 1) / parts, err);
	for (size_t i = 0; !rc && i < s->held_count; i++)
		rc = settle_delete(s, LEVEL_RAW, s->held[i].time_ns, s->held[i].sequence, err);
	return rc;
}

/* A single small block stays what it is. */
int settle_merge(struct settler *s, struct err *err)
{
	int rc = 0;
	if (s->held_count > 1) {
		struct settle_change *change = &s->batch.changes[s->batch.change_count - 1];
		change->blocks_in += s->held_count;
		change->bytes_in += s->held_bytes;
		rc = put_merged(s, err);
	}
	settle_forget_rows(s);
	return rc;
}

/* ---- one block ---- */

static int reserve(struct settler *s, const struct block *block, struct err *err)
{
	size_t rows = s->row_count + block->count, most = rows > s->rows_max ? rows : s->rows_max;
	void *grown = s->rows;
	if (most > s->row_cap)
		grown = mem_realloc(s->rows, most * sizeof(*s->rows));
	if (!grown)
		return no_memory(err);
	s->rows = grown;
	s->row_cap = most > s->row_cap ? most : s->row_cap;
	int64_t *scratch = mem_grow(s->scratch, &s->scratch_cap, block->count, sizeof(*s->scratch));
	if (!scratch)
		return no_memory(err);
	s->scratch = scratch;
	return 0;
}

static int out_of_range(enum block_column column, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "sample block: column %d is out of range", column);
}

static int fill_times(struct settler *s, const struct block *block, struct store_sample *rows,
		      struct err *err)
{
	int rc = block_column(block, BLOCK_TIME, s->scratch, err);
	uint64_t span = block->max_time_ns - block->min_time_ns;
	for (size_t i = 0; !rc && i < block->count; i++) {
		if (s->scratch[i] < 0 || (uint64_t)s->scratch[i] > span)
			return out_of_range(BLOCK_TIME, err);
		rows[i].time_ns = block->min_time_ns + (uint64_t)s->scratch[i];
	}
	return rc;
}

static int fill_values(struct settler *s, const struct block *block, struct store_sample *rows,
		       struct err *err)
{
	int rc = block_column(block, BLOCK_VALUE, s->scratch, err);
	for (size_t i = 0; !rc && i < block->count; i++)
		rows[i].value = s->scratch[i];
	return rc;
}

/* One of the 32-bit numbers, at its offset in the row. */
static int fill_number(struct settler *s, const struct block *block, enum block_column column,
		       struct store_sample *rows, size_t offset, struct err *err)
{
	int rc = block_column(block, column, s->scratch, err);
	for (size_t i = 0; !rc && i < block->count; i++) {
		if (s->scratch[i] < 0 || s->scratch[i] > UINT32_MAX)
			return out_of_range(column, err);
		uint32_t number = (uint32_t)s->scratch[i];
		memcpy((char *)&rows[i] + offset, &number, sizeof(number));
	}
	return rc;
}

static int fill_cpus(struct settler *s, const struct block *block, struct store_sample *rows,
		     struct err *err)
{
	int rc = block_column(block, BLOCK_CPU, s->scratch, err);
	for (size_t i = 0; !rc && i < block->count; i++) {
		if (s->scratch[i] < 0 || s->scratch[i] > (int64_t)INT32_MAX + 1)
			return out_of_range(BLOCK_CPU, err);
		rows[i].cpu = (int32_t)(s->scratch[i] - 1);
	}
	return rc;
}

/* Their numbers go on behind those of the blocks before. There are never more spans than rows. */
static int fill_spans(struct settler *s, const struct block *block, struct store_sample *rows,
		      struct err *err)
{
	int rc = fill_number(s, block, BLOCK_SPAN, rows, offsetof(struct store_sample, span), err);
	for (size_t i = 0; !rc && i < block->count; i++) {
		if (rows[i].span > block->span_count)
			return out_of_range(BLOCK_SPAN, err);
		if (rows[i].span)
			rows[i].span += (uint32_t)s->span_count;
	}
	if (rc || block->span_count == 0)
		return rc;
	struct store_span *spans =
		mem_grow(s->spans, &s->span_cap, s->span_count + block->span_count, sizeof(*spans));
	if (!spans)
		return no_memory(err);
	s->spans = spans;
	rc = block_spans(block, s->scratch, spans + s->span_count, err);
	s->span_count += rc ? 0 : block->span_count;
	return rc;
}

/* The columns that only a merged block needs. */
static int fill_rest(struct settler *s, const struct block *block, struct store_sample *rows,
		     struct err *err)
{
	int rc = fill_number(s, block, BLOCK_PID, rows, offsetof(struct store_sample, pid), err);
	rc = rc ? rc
		: fill_number(s, block, BLOCK_TID, rows, offsetof(struct store_sample, tid), err);
	rc = rc ? rc
		: fill_number(s, block, BLOCK_THREAD_NAME, rows,
			      offsetof(struct store_sample, thread_name), err);
	rc = rc ? rc : fill_cpus(s, block, rows, err);
	return rc ? rc : fill_spans(s, block, rows, err);
}

static int hold(struct settler *s, const struct sample_key *key, const struct block *block,
		size_t bytes, struct err *err)
{
	struct settle_held *held =
		mem_grow(s->held, &s->held_cap, s->held_count + 1, sizeof(*held));
	if (!held)
		return no_memory(err);
	s->held = held;
	held[s->held_count++] = (struct settle_held){key->time_ns, key->sequence};
	s->held_bytes += bytes;
	s->row_count += block->count;
	return 0;
}

int settle_take(struct settler *s, const struct sample_key *key, struct str value, enum level level,
		struct err *err)
{
	struct block block;
	int rc = block_open(value, key->time_ns, &block, err);
	if (rc)
		return rc;
	bool keep = level == LEVEL_RAW && !s->job.whole && block.count < SMALL_ROWS;
	if (s->row_count + block.count > s->rows_max)
		rc = settle_merge(s, err);
	rc = rc ? rc : reserve(s, &block, err);
	if (rc)
		return rc;
	struct store_sample *rows = s->rows + s->row_count;
	rc = fill_times(s, &block, rows, err);
	rc = rc ? rc
		: fill_number(s, &block, BLOCK_NODE, rows, offsetof(struct store_sample, node),
			      err);
	rc = rc ? rc : fill_values(s, &block, rows, err);
	rc = rc ? rc : keep ? fill_rest(s, &block, rows, err) : 0;
	rc = rc ? rc : settle_sum_rows(s, rows, block.count, err);
	return rc || !keep ? rc : hold(s, key, &block, value.len, err);
}
