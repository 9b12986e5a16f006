/* Every decoder of stored values: sample blocks, dictionary runs, records. The
 * first byte chooses which. What decodes as a block must encode and decode to
 * the same rows again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/block.h"
#include "store/embedded/run.h"
#include "store/embedded/tenant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t columns[BLOCK_COLUMNS][BLOCK_ROWS_MAX], again[BLOCK_ROWS_MAX];
static struct store_span spans[BLOCK_ROWS_MAX];

static void need(int ok)
{
	if (!ok)
		abort();
}

static void check_same(const struct block_rows *rows)
{
	struct buf out = {0};
	struct block block;
	block_encode(&out, rows);
	if (!out.failed) {
		need(block_open(buf_text(&out), 7, &block, NULL) == 0);
		need(block.count == rows->count);
		for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
			need(block_column(&block, (enum block_column)c, again, NULL) == 0);
			need(memcmp(again, columns[c], rows->count * sizeof(*again)) == 0);
		}
	}
	buf_deinit(&out);
}

static void try_block(struct str bytes)
{
	struct block_rows rows = {.spans = spans};
	struct block block;
	int failed = 0;
	if (block_open(bytes, 7, &block, NULL))
		return;
	rows.count = block.count;
	rows.span_count = block.span_count;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
		failed |= block_column(&block, (enum block_column)c, columns[c], NULL);
		rows.columns[c] = columns[c];
	}
	failed |= block_spans(&block, again, spans, NULL);
	for (size_t i = 0; !failed && i < block.count; i++)
		failed |= columns[BLOCK_TIME][i] < 0 || columns[BLOCK_SPAN][i] < 0 ||
			  (uint64_t)columns[BLOCK_SPAN][i] > block.span_count;
	if (!failed)
		check_same(&rows);
}

static void try_runs(struct str bytes)
{
	static struct node_row nodes[NODES_PER_PAGE];
	static struct frame_row frames[FRAMES_PER_PAGE];
	static struct str strings[STRINGS_PER_PAGE];
	struct counters counters;
	struct day_stats day;
	size_t count;
	if (!run_get_nodes(bytes, 1024, nodes, NODES_PER_PAGE, &count, NULL))
		for (size_t i = 0; i < count; i++)
			need(nodes[i].parent < 1024 + i);
	(void)!run_get_frames(bytes, frames, FRAMES_PER_PAGE, &count, NULL);
	if (!run_get_strings(bytes, strings, STRINGS_PER_PAGE, &count, NULL))
		for (size_t i = 0; i < count; i++)
			need(strings[i].ptr >= bytes.ptr &&
			     strings[i].ptr + strings[i].len <= bytes.ptr + bytes.len);
	(void)!counters_decode(bytes, &counters, NULL);
	(void)!day_decode(bytes, &day, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct str bytes = str_make(data + 1, size - 1);
	if (data[0] & 1)
		try_runs(bytes);
	else
		try_block(bytes);
	return 0;
}
