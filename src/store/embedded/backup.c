/* A backup and its way back are the same thing: a copy of a store that holds
 * still, which appears under its name when all of it is on disk, or not at all. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/embedded/control.h"
#include "store/embedded/copy.h"

enum { DIRECTORY_MODE = 0700 };

struct stage {
	char partial[PLACE_MAX], store[PLACE_MAX + 64], parent[PLACE_MAX];
	int lock_fd; /* keeps a second copy to the same place out */
};

static int name_places(const struct store_copy *options, struct stage *stage, struct err *err)
{
	struct str to = str_of(options->to);
	while (to.len > 1 && to.ptr[to.len - 1] == '/')
		to.len--;
	if (to.len == 0 || to.len + sizeof(".partial") > PLACE_MAX || strlen(options->within) > 32)
		return err_set(err, ERR_INVALID, "\"%.64s\" is no place for a copy", options->to);
	ptrdiff_t slash = str_rfind_char(to, '/');
	str_copy(stage->parent, sizeof(stage->parent),
		 slash < 0 ? STR(".") : str_sub(to, 0, (size_t)slash + 1));
	snprintf(stage->partial, sizeof(stage->partial), "%.*s.partial", STR_ARG(to));
	snprintf(stage->store, sizeof(stage->store), "%s%s%s", stage->partial,
		 *options->within ? "/" : "", options->within);
	return 0;
}

static int refuse_existing(const char *to, struct err *err)
{
	struct stat st;
	if (lstat(to, &st) == 0)
		return err_set(err, ERR_EXISTS, "%s is there already", to);
	return errno == ENOENT ? 0 : err_set_errno(err, errno, "looking at %s", to);
}

/* ---- the stage ---- */

/* The lock is the copy's own, as every store has one; it stays. */
static int begin(struct stage *stage, struct err *err)
{
	char database[sizeof(stage->store) + 8];
	int rc = fd_make_dirs(stage->parent, DIRECTORY_MODE, err);
	rc = rc ? rc : fd_make_dirs(stage->store, DIRECTORY_MODE, err);
	rc = rc ? rc : directory_lock(stage->store, &stage->lock_fd, err);
	if (rc == ERR_BUSY)
		return err_set(err, ERR_BUSY, "another copy to %s is being made", stage->partial);
	if (rc)
		return rc;
	/* What an interrupted copy left. */
	snprintf(database, sizeof(database), "%s/db", stage->store);
	return tree_remove(database, err);
}

static int fill(const struct store_copy *options, const struct lease *lease, struct stage *stage,
		struct store_copied *done, struct err *err)
{
	char from[PLACE_MAX + 8], to[sizeof(stage->store) + 8];
	snprintf(from, sizeof(from), "%s/db", lease->path);
	snprintf(to, sizeof(to), "%s/db", stage->store);
	int rc = copy_database(from, to, options, done, err);
	return rc ? rc : format_copy_file(lease->path, stage->store, err);
}

static int finish(const struct store_copy *options, struct stage *stage, struct err *err)
{
	int rc = directory_sync(stage->store, err);
	rc = rc ? rc : directory_sync(stage->partial, err);
	rc = rc ? rc : refuse_existing(options->to, err);
	if (rc)
		return rc;
	if (rename(stage->partial, options->to))
		return err_set_errno(err, errno, "renaming %s to %s", stage->partial, options->to);
	return directory_sync(stage->parent, err);
}

static int copy_lease(const struct store_copy *options, const struct lease *lease,
		      struct store_copied *done, struct err *err)
{
	struct stage stage = {.lock_fd = -1};
	int rc = name_places(options, &stage, err);
	rc = rc ? rc : begin(&stage, err);
	if (!rc) {
		rc = fill(options, lease, &stage, done, err);
		rc = lease_check(lease, rc, err);
	}
	rc = rc ? rc : finish(options, &stage, err);
	if (rc && stage.lock_fd >= 0)
		(void)tree_remove(stage.partial, NULL);
	fd_close(&stage.lock_fd);
	return rc;
}

int store_copy(const struct store_copy *options, struct store_copied *ret, struct err *err)
{
	struct lease lease = {.lock_fd = -1, .control_fd = -1};
	struct store_copied done = {0};
	int rc = refuse_existing(options->to, err);
	rc = rc ? rc : lease_take(options->from, &lease, err);
	rc = rc ? rc : copy_lease(options, &lease, &done, err);
	lease_end(&lease);
	if (rc)
		return rc;
	*ret = done;
	return 0;
}
