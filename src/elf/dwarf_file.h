/* Private to elf/: one file's DWARF, read with libdw. Only for the worker
 * process, its tests and its fuzzer: a crafted file can make libdw crash, run
 * for long or take much memory. */
#pragma once

#include "elf/dwarf.h"

struct dwarf_file;

/* The descriptors are borrowed until the close; fds.alt may be -1. ERR_NOT_FOUND: no DWARF. */
MUST_USE int dwarf_file_open(const struct dwarf_fds *fds, struct dwarf_file **ret, struct err *err);
/* The same over bytes that the caller keeps. */
MUST_USE int dwarf_file_open_memory(char *image, size_t len, struct dwarf_file **ret,
				    struct err *err);
void dwarf_file_close(struct dwarf_file *file); /* NULL is fine */
/* Fills up to DWARF_ROWS_MAX rows, innermost first, and returns how many. Texts are as in the file
 * (not cleaned) and live until the next call. */
uint32_t dwarf_file_find(struct dwarf_file *file, uint64_t vaddr, struct dwarf_row *rows);
