/* A run of the 32-bit program: of such a process the agent has the kernel's part and one frame, and says
 * why. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stacks;

/* DIRECTORY/narrow, for a second. 0: this kernel runs no such program, or it is not built. */
pid_t narrow_run(const char *directory);
/* How many of its samples there are, and how many are one frame of its file and "[32-bit process]". */
void narrow_count(pid_t pid, const struct stacks *stacks, uint64_t *ret_all, uint64_t *ret_right);
