/* Private to the embedded engine: a column is a row of 64-bit integers packed
 * by whichever of seven encodings is smallest for it. Byte layout and reasons:
 * docs/formats/embedded-store.md, "Columns". Pure functions, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Stored numbers: never renumber. */
enum column_encoding {
	COLUMN_CONST = 0,  /* all rows the same */
	COLUMN_RLE = 1,	   /* (difference to the run before, run length) */
	COLUMN_DELTA = 2,  /* difference to the row before */
	COLUMN_VARINT = 3, /* distance from the smallest */
	COLUMN_PACKED = 4, /* the same, in as many bits as the largest needs */
	COLUMN_DICT = 5,   /* up to 256 distinct values, one byte a row */
	COLUMN_RISING = 6, /* difference to the row before, never negative */
};

/* Appends count >= 1 values; out is sticky. */
void column_encode(struct buf *out, const int64_t *values, size_t count);
/* Reads count values that fill bytes exactly; false when they do not. ret is then undefined. */
bool column_decode(struct str bytes, size_t count, int64_t *ret);

/* The same as runs of equal values, where the encoding is made of them (const and rle): whoever adds up
 * or counts need not look at the rows. */
struct column_runs {
	const uint8_t *at, *end;
	uint64_t min, gcd, q;
	size_t left; /* rows */
	bool constant, broken;
};

/* False: another encoding, or a broken head, which column_decode() refuses as well. */
bool column_runs_open(struct str bytes, size_t count, struct column_runs *ret);
/* False at the end. */
bool column_runs_next(struct column_runs *runs, int64_t *ret_value, size_t *ret_count);
/* After the end: were these count rows, exactly? */
bool column_runs_whole(const struct column_runs *runs);
