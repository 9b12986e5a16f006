#include "agent/gauges.h"

#include "base/metrics.h"

/* Counters of other places (the kernel's, or a thread's clock) are set rather than added to. */
static struct metric samples = METRIC_COUNTER_INIT("cresset_agent_samples_total", NULL,
						   "Samples taken over from the kernel.");
static struct metric lost_ring =
	METRIC_COUNTER_INIT("cresset_agent_lost_samples_total", "reason=\"ring_full\"",
			    "Samples lost between the kernel and the batch.");
static struct metric lost_memory =
	METRIC_COUNTER_INIT("cresset_agent_lost_samples_total", "reason=\"memory\"",
			    "Samples lost between the kernel and the batch.");
static struct metric truncated = METRIC_COUNTER_INIT("cresset_agent_truncated_stacks_total", NULL,
						     "Stacks cut at the limit of frames.");
static struct metric lost_events =
	METRIC_COUNTER_INIT("cresset_agent_lost_events_total", NULL,
			    "Process and mapping events lost in the kernel.");
static struct metric refused = METRIC_COUNTER_INIT("cresset_agent_refused_total", NULL,
						   "Processes and mappings beyond a limit.");
static struct metric batches =
	METRIC_COUNTER_INIT("cresset_agent_batches_total", NULL, "Batches handed over.");
static struct metric cpu = METRIC_COUNTER_INIT("cresset_agent_cpu_nanoseconds_total", NULL,
					       "CPU time of the agent's thread.");
static struct metric named =
	METRIC_COUNTER_INIT("cresset_agent_symbol_lookups_total", "result=\"named\"",
			    "Look-ups of the names of native frames, one per distinct frame and "
			    "batch.");
static struct metric unnamed =
	METRIC_COUNTER_INIT("cresset_agent_symbol_lookups_total", "result=\"unnamed\"",
			    "Look-ups of the names of native frames, one per distinct frame and "
			    "batch.");
static struct metric processes =
	METRIC_GAUGE_INIT("cresset_agent_processes", NULL, "Processes known.");
static struct metric mappings =
	METRIC_GAUGE_INIT("cresset_agent_mappings", NULL, "Executable mappings known.");
static struct metric files = METRIC_GAUGE_INIT("cresset_agent_files", NULL, "Mapped files known.");
static struct metric unreadable = METRIC_GAUGE_INIT("cresset_agent_unreadable_files", NULL,
						    "Mapped files that could not be opened.");
static struct metric symbol_bytes =
	METRIC_GAUGE_INIT("cresset_agent_symbol_cache_bytes", NULL, "Memory of the symbol tables.");
static struct metric map_bytes = METRIC_GAUGE_INIT("cresset_agent_kernel_bytes", NULL,
						   "Memory of BPF maps and event rings.");
static struct metric cpus = METRIC_GAUGE_INIT("cresset_agent_cpus", NULL, "CPUs that are sampled.");

void gauges_publish(const struct agent_gauges *g)
{
	metric_set(&samples, (int64_t)g->agent_samples);
	metric_set(&lost_ring, (int64_t)g->sampler.lost_ring);
	metric_set(&lost_memory, (int64_t)g->lost_memory);
	metric_set(&truncated, (int64_t)g->sampler.ends[UNWIND_END_TRUNCATED]);
	metric_set(&lost_events, (int64_t)g->processes.lost_events);
	metric_set(&refused, (int64_t)g->processes.refused);
	metric_set(&batches, (int64_t)g->batches);
	metric_set(&cpu, (int64_t)g->cpu_ns);
	metric_set(&named, (int64_t)g->frames_named);
	metric_set(&unnamed, (int64_t)g->frames_unnamed);
	metric_set(&processes, g->processes.processes);
	metric_set(&mappings, g->processes.mappings);
	metric_set(&files, g->files.count);
	metric_set(&unreadable, (int64_t)g->files.unreadable);
	metric_set(&symbol_bytes, (int64_t)g->files.symbol_bytes);
	metric_set(&map_bytes, (int64_t)(g->sampler.map_bytes + g->event_bytes));
	metric_set(&cpus, g->sampler.cpus);
}

void gauges_to_stats(const struct agent_gauges *g, struct agent_stats *ret)
{
	*ret = (struct agent_stats){
		.samples = g->agent_samples,
		.lost_samples = g->sampler.lost_ring + g->lost_memory,
		.lost_events = g->processes.lost_events,
		.batches = g->batches,
		.cpu_ns = g->cpu_ns,
		.bpf_run_ns = g->sampler.run_ns,
		.bpf_run_count = g->sampler.run_count,
		.map_bytes = g->sampler.map_bytes + g->event_bytes,
		.processes = g->processes.processes,
		.mappings = g->processes.mappings,
		.cpus = g->sampler.cpus,
		.verifier_instructions = g->sampler.verifier_instructions,
	};
}
