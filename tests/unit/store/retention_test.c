/* Days that are too old or too much go, and their space with them; others stay. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "help.h"
#include "store/embedded/answer.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

#define DAY_NS	 NS_PER_DAY
#define FIRST_NS (20000 * DAY_NS)

enum { BIG_SAMPLES = 4000, MIB = 1024 * 1024 };

struct fixture {
	char path[64];
	struct store *store;
};

static void open_again(struct fixture *f)
{
	struct store_options options = {.path = f->path,
					.memory_bytes = 8 * MIB,
					.manual_maintenance = true};
	struct err err;
	store_close(f->store);
	must(store_open(&options, &f->store, &err), &err);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	open_again(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	remove_directory(f->path);
	free(f);
	return 0;
}

static void keep(struct store *store, struct store_retention retention)
{
	struct err err;
	must(store_set_retention(store, &retention, &err), &err);
}

static void write_tiny(struct store *store, struct str tenant, unsigned number, uint64_t time_ns)
{
	struct tiny_batch tiny;
	struct err err;
	tiny_batch(&tiny, number, time_ns);
	tiny.batch.tenant = tenant;
	must(store_write(store, &tiny.batch, &err), &err);
}

/* Samples that do not shrink: about 80 KB of them. */
static int write_big(struct store *store, struct str tenant, unsigned number, uint64_t time_ns,
		     struct err *err)
{
	static struct store_sample samples[BIG_SAMPLES];
	struct random random = {number};
	struct tiny_batch tiny;
	tiny_batch(&tiny, number, time_ns);
	tiny.batch.tenant = tenant;
	for (unsigned i = 0; i < BIG_SAMPLES; i++)
		samples[i] =
			(struct store_sample){.time_ns = time_ns +
							 random_below(&random, 3600u * 1000000),
					      .value = (int64_t)random_u64(&random),
					      .node = 1 + i % 2,
					      .tid = random_below(&random, UINT32_MAX),
					      .pid = random_below(&random, UINT32_MAX),
					      .cpu = -1};
	tiny.series.samples = samples;
	tiny.series.sample_count = BIG_SAMPLES;
	return store_write(store, &tiny.batch, err);
}

static void write_days(struct store *store, struct str tenant, unsigned days, unsigned batches)
{
	struct err err;
	for (unsigned d = 0; d < days; d++)
		for (unsigned b = 0; b < batches; b++)
			must(write_big(store, tenant, d * 1000 + b, FIRST_NS + d * DAY_NS, &err),
			     &err);
}

static uint64_t samples_of(struct store *store)
{
	struct store_stats stats;
	struct err err;
	must(store_stats(store, &stats, &err), &err);
	return stats.samples;
}

/* How many of the first `days` days the tenant has; they must be the newest. */
static unsigned newest_days(struct store *store, struct str tenant, unsigned days)
{
	unsigned count = 0;
	for (unsigned d = 0; d < days; d++) {
		struct store_selection day = {.tenant = tenant,
					      .start_ns = FIRST_NS + d * DAY_NS,
					      .end_ns = FIRST_NS + (d + 1) * DAY_NS};
		struct store_labels *series;
		struct arena arena = {0};
		struct err err;
		size_t found;
		must(store_series_labels(store, &day, NULL, 0, &arena, &series, &found, &err),
		     &err);
		arena_deinit(&arena);
		if (count)
			assert_true(found > 0);
		count += found > 0;
	}
	return count;
}

/* Of tables and logs. (The database's MANIFEST takes 4 MiB ahead.) */
static uint64_t disk_bytes(struct store *store)
{
	uint64_t total = 0;
	DIR *dir = opendir(store->database_path);
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;
		if ((strstr(entry->d_name, ".sst") || strstr(entry->d_name, ".log")) &&
		    !fstatat(dirfd(dir), entry->d_name, &st, 0))
			total += (uint64_t)st.st_blocks * 512;
	}
	closedir(dir);
	return total;
}

/* Files are removed by a thread of the database, soon after nobody needs them. */
static void wait_for_size(struct store *store, uint64_t at_most)
{
	struct timespec pause = {0, 20 * 1000 * 1000};
	for (unsigned tries = 0; tries < 500; tries++) {
		if (disk_bytes(store) <= at_most)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("%ju bytes are still there, %ju were expected", (uintmax_t)disk_bytes(store),
		 (uintmax_t)at_most);
}

/* ---- by age ---- */

static void days_older_than_the_retention_go_and_others_stay(void **state)
{
	struct fixture *f = *state;
	struct store_stats stats;
	struct err err;
	uint32_t days;
	for (unsigned i = 0; i < 10; i++)
		write_tiny(f->store, STR("t"), i, FIRST_NS + i * DAY_NS);
	keep(f->store, (struct store_retention){.age_ns = 4 * DAY_NS});
	/* Day 5 ended just four days ago; day 6 reaches into them. */
	must(retention_run(f->store, FIRST_NS + 10 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 6);
	assert_int_equal(total_of(f->store), 16);
	must(store_stats(f->store, &stats, &err), &err);
	assert_int_equal(stats.samples, 16);
	assert_int_equal(stats.oldest_ns, FIRST_NS + 6 * DAY_NS);
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct arena arena = {0};
	struct str *values;
	size_t count;
	must(store_label_values(f->store, &all, STR("batch"), &arena, &values, &count, &err), &err);
	assert_int_equal(count, 4);
	arena_deinit(&arena);
	/* A day that was dropped may get samples again: what the writer remembered of it is gone. */
	write_tiny(f->store, STR("t"), 0, FIRST_NS + 1000);
	assert_int_equal(total_of(f->store), 20);
	must(store_label_values(f->store, &all, STR("batch"), &arena, &values, &count, &err), &err);
	assert_int_equal(count, 5);
	arena_deinit(&arena);
	must(store_stats(f->store, &stats, &err), &err);
	assert_int_equal(stats.samples, 20);
	open_again(f);
	assert_int_equal(total_of(f->store), 20);
}

static void the_retention_opens_a_broken_store_anew(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint32_t days;
	write_tiny(f->store, STR("t"), 1, FIRST_NS);
	pthread_mutex_lock(&f->store->writer.commit_lock);
	f->store->writer.broken = ERR_LIMIT;
	f->store->writer.retry_at_ns = 0;
	pthread_mutex_unlock(&f->store->writer.commit_lock);
	keep(f->store, (struct store_retention){.age_ns = NS_PER_HOUR});
	must(retention_run(f->store, FIRST_NS + 4 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 1);
	assert_int_equal(f->store->writer.broken, 0);
	assert_int_equal(total_of(f->store), 0);
	write_tiny(f->store, STR("t"), 2, FIRST_NS);
	assert_int_equal(total_of(f->store), 4);
}

static void every_tenant_has_an_age_of_its_own(void **state)
{
	struct fixture *f = *state;
	char name[] = "short";
	const struct store_override overrides[] = {
		{.tenant = {name, 5}, .age_ns = 2 * DAY_NS},
		{.tenant = STR("ever"), .age_ns = 0},
	};
	struct err err;
	uint32_t days;
	for (unsigned i = 0; i < 10; i++) {
		write_tiny(f->store, STR("t"), i, FIRST_NS + i * DAY_NS);
		write_tiny(f->store, STR("short"), i, FIRST_NS + i * DAY_NS);
		write_tiny(f->store, STR("ever"), i, FIRST_NS + i * DAY_NS);
	}
	keep(f->store, (struct store_retention){.age_ns = 5 * DAY_NS,
						.overrides = overrides,
						.override_count = 2});
	memset(name, 'x', 5); /* names are copied */
	must(retention_run(f->store, FIRST_NS + 10 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 5 + 8);
	assert_int_equal(newest_days(f->store, STR("t"), 10), 5);
	assert_int_equal(newest_days(f->store, STR("short"), 10), 2);
	assert_int_equal(newest_days(f->store, STR("ever"), 10), 10);
	/* It may change while the store runs. */
	keep(f->store, (struct store_retention){.age_ns = 1 * DAY_NS});
	must(retention_run(f->store, FIRST_NS + 10 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 4 + 1 + 9);
	assert_int_equal(newest_days(f->store, STR("ever"), 10), 1);
}

static void sums_go_with_their_samples(void **state)
{
	struct fixture *f = *state;
	struct key from = {0}, to;
	struct rocks_view view;
	struct rocks_iter iter;
	struct err err;
	uint32_t days, left = 0;
	write_tiny(f->store, STR("t"), 1, FIRST_NS);
	write_tiny(f->store, STR("t"), 1, FIRST_NS + DAY_NS);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	for (uint32_t day = 20000; day < 20002; day++)
		for (uint8_t level = 1; level <= 3; level++) {
			struct sample_key at = {1, day, 1, day * DAY_NS + 1, 1};
			struct key key = key_sums(level, &at);
			rocks_put(f->store->rocks, batch, FAMILY_ROLLUPS, key_str(&key), STR("x"));
		}
	must(rocks_write_synced(f->store->rocks, batch, &err), &err);
	rocksdb_writebatch_destroy(batch);
	keep(f->store, (struct store_retention){.age_ns = DAY_NS});
	must(retention_run(f->store, FIRST_NS + 2 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 1);
	to = key_after(&from);
	rocks_view_open(f->store->rocks, &view);
	rocks_iter_open(&view, FAMILY_ROLLUPS, &from, &to, false, &iter);
	for (; rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct sample_key at;
		uint8_t level;
		assert_true(key_parse_sums(rocks_iter_key(&iter), &level, &at));
		assert_int_equal(at.day, 20001);
		left++;
	}
	rocks_iter_close(&iter);
	rocks_view_close(&view);
	assert_int_equal(left, 3);
}

/* ---- space ---- */

static void the_space_of_dropped_days_returns_at_once(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint32_t days;
	write_days(f->store, STR("t"), 8, 25);
	must(rocks_flush(f->store->rocks, &err), &err);
	uint64_t before = disk_bytes(f->store);
	assert_true(before > 8 * MIB);
	keep(f->store, (struct store_retention){.age_ns = 2 * DAY_NS});
	must(retention_run(f->store, FIRST_NS + 8 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 6);
	wait_for_size(f->store, before / 3);
	print_message("%ju KiB before, %ju KiB after\n", (uintmax_t)before / 1024,
		      (uintmax_t)disk_bytes(f->store) / 1024);
	assert_int_equal(newest_days(f->store, STR("t"), 8), 2);
}

/* A view from before the drop still finds everything; the space returns when it is closed. */
static void a_reader_keeps_what_it_looks_at(void **state)
{
	struct fixture *f = *state;
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct store_tree tree;
	struct arena arena = {0};
	struct query query;
	struct err err;
	uint32_t days;
	write_days(f->store, STR("t"), 4, 5);
	must(rocks_flush(f->store->rocks, &err), &err);
	must(query_open(f->store, &all, &query, &err), &err);
	keep(f->store, (struct store_retention){.age_ns = 1 * DAY_NS});
	f->store->maintenance.stop = true; /* do not wait for the reader */
	must(retention_run(f->store, FIRST_NS + 4 * DAY_NS, &days, &err), &err);
	f->store->maintenance.stop = false;
	assert_int_equal(days, 3);
	assert_true(f->store->retention.unfinished);
	must(answer_merge(&query, &arena, &tree, &err), &err);
	assert_int_equal(tree.node_count, 3);
	query_close(&query);
	arena_deinit(&arena);
	uint64_t before = disk_bytes(f->store);
	must(retention_run(f->store, FIRST_NS + 4 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 0);
	assert_false(f->store->retention.unfinished);
	wait_for_size(f->store, before * 2 / 3);
}

/* ---- by size ---- */

static void the_oldest_days_go_while_the_store_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint32_t days;
	write_days(f->store, STR("t"), 8, 25);
	must(rocks_flush(f->store->rocks, &err), &err);
	uint64_t before = disk_bytes(f->store);
	keep(f->store, (struct store_retention){.size_bytes = before * 5 / 8});
	must(retention_run(f->store, FIRST_NS + 8 * DAY_NS, &days, &err), &err);
	unsigned left = newest_days(f->store, STR("t"), 8);
	print_message("%u of 8 days stay\n", left);
	assert_in_range(left, 4, 5);
	assert_int_equal(days, 8 - left);
	wait_for_size(f->store, before * 5 / 8 + MIB / 8);
	/* It fits now. */
	must(retention_run(f->store, FIRST_NS + 8 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 0);
}

static void todays_data_stays_whatever_its_size(void **state)
{
	struct fixture *f = *state;
	int64_t before = metric_get(&store_crowded_rounds_total);
	struct err err;
	uint32_t days;
	write_days(f->store, STR("t"), 3, 5);
	keep(f->store, (struct store_retention){.size_bytes = 1});
	must(retention_run(f->store, FIRST_NS + 2 * DAY_NS + 1, &days, &err), &err);
	assert_int_equal(days, 2);
	assert_int_equal(newest_days(f->store, STR("t"), 3), 1);
	assert_int_equal(metric_get(&store_crowded_rounds_total), before + 1);
	assert_true(f->store->retention.crowded);
	must(write_big(f->store, STR("t"), 77, FIRST_NS + 2 * DAY_NS, &err), &err);
	/* From midnight on it may go. */
	must(retention_run(f->store, FIRST_NS + 3 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 1);
	assert_int_equal(samples_of(f->store), 0);
}

static void a_tenant_over_its_own_limit_gives_its_own_days(void **state)
{
	struct fixture *f = *state;
	const struct store_override overrides[] = {
		{.tenant = STR("big"), .size_bytes = MIB},
	};
	struct err err;
	uint32_t days;
	write_days(f->store, STR("t"), 4, 10);
	write_days(f->store, STR("big"), 4, 10);
	must(rocks_flush(f->store->rocks, &err), &err);
	keep(f->store, (struct store_retention){.overrides = overrides, .override_count = 1});
	must(retention_run(f->store, FIRST_NS + 4 * DAY_NS, &days, &err), &err);
	assert_int_equal(newest_days(f->store, STR("t"), 4), 4);
	unsigned left = newest_days(f->store, STR("big"), 4);
	assert_in_range(left, 1, 2);
	assert_int_equal(days, 4 - left);
}

static void of_equally_old_days_the_largest_goes_first(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint32_t days;
	write_days(f->store, STR("small"), 2, 2);
	write_days(f->store, STR("t"), 2, 20);
	must(rocks_flush(f->store->rocks, &err), &err);
	keep(f->store, (struct store_retention){.size_bytes = disk_bytes(f->store) * 3 / 4});
	must(retention_run(f->store, FIRST_NS + 2 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 1);
	assert_int_equal(newest_days(f->store, STR("t"), 2), 1);
	assert_int_equal(newest_days(f->store, STR("small"), 2), 2);
}

/* ---- a full disk ---- */

static void fill(const char *path, off_t left_bytes)
{
	static char block[65536];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(ftruncate(fd, size > left_bytes ? size - left_bytes : 0), 0);
	close(fd);
}

static void a_disk_that_fills_up_drops_the_oldest_days(void **state)
{
	(void)state;
	struct fixture f = {0};
	char disk[64], ballast[80];
	struct err err;
	uint32_t days;
	temp_directory(disk);
	if (mount("tmpfs", disk, "tmpfs", 0, "size=400m")) {
		remove_directory(disk);
		print_message("skipped: mounting a tmpfs needs root\n");
		skip();
	}
	snprintf(f.path, sizeof(f.path), "%.50s/store", disk);
	snprintf(ballast, sizeof(ballast), "%s/ballast", disk);
	open_again(&f);
	write_days(f.store, STR("t"), 6, 25);
	struct key from = key_samples_day(0, 0), to = key_samples_day(UINT32_MAX, 0);
	must(rocks_flush(f.store->rocks, &err), &err);
	rocks_compact(f.store->rocks, FAMILY_SAMPLES, &from, &to);
	/* Without a limit of size nothing is dropped, and the refusal says what would help. */
	fill(ballast, 7 * MIB);
	assert_int_equal(write_big(f.store, STR("t"), 1, FIRST_NS + 6 * DAY_NS, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "a limit of size"));
	must(retention_run(f.store, FIRST_NS + 6 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 0);
	keep(f.store, (struct store_retention){.size_share = 0.99});
	assert_int_equal(write_big(f.store, STR("t"), 1, FIRST_NS + 6 * DAY_NS, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "are being dropped"));
	/* Before it comes to that: 2 % of the disk, 8 MiB, are the reserve, and twice of it is too little. */
	fill(ballast, 15 * MIB);
	must(retention_run(f.store, FIRST_NS + 6 * DAY_NS, &days, &err), &err);
	assert_int_equal(days, 1);
	assert_int_equal(newest_days(f.store, STR("t"), 6), 5);
	must(write_big(f.store, STR("t"), 1, FIRST_NS + 6 * DAY_NS, &err), &err);
	store_close(f.store);
	assert_int_equal(umount(disk), 0);
	rmdir(disk);
}

/* ---- short of memory ---- */

static void without_memory_a_round_fails_and_the_next_one_works(void **state)
{
	struct fixture *f = *state;
	const struct store_override overrides[] = {{.tenant = STR("t"), .size_bytes = 1}};
	const struct store_retention retention = {.age_ns = 3 * DAY_NS,
						  .overrides = overrides,
						  .override_count = 1};
	struct err err;
	uint32_t days = 0;
	for (unsigned i = 0; i < 6; i++) {
		must(write_big(f->store, STR("t"), i, FIRST_NS + i * DAY_NS, &err), &err);
		write_tiny(f->store, STR("other"), i, FIRST_NS + i * DAY_NS);
	}
	must(rocks_flush(f->store->rocks, &err), &err);
	uint64_t nth = 0, made = 0;
	while (made >= nth) {
		write_tiny(f->store, STR("other"), 10 + (unsigned)nth, FIRST_NS);
		mem_fail_nth(++nth);
		int rc = store_set_retention(f->store, &retention, &err);
		rc = rc ? rc : retention_run(f->store, FIRST_NS + 6 * DAY_NS, &days, &err);
		made = mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_true(nth > 3);
	assert_in_range(newest_days(f->store, STR("t"), 6), 0, 1);
	assert_int_equal(newest_days(f->store, STR("other"), 6), 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(days_older_than_the_retention_go_and_others_stay),
		TEST(the_retention_opens_a_broken_store_anew),
		TEST(every_tenant_has_an_age_of_its_own),
		TEST(sums_go_with_their_samples),
		TEST(the_space_of_dropped_days_returns_at_once),
		TEST(a_reader_keeps_what_it_looks_at),
		TEST(the_oldest_days_go_while_the_store_is_too_large),
		TEST(todays_data_stays_whatever_its_size),
		TEST(a_tenant_over_its_own_limit_gives_its_own_days),
		TEST(of_equally_old_days_the_largest_goes_first),
		cmocka_unit_test(a_disk_that_fills_up_drops_the_oldest_days),
		TEST(without_memory_a_round_fails_and_the_next_one_works),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
