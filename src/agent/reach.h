/* Private to files.c: ways to the bytes of a mapped file and of its debug file.
 *
 * Whoever runs a program chooses what its paths lead to, and may change that at
 * any time. So nothing but regular files is ever opened, a file found by path
 * must still be the one that was mapped, and links inside another process's
 * root stay inside it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct debugfile_link;
struct elf_key;
struct file_place;

/* What the kernel said of a mapped file. */
struct reach_claim {
	char *path; /* as in maps, without " (deleted)" */
	bool deleted;
	uint64_t inode;		   /* 0: unknown */
	char build_id[2 * 20 + 1]; /* or "" */
};

/* Through the mapping; else by path below the process's root, below that of init and below ours, if
 * that is still the same file. -1: no way. proc is "/proc" or a copy of it. */
int reach_content(const char *proc, const struct reach_claim *claim,
		  const struct file_place *place);
/* A path in the root of a process. -1: no regular file, or a link to one. */
int reach_path(const char *proc, uint32_t pid, const char *path);
/* The debug file of the file with this key: below the process's root, then init's, then ours. known
 * (NULL, or what *ret_key was last time) is not checked again. *ret_final: when it is not there, it
 * will not be in a second (the process's root could be looked at). -1: none. */
int reach_debug_file(const char *proc, const struct reach_claim *claim,
		     const struct debugfile_link *link, const struct elf_key *file,
		     const struct file_place *place, struct elf_key *known, bool *ret_final);
