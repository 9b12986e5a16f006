/* Private to unwind/: which units of a space are free. Sorted and merged, but
 * never across the end of a chunk. */
#pragma once

#include "unwind/unwind.h"

struct extent {
	uint32_t start, len; /* units, both even */
};

struct extents {
	struct extent *free;
	size_t count, cap;
};

/* All of the chunks but unit 0 and 1, since place 0 is nowhere. */
MUST_USE int extents_init(struct extents *extents, uint32_t chunks, struct err *err);
void extents_deinit(struct extents *extents);
/* Room to remember as many holes as there can be between this many extents in use, so that giving
 * back needs no memory. */
MUST_USE int extents_reserve(struct extents *extents, size_t holes, struct err *err);
/* The first hole with len units; 0 when there is none. */
uint32_t extents_take(struct extents *extents, uint32_t len);
void extents_give(struct extents *extents, struct extent extent);
