/* Damaged files: nothing here checks what is found, only that the sanitizers see no wrong access,
 * that it ends, and that what is found is inside what was promised. */
#include "samples.h"

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

static void look_at_everything(const uint8_t *bytes, size_t len)
{
	struct elf_file *file;
	struct elf_symbols *symbols;
	struct elf_symbol s;
	uint64_t value;

	if (elf_open_memory(bytes, len, &file, NULL))
		return;
	(void)elf_bias(file, 0x400000, 0x1000, &value);
	(void)elf_vaddr_of_offset(file, 0x1000, &value);
	if (elf_symbols_load(file, 1 << 22, &symbols, NULL) == 0) {
		for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
			s = elf_symbols_at(symbols, i);
			assert_true(str_is_utf8(s.name));
			assert_true(elf_symbols_find(symbols, s.start, &s));
		}
		elf_symbols_free(symbols);
	}
	elf_close(file);
}

/* An exact copy on the heap, so that the sanitizer sees a read one past the end. */
static void look_at_copy(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	look_at_everything(copy, len);
	free(copy);
}

static void flip_range(size_t from, size_t to, size_t len)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};

	for (size_t at = from; at < to && at < len; at++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			image[at] ^= masks[m];
			look_at_everything(image, len);
			image[at] ^= masks[m];
		}
}

static void every_byte_of_the_headers_may_be_wrong(void **state)
{
	size_t len = read_image(SAMPLE("ibt"));
	int fd;
	struct elf_file *file = open_elf(SAMPLE("ibt"), &fd);
	uint64_t section_table;

	(void)state;
	memcpy(&section_table, image + 40, sizeof(section_table));
	flip_range(0, 64 + 56 * 14, len);
	flip_range((size_t)section_table, len, len);
	elf_close(file);
	close(fd);
}

static void every_byte_of_the_symbol_tables_may_be_wrong(void **state)
{
	static const char *const names[] = {".dynsym",	".rela.plt", ".plt",
					    ".plt.sec", ".symtab",   ".note.gnu.build-id"};
	size_t len = read_image(SAMPLE("ibt"));
	int fd;
	struct elf_file *file = open_elf(SAMPLE("ibt"), &fd);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		assert_non_null(s);
		flip_range((size_t)s->offset, (size_t)(s->offset + s->size), len);
	}
	elf_close(file);
	close(fd);
}

static void a_file_may_be_cut_anywhere(void **state)
{
	size_t len = read_image(SAMPLE("labels"));

	(void)state;
	for (size_t cut = 0; cut < len; cut += cut < 1024 ? 1 : 37)
		look_at_copy(image, cut);
}

static void a_million_names_may_be_one_endless_string(void **state)
{
	size_t len = read_image(SAMPLE("labels"));
	int fd;
	struct elf_file *file = open_elf(SAMPLE("labels"), &fd);
	const struct elf_section *names = elf_section_named(file, ".strtab");

	(void)state;
	assert_non_null(names);
	memset(image + names->offset, 'a', (size_t)names->size);
	look_at_copy(image, len);
	elf_close(file);
	close(fd);
}

static void names_that_are_not_text_become_text(void **state)
{
	size_t len = read_image(SAMPLE("labels"));
	uint8_t *name = memmem(image, len, "untyped_function", 16);
	struct elf_symbols *symbols;
	struct elf_file *file;

	(void)state;
	while (name) {
		memcpy(name, "\xff\n\x1b[2Jtyped_func", 16);
		name = memmem(image, len, "untyped_function", 16);
	}
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	(void)symbol_named(symbols, "???[2Jtyped_func");
	elf_symbols_free(symbols);
	elf_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_the_headers_may_be_wrong),
		cmocka_unit_test(every_byte_of_the_symbol_tables_may_be_wrong),
		cmocka_unit_test(a_file_may_be_cut_anywhere),
		cmocka_unit_test(a_million_names_may_be_one_endless_string),
		cmocka_unit_test(names_that_are_not_text_become_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
