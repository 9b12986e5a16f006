/* Private to the embedded engine: the only file that talks to RocksDB. Its
 * char * errors become struct err, its objects get one owner each.
 *
 * RocksDB's own objects are thread-safe; a view, an iterator and a value
 * belong to one thread. Every iterator and view must be closed before the
 * database: Debian's build asserts it. */
#pragma once

#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/embedded/keys.h"

enum rocks_family {
	FAMILY_META,   /* RocksDB's "default" */
	FAMILY_IDS,    /* content -> id */
	FAMILY_DICT,   /* id -> content */
	FAMILY_SERIES, /* labels, postings, days */
	FAMILY_SAMPLES,
	FAMILY_RECENT,	/* requests of the last minutes */
	FAMILY_ROLLUPS, /* reserved */
	FAMILY_COUNT,
};

struct rocks_limits {
	size_t block_cache_bytes, write_buffer_bytes;
	int open_files_max;
	bool no_compaction; /* a table is damaged: rewriting it would fail again and again */
	bool doubt_log; /* a sync of the log failed: it is written out as tables, or opening fails */
};

struct rocks {
	rocksdb_t *db;
	rocksdb_column_family_handle_t *family[FAMILY_COUNT];
	rocksdb_options_t *options[FAMILY_COUNT];
	rocksdb_cache_t *cache;
	rocksdb_writeoptions_t *synced, *not_synced;
	rocksdb_readoptions_t *reading;
	bool read_only, no_compaction;
	bool log_damaged; /* the log was taken up to its damage */
	/* Rises before and after each write that empties entries of the dictionary (so it is odd during one):
	 * see page.c. */
	_Atomic uint64_t sweeps;
	bool write_failed; /* the log may have what nobody was told is there: to be opened anew */
};

/* A consistent snapshot. */
struct rocks_view {
	struct rocks *rocks;
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *reading;
	uint64_t sweeps_least, sweeps_most; /* how many of them it may see; even */
};

struct rocks_iter {
	rocksdb_iterator_t *it;
	rocksdb_readoptions_t *reading;
	struct key upper;
	void *copies[2]; /* under ThreadSanitizer: see rocks.c */
};

struct rocks_value {
	rocksdb_pinnableslice_t *slice;
	struct str bytes; /* ptr NULL: not found */
};

const char *rocks_family_name(enum rocks_family family);

MUST_USE int rocks_open(const char *path, const struct rocks_limits *limits, bool read_only,
			struct rocks **ret, struct err *err);
/* There is room for what opening writes, else ERR_LIMIT. */
MUST_USE int rocks_check_room(const char *path, struct err *err);
/* Writes memory to disk first when it can, so that the next open has no log to replay. NULL is fine. */
void rocks_close(struct rocks *rocks);

/* Takes what RocksDB said, frees it, and sets err: LIMIT for a full disk, CORRUPT, else IO. */
int rocks_error(char *said, const char *doing, struct err *err);

/* Of the newest state (view NULL) or of the view's. */
MUST_USE int rocks_get(struct rocks *rocks, const struct rocks_view *view, enum rocks_family family,
		       struct str key, struct rocks_value *ret, struct err *err);
void rocks_value_free(struct rocks_value *value);

MUST_USE int rocks_write_synced(struct rocks *rocks, rocksdb_writebatch_t *batch, struct err *err);
/* Durable with the next synced write, and before anything written later. */
MUST_USE int rocks_write(struct rocks *rocks, rocksdb_writebatch_t *batch, struct err *err);
void rocks_put(struct rocks *rocks, rocksdb_writebatch_t *batch, enum rocks_family family,
	       struct str key, struct str value);
void rocks_delete(struct rocks *rocks, rocksdb_writebatch_t *batch, enum rocks_family family,
		  struct str key);
/* Adds a deletion of each key in [from, to): see make_reading() for why not one of them all. */
MUST_USE int rocks_delete_range(struct rocks *rocks, rocksdb_writebatch_t *batch,
				enum rocks_family family, const struct key *from,
				const struct key *to, struct err *err);

/* ---- giving space back ---- */

/* Rewrites the files that reach into [from, to) without what was deleted there; slow. */
void rocks_compact(struct rocks *rocks, enum rocks_family family, const struct key *from,
		   const struct key *to);
/* Ends running and later compactions of rocks_compact early. */
void rocks_stop_compacting(struct rocks *rocks);
/* Memory to files, so that the log can go. */
MUST_USE int rocks_flush(struct rocks *rocks, struct err *err);
/* The last write's number, and the oldest one that an open view still looks at (0: there is none). */
uint64_t rocks_sequence(const struct rocks *rocks);
uint64_t rocks_oldest_view(const struct rocks *rocks);
/* Bytes of the tables, all families; of those of one family in [from, to), about. */
uint64_t rocks_table_bytes(const struct rocks *rocks);
MUST_USE int rocks_range_bytes(const struct rocks *rocks, enum rocks_family family,
			       const struct key *from, const struct key *to, uint64_t *ret,
			       struct err *err);
/* Asks for the files of a range to be rewritten in the background, so that what was deleted or written
 * over in it gives its space back. What is still in memory is not in them. */
void rocks_suggest_rewrite(struct rocks *rocks, enum rocks_family family, const struct key *from,
			   const struct key *to);
/* All files of a family are in the uppermost level: such a suggestion is not heard, since it passes over the
 * lowest level that has files, and they are few. */
bool rocks_is_flat(const struct rocks *rocks, enum rocks_family family);

void rocks_view_open(struct rocks *rocks, struct rocks_view *ret);
void rocks_view_close(struct rocks_view *view); /* a zeroed one is fine */

/* Over keys in [lower, upper); stands on the first. bulk: the blocks read do not push others out of
 * the cache. */
void rocks_iter_open(const struct rocks_view *view, enum rocks_family family,
		     const struct key *lower, const struct key *upper, bool bulk,
		     struct rocks_iter *ret);
void rocks_iter_close(struct rocks_iter *iter); /* a zeroed one is fine, and twice too */
bool rocks_iter_valid(const struct rocks_iter *iter);
void rocks_iter_next(struct rocks_iter *iter);
void rocks_iter_seek(struct rocks_iter *iter, const struct key *key);
/* To the last key that is not behind key (and in the range). */
void rocks_iter_seek_back(struct rocks_iter *iter, const struct key *key);
struct str rocks_iter_key(struct rocks_iter *iter);
struct str rocks_iter_value(struct rocks_iter *iter);
/* After valid turned false: was that the end, or an error? */
MUST_USE int rocks_iter_check(const struct rocks_iter *iter, struct err *err);

/* Makes the new directory path a copy of everything written before, of hard links where the file system
 * lets it; what is in memory is written out first. */
MUST_USE int rocks_checkpoint(struct rocks *rocks, const char *path, struct err *err);
/* In tables on disk, so without what is only in the log. */
uint64_t rocks_family_bytes(const struct rocks *rocks, enum rocks_family family);

/* Bytes in memory. */
size_t rocks_cache_bytes(const struct rocks *rocks);
size_t rocks_write_buffer_bytes(const struct rocks *rocks);
/* Are files being written out or merged, or is that to begin at once? */
bool rocks_busy(const struct rocks *rocks);
