/* Private to the embedded engine: profiles and spans counted by what they sum
 * to. count.c reads the blocks, count_answer.c shapes what came out. */
#pragma once

#include "store/embedded/answer.h"

/* How many of one value one step of one group has, and the earliest of them. */
struct counted {
	uint32_t group, step, series;
	uint32_t next; /* in the same slot, + 1 */
	int64_t value;
	uint64_t count, time_ns;
	struct store_span span;
};

struct counts {
	struct groups groups;
	struct query *query;
	const struct store_tally_options *options;
	struct grid grid;
	struct map by_hash; /* of group, step and value (of largest: without it) -> index + 1 */
	struct counted *list;
	size_t count, cap;
	struct count_item *items; /* of the block at hand */
	size_t item_cap;
};

MUST_USE int count_build(struct counts *counts, struct arena *arena, struct store_tallies *ret,
			 struct err *err);
