/* The agent's figures as other threads and the log get them: brought up to date
 * by the agent's thread, asked for by any. */
#pragma once

#include <pthread.h>

#include "agent/agent.h"
#include "agent/gauges.h"
#include "agent/stack_ends.h"

struct figures {
	pthread_mutex_t lock;
	struct agent_stats stats;
	struct stack_ends ends;
	uint64_t lost_told; /* lost samples of which the log says so; of the agent's thread */
};

void figures_init(struct figures *figures);
void figures_deinit(struct figures *figures);
void figures_set(struct figures *figures, const struct agent_gauges *gauges);
/* What is lost is a warning, one a call; how stacks end is for debugging. */
void figures_tell(struct figures *figures);
void figures_get_stats(struct figures *figures, struct agent_stats *ret);
size_t figures_get_stacks(struct figures *figures, struct agent_stacks *rows, size_t cap);
