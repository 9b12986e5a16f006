#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

static char dir[] = "/tmp/cresset-fd-XXXXXX";
static char path[256];

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void a_file_written_is_read_back(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_int_equal(fd_replace_file(in_dir("a"), "hello", 5, NULL), 0);
	buf_cstr(&buf, "before ");
	assert_int_equal(fd_read_file(in_dir("a"), 5, &buf, NULL), 0);
	assert_true(str_equal(buf_text(&buf), STR("before hello")));
	assert_int_equal(fd_replace_file(in_dir("a"), "x", 1, NULL), 0);
	buf_clear(&buf);
	assert_int_equal(fd_read_file(in_dir("a"), 100, &buf, NULL), 0);
	assert_true(str_equal(buf_text(&buf), STR("x")));
	assert_int_not_equal(access(in_dir("a.tmp"), F_OK), 0);
	buf_deinit(&buf);
}

static void a_large_file_comes_whole(void **state)
{
	enum { SIZE = 3 * 1024 * 1024 + 7 };
	char *bytes = malloc(SIZE);
	struct buf buf = {0};

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 31 >> 3);
	assert_int_equal(fd_replace_file(in_dir("large"), bytes, SIZE, NULL), 0);
	assert_int_equal(fd_read_file(in_dir("large"), SIZE, &buf, NULL), 0);
	assert_int_equal(buf.len, SIZE);
	assert_memory_equal(buf.ptr, bytes, SIZE);
	buf_deinit(&buf);
	free(bytes);
}

static void files_of_proc_have_no_size_and_are_read(void **state)
{
	struct buf buf = {0};
	FD_AUTO int proc = open("/proc", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(fd_read_file_at(proc, "self/status", 1 << 20, &buf, NULL), 0);
	assert_true(str_starts_with(buf_text(&buf), STR("Name:")));
	buf_deinit(&buf);
}

static void one_byte_over_the_limit_is_refused(void **state)
{
	struct buf buf = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(fd_replace_file(in_dir("six"), "123456", 6, NULL), 0);
	buf_cstr(&buf, "kept");
	assert_int_equal(fd_read_file(in_dir("six"), 5, &buf, &err), ERR_LIMIT);
	assert_true(strstr(err.text, "six: larger than 5 bytes") != NULL);
	assert_true(str_equal(buf_text(&buf), STR("kept")));
	assert_int_equal(fd_read_file(in_dir("six"), 0, &buf, &err), ERR_LIMIT);
	buf_deinit(&buf);
}

static void what_is_not_there_is_named(void **state)
{
	struct buf buf = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(fd_read_file("/no/such/file", 5, &buf, &err), ERR_NOT_FOUND);
	assert_string_equal(err.text, "opening /no/such/file: No such file or directory");
	assert_int_equal(fd_replace_file("/no/such/file", "", 0, &err), ERR_NOT_FOUND);
	assert_int_equal(fd_read_file("/", 5, &buf, &err), ERR_IO);
	buf_deinit(&buf);
}

static void a_full_device_is_an_error_and_leaves_no_file(void **state)
{
	struct err err = {0};
	FD_AUTO int fd = open("/dev/full", O_WRONLY);

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(fd_write_all(fd, "x", 1, &err), ERR_LIMIT);
	assert_int_equal(fd_write_all(fd, "x", 1, NULL), ERR_LIMIT);
}

static void directories_are_made_with_their_parents(void **state)
{
	struct err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(fd_make_dirs(in_dir("p/q/r"), 0755, &err), 0);
	assert_int_equal(stat(in_dir("p/q/r"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fd_make_dirs(in_dir("p/q/"), 0755, &err), 0);
	assert_int_equal(fd_make_dirs("/", 0755, &err), 0);
	assert_int_equal(fd_make_dirs("", 0755, &err), ERR_INVALID);
	assert_int_equal(fd_replace_file(in_dir("file"), "", 0, &err), 0);
	assert_true(fd_make_dirs(in_dir("file/x"), 0755, &err) < 0);
	assert_true(strstr(err.text, "file: Not a directory") != NULL);
	assert_true(fd_make_dirs(in_dir("file"), 0755, &err) < 0);
}

static void closing_twice_is_fine(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
}

static void a_failed_replacement_leaves_the_old_file(void **state)
{
	struct buf buf = {0};
	char tmp[300];

	(void)state;
	assert_int_equal(fd_replace_file(in_dir("kept"), "old", 3, NULL), 0);
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	assert_int_equal(mkdir(tmp, 0755), 0); /* in the way */
	assert_true(fd_replace_file(in_dir("kept"), "new", 3, NULL) < 0);
	assert_int_equal(fd_read_file(in_dir("kept"), 10, &buf, NULL), 0);
	assert_true(str_equal(buf_text(&buf), STR("old")));
	buf_deinit(&buf);
}

static void without_memory_nothing_is_appended(void **state)
{
	struct buf buf = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(fd_replace_file(in_dir("m"), "hello", 5, NULL), 0);
	mem_fail_nth(1);
	assert_int_equal(fd_read_file(in_dir("m"), 100, &buf, &err), ERR_NOMEM);
	mem_fail_nth(0);
	assert_int_equal(buf.len, 0);
	buf_deinit(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_written_is_read_back),
		cmocka_unit_test(a_large_file_comes_whole),
		cmocka_unit_test(files_of_proc_have_no_size_and_are_read),
		cmocka_unit_test(one_byte_over_the_limit_is_refused),
		cmocka_unit_test(what_is_not_there_is_named),
		cmocka_unit_test(a_full_device_is_an_error_and_leaves_no_file),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(closing_twice_is_fine),
		cmocka_unit_test(a_failed_replacement_leaves_the_old_file),
		cmocka_unit_test(without_memory_nothing_is_appended),
	};

	return cmocka_run_group_tests_name("base/fd", tests, make_dir, remove_dir);
}
