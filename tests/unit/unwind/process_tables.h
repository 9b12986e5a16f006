/* The unwind tables of a running process, all at once: what the agent does
 * lazily, for tests and benchmarks that want to walk a stack. */
#pragma once

#include <sys/types.h>

#include "unwind/unwind.h"

struct process_tables {
	uint32_t place, count; /* of its mappings in the space */
	uint32_t by_table;     /* mappings that have one */
	uint32_t rows;
};

/* Compiles what is mapped executable and writes it into the space. Files that cannot be compiled are walked by
 * frame pointer. Exits with a message when /proc or the space does not do. */
void process_tables_make(struct unwind_space *space, pid_t pid, struct process_tables *ret);
