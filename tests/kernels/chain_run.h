/* Runs of the program whose stack is known, and what the agent made of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stacks.h"

enum { CHAIN_FRAMES_MAX = 1100 };

struct chain_frame {
	char file[STACKS_NAME_MAX];
	uint64_t vaddr; /* return address */
};

struct chain {
	const char *mode, *seconds; /* "user", "kernel"; of CPU time */
	int depth;		    /* calls of descend() */
	pid_t pid;
	struct chain_frame expected[CHAIN_FRAMES_MAX]; /* above inner, as the program says */
	size_t expected_count;
};

struct chain_tally {
	uint64_t all, right;
	uint64_t marked; /* not right, and the last frame says so in brackets */
	uint64_t in_kernel, no_build_id;
	uint64_t kernel_frames, kernel_unnamed;
	uint64_t shown; /* wrong stacks */
};

/* DIRECTORY/chain, to its end. False: it failed. */
bool chain_run(struct chain *chain, const char *directory);
/* Adds its samples; prints the first wrong stacks. Only those in burn() or ask_kernel() count, since on its
 * way there the program's stack is another. */
void chain_count(const struct chain *chain, const struct stacks *stacks, struct chain_tally *tally);
/* Whatever there is of a run of which nothing was counted. */
void chain_explain(const struct chain *chain, const struct stacks *stacks);
