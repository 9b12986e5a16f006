/* The model of a disk by itself: what a power cut may take, and what not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"

enum { TRIES = 60, BIG = 20000, PATHS = 96 };

struct fixture {
	char path[64], root[PATHS], cut[PATHS];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	snprintf(f->root, sizeof(f->root), "%s/root", f->path);
	snprintf(f->cut, sizeof(f->cut), "%s/cut", f->path);
	assert_int_equal(mkdir(f->root, 0700), 0);
	shim_start(f->root, 1 << 24);
	shim_plan(&(struct shim_plan){.calls = 1u << SHIM_SYNC, .error = EIO});
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	shim_stop();
	remove_directory(f->path);
	free(f);
	return 0;
}

static const char *in_root(const struct fixture *f, const char *name)
{
	static char path[2][PATHS * 2];
	static unsigned turn;
	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", f->root, name);
	return path[turn];
}

static int make(const struct fixture *f, const char *name, const char *text)
{
	int fd = open(in_root(f, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void sync_root(const struct fixture *f)
{
	int fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

/* Cuts the power now. */
static void cut(struct fixture *f, enum disk_names names, enum disk_data data,
		struct random *random)
{
	size_t bytes;
	const struct shim_record *record = shim_records(&bytes);
	const void *end = (const char *)record + bytes;
	remove_directory(f->cut);
	assert_int_equal(mkdir(f->cut, 0700), 0);
	struct disk *disk = disk_load(f->cut, 1);
	for (; (const void *)record < end; record = shim_next(record))
		disk_apply(disk, record);
	assert_int_equal(rmdir(f->cut), 0);
	disk_cut(disk, names, data, random, f->cut);
	disk_destroy(disk);
}

static void cut_worst(struct fixture *f, enum disk_names names)
{
	cut(f, names, DATA_LOST, NULL);
}

/* NULL when there is no such file. */
static const char *content(const struct fixture *f, const char *name, size_t *ret_len)
{
	static char text[BIG + 1];
	char path[PATHS * 2];
	snprintf(path, sizeof(path), "%s/%s", f->cut, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	ssize_t got = read(fd, text, BIG);
	close(fd);
	assert_true(got >= 0);
	text[got] = 0;
	*ret_len = (size_t)got;
	return text;
}

static void assert_content(const struct fixture *f, const char *name, const char *expected)
{
	size_t len;
	const char *text = content(f, name, &len);
	if (!text)
		fail_msg("%s is gone", name);
	assert_string_equal(text, expected);
}

static void assert_gone(const struct fixture *f, const char *name)
{
	size_t len;
	assert_null(content(f, name, &len));
}

static void what_was_synced_is_there_and_what_was_not_may_be_lost(void **state)
{
	struct fixture *f = *state;
	int fd = make(f, "a", "safe");
	assert_int_equal(fsync(fd), 0);
	sync_root(f);
	assert_int_equal(write(fd, "more", 4), 4);
	cut_worst(f, NAMES_ALONE);
	assert_content(f, "a", "safe");
	assert_int_equal(fdatasync(fd), 0);
	close(fd);
	cut_worst(f, NAMES_ALONE);
	assert_content(f, "a", "safemore");
}

static void a_file_in_a_directory_that_was_not_synced_may_be_gone(void **state)
{
	struct fixture *f = *state;
	int fd = make(f, "a", "safe");
	assert_int_equal(fsync(fd), 0);
	close(fd);
	cut_worst(f, NAMES_ALONE);
	assert_gone(f, "a");
	/* A journal takes the name along with the file. */
	cut_worst(f, NAMES_IN_ORDER);
	assert_content(f, "a", "safe");
}

static void a_rename_is_there_once_its_directory_is_synced(void **state)
{
	struct fixture *f = *state;
	close(make(f, "old", ""));
	sync_root(f);
	assert_int_equal(rename(in_root(f, "old"), in_root(f, "new")), 0);
	cut_worst(f, NAMES_ALONE);
	assert_content(f, "old", "");
	assert_gone(f, "new");
	sync_root(f);
	cut_worst(f, NAMES_ALONE);
	assert_gone(f, "old");
	assert_content(f, "new", "");
}

static void a_file_that_was_deleted_may_come_back(void **state)
{
	struct fixture *f = *state;
	int fd = make(f, "a", "safe");
	assert_int_equal(fsync(fd), 0);
	close(fd);
	sync_root(f);
	assert_int_equal(unlink(in_root(f, "a")), 0);
	cut_worst(f, NAMES_IN_ORDER);
	assert_content(f, "a", "safe");
	sync_root(f);
	cut_worst(f, NAMES_IN_ORDER);
	assert_gone(f, "a");
}

static void a_sync_that_failed_is_not_made_good_by_the_next(void **state)
{
	struct fixture *f = *state;
	struct random random = {1};
	unsigned lost = 0;
	for (unsigned i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", i);
		int fd = make(f, name, "x");
		shim_plan(
			&(struct shim_plan){.calls = 1u << SHIM_SYNC, .fail_at = 1, .error = EIO});
		assert_int_equal(fsync(fd), -1);
		assert_int_equal(errno, EIO);
		assert_int_equal(fsync(fd), 0);
		close(fd);
	}
	sync_root(f);
	cut(f, NAMES_ALONE, DATA_WHOLE, &random);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];
		size_t len;
		snprintf(name, sizeof(name), "f%u", i);
		assert_non_null(content(f, name, &len));
		lost += len == 0;
	}
	assert_in_range(lost, 1, 19);
}

/* Every kind of tear is seen, and nothing but old bytes, new bytes and zeros. */
static void pages_that_were_not_synced_are_old_new_or_empty(void **state)
{
	static char old[BIG / 2], young[BIG];
	struct fixture *f = *state;
	struct random random = {1};
	unsigned mixed = 0, holes = 0;
	memset(old, 'o', sizeof(old));
	memset(young, 'n', sizeof(young));
	int fd = make(f, "a", "");
	assert_int_equal(pwrite(fd, old, sizeof(old), 0), (ssize_t)sizeof(old));
	assert_int_equal(fsync(fd), 0);
	sync_root(f);
	assert_int_equal(pwrite(fd, young, sizeof(young), 0), (ssize_t)sizeof(young));
	close(fd);
	for (unsigned i = 0; i < TRIES; i++) {
		size_t len;
		cut(f, NAMES_ALONE, i % 2 ? DATA_PAGES : DATA_SECTORS, &random);
		const char *text = content(f, "a", &len);
		size_t olds = 0, zeros = 0, news = 0;
		assert_in_range(len, BIG / 2, BIG);
		for (size_t at = 0; at < len; at++) {
			olds += text[at] == 'o';
			news += text[at] == 'n';
			zeros += text[at] == 0;
			assert_false(text[at] == 0 && at < sizeof(old));
		}
		assert_int_equal(olds + news + zeros, len);
		mixed += olds && news;
		holes += zeros > 0;
	}
	assert_true(mixed > TRIES / 4);
	assert_true(holes > TRIES / 8);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_synced_is_there_and_what_was_not_may_be_lost),
		TEST(a_file_in_a_directory_that_was_not_synced_may_be_gone),
		TEST(a_rename_is_there_once_its_directory_is_synced),
		TEST(a_file_that_was_deleted_may_come_back),
		TEST(a_sync_that_failed_is_not_made_good_by_the_next),
		TEST(pages_that_were_not_synced_are_old_new_or_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
