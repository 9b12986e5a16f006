/* Which processes BPF knows, and by which rows. What a process shall be known
 * by is noted while samples are looked at, and told when all events that are
 * there have been applied, so that no program is told of that has ended. What is
 * no longer true is taken back at once. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/processes.h"
#include "agent/rowsets.h"
#include "base/err.h"

/* BPF's side; a test has another one. As in sampler.h. */
struct publish_ops {
	int (*publish)(void *ctx, uint32_t pid, uint32_t place, uint32_t count, struct err *err);
	void (*unpublish)(void *ctx, uint32_t pid);
	void *ctx;
};

struct published {
	struct process *process;
	struct rowset *told;   /* BPF's; NULL: none */
	struct rowset *wanted; /* to be told; NULL: nothing new */
	bool ever_told;
	uint64_t told_ns, sampled_ns;
	struct published *newer, *older; /* by time of the last sample */
};

struct publisher;

/* All must outlive it. max: processes that BPF has room for. */
MUST_USE int publisher_create(const struct publish_ops *ops, uint32_t max, struct publisher **ret,
			      struct err *err);
/* Takes everything back. NULL is fine. Before the rowsets go. */
void publisher_destroy(struct publisher *publisher);

/* A sample of the process was seen. */
void publisher_touch(struct publisher *publisher, struct process *process, uint64_t now_ns);
/* A sample of that time says that BPF does not know the process: it ended there, or a thread outlived
 * the first one. */
void publisher_unknown(struct publisher *publisher, struct process *process, uint64_t sample_ns);
/* BPF shall know the process by these rows. Nothing happens when memory is short. */
void publisher_want(struct publisher *publisher, struct process *process, struct rowset *rows,
		    uint64_t now_ns);
/* Tells BPF what is wanted. */
void publisher_flush(struct publisher *publisher, uint64_t now_ns);
/* BPF shall know nothing of it; at once. */
void publisher_withdraw(struct publisher *publisher, struct process *process);
/* The same for all that are known by rows that speak of the table. */
void publisher_withdraw_table(struct publisher *publisher, const struct table *table);
/* The same for the process that was not sampled for longest, if that was before before_ns. */
bool publisher_withdraw_oldest(struct publisher *publisher, uint64_t before_ns);

struct publisher_stats {
	uint32_t count;		    /* processes that BPF knows */
	uint64_t told, taken, full; /* since ever; full: for another one to have its place */
};

void publisher_get_stats(const struct publisher *publisher, struct publisher_stats *ret);
