/* A sink that keeps every stack of the processes that are younger than a given one. The agent's thread writes; reading begins
 * when the agent has stopped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile_batch;

enum { STACKS_NAME_MAX = 48 };

struct stack_frame {
	char name[STACKS_NAME_MAX]; /* "" has none */
	char file[STACKS_NAME_MAX];
	uint64_t address; /* ELF virtual address; of a return address, one less */
	bool has_build_id;
};

struct stack {
	int64_t pid;
	char process[STACKS_NAME_MAX]; /* process.executable.name */
	uint64_t events;
	uint32_t kernel_frames, kernel_named;
	uint32_t count; /* user frames, leaf first */
	struct stack_frame *frames;
};

struct stacks {
	int64_t after; /* keep processes with a greater pid only */
	struct stack *rows;
	size_t count, cap;
};

void stacks_deinit(struct stacks *stacks);
/* An agent_sink, ctx is a struct stacks. */
void stacks_sink(void *ctx, struct profile_batch *batch);
/* "burn < inner < libc.so.6+0x1234"; of a long one the two ends. */
void stack_print(const struct stack *stack);
