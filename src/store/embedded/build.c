#include "store/embedded/build.h"

#include <stdlib.h>
#include <string.h>

#include "store/embedded/times.h"

int builder_init(struct builder *builder, struct arena *arena, size_t rows, size_t spans,
		 struct err *err)
{
	size_t block = rows < ROWS_PER_BLOCK ? rows : ROWS_PER_BLOCK;
	memset(builder, 0, sizeof(*builder));
	builder->span_of = arena_zalloc(arena, spans + 1, sizeof(uint32_t));
	builder->rows = arena_alloc(arena, rows * sizeof(struct sort_row));
	builder->spare = arena_alloc(arena, rows * sizeof(struct sort_row));
	builder->block_spans = arena_alloc(arena, block * sizeof(struct store_span));
	builder->used_spans = arena_alloc(arena, block * sizeof(uint32_t));
	bool ok = builder->span_of && builder->rows && builder->spare && builder->block_spans &&
		  builder->used_spans;
	for (size_t i = 0; i < BLOCK_COLUMNS; i++) {
		builder->columns[i] = arena_alloc(arena, block * sizeof(int64_t));
		ok = ok && builder->columns[i];
	}
	return ok ? 0 : err_set(err, ERR_NOMEM, "encoding samples: no memory");
}

/* ---- order ---- */

/* The stack, then the time within the hour in units of 2^10 ns, which fits: rows that differ less than
 * that may stand in any order. */
void builder_sort(struct builder *builder, struct sort_row *rows, size_t count)
{
	enum { TIME_BITS = 32, TIME_UNIT_BITS = 10 };
	const uint32_t *nodes = builder->nodes;
	for (size_t i = 0; i < count; i++) {
		const struct store_sample *sample = rows[i].sample;
		uint32_t node = nodes ? nodes[sample->node] : sample->node;
		rows[i].order = (uint64_t)node << TIME_BITS |
				(sample->time_ns % NS_PER_HOUR) >> TIME_UNIT_BITS;
	}
	sort_rows(rows, builder->spare, count);
}

/* ---- one block ---- */

static int compare_spans(const void *a, const void *b, void *context)
{
	const struct store_span *spans = context;
	const uint32_t *x = a, *y = b;
	return memcmp(&spans[*x - 1], &spans[*y - 1], sizeof(*spans));
}

static size_t find_spans(struct builder *builder, const struct sort_row *rows, size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t span = rows[i].sample->span;
		if (span && !builder->span_of[span]) {
			builder->span_of[span] = 1;
			builder->used_spans[used++] = span;
		}
	}
	return used;
}

/* The spans that these rows use, each once, sorted so that one trace stands together. How many. */
static size_t number_spans(struct builder *builder, size_t used)
{
	const struct store_span *spans = builder->spans;
	size_t count = 0;
	if (used)
		qsort_r(builder->used_spans, used, sizeof(uint32_t), compare_spans, (void *)spans);
	for (size_t i = 0; i < used; i++) {
		const struct store_span *span = &spans[builder->used_spans[i] - 1];
		if (!count || memcmp(&builder->block_spans[count - 1], span, sizeof(*span)) != 0)
			builder->block_spans[count++] = *span;
		builder->span_of[builder->used_spans[i]] = (uint32_t)count;
	}
	return count;
}

static void fill_columns(struct builder *builder, const struct sort_row *rows, size_t count,
			 uint64_t first_ns)
{
	const uint32_t *nodes = builder->nodes, *strings = builder->strings;
	int64_t *const *columns = builder->columns;
	for (size_t i = 0; i < count; i++) {
		const struct store_sample *sample = rows[i].sample;
		columns[BLOCK_TIME][i] = (int64_t)(sample->time_ns - first_ns);
		columns[BLOCK_NODE][i] = nodes ? nodes[sample->node] : sample->node;
		columns[BLOCK_VALUE][i] = sample->value;
		columns[BLOCK_PID][i] = sample->pid;
		columns[BLOCK_TID][i] = sample->tid;
		columns[BLOCK_THREAD_NAME][i] =
			strings ? strings[sample->thread_name] : sample->thread_name;
		columns[BLOCK_CPU][i] = (int64_t)sample->cpu + 1;
		columns[BLOCK_SPAN][i] = builder->span_of[sample->span];
	}
}

static unsigned columns_present(const struct builder *builder, size_t count)
{
	unsigned present = 0;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
		for (size_t i = 0; i < count; i++)
			if (builder->columns[c][i]) {
				present |= 1u << c;
				break;
			}
	return present;
}

static void find_times(const struct sort_row *rows, size_t count, struct built *ret)
{
	uint64_t oldest = UINT64_MAX, newest = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t time_ns = rows[i].sample->time_ns;
		oldest = time_ns < oldest ? time_ns : oldest;
		newest = time_ns > newest ? time_ns : newest;
	}
	ret->oldest_ns = oldest;
	ret->newest_ns = newest;
}

int builder_encode(struct builder *builder, const struct sort_row *rows, size_t count,
		   struct buf *out, struct built *ret, struct err *err)
{
	struct block_rows block = {.count = count, .spans = builder->block_spans};
	size_t used = find_spans(builder, rows, count);
	block.span_count = number_spans(builder, used);
	find_times(rows, count, ret);
	fill_columns(builder, rows, count, ret->oldest_ns);
	for (size_t i = 0; i < used; i++)
		builder->span_of[builder->used_spans[i]] = 0;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
		block.columns[c] = builder->columns[c];
	ret->columns = columns_present(builder, count);
	ret->offset = out->len;
	block_encode(out, &block);
	ret->len = out->len - ret->offset;
	return buf_check(out, "sample block", err);
}
