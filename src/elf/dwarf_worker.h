/* Private to elf/: the process that reads DWARF. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct dwarf_worker_limits {
	int64_t memory_bytes; /* DWARF_NO_LIMIT: none */
	uint64_t idle_ns;
};

/* What a forked child does from its first line on; parent: who forked it. Never returns. The process
 * that forked may have had other threads: nothing of theirs is touched. */
_Noreturn void dwarf_worker_run(int sock, const struct dwarf_worker_limits *limits, pid_t parent);

/* Gives up what the worker does not need, for good: descriptors but sock (which becomes another number,
 * returned), memory shared with other processes, capabilities, system calls. -1 when one cannot be
 * given up. */
int dwarf_confine(int sock, const struct dwarf_worker_limits *limits);
