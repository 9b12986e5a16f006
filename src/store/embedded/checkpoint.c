/* A checkpoint is a directory as a store has it (FORMAT and db), so that whoever
 * reads stores reads it too. Its tables are hard links: it costs no copy, but
 * keeps the space of what a compaction or the retention takes away meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/embedded/control.h"
#include "store/embedded/copy.h"

enum { DIRECTORY_MODE = 0700 };

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool checkpoint_name_ok(struct str name)
{
	if (name.len == 0 || name.len > CHECKPOINT_NAME_MAX || name.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!name_char(name.ptr[i]))
			return false;
	return true;
}

static int make_directory(const char *path, struct err *err)
{
	if (mkdir(path, DIRECTORY_MODE))
		return err_set_errno(err, errno, "making directory %s", path);
	return 0;
}

/* The database may be closed and opened anew while we wait for it, but not while we use it. */
static int fill(struct store *store, const char *place, struct err *err)
{
	char database[PLACE_MAX + 8];
	snprintf(database, sizeof(database), "%s/db", place);
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? rocks_checkpoint(store->rocks, database, err)
			      : err_set(err, ERR_BUSY, "the store's database is not open");
	pthread_rwlock_unlock(&store->rocks_lock);
	return rc ? rc : format_copy_file(store->path, place, err);
}

int checkpoint_take(struct store *store, const char *name, struct err *err)
{
	char parent[PLACE_MAX], place[PLACE_MAX];
	if (!checkpoint_name_ok(str_of(name)))
		return err_set(err, ERR_INVALID,
			       "\"%.80s\" is no name of a checkpoint: 1 to %d letters, digits, "
			       "'.', "
			       "'_', '-'",
			       name, CHECKPOINT_NAME_MAX);
	int need = snprintf(place, sizeof(place), "%s/checkpoints/%s", store->path, name);
	if ((size_t)need >= sizeof(place))
		return err_set(err, ERR_INVALID, "checkpoint: the path is too long");
	snprintf(parent, sizeof(parent), "%s/checkpoints", store->path);
	int rc = fd_make_dirs(parent, DIRECTORY_MODE, err);
	rc = rc ? rc : make_directory(place, err);
	if (rc)
		return err_wrap(err, "checkpoint %s", name);
	rc = fill(store, place, err);
	if (!rc)
		return 0;
	err_wrap(err, "checkpoint %s", name);
	(void)tree_remove(place, NULL);
	return rc;
}

int checkpoint_drop(const char *directory, const char *name, struct err *err)
{
	char place[PLACE_MAX];
	struct stat st;
	if (!checkpoint_name_ok(str_of(name)))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no name of a checkpoint", name);
	snprintf(place, sizeof(place), "%s/checkpoints/%s", directory, name);
	if (stat(place, &st))
		return err_set_errno(err, errno, "checkpoint %s", name);
	return tree_remove(place, err);
}

void checkpoint_drop_all(const char *directory)
{
	char parent[PLACE_MAX];
	snprintf(parent, sizeof(parent), "%s/checkpoints", directory);
	(void)tree_remove(parent, NULL);
}
