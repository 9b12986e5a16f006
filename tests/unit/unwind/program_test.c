/* Every opcode and every expression: a program, and the rule that comes of it. */
#include "cfi_bytes.h"

struct program_case {
	const char *what;
	struct str program;
	uint32_t at; /* from the function's start */
	struct unwind_rule rule;
};

#define SP(offset)  .cfa = UNWIND_CFA_SP, .cfa_offset = (offset), .ra_offset = -8
#define FP(offset)  .cfa = UNWIND_CFA_FP, .cfa_offset = (offset), .ra_offset = -8
#define SAVED(at)   .fp = UNWIND_FP_AT_CFA, .fp_offset = (at)
#define HANDLER	    .ra = UNWIND_RA_HANDLER
#define UNKNOWN	    .cfa = UNWIND_CFA_UNKNOWN
#define BIG(digits) "\x80\x80\x80\x80" digits /* ULEB128 with 28 zero bits below */

static const struct program_case x86_cases[] = {
	{"nothing", BYTES(""), 0, {SP(8)}},
	{"nop", BYTES("\0\0"), 5, {SP(8)}},
	{"advance_loc", BYTES("\x41\x0e\x10"), 0, {SP(8)}},
	{"advance_loc, its row", BYTES("\x41\x0e\x10"), 1, {SP(16)}},
	{"advance_loc1", BYTES("\2\xc8\x0e\x10"), 200, {SP(16)}},
	{"advance_loc1, before", BYTES("\2\xc8\x0e\x10"), 199, {SP(8)}},
	{"advance_loc2", BYTES("\3\x2c\1\x0e\x10"), 300, {SP(16)}},
	{"advance_loc2, before", BYTES("\3\x2c\1\x0e\x10"), 299, {SP(8)}},
	{"advance_loc4", BYTES("\4\x2c\1\0\0\x0e\x10"), 300, {SP(16)}},
	{"MIPS_advance_loc8", BYTES("\x1d\x2c\1\0\0\0\0\0\0\x0e\x10"), 300, {SP(16)}},
	{"set_loc, cut short", BYTES("\0\0\0\0\0\0\0\1\x2c\1\0"), 0, {UNKNOWN}},
	{"advance beyond the end", BYTES("\4\xff\xff\xff\xff\x0e\x10"), 400, {SP(8)}},
	{"offset", BYTES("\x86\2"), 0, {SP(8), SAVED(-16)}},
	{"offset of a register of no interest", BYTES("\x83\2"), 0, {SP(8)}},
	{"offset_extended", BYTES("\5\6\2"), 0, {SP(8), SAVED(-16)}},
	{"offset_extended_sf", BYTES("\x11\6\2"), 0, {SP(8), SAVED(-16)}},
	{"offset_extended_sf above", BYTES("\x11\6\x7e"), 0, {SP(8), SAVED(16)}},
	{"GNU_negative_offset_extended", BYTES("\x2f\6\2"), 0, {SP(8), SAVED(16)}},
	{"offset too far for a rule", BYTES("\x86" BIG("\1")), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"restore", BYTES("\x86\2\x41\xc6"), 1, {SP(8)}},
	{"restore_extended", BYTES("\x86\2\x41\6\6"), 1, {SP(8)}},
	{"undefined fp", BYTES("\7\6"), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"undefined return address", BYTES("\7\x10"), 0, {.cfa = UNWIND_CFA_END}},
	{"same_value", BYTES("\x86\2\x41\x08\6"), 1, {SP(8)}},
	{"register", BYTES("\x09\6\3"), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"return address in a register, as in vfork",
	 BYTES("\x0e\0\x09\x10\5"),
	 0,
	 {.cfa = UNWIND_CFA_SP, .ra = UNWIND_RA_REGISTER, .reg = 5}},
	{"return address and CFA in registers", BYTES("\x0c\5\0\x09\x10\1"), 0, {UNKNOWN}},
	{"return address in a register of vectors", BYTES("\x09\x10\x11"), 0, {UNKNOWN}},
	{"return address elsewhere on the stack",
	 BYTES("\x90\3"),
	 0,
	 {.cfa = UNWIND_CFA_SP, .cfa_offset = 8, .ra_offset = -24}},
	{"rax and rdx saved for a handler", BYTES("\x80\4\x81\3\x83\2"), 0, {SP(8), HANDLER}},
	{"by fp", BYTES("\x0c\6\x10\x80\4\x81\3"), 0, {FP(16), HANDLER}},
	{"remembered", BYTES("\x80\4\x81\3\x0a\xc0\x41\x0b"), 1, {SP(8), HANDLER}},
	{"rax alone", BYTES("\x80\4"), 0, {SP(8)}},
	{"rax restored", BYTES("\x80\4\x81\3\x41\xc0"), 1, {SP(8)}},
	{"rax the same again", BYTES("\x80\4\x81\3\x41\x08\0"), 1, {SP(8)}},
	{"rcx too", BYTES("\x80\4\x81\3\x82\5"), 0, {SP(8)}},
	{"rdi too", BYTES("\x80\4\x81\3\x85\5"), 0, {SP(8)}},
	{"a handler's frame by rcx",
	 BYTES("\x80\4\x81\3\x0c\2\x08"),
	 0,
	 {.cfa = UNWIND_CFA_REGISTER, .reg = 2, .cfa_offset = 8, .ra_offset = -8}},
	{"remember and restore",
	 BYTES("\x86\2\x0e\x20\x0a\x41\x0e\x08\xc6\x41\x0b"),
	 2,
	 {SP(32), SAVED(-16)}},
	{"remember and restore, between",
	 BYTES("\x86\2\x0e\x20\x0a\x41\x0e\x08\xc6\x41\x0b"),
	 1,
	 {SP(8)}},
	{"restore without remember", BYTES("\x41\x0b"), 1, {UNKNOWN}},
	{"restore without remember, before", BYTES("\x41\x0b"), 0, {SP(8)}},
	{"remember eight times", BYTES("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0e\x10"), 0, {SP(16)}},
	{"remember nine times",
	 BYTES("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0e\x10"),
	 0,
	 {UNKNOWN}},
	{"def_cfa", BYTES("\x0c\6\x10"), 0, {FP(16)}},
	{"def_cfa_sf", BYTES("\x12\6\x7e"), 0, {FP(16)}},
	{"def_cfa_register", BYTES("\x0d\6"), 0, {FP(8)}},
	{"def_cfa_offset", BYTES("\x0e\x88\2"), 0, {SP(264)}},
	{"def_cfa_offset_sf", BYTES("\x13\x7e"), 0, {SP(16)}},
	{"CFA by another register",
	 BYTES("\x0c\x0a\0"),
	 0,
	 {.cfa = UNWIND_CFA_REGISTER, .reg = 10, .ra_offset = -8}},
	{"CFA offset too large", BYTES("\x0e" BIG("\x08")), 0, {UNKNOWN}},
	{"CFA by register 300", BYTES("\x0c\xac\2\x08"), 0, {UNKNOWN}},
	{"val_offset", BYTES("\x14\6\2"), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"val_offset_sf", BYTES("\x15\6\2"), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"val_expression", BYTES("\x16\6\2\x77\x08"), 0, {SP(8), .fp = UNWIND_FP_LOST}},
	{"GNU_args_size", BYTES("\x2e\x20\x0e\x10"), 0, {SP(16)}},
	{"negate_ra_state is arm64's", BYTES("\x2d"), 0, {UNKNOWN}},
	{"an unknown opcode", BYTES("\x41\x3f"), 1, {UNKNOWN}},
	{"an unknown opcode, before", BYTES("\x41\x3f"), 0, {SP(8)}},
	{"an operand cut short", BYTES("\x86\2\x83\2\x86\2\0\x41\x0c\6\xff"), 1, {UNKNOWN}},
	{"a block longer than the program", BYTES("\x0f\x7f\x77\x08"), 0, {UNKNOWN}},
	/* expressions */
	{"CFA breg7", BYTES("\x0f\2\x77\x10"), 0, {SP(16)}},
	{"CFA bregx", BYTES("\x0f\3\x92\7\x10"), 0, {SP(16)}},
	{"CFA breg6, deref",
	 BYTES("\x0f\3\x76\x78\6"),
	 0,
	 {.cfa = UNWIND_CFA_FP_DEREF, .cfa_offset = -8, .ra_offset = -8}},
	{"CFA breg7, deref, plus_uconst",
	 BYTES("\x0f\5\x77\x20\6\x23\x08"),
	 0,
	 {.cfa = UNWIND_CFA_SP_DEREF, .cfa_offset = 32, .cfa_add = 8, .ra_offset = -8}},
	{"CFA breg7, deref, lit, plus",
	 BYTES("\x0f\5\x77\x20\6\x38\x22"),
	 0,
	 {.cfa = UNWIND_CFA_SP_DEREF, .cfa_offset = 32, .cfa_add = 8, .ra_offset = -8}},
	{"CFA breg3, deref", BYTES("\x0f\3\x73\0\6"), 0, {UNKNOWN}},
	{"CFA deref twice", BYTES("\x0f\4\x77\0\6\6"), 0, {UNKNOWN}},
	{"CFA empty expression", BYTES("\x0f\0"), 0, {UNKNOWN}},
	{"offset after an expression", BYTES("\x0f\3\x76\x78\6\x41\x0e\x10"), 1, {UNKNOWN}},
	{"def_cfa after an expression", BYTES("\x0f\3\x76\x78\6\x41\x0c\7\x10"), 1, {SP(16)}},
	{"PLT",
	 BYTES("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22"),
	 0,
	 {.cfa = UNWIND_CFA_PLT, .cfa_offset = 11, .ra_offset = -8}},
	{"PLT with another push",
	 BYTES("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3a\x2a\x33\x24\x22"),
	 0,
	 {.cfa = UNWIND_CFA_PLT, .cfa_offset = 10, .ra_offset = -8}},
	{"nearly a PLT", BYTES("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x32\x24\x22"), 0, {UNKNOWN}},
	{"fp by fp",
	 BYTES("\x0f\3\x76\x78\6\x10\6\2\x76\0"),
	 0,
	 {.cfa = UNWIND_CFA_FP_DEREF, .cfa_offset = -8, .fp = UNWIND_FP_AT_FP, .ra_offset = -8}},
	{"fp by fp, as the CFA", BYTES("\x0c\6\x10\x10\6\2\x76\0"), 0, {FP(16), SAVED(-16)}},
	{"fp by sp, as the CFA", BYTES("\x0e\x30\x10\6\2\x77\x10"), 0, {SP(48), SAVED(-32)}},
	{"fp by sp, unlike the CFA",
	 BYTES("\x0c\6\x10\x10\6\2\x77\0"),
	 0,
	 {FP(16), .fp = UNWIND_FP_LOST}},
	{"return address by sp", BYTES("\x0e\x30\x10\x10\2\x77\x28"), 0, {SP(48)}},
	{"return address by fp", BYTES("\x10\x10\2\x76\x28"), 0, {UNKNOWN}},
};

static void every_opcode_does_what_dwarf_says(void **state)
{
	enum { SIZE = 512 };

	(void)state;
	for (size_t i = 0; i < sizeof(x86_cases) / sizeof(x86_cases[0]); i++) {
		const struct program_case *c = &x86_cases[i];
		struct unwind_rows *rows = compile_function(CIE_X86, SIZE, c->program);
		print_message("%s\n", c->what);
		check_rule(unwind_rows_find(rows, TEXT + c->at), c->rule);
		if (c->rule.cfa == UNWIND_CFA_UNKNOWN)
			assert_int_equal(info_of(rows).odd, 1);
		assert_int_equal(cfa_at(rows, TEXT + SIZE), UNWIND_CFA_NONE);
		unwind_rows_free(rows);
	}
}

static const struct program_case arm64_cases[] = {
	{"x0 and x1 saved for a handler",
	 BYTES("\x0e\x20\x9e\4\x80\2\x81\1"),
	 0,
	 {.cfa = UNWIND_CFA_SP, .cfa_offset = 32, .ra_offset = -32}},
	{"a leaf", BYTES(""), 0, {.cfa = UNWIND_CFA_SP, .ra = UNWIND_RA_REGISTER}},
	{"stp x29, x30",
	 BYTES("\x41\x0e\x20\x9d\4\x9e\3"),
	 4,
	 {.cfa = UNWIND_CFA_SP, .cfa_offset = 32, SAVED(-32), .ra_offset = -24}},
	{"stp x29, x30, before",
	 BYTES("\x41\x0e\x20\x9d\4\x9e\3"),
	 3,
	 {.cfa = UNWIND_CFA_SP, .ra = UNWIND_RA_REGISTER}},
	{"mov x29, sp",
	 BYTES("\x0c\x1d\x20\x9d\4\x9e\3"),
	 0,
	 {.cfa = UNWIND_CFA_FP, .cfa_offset = 32, SAVED(-32), .ra_offset = -24}},
	{"restored",
	 BYTES("\x0e\x20\x9d\4\x9e\3\x41\xdd\xde\x0e\0"),
	 4,
	 {.cfa = UNWIND_CFA_SP, .ra = UNWIND_RA_REGISTER}},
	{"signed return address",
	 BYTES("\x2d\x0e\x10\x9d\2\x9e\1"),
	 0,
	 {.cfa = UNWIND_CFA_SP, .cfa_offset = 16, SAVED(-16), .ra_offset = -8}},
	{"thread start", BYTES("\7\x1e"), 0, {.cfa = UNWIND_CFA_END}},
	{"no PLT of x86",
	 BYTES("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22"),
	 0,
	 {UNKNOWN}},
};

/* pcrel sdata4, as the function's own address. */
static void set_loc_goes_to_an_address(void **state)
{
	static const struct {
		int32_t to;
		struct unwind_rule rule;
	} cases[] = {{32, {SP(16)}}, {40, {SP(8)}}, {-4, {UNKNOWN}}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf cfi = {0}, program = {0};
		size_t cie = put_cie(&cfi, CIE_X86);
		uint64_t operand = IMAGE_CFI_VADDR + cfi.len + 17 + 1;
		buf_char(&program, 1);
		put32(&program, TEXT + (uint64_t)(int64_t)cases[i].to - operand);
		buf_str(&program, BYTES("\x0e\x10"));
		put_fde(&cfi, cie, TEXT, 64, buf_text(&program));
		struct unwind_rows *rows = compile_bytes(&cfi);
		check_rule(unwind_rows_find(rows, TEXT + 32), cases[i].rule);
		unwind_rows_free(rows);
		buf_deinit(&program);
	}
}

static void arm64_has_its_own_registers(void **state)
{
	struct unwind_rows *rows;
	struct buf cfi = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(arm64_cases) / sizeof(arm64_cases[0]); i++) {
		const struct program_case *c = &arm64_cases[i];
		put_fde(&cfi, put_cie(&cfi, CIE_ARM64), TEXT, 64, c->program);
		struct cfi_image image = image_of(&cfi);
		image.machine = EM_AARCH64;
		print_message("%s\n", c->what);
		assert_int_equal(compile_image(&image, NULL, &rows, NULL), 0);
		check_rule(unwind_rows_find(rows, TEXT + c->at), c->rule);
		unwind_rows_free(rows);
		buf_deinit(&cfi);
	}
}

/* As glibc writes it: CFA and all registers by expressions. */
static void a_signal_frame_is_where_the_kernel_put_it(void **state)
{
	const struct str cie = BYTES("\1zRS\0\1\x78\x10\1\x1b");
	struct unwind_rows *rows =
		compile_function(cie, 16,
				 BYTES("\x0f\4\x77\xa0\1\6\x10\x10\3\x77\xa8\1\x10\6\3\x77\xf8\0"));

	(void)state;
	check_rule(unwind_rows_find(rows, TEXT + 3),
		   (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 40});
	unwind_rows_free(rows);
}

static void a_signal_frame_of_another_shape_is_an_ordinary_one(void **state)
{
	const struct str cie = BYTES("\1zRS\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1");
	struct unwind_rows *rows = compile_function(cie, 16, BYTES(""));

	(void)state;
	check_rule(unwind_rows_find(rows, TEXT), sp_rule(8));
	unwind_rows_free(rows);
}

static void a_signal_frame_of_arm64_is_known(void **state)
{
	struct buf cfi = {0};
	struct unwind_rows *rows;

	(void)state;
	put_fde(&cfi, put_cie(&cfi, BYTES("\1zRS\0\4\x78\x1e\1\x1b\x0c\x1d\0\x9d\0\x9e\x7f")), TEXT,
		8, BYTES(""));
	struct cfi_image image = image_of(&cfi);
	image.machine = EM_AARCH64;
	assert_int_equal(compile_image(&image, NULL, &rows, NULL), 0);
	check_rule(unwind_rows_find(rows, TEXT),
		   (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 304});
	unwind_rows_free(rows);
	buf_deinit(&cfi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_does_what_dwarf_says),
		cmocka_unit_test(set_loc_goes_to_an_address),
		cmocka_unit_test(arm64_has_its_own_registers),
		cmocka_unit_test(a_signal_frame_is_where_the_kernel_put_it),
		cmocka_unit_test(a_signal_frame_of_another_shape_is_an_ordinary_one),
		cmocka_unit_test(a_signal_frame_of_arm64_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
