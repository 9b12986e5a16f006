/* Private to the embedded engine: the samples of selected series, block by
 * block, with the rows that the time range and the matchers on sample fields
 * select. Shared out over threads when there is much to read. */
#pragma once

#include "store/embedded/plan.h"

/* What a visitor sees: one block, of samples or of sums. */
struct scan {
	struct query *query;	   /* of the thread at hand */
	uint64_t start_ns, end_ns; /* [start, end) */
	uint32_t series;
	struct block block;
	bool all; /* every row of the block is selected; else these: */
	uint32_t *rows;
	size_t row_count;

	int64_t *columns[BLOCK_COLUMNS];
	size_t column_caps[BLOCK_COLUMNS];
	bool have[BLOCK_COLUMNS], have_spans;
	struct store_span *spans;
	int64_t *scratch;
	uint8_t *span_matches;
	size_t row_cap, span_cap;
	struct field_filter *filters;
	size_t filter_count;
	struct series_labels labels;
	struct map known_labels; /* series -> which filters its labels satisfy */
	struct map
		known_nodes; /* node -> how much of selection->call_sites its stack begins with */
	uint32_t *chain;     /* scratch of that: a node and its unknown ancestors */
	size_t chain_cap;
	uint64_t *profile_times; /* of selection->profiles in the series at hand, sorted */
	size_t profile_time_count;
	size_t block_bytes;	/* encoded */
	roaring_bitmap_t *skip; /* the visitor may add series that it has seen enough of */
	uint64_t blocks_read, rows_read;
};

typedef int scan_visit(struct scan *scan, void *context, struct err *err);

/* A question put to samples. Blocks come in no order that is to be relied on. */
struct scan_job {
	struct borders borders;
	bool raw; /* the visitor looks at more than time, stack and value */
	scan_visit *visit;
	void *context; /* of the caller's thread */
	/* Of another thread: made in the memory of its query, added to the caller's at the end, freed. */
	int (*fork)(const void *context, struct query *query, void **ret, struct err *err);
	int (*absorb)(void *context, void *forked, struct err *err);
	void (*release)(void *forked); /* may be NULL */
};

/* Calls visit for every block that has selected rows. */
MUST_USE int scan_series(struct query *query, const roaring_bitmap_t *series,
			 const struct scan_job *job, struct err *err);

/* ---- for visitors ---- */

/* A decoded column of the block; BLOCK_TIME is since the block's first. Valid until visit returns. */
MUST_USE int scan_column(struct scan *scan, enum block_column column, const int64_t **ret,
			 struct err *err);
MUST_USE int scan_spans(struct scan *scan, const struct store_span **ret, struct err *err);

/* ---- scan.c, filter.c: of one thread ---- */

struct walk {
	struct scan scan;
	const struct scan_job *job;
	void *context;
	struct rocks_iter iters[LEVEL_COUNT];
	bool open[LEVEL_COUNT];
};

MUST_USE int walk_open(struct walk *walk, struct query *query, const struct scan_job *job,
		       void *context, struct err *err);
void walk_close(struct walk *walk); /* a zeroed one is fine */
/* Segments must come in rising order. */
MUST_USE int walk_segment(struct walk *walk, const struct segment *segment, struct err *err);

MUST_USE int filters_make(struct scan *scan, struct err *err);
void filters_free(struct scan *scan);
/* Before the blocks of another series. */
MUST_USE int filters_enter(struct scan *scan, struct err *err);
/* Drops rows that a matcher does not take. */
MUST_USE int filters_apply(struct scan *scan, struct err *err);

/* stack_filter.c: rows whose stacks begin with the selection's call sites. */
MUST_USE int stack_filter_apply(struct scan *scan, struct err *err);

/* profile_filter.c: ids of profiles, and rows that belong to one. */
struct store_profile_id profile_id_make(uint32_t series, uint64_t time_ns);
bool profile_id_read(const struct store_profile_id *id, uint32_t *ret_series,
		     uint64_t *ret_time_ns);
/* Drops series that no id names. */
MUST_USE int profile_filter_series(const struct query *query, roaring_bitmap_t *series,
				   struct err *err);
MUST_USE int profile_filter_enter(struct scan *scan, struct err *err);
MUST_USE int profile_filter_apply(struct scan *scan, struct err *err);
