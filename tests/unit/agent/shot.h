/* A picture of this program's own stack, as the sampler would have taken it. */
#pragma once

#include <stdint.h>

#include "unwind/unwind.h"

enum { SHOT_STACK_BYTES = 64 << 10 };

struct shot {
	struct unwind_state state;
	uint64_t leaf;	     /* the only frame that BPF saw */
	uint64_t returns[3]; /* the frames above, leaf first */
	uint32_t len;	     /* bytes of stack[] */
	uint64_t stack[SHOT_STACK_BYTES / 8];
};

extern struct shot shot;
extern uint64_t shot_stack_end; /* of this thread's stack; to be set before */

/* Fills shot, three calls deep. */
void shot_take(void);
