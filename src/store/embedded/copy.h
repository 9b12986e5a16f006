/* Private to the embedded engine: files of a store, copied and removed. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "store/engine.h"

/* Every file that belongs to the database in directory `from` (not RocksDB's own log and lock), each
 * synced, into the new directory `to`. ERR_CORRUPT: CURRENT is not there. ERR_CANCELLED. */
MUST_USE int copy_database(const char *from, const char *to, const struct store_copy *options,
			   struct store_copied *done, struct err *err);
/* Syncs the directory's entries. */
MUST_USE int directory_sync(const char *path, struct err *err);
/* With everything in it; links are not followed. One that is not there is fine. */
int tree_remove(const char *path, struct err *err);
