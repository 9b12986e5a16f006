/* Addresses of a process, or of the kernel, into locations of a batch. Each
 * distinct (file, address) is looked up once per batch. One thread. */
#pragma once

#include "agent/files.h"
#include "agent/processes.h"
#include "base/map.h"
#include "elf/elf.h"
#include "profile/profile.h"

struct symbolizer {
	struct files *files;
	struct processes *processes;
	struct kallsyms *kernel; /* NULL: kernel frames have addresses only */
	struct profile_batch *batch;
	struct map locations; /* (file, address) -> location */
	struct map mappings;  /* file, or kernel module by address of its struct -> mapping */
	uint32_t native_attr, kernel_attr; /* profile.frame.type */
	uint64_t named, unnamed;	   /* look-ups, since ever */
};

void symbolizer_deinit(struct symbolizer *symbolizer);
/* Starts on another batch. */
MUST_USE int symbolizer_begin(struct symbolizer *symbolizer, struct profile_batch *batch,
			      struct err *err);
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
