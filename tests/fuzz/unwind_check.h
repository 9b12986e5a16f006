/* What is true of all rows, whatever file they come of. */
#pragma once

#include <stdlib.h>

#include "unwind/rows.h"

static inline void check_page(const struct unwind_rows *rows, uint32_t page)
{
	const struct unwind_page *p = &rows->pages[page];

	if (p->count > rows->info.rows || p->rows > rows->info.rows - p->count)
		abort();
	for (uint32_t i = 0; i < p->count; i++) {
		const struct unwind_row *row = &rows->rows[p->rows + i];
		if (row->rule >= rows->info.rules)
			abort();
		if (i == 0 ? row->vaddr_low != 0 : row->vaddr_low <= row[-1].vaddr_low)
			abort();
		if (i > 0 && row->rule == row[-1].rule)
			abort();
	}
}

static inline void check_rows(const struct unwind_rows *rows)
{
	static _Alignas(8) uint8_t memory[UNWIND_CHUNK_BYTES];
	struct unwind_space *space;
	uint32_t place;

	if (rows->info.rules == 0 || rows->info.rules > UINT16_MAX + 1U ||
	    rows->info.pages > UNWIND_PAGES_MAX || rows->vaddr % (1 << UNWIND_PAGE_BITS) != 0)
		abort();
	for (uint32_t i = 0; i < rows->info.rules; i++)
		if (rows->rules[i].cfa > UNWIND_CFA_UNKNOWN ||
		    rows->rules[i].fp > UNWIND_FP_AT_FP || rows->rules[i].ra > UNWIND_RA_HANDLER)
			abort();
	for (uint32_t i = 0; i < rows->info.pages; i++)
		check_page(rows, i);
	(void)unwind_rows_find(rows, rows->vaddr + 12345);
	(void)unwind_rows_find(rows, UINT64_MAX);
	if (unwind_space_create(memory, 1, &space, NULL))
		return;
	if (unwind_space_add_table(space, rows, &place, NULL) == 0 &&
	    unwind_space_used_bytes(space) != rows->info.bytes)
		abort();
	unwind_space_destroy(space);
}
