/* Samples that wait for a later tick, since the unwind tables that they need are
 * many or large. Copies, in a bounded queue. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/processes.h"
#include "agent/sampler.h"

struct held_sample {
	struct held_sample *next;
	struct process *process; /* held, so it lives */
	uint64_t since_ns;
	size_t bytes;
	struct sample sample; /* what it points to is behind it */
	uint64_t data[];
};

/* Zeroed is empty. */
struct held {
	struct held_sample *first, **end;
	size_t bytes;
};

/* False: the queue is full, or no memory. */
bool held_add(struct held *held, struct process *process, const struct sample *sample,
	      uint64_t since_ns);
/* The oldest, to be freed by held_free(); NULL when there is none. */
struct held_sample *held_take(struct held *held);
void held_free(struct held_sample *sample); /* NULL is fine */
void held_deinit(struct held *held);	    /* before the processes go */
