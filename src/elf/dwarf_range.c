#include "elf/dwarf_range.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
	RANGES_MAX = 8 << 20,
	/* Ranges of one kind overlap in damaged files, and where functions are nested. */
	OVERLAP_MAX = 16,
};

void dwarf_ranges_deinit(struct dwarf_ranges *ranges)
{
	mem_free(ranges->rows);
	*ranges = (struct dwarf_ranges){0};
}

int dwarf_ranges_add(struct dwarf_ranges *ranges, uint64_t start, uint64_t end, uint64_t item,
		     struct err *err)
{
	if (start == 0 || start >= end)
		return 0;
	if (ranges->count == RANGES_MAX)
		return err_set(err, ERR_LIMIT, "DWARF: more than %d address ranges", RANGES_MAX);
	struct dwarf_range *rows =
		mem_grow(ranges->rows, &ranges->cap, ranges->count + 1, sizeof(*rows));
	if (!rows)
		return err_set(err, ERR_NOMEM, "DWARF: no memory for an address range");
	ranges->rows = rows;
	rows[ranges->count++] = (struct dwarf_range){start, end, item};
	ranges->sorted = false;
	return 0;
}

/* Of ranges with the same start the widest comes first, so that a search from behind meets the
 * narrowest. */
static int compare_ranges(const void *a, const void *b)
{
	const struct dwarf_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

/* How many ranges start at or before the address. */
static size_t count_before(const struct dwarf_ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges->rows[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct dwarf_range *dwarf_ranges_find(struct dwarf_ranges *ranges, uint64_t address)
{
	if (!ranges->sorted && ranges->count > 0)
		qsort(ranges->rows, ranges->count, sizeof(*ranges->rows), compare_ranges);
	ranges->sorted = true;
	size_t at = count_before(ranges, address);
	for (size_t tries = 0; at > 0 && tries < OVERLAP_MAX; tries++) {
		if (address < ranges->rows[--at].end)
			return &ranges->rows[at];
	}
	return NULL;
}
