/* The files (and file-like things) that executable mappings show, by small ids
 * that stay the same while anything uses them.
 *
 * A mapping is first known by what the kernel says of it (struct file_source):
 * seeing that again costs a look-up. Content is looked at when it is needed,
 * through the process while it lives, so that other mount namespaces and
 * deleted files work; a file that was never seen before is opened at once,
 * since its process may be gone soon. Two sources with the same content become
 * one file. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct files;
struct elf_key;
struct symbol_found;

enum { FILE_ANON = 0, FILE_VDSO = 1, FILES_MAX = 65535 };

struct file_source {
	struct str path; /* as in /proc/PID/maps */
	uint32_t major, minor;
	uint64_t inode, inode_generation; /* 0: not known */
	const uint8_t *build_id;
	uint8_t build_id_len;
};

/* A mapping through which a file can be reached. */
struct file_place {
	uint32_t pid;
	uint64_t start, end;
};

/* What is known of a file, as batches show it; texts live as long as the file. */
struct file_info {
	struct str name;     /* basename, "[vdso]", "[anon]" */
	struct str build_id; /* GNU, hex, or "" */
	struct str htlhash;  /* or "" */
	uint64_t text_start,
		text_limit; /* executable segments, as ELF virtual addresses; 0, 0: unknown */
	bool is_elf;
};

/* proc is "/proc" or a copy of it, and must outlive the table. symbol_budget_bytes 0: a default. */
MUST_USE int files_create(const char *proc, size_t symbol_budget_bytes, struct files **ret,
			  struct err *err);
void files_destroy(struct files *files); /* NULL is fine */

/* The id of a source; FILE_ANON when the table is full (counted) or memory is short. *ret_new (may
 * be NULL): it was never seen. */
uint32_t files_intern(struct files *files, const struct file_source *source, bool *ret_new);
/* Memory without a file behind it: its addresses are the process's own. */
bool files_is_memory(const struct files *files, uint32_t id);
/* The same, and memory files that hold no ELF file (a memfd of a runtime that maps its code twice). */
bool files_is_code(const struct files *files, uint32_t id);
/* Opens the file now, if it is not yet: for new ones whose process may end. */
void files_touch(struct files *files, uint32_t id, const struct file_place *place);

/* Looks the content up if that was not done, and returns the id of the file with this content (itself,
 * or an earlier one). */
uint32_t files_resolve(struct files *files, uint32_t id, const struct file_place *place);
void files_get_info(const struct files *files, uint32_t id, struct file_info *ret);
/* Offset in the file -> ELF virtual address; false when the content is unknown or has no such part. */
bool files_vaddr(const struct files *files, uint32_t id, uint64_t offset, uint64_t *ret);
/* The ELF virtual address of where an executable mapping starts. Not that of its offset in the file: the page
 * may begin with the end of another segment, which is mapped for itself elsewhere. */
bool files_mapping_vaddr(const struct files *files, uint32_t id, uint64_t start, uint64_t offset,
			 uint64_t *ret);
/* The function at an ELF virtual address. False: no name. Texts live until the next call. */
bool files_symbol(struct files *files, uint32_t id, const struct file_place *place, uint64_t vaddr,
		  struct symbol_found *ret);

/* A number of its own for every file that ever was in the table: ids come back, numbers do not. */
uint64_t files_number(const struct files *files, uint32_t id);

/* A descriptor of the content of a resolved file, which the caller closes. ERR_NOT_FOUND: there is no
 * way to it any more, or it is no file. */
MUST_USE int files_open(struct files *files, uint32_t id, const struct file_place *place,
			int *ret_fd, struct err *err);
/* The same for its separate debug file, checked to be that: by build id or .gnu_debuglink, in the root
 * of the process and of the host. ERR_NOT_FOUND: there is none; remembered for some minutes. */
MUST_USE int files_open_debug(struct files *files, uint32_t id, const struct file_place *place,
			      int *ret_fd, struct err *err);

/* For files that a running program still writes to; regular files only, -1: no way. The one that a
 * mapping shows, whatever its content is by now; and one by its path in the root of a process. */
int files_open_grown(struct files *files, uint32_t id, const struct file_place *place);
int files_open_in_root(const struct files *files, uint32_t pid, const char *path);
const char *files_proc(const struct files *files);

/* Closes descriptors that were kept long enough. */
void files_expire(struct files *files, uint64_t now_ns);
/* Forgets files: unmark all, mark what is used, then sweep. Only worth it when files_crowded(). */
bool files_crowded(const struct files *files);
void files_unmark(struct files *files);
void files_mark(struct files *files, uint32_t id);
void files_sweep(struct files *files);

struct files_stats {
	uint32_t count, open_fds;
	uint64_t full;	     /* sources that became FILE_ANON for lack of room */
	uint64_t unreadable; /* files whose content could not be reached */
	size_t symbol_bytes;
};

void files_get_stats(const struct files *files, struct files_stats *ret);
