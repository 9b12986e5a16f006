#include "store/embedded/block.h"

#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "store/embedded/column.h"
#include "store/embedded/varint.h"

static bool all_zero(const int64_t *values, size_t count)
{
	int64_t any = 0;
	for (size_t i = 0; values && i < count; i++)
		any |= values[i];
	return any == 0;
}

static int64_t max_of(const int64_t *values, size_t count)
{
	int64_t max = 0;
	for (size_t i = 0; values && i < count; i++)
		max = values[i] > max ? values[i] : max;
	return max;
}

static int64_t sum_of(const int64_t *values, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; values && i < count; i++)
		sum += (uint64_t)values[i];
	return (int64_t)sum;
}

/* A column with its length in front: encoded behind a gap that the length then takes. */
static void put_column(struct buf *out, struct buf *scratch, const int64_t *values, size_t count)
{
	buf_clear(scratch);
	column_encode(scratch, values, count);
	if (scratch->failed)
		out->failed = scratch->failed;
	uleb_append(out, scratch->len);
	buf_append(out, scratch->ptr, scratch->len);
}

/* Distinct trace ids in order of appearance: spans of one trace mostly stand together. */
static void put_spans(struct buf *out, struct buf *scratch, const struct block_rows *rows)
{
	struct buf traces = {0};
	int64_t *index = mem_zalloc(rows->span_count, sizeof(*index));
	size_t count = 0;
	if (!index)
		out->failed = ERR_NOMEM;
	for (size_t i = 0; index && i < rows->span_count; i++) {
		const uint8_t *id = rows->spans[i].trace_id;
		if (count == 0 || memcmp(traces.ptr + (count - 1) * 16, id, 16) != 0) {
			buf_append(&traces, id, 16);
			if (traces.failed)
				break;
			count++;
		}
		index[i] = (int64_t)count - 1;
	}
	if (traces.failed)
		out->failed = traces.failed;
	uleb_append(out, rows->span_count);
	uleb_append(out, count);
	buf_append(out, traces.ptr, traces.len);
	if (index)
		put_column(out, scratch, index, rows->span_count);
	for (size_t i = 0; i < rows->span_count; i++)
		buf_append(out, rows->spans[i].span_id, 8);
	mem_free(index);
	buf_deinit(&traces);
}

void block_encode(struct buf *out, const struct block_rows *rows)
{
	struct buf scratch = {0};
	unsigned present = 0;
	for (unsigned i = 0; i < BLOCK_COLUMNS; i++)
		present |= all_zero(rows->columns[i], rows->count) ? 0 : 1u << i;
	buf_char(out, BLOCK_VERSION);
	uleb_append(out, present);
	uleb_append(out, rows->count);
	uleb_append(out, (uint64_t)max_of(rows->columns[BLOCK_TIME], rows->count));
	uleb_append(out, zig_of(sum_of(rows->columns[BLOCK_VALUE], rows->count)));
	for (unsigned i = 0; i < BLOCK_COLUMNS; i++)
		if (present & 1u << i)
			put_column(out, &scratch, rows->columns[i], rows->count);
	if (present & 1u << BLOCK_SPAN)
		put_spans(out, &scratch, rows);
	buf_deinit(&scratch);
}

/* ---- decoding ---- */

static struct str take(struct cur *in, uint64_t len)
{
	return len <= cur_left(in) ? cur_bytes(in, (size_t)len) : (in->bad = true, (struct str){0});
}

static void open_spans(struct cur *in, struct block *block)
{
	uint64_t spans = cur_uleb(in), traces = cur_uleb(in);
	if (spans > block->count || traces > spans || (traces == 0) != (spans == 0)) {
		in->bad = true;
		return;
	}
	block->span_count = (size_t)spans;
	block->trace_count = (size_t)traces;
	block->trace_ids = take(in, traces * 16);
	block->span_traces = take(in, cur_uleb(in));
	block->span_ids = take(in, spans * 8);
}

static int corrupt(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "sample block: %s", what);
}

int block_open(struct str bytes, uint64_t min_time_ns, struct block *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	if (cur_ok(&in) && version != BLOCK_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "sample block: version %u is not %d; a newer "
			       "cresset may have written it",
			       version, BLOCK_VERSION);
	memset(ret, 0, sizeof(*ret));
	uint64_t present = cur_uleb(&in), count = cur_uleb(&in), span = cur_uleb(&in);
	ret->sum = zig_back(cur_uleb(&in));
	if (present >> BLOCK_COLUMNS || count == 0 || count > BLOCK_ROWS_MAX)
		return corrupt(err, "bad head");
	if (span > UINT64_MAX - min_time_ns)
		return corrupt(err, "time past the end of time");
	ret->count = (size_t)count;
	ret->min_time_ns = min_time_ns;
	ret->max_time_ns = min_time_ns + span;
	for (unsigned i = 0; i < BLOCK_COLUMNS; i++)
		if (present & 1u << i)
			ret->columns[i] = take(&in, cur_uleb(&in));
	if (present & 1u << BLOCK_SPAN)
		open_spans(&in, ret);
	if (!cur_ok(&in) || cur_left(&in))
		return corrupt(err, "length does not fit its columns");
	return 0;
}

int block_column(const struct block *block, enum block_column column, int64_t *ret, struct err *err)
{
	struct str bytes = block->columns[column];
	if (!bytes.ptr) {
		memset(ret, 0, block->count * sizeof(*ret));
		return 0;
	}
	if (!column_decode(bytes, block->count, ret))
		return err_set(err, ERR_CORRUPT, "sample block: column %d does not decode", column);
	return 0;
}

bool block_column_runs(const struct block *block, enum block_column column, struct column_runs *ret)
{
	struct str bytes = block->columns[column];
	return bytes.ptr && column_runs_open(bytes, block->count, ret);
}

int block_column_runs_check(const struct column_runs *runs, enum block_column column,
			    struct err *err)
{
	if (!column_runs_whole(runs))
		return err_set(err, ERR_CORRUPT, "sample block: column %d does not decode", column);
	return 0;
}

int block_spans(const struct block *block, int64_t *scratch, struct store_span *ret,
		struct err *err)
{
	if (block->span_count == 0)
		return 0;
	if (!column_decode(block->span_traces, block->span_count, scratch))
		return corrupt(err, "traces of spans do not decode");
	for (size_t i = 0; i < block->span_count; i++) {
		if (scratch[i] < 0 || (uint64_t)scratch[i] >= block->trace_count)
			return corrupt(err, "span of a trace that is not there");
		memcpy(ret[i].trace_id, block->trace_ids.ptr + (size_t)scratch[i] * 16, 16);
		memcpy(ret[i].span_id, block->span_ids.ptr + i * 8, 8);
	}
	return 0;
}
