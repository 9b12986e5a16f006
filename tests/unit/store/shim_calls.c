/* The calls are those that RocksDB 7.8 and the store make, found with strace
 * and in the library's dynamic symbols. They go to the kernel directly, except
 * for those that the C library builds on top (opendir, fread_unlocked). A file
 * opened outside the root, and every file while nothing is started, is passed
 * through. Built without _FILE_OFFSET_BITS, which would give the functions
 * other names: both names are here, since programs use either. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim_state.h"

enum { LAZY_SYNC_NS = 300 * 1000 };

_Static_assert(sizeof(off_t) == 8 && sizeof(struct stat) == sizeof(struct stat64),
	       "both names of a call are one function");
#define SAME_AS(function) __attribute__((alias(#function)))

static bool ours(int fd)
{
	return shim_page && fd >= 0 && fd < DESCRIPTORS_MAX && shim_files[fd].handle;
}

/* ---- opening and closing ---- */

static int sys_open(int directory, const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static void remember(int fd, const char *name)
{
	if (fd >= DESCRIPTORS_MAX)
		abort();
	snprintf(shim_files[fd].name, sizeof(shim_files[fd].name), "%s", name);
	shim_files[fd].handle = atomic_fetch_add(&shim_page->handles, 1) + 1;
}

static int open_ours(const char *path, const char *name, int flags, mode_t mode)
{
	bool changes = flags & (O_CREAT | O_TRUNC);
	if (shim_fails(changes ? SHIM_CREATE : SHIM_OPEN, name))
		return -1;
	bool last = changes && shim_enter();
	int fd = sys_open(AT_FDCWD, path, flags, mode);
	if (fd >= 0)
		remember(fd, name);
	if (!changes)
		shim_enter_quietly();
	if (fd >= 0)
		shim_add(RECORD_OPEN, shim_files[fd].handle, (uint64_t)(unsigned)flags, name,
			 strlen(name) + 1);
	shim_leave(last);
	return fd;
}

static int open_any(int directory, const char *path, int flags, mode_t mode)
{
	const char *name = directory == AT_FDCWD || *path == '/' ? below_root(path) : NULL;
	if (name)
		return open_ours(path, name, flags, mode);
	int fd = sys_open(directory, path, flags, mode);
	/* fclose() closes below us. */
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		shim_files[fd].handle = 0;
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) SAME_AS(open);

int openat(int directory, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_any(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) SAME_AS(openat);

/* The descriptor is closed even when the call fails, as Linux does it. */
int close(int fd)
{
	bool failed = false;
	if (ours(fd)) {
		failed = shim_fails(SHIM_CLOSE, shim_files[fd].name);
		shim_files[fd].handle = 0;
	}
	int saved = errno, rc = (int)syscall(SYS_close, fd);
	if (failed)
		errno = saved;
	return failed ? -1 : rc;
}

DIR *opendir(const char *path)
{
	static DIR *(*real)(const char *);
	const char *name = below_root(path);
	if (name && shim_fails(SHIM_OPEN, name))
		return NULL;
	if (!real)
		real = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
	return real(path);
}

/* ---- reading ---- */

ssize_t read(int fd, void *bytes, size_t len)
{
	if (ours(fd) && shim_fails(SHIM_READ, shim_files[fd].name))
		return -1;
	return syscall(SYS_read, fd, bytes, len);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	if (ours(fd) && shim_fails(SHIM_READ, shim_files[fd].name))
		return -1;
	return syscall(SYS_pread64, fd, bytes, len, offset);
}
ssize_t pread64(int fd, void *bytes, size_t len, off64_t offset) SAME_AS(pread);

#undef fread_unlocked
size_t fread_unlocked(void *bytes, size_t size, size_t count, FILE *stream)
{
	static size_t (*real)(void *, size_t, size_t, FILE *);
	int fd = fileno(stream);
	if (ours(fd) && shim_fails(SHIM_READ, shim_files[fd].name))
		return 0;
	if (!real)
		real = (size_t(*)(void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT,
									"fread_unlocked");
	return real(bytes, size, count, stream);
}

/* ---- writing ---- */

/* How much of it is written; 0 of what has to fail. */
static size_t allowed(int fd, size_t len, bool *ret_failed)
{
	const struct shim_plan *plan = &shim_page->plan;
	uint32_t number = atomic_fetch_add(&shim_page->writes, 1) + 1;
	*ret_failed = shim_fails(SHIM_WRITE, shim_files[fd].name);
	if (*ret_failed)
		return plan->torn ? len / 2 : 0;
	bool cut = plan->short_every && number % plan->short_every == 0 && len > 1;
	return cut ? len / 2 : len;
}

static ssize_t write_ours(int fd, const void *bytes, size_t len, off_t offset)
{
	bool failed;
	size_t put = allowed(fd, len, &failed);
	bool last = shim_enter();
	int error = errno;
	if (last)
		put /= 2;
	ssize_t done = 0;
	if (put)
		done = offset < 0 ? syscall(SYS_write, fd, bytes, put)
				  : syscall(SYS_pwrite64, fd, bytes, put, offset);
	if (done > 0)
		shim_add(RECORD_WRITE, shim_files[fd].handle,
			 (uint64_t)(offset < 0 ? lseek(fd, 0, SEEK_CUR) - done : offset), bytes,
			 (size_t)done);
	shim_leave(last);
	if (failed)
		errno = error;
	return failed ? -1 : done;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	return ours(fd) ? write_ours(fd, bytes, len, -1) : syscall(SYS_write, fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return ours(fd) ? write_ours(fd, bytes, len, offset)
			: syscall(SYS_pwrite64, fd, bytes, len, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) SAME_AS(pwrite);

static int resize_ours(int fd, off_t size)
{
	bool last = shim_enter();
	int rc = (int)syscall(SYS_ftruncate, fd, size);
	if (!rc)
		shim_add(RECORD_RESIZE, shim_files[fd].handle, (uint64_t)size, "", 0);
	shim_leave(last);
	return rc;
}

int ftruncate(int fd, off_t size)
{
	if (!ours(fd))
		return (int)syscall(SYS_ftruncate, fd, size);
	return shim_fails(SHIM_RESIZE, shim_files[fd].name) ? -1 : resize_ours(fd, size);
}
int ftruncate64(int fd, off64_t size) SAME_AS(ftruncate);

/* Keeps the size (FALLOC_FL_KEEP_SIZE), as RocksDB asks it to, so it changes nothing that is read. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (ours(fd) && shim_fails(SHIM_RESIZE, shim_files[fd].name))
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t len) SAME_AS(fallocate);

/* ---- syncing ---- */

static int sync_really(int fd, bool data_only)
{
	struct timespec time = {0, LAZY_SYNC_NS};
	if (shim_page->plan.lazy_sync)
		return nanosleep(&time, NULL) ? 0 : 0;
	return (int)syscall(data_only ? SYS_fdatasync : SYS_fsync, fd);
}

/* Others go on meanwhile: what they change after the beginning is not promised by the end. */
static int sync_ours(int fd, bool data_only)
{
	uint32_t handle = shim_files[fd].handle,
		 number = atomic_fetch_add(&shim_page->syncs, 1) + 1;
	bool last = shim_enter();
	shim_add(RECORD_SYNC_BEGIN, handle, 0, "", 0)->sync = number;
	shim_leave(last);
	bool failed = shim_fails(SHIM_SYNC, shim_files[fd].name);
	int error = errno, rc = failed ? -1 : sync_really(fd, data_only);
	if (!failed)
		error = errno;
	last = shim_enter();
	shim_add(rc ? RECORD_SYNC_FAILED : RECORD_SYNC_END, handle, 0, "", 0)->sync = number;
	shim_leave(last);
	errno = error;
	return rc;
}

int fsync(int fd)
{
	return ours(fd) ? sync_ours(fd, false) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return ours(fd) ? sync_ours(fd, true) : (int)syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	if (ours(fd) && shim_fails(SHIM_RANGE, shim_files[fd].name))
		return -1;
	return (int)syscall(SYS_sync_file_range, fd, offset, len, flags);
}

/* ---- names ---- */

int rename(const char *from, const char *to)
{
	const char *old_name = below_root(from), *new_name = below_root(to);
	if (!old_name || !new_name)
		return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (shim_fails(SHIM_RENAME, old_name))
		return -1;
	bool last = shim_enter();
	int rc = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (!rc)
		shim_add_paths(RECORD_RENAME, old_name, new_name);
	shim_leave(last);
	return rc;
}

int link(const char *from, const char *to)
{
	const char *old_name = below_root(from), *new_name = below_root(to);
	if (!old_name || !new_name)
		return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (shim_fails(SHIM_CREATE, new_name))
		return -1;
	bool last = shim_enter();
	int rc = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (!rc)
		shim_add_paths(RECORD_LINK, old_name, new_name);
	shim_leave(last);
	return rc;
}

static int unlink_ours(const char *path, const char *name, int flags)
{
	if (shim_fails(SHIM_UNLINK, name))
		return -1;
	bool last = shim_enter();
	int rc = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
	if (!rc)
		shim_add_path(flags ? RECORD_RMDIR : RECORD_UNLINK, name);
	shim_leave(last);
	return rc;
}

int unlink(const char *path)
{
	const char *name = below_root(path);
	return name ? unlink_ours(path, name, 0) : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	const char *name = below_root(path);
	return name ? unlink_ours(path, name, AT_REMOVEDIR)
		    : (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
	const char *name = below_root(path);
	if (!name)
		return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (shim_fails(SHIM_CREATE, name))
		return -1;
	bool last = shim_enter();
	int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (!rc)
		shim_add_path(RECORD_MKDIR, name);
	shim_leave(last);
	return rc;
}

/* ---- looking ---- */

int access(const char *path, int mode)
{
	const char *name = below_root(path);
	if (name && shim_fails(SHIM_LOOK, name))
		return -1;
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int stat(const char *path, struct stat *st)
{
	const char *name = below_root(path);
	if (name && shim_fails(SHIM_LOOK, name))
		return -1;
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);
}

int fstat(int fd, struct stat *st)
{
	if (ours(fd) && shim_fails(SHIM_LOOK, shim_files[fd].name))
		return -1;
	return (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

int stat64(const char *path, struct stat64 *st)
{
	return stat(path, (struct stat *)st);
}

int fstat64(int fd, struct stat64 *st)
{
	return fstat(fd, (struct stat *)st);
}
