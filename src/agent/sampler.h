/* The BPF sampler from user space: loads the program, keeps one cpu-clock perf
 * event on every CPU, takes records over from the ring buffer, and tells the
 * program which unwind tables a process has. One thread.
 *
 * The tables are in memory that this process shares with the program: a struct
 * unwind_space is made over sampler_space(), filled, and a process's mappings
 * published by their place in it. The program itself forgets a process at once
 * when it executes another program or ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/cpus.h"
#include "base/err.h"
#include "unwind/unwind.h"

struct sampler;

struct sampler_options {
	uint32_t samples_per_second; /* per CPU */
	bool send_idle;
	uint32_t verifier_log_level; /* 0..2 */
	const struct cpu_set *only;  /* NULL: every online CPU */
	uint32_t ring_bytes;	     /* a power of two, at least a page; 0: by rate and CPUs */
	uint32_t space_chunks;	     /* of UNWIND_CHUNK_BYTES for unwind tables; 0: a default */
};

/* One sample, valid during the call. */
struct sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t pid, tid, cpu;
	uint32_t flags;		       /* enum sampler_flag */
	char comm[17];		       /* of the thread, NUL-terminated */
	const uint64_t *kernel, *user; /* leaf first; user's with UNWIND_FRAME_EXACT where so */
	uint32_t kernel_count, user_count;
	enum unwind_end end;	   /* of the user stack */
	struct unwind_state state; /* the last user frame */
	/* NO_PROCESS, NO_MAPPING, NOT_READY: the bytes at [state.sp, state.sp + stack_len), with which
	 * unwind_walk() goes on from state. Other ends: none. */
	const void *stack;
	uint32_t stack_len;
};

typedef void (*sample_fn)(void *ctx, const struct sample *sample);

/* Opens, configures and loads; no samples yet. Errors say what the host lacks. */
MUST_USE int sampler_create(const struct sampler_options *options, struct sampler **ret,
			    struct err *err);
void sampler_destroy(struct sampler *sampler); /* NULL is fine */

/* Brings events to the CPUs that are online now and takes those of gone CPUs down. The first call
 * starts sampling. ERR_*: a CPU refused; the others run. */
MUST_USE int sampler_attach(struct sampler *sampler, struct err *err);
/* Samples one process only, wherever it runs, instead of sampler_attach: for benchmarks. */
MUST_USE int sampler_attach_pid(struct sampler *sampler, int pid, struct err *err);
/* No more samples; what is in the ring buffer stays. */
void sampler_detach(struct sampler *sampler);

/* Readable once for every sample that waits for user space (UNWIND_END_NO_PROCESS, ...), so that few
 * come before the process is known; not for others. For poll; sampler_consume() takes it back. */
int sampler_fd(const struct sampler *sampler);
/* Hands all records that are there now to fn; those that come meanwhile wait. ERR_IO when the ring buffer is unusable. */
MUST_USE int sampler_consume(struct sampler *sampler, sample_fn fn, void *ctx, struct err *err);

/* The memory of the unwind tables, zeroed at first, of *ret_chunks * UNWIND_CHUNK_BYTES. Valid until
 * sampler_destroy(). */
void *sampler_space(const struct sampler *sampler, uint32_t *ret_chunks);
/* From now on the samples of a process are unwound by these mappings, which are complete in the space
 * and stay there until sampler_unpublish(), or another publish of the process, and the grace after
 * it. ERR_LIMIT: UNWIND_PROCESSES_MAX are published. */
MUST_USE int sampler_publish(struct sampler *sampler, uint32_t pid, uint32_t place, uint32_t count,
			     struct err *err);
/* Harmless when it is not published. Its samples end UNWIND_END_NO_PROCESS again. */
void sampler_unpublish(struct sampler *sampler, uint32_t pid);

/* A record as it is in the ring buffer; false when its lengths do not fit. */
bool sample_decode(const void *record, size_t len, struct sample *ret);

struct sampler_stats {
	uint64_t samples, lost_ring;
	uint64_t ends[UNWIND_ENDS]; /* of user stacks, as the program left them */
	uint64_t stack_bytes;	    /* copied for user space */
	uint64_t run_ns, run_count; /* with BPF statistics on */
	uint64_t map_bytes;
	uint32_t cpus;
	uint32_t verifier_instructions; /* 0: the kernel does not say */
	uint32_t period_ns;
};

void sampler_get_stats(const struct sampler *sampler, struct sampler_stats *ret);
