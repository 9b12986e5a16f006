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
