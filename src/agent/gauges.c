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
#define STACKS(name_)                                                          \
	METRIC_COUNTER_INIT("cresset_agent_stacks_total", "end=\"" name_ "\"", \
			    "User stacks by how they end; all but root are not whole.")
static struct metric stacks[UNWIND_ENDS] = {
	[UNWIND_END_ROOT] = STACKS("root"),
	[UNWIND_END_TRUNCATED] = STACKS("truncated"),
	[UNWIND_END_NO_PROCESS] = STACKS("no_process"),
	[UNWIND_END_NO_MAPPING] = STACKS("no_mapping"),
	[UNWIND_END_NOT_READY] = STACKS("not_ready"),
	[UNWIND_END_NO_ROW] = STACKS("no_row"),
	[UNWIND_END_RULE] = STACKS("rule"),
	[UNWIND_END_UNREADABLE] = STACKS("unreadable"),
	[UNWIND_END_NO_PROGRESS] = STACKS("no_progress"),
	[UNWIND_END_32BIT] = STACKS("32bit"),
	[UNWIND_END_NO_REGISTERS] = STACKS("no_registers"),
	[UNWIND_END_CUT] = STACKS("cut"),
};
static struct metric finished =
	METRIC_COUNTER_INIT("cresset_agent_finished_stacks_total", NULL,
			    "Stacks that were walked to their end in user space.");
static struct metric held = METRIC_COUNTER_INIT("cresset_agent_held_samples_total", NULL,
						"Samples that waited for an unwind table.");
static struct metric tables_built =
	METRIC_COUNTER_INIT("cresset_agent_unwind_tables_built_total", "result=\"built\"",
			    "Files whose unwind tables were built.");
static struct metric tables_failed =
	METRIC_COUNTER_INIT("cresset_agent_unwind_tables_built_total", "result=\"failed\"",
			    "Files whose unwind tables were built.");
static struct metric tables_evicted =
	METRIC_COUNTER_INIT("cresset_agent_unwind_tables_evicted_total", NULL,
			    "Unwind tables thrown out for others to have room.");
static struct metric tables_ns =
	METRIC_COUNTER_INIT("cresset_agent_unwind_tables_nanoseconds_total", NULL,
			    "CPU time that building unwind tables took.");
static struct metric tables =
	METRIC_GAUGE_INIT("cresset_agent_unwind_tables", NULL, "Unwind tables in use.");
static struct metric table_bytes = METRIC_GAUGE_INIT("cresset_agent_unwind_bytes", "state=\"used\"",
						     "Memory for unwind tables.");
static struct metric space_bytes = METRIC_GAUGE_INIT("cresset_agent_unwind_bytes", "state=\"all\"",
						     "Memory for unwind tables.");
static struct metric published = METRIC_GAUGE_INIT("cresset_agent_unwind_processes", NULL,
						   "Processes that the BPF program can unwind.");
static struct metric lost_events =
	METRIC_COUNTER_INIT("cresset_agent_lost_events_total", NULL,
			    "Process and mapping events lost in the kernel.");
static struct metric refused = METRIC_COUNTER_INIT("cresset_agent_refused_total", NULL,
						   "Processes, mappings and files beyond a limit.");
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

static struct metric lines_answered =
	METRIC_COUNTER_INIT("cresset_agent_line_lookups_total", "result=\"answered\"",
			    "Addresses asked of the process that reads DWARF.");
static struct metric lines_late =
	METRIC_COUNTER_INIT("cresset_agent_line_lookups_total", "result=\"late\"",
			    "Addresses asked of the process that reads DWARF.");
static struct metric lines_bad =
	METRIC_COUNTER_INIT("cresset_agent_line_files_given_up_total", NULL,
			    "Files whose DWARF cannot be read, or took too long or too much.");
static struct metric workers =
	METRIC_COUNTER_INIT("cresset_agent_line_workers_total", "end=\"any\"",
			    "Processes started to read DWARF.");
static struct metric workers_crashed =
	METRIC_COUNTER_INIT("cresset_agent_line_workers_total", "end=\"crashed\"",
			    "Processes started to read DWARF.");
static struct metric workers_timed_out =
	METRIC_COUNTER_INIT("cresset_agent_line_workers_total", "end=\"timed_out\"",
			    "Processes started to read DWARF.");
static struct metric worker_cpu =
	METRIC_COUNTER_INIT("cresset_agent_line_worker_cpu_nanoseconds_total", NULL,
			    "CPU time of the process that reads DWARF.");
static struct metric line_bytes =
	METRIC_GAUGE_INIT("cresset_agent_line_bytes", NULL,
			  "Memory of remembered source lines and of Go's tables.");

static void publish_lines(const struct lines_stats *l)
{
	metric_set(&lines_answered, (int64_t)l->dwarf.answered);
	metric_set(&lines_late, (int64_t)l->late);
	metric_set(&lines_bad, (int64_t)l->dwarf.bad_files);
	metric_set(&workers, (int64_t)l->dwarf.spawned);
	metric_set(&workers_crashed, (int64_t)l->dwarf.crashed);
	metric_set(&workers_timed_out, (int64_t)l->dwarf.timed_out);
	metric_set(&worker_cpu, (int64_t)l->dwarf.worker_cpu_ns);
	metric_set(&line_bytes, (int64_t)l->bytes);
}

static void publish_unwinding(const struct agent_gauges *g)
{
	const struct unwinding_stats *u = &g->unwinding;
	for (int i = 0; i < UNWIND_ENDS; i++)
		metric_set(&stacks[i], (int64_t)g->ends->ends[i]);
	metric_set(&finished, (int64_t)u->finished);
	metric_set(&held, (int64_t)g->held);
	metric_set(&tables_built, (int64_t)u->tables.built);
	metric_set(&tables_failed, (int64_t)u->tables.failed);
	metric_set(&tables_evicted, (int64_t)u->evicted);
	metric_set(&tables_ns, (int64_t)u->tables.build_ns);
	metric_set(&tables, u->tables.ready);
	metric_set(&table_bytes, (int64_t)u->used_bytes);
	metric_set(&space_bytes, (int64_t)u->space_bytes);
	metric_set(&published, u->processes.count);
}

void gauges_publish(const struct agent_gauges *g)
{
	publish_unwinding(g);
	publish_lines(&g->lines);
	metric_set(&samples, (int64_t)g->agent_samples);
	metric_set(&lost_ring, (int64_t)g->sampler.lost_ring);
	metric_set(&lost_memory, (int64_t)g->lost_memory);
	metric_set(&lost_events, (int64_t)g->processes.lost_events);
	metric_set(&refused, (int64_t)(g->processes.refused + g->files.full));
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
		.worker_cpu_ns = g->lines.dwarf.worker_cpu_ns,
		.bpf_run_ns = g->sampler.run_ns,
		.bpf_run_count = g->sampler.run_count,
		.map_bytes = g->sampler.map_bytes + g->event_bytes,
		.unwind_bytes = g->unwinding.used_bytes,
		.unwind_evicted = g->unwinding.evicted,
		.finished_samples = g->unwinding.finished,
		.unwind_tables = g->unwinding.tables.ready,
		.published = g->unwinding.processes.count,
		.processes = g->processes.processes,
		.mappings = g->processes.mappings,
		.cpus = g->sampler.cpus,
		.verifier_instructions = g->sampler.verifier_instructions,
	};
}
