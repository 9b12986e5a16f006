/* Addresses of a process, or of the kernel, into locations of a batch. Each
 * distinct (file, address) is looked up once per batch. Names come at once;
 * source lines, and with them inlined functions, when the window is finished.
 *
 * A location's last line is the function that the symbol table names, so that
 * it has one name whether its lines came in time or not. One thread. */
#pragma once

#include "agent/files.h"
#include "agent/jit.h"
#include "agent/lines.h"
#include "agent/processes.h"
#include "base/map.h"
#include "elf/elf.h"
#include "profile/profile.h"

struct symbolizer_wish;

struct symbolizer {
	struct files *files;
	struct processes *processes;
	struct kallsyms *kernel; /* NULL: kernel frames have addresses only */
	struct profile_batch *batch;
	struct map locations; /* (file, address) -> location */
	struct map mappings;  /* file, or kernel module by address of its struct -> mapping */
	uint32_t native_attr, kernel_attr; /* profile.frame.type */
	uint64_t named, unnamed;	   /* look-ups, since ever */
	struct jit *jit;		   /* made when first needed */
	struct lines *lines;		   /* made when first needed; NULL: no memory for it */
	struct symbolizer_wish *wishes;	   /* locations of this batch that may get lines */
	size_t wish_count, wish_cap;
};

void symbolizer_deinit(struct symbolizer *symbolizer);
/* Starts on another batch. */
MUST_USE int symbolizer_begin(struct symbolizer *symbolizer, struct profile_batch *batch,
			      struct err *err);
/* How many addresses still wait for their lines; until_ns as lines_wait(). */
uint32_t symbolizer_wait(struct symbolizer *symbolizer, uint64_t until_ns);
int symbolizer_fd(const struct symbolizer *symbolizer); /* readable: call the above; -1: none */
/* Adds the lines that came. Where memory runs out, locations keep their names. */
void symbolizer_finish(struct symbolizer *symbolizer);
/* leaf: the address is the point of execution; else it is a return address, and the call is before. */
MUST_USE int symbolizer_kernel(struct symbolizer *symbolizer, uint64_t address, bool leaf,
			       uint32_t *ret_location, struct err *err);
/* *ret_mapped: the address is inside an executable mapping; a leaf outside gets a location, too. */
MUST_USE int symbolizer_user(struct symbolizer *symbolizer, struct process *process,
			     uint64_t address, bool leaf, bool *ret_mapped, uint32_t *ret_location,
			     struct err *err);
/* A frame that says something in brackets: "[truncated]". */
MUST_USE int symbolizer_note(struct symbolizer *symbolizer, const char *text,
			     uint32_t *ret_location, struct err *err);
