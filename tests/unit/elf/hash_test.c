#include "samples.h"

#include <sys/stat.h>

/* The definition, with the tools of a shell. */
static void shell_htlhash(const char *path, char *ret, size_t cap)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "{ head -c 4096 %s; tail -c 4096 %s; printf '%%016x' $(stat -Lc %%s %s) | "
		 "sed 's/../\\\\x&/g' | xargs -0 printf '%%b'; } | sha256sum | cut -c1-32",
		 path, path, path);
	command_line(command, ret, cap);
}

static void the_hash_is_that_of_head_tail_and_size(void **state)
{
	static const char *const paths[] = {SAMPLE("pie"), LIBC_PATH, "/bin/sh"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char ours[ELF_HTLHASH_CHARS + 1], theirs[64];
		int fd = open_path(paths[i]);
		assert_int_equal(elf_htlhash(fd, ours, NULL), 0);
		shell_htlhash(paths[i], theirs, sizeof(theirs));
		assert_string_equal(ours, theirs);
		close(fd);
	}
}

static void a_short_file_is_hashed_twice_over(void **state)
{
	/* printf 'abcabc\0\0\0\0\0\0\0\3' | sha256sum */
	char ours[ELF_HTLHASH_CHARS + 1], theirs[64];
	int fd = temp_file("abc", 3);

	(void)state;
	assert_int_equal(elf_htlhash(fd, ours, NULL), 0);
	command_line("printf 'abcabc\\0\\0\\0\\0\\0\\0\\0\\3' | sha256sum | cut -c1-32", theirs,
		     sizeof(theirs));
	assert_string_equal(ours, theirs);
	close(fd);
}

static void an_empty_file_has_a_hash_and_a_folder_has_none(void **state)
{
	char hash[ELF_HTLHASH_CHARS + 1];
	int fd = temp_file("", 0);

	(void)state;
	assert_int_equal(elf_htlhash(fd, hash, NULL), 0);
	/* Eight zero bytes. */
	assert_string_equal(hash, "af5570f5a1810b7af78caf4bc70a660f");
	close(fd);
	fd = open_path("/tmp");
	assert_int_equal(elf_htlhash(fd, hash, NULL), ERR_INVALID);
	close(fd);
	assert_int_equal(elf_htlhash(-1, hash, NULL), ERR_IO);
}

static void the_key_of_a_file_changes_with_its_content(void **state)
{
	struct elf_key before, same, after;
	int fd = temp_file("abc", 3);

	(void)state;
	assert_int_equal(elf_key_of_fd(fd, &before, NULL), 0);
	assert_int_equal(elf_key_of_fd(fd, &same, NULL), 0);
	assert_true(elf_key_equal(&before, &same));
	assert_int_equal(pwrite(fd, "abcd", 4, 0), 4);
	assert_int_equal(elf_key_of_fd(fd, &after, NULL), 0);
	assert_false(elf_key_equal(&before, &after));
	close(fd);
	assert_int_equal(elf_key_of_fd(-1, &after, NULL), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_that_of_head_tail_and_size),
		cmocka_unit_test(a_short_file_is_hashed_twice_over),
		cmocka_unit_test(an_empty_file_has_a_hash_and_a_folder_has_none),
		cmocka_unit_test(the_key_of_a_file_changes_with_its_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
