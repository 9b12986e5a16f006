/* Private to the engine: the log that a process left behind.
 *
 * A process that was killed between writing its log and syncing it leaves records that only the kernel
 * has. RocksDB reads them back and takes them for safe: tables that it writes of one family would
 * refer to what the log has of another, and a client's retry would be acknowledged as known. So they
 * are made safe first.
 *
 * That is not enough when a sync of it has failed before: the kernel says so once, to a process that may
 * be gone by now, still gives back what never came to the disk, and the next sync succeeds (fsync(2),
 * EIO). So what a log gives back is written out as tables at every opening. Whoever ends in order leaves
 * no log. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

bool rocks_is_log(const char *name);
/* Every log in the directory, and the directory. */
MUST_USE int rocks_sync_logs(const char *path, struct err *err);
/* Is there no room to write the log out as tables, beside what opening needs? Then it is read and left as it is,
 * so that a full disk does not keep what is there from being read. */
bool rocks_log_must_stay(const char *path, uint64_t needed_bytes);
