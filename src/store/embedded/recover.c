/* What happens when the disk is full, or a write failed.
 *
 * Before every commit the file system must have room to spare; so a disk that
 * fills up is refused by us, with the database still whole and able to write
 * its own files. When RocksDB meets an error all the same, it refuses every
 * later write, and what stands in its log is uncertain. Its C API has no
 * Resume(), so the database is closed and opened again: the log is read back,
 * and the writer starts from what the database then says. While it cannot be
 * opened for writing it is opened for reading, so that queries go on.
 *
 * After a sync that failed, the kernel still gives back what it never brought
 * to the disk, and a second sync of it succeeds (fsync(2), EIO). So what is
 * read back from the log is written out as tables, which are synced anew,
 * before a client's retry may be acknowledged as known.
 *
 * A table with a damaged block fails its compaction, and with it every write.
 * So then the database goes on without compactions until the next start: only
 * what needs the damaged block fails. */
#include <stdint.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"

enum { RESERVE_SHARE = 50, RESERVE_MAX_BYTES = 64 * 1024 * 1024 };

bool disk_room(const struct store *store, struct disk_room *ret)
{
	struct statvfs disk;
	if (statvfs(store->path, &disk))
		return false;
	uint64_t unit = disk.f_frsize;
	*ret = (struct disk_room){disk.f_blocks * unit, disk.f_bavail * unit, 0};
	ret->reserve_bytes = ret->size_bytes / RESERVE_SHARE;
	if (ret->reserve_bytes > RESERVE_MAX_BYTES)
		ret->reserve_bytes = RESERVE_MAX_BYTES;
	return true;
}

/* What would make room by itself. */
static const char *advice(struct store *store)
{
	struct store_retention limits = retention_whole(&store->retention);
	if (limits.size_bytes || limits.size_share > 0)
		return "the oldest days are being dropped to make room, but never today's";
	return "shorten the retention, or give it a limit of size, which would drop the oldest "
	       "days by itself";
}

int disk_check_room(struct store *store, unsigned reserves, struct err *err)
{
	struct disk_room disk;
	if (store->ignore_reserve || !disk_room(store, &disk))
		return 0; /* the commit itself will say what is wrong */
	if (disk.left_bytes < disk.reserve_bytes * 2)
		maintenance_wake(store);
	if (disk.left_bytes >= disk.reserve_bytes * reserves)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "disk full: %s has %ju KiB left, %ju KiB are kept free; nothing was "
		       "written, try again later; free some space; %s",
		       store->path, (uintmax_t)disk.left_bytes / 1024,
		       (uintmax_t)(disk.reserve_bytes * reserves) / 1024, advice(store));
}

int disk_check(struct store *store, struct err *err)
{
	return disk_check_room(store, 1, err);
}

/* ---- looking ---- */

int store_look(struct store *store, struct rocks_view *ret, struct err *err)
{
	pthread_rwlock_rdlock(&store->rocks_lock);
	if (store->rocks) {
		rocks_view_open(store->rocks, ret);
		return 0;
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	return err_set(err, ERR_IO, "the store's database is not open");
}

void store_look_end(struct store *store, struct rocks_view *view)
{
	rocks_view_close(view);
	pthread_rwlock_unlock(&store->rocks_lock);
}

bool store_interrupted(const struct store *store)
{
	return maintenance_stopping(store) ||
	       atomic_load_explicit(&store->reopening, memory_order_relaxed);
}

/* ---- opening anew ---- */

static int open_again(struct store *store, struct err *err)
{
	struct rocks_limits limits = store->plan.rocks;
	limits.doubt_log = true;
	int rc = rocks_open(store->database_path, &limits, false, &store->rocks, err);
	if (!rc)
		return 0;
	struct err ignored;
	if (rocks_open(store->database_path, &store->plan.rocks, true, &store->rocks, &ignored))
		store->rocks = NULL;
	return rc;
}

static void stop_compacting(struct store *store)
{
	if (store->plan.rocks.no_compaction)
		return;
	store->plan.rocks.no_compaction = true;
	log_error("store", "a file of the database is damaged: no compaction until the next start",
		  "path=" LOG_Q " todo=" LOG_Q, store->database_path,
		  "restore it from a copy, or wait until the retention drops the damaged day");
}

/* Whoever reads or compacts in the background gives way. */
static void lock_alone(struct store *store)
{
	atomic_store(&store->reopening, true);
	/* Only we, under commit_lock, ever change the pointer. */
	if (store->rocks)
		rocks_stop_compacting(store->rocks);
	pthread_rwlock_wrlock(&store->rocks_lock);
	atomic_store(&store->reopening, false);
}

int recover(struct store *store, int why, struct err *err)
{
	if (why == ERR_CORRUPT)
		stop_compacting(store);
	/* What cannot be opened again is better kept: it still answers questions. */
	int rc = rocks_check_room(store->database_path, err);
	if (rc)
		return rc;
	/* Whoever settles holds the lock: it gives up. */
	atomic_store(&store->writer.txn.unsettled.lost, true);
	lock_alone(store);
	uint64_t sweeps = store->rocks ? atomic_load(&store->rocks->sweeps) : store->sweeps;
	txn_abort(&store->writer.txn);
	rocks_close(store->rocks);
	rc = open_again(store, err);
	store->writer.txn.rocks = store->rocks;
	/* Pages in memory are older than what the database has now. */
	store->sweeps = sweeps + 2;
	if (store->rocks)
		atomic_store(&store->rocks->sweeps, store->sweeps);
	store->reopens++;
	answers_forget(store); /* the failed write may be there after all */
	pthread_rwlock_unlock(&store->rocks_lock);
	metric_add(&store_reopens_total, 1);
	return rc ? err_wrap(err, "opening the store anew after a failed write") : 0;
}
