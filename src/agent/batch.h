/* Collects the samples of one reporting window into a profile batch. The shape
 * is described in agent.h. One thread. */
#pragma once

#include "agent/sampler.h"
#include "agent/symbolize.h"
#include "agent/unwinding.h"
#include "base/arena.h"
#include "profile/profile.h"

struct batch_maker;

struct batch_options {
	uint64_t period_ns;			   /* between two samples of a CPU */
	const struct processes_options *processes; /* names of the variables in struct identity */
	size_t limit_bytes;			   /* of memory for one batch; 0: a default */
};

/* All pointers must outlive it; kernel may be NULL. */
MUST_USE int batch_maker_create(const struct batch_options *options, struct files *files,
				struct processes *processes, struct kallsyms *kernel,
				struct batch_maker **ret, struct err *err);
void batch_maker_destroy(struct batch_maker *maker); /* NULL is fine */

/* process is the sample's, stack its user part. clock_offset_ns: realtime - monotonic. ERR_LIMIT,
 * ERR_NOMEM: the sample is lost. */
MUST_USE int batch_add(struct batch_maker *maker, struct process *process,
		       const struct sample *sample, const struct user_stack *stack,
		       int64_t clock_offset_ns, struct err *err);
/* Addresses whose source lines are still to come. Waits until_ns (clock_mono_ns(); 0: not at all), and not
 * when there are none. What is late when the window is finished has names only. */
uint32_t batch_wait_lines(struct batch_maker *maker, uint64_t until_ns);
int batch_lines_fd(
	const struct batch_maker *maker); /* readable: call the above; -1: nothing comes */
/* The finished batch of the window, valid until batch_reset(); NULL when it had no samples. Times are
 * realtime. ERR_*: the window is lost. */
MUST_USE int batch_finish(struct batch_maker *maker, uint64_t start_ns, uint64_t end_ns,
			  struct profile_batch **ret, struct err *err);
/* Forgets the window and starts another. */
void batch_reset(struct batch_maker *maker);
uint64_t batch_samples(const struct batch_maker *maker); /* in the window so far */
void batch_get_lines_stats(const struct batch_maker *maker, struct lines_stats *ret);
void batch_get_symbol_counts(const struct batch_maker *maker, uint64_t *ret_named,
			     uint64_t *ret_unnamed);
