/* Source lines and inlined functions of the addresses of a window, of all
 * sources: Go's own tables at once, DWARF through the worker of elf/dwarf.h.
 *
 * An address is wanted when it is first seen, so that the worker is at it while
 * the window lasts; what came is found when the window is finished. What came
 * too late is known in the next one. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "elf/dwarf.h"

struct files;
struct file_place;
struct lines;

struct lines_options {
	size_t budget_bytes;  /* of remembered rows; 0: a default */
	int64_t worker_bytes; /* as dwarf_options.memory_bytes */
};

MUST_USE int lines_create(struct files *files, const struct lines_options *options,
			  struct lines **ret, struct err *err);
void lines_destroy(struct lines *lines); /* NULL is fine */
/* vaddr is an ELF virtual address of a resolved file that place leads to. */
void lines_want(struct lines *lines, uint32_t file, const struct file_place *place, uint64_t vaddr);
/* Moves things on and returns how many addresses still wait. Waits until_ns (clock_mono_ns(); 0: not at
 * all), and not when none do. */
uint32_t lines_wait(struct lines *lines, uint64_t until_ns);
int lines_fd(const struct lines *lines); /* readable: call the above; -1: nothing comes */
/* Rows of an address, innermost first; false: none, or not known (yet). They live until the next call of
 * any function here. *ret_whole: the source names functions as the file's own tables do, so that the
 * last row's name is to be taken, too. */
bool lines_find(struct lines *lines, uint32_t file, uint64_t vaddr,
		const struct dwarf_row **ret_rows, uint32_t *ret_count, bool *ret_whole);

struct lines_stats {
	struct dwarf_stats dwarf;
	uint64_t late; /* addresses that were not known when they were looked for */
	uint32_t files, dwarf_files, go_files, bad_files;
	size_t bytes; /* of remembered rows and of Go's tables */
};

/* One line of the debug log. */
void lines_tell(const struct lines *lines);
void lines_get_stats(const struct lines *lines, struct lines_stats *ret);
