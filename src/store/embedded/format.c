/* The directory: FORMAT says in plain text who may read it, `lock` keeps a
 * second process out, `db` is RocksDB's. The format is checked before the
 * database is touched, since opening it already writes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/fd.h"
#include "store/embedded/embedded.h"

enum {
	FORMAT_VERSION = 2, /* what this program writes; it takes over 1 */
	PATH_MAX_BYTES = 4096,
	SMALL_FILE_MAX = 4096,
};

#define FORMAT_WORD "cresset-store"

static void name_file(char path[PATH_MAX_BYTES], const char *directory, const char *name)
{
	snprintf(path, PATH_MAX_BYTES, "%s/%s", directory, name);
}

/* ---- lock ---- */

static int in_use(int fd, const char *path, struct err *err)
{
	char pid[32] = {0};
	ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
	pid[len > 0 ? strcspn(pid, "\n") : 0] = 0;
	return err_set(err, ERR_BUSY,
		       "store directory in use: %s is locked by process %s; stop it, or give this "
		       "one another directory",
		       path, *pid ? pid : "(unknown)");
}

int directory_lock(const char *directory, int *ret_fd, struct err *err)
{
	char path[PATH_MAX_BYTES], pid[32];
	name_file(path, directory, "lock");
	FD_AUTO int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, errno, "opening %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? in_use(fd, path, err)
					    : err_set_errno(err, errno, "locking %s", path);
	int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	/* Only for people to read: a full disk must not keep the store from opening. */
	if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)len, 0) < 0)
		errno = 0;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- format ---- */

static int refuse(const char *path, unsigned long version, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "%s: the store has format %lu, this cresset reads formats 1 to %d; use the "
		       "newer cresset that wrote it, or another directory",
		       path, version, FORMAT_VERSION);
}

int format_refuse_newer(unsigned long version, const char *path, struct err *err)
{
	return version > FORMAT_VERSION ? refuse(path, version, err) : 0;
}

static int check_text(const char *path, const char *text, struct err *err)
{
	unsigned long version = 0;
	char rest;
	if (sscanf(text, FORMAT_WORD " %lu%c", &version, &rest) != 2 || rest != '\n' || !version)
		return err_set(err, ERR_CORRUPT, "%s: not a format that cresset knows", path);
	return format_refuse_newer(version, path, err);
}

static int write_file(const char *path, struct err *err)
{
	char text[64];
	int len = snprintf(text, sizeof(text), FORMAT_WORD " %d\n", FORMAT_VERSION);
	return fd_replace_file(path, text, (size_t)len, err);
}

/* *ret_missing: there is no such file. */
static int read_format(const char *path, bool *ret_missing, struct buf *ret, struct err *err)
{
	*ret_missing = access(path, F_OK) && errno == ENOENT;
	int rc = *ret_missing ? 0 : fd_read_file(path, SMALL_FILE_MAX, ret, err);
	if (rc || *ret_missing)
		return rc;
	buf_char(ret, 0);
	rc = buf_check(ret, path, err);
	return rc ? rc : check_text(path, ret->ptr, err);
}

int format_read_file(const char *directory, struct err *err)
{
	char path[PATH_MAX_BYTES];
	struct buf file = {0};
	bool missing;
	name_file(path, directory, "FORMAT");
	int rc = read_format(path, &missing, &file, err);
	buf_deinit(&file);
	return rc;
}

int format_copy_file(const char *from, const char *to, struct err *err)
{
	char path[PATH_MAX_BYTES];
	struct buf file = {0};
	bool missing;
	name_file(path, from, "FORMAT");
	int rc = read_format(path, &missing, &file, err);
	name_file(path, to, "FORMAT");
	if (!rc && !missing)
		rc = fd_replace_file(path, file.ptr, file.len - 1, err);
	buf_deinit(&file);
	return rc;
}

int format_check_file(const char *directory, struct err *err)
{
	char path[PATH_MAX_BYTES];
	struct buf file = {0};
	bool missing;
	name_file(path, directory, "FORMAT");
	int rc = read_format(path, &missing, &file, err);
	if (missing)
		rc = write_file(path, err);
	buf_deinit(&file);
	return rc;
}

/* The record inside says the same (a copied database without its directory), and has the seed. */
static int read_record(struct store *store, struct str bytes, uint32_t *ret_version,
		       struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint32_t version = *ret_version = cur_u32be(&in);
	store->seed = cur_u64be(&in);
	int rc = cur_check(&in, "format record", err);
	if (!rc && version > FORMAT_VERSION)
		rc = refuse(store->database_path, version, err);
	return rc;
}

static int write_record(struct store *store, const struct key *key, struct err *err)
{
	struct key value = {0};
	key_u32(&value, FORMAT_VERSION);
	key_u64(&value, store->seed);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocks_put(store->rocks, batch, FAMILY_META, key_str(key), key_str(&value));
	int rc = rocks_write_synced(store->rocks, batch, err);
	rocksdb_writebatch_destroy(batch);
	return rc;
}

static int make_record(struct store *store, const struct key *key, struct err *err)
{
	if (getrandom(&store->seed, sizeof(store->seed), 0) != sizeof(store->seed))
		return err_set_errno(err, errno, "no randomness for the store's seed");
	return write_record(store, key, err);
}

/* Everything that format 1 wrote reads as format 2. The text goes first: from then on no older program
 * touches the directory. */
static int upgrade(struct store *store, const struct key *key, struct err *err)
{
	char path[PATH_MAX_BYTES];
	name_file(path, store->path, "FORMAT");
	int rc = write_file(path, err);
	rc = rc ? rc : write_record(store, key, err);
	return rc ? err_wrap(err, "taking the store over into format 2") : 0;
}

/* RocksDB syncs the names in its own directory, and nobody else that of `db` or of the store: without
 * this, all that was acknowledged could be gone with the directory after a power cut. A directory
 * above that we may not read is none that we made. */
static int sync_names(const struct store *store, struct err *err)
{
	int rc = fd_sync_dir(store->path, err);
	rc = rc ? rc : fd_sync_dir_of(store->path, err);
	return rc == ERR_DENIED ? 0 : rc;
}

int format_open(struct store *store, struct err *err)
{
	struct key key = key_meta(META_FORMAT);
	struct rocks_value value;
	uint32_t version = FORMAT_VERSION;
	int rc = sync_names(store, err);
	if (rc)
		return rc;
	rc = rocks_get(store->rocks, NULL, FAMILY_META, key_str(&key), &value, err);
	if (!rc)
		rc = value.bytes.ptr ? read_record(store, value.bytes, &version, err)
				     : make_record(store, &key, err);
	rocks_value_free(&value);
	return rc || version == FORMAT_VERSION ? rc : upgrade(store, &key, err);
}
