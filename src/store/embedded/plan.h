/* Private to the embedded engine: which blocks answer a question, before any is
 * read: for each day and series that has samples, stretches of hours, each with
 * the coarsest level whose sums are there, complete, and cut by no border of
 * the question. Comes from the day marks alone. One thread. */
#pragma once

#include "store/embedded/mark.h"
#include "store/embedded/query.h"

/* Where ranges of time begin and end: samples at start_ns <= time < end_ns are asked for, and times
 * below a border are told from those at it: inner_ns, inner_ns + step_ns ... below end_ns. */
struct borders {
	uint64_t start_ns, end_ns;
	uint64_t inner_ns, step_ns; /* step 0: none inside */
};

/* Hours [from, to) of the day, read from that level. */
struct segment {
	uint32_t day, series;
	uint8_t level, from, to;
};

/* By day, series and hour. */
struct plan {
	struct segment *list;
	size_t count, cap;
};

/* raw: more than time, stack and value is looked at, so sums cannot answer. In the query's memory. */
MUST_USE int plan_make(struct query *query, const roaring_bitmap_t *series,
		       const struct borders *borders, bool raw, struct plan *ret, struct err *err);
/* Cuts long segments so that there are at least so many, where the hours suffice. */
MUST_USE int plan_split(struct query *query, struct plan *plan, size_t wanted, struct err *err);
/* Does no border lie inside [from, to) but where the level's buckets end? */
bool borders_respect(const struct borders *borders, uint64_t from_ns, uint64_t to_ns,
		     enum level level);

/* Calls visit with every mark of those series on the days of [start, end), by day and series. */
typedef int visit_mark(struct query *query, uint32_t day, uint32_t series, const struct mark *mark,
		       void *context, struct err *err);
MUST_USE int marks_walk(struct query *query, const roaring_bitmap_t *series, uint64_t start_ns,
			uint64_t end_ns, visit_mark *visit, void *context, struct err *err);
