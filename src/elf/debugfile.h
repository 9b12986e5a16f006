/* Debug files: what a linker or packager cut off from a file and put elsewhere.
 *
 * A file names its debug file by its build id, or in .gnu_debuglink by a name
 * and a checksum of the whole debug file (GDB manual, "Debugging Information in
 * Separate Files"). Here is what the file says, where to look, and whether what
 * lies there is it; opening is the caller's, who knows in whose root to look. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "elf/elf.h"

enum { DEBUGFILE_NAME_MAX = 255 };

struct debugfile_link {
	char build_id[2 * ELF_BUILD_ID_MAX + 1]; /* hex, or "" */
	char name[DEBUGFILE_NAME_MAX + 1];	 /* of a file, without a directory, or "" */
	uint32_t crc;
};

/* What the file says; false when nothing. Reads at most some hundred bytes of .gnu_debuglink. */
bool debugfile_link_read(const struct elf_file *file, struct debugfile_link *ret);
/* The nth path (from 0) to try, absolute in the root of whoever runs the file at file_path: below
 * /usr/lib/debug by build id, then by name beside the file, in .debug/ there, and below
 * /usr/lib/debug in the file's directory. False: no more. A path too long for ret is "". */
bool debugfile_path(const struct debugfile_link *link, struct str file_path, unsigned nth,
		    char *ret, size_t cap);
/* 0 when fd (a regular file) is the debug file and has symbols or DWARF. By build id where both have
 * one; else by checksum, for which it is read as a whole, up to 512 MiB. ERR_NOT_FOUND: another
 * file; and the errors of elf_open. */
MUST_USE int debugfile_check(const struct debugfile_link *link, int fd, struct err *err);
