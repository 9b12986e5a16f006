#include "store/embedded/sort.h"

#include <stdbool.h>
#include <string.h>

/* Below that number insertion is as fast, and needs no passes over 256 counters. */
enum { FEW = 32 };

static void insert_each(struct sort_row *rows, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct sort_row row = rows[i];
		size_t at = i;
		for (; at > 0 && rows[at - 1].order > row.order; at--)
			rows[at] = rows[at - 1];
		rows[at] = row;
	}
}

/* One pass of a radix sort: stable by one byte. False: all rows have the same there. */
static bool sort_pass(const struct sort_row *from, struct sort_row *to, size_t count,
		      unsigned shift)
{
	uint32_t starts[256] = {0}, at = 0;
	for (size_t i = 0; i < count; i++)
		starts[from[i].order >> shift & 0xff]++;
	if (starts[from[0].order >> shift & 0xff] == count)
		return false;
	for (unsigned i = 0; i < 256; i++) {
		uint32_t rows = starts[i];
		starts[i] = at;
		at += rows;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[from[i].order >> shift & 0xff]++] = from[i];
	return true;
}

void sort_rows(struct sort_row *rows, struct sort_row *spare, size_t count)
{
	struct sort_row *from = rows, *to = spare;
	if (count < FEW) {
		insert_each(rows, count);
		return;
	}
	for (unsigned shift = 0; shift < 64; shift += 8)
		if (sort_pass(from, to, count, shift)) {
			struct sort_row *other = from;
			from = to;
			to = other;
		}
	if (from != rows)
		memcpy(rows, from, count * sizeof(*rows));
}
