/* Walks over stacks and tables made by hand: every rule, signals, code without a table.
 * How walks end and what they search is in walk_ends_test.c; what compilers and kernels
 * really leave, in walk_live_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "walk_world.h"

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

/* ---- on the way to a handler ---- */

static const struct unwind_rule before_handler = {.cfa = UNWIND_CFA_SP,
						  .cfa_offset = 24,
						  .ra = UNWIND_RA_HANDLER,
						  .ra_offset = -8};

/* Rule 1's is the function with the handler; its return address is 13 words above where its callee's is, or
 * would be. */
static struct world *make_handler_world(uint32_t copied_from)
{
	const struct unwind_rule rules[] = {before_handler,
					    {.cfa = UNWIND_CFA_SP,
					     .cfa_offset = 104,
					     .ra_offset = -8},
					    at_end};
	struct world *w = make_world(rules, 3);
	w->stack[2] = in_rule(1);
	w->stack[copied_from] = in_rule(1);
	w->stack[copied_from + 13] = in_rule(2);
	return w;
}

static void a_copied_return_address_is_that_of_the_frame_that_it_is_from(void **state)
{
	static const uint32_t above[] = {3, 4, 18, 19, 250, 498};
	(void)state;
	for (size_t i = 0; i < sizeof(above) / sizeof(*above); i++) {
		struct world *w = make_handler_world(above[i]);
		assert_int_equal(walk(w), UNWIND_END_ROOT);
		assert_int_equal(w->count, 2);
		assert_int_equal(w->frames[0], in_rule(1));
		assert_int_equal(w->frames[1], in_rule(2));
		assert_int_equal(w->state.sp, STACK + 8 * (above[i] + 14));
		free_world(w);
	}
}

static void a_return_address_that_is_nowhere_above_is_not_copied(void **state)
{
	struct world *w = make_handler_world(2);
	(void)state;
	w->stack[1] = w->stack[0] = in_rule(1); /* below */
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->state.sp, STACK + 8 * 16);
	free_world(w);
}

/* Each of these frames says that it is one: the third is left by its rule. */
static void a_walk_looks_for_copied_addresses_twice(void **state)
{
	const struct unwind_rule rules[] = {before_handler, at_end};
	struct world *w = make_world(rules, 2);
	(void)state;
	for (uint32_t i = 2; i <= 20; i += 3)
		w->stack[i] = in_rule(0);
	w->stack[17] = in_rule(1);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 4);
	assert_int_equal(w->state.sp, STACK + 8 * 18);
	free_world(w);
}

/* In front of in_rule(1), which is TEXT + 0x120, and of a stub at TEXT + 0x130. The word at TEXT + 0x150 is the
 * address of the function that executes, at TEXT + 0x10. */
struct own_call {
	const char *what;
	uint8_t call[8], stub[16];
	bool own;
};

static const struct own_call own_calls[] = {
	{"call", {0x90, 0x90, 0x90, 0xe8, 0xe8, 0xfe, 0xff, 0xff}, {0}, true},
	{"call of what is behind", {0x90, 0x90, 0x90, 0xe8, 0xf8, 0xfe, 0xff, 0xff}, {0}, false},
	{"call *x(%rip)", {0x90, 0x90, 0xff, 0x15, 0x30, 0, 0, 0}, {0}, true},
	{"call *x(%rip), another", {0x90, 0x90, 0xff, 0x15, 0x28, 0, 0, 0}, {0}, false},
	{"call *%rax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0}, {0}, false},
	{"PLT",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0xff, 0x25, 0x1a, 0, 0, 0, 0x68, 1, 0, 0, 0},
	 true},
	{"PLT of another",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0xff, 0x25, 0x12, 0, 0, 0, 0x68, 1, 0, 0, 0},
	 false},
	{"PLT with bnd",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0xf2, 0xff, 0x25, 0x19, 0, 0, 0},
	 true},
	{"PLT with endbr64",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0x16, 0, 0, 0},
	 true},
	{"PLT with both",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0x15, 0, 0, 0},
	 true},
	{"no PLT",
	 {0x90, 0x90, 0x90, 0xe8, 0x10, 0, 0, 0},
	 {0x55, 0xff, 0x25, 0x19, 0, 0, 0},
	 false},
};

/* An old word further up may be the same. */
static void a_return_address_of_a_call_of_the_function_itself_is_not_copied(void **state)
{
	const uint64_t entry = TEXT + 8, other = TEXT + 0x118;
	(void)state;
	for (size_t i = 0; i < sizeof(own_calls) / sizeof(*own_calls); i++) {
		struct world *w = make_handler_world(2);
		w->stack[20] = in_rule(1);
		w->stack[33] = in_rule(2);
		w->code_at = in_rule(1) - 8;
		memcpy(w->code, own_calls[i].call, sizeof(own_calls[i].call));
		memcpy(w->code + 0x18, own_calls[i].stub, sizeof(own_calls[i].stub));
		memcpy(w->code + 0x30, &other, sizeof(other));
		memcpy(w->code + 0x38, &entry, sizeof(entry));
		assert_int_equal(walk(w), UNWIND_END_ROOT);
		const uint64_t sp = STACK + (own_calls[i].own ? 8 * 16U : 8 * 34U);
		if (w->state.sp != sp)
			fail_msg("%s: sp is at word %d", own_calls[i].what,
				 (int)((w->state.sp - STACK) / 8));
		free_world(w);
	}
}

/* ---- signals ---- */

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
		cmocka_unit_test(a_copied_return_address_is_that_of_the_frame_that_it_is_from),
		cmocka_unit_test(a_return_address_that_is_nowhere_above_is_not_copied),
		cmocka_unit_test(a_walk_looks_for_copied_addresses_twice),
		cmocka_unit_test(a_return_address_of_a_call_of_the_function_itself_is_not_copied),
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
