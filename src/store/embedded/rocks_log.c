#include "store/embedded/rocks_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"

bool rocks_is_log(const char *name)
{
	size_t len = strlen(name);
	return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

static int sync_log(const char *path, const char *name, void *context, struct err *err)
{
	(void)context;
	char log[PATH_MAX];
	snprintf(log, sizeof(log), "%s/%s", path, name);
	FD_AUTO int fd = open(log, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", log);
	return fsync(fd) ? err_set_errno(err, errno, "syncing %s", log) : 0;
}

/* Adds to the sum at context. */
static int add_log_size(const char *path, const char *name, void *context, struct err *err)
{
	char log[PATH_MAX];
	struct stat st;
	(void)err;
	snprintf(log, sizeof(log), "%s/%s", path, name);
	if (!stat(log, &st))
		*(uint64_t *)context += (uint64_t)st.st_size;
	return 0;
}

static int each_log(const char *path, int (*run)(const char *, const char *, void *, struct err *),
		    void *context, struct err *err)
{
	DIR *directory = opendir(path);
	int rc = 0;
	if (!directory)
		return err_set_errno(err, errno, "opening %s", path);
	for (struct dirent *entry = readdir(directory); !rc && entry; entry = readdir(directory))
		if (rocks_is_log(entry->d_name))
			rc = run(path, entry->d_name, context, err);
	closedir(directory);
	return rc;
}

bool rocks_log_must_stay(const char *path, uint64_t needed_bytes)
{
	struct statvfs disk;
	struct err ignored;
	uint64_t bytes = needed_bytes;
	if (each_log(path, add_log_size, &bytes, &ignored) || statvfs(path, &disk))
		return false; /* opening it will say what is wrong */
	return (uint64_t)disk.f_bavail * disk.f_frsize < bytes;
}

int rocks_sync_logs(const char *path, struct err *err)
{
	int rc = each_log(path, sync_log, NULL, err);
	return rc ? rc : fd_sync_dir(path, err);
}
