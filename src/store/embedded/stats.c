#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/embedded/answer.h"
#include "store/embedded/collection.h"

static int add_counters(struct store_stats *stats, struct str value, struct err *err)
{
	struct counters counters;
	int rc = counters_decode(value, &counters, err);
	if (rc)
		return rc;
	stats->series += counters.series - 1;
	stats->frames += counters.frame - 1;
	stats->nodes += counters.node - 1;
	stats->strings += counters.string - 1;
	return 0;
}

static int subtract_gone(struct store_stats *stats, struct str value, struct err *err)
{
	uint64_t gone[USED_KINDS];
	int rc = gone_decode(value, gone, err);
	if (rc)
		return rc;
	stats->series -= gone[USED_SERIES];
	stats->frames -= gone[USED_FRAME];
	stats->nodes -= gone[USED_NODE];
	stats->strings -= gone[USED_STRING];
	return 0;
}

static int add_day(struct store_stats *stats, struct str value, struct err *err)
{
	struct day_stats day;
	int rc = day_decode(value, &day, err);
	if (rc)
		return rc;
	stats->samples += day.samples;
	if (stats->oldest_ns == 0 || day.oldest_ns < stats->oldest_ns)
		stats->oldest_ns = day.oldest_ns;
	if (day.newest_ns > stats->newest_ns)
		stats->newest_ns = day.newest_ns;
	return 0;
}

static int add_records(struct rocks *rocks, enum key_kind kind, struct store_stats *stats,
		       int (*add)(struct store_stats *stats, struct str value, struct err *err),
		       struct err *err)
{
	struct rocks_view view;
	struct rocks_iter iter;
	struct key from = key_meta(kind), to = key_after(&from);
	int rc = 0;
	rocks_view_open(rocks, &view);
	rocks_iter_open(&view, FAMILY_META, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter))
		rc = add(stats, rocks_iter_value(&iter), err);
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	return rc;
}

static bool is_log(const char *name)
{
	size_t len = strlen(name);
	return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

/* Files come and go while we look; what is gone counts nothing. */
void directory_bytes(const char *path, uint64_t *ret_total, uint64_t *ret_logs)
{
	DIR *dir = opendir(path);
	*ret_total = *ret_logs = 0;
	if (!dir)
		return;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		*ret_total += (uint64_t)st.st_blocks * 512;
		/* Not what the database has taken in advance. */
		if (is_log(entry->d_name))
			*ret_logs += (uint64_t)st.st_size;
	}
	closedir(dir);
}

uint64_t log_bytes(const char *database_path)
{
	uint64_t total, logs;
	directory_bytes(database_path, &total, &logs);
	return logs;
}

int stats_read(struct rocks *rocks, struct store_stats *ret, struct err *err)
{
	struct store_stats stats = {0};
	int rc = add_records(rocks, META_COUNTERS, &stats, add_counters, err);
	rc = rc ? rc : add_records(rocks, META_GONE, &stats, subtract_gone, err);
	rc = rc ? rc : add_records(rocks, META_DAY, &stats, add_day, err);
	if (!rc)
		*ret = stats;
	return rc;
}

int answer_stats(struct store *store, struct store_stats *ret, struct err *err)
{
	pthread_rwlock_rdlock(&store->rocks_lock);
	int rc = store->rocks ? stats_read(store->rocks, ret, err)
			      : err_set(err, ERR_IO, "the store's database is not open");
	pthread_rwlock_unlock(&store->rocks_lock);
	uint64_t logs;
	if (!rc)
		directory_bytes(store->database_path, &ret->disk_bytes, &logs);
	return rc;
}

int answer_sizes(struct store *store, struct store_sizes *ret, struct err *err)
{
	pthread_rwlock_rdlock(&store->rocks_lock);
	const struct rocks *rocks = store->rocks;
	if (rocks)
		*ret = (struct store_sizes){
			.samples_bytes = rocks_family_bytes(rocks, FAMILY_SAMPLES),
			.rollups_bytes = rocks_family_bytes(rocks, FAMILY_ROLLUPS),
			.dictionary_bytes = rocks_family_bytes(rocks, FAMILY_DICT),
			.ids_bytes = rocks_family_bytes(rocks, FAMILY_IDS),
			.series_bytes = rocks_family_bytes(rocks, FAMILY_SERIES),
			.other_bytes = rocks_family_bytes(rocks, FAMILY_META) +
				       rocks_family_bytes(rocks, FAMILY_RECENT),
			.busy = rocks_busy(rocks),
		};
	pthread_rwlock_unlock(&store->rocks_lock);
	return rocks ? 0 : err_set(err, ERR_IO, "the store's database is not open");
}
