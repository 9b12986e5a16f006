/* Adding up rows by (bucket, node) in an array of fixed size. When it is full it
 * is sorted and equal rows are added up. If that did not empty half of it, all its
 * rows leave for blocks and for the next level, so that a sum may lie in several
 * blocks. Whether a level pays is decided when its first rows leave: in most hours
 * these are all of them. */
#include "store/embedded/settle.h"

#include <string.h>

enum { BUCKET_SHIFT = 33, BORDER_SHIFT = 32 };

void settle_sums_start(struct settler *s, const enum level *levels, unsigned count,
		       uint64_t base_ns)
{
	s->job.rows = 0;
	s->job.sum_count = count;
	for (unsigned i = 0; i < count; i++)
		s->job.sums[i] = (struct summing){.level = levels[i],
						  .fate = SUMMING_OPEN,
						  .base_ns = base_ns,
						  .rows = s->sums[i]};
}

static uint64_t order_of(const struct summing *sum, uint64_t time_ns, uint32_t node)
{
	uint64_t offset = time_ns - sum->base_ns, bucket_ns = level_bucket_ns(sum->level);
	uint64_t bucket = offset / bucket_ns;
	return bucket << BUCKET_SHIFT | (uint64_t)(offset != bucket * bucket_ns) << BORDER_SHIFT |
	       node;
}

static uint64_t time_of(const struct summing *sum, uint64_t order)
{
	return sum->base_ns + (order >> BUCKET_SHIFT) * level_bucket_ns(sum->level) +
	       (order >> BORDER_SHIFT & 1);
}

static void add_equal(struct settler *s, struct summing *sum)
{
	struct sort_row *rows = sum->rows;
	size_t kept = 0;
	sort_rows(rows, s->spare, sum->count);
	for (size_t i = 0; i < sum->count; i++) {
		if (kept && rows[kept - 1].order == rows[i].order)
			rows[kept - 1].value =
				(int64_t)((uint64_t)rows[kept - 1].value + (uint64_t)rows[i].value);
		else
			rows[kept++] = rows[i];
	}
	sum->count = kept;
}

/* ---- rows that leave ---- */

/* Columns by (node, time), as in every block. Destroys the rows' order. */
static int put_block(struct settler *s, const struct summing *sum, struct sort_row *rows,
		     size_t count, struct err *err)
{
	int64_t *const *columns = s->builder.columns;
	struct block_rows block = {.count = count};
	uint64_t first_ns = time_of(sum, rows[0].order);
	size_t offset = s->batch.bytes.len;
	for (size_t i = 0; i < count; i++)
		rows[i].order = rows[i].order << 32 | rows[i].order >> 32;
	sort_rows(rows, s->spare, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t order = rows[i].order << 32 | rows[i].order >> 32;
		columns[BLOCK_TIME][i] = (int64_t)(time_of(sum, order) - first_ns);
		columns[BLOCK_NODE][i] = (uint32_t)order;
		columns[BLOCK_VALUE][i] = rows[i].value;
	}
	for (unsigned c = BLOCK_TIME; c <= BLOCK_VALUE; c++)
		block.columns[c] = columns[c];
	block_encode(&s->batch.bytes, &block);
	int rc = buf_check(&s->batch.bytes, "block of sums", err);
	return rc ? rc : settle_put(s, sum->level, first_ns, offset, err);
}

static int put_blocks(struct settler *s, struct summing *sum, struct err *err)
{
	size_t parts = (sum->count + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
	int rc = 0;
	for (size_t i = 0; !rc && i < parts; i++) {
		size_t from = sum->count * i / parts, to = sum->count * (i + 1) / parts;
		rc = put_block(s, sum, sum->rows + from, to - from, err);
	}
	return rc;
}

/* What the level would stand for. */
static uint64_t finer_rows(const struct settle_job *job, unsigned at)
{
	return at && job->sums[at - 1].fate == SUMMING_KEPT ? job->sums[at - 1].kept_rows
							    : job->rows;
}

static void decide(const struct settle_job *job, unsigned at, struct summing *sum)
{
	if (sum->fate == SUMMING_OPEN)
		sum->fate = sum->count && level_pays(sum->level, sum->count, finer_rows(job, at))
				    ? SUMMING_KEPT
				    : SUMMING_GIVEN_UP;
	if (sum->fate == SUMMING_KEPT)
		sum->kept_rows += sum->count;
}

static int make_room(struct settler *s, unsigned at, struct err *err);

static int feed_next(struct settler *s, unsigned at, struct err *err)
{
	const struct summing *sum = &s->job.sums[at];
	struct summing *next = &s->job.sums[at + 1];
	int rc = 0;
	for (size_t i = 0; !rc && i < sum->count; i++) {
		if (next->count == s->sums_max)
			rc = make_room(s, at + 1, err);
		uint64_t order = sum->rows[i].order;
		if (!rc)
			next->rows[next->count++] =
				(struct sort_row){.order = order_of(next, time_of(sum, order),
								    (uint32_t)order),
						  .value = sum->rows[i].value};
	}
	return rc;
}

static int leave(struct settler *s, unsigned at, struct err *err)
{
	struct settle_job *job = &s->job;
	struct summing *sum = &job->sums[at];
	decide(job, at, sum);
	int rc = at + 1 < job->sum_count ? feed_next(s, at, err) : 0;
	if (!rc && sum->fate == SUMMING_KEPT)
		rc = put_blocks(s, sum, err);
	sum->count = 0;
	return rc;
}

static int make_room(struct settler *s, unsigned at, struct err *err)
{
	struct summing *sum = &s->job.sums[at];
	add_equal(s, sum);
	return sum->count > s->sums_max / 2 ? leave(s, at, err) : 0;
}

/* ---- rows that come ---- */

int settle_sum_rows(struct settler *s, const struct store_sample *rows, size_t count,
		    struct err *err)
{
	struct summing *sum = &s->job.sums[0];
	int rc = 0;
	for (size_t i = 0; !rc && i < count; i++) {
		if (sum->count == s->sums_max)
			rc = make_room(s, 0, err);
		if (!rc)
			sum->rows[sum->count++] =
				(struct sort_row){.order = order_of(sum, rows[i].time_ns,
								    rows[i].node),
						  .value = rows[i].value};
		s->job.rows++;
	}
	return rc;
}

int settle_sums_finish(struct settler *s, struct err *err)
{
	int rc = 0;
	for (unsigned i = 0; !rc && i < s->job.sum_count; i++) {
		add_equal(s, &s->job.sums[i]);
		rc = leave(s, i, err);
	}
	return rc;
}
