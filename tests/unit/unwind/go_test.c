/* Go functions into rows: small tables of each layout, real programs, and the
 * stacks of a running one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../elf/go_image.h"
#include "base/mem.h"
#include "elf/elf.h"
#include "elf/gopcln.h"
#include "unwind/builder.h"
#include "unwind/go_code.h"

enum { TEXT = GO_IMAGE_TEXT };

static struct go_image image;

static const unsigned generations[] = {116, 118, 120};

static void make_image(unsigned generation)
{
	const struct go_image_options options = {.generation = generation};

	go_image_make(&options, &image);
}

static struct unwind_rows *compile_image(void)
{
	struct unwind_rows *rows = NULL;
	struct elf_file *file = NULL;
	struct err err = {0};

	if (elf_open_memory(image.bytes, image.len, &file, &err) ||
	    unwind_compile(file, NULL, NULL, &rows, &err))
		fail_msg("%s", err.text);
	elf_close(file);
	return rows;
}

/* fp_offset 0: the caller's frame pointer is in its register. */
static void expect_sp(const struct unwind_rows *rows, uint64_t vaddr, int cfa_offset, int fp_offset)
{
	struct unwind_rule rule = unwind_rows_find(rows, vaddr);

	assert_int_equal(rule.cfa, UNWIND_CFA_SP);
	assert_int_equal(rule.cfa_offset, cfa_offset);
	assert_int_equal(rule.fp, fp_offset ? UNWIND_FP_AT_CFA : UNWIND_FP_SAME);
	assert_int_equal(rule.fp_offset, fp_offset);
	assert_int_equal(rule.ra, UNWIND_RA_AT_CFA);
	assert_int_equal(rule.ra_offset, -8);
}

static void expect_kind(const struct unwind_rows *rows, uint64_t vaddr, enum unwind_cfa kind)
{
	assert_int_equal(unwind_rows_find(rows, vaddr).cfa, kind);
}

static void sizes_of_frames_become_rules(void **state)
{
	struct unwind_rows_info info;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_image(generations[i]);
		struct unwind_rows *rows = compile_image();
		expect_sp(rows, TEXT, 8, 0);
		expect_sp(rows, TEXT + 1, 16, -16);
		expect_sp(rows, TEXT + 8, 32, -16);
		expect_sp(rows, TEXT + 0x37, 32, -16);
		expect_sp(rows, TEXT + 0x38, 16, -16);
		expect_sp(rows, TEXT + 0x3c, 8, 0);
		expect_sp(rows, TEXT + 0x40, 8, 0);
		expect_kind(rows, TEXT + 0x50, UNWIND_CFA_END);
		expect_kind(rows, TEXT + 0x5e, UNWIND_CFA_END);
		/* Returned to, so looked up at the byte before it. */
		expect_kind(rows, TEXT + 0x5f, UNWIND_CFA_SIGNAL);
		expect_kind(rows, TEXT + 0x60, UNWIND_CFA_SIGNAL);
		assert_int_equal(unwind_rows_find(rows, TEXT + 0x60).cfa_offset, 40);
		expect_sp(rows, TEXT + 0x70, 8, 0);
		expect_kind(rows, TEXT + 0x80, UNWIND_CFA_FRAME); /* C: no sizes */
		expect_kind(rows, TEXT + 0x90, UNWIND_CFA_NONE);
		unwind_rows_get_info(rows, &info);
		assert_true(info.from_go);
		assert_int_equal(info.functions, GO_IMAGE_FUNCTIONS);
		assert_int_equal(info.skipped, 0);
		unwind_rows_free(rows);
	}
}

/* ---- code -------------------------------------------------------------- */

static struct go_code code;

/* The image's text, with bytes at an offset. */
static uint8_t *text_at(size_t offset)
{
	uint8_t *text = memmem(image.bytes, image.len, "\x55\x48\x89\xe5", 4);

	assert_non_null(text);
	return text + offset;
}

static void open_code(struct elf_file **ret_file)
{
	assert_int_equal(elf_open_memory(image.bytes, image.len, ret_file, NULL), 0);
	memset(&code, 0, sizeof(code));
	code.file = *ret_file;
}

static void a_prologue_tells_where_the_frame_pointer_is(void **state)
{
	static const struct {
		const char *bytes; /* the last instruction before, and what follows */
		size_t before, len;
		int32_t size_bytes;
		int from; /* -1: the register is left alone */
	} cases[] = {
		{"\x55\x48\x89\xe5", 1, 4, 8, 0},   /* push %rbp */
		{"\x55\x48\x89\xe5", 1, 4, 16, -1}, /* something else was pushed */
		{"\x48\x83\xec\x18\x48\x89\x6c\x24\x10", 4, 9, 24, 5},	/* disp8 */
		{"\x48\x83\xec\x18\x48\x89\x6c\x24\x08", 4, 9, 24, -1}, /* another place */
		{"\x48\x83\xec\x08\x48\x89\x2c\x24\x90", 4, 9, 8, 4},	/* no disp */
		{"\x48\x81\xec\x00\x01\x00\x00\x48\x89\xac\x24\xf8\x00\x00\x00", 7, 15, 256, 8},
		{"\x48\x83\xec\x18\x48\x89\x5c\x24\x10", 4, 9, 24, -1}, /* rbx */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct elf_file *file;
		uint64_t from = 0, at = TEXT + 0x40 + cases[i].before;
		make_image(120);
		memcpy(text_at(0x40), cases[i].bytes, cases[i].len);
		open_code(&file);
		bool saves = go_code_saves_fp(&code, at, cases[i].size_bytes, &from);
		assert_int_equal(saves, cases[i].from >= 0);
		if (saves)
			assert_int_equal(from, at + (uint64_t)cases[i].from);
		elf_close(file);
	}
}

static void instructions_that_set_the_stack_are_known(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum go_code_switch kind;
	} cases[] = {
		{"\x48\x8b\x62\x38", 4, GO_CODE_SWITCH},	     /* mov 0x38(%rdx),%rsp */
		{"\x49\x8b\x66\x38", 4, GO_CODE_SWITCH},	     /* mov 0x38(%r14),%rsp */
		{"\x48\x8b\xa2\x80\x00\x00\x00", 7, GO_CODE_SWITCH}, /* mov 0x80(%rdx),%rsp */
		{"\x48\x8b\x64\x24\x08", 5, GO_CODE_SWITCH},	     /* mov 8(%rsp),%rsp */
		{"\x48\x8b\x25\x00\x00\x00\x00", 7, GO_CODE_SWITCH}, /* mov x(%rip),%rsp */
		{"\x48\x8b\x22", 3, GO_CODE_SWITCH},		     /* mov (%rdx),%rsp */
		{"\x48\x89\xf4", 3, GO_CODE_SWITCH},		     /* mov %rsi,%rsp */
		{"\x4c\x89\xe4", 3, GO_CODE_SWITCH},		     /* mov %r12,%rsp */
		{"\x48\x83\xe4\xf0", 4, GO_CODE_ALIGN},		     /* and $~15,%rsp */
		{"\x48\x81\xe4\x00\xff\xff\xff", 7, GO_CODE_ALIGN},  /* and $~255,%rsp */
		{"\x48\x89\xe5", 3, GO_CODE_NO_SWITCH},		     /* mov %rsp,%rbp */
		{"\x48\x83\xec\x10", 4, GO_CODE_NO_SWITCH}, /* sub $16,%rsp: in the table */
		{"\x48\x89\x62\x38", 4, GO_CODE_NO_SWITCH}, /* mov %rsp,0x38(%rdx) */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct elf_file *file;
		uint64_t end = 0;
		make_image(120);
		memcpy(text_at(0x42), cases[i].bytes, cases[i].len);
		open_code(&file);
		assert_int_equal(go_code_next_switch(&code, TEXT + 0x40, TEXT + 0x50, &end),
				 cases[i].kind);
		if (cases[i].kind != GO_CODE_NO_SWITCH)
			assert_int_equal(end, TEXT + 0x42 + cases[i].len);
		/* Not behind the end of the function, nor where the file ends. */
		assert_int_equal(go_code_next_switch(&code, TEXT + 0x40, TEXT + 0x44, &end),
				 GO_CODE_NO_SWITCH);
		assert_int_equal(go_code_next_switch(&code, TEXT + 0x4f, UINT64_MAX, &end),
				 GO_CODE_NO_SWITCH);
		elf_close(file);
	}
}

static void on_another_stack_the_frame_pointer_leads_back(void **state)
{
	(void)state;
	make_image(120);
	image.bytes[image.function_records[1] + 41] = GO_FUNCTION_SP_WRITE;
	memcpy(text_at(0x42), "\x48\x8b\x62\x38", 4);
	memcpy(text_at(0x46), "\x48\x83\xe4\xf0", 4); /* aligned there: no other state */
	memcpy(text_at(0x4b), "\x48\x89\xf4", 3);
	struct unwind_rows *rows = compile_image();
	expect_sp(rows, TEXT + 0x45, 8, 0);
	expect_kind(rows, TEXT + 0x46, UNWIND_CFA_FRAME);
	expect_kind(rows, TEXT + 0x4d, UNWIND_CFA_FRAME);
	expect_sp(rows, TEXT + 0x4e, 8, 0);
	unwind_rows_free(rows);
}

static void what_never_comes_back_is_the_end(void **state)
{
	(void)state;
	make_image(118);
	char *name = memmem(image.bytes, image.len, "main.leaf", 9);
	assert_non_null(name);
	memcpy(name, "gogo", 5);
	memcpy(text_at(0x42), "\x48\x8b\x62\x38", 4);
	struct unwind_rows *rows = compile_image();
	expect_sp(rows, TEXT + 0x40, 8, 0);
	expect_kind(rows, TEXT + 0x46, UNWIND_CFA_END);
	expect_kind(rows, TEXT + 0x4f, UNWIND_CFA_END);
	unwind_rows_free(rows);
}

static void without_memory_it_is_said_and_nothing_leaks(void **state)
{
	struct elf_file *file = NULL;
	unsigned failures = 0;

	(void)state;
	make_image(120);
	assert_int_equal(elf_open_memory(image.bytes, image.len, &file, NULL), 0);
	for (uint64_t nth = 1;; nth++) {
		struct unwind_builder *builder = NULL;
		assert_int_equal(unwind_builder_create(NULL, &builder, NULL), 0);
		mem_fail_nth(nth);
		int rc = unwind_go_compile(file, builder, NULL);
		mem_fail_nth(0);
		unwind_builder_destroy(builder);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		failures++;
	}
	assert_true(failures >= 5);
	elf_close(file);
}

/* ---- real programs ----------------------------------------------------- */

struct program {
	int fd;
	struct elf_file *file;
	struct go_lines *lines;
	struct unwind_rows *rows;
};

static struct program open_program(const char *path)
{
	struct program p = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	struct err err = {0};

	if (p.fd < 0 || elf_open(p.fd, &p.file, &err) || go_lines_open(p.file, 0, &p.lines, &err) ||
	    unwind_compile(p.file, NULL, NULL, &p.rows, &err))
		fail_msg("%s: %s", path, err.text);
	return p;
}

static void close_program(struct program *p)
{
	unwind_rows_free(p->rows);
	go_lines_free(p->lines);
	elf_close(p->file);
	close(p->fd);
}

static struct go_function function_named(const struct program *p, const char *name)
{
	for (uint32_t i = 0; i < go_function_count(p->lines); i++) {
		struct go_function f = go_function_at(p->lines, i);
		if (str_equal(f.name, str_of(name)))
			return f;
	}
	fail_msg("no function %s", name);
	return (struct go_function){0};
}

/* How often the rule's kind changes in a function, beginning with first. */
static unsigned changes(const struct program *p, const char *name, enum unwind_cfa first,
			enum unwind_cfa second)
{
	struct go_function f = function_named(p, name);
	enum unwind_cfa last = first;
	unsigned n = 0;

	for (uint64_t at = f.start; at < f.end; at++) {
		enum unwind_cfa now = unwind_rows_find(p->rows, at).cfa;
		if (now != first && now != second) {
			assert_int_equal(now, UNWIND_CFA_NONE); /* padding */
			break;
		}
		n += now != last;
		last = now;
	}
	return n;
}

static const char *const programs[] = {
	GO_SAMPLES "/gotruth-plain", GO_SAMPLES "/gotruth-stripped", GO_SAMPLES "/gotruth-pie",
	GO_SAMPLES "/gotruth-cgo",   GO_SAMPLES "/gotruth-cgo-pie",
};

static void real_functions_begin_with_the_return_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct program p = open_program(programs[i]);
		struct unwind_rows_info info;
		unsigned plain = 0;
		for (uint32_t k = 0; k < go_function_count(p.lines); k++) {
			struct go_function f = go_function_at(p.lines, k);
			struct unwind_rule rule = unwind_rows_find(p.rows, f.start);
			if (rule.cfa == UNWIND_CFA_SP) {
				expect_sp(p.rows, f.start, 8, 0);
				plain++;
			}
			assert_int_not_equal(rule.cfa, UNWIND_CFA_NONE);
			assert_int_not_equal(rule.cfa, UNWIND_CFA_UNKNOWN);
		}
		unwind_rows_get_info(p.rows, &info);
		printf("%s: %u functions, %u rows, %u rules\n", programs[i], info.functions,
		       info.rows, info.rules);
		assert_true(info.from_go);
		assert_int_equal(info.skipped, 0);
		assert_true(plain + 16 > go_function_count(p.lines));
		close_program(&p);
	}
}

static void the_runtime_s_own_functions_are_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct program p = open_program(programs[i]);
		uint64_t sigreturn = function_named(&p, "runtime.sigreturn").start;
		expect_kind(p.rows, function_named(&p, "runtime.goexit").start, UNWIND_CFA_END);
		expect_kind(p.rows, function_named(&p, "runtime.mstart").start, UNWIND_CFA_END);
		expect_kind(p.rows, sigreturn - 1, UNWIND_CFA_SIGNAL);
		expect_kind(p.rows, sigreturn, UNWIND_CFA_SIGNAL);
		/* There, and back; and for what never comes back, there. */
		assert_int_equal(changes(&p, "runtime.systemstack", UNWIND_CFA_SP,
					 UNWIND_CFA_FRAME),
				 2);
		assert_int_equal(changes(&p, "runtime.nanotime1", UNWIND_CFA_SP, UNWIND_CFA_FRAME),
				 2);
		assert_int_equal(changes(&p, "runtime.mcall", UNWIND_CFA_SP, UNWIND_CFA_END), 1);
		assert_int_equal(changes(&p, "runtime.morestack", UNWIND_CFA_SP, UNWIND_CFA_END),
				 1);
		expect_sp(p.rows, function_named(&p, "runtime.sigtramp").start, 8, 0);
		close_program(&p);
	}
}

static void c_in_a_go_program_has_its_own_rules(void **state)
{
	struct program p = open_program(GO_SAMPLES "/gotruth-cgo");
	struct elf_symbols *symbols = NULL;
	unsigned c_functions = 0;

	(void)state;
	assert_int_equal(elf_symbols_load(p.file, 0, &symbols, NULL), 0);
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		struct elf_symbol s = elf_symbols_at(symbols, i);
		if (!str_starts_with(s.name, STR("x_cgo_")))
			continue;
		expect_kind(p.rows, s.start, UNWIND_CFA_SP);
		c_functions++;
	}
	assert_true(c_functions > 5);
	elf_symbols_free(symbols);
	close_program(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_frames_become_rules),
		cmocka_unit_test(a_prologue_tells_where_the_frame_pointer_is),
		cmocka_unit_test(instructions_that_set_the_stack_are_known),
		cmocka_unit_test(on_another_stack_the_frame_pointer_leads_back),
		cmocka_unit_test(what_never_comes_back_is_the_end),
		cmocka_unit_test(without_memory_it_is_said_and_nothing_leaks),
		cmocka_unit_test(real_functions_begin_with_the_return_address),
		cmocka_unit_test(the_runtime_s_own_functions_are_known),
		cmocka_unit_test(c_in_a_go_program_has_its_own_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
