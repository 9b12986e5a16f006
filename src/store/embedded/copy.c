#include "store/embedded/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 1024 * 1024, FILE_MODE = 0600, DIRECTORY_MODE = 0700, OPEN_FILES = 16 };

/* Of one run: everything that its files share. */
struct copying {
	int from, to; /* directories */
	const char *to_path;
	const struct store_copy *options;
	struct store_copied *done;
	uint64_t all_bytes;
	char *chunk;
	bool current; /* CURRENT was there */
};

/* RocksDB's own: LOG, LOG.old.123456 and LOCK say nothing about the data. */
static bool belongs(const char *name)
{
	return strcmp(name, "LOCK") != 0 && strcmp(name, "LOG") != 0 &&
	       strncmp(name, "LOG.", 4) != 0;
}

static int copy_bytes(struct copying *c, int from, int to, struct err *err)
{
	const struct store_copy *options = c->options;
	for (;;) {
		if (options->cancelled && *options->cancelled)
			return err_set(err, ERR_CANCELLED, "cancelled");
		ssize_t got = read(from, c->chunk, CHUNK_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "reading it");
		if (got == 0)
			break;
		int rc = fd_write_all(to, c->chunk, (size_t)got, err);
		if (rc)
			return rc;
		c->done->bytes += (uint64_t)got;
		if (options->progress)
			options->progress(options->user, c->done->bytes, c->all_bytes);
	}
	return fsync(to) ? err_set_errno(err, errno, "syncing the copy") : 0;
}

static int copy_file(struct copying *c, const char *name, struct err *err)
{
	FD_AUTO int from = openat(c->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return err_set_errno(err, errno, "opening %s", name);
	FD_AUTO int to = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
				FILE_MODE);
	if (to < 0)
		return err_set_errno(err, errno, "creating %s/%s", c->to_path, name);
	int rc = copy_bytes(c, from, to, err);
	if (rc)
		err_wrap(err, "copying %s to %s", name, c->to_path);
	else
		c->done->files++;
	return rc;
}

typedef int visit_file(struct copying *c, const char *name, off_t size_bytes, struct err *err);

static int each_file(struct copying *c, visit_file *visit, struct err *err)
{
	int rc = 0, again = dup(c->from);
	DIR *directory = again < 0 ? NULL : fdopendir(again);
	if (!directory) {
		rc = err_set_errno(err, errno, "listing the database's files");
		fd_close(&again);
		return rc;
	}
	rewinddir(directory);
	for (struct dirent *entry = readdir(directory); entry && !rc; entry = readdir(directory)) {
		struct stat st;
		if (!belongs(entry->d_name))
			continue;
		if (fstatat(c->from, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			rc = err_set_errno(err, errno, "looking at %s", entry->d_name);
		else if (S_ISREG(st.st_mode))
			rc = visit(c, entry->d_name, st.st_size, err);
	}
	closedir(directory);
	return rc;
}

static int weigh(struct copying *c, const char *name, off_t size_bytes, struct err *err)
{
	(void)err;
	c->all_bytes += (uint64_t)size_bytes;
	c->current = c->current || strcmp(name, "CURRENT") == 0;
	return 0;
}

static int copy_one(struct copying *c, const char *name, off_t size_bytes, struct err *err)
{
	(void)size_bytes;
	return copy_file(c, name, err);
}

static int copy_all(struct copying *c, const char *from, struct err *err)
{
	int rc = each_file(c, weigh, err);
	if (!rc && !c->current)
		rc = err_set(err, ERR_CORRUPT,
			     "%s/CURRENT is missing, so this is no whole database", from);
	rc = rc ? rc : each_file(c, copy_one, err);
	if (!rc && fsync(c->to))
		rc = err_set_errno(err, errno, "syncing %s", c->to_path);
	return rc;
}

int copy_database(const char *from, const char *to, const struct store_copy *options,
		  struct store_copied *done, struct err *err)
{
	struct copying c = {.to_path = to, .options = options, .done = done};
	if (mkdir(to, DIRECTORY_MODE))
		return err_set_errno(err, errno, "making directory %s", to);
	FD_AUTO int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0)
		return err_set_errno(err, errno, "opening %s", from);
	FD_AUTO int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to_fd < 0)
		return err_set_errno(err, errno, "opening %s", to);
	c.from = from_fd;
	c.to = to_fd;
	c.chunk = mem_alloc(CHUNK_BYTES);
	int rc = c.chunk ? copy_all(&c, from, err) : err_set(err, ERR_NOMEM, "copying: no memory");
	mem_free(c.chunk);
	return rc;
}

int directory_sync(const char *path, struct err *err)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", path);
	return fsync(fd) ? err_set_errno(err, errno, "syncing %s", path) : 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

int tree_remove(const char *path, struct err *err)
{
	if (nftw(path, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		return err_set_errno(err, errno, "removing %s", path);
	return 0;
}
