/* A directory that lost a file or has bytes changed: a sentence that names the
 * file and what to do, nothing deleted, and only what needs the bytes fails. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "help.h"
#include "store/embedded/embedded.h"

#define HOUR_NS (3600ull * 1000000000)
#define NOW_NS	(1763800000ull / 3600 * HOUR_NS)

struct fixture {
	char path[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	remove_directory(f->path);
	free(f);
	return 0;
}

static void write_hours(struct store *store, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, i, NOW_NS + i * HOUR_NS);
		must(store_write(store, &tiny.batch, &err), &err);
	}
}

/* The largest file of db/ whose name ends so. */
static void find_file(const struct fixture *f, const char *end, char path[256])
{
	char pattern[128];
	off_t most = -1;
	glob_t found;
	snprintf(pattern, sizeof(pattern), "%s/db/%s", f->path, end);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct stat st;
		assert_int_equal(stat(found.gl_pathv[i], &st), 0);
		if (st.st_size > most)
			snprintf(path, 256, "%s", found.gl_pathv[i]);
		most = st.st_size > most ? st.st_size : most;
	}
	globfree(&found);
}

static void change_byte(const char *path, off_t at)
{
	char byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte = (char)(byte ^ 0x55);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static off_t size_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static int try_open(const struct fixture *f, struct store **ret, struct err *err)
{
	struct store_options options = {.path = f->path, .memory_bytes = 8 << 20};
	return store_open(&options, ret, err);
}

static void a_lost_current_file_is_refused_twice_and_nothing_is_deleted(void **state)
{
	struct fixture *f = *state;
	char current[128], kept[128];
	struct store *store = open_store(f->path);
	struct err err;
	write_hours(store, 0, 20);
	store_close(store);
	snprintf(current, sizeof(current), "%s/db/CURRENT", f->path);
	snprintf(kept, sizeof(kept), "%s/kept", f->path);
	assert_int_equal(rename(current, kept), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(try_open(f, &store, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.text, current));
		assert_non_null(strstr(err.text, "MANIFEST-"));
		assert_int_equal(access(current, F_OK), -1);
	}
	assert_int_equal(rename(kept, current), 0);
	store = open_store(f->path);
	assert_int_equal(total_of(store), 80);
	store_close(store);
}

/* As a kill does it: what is in the log was not written out as tables. */
static void leave_a_log(const struct fixture *f, unsigned batches)
{
	char command[256];
	struct store *store = open_store(f->path);
	write_hours(store, 0, batches);
	snprintf(command, sizeof(command), "cp -a '%s/db' '%s/copy'", f->path, f->path);
	assert_int_equal(system(command), 0);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r '%s/db' && mv '%s/copy' '%s/db'", f->path,
		 f->path, f->path);
	assert_int_equal(system(command), 0);
}

static void a_torn_log_gives_back_all_before_the_tear(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	char log[256];
	leave_a_log(f, 20);
	find_file(f, "*.log", log);
	assert_int_equal(truncate(log, size_of(log) - 10), 0);
	store = open_store(f->path);
	assert_int_equal(total_of(store), 76);
	write_hours(store, 30, 1);
	assert_int_equal(total_of(store), 80);
	store_close(store);
}

static void a_log_damaged_in_its_middle_gives_back_what_stands_before(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	char log[256];
	leave_a_log(f, 20);
	find_file(f, "*.log", log);
	change_byte(log, size_of(log) / 2);
	store = open_store(f->path);
	int64_t total = total_of(store);
	assert_true(total > 0 && total < 80);
	write_hours(store, 30, 1);
	assert_int_equal(total_of(store), total + 4);
	store_close(store);
}

static void a_damaged_manifest_is_named_with_what_to_do(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f->path);
	struct err err;
	char manifest[256];
	write_hours(store, 0, 3);
	store_close(store);
	find_file(f, "MANIFEST-*", manifest);
	change_byte(manifest, size_of(manifest) / 2);
	assert_int_equal(try_open(f, &store, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.text, manifest));
	assert_non_null(strstr(err.text, "restore"));
}

static int read_hour(struct store *store, unsigned hour)
{
	struct store_selection one = {.tenant = STR("t"),
				      .start_ns = NOW_NS + hour * HOUR_NS,
				      .end_ns = NOW_NS + (hour + 1) * HOUR_NS};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	int rc = store_merge(store, &one, &arena, &tree, &err);
	arena_deinit(&arena);
	return rc;
}

/* The oldest table of samples: live files come in the order of their families and levels. */
static void find_samples(struct store *store, char path[256])
{
	const rocksdb_livefiles_t *files = rocksdb_livefiles(store->rocks->db);
	path[0] = 0;
	for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
		const char *name = rocksdb_livefiles_name(files, i);
		char found[256];
		snprintf(found, sizeof(found), "%s%s", store->database_path, name);
		if (strcmp(rocksdb_livefiles_column_family_name(files, i), "samples") == 0 &&
		    (!*path || strcmp(found, path) < 0))
			snprintf(path, 256, "%s", found);
	}
	rocksdb_livefiles_destroy(files);
	assert_true(*path);
}

static unsigned write_on(struct store *store, unsigned first, unsigned count)
{
	unsigned refused = 0;
	for (unsigned i = first; i < first + count; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, i, NOW_NS + i % 8 * HOUR_NS);
		refused += store_write(store, &tiny.batch, &err) != 0;
	}
	return refused;
}

/* As the background does it, later. */
static void compact_everything(struct store *store)
{
	rocksdb_compact_range_cf(store->rocks->db, store->rocks->family[FAMILY_SAMPLES], NULL, 0,
				 NULL, 0);
}

static void a_damaged_block_costs_its_queries_and_writing_goes_on(void **state)
{
	enum { HOURS = 40 };
	struct fixture *f = *state;
	char table[256];
	struct store *store = open_store(f->path);
	write_hours(store, 0, HOURS);
	store_close(store);
	store = open_store(f->path);
	write_hours(store, HOURS, HOURS);
	find_samples(store, table);
	store_close(store);
	change_byte(table, 100);
	store = open_store(f->path);
	assert_int_equal(read_hour(store, 0), ERR_CORRUPT);
	for (unsigned i = HOURS; i < 2 * HOURS; i++)
		assert_int_equal(read_hour(store, i), 0);
	/* Into the same hours, so that a compaction, ours or one before it, has to read the table. */
	unsigned refused = write_on(store, 200, 5);
	if (!store->plan.rocks.no_compaction)
		compact_everything(store);
	refused += write_on(store, 300, 5);
	assert_true(refused <= 1);
	assert_true(store->plan.rocks.no_compaction);
	assert_int_equal(write_on(store, 400, 5), 0);
	store_close(store);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lost_current_file_is_refused_twice_and_nothing_is_deleted),
		TEST(a_torn_log_gives_back_all_before_the_tear),
		TEST(a_log_damaged_in_its_middle_gives_back_what_stands_before),
		TEST(a_damaged_manifest_is_named_with_what_to_do),
		TEST(a_damaged_block_costs_its_queries_and_writing_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
