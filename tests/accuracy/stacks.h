/* A sink that keeps every sample of the agent with its whole stack, so that
 * programs' own words can be held against them afterwards. Thread-safe while
 * the agent runs; read it when the agent has stopped. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/strtab.h"

struct profile_batch;

/* A line of a location: inline expansion gives several frames of one address. Packed, since frames are
 * interned as bytes. */
struct stacks_frame {
	uint64_t address;
	uint32_t name; /* string; 0: unnamed */
	uint32_t file; /* string: of the mapping */
	uint32_t kernel;
	uint32_t inlined; /* not the location's last line */
};

struct stacks_sample {
	int64_t pid, tid;
	uint64_t mono_ns;
	uint32_t process; /* string: process.executable.name */
	uint32_t stack;
};

struct stacks {
	pthread_mutex_t lock;
	struct arena arena;
	struct strtab *strings, *stacks;
	struct stacks_sample *samples;
	size_t count, cap;
	int64_t offset_ns; /* realtime - monotonic */
	uint64_t bad_profiles;
};

/* Before the agent starts. */
void stacks_init(struct stacks *stacks);
void stacks_deinit(struct stacks *stacks);
/* An agent_sink. */
void stacks_sink(void *ctx, struct profile_batch *batch);
/* The user frames of a stack, leaf first; at most cap. Returns how many there are. */
uint32_t stacks_user_frames(const struct stacks *stacks, uint32_t stack,
			    struct stacks_frame *frames, uint32_t cap);
struct str stacks_string(const struct stacks *stacks, uint32_t string);
/* By pid, then time. */
void stacks_sort(struct stacks *stacks);
/* The first sample of a pid in a sorted list; count when there is none. */
size_t stacks_first_of(const struct stacks *stacks, int64_t pid);
/* "[broken: ...", "[truncated...", "[no stack]": what the agent says in place of frames that are missing. */
bool stacks_is_excuse(struct str name);
