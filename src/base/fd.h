/* Files and descriptors. Any thread. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Closes *fd if >= 0 and sets it to -1; for __attribute__((cleanup(fd_close))). */
void fd_close(int *fd);
#define FD_AUTO __attribute__((cleanup(fd_close)))

/* Whole file, at most limit bytes (ERR_LIMIT if larger), into buf (appended). Works on /proc files,
 * whose size is unknown. The error names the path. */
MUST_USE int fd_read_file(const char *path, size_t limit_bytes, struct buf *ret, struct err *err);
MUST_USE int fd_read_file_at(int dir_fd, const char *path, size_t limit_bytes, struct buf *ret,
			     struct err *err);
/* Everything, through short writes and EINTR. */
MUST_USE int fd_write_all(int fd, const void *ptr, size_t len, struct err *err);
/* Writes path.tmp, fsyncs, renames, fsyncs the directory: after it path is whole or as before. */
MUST_USE int fd_replace_file(const char *path, const void *ptr, size_t len, struct err *err);
/* Makes the names in a directory durable: a file or directory that was made or renamed is safe from a
 * power cut only once the directory that it stands in is synced. */
MUST_USE int fd_sync_dir(const char *path, struct err *err);
/* The directory in which path stands. */
MUST_USE int fd_sync_dir_of(const char *path, struct err *err);
/* mkdir -p; an existing directory is fine. */
MUST_USE int fd_make_dirs(const char *path, unsigned mode, struct err *err);
