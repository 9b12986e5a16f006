/* A sink that adds up what the agent reports: events by process, and by function
 * within a process. Thread-safe. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct profile_batch;

enum { TALLY_PROCESSES_MAX = 4096, TALLY_FUNCTIONS_MAX = 4096, TALLY_NAME_MAX = 96 };

struct tally_function {
	char name[TALLY_NAME_MAX];
	uint64_t events; /* of stacks that hold it */
};

struct tally_process {
	int64_t pid;
	char name[TALLY_NAME_MAX];
	uint64_t events, kernel_events, truncated_events, deepest;
	struct tally_function *functions;
	uint32_t function_count;
};

struct tally {
	pthread_mutex_t lock;
	struct tally_process *processes;
	uint32_t process_count;
	uint64_t batches, first_batch_ns; /* monotonic */
	uint64_t bad_profiles;
};

void tally_init(struct tally *tally);
void tally_deinit(struct tally *tally);
/* An agent_sink. */
void tally_sink(void *ctx, struct profile_batch *batch);
/* Sum over the resources with that pid (several after an exec); a zero one when there is none. The
 * functions are those of the resource with most events. */
struct tally_process tally_pid(struct tally *tally, int64_t pid);
/* Events of all processes of that name. */
uint64_t tally_name(struct tally *tally, const char *name);
uint64_t tally_function(const struct tally_process *process, const char *name);
