/* Damaged files: nothing here checks what is found, only that the sanitizers see no wrong access,
 * that it ends, and that what is found is inside what was promised. */
#include "samples.h"

#include <elf.h>
#include <sys/mman.h>

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

enum { MADE_CODE = 0x1000, MADE_CODE_BYTES = 1 << 24 };

/* An image in `image` of these symbols and names; code is promised and never read. */
static size_t make_image(const Elf64_Sym *symbols, size_t count, const char *names,
			 size_t names_len)
{
	static const char section_names[] = "\0.text";
	Elf64_Ehdr header = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_shoff = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 5,
		.e_shstrndx = 4,
	};
	size_t at = sizeof(header) + 5 * sizeof(Elf64_Shdr), symbols_len = count * sizeof(*symbols);
	Elf64_Shdr sections[5] = {
		{0},
		{.sh_name = 1,
		 .sh_type = SHT_PROGBITS,
		 .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		 .sh_addr = MADE_CODE,
		 .sh_size = MADE_CODE_BYTES},
		{.sh_type = SHT_SYMTAB, .sh_offset = at, .sh_size = symbols_len, .sh_link = 3},
		{.sh_type = SHT_STRTAB, .sh_offset = at + symbols_len, .sh_size = names_len},
		{.sh_type = SHT_STRTAB,
		 .sh_offset = at + symbols_len + names_len,
		 .sh_size = sizeof(section_names)},
	};

	assert_true(at + symbols_len + names_len + sizeof(section_names) <= sizeof(image));
	memcpy(image, &header, sizeof(header));
	memcpy(image + sizeof(header), sections, sizeof(sections));
	memcpy(image + at, symbols, symbols_len);
	memcpy(image + at + symbols_len, names, names_len);
	memcpy(image + at + symbols_len + names_len, section_names, sizeof(section_names));
	return at + symbols_len + names_len + sizeof(section_names);
}

static struct elf_symbols *load_image(size_t len)
{
	struct elf_symbols *symbols = NULL;
	struct elf_file *file;

	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	elf_close(file);
	return symbols;
}

enum { MADE_SYMBOLS = 20000 };

static Elf64_Sym made[MADE_SYMBOLS];

static void functions_inside_functions_have_a_last_level(void **state)
{
	struct elf_symbol s;

	(void)state;
	for (uint32_t i = 0; i < MADE_SYMBOLS; i++)
		made[i] = (Elf64_Sym){
			.st_name = 1,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = 1,
			.st_value = MADE_CODE + i,
			.st_size = 3 * MADE_SYMBOLS - 2 * i,
		};
	struct elf_symbols *symbols = load_image(make_image(made, MADE_SYMBOLS, "\0f", 3));
	/* Otherwise one look-up could climb through all of them. */
	assert_true(elf_symbols_count(symbols) < 64);
	assert_true(elf_symbols_find(symbols, MADE_CODE + 2 * MADE_SYMBOLS, &s));
	assert_true(s.start + s.size > MADE_CODE + 2 * MADE_SYMBOLS);
	elf_symbols_free(symbols);
}

static void many_names_may_be_one_endless_string(void **state)
{
	static char names[1 << 18];

	(void)state;
	memset(names, 'a', sizeof(names));
	names[0] = '\0';
	for (uint32_t i = 0; i < MADE_SYMBOLS; i++)
		made[i] = (Elf64_Sym){
			.st_name = 1 + i,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = 1,
			.st_value = MADE_CODE + i / 1000,
			.st_size = 1,
		};
	struct elf_symbols *symbols =
		load_image(make_image(made, MADE_SYMBOLS, names, sizeof(names)));
	assert_int_equal(elf_symbols_count(symbols), MADE_SYMBOLS / 1000);
	assert_int_equal(elf_symbols_at(symbols, 0).name.len, 4096);
	elf_symbols_free(symbols);
}

static void labels_and_symbols_of_others_are_no_functions(void **state)
{
	static const char names[] = "\0$x\0.L1\0undefined\0absolute\0code";
	static const Elf64_Sym symbols_of[] = {
		{.st_name = 1, .st_shndx = 1, .st_value = MADE_CODE},
		{.st_name = 4, .st_shndx = 1, .st_value = MADE_CODE + 8},
		{.st_name = 8, .st_info = STT_FUNC, .st_value = MADE_CODE + 16, .st_size = 8},
		{.st_name = 18, .st_shndx = SHN_ABS, .st_value = 0x10, .st_size = 8},
		{.st_name = 27,
		 .st_info = STT_OBJECT,
		 .st_shndx = 1,
		 .st_value = MADE_CODE + 24,
		 .st_size = 8},
		{.st_name = 27,
		 .st_info = STT_FUNC,
		 .st_shndx = 1,
		 .st_value = MADE_CODE + 32,
		 .st_size = 8},
	};

	(void)state;
	struct elf_symbols *symbols =
		load_image(make_image(symbols_of, sizeof(symbols_of) / sizeof(symbols_of[0]), names,
				      sizeof(names)));
	assert_int_equal(elf_symbols_count(symbols), 1);
	assert_true(elf_symbols_at(symbols, 0).start == MADE_CODE + 32);
	elf_symbols_free(symbols);
}

static void a_size_past_the_section_is_cut_to_it(void **state)
{
	static const Elf64_Sym symbol = {.st_name = 1,
					 .st_info = STT_FUNC,
					 .st_shndx = 1,
					 .st_value = MADE_CODE + MADE_CODE_BYTES - 4,
					 .st_size = UINT64_MAX};
	struct elf_symbols *symbols = load_image(make_image(&symbol, 1, "\0f", 3));
	struct elf_symbol s;

	(void)state;
	assert_true(elf_symbols_find(symbols, symbol.st_value + 3, &s));
	assert_int_equal(s.size, 4);
	assert_false(elf_symbols_find(symbols, symbol.st_value + 4, &s));
	elf_symbols_free(symbols);
}

static void names_that_are_not_text_become_text(void **state)
{
	size_t len = read_image(SAMPLE("labels"));
	uint8_t *name = memmem(image, len, "untyped_function", 16);
	struct elf_symbols *symbols;
	struct elf_file *file;

	(void)state;
	while (name) {
		memcpy(name, "\xff\x7f\x1b[2Jtyped_func", 16);
		name = memmem(image, len, "untyped_function", 16);
	}
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	(void)symbol_named(symbols, "???[2Jtyped_func");
	elf_symbols_free(symbols);
	elf_close(file);
}

/* A terabyte that takes no room on disk: reading it would take minutes. */
static void a_table_of_a_terabyte_is_refused_unread(void **state)
{
	enum { SHDR_BYTES = 64, SH_SIZE = 32 };
	size_t len = read_image(SAMPLE("labels"));
	uint64_t table_offset, size = UINT64_C(1) << 39;
	struct elf_symbols *symbols;
	struct elf_file *file;
	uint32_t index = 0;

	(void)state;
	assert_int_equal(elf_open_memory(image, len, &file, NULL), 0);
	while (elf_section_at(file, index)->type != SHT_SYMTAB)
		index++;
	elf_close(file);
	memcpy(&table_offset, image + 40, sizeof(table_offset));
	memcpy(image + table_offset + index * SHDR_BYTES + SH_SIZE, &size, sizeof(size));
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	assert_int_equal(write(fd, image, len), len);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_int_equal(elf_open(fd, &file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 1 << 22, &symbols, NULL), ERR_LIMIT);
	elf_close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_the_headers_may_be_wrong),
		cmocka_unit_test(every_byte_of_the_symbol_tables_may_be_wrong),
		cmocka_unit_test(a_file_may_be_cut_anywhere),
		cmocka_unit_test(functions_inside_functions_have_a_last_level),
		cmocka_unit_test(many_names_may_be_one_endless_string),
		cmocka_unit_test(labels_and_symbols_of_others_are_no_functions),
		cmocka_unit_test(a_size_past_the_section_is_cut_to_it),
		cmocka_unit_test(names_that_are_not_text_become_text),
		cmocka_unit_test(a_table_of_a_terabyte_is_refused_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
