/* The agent: samples every process of this host with eBPF and hands over a
 * finished batch every few seconds, as an OTLP-shaped profile.
 *
 *	agent_config_init(&config);
 *	agent_start(&config, sink, ctx, &agent, err);	// root or the capabilities
 *	...sink(ctx, batch) every reporter interval, on the agent's thread...
 *	agent_stop(agent);				// hands over the last window
 *
 * What a batch holds: one resource per process (process.pid, .executable.name,
 * .executable.path, container.id, service.name when the process names itself,
 * process.environment_variable.*), below it scope "cresset" with one profile:
 * sample type samples/count, period type cpu/nanoseconds, no values, one
 * timestamp per sample; sample attributes thread.id, thread.name and
 * cpu.logical_number. Kernel threads are processes named "[kworker]": the comm
 * up to its '/', in brackets, as ps shows them; the thread name has it all.
 *
 * Start and stop belong to one thread; the agent runs one of its own. Only one
 * agent per process is expected, since its metrics (cresset_agent_*) are the
 * process's. Field names and defaults are those of the `profiling` receiver of
 * the OpenTelemetry eBPF profiler (collector/config/config_linux.go), unless
 * said otherwise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct profile_batch;
struct agent;

enum { AGENT_SAMPLES_PER_SECOND_MAX = 10000, AGENT_MAP_SCALE_FACTOR_MAX = 8 };

struct agent_config {
	uint32_t samples_per_second;   /* per CPU; default 20, `cresset up` sets 97 */
	uint64_t reporter_interval_ns; /* default 5 s; the first batch comes after 1 s */
	double reporter_jitter;	       /* 0..1, default 0.2: each interval varies by +- this part */
	uint64_t monitor_interval_ns;  /* default 5 s: how often gauges are brought up to date */
	uint64_t clock_sync_interval_ns; /* default 3 min; 0: only at start */
	const char *include_env_vars;	 /* comma list, default ""; NULL is "" */
	const char *pin_cpu_ids;	 /* "0-15,20": sample only these CPUs; "" or NULL: all */
	bool send_idle_frames;		 /* sample the idle task (pid 0) too */
	bool no_kernel_version_check;
	uint32_t map_scale_factor; /* 0..8, default 0: memory for unwind tables is 24 MiB << this */
	uint32_t bpf_verifier_log_level; /* 0..2: the verifier's words go to the debug log */
	const char *proc_root;		 /* default "/proc" */
};

void agent_config_init(struct agent_config *config);
/* ERR_INVALID names the field as the receiver's YAML spells it, and what it may be. */
MUST_USE int agent_config_check(const struct agent_config *config, struct err *err);

/* What the agent needs of the host, for `cresset doctor` and for start-up messages. */
enum { AGENT_REQUIREMENT_TEXT_MAX = 256, AGENT_REQUIREMENT_MAX = 16 };

struct agent_requirement {
	const char *name; /* "kernel version", "BTF", "capability CAP_BPF", ... */
	bool ok;
	bool required; /* false: the agent runs without it, and text says what is lost */
	char text[AGENT_REQUIREMENT_TEXT_MAX]; /* what was found; when not ok, how to get it */
};

/* Fills up to cap rows (AGENT_REQUIREMENT_MAX always suffice) and returns how many. *ret_ok (may be
 * NULL): every required one is met. Starts nothing that stays. */
size_t agent_check(const struct agent_config *config, struct agent_requirement *rows, size_t cap,
		   bool *ret_ok);

/* Receives a finished batch on the agent's thread. The batch and everything in it is valid, and may
 * be changed, until the sink returns; then the agent takes its memory back. A sink that blocks delays
 * the next batch; samples meanwhile wait in the ring buffer, and what does not fit is counted
 * (cresset_agent_lost_samples_total). A window without samples makes no call. */
typedef void (*agent_sink)(void *ctx, struct profile_batch *batch);

/* Returns when sampling runs on every CPU. ERR_INVALID: the config; ERR_DENIED, ERR_UNSUPPORTED:
 * the host, in one sentence that says what is missing and how to get it. */
MUST_USE int agent_start(const struct agent_config *config, agent_sink sink, void *ctx,
			 struct agent **ret, struct err *err);
/* Stops sampling, hands over what is left through the sink, frees all. NULL is fine. */
void agent_stop(struct agent *agent);

/* Figures of a running agent, from any thread; brought up to date with every batch and every monitor
 * interval. */
struct agent_stats {
	uint64_t samples;      /* taken over from the ring buffer */
	uint64_t lost_samples; /* the ring buffer was full, or a limit of memory was reached */
	uint64_t lost_events;  /* perf records of processes and mappings that were overwritten */
	uint64_t batches;
	uint64_t cpu_ns;		    /* of the agent's thread */
	uint64_t worker_cpu_ns;		    /* of the process that reads DWARF */
	uint64_t bpf_run_ns, bpf_run_count; /* only while BPF statistics are on in the kernel */
	uint64_t map_bytes;		    /* locked by BPF maps and perf rings */
	uint64_t unwind_bytes;		    /* unwind tables in use, of the maps' memory */
	uint64_t unwind_evicted;	    /* tables thrown out for want of room */
	uint64_t finished_samples;	    /* stacks walked to their end in user space */
	uint32_t unwind_tables;
	uint32_t published; /* processes that the BPF program can unwind */
	uint32_t processes, mappings, cpus;
	uint32_t
		verifier_instructions; /* processed at load; 0 where the kernel does not say (< 5.16) */
};

void agent_get_stats(struct agent *agent, struct agent_stats *ret);

/* How the user stacks of an executable ended, since the agent started; ends[i] is what
 * agent_stack_end_name(i) names. Only a stack that ended at "root" is whole. */
enum { AGENT_STACK_ENDS = 12, AGENT_STACKS_NAME_MAX = 47, AGENT_STACKS_ROWS = 65 };

struct agent_stacks {
	char executable[AGENT_STACKS_NAME_MAX + 1]; /* the first row: "", all of the host */
	uint64_t all;
	uint64_t ends[AGENT_STACK_ENDS];
};

const char *agent_stack_end_name(size_t end);
/* Fills up to cap rows (AGENT_STACKS_ROWS suffice), the host's first, and returns how many; few executables are kept, those with
 * broken stacks longest. As new as agent_get_stats(). */
size_t agent_get_stacks(struct agent *agent, struct agent_stacks *rows, size_t cap);
