#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int read_all(int fd, const char *path, size_t limit_bytes, struct buf *ret, struct err *err)
{
	enum { STEP_BYTES = 16 * 1024 };
	size_t start = ret->len;

	for (;;) {
		if (!buf_reserve(ret, STEP_BYTES))
			return buf_check(ret, path, err);
		/* One byte past the limit shows that there is more. */
		size_t room = ret->cap - ret->len - 1;
		size_t allowed = limit_bytes - (ret->len - start);
		if (allowed < room)
			room = allowed + 1;
		ssize_t got = read(fd, ret->ptr + ret->len, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "reading %s", path);
		if (got == 0)
			return 0;
		if ((size_t)got > allowed)
			return err_set(err, ERR_LIMIT, "reading %s: larger than %zu bytes", path,
				       limit_bytes);
		ret->len += (size_t)got;
	}
}

int fd_read_file_at(int dir_fd, const char *path, size_t limit_bytes, struct buf *ret,
		    struct err *err)
{
	FD_AUTO int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	size_t start = ret->len;

	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", path);
	int code = read_all(fd, path, limit_bytes, ret, err);
	if (code)
		ret->len = start;
	return code;
}

int fd_read_file(const char *path, size_t limit_bytes, struct buf *ret, struct err *err)
{
	return fd_read_file_at(AT_FDCWD, path, limit_bytes, ret, err);
}

int fd_write_all(int fd, const void *ptr, size_t len, struct err *err)
{
	const char *p = ptr;

	while (len > 0) {
		ssize_t put = write(fd, p, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_set_errno(err, errno, "writing %zu bytes", len);
		p += put;
		len -= (size_t)put;
	}
	return 0;
}

static int write_synced(const char *path, const void *ptr, size_t len, struct err *err)
{
	FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_set_errno(err, errno, "creating %s", path);
	int code = fd_write_all(fd, ptr, len, err);
	if (code) {
		err_wrap(err, "%s", path);
		return code;
	}
	if (fsync(fd) < 0)
		return err_set_errno(err, errno, "syncing %s", path);
	return 0;
}

int fd_sync_dir(const char *path, struct err *err)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", path);
	if (fsync(fd) < 0)
		return err_set_errno(err, errno, "syncing %s", path);
	return 0;
}

int fd_sync_dir_of(const char *path, struct err *err)
{
	char dir[PATH_MAX];
	struct str whole = str_of(path);
	while (whole.len > 1 && whole.ptr[whole.len - 1] == '/')
		whole.len--;
	ptrdiff_t slash = str_rfind_char(whole, '/');

	str_copy(dir, sizeof(dir), slash < 0 ? STR(".") : str_sub(whole, 0, (size_t)slash + 1));
	return fd_sync_dir(dir, err);
}

int fd_replace_file(const char *path, const void *ptr, size_t len, struct err *err)
{
	char tmp[PATH_MAX];
	int need = snprintf(tmp, sizeof(tmp), "%s.tmp", path);

	if (need < 0 || (size_t)need >= sizeof(tmp))
		return err_set(err, ERR_INVALID, "writing %.64s...: the path is too long", path);
	int code = write_synced(tmp, ptr, len, err);
	if (!code && rename(tmp, path) < 0)
		code = err_set_errno(err, errno, "renaming %s to %s", tmp, path);
	if (code) {
		unlink(tmp);
		return code;
	}
	return fd_sync_dir_of(path, err);
}

static int make_dir(const char *path, unsigned mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, (mode_t)mode) == 0)
		return 0;
	int why = errno;
	if (stat(path, &st) < 0)
		return err_set_errno(err, why, "making directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set_errno(err, ENOTDIR, "making directory %s", path);
	return 0;
}

int fd_make_dirs(const char *path, unsigned mode, struct err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return err_set(err, ERR_INVALID, "making directory \"%.64s\": the path is %s", path,
			       len ? "too long" : "empty");
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		str_copy(part, sizeof(part), str_make(path, i));
		int code = make_dir(part, mode, err);
		if (code)
			return code;
	}
	return 0;
}
