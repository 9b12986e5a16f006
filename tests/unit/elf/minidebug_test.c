/* .gnu_debugdata: what is in it, and what it may cost. */
#include "samples.h"

#include <lzma.h>

#include "../../elf_image.h"

enum { IMAGE_MAX_BYTES = 1 << 20, PACKED_MAX_BYTES = 1 << 18, BOMB_BYTES = 65 << 20 };

static uint8_t image[IMAGE_MAX_BYTES], packed[PACKED_MAX_BYTES];

static void a_stripped_program_gets_its_local_functions_back(void **state)
{
	(void)state;
	struct elf_symbols *symbols = load_symbols(SAMPLE("packed"));
	struct elf_symbols *stripped = load_symbols(SAMPLE("split"));
	assert_true(symbol_named(symbols, "sample_static").size > 0);
	/* main is found in either. */
	assert_int_equal(elf_symbols_count(symbols), elf_symbols_count(stripped) + 1);
	elf_symbols_free(symbols);
	elf_symbols_free(stripped);
}

/* One exported function, and len bytes of `packed`. */
static struct elf_symbols *load_with(size_t len)
{
	static const char names[] = "\0exported";
	static const Elf64_Sym table[] = {{0},
					  {.st_name = 1,
					   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					   .st_shndx = 1,
					   .st_value = IMAGE_TEXT,
					   .st_size = 16}};
	const struct image_section sections[] = {
		{".dynsym", SHT_DYNSYM, 3, table, sizeof(table)},
		{".dynstr", SHT_STRTAB, 0, names, sizeof(names)},
		{".gnu_debugdata", SHT_PROGBITS, 0, packed, len},
	};
	struct elf_symbols *symbols = NULL;
	struct elf_file *file;
	size_t size = elf_image(image, sizeof(image), EM_X86_64, sections, 3);

	assert_int_equal(elf_open_memory(image, size, &file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	elf_close(file);
	return symbols;
}

static void assert_exported_only(size_t len)
{
	struct elf_symbols *symbols = load_with(len);

	assert_int_equal(elf_symbols_count(symbols), 1);
	(void)symbol_named(symbols, "exported");
	elf_symbols_free(symbols);
}

static size_t pack(const void *bytes, size_t len)
{
	size_t size = 0;

	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, bytes, len, packed,
						 &size, sizeof(packed)),
			 LZMA_OK);
	return size;
}

/* An ELF image with one function, `inner`, which would be found if it were unpacked. */
static size_t make_inner(uint8_t *bytes, size_t cap, uint16_t machine)
{
	static const char names[] = "\0inner";
	static const Elf64_Sym table[] = {{0},
					  {.st_name = 1,
					   .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
					   .st_shndx = 1,
					   .st_value = IMAGE_TEXT + 64,
					   .st_size = 16}};
	const struct image_section sections[] = {
		{".symtab", SHT_SYMTAB, 3, table, sizeof(table)},
		{".strtab", SHT_STRTAB, 0, names, sizeof(names)},
	};

	return elf_image(bytes, cap, machine, sections, 2);
}

static void what_unpacks_to_too_much_is_left_out(void **state)
{
	uint8_t *bytes = calloc(1, BOMB_BYTES);

	(void)state;
	assert_non_null(bytes);
	assert_true(make_inner(bytes, BOMB_BYTES, EM_X86_64) > 0);
	size_t len = pack(bytes, BOMB_BYTES);
	free(bytes);
	assert_true(len < 64 << 10);
	assert_exported_only(len);
}

/* xz file format 1.1.0, 3.1 "Block Header" and 5.3.1 "LZMA2": the dictionary's size is one byte behind
 * the filter's id and the size of its properties. */
static void a_dictionary_of_gigabytes_is_refused(void **state)
{
	enum { HEADER_AT = 12, FOUR_GIB = 40 };
	static uint8_t inner[4096];
	size_t len = pack(inner, make_inner(inner, sizeof(inner), EM_X86_64));
	size_t header_len = ((size_t)packed[HEADER_AT] + 1) * 4, at = HEADER_AT + 2;

	(void)state;
	while (packed[at] != LZMA_FILTER_LZMA2 || packed[at + 1] != 1)
		at++;
	assert_true(at < HEADER_AT + header_len);
	packed[at + 2] = FOUR_GIB;
	uint32_t crc = lzma_crc32(packed + HEADER_AT, header_len - 4, 0);
	memcpy(packed + HEADER_AT + header_len - 4, &crc, 4);
	assert_exported_only(len);
}

static void what_is_no_xz_or_no_elf_is_left_out(void **state)
{
	(void)state;
	assert_exported_only(0);
	memset(packed, 'x', 100);
	assert_exported_only(100);
	assert_exported_only(pack("no elf file", 11));
	size_t len = pack("no elf file", 11);
	for (size_t cut = 0; cut < len; cut++)
		assert_exported_only(cut);
}

/* An ELF file of another machine is somebody else's. */
static void names_for_another_machine_are_left_out(void **state)
{
	static uint8_t inner[4096];

	(void)state;
	size_t size = make_inner(inner, sizeof(inner), EM_X86_64);
	struct elf_symbols *symbols = load_with(pack(inner, size));
	(void)symbol_named(symbols, "inner");
	elf_symbols_free(symbols);
	size = make_inner(inner, sizeof(inner), EM_AARCH64);
	assert_exported_only(pack(inner, size));
}

static void unpacking_runs_short_of_memory_anywhere_without_harm(void **state)
{
	(void)state;
	assert_true(load_short_of_memory(SAMPLE("packed")) >= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stripped_program_gets_its_local_functions_back),
		cmocka_unit_test(what_unpacks_to_too_much_is_left_out),
		cmocka_unit_test(a_dictionary_of_gigabytes_is_refused),
		cmocka_unit_test(what_is_no_xz_or_no_elf_is_left_out),
		cmocka_unit_test(names_for_another_machine_are_left_out),
		cmocka_unit_test(unpacking_runs_short_of_memory_anywhere_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
