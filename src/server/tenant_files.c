/* ROOT/TENANT/NAME. A tenant's id has only characters that a file name may have, and is neither "." nor
 * ".." (ingest_tenant); in front stands a "t", so that it is no hidden file either. */
#include "server/tenant_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/engine.h"

enum { PATH_BYTES = 4096, DIRECTORY_MODE = 0750, NAMES_MAX = 100000, TENANTS_MAX = 10000 };

void tenant_files_init(struct tenant_files *files, struct str root)
{
	files->root = root;
	files->store = NULL;
	pthread_mutex_init(&files->lock, NULL);
}

void tenant_files_deinit(struct tenant_files *files)
{
	pthread_mutex_destroy(&files->lock);
}

static int path_of(const struct tenant_files *files, struct str tenant, const char *name, char *ret,
		   struct err *err)
{
	int len = snprintf(ret, PATH_BYTES, "%.*s/t%.*s/%s", STR_ARG(files->root), STR_ARG(tenant),
			   name);
	if (files->root.len == 0)
		return err_set(err, ERR_UNSUPPORTED, "there is no directory to keep it in");
	if (len < 0 || len >= PATH_BYTES)
		return err_set(err, ERR_INVALID, "%s: the path is too long", name);
	return 0;
}

int tenant_file_read(const struct tenant_files *files, struct str tenant, const char *name,
		     size_t limit_bytes, struct buf *ret, struct err *err)
{
	char path[PATH_BYTES];
	if (files->root.len == 0)
		return err_set(err, ERR_NOT_FOUND, "%s is not there", name);
	int rc = path_of(files, tenant, name, path, err);
	return rc ? rc : fd_read_file(path, limit_bytes, ret, err);
}

static size_t count_tenants(const char *root)
{
	char path[PATH_BYTES];
	size_t count = 0;
	snprintf(path, sizeof(path), "%s", root);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
		count += entry->d_name[0] == 't';
	if (dir)
		closedir(dir);
	return count;
}

/* What strangers may write is bounded for each tenant; here it is for all of them. */
static int check_room(const struct tenant_files *files, struct str tenant, struct err *err)
{
	char own[PATH_BYTES], root[PATH_BYTES];
	int rc = files->store ? store_check_room(files->store, err) : 0;
	rc = rc ? rc : path_of(files, tenant, "", own, err);
	if (rc || access(own, F_OK) == 0)
		return rc;
	str_copy(root, sizeof(root), files->root);
	if (count_tenants(root) < TENANTS_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "%d tenants keep settings or files here; no more can",
		       TENANTS_MAX);
}

int tenant_file_write(const struct tenant_files *files, struct str tenant, const char *name,
		      struct str bytes, struct err *err)
{
	char path[PATH_BYTES], directory[PATH_BYTES];
	int rc = path_of(files, tenant, name, path, err);
	if (rc)
		return rc;
	ptrdiff_t slash = str_rfind_char(str_of(path), '/');
	str_copy(directory, sizeof(directory), str_sub(str_of(path), 0, (size_t)slash));
	rc = check_room(files, tenant, err);
	rc = rc ? rc : fd_make_dirs(directory, DIRECTORY_MODE, err);
	rc = rc ? rc : fd_sync_dir_of(directory, err);
	return rc ? rc : fd_replace_file(path, bytes.ptr, bytes.len, err);
}

int tenant_file_remove(const struct tenant_files *files, struct str tenant, const char *name,
		       struct err *err)
{
	char path[PATH_BYTES];
	int rc = path_of(files, tenant, name, path, err);
	if (rc)
		return rc;
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set_errno(err, errno, "removing %s", path);
	return fd_sync_dir_of(path, err);
}

static int gather(DIR *dir, struct arena *arena, struct str **ret, size_t *ret_count,
		  struct err *err)
{
	size_t cap = 0;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct str name = str_of(entry->d_name);
		if (name.ptr[0] == '.' || str_ends_with(name, STR(".tmp")))
			continue;
		if (*ret_count == NAMES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d files", NAMES_MAX);
		struct str *names = arena_grow(arena, *ret, &cap, *ret_count + 1, sizeof(*names));
		struct str copy = names ? arena_str(arena, name) : (struct str){NULL, 0};
		if (!copy.ptr)
			return err_set(err, ERR_NOMEM, "no memory for the names of files");
		*ret = names;
		names[(*ret_count)++] = copy;
	}
	return 0;
}

int tenant_files_list(const struct tenant_files *files, struct str tenant, const char *name,
		      struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	char path[PATH_BYTES];
	*ret = NULL;
	*ret_count = 0;
	if (files->root.len == 0)
		return 0;
	int rc = path_of(files, tenant, name, path, err);
	if (rc)
		return rc;
	DIR *dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "listing %s", path);
	rc = gather(dir, arena, ret, ret_count, err);
	closedir(dir);
	return rc;
}
