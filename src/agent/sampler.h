/* The BPF sampler from user space: loads the program, keeps one cpu-clock perf
 * event on every CPU, takes records over from the ring buffer. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/cpus.h"
#include "base/err.h"

struct sampler;

struct sampler_options {
	uint32_t samples_per_second; /* per CPU */
	bool send_idle;
	uint32_t verifier_log_level; /* 0..2 */
	const struct cpu_set *only;  /* NULL: every online CPU */
	uint32_t ring_bytes;	     /* a power of two, at least a page; 0: by rate and CPUs */
};

/* One sample, valid during the call. */
struct sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t pid, tid, cpu;
	uint32_t flags;		       /* enum sampler_flag */
	char comm[17];		       /* of the thread, NUL-terminated */
	const uint64_t *kernel, *user; /* leaf first */
	uint32_t kernel_count, user_count;
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

/* Hands all records that are there to fn. ERR_IO when the ring buffer is unusable. */
MUST_USE int sampler_consume(struct sampler *sampler, sample_fn fn, void *ctx, struct err *err);

/* A record as it is in the ring buffer; false when its lengths do not fit. */
bool sample_decode(const void *record, size_t len, struct sample *ret);

struct sampler_stats {
	uint64_t samples, lost_ring, truncated;
	uint64_t run_ns, run_count; /* with BPF statistics on */
	uint64_t map_bytes;
	uint32_t cpus;
	uint32_t verifier_instructions; /* 0: the kernel does not say */
	uint32_t period_ns;
};

void sampler_get_stats(const struct sampler *sampler, struct sampler_stats *ret);
