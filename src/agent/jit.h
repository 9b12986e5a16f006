/* Names of code that a runtime compiled into memory: what it wrote into
 * /tmp/perf-PID.map, as its own mount namespace and numbering of processes have
 * it, or into a jitdump file, which it maps so that others find it.
 *
 * A process is looked at when a sample of it has an address in memory that no
 * name is known for, and then again at most once a second. Budgeted: what was
 * not asked for longest goes first. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct files;
struct jit;
struct process;
struct symbol_found;

/* files must outlive it. budget_bytes 0: a default. */
MUST_USE int jit_create(struct files *files, size_t budget_bytes, struct jit **ret,
			struct err *err);
void jit_destroy(struct jit *jit); /* NULL is fine */
/* The function around an address of the process. Texts live until the next call. */
bool jit_symbol(struct jit *jit, const struct process *process, uint64_t address,
		struct symbol_found *ret);
/* Forgets processes that were not asked for in two minutes. */
void jit_expire(struct jit *jit, uint64_t now_ns);
size_t jit_bytes(const struct jit *jit);
