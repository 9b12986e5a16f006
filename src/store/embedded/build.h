/* Private to the embedded engine: from rows to sample blocks. The writer's rows
 * name stacks and texts by the numbers of their request, and say which ids these
 * have; the settler's rows, which come from blocks, hold ids. One thread. */
#pragma once

#include "base/arena.h"
#include "store/embedded/block.h"
#include "store/embedded/sort.h"

enum { ROWS_PER_BLOCK = 16384 };

struct builder {
	const uint32_t *nodes, *strings; /* a row's number -> id; NULL: rows hold ids */
	const struct store_span *spans;	 /* what 1 + index in a row's span means */
	uint32_t *span_of;		 /* as many + 1, all 0 between two blocks */
	struct sort_row *rows, *spare;	 /* for the caller, and for sorting */
	int64_t *columns[BLOCK_COLUMNS];
	struct store_span *block_spans;
	uint32_t *used_spans;
};

struct built {
	uint64_t oldest_ns, newest_ns;
	unsigned columns; /* bit i: column i is not 0 everywhere */
	size_t offset, len;
};

/* Room for that many rows and, of spans, in the arena. ERR_NOMEM. */
MUST_USE int builder_init(struct builder *builder, struct arena *arena, size_t rows, size_t spans,
			  struct err *err);
/* Rows of one hour, by (node, time). */
void builder_sort(struct builder *builder, struct sort_row *rows, size_t count);
/* Appends a block of 1 to ROWS_PER_BLOCK rows, best sorted. ERR_NOMEM. */
MUST_USE int builder_encode(struct builder *builder, const struct sort_row *rows, size_t count,
			    struct buf *out, struct built *ret, struct err *err);
