/* One tick of the agent: samples out of the ring buffer, each met by the process
 * events that are older, its stack made whole, into the window's batch. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/batch.h"
#include "agent/events.h"
#include "agent/held.h"
#include "agent/processes.h"
#include "agent/sampler.h"
#include "agent/stack_ends.h"
#include "agent/unwinding.h"

/* Zeroed, then the pointers are filled in. */
struct intake {
	struct sampler *sampler;
	struct events *events;
	struct processes *processes;
	struct unwinding *unwinding;
	struct batch_maker *maker;
	int64_t clock_offset_ns;
	bool stopping;	  /* nothing can wait any more */
	bool window_full; /* the batch took no more; whoever sends it clears this */
	uint64_t now_ns;  /* when this tick began */
	struct held held;
	bool soon; /* something in held wants a tick soon */
	uint64_t retried_ns;
	uint64_t samples, lost, held_count; /* since ever; held: that waited */
	struct stack_ends ends;
};

void intake_take(struct intake *intake);
/* One sample, as the ring buffer has it; its tick is intake->now_ns. */
void intake_sample(struct intake *intake, const struct sample *sample);
void intake_deinit(struct intake *intake); /* before the processes go */
