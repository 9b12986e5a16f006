/* Private to agent: the figures of all parts, as metrics and as agent_stats. */
#pragma once

#include "agent/agent.h"
#include "agent/files.h"
#include "agent/lines.h"
#include "agent/processes.h"
#include "agent/sampler.h"
#include "agent/stack_ends.h"
#include "agent/unwinding.h"

struct agent_gauges {
	uint64_t agent_samples, lost_memory, batches, cpu_ns, event_bytes;
	uint64_t frames_named, frames_unnamed; /* distinct ones per batch */
	struct sampler_stats sampler;
	struct processes_stats processes;
	struct files_stats files;
	struct unwinding_stats unwinding;
	struct lines_stats lines;
	const struct stack_ends *ends;
	uint64_t held; /* samples that waited for a table */
};

void gauges_publish(const struct agent_gauges *gauges);
void gauges_to_stats(const struct agent_gauges *gauges, struct agent_stats *ret);
