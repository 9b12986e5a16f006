/* Whole user stacks: keeps what BPF needs for unwinding processes, and walks on
 * in user space where a sample found it missing.
 *
 *	tables.h	a file's table, built when the first sample needs it
 *	rowsets.h	a set of mappings, as rows that name tables
 *	publish.h	a process, known to BPF by its rows
 *
 * All is made for the first sample that needs it; that sample carries a copy of
 * its stack, so it is finished here and not lost. Memory is the space's, of fixed
 * size: what was not used for longest goes first. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/processes.h"
#include "agent/publish.h"
#include "agent/sampler.h"
#include "agent/tables.h"
#include "base/err.h"
#include "unwind/unwind.h"

struct unwinding;

struct unwinding_options {
	void *memory; /* of the space, zeroed */
	uint32_t chunks;
	uint16_t machine;	/* EM_X86_64, EM_AARCH64 */
	uint32_t processes_max; /* that BPF has room for */
	struct publish_ops ops;
};

/* files and processes must outlive it; it listens to processes. */
MUST_USE int unwinding_create(const struct unwinding_options *options, struct files *files,
			      struct processes *processes, struct unwinding **ret, struct err *err);
void unwinding_destroy(struct unwinding *unwinding); /* NULL is fine; before processes */

/* The user part of a stack, leaf first, with UNWIND_FRAME_EXACT where so. */
struct user_stack {
	const uint64_t *frames;
	uint32_t count;
	enum unwind_end end;
};

/* Walks on where BPF stopped, building what is missing, and sees to it that BPF knows more next time.
 * process is the sample's, now_ns the time of this tick. *ret lives until the next call. Else than 0: *ret
 * is what is known now, and more would be known in the next tick (ERR_BUSY: tables are to be built), or
 * some ticks later (ERR_LIMIT: there is no room yet, or too many rows to be written so often). */
int unwinding_finish(struct unwinding *unwinding, struct process *process,
		     const struct sample *sample, uint64_t now_ns, struct user_stack *ret);
/* To be called when all samples and events that were there are taken: tells BPF what is new, throws
 * out what is old. */
void unwinding_tick(struct unwinding *unwinding, uint64_t now_ns);
/* Marks files in use, for files_sweep(). */
void unwinding_mark_files(struct unwinding *unwinding, uint64_t now_ns);

struct unwinding_stats {
	struct tables_stats tables;
	struct publisher_stats processes;
	size_t space_bytes, used_bytes;
	uint64_t finished; /* samples walked on in user space, to where nothing more is to come */
	uint64_t evicted;  /* tables thrown out for others to have room */
};

void unwinding_get_stats(const struct unwinding *unwinding, struct unwinding_stats *ret);
