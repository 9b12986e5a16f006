/* Private to the embedded engine: a running query: a snapshot, the compiled
 * matchers, the dictionary pages it uses, and memory with a cap. Belongs to one
 * thread. Its parts: query.c (open, close, labels of a series), select.c
 * (matchers to series), scan.c (series to samples). */
#pragma once

#include <roaring/roaring.h>

#include "base/arena.h"
#include "base/map.h"
#include "store/embedded/embedded.h"
#include "store/embedded/match.h"

struct label_name {
	uint32_t id;
	struct str text;
};

/* Which labels a wanted name may mean, in the order in which they count: the one spelled so first. */
struct wanted {
	struct str name;
	enum sample_field field;
	uint32_t *ids;
	size_t count;
};

struct query {
	struct store *store;
	const struct store_selection *selection;
	struct rocks_view view;
	uint32_t tenant; /* 0: it never wrote, and every answer is empty */
	struct counters counters;
	struct pages pages;
	struct arena work;
	struct matcher *matchers;
	size_t matcher_count;
	struct label_name *names; /* of all labels of the tenant, by text */
	size_t name_count;
};

/* Series = pairs of string ids: name, value. */
struct series_labels {
	uint32_t *ids;
	size_t count, cap;
};

MUST_USE int query_open(struct store *store, const struct store_selection *selection,
			struct query *ret, struct err *err);
void query_close(struct query *query);
/* Zeroed. NULL and ERR_LIMIT in err when the query's memory is used up. */
void *query_alloc(struct query *query, size_t count, size_t size_bytes, struct err *err);
/* ERR_CANCELLED once the caller has gone. */
MUST_USE int query_check(const struct query *query, struct err *err);
/* What to say when the caller's arena is full. */
int query_no_room(const struct arena *arena, struct err *err);

MUST_USE int query_wanted(struct query *query, struct str name, struct wanted *ret,
			  struct err *err);
MUST_USE int query_labels(struct query *query, uint32_t series, struct series_labels *ret,
			  struct err *err);
/* The id of the label's value, or 0. */
uint32_t wanted_value(const struct wanted *wanted, const struct series_labels *labels);
/* A string of the dictionary, copied. */
MUST_USE int query_text(struct query *query, uint32_t id, struct arena *arena, struct str *ret,
			struct err *err);

/* select.c: those whose labels satisfy every matcher that is not about a sample field. */
MUST_USE int select_series(struct query *query, roaring_bitmap_t **ret, struct err *err);
/* Those of them that have samples on the days of the selection (and, with matchers on sample fields,
 * samples that match). *ret_columns: the fields that they have. */
MUST_USE int select_active(struct query *query, roaring_bitmap_t **ret, unsigned *ret_columns,
			   struct err *err);

/* ---- scan.c ---- */

struct scan {
	struct query *query;
	uint64_t start_ns, end_ns; /* [start, end) */
	uint32_t series;
	struct block block;
	bool all; /* every row of the block is selected; else these: */
	uint32_t *rows;
	size_t row_count;

	int64_t *columns[BLOCK_COLUMNS];
	bool have[BLOCK_COLUMNS], have_spans;
	struct store_span *spans;
	int64_t *scratch;
	uint8_t *span_matches;
	size_t cap;
	struct field_filter *filters;
	size_t filter_count;
	roaring_bitmap_t *skip; /* the visitor may add series that it has seen enough of */
};

typedef int scan_visit(struct scan *scan, void *context, struct err *err);

/* Calls visit for every block that has selected rows, by (day, series, time). */
MUST_USE int scan_samples(struct query *query, const roaring_bitmap_t *series, uint64_t start_ns,
			  uint64_t end_ns, scan_visit *visit, void *context, struct err *err);
/* A decoded column of the block; BLOCK_TIME is since the block's first. Valid until visit returns. */
MUST_USE int scan_column(struct scan *scan, enum block_column column, const int64_t **ret,
			 struct err *err);
MUST_USE int scan_spans(struct scan *scan, const struct store_span **ret, struct err *err);
