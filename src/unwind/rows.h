/* Private to unwind/: the rows of a file, in the form of its table but for the
 * numbers of places: pages[i].rows is an index into rows here. */
#pragma once

#include "unwind/unwind.h"

struct unwind_rows {
	uint64_t vaddr; /* of the first page; a multiple of 64 KiB */
	struct unwind_page *pages;
	struct unwind_row *rows; /* those of a page are sorted, its first one is at 0 */
	struct unwind_rule *rules;
	struct unwind_rows_info info; /* with the three counts */
};

/* From start to end one rule holds, which is not UNWIND_CFA_NONE. */
struct unwind_range {
	uint64_t start, end;
	const struct unwind_rule *rule;
};

/* Walks over the ranges by address; zeroed at first. A range never crosses a page. */
struct unwind_rows_pos {
	uint32_t page, row;
};

bool unwind_rows_next(const struct unwind_rows *rows, struct unwind_rows_pos *pos,
		      struct unwind_range *ret);

/* What `first` says, and where that is nothing, what `second` says. Both are the caller's still. */
MUST_USE int unwind_rows_merge(const struct unwind_rows *first, const struct unwind_rows *second,
			       const struct unwind_limits *limits, struct unwind_rows **ret,
			       struct err *err);

/* To an even number of units, in which a space counts. */
static inline uint32_t unwind_units_of(size_t bytes)
{
	return (uint32_t)((bytes + 7) / 8 * 2);
}

/* Bytes of the table's head: struct unwind_table, pages, rules. */
size_t unwind_rows_head_bytes(const struct unwind_rows *rows);
