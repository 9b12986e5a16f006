/* Private to the embedded engine: a block is the samples of one series within
 * one hour, in columns. Byte layout: docs/formats/embedded-store.md, "Sample
 * blocks". The smallest time is not in the block but in its key. Encoding is
 * for the writer's thread; decoding is pure. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/embedded/column.h"
#include "store/engine.h"

/* Stored numbers: never renumber. Absent columns are 0 in every row. */
enum block_column {
	BLOCK_TIME = 0, /* ns after the block's first */
	BLOCK_NODE = 1, /* dictionary id */
	BLOCK_VALUE = 2,
	BLOCK_PID = 3, /* 0: unknown, as in struct store_sample */
	BLOCK_TID = 4,
	BLOCK_THREAD_NAME = 5, /* dictionary id of the string */
	BLOCK_CPU = 6,	       /* cpu + 1 */
	BLOCK_SPAN = 7,	       /* 1 + index into the block's own spans */
	BLOCK_COLUMNS = 8,
};

enum {
	BLOCK_VERSION = 1,
	BLOCK_ROWS_MAX = 65536, /* a reader refuses more */
};

struct block_rows {
	size_t count;			       /* 1 ... BLOCK_ROWS_MAX */
	const int64_t *columns[BLOCK_COLUMNS]; /* NULL: all 0 */
	const struct store_span *spans;	       /* what BLOCK_SPAN points into */
	size_t span_count;
};

struct block {
	uint64_t min_time_ns, max_time_ns;
	int64_t sum; /* of all values, modulo 2^64 */
	size_t count, span_count, trace_count;
	struct str columns[BLOCK_COLUMNS];	     /* encoded; {NULL, 0}: absent */
	struct str span_traces, span_ids, trace_ids; /* encoded column; 8 and 16 bytes each */
};

/* Appends; out is sticky. Rows are best sorted by (node, time). */
void block_encode(struct buf *out, const struct block_rows *rows);
/* Reads the head and finds the columns, which stay encoded in bytes. ERR_CORRUPT, ERR_UNSUPPORTED
 * (a newer block). */
MUST_USE int block_open(struct str bytes, uint64_t min_time_ns, struct block *ret, struct err *err);
/* count values. ERR_CORRUPT. */
MUST_USE int block_column(const struct block *block, enum block_column column, int64_t *ret,
			  struct err *err);
/* The same as runs; false where it is not made of them. */
bool block_column_runs(const struct block *block, enum block_column column,
		       struct column_runs *ret);
/* After the last of them. ERR_CORRUPT. */
MUST_USE int block_column_runs_check(const struct column_runs *runs, enum block_column column,
				     struct err *err);
/* span_count spans; scratch has room for as many numbers. ERR_CORRUPT. */
MUST_USE int block_spans(const struct block *block, int64_t *scratch, struct store_span *ret,
			 struct err *err);
