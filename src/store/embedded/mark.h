/* Private to the embedded engine: the record that a series has for each day on
 * which it has samples: which columns occur, which hours have blocks that were
 * not settled yet, and which sums stand beside the blocks. Byte layout:
 * docs/formats/embedded-store.md, "Day marks". Pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/embedded/level.h"

#define MARK_ALL_HOURS 0xffffffu

/* Stored: never renumber. */
enum mark_whole { WHOLE_UNTRIED = 0, WHOLE_SUMMED = 1, WHOLE_NOT_WORTH = 2 };

/* Bit h of an hour set is the h-th hour of the day. */
struct mark {
	uint32_t columns; /* bit i: block column i occurs */
	uint32_t pending; /* hours with blocks that are not settled */
	uint32_t minute;  /* hours whose minute sums are complete, unless they are pending */
	uint32_t hour;	  /* the same of hour sums */
	enum mark_whole whole;
};

/* Appends; out is sticky. */
void mark_encode(struct buf *out, const struct mark *mark);
/* ERR_CORRUPT. A mark of format 1 ends after its columns: all its hours are pending. */
MUST_USE int mark_decode(struct str bytes, struct mark *ret, struct err *err);
/* May the sums of that level stand for the blocks of that hour of the day? */
bool mark_covers(const struct mark *mark, enum level level, unsigned hour);
