#include "samples.h"

#include <elf.h>
#include <link.h>

static void a_program_says_what_it_is(void **state)
{
	static const struct {
		const char *path;
		uint16_t type;
		bool interp, symtab;
	} cases[] = {
		{SAMPLE("pie"), ET_DYN, true, true},	  {SAMPLE("fixed"), ET_EXEC, true, true},
		{SAMPLE("static"), ET_EXEC, false, true}, {SAMPLE("stripped"), ET_DYN, true, false},
		{SAMPLE("shared"), ET_DYN, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd;
		struct elf_file *file = open_elf(cases[i].path, &fd);
		const struct elf_info *info = elf_info(file);
		assert_int_equal(info->machine, EM_X86_64);
		assert_int_equal(info->type, cases[i].type);
		assert_int_equal(info->has_interp, cases[i].interp);
		assert_int_equal(info->has_symtab, cases[i].symtab);
		assert_true(info->has_eh_frame);
		assert_false(info->is_go);
		elf_close(file);
		close(fd);
	}
}

static void the_build_id_is_what_readelf_prints(void **state)
{
	static const char *const paths[] = {SAMPLE("pie"), SAMPLE("static"), LIBC_PATH, "/bin/sh"};
	char command[256], line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd;
		struct elf_file *file = open_elf(paths[i], &fd);
		snprintf(command, sizeof(command),
			 "readelf -nW %s 2>/dev/null | sed -n 's/.*Build ID: *//p'", paths[i]);
		command_line(command, line, sizeof(line));
		assert_int_equal(strlen(line), 40);
		assert_string_equal(elf_info(file)->build_id, line);
		elf_close(file);
		close(fd);
	}
}

static void sections_are_found_by_name(void **state)
{
	int fd;
	struct elf_file *file = open_elf(SAMPLE("pie"), &fd);
	const struct elf_section *text = elf_section_named(file, ".text");
	char magic[4];

	(void)state;
	assert_non_null(text);
	assert_true(text->size > 0 && (text->flags & SHF_EXECINSTR));
	assert_null(elf_section_named(file, ".no_such_section"));
	assert_null(elf_section_at(file, elf_section_count(file)));
	assert_null(elf_segment_at(file, elf_segment_count(file)));
	assert_int_equal(elf_read(file, 0, magic, 4, NULL), 0);
	assert_memory_equal(magic, "\177ELF", 4);
	assert_int_equal(elf_read(file, elf_size_bytes(file) - 3, magic, 4, NULL), ERR_CORRUPT);
	assert_int_equal(elf_read(file, UINT64_MAX, magic, 4, NULL), ERR_CORRUPT);
	elf_close(file);
	close(fd);
}

static void a_handle_may_outlive_its_sections_and_descriptor(void **state)
{
	int fd;
	struct elf_file *file = open_elf(SAMPLE("pie"), &fd);
	uint64_t entry = elf_info(file)->entry, vaddr;

	(void)state;
	close(fd);
	elf_forget_sections(file);
	assert_int_equal(elf_section_count(file), 0);
	assert_null(elf_section_named(file, ".text"));
	assert_int_equal(strlen(elf_info(file)->build_id), 40);
	/* The linker gives this sample the same offsets in file and memory. */
	assert_true(elf_vaddr_of_offset(file, entry, &vaddr));
	assert_true(vaddr == entry);
	elf_close(file);
}

struct own_libc {
	uint64_t bias;
};

static int find_libc(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct own_libc *own = arg;

	(void)size;
	if (!strstr(info->dlpi_name, "libc.so"))
		return 0;
	own->bias = info->dlpi_addr;
	return 1;
}

static void the_bias_of_a_mapping_is_what_the_loader_chose(void **state)
{
	struct own_libc own = {0};
	char line[512], path[256], perms[8];
	unsigned long start, end, offset;
	unsigned seen = 0;
	int fd;

	(void)state;
	assert_int_equal(dl_iterate_phdr(find_libc, &own), 1);
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t bias;
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, perms, &offset,
			   path) != 5 ||
		    !strstr(path, "libc.so") || !strchr(perms, 'x'))
			continue;
		struct elf_file *file = open_elf(path, &fd);
		assert_true(elf_bias(file, start, offset, &bias));
		assert_true(bias == own.bias);
		elf_close(file);
		close(fd);
		seen++;
	}
	fclose(maps);
	assert_int_equal(seen, 1);
}

/* An image with two segments whose bytes share a page of the file, as lld and mold lay them out. */
static size_t make_shared_page_image(uint8_t *image, size_t cap, bool both_exec)
{
	Elf64_Ehdr header = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr data = {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1640};
	Elf64_Phdr code = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = 0x1640,
		.p_vaddr = 0x2640,
		.p_filesz = 0x900,
		.p_memsz = 0x900,
	};

	assert_true(cap >= 0x2000);
	memset(image, 0, 0x2000);
	data.p_memsz = data.p_filesz;
	data.p_flags |= both_exec ? PF_X : 0;
	memcpy(image, &header, sizeof(header));
	memcpy(image + sizeof(header), &data, sizeof(data));
	memcpy(image + sizeof(header) + sizeof(data), &code, sizeof(code));
	return 0x2000;
}

static void an_executable_mapping_belongs_to_the_executable_segment(void **state)
{
	uint8_t image[0x2000];
	struct elf_file *file;
	uint64_t value;

	(void)state;
	size_t len = make_shared_page_image(image, sizeof(image), false);
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	/* Page 1 of the file holds the end of the data and the start of the code. */
	assert_true(elf_bias(file, 0x7f0000002000, 0x1000, &value));
	assert_true(0x7f0000002000 + 0x650 - value == 0x2650);
	assert_true(elf_vaddr_of_offset(file, 0x1100, &value));
	assert_true(value == 0x1100);
	assert_true(elf_vaddr_of_offset(file, 0x1650, &value));
	assert_true(value == 0x2650);
	assert_false(elf_vaddr_of_offset(file, 0x5000, &value));
	assert_false(elf_bias(file, 0x7f0000002000, 0x5000, &value));
	elf_close(file);
}

static void a_mapping_belongs_to_the_segment_that_starts_in_its_first_page(void **state)
{
	uint8_t image[0x2000];
	struct elf_file *file;
	uint64_t value;

	(void)state;
	size_t len = make_shared_page_image(image, sizeof(image), true);
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	assert_true(elf_bias(file, 0x7f0000002000, 0x1000, &value));
	assert_true(value == 0x7f0000000000);
	assert_true(elf_bias(file, 0x7f0000000000, 0, &value));
	assert_true(value == 0x7f0000000000);
	elf_close(file);
}

static void reading_past_the_end_of_an_image_is_an_error(void **state)
{
	static uint8_t image[0x2000];
	struct elf_file *file;
	char bytes[16];

	(void)state;
	size_t len = make_shared_page_image(image, sizeof(image), false);
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	assert_int_equal(elf_read(file, len - 16, bytes, 16, NULL), 0);
	assert_int_equal(elf_read(file, len - 15, bytes, 16, NULL), ERR_CORRUPT);
	assert_int_equal(elf_read(file, len + 1, bytes, 0, NULL), ERR_CORRUPT);
	elf_close(file);
}

static void what_is_not_served_is_refused_with_its_reason(void **state)
{
	static const struct {
		char start[20];
		size_t len;
		int code;
	} cases[] = {
		{"", 0, ERR_INVALID},
		{"#!/bin/sh\necho\n", 76, ERR_INVALID},
		{"\177ELF", 4, ERR_INVALID},
		{"\177ELF\1\1\1", 64, ERR_UNSUPPORTED},
		{"\177ELF\2\2\1", 64, ERR_UNSUPPORTED},
		{"\177ELF\3\1\1", 64, ERR_CORRUPT},
		{"\177ELF\2\3\1", 64, ERR_CORRUPT},
		{"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x08\0", 64, ERR_UNSUPPORTED}, /* MIPS */
		{"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0", 64, ERR_UNSUPPORTED}, /* core */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[128] = {0};
		struct elf_file *file;
		struct err err = {0};
		memcpy(bytes, cases[i].start, sizeof(cases[i].start));
		assert_int_equal(elf_open_memory(bytes, cases[i].len, &file, &err), cases[i].code);
		assert_true(strlen(err.text) > 0);
	}
}

static void object_files_and_folders_are_refused(void **state)
{
	struct elf_file *file;
	int fd = open_path(SAMPLE("object"));

	(void)state;
	assert_int_equal(elf_open(fd, &file, NULL), ERR_UNSUPPORTED);
	close(fd);
	fd = open_path("/tmp");
	assert_int_equal(elf_open(fd, &file, NULL), ERR_INVALID);
	close(fd);
	assert_int_equal(elf_open(-1, &file, NULL), ERR_IO);
	elf_close(NULL);
}

static void a_file_that_shrinks_after_opening_is_an_error(void **state)
{
	static char bytes[1 << 16];
	struct elf_symbols *symbols;
	struct elf_file *file;
	int from = open_path(SAMPLE("pie"));
	ssize_t len = read(from, bytes, sizeof(bytes));
	int fd = temp_file(bytes, (size_t)len);

	(void)state;
	assert_int_equal(elf_open(fd, &file, NULL), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	/* Every table is gone, and that is said instead of a crash. */
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), ERR_NOT_FOUND);
	elf_close(file);
	close(fd);
	close(from);
}

static void opening_runs_short_of_memory_anywhere_without_harm(void **state)
{
	int fd = open_path(SAMPLE("pie"));
	int rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct elf_file *file = NULL;
		mem_fail_nth(nth);
		rc = elf_open(fd, &file, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		elf_close(file);
	}
	assert_true(failed >= 4);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_says_what_it_is),
		cmocka_unit_test(the_build_id_is_what_readelf_prints),
		cmocka_unit_test(sections_are_found_by_name),
		cmocka_unit_test(a_handle_may_outlive_its_sections_and_descriptor),
		cmocka_unit_test(the_bias_of_a_mapping_is_what_the_loader_chose),
		cmocka_unit_test(an_executable_mapping_belongs_to_the_executable_segment),
		cmocka_unit_test(a_mapping_belongs_to_the_segment_that_starts_in_its_first_page),
		cmocka_unit_test(reading_past_the_end_of_an_image_is_an_error),
		cmocka_unit_test(what_is_not_served_is_refused_with_its_reason),
		cmocka_unit_test(object_files_and_folders_are_refused),
		cmocka_unit_test(a_file_that_shrinks_after_opening_is_an_error),
		cmocka_unit_test(opening_runs_short_of_memory_anywhere_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
