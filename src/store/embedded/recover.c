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

enum { RESERVE_SHARE = 50, RESERVE_MAX_BYTES = 64 * 1024 * 1024 };

int disk_check(const struct store *store, struct err *err)
{
	struct statvfs disk;
	if (store->ignore_reserve || statvfs(store->path, &disk))
		return 0; /* the commit itself will say what is wrong */
	uint64_t unit = disk.f_frsize, size = disk.f_blocks * unit, left = disk.f_bavail * unit;
	uint64_t reserve = size / RESERVE_SHARE;
	if (reserve > RESERVE_MAX_BYTES)
		reserve = RESERVE_MAX_BYTES;
	if (left >= reserve)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "disk full: %s has %ju KiB left, %ju KiB are kept free; nothing was "
		       "written, "
		       "free some space or shorten the retention",
		       store->path, (uintmax_t)left / 1024, (uintmax_t)reserve / 1024);
}

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

int recover(struct store *store, int why, struct err *err)
{
	if (why == ERR_CORRUPT)
		stop_compacting(store);
	pthread_rwlock_wrlock(&store->rocks_lock);
	txn_abort(&store->writer.txn);
	rocks_close(store->rocks);
	int rc = open_again(store, err);
	store->writer.txn.rocks = store->rocks;
	pthread_rwlock_unlock(&store->rocks_lock);
	metric_add(&store_reopens_total, 1);
	return rc ? err_wrap(err, "opening the store anew after a failed write") : 0;
}
