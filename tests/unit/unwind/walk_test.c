/* Walks over stacks and tables made by hand: every rule, every end, and numbers
 * that lie. What compilers and kernels really leave is in walk_live_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "unwind/unwind.h"

enum {
	CHUNKS = 2,
	STACK_WORDS = 512,
	FRAMES_MAX = 64,
	TEXT = 0x400000, /* where the one file's text is mapped; its vaddr is the same */
	TEXT_BYTES = 0x40000,
	JIT = 0x700000, /* a mapping without a table */
	JIT_BYTES = 0x10000,
	CODE_BYTES = 64,
};

static const uint64_t STACK = 0x7ffc00000000;

struct world {
	uint8_t *memory;
	struct unwind_space *space;
	uint32_t next; /* unit */
	uint64_t stack[STACK_WORDS];
	uint8_t code[CODE_BYTES]; /* at code_at */
	uint64_t code_at;
	struct unwind_target target;
	struct unwind_state state;
	uint64_t frames[FRAMES_MAX];
	size_t count;
};

struct row {
	uint64_t vaddr;
	uint16_t rule;
};

static uint32_t put(struct world *w, const void *bytes, size_t len)
{
	uint32_t place = w->next;
	memcpy(w->memory + (size_t)place * UNWIND_UNIT_BYTES, bytes, len);
	w->next += (uint32_t)((len + 7) / 8 * 2);
	return place;
}

static size_t read_code(void *ctx, uint64_t address, void *dst, size_t len)
{
	const struct world *w = ctx;
	if (address < w->code_at || address - w->code_at > CODE_BYTES - len)
		return 0;
	memcpy(dst, w->code + (address - w->code_at), len);
	return len;
}

/* A table of one page from TEXT on. */
static uint32_t put_table(struct world *w, const struct unwind_row *rows, uint32_t row_count,
			  const struct unwind_rule *rules, uint32_t rule_count)
{
	uint8_t head[sizeof(struct unwind_table) + sizeof(struct unwind_page) +
		     16 * sizeof(struct unwind_rule)];
	const struct unwind_table table = {.vaddr = TEXT,
					   .page_count = 1,
					   .rule_count = rule_count};
	const struct unwind_page page = {put(w, rows, row_count * sizeof(*rows)), row_count};
	assert_true(rule_count <= 16);
	memcpy(head, &table, sizeof(table));
	memcpy(head + sizeof(table), &page, sizeof(page));
	memcpy(head + sizeof(table) + sizeof(page), rules, rule_count * sizeof(*rules));
	return put(w, head, sizeof(table) + sizeof(page) + rule_count * sizeof(*rules));
}

static void use_mappings(struct world *w, const struct unwind_mapping *mappings, uint32_t count)
{
	w->target.mappings = put(w, mappings, count * sizeof(*mappings));
	w->target.mapping_count = count;
}

/* Rule i holds in [TEXT + 0x100 * i, + 0x100); behind it in JIT there is code without a table. */
static struct world *make_world(const struct unwind_rule *rules, uint32_t rule_count)
{
	struct world *w = calloc(1, sizeof(*w));
	struct unwind_row rows[16];
	assert_non_null(w);
	w->memory = calloc(CHUNKS, UNWIND_CHUNK_BYTES);
	assert_non_null(w->memory);
	assert_int_equal(unwind_space_create(w->memory, CHUNKS, &w->space, NULL), 0);
	w->next = 2;
	for (uint32_t i = 0; i < rule_count; i++)
		rows[i] = (struct unwind_row){(uint16_t)(0x100 * i), (uint16_t)i};
	const struct unwind_mapping mappings[] = {
		{TEXT, TEXT + TEXT_BYTES, TEXT, put_table(w, rows, rule_count, rules, rule_count),
		 UNWIND_BY_TABLE},
		{JIT, JIT + JIT_BYTES, 0, 0, UNWIND_BY_FRAME_POINTER},
	};
	use_mappings(w, mappings, 2);
	w->target.space = w->space;
	w->target.machine = EM_X86_64;
	w->target.stack = w->stack;
	w->target.stack_start = STACK;
	w->target.stack_len = sizeof(w->stack);
	w->target.read_code = read_code;
	w->target.ctx = w;
	w->state = (struct unwind_state){.pc = TEXT + 0x10, .sp = STACK, .exact = true};
	return w;
}

static void free_world(struct world *w)
{
	unwind_space_destroy(w->space);
	free(w->memory);
	free(w);
}

static enum unwind_end walk(struct world *w)
{
	return unwind_walk(&w->target, &w->state, w->frames, FRAMES_MAX, &w->count);
}

/* A return address into the function of that rule. */
static uint64_t in_rule(uint32_t rule)
{
	return TEXT + 0x100 * rule + 0x20;
}

static const struct unwind_rule by_sp_24 = {.cfa = UNWIND_CFA_SP,
					    .cfa_offset = 24,
					    .ra_offset = -8};
static const struct unwind_rule by_fp = {.cfa = UNWIND_CFA_FP,
					 .cfa_offset = 16,
					 .fp = UNWIND_FP_AT_CFA,
					 .fp_offset = -16,
					 .ra_offset = -8};
static const struct unwind_rule at_end = {.cfa = UNWIND_CFA_END};

/* ---- x86-64 rules ---- */

static void frames_are_left_by_stack_and_frame_pointer_until_the_root(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, by_fp, at_end};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->state.fp = STACK + 80;
	w->stack[2] = in_rule(1); /* sp 0, CFA 24 */
	w->stack[10] = 0xabc0;	  /* the caller's frame pointer */
	w->stack[11] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], in_rule(2));
	assert_int_equal(w->state.pc, in_rule(2));
	assert_int_equal(w->state.sp, STACK + 96);
	assert_int_equal(w->state.fp, 0xabc0);
	assert_false(w->state.exact);
	free_world(w);
}

/* The call is the last instruction of its function: the address behind it is the next one's. */
static void a_return_address_belongs_to_the_call_before_it(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end, {.cfa = UNWIND_CFA_UNKNOWN}};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->stack[2] = TEXT + 0x200;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	w->state = (struct unwind_state){.pc = TEXT + 0x200, .sp = STACK, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_RULE);
	free_world(w);
}

static void a_cfa_may_be_read_from_the_stack(void **state)
{
	const struct unwind_rule rules[] = {
		{.cfa = UNWIND_CFA_SP_DEREF, .cfa_offset = 8, .cfa_add = 16, .ra_offset = -8},
		{.cfa = UNWIND_CFA_FP_DEREF,
		 .cfa_offset = -8,
		 .fp = UNWIND_FP_AT_FP,
		 .fp_offset = 0,
		 .ra_offset = -8},
		at_end,
	};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->stack[1] = STACK + 64; /* CFA: + 80 */
	w->stack[9] = in_rule(1);
	w->state.fp = STACK + 160; /* -8: + 152 */
	w->stack[19] = STACK + 240;
	w->stack[20] = 0x1230;
	w->stack[29] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->state.fp, 0x1230);
	assert_int_equal(w->state.sp, STACK + 240);
	free_world(w);
}

static void a_plt_has_two_halves(void **state)
{
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_PLT,
					     .cfa_offset = 11,
					     .ra_offset = -8},
					    at_end};
	(void)state;
	for (uint32_t at = 0; at < 16; at++) {
		struct world *w = make_world(rules, 2);
		w->state.pc = TEXT + 0x30 + at;
		w->stack[at >= 11] = in_rule(1);
		assert_int_equal(walk(w), UNWIND_END_ROOT);
		assert_int_equal(w->count, 1);
		free_world(w);
	}
}

static void a_frame_pointer_that_is_lost_is_not_used(void **state)
{
	struct unwind_rule lost = by_sp_24;
	lost.fp = UNWIND_FP_LOST;
	const struct unwind_rule rules[] = {lost, by_fp, at_end};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->state.fp = STACK + 80;
	w->stack[2] = in_rule(1);
	w->stack[11] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_RULE);
	assert_int_equal(w->count, 1);
	assert_true(w->state.no_fp);
	assert_int_equal(walk(w), UNWIND_END_RULE); /* and the state carries it */
	free_world(w);
}

static void a_rule_by_another_register_needs_registers(void **state)
{
	const struct unwind_rule rules[] =
		{{.cfa = UNWIND_CFA_REGISTER, .reg = 10, .ra_offset = -8},
		 {.cfa = UNWIND_CFA_SP, .ra = UNWIND_RA_REGISTER, .reg = 5}};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *w = make_world(&rules[i], 1);
		assert_int_equal(walk(w), UNWIND_END_RULE);
		free_world(w);
	}
}

/* The dynamic linker's frame while it binds a function. */
static void a_caller_that_counts_from_rbx_is_found_by_what_its_callee_saved(void **state)
{
	const struct unwind_rule rules[] =
		{by_sp_24,
		 {.cfa = UNWIND_CFA_REGISTER, .reg = 3, .cfa_offset = 32, .ra_offset = -8},
		 at_end};
	static const uint8_t call[] = {0xff, 0xd0};
	(void)state;
	for (uint32_t saved = 0; saved < 12; saved++) {
		struct world *w = make_world(rules, 3);
		w->code_at = in_rule(2) - 8;
		memcpy(w->code + 6, call, sizeof(call));
		w->state.sp = STACK + 160;
		w->stack[22] = in_rule(1);
		w->stack[21 - saved] = STACK + 8 * 100; /* %rbx as it was */
		w->stack[103] = in_rule(2);
		assert_int_equal(walk(w), saved < 7 ? UNWIND_END_ROOT : UNWIND_END_RULE);
		assert_int_equal(w->count, saved < 7 ? 2 : 1);
		free_world(w);
	}
}

/* ---- signals ---- */

static const struct unwind_rule x86_signal = {.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 40};

static void put_x86_signal(struct world *w, uint32_t sp_word, uint64_t pc, uint64_t sp, uint64_t fp)
{
	w->stack[sp_word + 5 + 10] = fp;
	w->stack[sp_word + 5 + 15] = sp;
	w->stack[sp_word + 5 + 16] = pc;
}

/* The handler runs above the stack that it interrupted. */
static void behind_a_signal_is_a_point_of_execution_on_any_stack(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, x86_signal, by_fp, at_end};
	struct world *w = make_world(rules, 4);
	(void)state;
	w->state.sp = STACK + 8 * 100;
	w->stack[102] = in_rule(1);
	put_x86_signal(w, 103, TEXT + 0x200, STACK + 8, STACK + 80);
	w->stack[10] = 0;
	w->stack[11] = in_rule(3);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 3);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], (TEXT + 0x200) | UNWIND_FRAME_EXACT);
	assert_int_equal(w->frames[2], in_rule(3));
	free_world(w);
}

static void signals_in_a_circle_end(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, x86_signal, by_fp, at_end};
	struct world *w = make_world(rules, 4);
	(void)state;
	w->stack[2] = in_rule(1);
	put_x86_signal(w, 3, TEXT + 0x10, STACK, 0);
	assert_int_equal(walk(w), UNWIND_END_NO_PROGRESS);
	assert_in_range(w->count, 2, 20);
	free_world(w);
}

/* musl and Go return from a handler through code without any table. */
static void a_signal_return_without_a_table_is_known_by_its_code(void **state)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const struct unwind_rule rules[] = {by_sp_24, {.cfa = UNWIND_CFA_NONE}, at_end};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->code_at = TEXT + 0x120;
	memcpy(w->code, code, sizeof(code));
	w->stack[2] = TEXT + 0x120;
	put_x86_signal(w, 3, in_rule(2), STACK + 8 * 200, 0);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[1], in_rule(2) | UNWIND_FRAME_EXACT);
	free_world(w);
}

/* ---- without a table ---- */

struct shape {
	const char *what;
	uint8_t before, code[8];
	uint32_t ra_word; /* from sp; 0xff: the frame pointer's */
};

static void check_shape(const struct shape *shape)
{
	const struct unwind_rule rules[] = {at_end};
	struct world *w = make_world(rules, 1);
	w->state.pc = JIT + 0x11;
	w->state.fp = STACK + 80;
	w->code_at = JIT + 0x10;
	w->code[0] = shape->before;
	memcpy(w->code + 1, shape->code, sizeof(shape->code));
	w->stack[10] = 0; /* the frame pointer's own frame */
	w->stack[11] = JIT + 0x200;
	if (shape->ra_word == 0xff) {
		assert_int_equal(walk(w), UNWIND_END_ROOT);
		assert_int_equal(w->count, 1);
		assert_int_equal(w->frames[0], JIT + 0x200);
	} else {
		w->stack[0] = shape->ra_word ? STACK + 80 : 0;
		w->stack[shape->ra_word] = JIT + 0x100;
		if (walk(w) != UNWIND_END_ROOT || w->count != 2 || w->frames[0] != JIT + 0x100)
			fail_msg("%s: %zu frames, the first 0x%lx", shape->what, w->count,
				 (unsigned long)w->frames[0]);
		assert_int_equal(w->frames[1], JIT + 0x200);
	}
	free_world(w);
}

static void a_frame_pointer_is_not_used_before_it_is_set_nor_after_it_is_restored(void **state)
{
	static const struct shape shapes[] = {
		{"push %rbp", 0x90, {0x55, 0x48, 0x89, 0xe5}, 0},
		{"endbr64", 0x90, {0xf3, 0x0f, 0x1e, 0xfa, 0x55}, 0},
		{"mov %rsp,%rbp", 0x55, {0x48, 0x89, 0xe5, 0x90}, 1},
		{"mov %rsp,%rbp, the other encoding", 0x55, {0x48, 0x8b, 0xec, 0x90}, 1},
		{"mov %rsp,%rbp, but not after a push", 0x90, {0x48, 0x89, 0xe5, 0x90}, 0xff},
		{"ret", 0x5d, {0xc3}, 0},
		{"ret n", 0x5d, {0xc2, 8, 0}, 0},
		{"rep ret", 0x5d, {0xf3, 0xc3}, 0},
		{"jmp *x(%rip)", 0x90, {0xff, 0x25, 1, 2, 3, 4}, 0},
		{"bnd jmp *x(%rip)", 0x90, {0xf2, 0xff, 0x25, 1, 2, 3, 4}, 0},
		{"Go's stack check", 0x90, {0x49, 0x3b, 0x66, 0x10, 0x76}, 0},
		{"leave", 0x90, {0xc9, 0xc3}, 0xff},
		{"pop %rbp", 0x90, {0x5d, 0xc3}, 0xff},
		{"anything else", 0x90, {0x90, 0x90}, 0xff},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		check_shape(&shapes[i]);
}

/* JIT + 0x20 is called from JIT + 0x8 and executes at JIT + 0x28; JIT + 0x18 calls *%rax. */
static struct world *make_called_world(void)
{
	static const uint8_t call[] = {0xe8, 0x13, 0, 0, 0}, indirect[] = {0xff, 0xd0};
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	w->code_at = JIT;
	memcpy(w->code + 0x8, call, sizeof(call));
	memcpy(w->code + 0x18, indirect, sizeof(indirect));
	w->state =
		(struct unwind_state){.pc = JIT + 0x28, .sp = STACK, .fp = 0x1230, .exact = true};
	return w;
}

static void a_leaf_without_a_frame_is_known_by_the_call_of_it(void **state)
{
	(void)state;
	for (uint32_t pushed = 0; pushed < 18; pushed++) {
		struct world *w = make_called_world();
		w->stack[pushed] = JIT + 0xd;
		enum unwind_end end = walk(w);
		if (pushed < 16) {
			assert_true(w->count >= 1);
			assert_int_equal(w->frames[0], JIT + 0xd);
			assert_int_equal(w->state.sp, STACK + 8 * pushed + 8);
			assert_int_equal(w->state.no_fp, pushed > 0);
		} else {
			assert_int_equal(w->count, 0);
		}
		assert_int_equal(end, UNWIND_END_NO_ROW); /* the caller's own frame is no better */
		free_world(w);
	}
}

static void the_call_of_another_function_counts_where_nothing_else_does(void **state)
{
	struct world *w = make_called_world();
	(void)state;
	w->stack[0] = JIT + 0x1a; /* behind *%rax */
	(void)walk(w);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->frames[0], JIT + 0x1a);
	free_world(w);
	/* Not deeper, */
	w = make_called_world();
	w->stack[1] = JIT + 0x1a;
	(void)walk(w);
	assert_int_equal(w->count, 0);
	free_world(w);
	/* not where there is no call, */
	w = make_called_world();
	w->stack[0] = JIT + 0x1b;
	(void)walk(w);
	assert_int_equal(w->count, 0);
	free_world(w);
	/* and not when the frame pointer leads to code. */
	w = make_called_world();
	w->stack[0] = JIT + 0x1a;
	w->stack[1] = JIT + 0xd;
	w->state.fp = STACK + 80;
	w->stack[11] = in_rule(1);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->frames[0], in_rule(1));
	free_world(w);
}

static void frame_pointers_lead_into_functions_with_tables(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, by_fp, at_end};
	struct world *w = make_world(rules, 3);
	(void)state;
	w->state.pc = JIT + 1;
	w->state.fp = STACK + 80;
	w->stack[10] = STACK + 320;
	w->stack[11] = in_rule(0); /* sp: + 96 */
	w->stack[14] = in_rule(1);
	w->stack[41] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 3);
	free_world(w);
}

static void a_chain_of_frame_pointers_ends_at_zero(void **state)
{
	const struct unwind_rule rules[] = {at_end};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = JIT + 5, .sp = STACK, .fp = STACK + 80};
	w->stack[10] = 0;
	w->stack[11] = JIT + 9;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 1);
	w->state = (struct unwind_state){.pc = JIT + 5, .sp = STACK, .fp = STACK + 80};
	w->stack[11] = 0;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 0);
	free_world(w);
}

static void between_functions_a_frame_pointer_that_leads_nowhere_is_no_row(void **state)
{
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_NONE}};
	const uint64_t wrong[] = {STACK - 8, STACK + 3, 1ULL << 40, STACK + (2ULL << 30)};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct world *w = make_world(rules, 1);
		w->state.fp = wrong[i];
		assert_int_equal(walk(w), UNWIND_END_NO_ROW);
		assert_int_equal(w->count, 0);
		free_world(w);
	}
}

/* Go's systemstack: from a thread's stack down to a goroutine's, and only code without tables may. */
static void a_frame_pointer_may_lead_to_another_stack(void **state)
{
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_NONE}};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = JIT + 5, .sp = STACK + 800, .fp = STACK + 80};
	w->stack[10] = 0;
	w->stack[11] = JIT + 9;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 1);
	w->state = (struct unwind_state){.pc = TEXT + 5, .sp = STACK + 800, .fp = STACK + 80};
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	free_world(w);
}

static void frame_pointers_in_a_circle_end(void **state)
{
	const struct unwind_rule rules[] = {at_end};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = JIT + 5, .sp = STACK, .fp = STACK + 80};
	w->stack[10] = STACK + 160;
	w->stack[11] = JIT + 9;
	w->stack[20] = STACK + 80;
	w->stack[21] = JIT + 19;
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	assert_in_range(w->count, 2, 40);
	free_world(w);
}

/* ---- ends ---- */

static void an_address_outside_of_all_mappings_is_left_to_the_caller(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->stack[2] = 0x123456;
	assert_int_equal(walk(w), UNWIND_END_NO_MAPPING);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->state.pc, 0x123456);
	assert_int_equal(w->state.sp, STACK + 24);
	w->target.mapping_count = 0;
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_MAPPING);
	assert_int_equal(w->count, 0);
	free_world(w);
}

static void a_walk_goes_on_when_the_table_is_there(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	const uint32_t place = w->target.mappings;
	struct unwind_mapping *mapping = (void *)(w->memory + (size_t)place * UNWIND_UNIT_BYTES);
	(void)state;
	w->stack[2] = in_rule(1);
	mapping->kind = UNWIND_NOT_READY;
	assert_int_equal(walk(w), UNWIND_END_NOT_READY);
	assert_int_equal(w->count, 0);
	assert_int_equal(w->state.pc, TEXT + 0x10);
	assert_true(w->state.exact);
	mapping->kind = UNWIND_BY_TABLE;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 1);
	free_world(w);
}

static void a_walk_goes_on_when_there_is_room(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	size_t count;
	(void)state;
	w->stack[2] = w->stack[5] = in_rule(0);
	w->stack[8] = in_rule(1);
	assert_int_equal(unwind_walk(&w->target, &w->state, w->frames, 2, &count),
			 UNWIND_END_TRUNCATED);
	assert_int_equal(count, 2);
	assert_int_equal(unwind_walk(&w->target, &w->state, w->frames, 1, &count), UNWIND_END_ROOT);
	assert_int_equal(count, 1);
	assert_int_equal(w->frames[0], in_rule(1));
	free_world(w);
}

static void a_stack_is_read_where_it_was_copied_and_nowhere_else(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	(void)state;
	w->stack[2] = in_rule(1);
	for (w->target.stack_len = 0; w->target.stack_len < 24; w->target.stack_len++)
		assert_int_equal(walk(w), UNWIND_END_CUT);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK - 64, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_UNREADABLE);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK + 4, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_UNREADABLE);
	w->state = (struct unwind_state){.pc = TEXT, .sp = UINT64_MAX - 23, .exact = true};
	assert_true(walk(w) != UNWIND_END_ROOT);
	free_world(w);
}

static void a_caller_below_its_callee_is_none(void **state)
{
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_SP, .cfa_offset = 0, .ra_offset = 8},
					    by_fp};
	struct world *w = make_world(rules, 2);
	(void)state;
	w->stack[1] = in_rule(0);
	assert_int_equal(walk(w), UNWIND_END_NO_PROGRESS);
	w->state = (struct unwind_state){.pc = in_rule(1), .sp = STACK + 80, .fp = STACK};
	assert_int_equal(walk(w), UNWIND_END_NO_PROGRESS);
	free_world(w);
}

/* ---- searches ---- */

static void every_mapping_is_found_and_no_hole(void **state)
{
	enum { MAPPINGS_MAX = 70 };
	struct unwind_mapping mappings[MAPPINGS_MAX];
	const struct unwind_rule rules[] = {at_end};
	(void)state;
	for (uint32_t count = 1; count <= MAPPINGS_MAX; count++) {
		struct world *w = make_world(rules, 1);
		for (uint32_t i = 0; i < count; i++)
			mappings[i] =
				(struct unwind_mapping){0x1000 * (2 * i + 1), 0x1000 * (2 * i + 2),
							0, 0, UNWIND_BY_FRAME_POINTER};
		use_mappings(w, mappings, count);
		for (uint64_t page = 0; page < 2 * count + 2; page++) {
			for (uint64_t at = 0; at < 0x1000; at += 0xfff) {
				bool inside = page % 2 == 1 && page < 2 * count;
				w->state = (struct unwind_state){.pc = 0x1000 * page + at,
								 .sp = STACK,
								 .exact = true};
				assert_int_equal(walk(w),
						 inside ? UNWIND_END_ROOT : UNWIND_END_NO_MAPPING);
			}
		}
		free_world(w);
	}
}

static void every_row_is_found(void **state)
{
	enum { ROWS_MAX = 130 };
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_UNKNOWN}, at_end};
	struct unwind_row rows[ROWS_MAX];
	(void)state;
	for (uint32_t count = 1; count <= ROWS_MAX; count++) {
		struct world *w = make_world(rules, 2);
		for (uint32_t i = 0; i < count; i++)
			rows[i] = (struct unwind_row){(uint16_t)(4 * i), i % 2};
		const struct unwind_mapping mapping = {TEXT, TEXT + 0x10000, TEXT,
						       put_table(w, rows, count, rules, 2),
						       UNWIND_BY_TABLE};
		use_mappings(w, &mapping, 1);
		for (uint64_t at = 0; at < 4 * count + 4; at++) {
			uint64_t row = at / 4 < count ? at / 4 : count - 1;
			w->state =
				(struct unwind_state){.pc = TEXT + at, .sp = STACK, .exact = true};
			assert_int_equal(walk(w), row % 2 ? UNWIND_END_ROOT : UNWIND_END_RULE);
		}
		free_world(w);
	}
}

static void outside_of_the_pages_and_rules_of_a_table_is_no_row(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24};
	const struct unwind_row bad[] = {{0, 1}};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = TEXT + 0x10000, .sp = STACK, .fp = 1, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	const struct unwind_mapping mapping = {TEXT, TEXT + 0x10000, TEXT,
					       put_table(w, bad, 1, rules, 1), UNWIND_BY_TABLE};
	use_mappings(w, &mapping, 1);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK, .fp = 1, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	free_world(w);
}

/* ---- arm64 ---- */

static const struct unwind_rule arm64_leaf = {.cfa = UNWIND_CFA_SP,
					      .cfa_offset = 0,
					      .ra = UNWIND_RA_REGISTER};
static const struct unwind_rule arm64_pair = {.cfa = UNWIND_CFA_SP,
					      .cfa_offset = 32,
					      .fp = UNWIND_FP_AT_CFA,
					      .fp_offset = -32,
					      .ra_offset = -24};

static struct world *make_arm64_world(const struct unwind_rule *rules, uint32_t rule_count)
{
	struct world *w = make_world(rules, rule_count);
	w->target.machine = EM_AARCH64;
	return w;
}

static void arm64_leaves_have_their_caller_in_the_link_register(void **state)
{
	const struct unwind_rule rules[] = {arm64_leaf, arm64_pair, at_end};
	struct world *w = make_arm64_world(rules, 3);
	(void)state;
	w->state.lr = in_rule(1);
	w->stack[0] = 0x5550;
	w->stack[1] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], in_rule(2));
	assert_int_equal(w->state.fp, 0x5550);
	/* A caller that says the same has lost it: its callee's call overwrote the register. */
	w->state = (struct unwind_state){.pc = in_rule(0), .sp = STACK, .lr = in_rule(1)};
	assert_int_equal(walk(w), UNWIND_END_RULE);
	free_world(w);
}

static void arm64_return_addresses_lose_their_signature(void **state)
{
	const struct unwind_rule rules[] = {arm64_leaf, arm64_pair, at_end};
	struct world *w = make_arm64_world(rules, 3);
	(void)state;
	w->state.lr = in_rule(1) | 0x5a5aULL << 48;
	w->stack[1] = in_rule(2) | 0x0023ULL << 48;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], in_rule(2));
	/* 39 bits of address: the signature begins earlier. */
	w->target.pac_mask = ~((1ULL << 39) - 1);
	w->state = (struct unwind_state){.pc = in_rule(0), .sp = STACK, .exact = true};
	w->state.lr = in_rule(1) | 1ULL << 40;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->frames[0], in_rule(1));
	free_world(w);
}

static void arm64_signal_frames_restore_the_link_register(void **state)
{
	const struct unwind_rule rules[] = {arm64_pair,
					    {.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 304},
					    arm64_leaf,
					    at_end};
	struct world *w = make_arm64_world(rules, 4);
	const uint32_t context = 50 + 4 + 304 / 8;
	(void)state;
	w->state.sp = STACK + 8 * 50;
	w->stack[51] = in_rule(1);
	w->stack[context + 30] = 0x7770;       /* x29 */
	w->stack[context + 31] = in_rule(3);   /* x30 */
	w->stack[context + 32] = STACK + 16;   /* sp: below */
	w->stack[context + 33] = TEXT + 0x200; /* pc */
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 3);
	assert_int_equal(w->frames[1], (TEXT + 0x200) | UNWIND_FRAME_EXACT);
	assert_int_equal(w->frames[2], in_rule(3));
	assert_int_equal(w->state.fp, 0x7770);
	assert_int_equal(w->state.sp, STACK + 16);
	free_world(w);
}

static void arm64_code_without_a_table_is_left_by_its_frame_records(void **state)
{
	static const uint8_t stp[] = {0xfd, 0x7b, 0xbe, 0xa9}; /* stp x29, x30, [sp, #-32]! */
	const struct unwind_rule rules[] = {at_end};
	struct world *w = make_arm64_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = JIT + 4,
					 .sp = STACK,
					 .fp = STACK + 80,
					 .lr = JIT + 0x100,
					 .exact = true};
	w->code_at = JIT + 4;
	memcpy(w->code, stp, sizeof(stp));
	w->stack[11] = JIT + 0x200;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[0], JIT + 0x100);
	assert_int_equal(w->frames[1], JIT + 0x200);
	free_world(w);
}

/* ---- numbers that lie ---- */

static uint64_t random_u64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Small numbers and addresses of this world are what leads somewhere. */
static uint64_t likely(uint64_t *seed)
{
	const uint64_t r = random_u64(seed), small = (r >> 8) & 0xffff;
	switch (r % 6) {
	case 0:
		return small;
	case 1:
		return STACK + (small & 0xff8);
	case 2:
		return TEXT + small;
	case 3:
		return JIT + small;
	case 4:
		return (small & 0xf) << 32 | (small >> 4);
	default:
		return random_u64(seed);
	}
}

/* Memory is exactly as large as it is, so that the sanitizer sees a read beyond. */
static void torn_tables_and_stacks_never_lead_outside(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24,
					    by_fp,
					    x86_signal,
					    {.cfa = UNWIND_CFA_NONE},
					    at_end};
	uint64_t seed = 88172645463325252;
	uint32_t ends[UNWIND_ENDS] = {0};
	struct world *w = make_world(rules, 5);
	const uint32_t used = w->next * UNWIND_UNIT_BYTES;
	(void)state;
	for (uint32_t round = 0; round < 30000; round++) {
		for (uint32_t i = 0; i < STACK_WORDS; i++)
			w->stack[i] = likely(&seed);
		for (uint32_t i = 0; i < round % 4; i++) {
			uint64_t value = likely(&seed);
			memcpy(w->memory + random_u64(&seed) % (used / 8) * 8, &value, 8);
		}
		w->target.machine = round % 3 ? EM_X86_64 : EM_AARCH64;
		w->target.stack_len = random_u64(&seed) % sizeof(w->stack);
		w->state = (struct unwind_state){.pc = likely(&seed),
						 .sp = likely(&seed),
						 .fp = likely(&seed),
						 .lr = likely(&seed),
						 .exact = round & 1};
		enum unwind_end end = walk(w);
		assert_true(end < UNWIND_ENDS && w->count <= FRAMES_MAX);
		ends[end]++;
		if (round % 64 == 63) {
			free_world(w);
			w = make_world(rules, 5);
		}
	}
	free_world(w);
	assert_true(ends[UNWIND_END_ROOT] > 0 && ends[UNWIND_END_NO_MAPPING] > 0);
	assert_true(ends[UNWIND_END_NO_PROGRESS] > 0 && ends[UNWIND_END_CUT] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_left_by_stack_and_frame_pointer_until_the_root),
		cmocka_unit_test(a_return_address_belongs_to_the_call_before_it),
		cmocka_unit_test(a_cfa_may_be_read_from_the_stack),
		cmocka_unit_test(a_plt_has_two_halves),
		cmocka_unit_test(a_frame_pointer_that_is_lost_is_not_used),
		cmocka_unit_test(a_rule_by_another_register_needs_registers),
		cmocka_unit_test(a_caller_that_counts_from_rbx_is_found_by_what_its_callee_saved),
		cmocka_unit_test(behind_a_signal_is_a_point_of_execution_on_any_stack),
		cmocka_unit_test(signals_in_a_circle_end),
		cmocka_unit_test(a_signal_return_without_a_table_is_known_by_its_code),
		cmocka_unit_test(
			a_frame_pointer_is_not_used_before_it_is_set_nor_after_it_is_restored),
		cmocka_unit_test(a_leaf_without_a_frame_is_known_by_the_call_of_it),
		cmocka_unit_test(the_call_of_another_function_counts_where_nothing_else_does),
		cmocka_unit_test(frame_pointers_lead_into_functions_with_tables),
		cmocka_unit_test(a_chain_of_frame_pointers_ends_at_zero),
		cmocka_unit_test(between_functions_a_frame_pointer_that_leads_nowhere_is_no_row),
		cmocka_unit_test(a_frame_pointer_may_lead_to_another_stack),
		cmocka_unit_test(frame_pointers_in_a_circle_end),
		cmocka_unit_test(an_address_outside_of_all_mappings_is_left_to_the_caller),
		cmocka_unit_test(a_walk_goes_on_when_the_table_is_there),
		cmocka_unit_test(a_walk_goes_on_when_there_is_room),
		cmocka_unit_test(a_stack_is_read_where_it_was_copied_and_nowhere_else),
		cmocka_unit_test(a_caller_below_its_callee_is_none),
		cmocka_unit_test(every_mapping_is_found_and_no_hole),
		cmocka_unit_test(every_row_is_found),
		cmocka_unit_test(outside_of_the_pages_and_rules_of_a_table_is_no_row),
		cmocka_unit_test(arm64_leaves_have_their_caller_in_the_link_register),
		cmocka_unit_test(arm64_return_addresses_lose_their_signature),
		cmocka_unit_test(arm64_signal_frames_restore_the_link_register),
		cmocka_unit_test(arm64_code_without_a_table_is_left_by_its_frame_records),
		cmocka_unit_test(torn_tables_and_stacks_never_lead_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
