#include "store/embedded/rocks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/embedded/rocks_log.h"

enum {
	KIB = 1024,
	MIB = 1024 * 1024,
	ZSTD_LEVEL = 3,
	LOG_FILES_MAX = 2,
	LOG_LEVEL_HEADER = 5, /* rocksdb/env.h, InfoLogLevel */
	OPENING_BYTES = MIB,  /* what opening may write, with some to spare */
	MANIFEST_NAME_MAX = 64,
};

/* rocksdb/options.h, WALRecoveryMode. What was acknowledged was synced, so a crash can tear only what
 * stands behind it: kTolerateCorruptedTailRecords takes the log up to there, and refuses one that is
 * damaged elsewhere; kPointInTimeRecovery takes even that up to its damage. */
enum log_recovery { LOG_TORN_TAIL = 0, LOG_UP_TO_DAMAGE = 2 };

/* Debian's RocksDB ends the process, by an assertion of its file writer, at the line of its text file
 * LOG that follows one that could not be written. So LOG gets its header and nothing later (what
 * happens is in the errors that are returned), and no database is opened without room for that. */

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_META] = "default",    [FAMILY_IDS] = "ids",	    [FAMILY_DICT] = "dict",
	[FAMILY_SERIES] = "series",   [FAMILY_SAMPLES] = "samples", [FAMILY_RECENT] = "recent",
	[FAMILY_ROLLUPS] = "rollups",
};

const char *rocks_family_name(enum rocks_family family)
{
	return family_names[family];
}

static int code_of(const char *said)
{
	if (strstr(said, "No space left") || strstr(said, "NoSpace") || strstr(said, "quota"))
		return ERR_LIMIT;
	/* A file that cannot be read is not a damaged one, though RocksDB calls both so. */
	if (strstr(said, "Corruption") && !strstr(said, "IO error"))
		return ERR_CORRUPT;
	return ERR_IO;
}

/* RocksDB strings errors together by lines. */
static void into_one_line(char *text)
{
	size_t len = strlen(text);
	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	for (char *at = strchr(text, '\n'); at; at = strchr(at, '\n'))
		*at = ' ';
}

int rocks_error(char *said, const char *doing, struct err *err)
{
	if (!said)
		return 0;
	into_one_line(said);
	int code = err_set(err, code_of(said), "%s: %s", doing, said);
	rocksdb_free(said);
	return code;
}

/* ---- opening ---- */

static void set_files(rocksdb_options_t *o, const struct rocks_limits *limits)
{
	rocksdb_options_set_max_open_files(o, limits->open_files_max);
	rocksdb_options_set_info_log_level(o, LOG_LEVEL_HEADER);
	rocksdb_options_set_max_log_file_size(o, MIB);
	rocksdb_options_set_keep_log_file_num(o, LOG_FILES_MAX);
	rocksdb_options_set_max_manifest_file_size(o, 4 * MIB);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	/* Opening must not read every file's properties: ready in 100 ms whatever is stored. */
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
	rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(o, 1);
	rocksdb_options_set_wal_recovery_mode(o, LOG_TORN_TAIL);
	rocksdb_options_set_disable_auto_compactions(o, limits->no_compaction);
	rocksdb_options_set_bytes_per_sync(o, MIB);
	/* A write that failed may stand in the log all the same. After a full disk RocksDB goes on by
	 * itself and writes out what is in memory; were that tables of some families, the next start
	 * would give the failed write to the others only: counters without the ids, ids given twice. */
	rocksdb_options_set_atomic_flush(o, 1);
}

static void set_sizes(rocksdb_options_t *o, const struct rocks_limits *limits)
{
	rocksdb_options_set_db_write_buffer_size(o, limits->write_buffer_bytes);
	rocksdb_options_set_write_buffer_size(o, limits->write_buffer_bytes / 2);
	rocksdb_options_set_max_write_buffer_number(o, 2);
	rocksdb_options_set_arena_block_size(o, 128 * KIB);
	/* A log as long as the write buffers: what start-up may have to replay. */
	rocksdb_options_set_max_total_wal_size(o, limits->write_buffer_bytes);
	rocksdb_options_set_target_file_size_base(o, 32 * MIB);
	rocksdb_options_set_max_bytes_for_level_base(o, 128 * MIB);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_max_background_jobs(o, 2);
}

/* A file's whole filter is larger than a shard of the cache (half a MiB) once there are some hundred
 * thousand ids: it would be read and checked anew for each look-up of an id that is not there. */
static void split_filters(rocksdb_block_based_table_options_t *table)
{
	rocksdb_block_based_options_set_index_type(
		table, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(table, 1);
	rocksdb_block_based_options_set_metadata_block_size(table, 8 * KIB);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
}

/* Samples are read in long scans and shrink most in large blocks; ids are read one by one, and
 * mostly are not there, so their filters count. */
static void set_table(rocksdb_options_t *o, enum rocks_family family, rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_block_based_options_set_format_version(table, 5);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	rocksdb_block_based_options_set_block_size(table, family == FAMILY_SAMPLES ||
									  family == FAMILY_ROLLUPS
								  ? 32 * KIB
								  : 8 * KIB);
	if (family == FAMILY_IDS || family == FAMILY_RECENT) {
		rocksdb_block_based_options_set_filter_policy(
			table, rocksdb_filterpolicy_create_bloom_full(10));
		rocksdb_block_based_options_set_whole_key_filtering(table, 1);
		rocksdb_options_set_memtable_whole_key_filtering(o, 1);
		rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.05);
		split_filters(table);
	}
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);
}

/* Options that the C API has no setter for, only the parser of option texts. */
static rocksdb_options_t *set_by_text(rocksdb_options_t *o, const char *text)
{
	rocksdb_options_t *changed = rocksdb_options_create();
	char *said = NULL;
	rocksdb_get_options_from_string(o, text, changed, &said);
	bool ok = said == NULL;
	rocksdb_free(said);
	rocksdb_options_destroy(ok ? o : changed);
	return ok ? changed : o;
}

/* Opening reads the log back into memory and leaves it there, and does not write it out first. */
#define NO_FLUSH "avoid_flush_during_recovery=true"

static rocksdb_options_t *make_options(enum rocks_family family, const struct rocks_limits *limits,
				       bool keep_log, rocksdb_cache_t *cache)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_options_set_create_missing_column_families(o, 1);
	rocksdb_options_set_paranoid_checks(o, 1);
	set_files(o, limits);
	set_sizes(o, limits);
	set_table(o, family, cache);
	rocksdb_options_set_compression(o, rocksdb_zstd_compression);
	rocksdb_options_set_compression_options(o, -14, ZSTD_LEVEL, 0, 0);
	return keep_log ? set_by_text(o, NO_FLUSH) : o;
}

/* ---- a directory that has lost a file ---- */

struct contents {
	bool current, data; /* CURRENT; tables, or a log that is not empty */
	char manifest[MANIFEST_NAME_MAX];
};

static void look_at(struct contents *contents, int directory, const char *name)
{
	size_t len = strlen(name);
	struct stat st;
	bool log = rocks_is_log(name);
	if (strcmp(name, "CURRENT") == 0)
		contents->current = true;
	else if (strncmp(name, "MANIFEST-", 9) == 0 && strcmp(name, contents->manifest) > 0)
		str_copy(contents->manifest, sizeof(contents->manifest), str_of(name));
	else if (len > 4 && strcmp(name + len - 4, ".sst") == 0)
		contents->data = true;
	else if (log && !fstatat(directory, name, &st, 0) && st.st_size > 0)
		contents->data = true;
}

/* RocksDB takes a directory without CURRENT for an empty one: it would make a new database there and
 * delete all the files of the old one. */
static int check_contents(const char *path, bool *ret_fresh, struct err *err)
{
	struct contents contents = {0};
	DIR *directory = opendir(path);
	*ret_fresh = !directory && errno == ENOENT;
	if (!directory)
		return 0; /* opening it will say what is wrong */
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
		look_at(&contents, dirfd(directory), entry->d_name);
	closedir(directory);
	*ret_fresh = !contents.current && !contents.data;
	if (contents.current || !contents.data)
		return 0;
	return err_set(err, ERR_CORRUPT,
		       "%s/CURRENT is missing though there is data; its content is the name of the "
		       "newest MANIFEST file (%s) and a newline: write it back, or restore %s from "
		       "a copy",
		       path, *contents.manifest ? contents.manifest : "which is missing too", path);
}

int rocks_check_room(const char *path, struct err *err)
{
	struct statvfs disk;
	if (statvfs(path, &disk))
		return 0; /* opening it will say what is wrong */
	uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (left >= OPENING_BYTES)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "disk full: %s has %ju KiB left, opening the database needs %d KiB; free "
		       "some "
		       "space",
		       path, (uintmax_t)left / KIB, OPENING_BYTES / KIB);
}

/* ---- opening ---- */

/* RocksDB 7.8's iterators drop the rest of a level without a word when the first read of its next table
 * fails, but not when they ignore deletions of ranges (MergingIterator::SkipNextDeleted does not ask
 * the iterator of the level for its status). So nobody here deletes ranges in RocksDB's way. */
static rocksdb_readoptions_t *make_reading(void)
{
	rocksdb_readoptions_t *reading = rocksdb_readoptions_create();
	rocksdb_readoptions_set_ignore_range_deletions(reading, 1);
	return reading;
}

static int try_open(struct rocks *rocks, const char *path, struct err *err)
{
	char *said = NULL;
	const rocksdb_options_t *const *options = (const rocksdb_options_t *const *)rocks->options;
	if (rocks->read_only)
		rocks->db = rocksdb_open_for_read_only_column_families(rocks->options[0], path,
								       FAMILY_COUNT, family_names,
								       options, rocks->family, 0,
								       &said);
	else
		rocks->db =
			rocksdb_open_column_families(rocks->options[0], path, FAMILY_COUNT,
						     family_names, options, rocks->family, &said);
	return rocks_error(said, "opening the database", err);
}

static int open_damaged(struct rocks *rocks, const char *path, struct err *err)
{
	struct err first = *err;
	rocksdb_options_set_wal_recovery_mode(rocks->options[0], LOG_UP_TO_DAMAGE);
	if (try_open(rocks, path, err))
		return err_set(err, ERR_CORRUPT,
			       "%s; the files are damaged: restore %s from a copy, or move it away "
			       "to begin an empty one",
			       first.text, path);
	rocks->log_damaged = true;
	log_error("store",
		  "the log of the database is damaged: what stood behind the damage is lost",
		  "path=" LOG_Q " why=" LOG_Q, path, LOG_TEXT(first.text));
	return 0;
}

static int open_database(struct rocks *rocks, const char *path, struct err *err)
{
	bool fresh;
	int rc = rocks_check_room(path, err);
	rc = rc ? rc : check_contents(path, &fresh, err);
	if (!rc && !fresh && !rocks->read_only)
		rc = rocks_sync_logs(path, err);
	if (rc)
		return rc;
	rocksdb_options_set_create_if_missing(rocks->options[0], fresh);
	rc = try_open(rocks, path, err);
	return rc == ERR_CORRUPT ? open_damaged(rocks, path, err) : rc;
}

int rocks_open(const char *path, const struct rocks_limits *limits, bool read_only,
	       struct rocks **ret, struct err *err)
{
	struct err reason;
	struct rocks *rocks = mem_zalloc(1, sizeof(*rocks));
	if (!rocks)
		return err_set(err, ERR_NOMEM, "opening the database: no memory");
	rocks->read_only = read_only;
	rocks->no_compaction = limits->no_compaction;
	rocks->cache = rocksdb_cache_create_lru(limits->block_cache_bytes);
	bool keep_log = !limits->doubt_log && rocks_log_must_stay(path, OPENING_BYTES);
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		rocks->options[i] =
			make_options((enum rocks_family)i, limits, keep_log, rocks->cache);
	rocks->reading = make_reading();
	rocks->synced = rocksdb_writeoptions_create();
	rocks->not_synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(rocks->synced, 1);
	int rc = open_database(rocks, path, &reason);
	if (rc) {
		rocks_close(rocks);
		return err_set(err, rc, "%s", reason.text);
	}
	*ret = rocks;
	return 0;
}

/* After a write that failed the log may have that too, and either all families take it from there or
 * none. */
int rocks_flush(struct rocks *rocks, struct err *err)
{
	if (rocks->write_failed)
		return err_set(err, ERR_IO, "a write has failed before");
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	int rc = 0;
	for (unsigned i = 0; !rc && i < FAMILY_COUNT; i++) {
		char *said = NULL;
		rocksdb_flush_cf(rocks->db, options, rocks->family[i], &said);
		rc = rocks_error(said, "writing memory to files", err);
	}
	rocksdb_flushoptions_destroy(options);
	return rc;
}

void rocks_close(struct rocks *rocks)
{
	if (!rocks)
		return;
	if (rocks->db) {
		struct err ignored; /* costs only a slower start: the log has everything */
		if (!rocks->read_only && rocks_flush(rocks, &ignored))
			log_debug("store", "the database is closed with a log", "why=" LOG_Q,
				  LOG_TEXT(ignored.text));
		rocksdb_cancel_all_background_work(rocks->db, 1);
		for (unsigned i = 0; i < FAMILY_COUNT; i++)
			rocksdb_column_family_handle_destroy(rocks->family[i]);
		rocksdb_close(rocks->db);
	}
	rocksdb_writeoptions_destroy(rocks->synced);
	rocksdb_writeoptions_destroy(rocks->not_synced);
	rocksdb_readoptions_destroy(rocks->reading);
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		rocksdb_options_destroy(rocks->options[i]);
	rocksdb_cache_destroy(rocks->cache);
	mem_free(rocks);
}

/* ---- reading ---- */

/* A key or a value of an iterator is memory of RocksDB, which ThreadSanitizer did not see being
 * handed over (the library is not built for it). There, and only there, we look at a copy that was
 * made unseen. */
#if defined(__SANITIZE_THREAD__)
#define UNSEEN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNSEEN 1
#endif
#endif

#ifdef UNSEEN
__attribute__((no_sanitize("thread"), noinline)) static struct str unseen_copy(void **copy,
									       struct str bytes)
{
	volatile char *to = mem_realloc(*copy, bytes.len + 1);
	if (!to)
		return bytes;
	*copy = (void *)(uintptr_t)to;
	for (size_t i = 0; i < bytes.len; i++)
		to[i] = bytes.ptr[i];
	return (struct str){*copy, bytes.len};
}
#else
static struct str unseen_copy(void **copy, struct str bytes)
{
	(void)copy;
	return bytes;
}
#endif

int rocks_get(struct rocks *rocks, const struct rocks_view *view, enum rocks_family family,
	      struct str key, struct rocks_value *ret, struct err *err)
{
	char *said = NULL;
	memset(ret, 0, sizeof(*ret));
	ret->slice = rocksdb_get_pinned_cf(rocks->db, view ? view->reading : rocks->reading,
					   rocks->family[family], key.ptr, key.len, &said);
	if (said)
		return rocks_error(said, "reading", err);
	if (ret->slice)
		ret->bytes.ptr = rocksdb_pinnableslice_value(ret->slice, &ret->bytes.len);
	return 0;
}

void rocks_value_free(struct rocks_value *value)
{
	if (value->slice)
		rocksdb_pinnableslice_destroy(value->slice);
	memset(value, 0, sizeof(*value));
}

void rocks_view_open(struct rocks *rocks, struct rocks_view *ret)
{
	ret->rocks = rocks;
	ret->sweeps_least = atomic_load(&rocks->sweeps) / 2 * 2;
	ret->snapshot = rocksdb_create_snapshot(rocks->db);
	ret->sweeps_most = (atomic_load(&rocks->sweeps) + 1) / 2 * 2;
	ret->reading = make_reading();
	rocksdb_readoptions_set_snapshot(ret->reading, ret->snapshot);
}

void rocks_view_close(struct rocks_view *view)
{
	if (!view->rocks)
		return;
	rocksdb_readoptions_destroy(view->reading);
	rocksdb_release_snapshot(view->rocks->db, view->snapshot);
	memset(view, 0, sizeof(*view));
}

void rocks_iter_open(const struct rocks_view *view, enum rocks_family family,
		     const struct key *lower, const struct key *upper, bool bulk,
		     struct rocks_iter *ret)
{
	ret->upper = *upper;
	ret->copies[0] = ret->copies[1] = NULL;
	ret->reading = make_reading();
	rocksdb_readoptions_set_snapshot(ret->reading, view->snapshot);
	rocksdb_readoptions_set_iterate_upper_bound(ret->reading, ret->upper.bytes, ret->upper.len);
	rocksdb_readoptions_set_fill_cache(ret->reading, !bulk);
	ret->it = rocksdb_create_iterator_cf(view->rocks->db, ret->reading,
					     view->rocks->family[family]);
	rocks_iter_seek(ret, lower);
}

void rocks_iter_close(struct rocks_iter *iter)
{
	if (iter->it) {
		rocksdb_iter_destroy(iter->it);
		rocksdb_readoptions_destroy(iter->reading);
		mem_free(iter->copies[0]);
		mem_free(iter->copies[1]);
	}
	iter->it = NULL;
}

bool rocks_iter_valid(const struct rocks_iter *iter)
{
	return rocksdb_iter_valid(iter->it);
}

void rocks_iter_next(struct rocks_iter *iter)
{
	rocksdb_iter_next(iter->it);
}

void rocks_iter_seek(struct rocks_iter *iter, const struct key *key)
{
	rocksdb_iter_seek(iter->it, key->bytes, key->len);
}

void rocks_iter_seek_back(struct rocks_iter *iter, const struct key *key)
{
	rocksdb_iter_seek_for_prev(iter->it, key->bytes, key->len);
}

struct str rocks_iter_key(struct rocks_iter *iter)
{
	struct str key;
	key.ptr = rocksdb_iter_key(iter->it, &key.len);
	return unseen_copy(&iter->copies[0], key);
}

struct str rocks_iter_value(struct rocks_iter *iter)
{
	struct str value;
	value.ptr = rocksdb_iter_value(iter->it, &value.len);
	return unseen_copy(&iter->copies[1], value);
}

int rocks_iter_check(const struct rocks_iter *iter, struct err *err)
{
	char *said = NULL;
	rocksdb_iter_get_error(iter->it, &said);
	return rocks_error(said, "reading", err);
}

/* ---- writing ---- */

int rocks_write_synced(struct rocks *rocks, rocksdb_writebatch_t *batch, struct err *err)
{
	char *said = NULL;
	rocksdb_write(rocks->db, rocks->synced, batch, &said);
	if (said)
		rocks->write_failed = true;
	return rocks_error(said, "writing", err);
}

int rocks_write(struct rocks *rocks, rocksdb_writebatch_t *batch, struct err *err)
{
	char *said = NULL;
	rocksdb_write(rocks->db, rocks->not_synced, batch, &said);
	if (said)
		rocks->write_failed = true;
	return rocks_error(said, "writing", err);
}

void rocks_put(struct rocks *rocks, rocksdb_writebatch_t *batch, enum rocks_family family,
	       struct str key, struct str value)
{
	rocksdb_writebatch_put_cf(batch, rocks->family[family], key.ptr, key.len, value.ptr,
				  value.len);
}

void rocks_delete(struct rocks *rocks, rocksdb_writebatch_t *batch, enum rocks_family family,
		  struct str key)
{
	rocksdb_writebatch_delete_cf(batch, rocks->family[family], key.ptr, key.len);
}

int rocks_delete_range(struct rocks *rocks, rocksdb_writebatch_t *batch, enum rocks_family family,
		       const struct key *from, const struct key *to, struct err *err)
{
	/* Without a snapshot: giving one back makes RocksDB rewrite its lowest files. */
	const struct rocks_view newest = {.rocks = rocks};
	struct rocks_iter iter;
	rocks_iter_open(&newest, family, from, to, true, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct str key = rocks_iter_key(&iter);
		rocksdb_writebatch_delete_cf(batch, rocks->family[family], key.ptr, key.len);
	}
	int rc = rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}
