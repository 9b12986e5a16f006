/* What a file says of its debug file, and which files are it. */
#include "samples.h"

#include "elf/debugfile.h"
#include "../../elf_image.h"

static struct debugfile_link link_of(const char *path)
{
	struct debugfile_link link;
	int fd;
	struct elf_file *file = open_elf(path, &fd);

	assert_true(debugfile_link_read(file, &link));
	elf_close(file);
	close(fd);
	return link;
}

static int check(const struct debugfile_link *link, const char *path)
{
	int fd = open_path(path);
	int rc = debugfile_check(link, fd, NULL);

	close(fd);
	return rc;
}

static void a_stripped_program_names_its_debug_file(void **state)
{
	struct debugfile_link link = link_of(SAMPLE("split"));

	(void)state;
	assert_string_equal(link.name, "sample-split.debug");
	assert_int_equal(strlen(link.build_id), 40);
	assert_int_equal(check(&link, SAMPLE("split.debug")), 0);
	assert_int_equal(check(&link, SAMPLE("split")), ERR_NOT_FOUND);
	assert_int_equal(check(&link, SAMPLE("pie")), ERR_NOT_FOUND);
	assert_int_equal(check(&link, "/dev/null"), ERR_INVALID);
}

static void without_a_build_id_the_checksum_decides(void **state)
{
	struct debugfile_link link = link_of(SAMPLE("nameless"));

	(void)state;
	assert_string_equal(link.build_id, "");
	assert_int_equal(check(&link, SAMPLE("nameless.debug")), 0);
	assert_int_equal(check(&link, SAMPLE("split.debug")), ERR_NOT_FOUND);
	link.crc ^= 1;
	assert_int_equal(check(&link, SAMPLE("nameless.debug")), ERR_NOT_FOUND);
	/* A file with a build id whose debug file has none proves nothing either. */
	struct debugfile_link by_id = link_of(SAMPLE("split"));
	assert_int_equal(check(&by_id, SAMPLE("nameless.debug")), ERR_NOT_FOUND);
}

static void the_places_are_those_of_gdb(void **state)
{
	static const char *const expected[] = {
		"/usr/lib/debug/.build-id/ab/cdef.debug",
		"/opt/app/x.debug",
		"/opt/app/.debug/x.debug",
		"/usr/lib/debug/opt/app/x.debug",
	};
	struct debugfile_link link = {.build_id = "abcdef", .name = "x.debug"};
	char path[256], small[16];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(debugfile_path(&link, STR("/opt/app/x"), i, path, sizeof(path)));
		assert_string_equal(path, expected[i]);
	}
	assert_false(debugfile_path(&link, STR("/opt/app/x"), 4, path, sizeof(path)));
	assert_true(debugfile_path(&link, STR("/opt/app/x"), 0, small, sizeof(small)));
	assert_string_equal(small, "");
	link.build_id[0] = '\0';
	assert_true(debugfile_path(&link, STR("/x"), 0, path, sizeof(path)));
	assert_string_equal(path, "/x.debug");
	assert_false(debugfile_path(&link, STR("x"), 0, path, sizeof(path)));
	link.name[0] = '\0';
	assert_false(debugfile_path(&link, STR("/x"), 0, path, sizeof(path)));
}

static void names_that_lead_elsewhere_are_none(void **state)
{
	static const struct {
		struct str bytes;
		const char *name;
	} cases[] = {
		{STR("abc\0\1\2\3\4"), "abc"},
		{STR("ab\0\0\1\2\3\4"), "ab"},
		{STR("abcd\0\0\0\0\1\2\3\4"), "abcd"},
		{STR("abc\0\1\2\3"), ""},
		{STR("abc\0"), ""},
		{STR("abc"), ""},
		{STR(""), ""},
		{STR("\0\0\0\0\1\2\3\4"), ""},
		{STR("..\0\0\1\2\3\4"), ""},
		{STR(".\0\0\0\1\2\3\4"), ""},
		{STR("/et\0\1\2\3\4"), ""},
		{STR("a/b\0\1\2\3\4"), ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t image[4096];
		struct elf_file *file;
		struct debugfile_link link;
		const struct image_section section = {".gnu_debuglink", SHT_PROGBITS, 0,
						      cases[i].bytes.ptr, cases[i].bytes.len};
		size_t len = elf_image(image, sizeof(image), EM_X86_64, &section, 1);
		assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
		assert_int_equal(debugfile_link_read(file, &link), cases[i].name[0] != '\0');
		assert_string_equal(link.name, cases[i].name);
		if (link.name[0])
			assert_int_equal(link.crc, 0x04030201);
		elf_close(file);
	}
}

static void the_debug_file_names_functions(void **state)
{
	struct elf_symbols *symbols = NULL;
	int fd, debug_fd;
	struct elf_file *file = open_elf(SAMPLE("split"), &fd);
	struct elf_file *debug = open_elf(SAMPLE("split.debug"), &debug_fd);

	(void)state;
	assert_int_equal(elf_symbols_load_with(file, debug, 0, &symbols, NULL), 0);
	(void)symbol_named(symbols, "sample_static");
	(void)symbol_named(symbols, "printf@plt");
	elf_symbols_free(symbols);
	elf_close(file);
	elf_close(debug);
	close(fd);
	close(debug_fd);
}

static void checking_runs_short_of_memory_anywhere_without_harm(void **state)
{
	struct debugfile_link link = link_of(SAMPLE("nameless"));
	int rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		mem_fail_nth(nth);
		rc = check(&link, SAMPLE("nameless.debug"));
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
	}
	assert_true(failed >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stripped_program_names_its_debug_file),
		cmocka_unit_test(without_a_build_id_the_checksum_decides),
		cmocka_unit_test(the_places_are_those_of_gdb),
		cmocka_unit_test(names_that_lead_elsewhere_are_none),
		cmocka_unit_test(the_debug_file_names_functions),
		cmocka_unit_test(checking_runs_short_of_memory_anywhere_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
