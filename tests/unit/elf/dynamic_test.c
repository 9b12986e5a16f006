/* Files whose section headers are gone: what the loader finds is found. */
#include "samples.h"

#include <elf.h>

enum { IMAGE_MAX_BYTES = 1 << 20 };

static uint8_t image[IMAGE_MAX_BYTES];

static size_t read_image(const char *path)
{
	int fd = open_path(path);
	ssize_t len = read(fd, image, sizeof(image));

	close(fd);
	assert_true(len > 0 && len < IMAGE_MAX_BYTES);
	return (size_t)len;
}

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)image;
}

static void forget_section_table(void)
{
	header()->e_shoff = 0;
	header()->e_shnum = 0;
	header()->e_shstrndx = 0;
}

static Elf64_Dyn *dynamic_entry(int64_t tag)
{
	Elf64_Phdr *program = (Elf64_Phdr *)(image + header()->e_phoff);

	for (int i = 0; i < header()->e_phnum; i++) {
		if (program[i].p_type != PT_DYNAMIC)
			continue;
		for (Elf64_Dyn *d = (Elf64_Dyn *)(image + program[i].p_offset); d->d_tag; d++)
			if (d->d_tag == tag)
				return d;
	}
	fail_msg("no such entry");
	return NULL;
}

/* NULL: none. */
static struct elf_symbols *load(size_t len)
{
	struct elf_symbols *symbols = NULL;
	struct elf_file *file;

	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	int rc = elf_symbols_load(file, 1 << 20, &symbols, NULL);
	assert_true(rc == 0 || rc == ERR_NOT_FOUND);
	elf_close(file);
	return symbols;
}

static void exported_functions_are_found_without_section_headers(void **state)
{
	static const char *const ways[] = {SAMPLE("hash-sysv"), SAMPLE("hash-gnu")};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t len = read_image(ways[i]);
		forget_section_table();
		struct elf_symbols *symbols = load(len);
		assert_non_null(symbols);
		assert_true(symbol_named(symbols, "sample_alias").size > 0);
		(void)symbol_named(symbols, "sample_weak");
		(void)symbol_named(symbols, "main");
		elf_symbols_free(symbols);
	}
}

static void a_section_table_that_lies_is_made_up_for(void **state)
{
	size_t len = read_image(SAMPLE("hash-gnu"));
	Elf64_Shdr *sections = (Elf64_Shdr *)(image + header()->e_shoff);

	(void)state;
	for (int i = 0; i < header()->e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM || sections[i].sh_type == SHT_SYMTAB)
			sections[i].sh_size = 0;
	struct elf_symbols *symbols = load(len);
	assert_non_null(symbols);
	(void)symbol_named(symbols, "sample_alias");
	elf_symbols_free(symbols);
}

static void without_a_hash_table_the_names_end_the_symbols(void **state)
{
	size_t len = read_image(SAMPLE("hash-gnu"));

	(void)state;
	forget_section_table();
	dynamic_entry(DT_GNU_HASH)->d_tag = 0x6fffffff;
	struct elf_symbols *symbols = load(len);
	assert_non_null(symbols);
	(void)symbol_named(symbols, "sample_alias");
	elf_symbols_free(symbols);
}

/* Each byte of the dynamic section, of the hash table and of the symbols in three wrong ways. */
static void every_byte_may_be_wrong(void **state)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	static const int64_t tags[] = {DT_GNU_HASH, DT_SYMTAB};
	size_t len = read_image(SAMPLE("hash-gnu"));

	(void)state;
	forget_section_table();
	size_t starts[3] = {(size_t)((uint8_t *)dynamic_entry(DT_SYMTAB) - image) & ~(size_t)255};
	for (size_t i = 0; i < 2; i++)
		starts[i + 1] = (size_t)dynamic_entry(tags[i])->d_un.d_ptr;
	for (size_t i = 0; i < 3; i++)
		for (size_t at = starts[i]; at < starts[i] + 512; at++)
			for (size_t m = 0; m < sizeof(masks); m++) {
				image[at] ^= masks[m];
				elf_symbols_free(load(len));
				image[at] ^= masks[m];
			}
}

static void assert_nothing_exported(size_t len)
{
	struct elf_symbols *symbols = load(len);

	/* What the program's start tells is there. */
	for (uint32_t i = 0; symbols && i < elf_symbols_count(symbols); i++)
		assert_false(str_starts_with(elf_symbols_at(symbols, i).name, STR("sample_")));
	elf_symbols_free(symbols);
}

static void endless_hash_tables_end(void **state)
{
	size_t len = read_image(SAMPLE("hash-gnu"));
	uint32_t *hash = (uint32_t *)(image + dynamic_entry(DT_GNU_HASH)->d_un.d_ptr);

	(void)state;
	forget_section_table();
	hash[0] = UINT32_MAX;
	assert_nothing_exported(len);
	hash[0] = 1;
	hash[2] = UINT32_MAX;
	assert_nothing_exported(len);
}

static void loading_runs_short_of_memory_anywhere_without_harm(void **state)
{
	size_t len = read_image(SAMPLE("hash-gnu"));
	struct elf_file *file;
	int rc = ERR_NOMEM;
	unsigned failed = 0;

	(void)state;
	forget_section_table();
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	for (uint64_t nth = 1; rc; nth++) {
		struct elf_symbols *symbols = NULL;
		mem_fail_nth(nth);
		rc = elf_symbols_load(file, 0, &symbols, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failed += rc != 0;
		elf_symbols_free(symbols);
	}
	assert_true(failed >= 6);
	elf_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exported_functions_are_found_without_section_headers),
		cmocka_unit_test(a_section_table_that_lies_is_made_up_for),
		cmocka_unit_test(without_a_hash_table_the_names_end_the_symbols),
		cmocka_unit_test(every_byte_may_be_wrong),
		cmocka_unit_test(endless_hash_tables_end),
		cmocka_unit_test(loading_runs_short_of_memory_anywhere_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
