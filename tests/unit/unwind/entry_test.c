/* CIEs and FDEs as they occur in files, and as they do not. */
#include "cfi_bytes.h"

#include <libdeflate.h>

/* An entry with a body of its own; for CIEs and FDEs that put_cie and put_fde do not make. */
static size_t put_entry(struct buf *out, uint32_t id, struct str body)
{
	size_t start = out->len;

	put32(out, 0);
	put32(out, id);
	buf_str(out, body);
	end_entry(out, start);
	return start;
}

static void check_one_function(struct buf *cfi, uint64_t start, uint32_t size)
{
	struct unwind_rows *rows = compile_bytes(cfi);

	assert_int_equal(info_of(rows).functions, 1);
	assert_int_equal(info_of(rows).skipped, 0);
	assert_int_equal(cfa_at(rows, start - 1), UNWIND_CFA_NONE);
	check_rule(unwind_rows_find(rows, start), sp_rule(8));
	check_rule(unwind_rows_find(rows, start + size - 1), sp_rule(8));
	assert_int_equal(cfa_at(rows, start + size), UNWIND_CFA_NONE);
	unwind_rows_free(rows);
}

/* ---- does it ---- */

struct encoding_case {
	uint8_t encoding;
	size_t bytes; /* of an address; 0: LEB128 */
	bool pcrel;
};

static void put_address(struct buf *out, uint64_t value, size_t bytes)
{
	if (bytes > 0) {
		buf_append(out, &value, bytes);
		return;
	}
	for (int i = 0; i < 9; i++, value >>= 7)
		buf_char(out, (char)(i < 8 ? (value & 0x7f) | 0x80 : value & 0x7f));
}

static void every_encoding_of_addresses_is_read(void **state)
{
	static const struct encoding_case cases[] = {
		{0x00, 8, false}, {0x01, 0, false}, {0x03, 4, false}, {0x04, 8, false},
		{0x09, 0, false}, {0x0b, 4, false}, {0x0c, 8, false}, {0x1b, 4, true},
		{0x1c, 8, true},  {0x10, 8, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char cie[] = "\1zR\0\1\x78\x10\1?\x0c\7\x08\x90\1";
		struct buf cfi = {0};
		print_message("encoding %#x\n", cases[i].encoding);
		cie[8] = (char)cases[i].encoding;
		size_t at_cie = put_cie(&cfi, str_make(cie, sizeof(cie) - 1));
		size_t start = cfi.len;
		put32(&cfi, 0);
		put32(&cfi, cfi.len - at_cie);
		put_address(&cfi, TEXT - (cases[i].pcrel ? IMAGE_CFI_VADDR + cfi.len : 0),
			    cases[i].bytes);
		put_address(&cfi, 48, cases[i].bytes);
		buf_char(&cfi, 0);
		end_entry(&cfi, start);
		check_one_function(&cfi, TEXT, 48);
	}
}

static void an_aligned_address_is_read_behind_its_padding(void **state)
{
	struct buf cfi = {0};
	size_t cie, start;

	(void)state;
	cie = put_cie(&cfi, BYTES("\1zR\0\1\x78\x10\1\x50\x0c\7\x08\x90\1"));
	start = cfi.len;
	put32(&cfi, 0);
	put32(&cfi, cfi.len - cie);
	image_pad(&cfi, (cfi.len + 7) & ~7ULL);
	put64(&cfi, TEXT);
	put64(&cfi, 32);
	buf_char(&cfi, 0);
	end_entry(&cfi, start);
	check_one_function(&cfi, TEXT, 32);
}

static void letters_of_an_augmentation_are_read_or_passed(void **state)
{
	static const struct {
		const char *what;
		struct str cie;
	} cases[] = {
		{"personality, LSDA",
		 BYTES("\1zPLR\0\1\x78\x10\7\x9b\1\2\3\4\x1b\x1b\x0c\7\x08\x90\1")},
		{"personality of 8 bytes",
		 BYTES("\1zPR\0\1\x78\x10\x0a\0\1\2\3\4\5\6\7\x08\x1b\x0c\7\x08\x90\1")},
		{"no personality", BYTES("\1zPR\0\1\x78\x10\2\xff\x1b\x0c\7\x08\x90\1")},
		{"signed return addresses", BYTES("\1zRB\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1")},
		{"an unknown letter behind R",
		 BYTES("\1zRX\0\1\x78\x10\3\x1b\7\7\x0c\7\x08\x90\1")},
		{"version 3", BYTES("\3zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf cfi = {0};
		print_message("%s\n", cases[i].what);
		put_fde(&cfi, put_cie(&cfi, cases[i].cie), TEXT, 32, BYTES(""));
		check_one_function(&cfi, TEXT, 32);
	}
}

static void lengths_of_64_bits_are_read(void **state)
{
	struct buf cfi = {0};
	size_t cie = put_cie(&cfi, CIE_X86);

	(void)state;
	put32(&cfi, 0xffffffff);
	put64(&cfi, 20);
	put32(&cfi, cfi.len - cie);
	put32(&cfi, TEXT - (IMAGE_CFI_VADDR + cfi.len));
	put32(&cfi, 32);
	buf_append(&cfi, "\0\0\0\0\0\0\0", 8);
	check_one_function(&cfi, TEXT, 32);
}

static void put_debug_cie(struct buf *out, struct str body)
{
	put_entry(out, 0xffffffff, body);
}

static void put_debug_fde(struct buf *out, uint64_t start, uint64_t size, struct str program)
{
	struct buf body = {0};

	put64(&body, start);
	put64(&body, size);
	buf_str(&body, program);
	put_entry(out, 0, buf_text(&body));
	buf_deinit(&body);
}

static struct unwind_rows *compile_debug_frame(struct buf *cfi, uint64_t flags)
{
	struct cfi_image image = image_of(cfi);
	struct unwind_rows *rows = NULL;
	struct err err = {0};

	image.debug_frame = true;
	image.cfi_flags = flags;
	if (compile_image(&image, NULL, &rows, &err))
		print_message("%s\n", err.text);
	buf_deinit(cfi);
	return rows;
}

static void debug_frame_is_read_in_all_its_versions(void **state)
{
	static const struct str cies[] = {
		BYTES("\1\0\1\x78\x10\x0c\7\x08\x90\1"),
		BYTES("\3\0\1\x78\x10\x0c\7\x08\x90\1"),
		BYTES("\4\0\x08\0\1\x78\x10\x0c\7\x08\x90\1"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i++) {
		struct buf cfi = {0};
		put_debug_cie(&cfi, cies[i]);
		put_debug_fde(&cfi, 0, 4096, BYTES("")); /* thrown away by the linker */
		put_debug_fde(&cfi, TEXT, 32, BYTES("\x41\x0e\x10"));
		struct unwind_rows *rows = compile_debug_frame(&cfi, 0);
		assert_non_null(rows);
		assert_int_equal(info_of(rows).functions, 1);
		assert_int_equal(info_of(rows).skipped, 0);
		check_rule(unwind_rows_find(rows, TEXT + 1), sp_rule(16));
		unwind_rows_free(rows);
	}
}

static void debug_frame_for_other_address_sizes_is_left_out(void **state)
{
	struct buf cfi = {0};

	(void)state;
	put_debug_cie(&cfi, BYTES("\4\0\4\0\1\x78\x10\x0c\7\x08\x90\1"));
	put_debug_fde(&cfi, TEXT, 32, BYTES(""));
	assert_null(compile_debug_frame(&cfi, 0));
}

static void debug_frame_of_64_bit_dwarf_is_read(void **state)
{
	struct buf cfi = {0};

	(void)state;
	put32(&cfi, 0xffffffff);
	put64(&cfi, 8 + 12);
	put64(&cfi, UINT64_MAX);
	buf_append(&cfi, "\3\0\1\x78\x10\x0c\7\x08\x90\1\0", 12);
	put32(&cfi, 0xffffffff);
	put64(&cfi, 24);
	put64(&cfi, 0);
	put64(&cfi, TEXT);
	put64(&cfi, 32);
	struct unwind_rows *rows = compile_debug_frame(&cfi, 0);
	assert_non_null(rows);
	check_rule(unwind_rows_find(rows, TEXT + 31), sp_rule(8));
	unwind_rows_free(rows);
}

/* Elf64_Chdr and a zlib stream. */
static void deflate_section(struct buf *cfi, uint32_t type, uint64_t promised)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	char packed[4096];
	size_t len = libdeflate_zlib_compress(c, cfi->ptr, cfi->len, packed, sizeof(packed));

	libdeflate_free_compressor(c);
	buf_clear(cfi);
	put32(cfi, type);
	put32(cfi, 0);
	put64(cfi, promised);
	put64(cfi, 8);
	buf_append(cfi, packed, len);
}

static size_t put_debug_function(struct buf *cfi)
{
	put_debug_cie(cfi, BYTES("\3\0\1\x78\x10\x0c\7\x08\x90\1"));
	put_debug_fde(cfi, TEXT, 32, BYTES(""));
	return cfi->len;
}

static void a_compressed_debug_frame_is_inflated(void **state)
{
	struct buf cfi = {0};
	size_t len = put_debug_function(&cfi);

	(void)state;
	deflate_section(&cfi, ELFCOMPRESS_ZLIB, len);
	struct unwind_rows *rows = compile_debug_frame(&cfi, SHF_COMPRESSED);
	assert_non_null(rows);
	check_rule(unwind_rows_find(rows, TEXT), sp_rule(8));
	unwind_rows_free(rows);
}

static void a_compressed_section_that_lies_is_refused(void **state)
{
	static const struct {
		uint32_t type;
		int more;
		uint64_t flags;
	} cases[] = {{2, 0, SHF_COMPRESSED}, /* zstd */
		     {ELFCOMPRESS_ZLIB, 1, SHF_COMPRESSED},
		     {ELFCOMPRESS_ZLIB, -1, SHF_COMPRESSED},
		     {ELFCOMPRESS_ZLIB, 1 << 30, SHF_COMPRESSED},
		     {ELFCOMPRESS_ZLIB, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf cfi = {0};
		size_t len = put_debug_function(&cfi);
		deflate_section(&cfi, cases[i].type, len + (uint64_t)(int64_t)cases[i].more);
		assert_null(compile_debug_frame(&cfi, cases[i].flags));
	}
}

static void a_file_without_section_headers_is_found_through_its_segments(void **state)
{
	struct buf cfi = {0};
	struct unwind_rows *rows;

	(void)state;
	size_t cie = put_cie(&cfi, CIE_X86);
	put_fde(&cfi, cie, TEXT, 32, BYTES("\x41\x0e\x10"));
	put32(&cfi, 0);
	put_fde(&cfi, cie, TEXT + 4096, 32, BYTES("")); /* behind the end: something else */
	struct cfi_image image = image_of(&cfi);
	image.no_sections = true;
	assert_int_equal(compile_image(&image, NULL, &rows, NULL), 0);
	assert_int_equal(info_of(rows).functions, 1);
	check_rule(unwind_rows_find(rows, TEXT + 1), sp_rule(16));
	unwind_rows_free(rows);
	buf_deinit(&cfi);
}

static void an_entry_of_length_zero_is_not_the_end_of_a_section(void **state)
{
	struct buf cfi = {0};
	size_t cie = put_cie(&cfi, CIE_X86);

	(void)state;
	put_fde(&cfi, cie, TEXT, 32, BYTES(""));
	put32(&cfi, 0);
	put_fde(&cfi, cie, TEXT + 4096, 32, BYTES(""));
	put32(&cfi, 0);
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_int_equal(info_of(rows).functions, 2);
	assert_int_equal(info_of(rows).skipped, 0);
	unwind_rows_free(rows);
}

/* ---- refuses it ---- */

/* A good function, a damaged entry, another good function. */
static void check_damage(const char *what, void (*damage)(struct buf *cfi, size_t cie))
{
	struct buf cfi = {0};
	size_t cie = put_cie(&cfi, CIE_X86);

	print_message("%s\n", what);
	put_fde(&cfi, cie, TEXT, 32, BYTES(""));
	damage(&cfi, cie);
	put_fde(&cfi, cie, TEXT + 4096, 32, BYTES(""));
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_int_equal(info_of(rows).functions, 2);
	assert_int_equal(info_of(rows).skipped, 1);
	check_rule(unwind_rows_find(rows, TEXT + 31), sp_rule(8));
	check_rule(unwind_rows_find(rows, TEXT + 4096), sp_rule(8));
	unwind_rows_free(rows);
}

static void put_fde_of_no_cie(struct buf *cfi, size_t cie)
{
	put_fde(cfi, cie + 4, TEXT + 64, 32, BYTES(""));
}

static void put_fde_of_fde(struct buf *cfi, size_t cie)
{
	(void)cie;
	put_fde(cfi, cfi->len, TEXT + 64, 32, BYTES(""));
}

static void put_fde_before_the_section(struct buf *cfi, size_t cie)
{
	(void)cie;
	put_entry(cfi, 0x7fffffff, BYTES("0123456789"));
}

static void put_fde_outside_of_text(struct buf *cfi, size_t cie)
{
	put_fde(cfi, cie, IMAGE_CFI_VADDR, 32, BYTES(""));
}

static void put_fde_past_the_text(struct buf *cfi, size_t cie)
{
	put_fde(cfi, cie, TEXT + IMAGE_TEXT_BYTES - 8, 9, BYTES(""));
}

static void put_short_fde(struct buf *cfi, size_t cie)
{
	(void)cie;
	put_entry(cfi, (uint32_t)cfi->len + 4, BYTES("\1\2\3"));
}

static void put_fde_with_endless_augmentation(struct buf *cfi, size_t cie)
{
	size_t start = cfi->len;

	put32(cfi, 0);
	put32(cfi, cfi->len - cie);
	put32(cfi, TEXT + 64 - (IMAGE_CFI_VADDR + cfi->len));
	put32(cfi, 32);
	buf_append(cfi, "\xff\xff\xff\x7f", 4);
	end_entry(cfi, start);
}

static void damaged_entries_cost_only_themselves(void **state)
{
	(void)state;
	check_damage("no CIE there", put_fde_of_no_cie);
	check_damage("its own CIE", put_fde_of_fde);
	check_damage("before the section", put_fde_before_the_section);
	check_damage("outside of text", put_fde_outside_of_text);
	check_damage("past the text", put_fde_past_the_text);
	check_damage("cut short", put_short_fde);
	check_damage("endless augmentation", put_fde_with_endless_augmentation);
}

static void cies_that_cannot_be_understood_cost_their_functions(void **state)
{
	static const struct {
		const char *what;
		struct str cie;
	} cases[] = {
		{"version 2", BYTES("\2zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1")},
		{"augmentation of gcc 2",
		 BYTES("\1eh\0\0\0\0\0\0\0\0\0\1\x78\x10\x0c\7\x08\x90\1")},
		{"text-relative", BYTES("\1zR\0\1\x78\x10\1\x2b\x0c\7\x08\x90\1")},
		{"data-relative", BYTES("\1zR\0\1\x78\x10\1\x3b\x0c\7\x08\x90\1")},
		{"indirect", BYTES("\1zR\0\1\x78\x10\1\x9b\x0c\7\x08\x90\1")},
		{"omitted", BYTES("\1zR\0\1\x78\x10\1\xff\x0c\7\x08\x90\1")},
		{"encoding 5", BYTES("\1zR\0\1\x78\x10\1\5\x0c\7\x08\x90\1")},
		{"augmentation without an end", BYTES("\1zRRRRRRRRR")},
		{"a program that goes on", BYTES("\1zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1\x41")},
		{"a broken program", BYTES("\1zR\0\1\x78\x10\1\x1b\x3f")},
		{"nothing", BYTES("\1")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf cfi = {0};
		print_message("%s\n", cases[i].what);
		put_fde(&cfi, put_cie(&cfi, cases[i].cie), TEXT + 64, 32, BYTES(""));
		put_fde(&cfi, put_cie(&cfi, CIE_X86), TEXT, 32, BYTES(""));
		struct unwind_rows *rows = compile_bytes(&cfi);
		assert_int_equal(info_of(rows).functions, 1);
		assert_int_equal(info_of(rows).skipped, 1);
		unwind_rows_free(rows);
	}
}

static void a_length_past_the_end_loses_the_rest(void **state)
{
	struct buf cfi = {0};
	size_t cie = put_cie(&cfi, CIE_X86);

	(void)state;
	put_fde(&cfi, cie, TEXT, 32, BYTES(""));
	put32(&cfi, 0x1000);
	put_fde(&cfi, cie, TEXT + 64, 32, BYTES(""));
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_int_equal(info_of(rows).functions, 1);
	assert_int_equal(info_of(rows).skipped, 1);
	unwind_rows_free(rows);
}

/* One CIE whose program is long, and many functions: its program is run once. */
static void a_long_cie_is_run_once(void **state)
{
	enum { LONG = 1 << 20, FUNCTIONS = 100000 };
	struct buf body = {0}, cfi = {0};

	(void)state;
	buf_str(&body, CIE_X86);
	image_pad(&body, LONG);
	size_t cie = put_cie(&cfi, buf_text(&body));
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		put_fde(&cfi, cie, TEXT + 32ULL * i, 32, BYTES(""));
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_int_equal(info_of(rows).functions, FUNCTIONS);
	unwind_rows_free(rows);
	buf_deinit(&body);
}

/* Its program reads over what follows it up to the offset rest, by the block of an expression, and
 * then runs what all of them share. */
static void put_nested_cie(struct buf *out, size_t rest, size_t end)
{
	put32(out, end - out->len - 4);
	put32(out, 0);
	buf_append(out, "\1\0\1\x7f\x10\x16\0", 7);
	size_t block = rest - (out->len + 5);
	for (int i = 0; i < 5; i++, block >>= 7)
		buf_char(out, (char)(i < 4 ? (block & 0x7f) | 0x80 : block & 0x7f));
}

static void cies_one_in_the_other_are_not_all_run(void **state)
{
	enum { COUNT = 300, CIE_BYTES = 20, SHARED = 1 << 16 };
	const size_t rest = COUNT * CIE_BYTES, end = rest + SHARED;
	struct buf cfi = {0};

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		put_nested_cie(&cfi, rest, end);
	assert_int_equal(cfi.len, rest);
	image_pad(&cfi, end);
	for (uint64_t i = 0; i < COUNT; i++) {
		put32(&cfi, 20);
		put32(&cfi, cfi.len - i * CIE_BYTES);
		put64(&cfi, TEXT + 32 * i);
		put64(&cfi, 32);
	}
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_in_range(info_of(rows).functions, 1, 2);
	assert_int_equal(info_of(rows).functions + info_of(rows).skipped, COUNT);
	unwind_rows_free(rows);
}

static void a_file_without_any_is_not_found(void **state)
{
	struct cfi_image image = {.cfi = "", .cfi_len = 0};
	struct unwind_rows *rows;
	struct err err;

	(void)state;
	assert_int_equal(compile_image(&image, NULL, &rows, &err), ERR_NOT_FOUND);
	assert_string_equal(err.text, "no .eh_frame");
	image = (struct cfi_image){.cfi = "\0\0\0\0", .cfi_len = 4};
	assert_int_equal(compile_image(&image, NULL, &rows, NULL), ERR_NOT_FOUND);
}

static void a_32_bit_file_is_refused(void **state)
{
	struct buf cfi = {0}, file = {0};
	struct elf_file *elf;

	(void)state;
	put_fde(&cfi, put_cie(&cfi, CIE_X86), TEXT, 32, BYTES(""));
	struct cfi_image image = image_of(&cfi);
	cfi_image_build(&image, &file);
	file.ptr[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elf_open_memory(file.ptr, file.len, &elf, NULL), ERR_UNSUPPORTED);
	buf_deinit(&file);
	buf_deinit(&cfi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_encoding_of_addresses_is_read),
		cmocka_unit_test(an_aligned_address_is_read_behind_its_padding),
		cmocka_unit_test(letters_of_an_augmentation_are_read_or_passed),
		cmocka_unit_test(lengths_of_64_bits_are_read),
		cmocka_unit_test(debug_frame_is_read_in_all_its_versions),
		cmocka_unit_test(debug_frame_for_other_address_sizes_is_left_out),
		cmocka_unit_test(debug_frame_of_64_bit_dwarf_is_read),
		cmocka_unit_test(a_compressed_debug_frame_is_inflated),
		cmocka_unit_test(a_compressed_section_that_lies_is_refused),
		cmocka_unit_test(a_file_without_section_headers_is_found_through_its_segments),
		cmocka_unit_test(an_entry_of_length_zero_is_not_the_end_of_a_section),
		cmocka_unit_test(damaged_entries_cost_only_themselves),
		cmocka_unit_test(cies_that_cannot_be_understood_cost_their_functions),
		cmocka_unit_test(a_length_past_the_end_loses_the_rest),
		cmocka_unit_test(a_long_cie_is_run_once),
		cmocka_unit_test(cies_one_in_the_other_are_not_all_run),
		cmocka_unit_test(a_file_without_any_is_not_found),
		cmocka_unit_test(a_32_bit_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
