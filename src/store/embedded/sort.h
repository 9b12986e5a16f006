/* Private to the embedded engine: sorting rows by a number of 64 bits, in time
 * that grows with their number only. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct store_sample;

struct sort_row {
	uint64_t order;
	union {
		const struct store_sample *sample;
		int64_t value;
	};
};

/* Smallest order first, stable. spare has room for as many rows. */
void sort_rows(struct sort_row *rows, struct sort_row *spare, size_t count);
