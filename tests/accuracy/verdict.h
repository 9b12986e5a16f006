/* How many of a program's samples are as the program says. */
#pragma once

#include "chain.h"

struct verdict {
	uint64_t samples;	/* within windows */
	uint64_t whole;		/* reach the root */
	uint64_t right;		/* match a chain, frame by frame */
	uint64_t frames, named; /* user space */
};

/* Samples must be sorted. */
struct verdict verdict_of(const struct chain_judge *judge, const struct chain_story *story);
/* The most frequent stacks that are not right, beside what was expected; at most `most` of them. */
void verdict_print_wrong(const struct chain_judge *judge, const struct chain_story *story,
			 int most);
double verdict_share(uint64_t part, uint64_t all); /* of nothing: 0 */
