/* Where the source lines of a file are: in its own DWARF, in that of its debug
 * file, in Go's table, or nowhere. Looked at once, at the first address. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

struct files;
struct file_place;
struct go_lines;

struct line_file {
	uint64_t number; /* files_number() */
	int fd;		 /* of the file with .debug_info; -1: none */
	struct go_lines *go;
	bool bad;	   /* its DWARF was given up */
	uint64_t retry_ns; /* of one without lines: when to look again */
	uint64_t used;	   /* when last, as a count of uses */
	uint64_t used_ns;
};

struct line_files {
	struct map rows; /* number -> struct line_file */
	uint64_t uses;
	uint32_t open_fds;
	size_t go_bytes;
};

void line_files_deinit(struct line_files *table); /* a zeroed one is fine */
/* NULL: no lines. Valid until the next call. */
const struct line_file *line_files_get(struct line_files *table, struct files *files, uint32_t id,
				       const struct file_place *place);
/* Gives Go's tables back that were not asked for long: what they said is remembered elsewhere. */
void line_files_expire(struct line_files *table, uint64_t now_ns);
/* One that was looked at, or NULL. */
struct line_file *line_files_known(struct line_files *table, uint64_t number);
/* Its DWARF is not to be read again for an hour. */
void line_files_give_up(struct line_files *table, uint64_t number);
void line_files_count(const struct line_files *table, uint32_t *ret_all, uint32_t *ret_dwarf,
		      uint32_t *ret_go, uint32_t *ret_bad);
size_t line_files_bytes(const struct line_files *table);
