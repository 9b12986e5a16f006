/* Functions into rows: gaps, pages, order, limits; and code without any. */
#include "cfi_bytes.h"

#include "unwind/builder.h"
#include "unwind/rows.h"

enum { PAGE = 1 << UNWIND_PAGE_BITS };

/* ---- rows -------------------------------------------------------------- */

static struct unwind_builder *make_builder(void)
{
	struct unwind_builder *builder;

	assert_int_equal(unwind_builder_create(NULL, &builder, NULL), 0);
	return builder;
}

static void add(struct unwind_builder *builder, uint64_t start, uint64_t end, int32_t offset)
{
	struct unwind_rule rule = sp_rule(offset);

	assert_int_equal(unwind_builder_add(builder, start, end, &rule, NULL), 0);
}

static struct unwind_rows *finish(struct unwind_builder *builder)
{
	struct unwind_rows *rows;

	assert_int_equal(unwind_builder_finish(builder, &rows, NULL), 0);
	unwind_builder_destroy(builder);
	return rows;
}

/* 0: no rule. */
static int32_t offset_at(const struct unwind_rows *rows, uint64_t vaddr)
{
	struct unwind_rule rule = unwind_rows_find(rows, vaddr);

	return rule.cfa == UNWIND_CFA_NONE ? 0 : rule.cfa_offset;
}

static void a_small_gap_is_padding_and_a_large_one_is_not(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, 0x1000, 0x1010, 8);
	add(builder, 0x101f, 0x1030, 16);
	add(builder, 0x1040, 0x1050, 24);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(offset_at(rows, 0xfff), 0);
	assert_int_equal(offset_at(rows, 0x1000), 8);
	assert_int_equal(offset_at(rows, 0x101e), 8);
	assert_int_equal(offset_at(rows, 0x101f), 16);
	assert_int_equal(offset_at(rows, 0x1030), 0);
	assert_int_equal(offset_at(rows, 0x103f), 0);
	assert_int_equal(offset_at(rows, 0x1040), 24);
	assert_int_equal(offset_at(rows, 0x1050), 0);
	assert_int_equal(info_of(rows).rows, 6);
	unwind_rows_free(rows);
}

static void equal_neighbours_are_one_row(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		add(builder, 0x1000 + i * 20, 0x1010 + i * 20, 8);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(info_of(rows).rows, 3); /* none, it, none */
	assert_int_equal(info_of(rows).rules, 2);
	unwind_rows_free(rows);
}

static void a_page_starts_with_the_rule_of_the_one_before(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, PAGE - 8, 3 * PAGE + 8, 8);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(info_of(rows).pages, 4);
	assert_int_equal(offset_at(rows, PAGE - 9), 0);
	for (uint64_t at = PAGE - 8; at < 3 * PAGE + 8; at += 8)
		assert_int_equal(offset_at(rows, at), 8);
	assert_int_equal(offset_at(rows, 3 * PAGE + 8), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(rows->rows[rows->pages[i].rows].vaddr_low, 0);
	unwind_rows_free(rows);
}

static void a_page_without_functions_has_no_rows(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, 0x100, 0x200, 8);
	add(builder, 5 * PAGE, 5 * PAGE + 0x100, 16);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(info_of(rows).pages, 6);
	for (uint32_t i = 1; i < 5; i++)
		assert_int_equal(rows->pages[i].count, 0);
	assert_int_equal(offset_at(rows, 3 * PAGE), 0);
	assert_int_equal(offset_at(rows, 5 * PAGE), 16);
	assert_int_equal(offset_at(rows, 5 * PAGE - 1), 0);
	unwind_rows_free(rows);
}

static void text_that_ends_with_a_page_needs_no_page_for_its_end(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, PAGE, 3 * PAGE, 8);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(info_of(rows).pages, 2);
	assert_int_equal(info_of(rows).rows, 2);
	assert_int_equal(offset_at(rows, 3 * PAGE - 1), 8);
	assert_int_equal(offset_at(rows, 3 * PAGE), 0);
	unwind_rows_free(rows);
}

static void a_page_whose_first_byte_alone_is_text_has_its_rule(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, PAGE - 8, PAGE + 1, 8);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(offset_at(rows, PAGE), 8);
	assert_int_equal(offset_at(rows, PAGE + 1), 0);
	unwind_rows_free(rows);
}

static void of_overlapping_ranges_the_earlier_one_wins(void **state)
{
	struct unwind_builder *builder = make_builder();

	(void)state;
	add(builder, 0x1000, 0x1100, 8);
	add(builder, 0x1010, 0x1020, 16); /* hidden */
	add(builder, 0x10f0, 0x1200, 24);
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(offset_at(rows, 0x1010), 8);
	assert_int_equal(offset_at(rows, 0x10ff), 8);
	assert_int_equal(offset_at(rows, 0x1100), 24);
	unwind_rows_free(rows);
}

static void the_bytes_of_a_table_are_those_it_takes_in_a_space(void **state)
{
	struct unwind_builder *builder = make_builder();
	void *memory = calloc(1, UNWIND_CHUNK_BYTES);
	struct unwind_space *space;
	uint32_t place;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		add(builder, 40ULL * i, 40ULL * i + 40, 8 + 8 * (int32_t)(i % 77));
	struct unwind_rows *rows = finish(builder);
	assert_int_equal(unwind_space_create(memory, 1, &space, NULL), 0);
	assert_int_equal(unwind_space_add_table(space, rows, &place, NULL), 0);
	assert_int_equal(unwind_space_used_bytes(space), info_of(rows).bytes);
	unwind_space_destroy(space);
	unwind_rows_free(rows);
	free(memory);
}

/* ---- merging ----------------------------------------------------------- */

/* Random ranges, and what holds at each address of a small text. */
static struct unwind_rows *random_rows(uint32_t *seed, int32_t *offsets, uint32_t count)
{
	struct unwind_builder *builder = make_builder();
	uint32_t at = 0;

	memset(offsets, 0, count * sizeof(*offsets));
	while (at + 200 < count) {
		uint32_t start = at + (rand_r(seed) % 3 ? 0 : UNWIND_PADDING_BYTES) +
				 (uint32_t)rand_r(seed) % 2 * 30;
		uint32_t end = start + 1 + (uint32_t)rand_r(seed) % 100;
		if (start - at > 0 && start - at < UNWIND_PADDING_BYTES)
			start = at;
		int32_t offset = 8 + rand_r(seed) % 4 * 8;
		add(builder, PAGE - 300 + start, PAGE - 300 + end, offset);
		for (uint32_t i = start; i < end; i++)
			offsets[i] = offset;
		at = end;
	}
	return finish(builder);
}

static void what_the_first_does_not_know_the_second_says(void **state)
{
	enum { COUNT = 3000, ROUNDS = 200 };
	int32_t first[COUNT], second[COUNT];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct unwind_rows *a = random_rows(&seed, first, COUNT);
		struct unwind_rows *b = random_rows(&seed, second, COUNT);
		struct unwind_rows *both;
		assert_int_equal(unwind_rows_merge(a, b, NULL, &both, NULL), 0);
		int32_t last = 0;
		uint32_t unknown = 0;
		for (uint32_t i = 0; i < COUNT; i++) {
			int32_t expected = first[i] ? first[i] : second[i];
			int32_t found = offset_at(both, PAGE - 300 + i);
			unknown = expected ? 0 : unknown + 1;
			/* A gap of a few bytes between the two is padding. */
			if (found != expected && !(expected == 0 && found == last))
				fail_msg("at %u: %d is %d", i, expected, found);
			assert_true(expected || !found || unknown < UNWIND_PADDING_BYTES);
			last = found;
		}
		unwind_rows_free(a);
		unwind_rows_free(b);
		unwind_rows_free(both);
	}
}

/* ---- functions --------------------------------------------------------- */

static void functions_are_sorted_by_address(void **state)
{
	struct buf cfi = {0};
	size_t cie = put_cie(&cfi, CIE_X86);

	(void)state;
	put_fde(&cfi, cie, TEXT + 0x2000, 32, BYTES("\x0e\x10"));
	put_fde(&cfi, cie, TEXT + 0x1000, 32, BYTES("\x0e\x18"));
	put_fde(&cfi, cie, TEXT + 0x1000, 64, BYTES("\x0e\x20")); /* the same again */
	put_fde(&cfi, cie, TEXT + 0x3000, 32, BYTES("\x0e\x28"));
	struct unwind_rows *rows = compile_bytes(&cfi);
	assert_int_equal(offset_at(rows, TEXT + 0x1000), 24);
	assert_int_equal(offset_at(rows, TEXT + 0x1020), 32);
	assert_int_equal(offset_at(rows, TEXT + 0x2000), 16);
	assert_int_equal(offset_at(rows, TEXT + 0x3000), 40);
	unwind_rows_free(rows);
}

static void nothing_is_found_outside(void **state)
{
	struct unwind_rows *rows = compile_function(CIE_X86, 32, BYTES(""));

	(void)state;
	assert_int_equal(cfa_at(rows, 0), UNWIND_CFA_NONE);
	assert_int_equal(cfa_at(rows, TEXT - 1), UNWIND_CFA_NONE);
	assert_int_equal(cfa_at(rows, TEXT + 32), UNWIND_CFA_NONE);
	assert_int_equal(cfa_at(rows, UINT64_MAX), UNWIND_CFA_NONE);
	unwind_rows_free(rows);
}

/* ---- code without any --------------------------------------------------- */

enum { NO_CFI_BYTES = 0x1000, NO_INSTRUCTION = 0x06 };

static struct unwind_rows *compile_text(uint16_t machine, uint64_t entry, size_t at,
					struct str code)
{
	uint8_t text[NO_CFI_BYTES];
	struct buf cfi = {0};
	struct unwind_rows *rows;

	memset(text, NO_INSTRUCTION, sizeof(text));
	memcpy(text + at, code.ptr, code.len);
	size_t cie = put_cie(&cfi, machine == EM_AARCH64 ? CIE_ARM64 : CIE_X86);
	put_fde(&cfi, cie, TEXT, 0x100, BYTES(""));
	put_fde(&cfi, cie, TEXT + 0x200, 0x40, BYTES(""));
	struct cfi_image image = image_of(&cfi);
	image.machine = machine;
	image.entry = entry;
	image.text = text;
	image.text_len = sizeof(text);
	assert_int_equal(compile_image(&image, NULL, &rows, NULL), 0);
	buf_deinit(&cfi);
	return rows;
}

static void an_entry_without_call_frame_information_is_the_outermost_frame(void **state)
{
	struct unwind_rows *rows = compile_text(EM_X86_64, TEXT + 0x110, 0, BYTES(""));

	(void)state;
	assert_int_equal(cfa_at(rows, TEXT + 0xff), UNWIND_CFA_SP);
	assert_int_equal(cfa_at(rows, TEXT + 0x10f), UNWIND_CFA_NONE);
	assert_int_equal(cfa_at(rows, TEXT + 0x110), UNWIND_CFA_END);
	assert_int_equal(cfa_at(rows, TEXT + 0x14f), UNWIND_CFA_END);
	assert_int_equal(cfa_at(rows, TEXT + 0x150), UNWIND_CFA_NONE);
	unwind_rows_free(rows);
	rows = compile_text(EM_X86_64, TEXT + 0x1f0, 0, BYTES(""));
	assert_int_equal(cfa_at(rows, TEXT + 0x1ff), UNWIND_CFA_END);
	assert_int_equal(cfa_at(rows, TEXT + 0x200), UNWIND_CFA_SP);
	unwind_rows_free(rows);
	rows = compile_text(EM_X86_64, TEXT + 0x10, 0, BYTES("")); /* says itself what it is */
	assert_int_equal(cfa_at(rows, TEXT + 0x10), UNWIND_CFA_SP);
	unwind_rows_free(rows);
}

/* glibc says that it has a return address. */
static void a_coroutine_begins_where_its_function_returns_to(void **state)
{
	static const struct str codes[] = {
		BYTES("\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff\x74\x08"),
		BYTES("\xf3\x0f\x1e\xfa\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff\x74\x08"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct unwind_rows *rows = compile_text(EM_X86_64, 0, 0x200, codes[i]);
		assert_int_equal(cfa_at(rows, TEXT + 0x1fe), UNWIND_CFA_NONE);
		assert_int_equal(cfa_at(rows, TEXT + 0x1ff), UNWIND_CFA_END);
		assert_int_equal(cfa_at(rows, TEXT + 0x23f), UNWIND_CFA_END);
		assert_int_equal(cfa_at(rows, TEXT + 0x240), UNWIND_CFA_NONE);
		unwind_rows_free(rows);
		rows = compile_text(EM_X86_64, 0, 0x201, codes[i]); /* in another function */
		assert_int_equal(cfa_at(rows, TEXT + 0x200), UNWIND_CFA_SP);
		unwind_rows_free(rows);
	}
}

static void what_ends_a_signal_handler_is_known_by_its_instructions(void **state)
{
	static const struct {
		uint16_t machine;
		struct str code;
		int32_t sigcontext;
	} cases[] = {
		{EM_X86_64, BYTES("\x48\xc7\xc0\x0f\0\0\0\x0f\5"), 40},
		{EM_X86_64, BYTES("\xb8\x0f\0\0\0\x0f\5"), 40},
		{EM_AARCH64, BYTES("\x68\x11\x80\xd2\1\0\0\xd4"), 304},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct unwind_rows *rows =
			compile_text(cases[i].machine, TEXT + 0x300, 0x400, cases[i].code);
		const struct unwind_rule signal = {.cfa = UNWIND_CFA_SIGNAL,
						   .cfa_offset = cases[i].sigcontext};
		assert_int_equal(cfa_at(rows, TEXT + 0x300), UNWIND_CFA_END);
		assert_int_equal(cfa_at(rows, TEXT + 0x3fe), UNWIND_CFA_NONE);
		/* A handler returns to 0x400, which is looked up at - 1. */
		check_rule(unwind_rows_find(rows, TEXT + 0x3ff), signal);
		check_rule(unwind_rows_find(rows, TEXT + 0x400 + cases[i].code.len - 1), signal);
		assert_int_equal(cfa_at(rows, TEXT + 0x420), UNWIND_CFA_NONE);
		unwind_rows_free(rows);
	}
}

static void instructions_that_are_data_of_a_function_are_not_looked_for(void **state)
{
	struct unwind_rows *rows =
		compile_text(EM_X86_64, 0, 0x10, BYTES("\x48\xc7\xc0\x0f\0\0\0\x0f\5"));

	(void)state;
	assert_int_equal(cfa_at(rows, TEXT + 0x10), UNWIND_CFA_SP);
	unwind_rows_free(rows);
}

/* ---- limits ------------------------------------------------------------ */

static void put_many(struct buf *cfi, uint32_t functions)
{
	size_t cie = put_cie(cfi, CIE_X86);

	for (uint32_t i = 0; i < functions; i++)
		put_fde(cfi, cie, TEXT + 64ULL * i, 64,
			BYTES("\x41\x0e\x10\x44\x0e\x20\x41\x0e\x08"));
}

static void more_rows_than_the_limit_are_refused(void **state)
{
	struct unwind_limits limits = {.rows = 1000};
	struct unwind_rows *rows;
	struct buf cfi = {0};
	struct err err;

	(void)state;
	put_many(&cfi, 400);
	struct cfi_image image = image_of(&cfi);
	assert_int_equal(compile_image(&image, &limits, &rows, &err), ERR_LIMIT);
	assert_string_equal(err.text, "unwind rows: more than the limit of 1000");
	limits.rows = 1400;
	assert_int_equal(compile_image(&image, &limits, &rows, NULL), 0);
	unwind_rows_free(rows);
	buf_deinit(&cfi);
}

static void more_bytes_than_the_limit_are_refused(void **state)
{
	struct unwind_limits limits = {.bytes = 1000};
	struct unwind_rows *rows;
	struct buf cfi = {0};

	(void)state;
	put_many(&cfi, 400);
	struct cfi_image image = image_of(&cfi);
	assert_int_equal(compile_image(&image, &limits, &rows, NULL), ERR_LIMIT);
	limits.bytes = cfi.len;
	assert_int_equal(compile_image(&image, &limits, &rows, NULL), 0);
	unwind_rows_free(rows);
	buf_deinit(&cfi);
}

static void more_rules_than_a_row_can_name_are_refused(void **state)
{
	struct unwind_builder *builder = make_builder();
	struct unwind_rule rule;
	int rc = 0;

	(void)state;
	for (int32_t i = 1; i <= UNWIND_RULES_MAX && !rc; i++) {
		rule = sp_rule(i);
		rc = unwind_builder_add(builder, (uint64_t)i * 4, (uint64_t)i * 4 + 4, &rule, NULL);
		if (i < UNWIND_RULES_MAX)
			assert_int_equal(rc, 0);
	}
	assert_int_equal(rc, ERR_LIMIT);
	unwind_builder_destroy(builder);
}

static void rules_that_are_made_to_collide_are_refused(void **state)
{
	enum { SAME_BITS = 0x3fff, RULES = 4000 };
	struct unwind_builder *builder = make_builder();
	struct unwind_rule rule = sp_rule(0);
	struct err err = {0};
	int rc = 0;

	(void)state;
	for (uint64_t at = 64; !rc && at < 64 + 16 * RULES; at += 16) {
		do
			rule.cfa_offset++;
		while (unwind_rule_hash(&rule) & SAME_BITS);
		rc = unwind_builder_add(builder, at, at + 16, &rule, &err);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_string_equal(err.text, "unwind rows: rules that are made to collide");
	unwind_builder_destroy(builder);
}

static void text_of_more_than_4_gib_is_refused(void **state)
{
	struct unwind_builder *builder = make_builder();
	struct unwind_rule rule = sp_rule(8);

	(void)state;
	add(builder, PAGE, PAGE + 16, 8);
	assert_int_equal(unwind_builder_add(builder, (1ULL << 32) + PAGE, (1ULL << 32) + PAGE + 16,
					    &rule, NULL),
			 ERR_LIMIT);
	unwind_builder_destroy(builder);
}

static void a_builder_without_ranges_has_no_rows(void **state)
{
	struct unwind_builder *builder = make_builder();
	struct unwind_rows *rows;

	(void)state;
	assert_int_equal(unwind_builder_finish(builder, &rows, NULL), ERR_NOT_FOUND);
	unwind_builder_destroy(builder);
}

/* .debug_frame in a second file, a gap with an entry: every way takes part. */
static int compile_everything(const struct buf *file, const struct buf *debug,
			      struct unwind_rows **ret)
{
	struct elf_file *elf = NULL, *debug_elf = NULL;

	int rc = elf_open_memory(file->ptr, file->len, &elf, NULL);
	if (!rc)
		rc = elf_open_memory(debug->ptr, debug->len, &debug_elf, NULL);
	if (!rc)
		rc = unwind_compile(elf, debug_elf, NULL, ret, NULL);
	elf_close(elf);
	elf_close(debug_elf);
	return rc;
}

static void a_shortage_of_memory_is_an_error_and_no_leak(void **state)
{
	struct buf cfi = {0}, debug_cfi = {0}, file = {0}, debug = {0};
	struct unwind_rows *rows;
	int rc = ERR_NOMEM;

	(void)state;
	put_many(&cfi, 100);
	struct cfi_image image = image_of(&cfi);
	image.entry = TEXT + 0x2000;
	image.text_len = 0x3000;
	uint8_t *text = malloc(image.text_len);
	memset(text, NO_INSTRUCTION, image.text_len);
	image.text = text;
	cfi_image_build(&image, &file);
	put32(&debug_cfi, 12);
	buf_append(&debug_cfi, "\xff\xff\xff\xff\3\0\1\x78\x10\x0c\7\x08", 12);
	put32(&debug_cfi, 20);
	put32(&debug_cfi, 0);
	put64(&debug_cfi, TEXT + 0x10000);
	put64(&debug_cfi, 64);
	struct cfi_image debug_image = image_of(&debug_cfi);
	debug_image.debug_frame = true;
	cfi_image_build(&debug_image, &debug);
	for (uint64_t nth = 1; rc == ERR_NOMEM; nth++) {
		(void)mem_fail_nth(nth);
		rc = compile_everything(&file, &debug, &rows);
	}
	(void)mem_fail_nth(0);
	assert_int_equal(rc, 0);
	assert_int_equal(info_of(rows).functions, 101);
	assert_int_equal(cfa_at(rows, TEXT), UNWIND_CFA_SP);
	assert_int_equal(cfa_at(rows, TEXT + 0x2000), UNWIND_CFA_END);
	assert_int_equal(cfa_at(rows, TEXT + 0x10000), UNWIND_CFA_UNKNOWN); /* no return address */
	unwind_rows_free(rows);
	free(text);
	buf_deinit(&cfi);
	buf_deinit(&debug_cfi);
	buf_deinit(&file);
	buf_deinit(&debug);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_gap_is_padding_and_a_large_one_is_not),
		cmocka_unit_test(equal_neighbours_are_one_row),
		cmocka_unit_test(a_page_starts_with_the_rule_of_the_one_before),
		cmocka_unit_test(a_page_without_functions_has_no_rows),
		cmocka_unit_test(text_that_ends_with_a_page_needs_no_page_for_its_end),
		cmocka_unit_test(a_page_whose_first_byte_alone_is_text_has_its_rule),
		cmocka_unit_test(of_overlapping_ranges_the_earlier_one_wins),
		cmocka_unit_test(the_bytes_of_a_table_are_those_it_takes_in_a_space),
		cmocka_unit_test(what_the_first_does_not_know_the_second_says),
		cmocka_unit_test(functions_are_sorted_by_address),
		cmocka_unit_test(nothing_is_found_outside),
		cmocka_unit_test(an_entry_without_call_frame_information_is_the_outermost_frame),
		cmocka_unit_test(a_coroutine_begins_where_its_function_returns_to),
		cmocka_unit_test(what_ends_a_signal_handler_is_known_by_its_instructions),
		cmocka_unit_test(instructions_that_are_data_of_a_function_are_not_looked_for),
		cmocka_unit_test(more_rows_than_the_limit_are_refused),
		cmocka_unit_test(more_bytes_than_the_limit_are_refused),
		cmocka_unit_test(more_rules_than_a_row_can_name_are_refused),
		cmocka_unit_test(rules_that_are_made_to_collide_are_refused),
		cmocka_unit_test(text_of_more_than_4_gib_is_refused),
		cmocka_unit_test(a_builder_without_ranges_has_no_rows),
		cmocka_unit_test(a_shortage_of_memory_is_an_error_and_no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
