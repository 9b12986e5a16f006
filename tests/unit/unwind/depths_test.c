/* Functions that only their instructions describe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "unwind/depths.h"
#include "unwind/x86_code.h"

enum { START = 0x1000 };

struct bytes {
	const char *bytes;
	size_t len;
};

#define BYTES(text)                      \
	{                                \
		(text), sizeof(text) - 1 \
	}

/* ---- instructions ---- */

static void instructions_are_as_long_as_they_are(void **state)
{
	static const struct bytes all[] = {
		BYTES("\x55"),				   /* push %rbp */
		BYTES("\x41\x57"),			   /* push %r15 */
		BYTES("\x48\x83\xec\x18"),		   /* sub $24, %rsp */
		BYTES("\x48\x81\xec\x00\x10\x00\x00"),	   /* sub $4096, %rsp */
		BYTES("\x48\x8d\x64\x24\x08"),		   /* lea 8(%rsp), %rsp */
		BYTES("\x4c\x8d\x6c\xc2\x08"),		   /* lea 8(%rdx,%rax,8), %r13 */
		BYTES("\xc7\x44\x24\x08\x01\x00\x00\x00"), /* movl $1, 8(%rsp) */
		BYTES("\x66\xc7\x07\x01\x00"),		   /* movw $1, (%rdi) */
		BYTES("\x48\xb8\1\2\3\4\5\6\7\x08"),	   /* movabs */
		BYTES("\xf7\xc7\x01\x00\x00\x00"),	   /* test $1, %edi */
		BYTES("\xf7\xd7"),			   /* not %edi */
		BYTES("\xff\x15\x00\x10\x00\x00"),	   /* call *0x1000(%rip) */
		BYTES("\x0f\x84\x00\x01\x00\x00"),	   /* je */
		BYTES("\x0f\xb6\x04\x17"),		   /* movzbl (%rdi,%rdx), %eax */
		BYTES("\xf3\x0f\x1e\xfa"),		   /* endbr64 */
		BYTES("\x66\x2e\x0f\x1f\x84\x00\0\0\0\0"), /* cs nopw */
		BYTES("\xf2\x0f\x10\x05\x00\x10\x00\x00"), /* movsd 0x1000(%rip), %xmm0 */
		BYTES("\xc5\xf8\x77"),			   /* vzeroupper */
		BYTES("\xc4\xe3\x7d\x39\xc1\x01"),	   /* vextracti128 $1, %ymm0, %xmm1 */
		BYTES("\x66\x0f\x3a\x0f\xc1\x08"),	   /* palignr $8, %xmm1, %xmm0 */
		BYTES("\x64\x48\x8b\x04\x25\x28\0\0\0"),   /* mov %fs:40, %rax */
		BYTES("\xc2\x08\x00"),			   /* ret $8 */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const uint8_t *bytes = (const uint8_t *)all[i].bytes;
		if (x86_decode(bytes, all[i].len).len != all[i].len)
			fail_msg("instruction %zu: %u bytes, not %zu", i,
				 x86_decode(bytes, all[i].len).len, all[i].len);
		for (size_t len = 0; len < all[i].len; len++)
			assert_int_equal(x86_decode(bytes, len).kind, X86_BAD);
	}
}

static void instructions_that_move_the_stack_are_seen(void **state)
{
	static const struct {
		struct bytes code;
		enum x86_kind kind;
		int32_t value;
	} all[] = {
		{BYTES("\x48\x83\xec\x18"), X86_MOVE_SP, -24},
		{BYTES("\x48\x83\xc4\x18"), X86_MOVE_SP, 24},
		{BYTES("\x48\x8d\x64\x24\xf8"), X86_MOVE_SP, -8},
		{BYTES("\x48\x89\xe5"), X86_SET_FP, 0},
		{BYTES("\x48\x8d\x65\xd8"), X86_SP_IS_FP, -40},
		{BYTES("\x48\x89\xec"), X86_SP_IS_FP, 0},
		{BYTES("\x48\x83\xe4\xe0"), X86_LOSE_SP, 0}, /* and $-32, %rsp */
		{BYTES("\x48\x29\xc4"), X86_LOSE_SP, 0},     /* sub %rax, %rsp */
		{BYTES("\x48\x94"), X86_LOSE_SP, 0},	     /* xchg %rax, %rsp */
		{BYTES("\x5c"), X86_LOSE_SP, 0},	     /* pop %rsp */
		{BYTES("\x48\x39\xc4"), X86_PLAIN, 0},	     /* cmp %rax, %rsp */
		{BYTES("\x49\x89\xe4"), X86_PLAIN, 0},	     /* mov %rsp, %r12 */
		{BYTES("\x49\x83\xec\x08"), X86_PLAIN, 0},   /* sub $8, %r12 */
		{BYTES("\xff\x74\x24\x08"), X86_PUSH, 0},
		{BYTES("\xc9"), X86_LEAVE, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct x86_code code =
			x86_decode((const uint8_t *)all[i].code.bytes, all[i].code.len);
		if (code.kind != all[i].kind || code.value != all[i].value)
			fail_msg("instruction %zu: kind %d, value %d", i, code.kind, code.value);
	}
}

/* ---- functions ---- */

static struct unwind_rows *compile(struct bytes code)
{
	struct unwind_builder *builder;
	struct unwind_rows *rows = NULL;
	struct err err;
	assert_int_equal(unwind_builder_create(NULL, &builder, &err), 0);
	assert_int_equal(unwind_depths_compile((const uint8_t *)code.bytes, code.len, START,
					       builder, &err),
			 0);
	int rc = unwind_builder_finish(builder, &rows, &err);
	assert_true(rc == 0 || rc == ERR_NOT_FOUND);
	unwind_builder_destroy(builder);
	return rows;
}

static void expect(struct unwind_rows *rows, size_t at, enum unwind_cfa cfa, int32_t offset,
		   int16_t saved)
{
	struct unwind_rule rule = unwind_rows_find(rows, START + at);
	if (rule.cfa != cfa || rule.cfa_offset != offset || rule.fp_offset != saved)
		fail_msg("at %zu: CFA %d offset %d, frame pointer at %d", at, rule.cfa,
			 rule.cfa_offset, rule.fp_offset);
}

static void pushes_and_pops_are_counted(void **state)
{
	/* push %r12; push %rbp; sub $8, %rsp; call; add $8, %rsp; pop %rbp; pop %r12; ret */
	struct unwind_rows *rows =
		compile((struct bytes)BYTES("\x41\x54\x55\x48\x83\xec\x08\xe8\0\0\0\0"
					    "\x48\x83\xc4\x08\x5d\x41\x5c\xc3"));
	(void)state;
	expect(rows, 0, UNWIND_CFA_SP, 8, 0);
	expect(rows, 2, UNWIND_CFA_SP, 16, 0);
	expect(rows, 3, UNWIND_CFA_SP, 24, -24);
	expect(rows, 11, UNWIND_CFA_SP, 32, -24);
	expect(rows, 16, UNWIND_CFA_SP, 24, -24);
	expect(rows, 17, UNWIND_CFA_SP, 16, 0);
	expect(rows, 19, UNWIND_CFA_SP, 8, 0);
	unwind_rows_free(rows);
}

static void a_frame_pointer_holds_when_the_stack_grows_by_what_nobody_knows(void **state)
{
	/* push %rbp; mov %rsp, %rbp; sub %rax, %rsp; call; leave; ret */
	struct unwind_rows *rows =
		compile((struct bytes)BYTES("\x55\x48\x89\xe5\x48\x29\xc4\xe8\0\0\0\0\xc9\xc3"));
	(void)state;
	expect(rows, 1, UNWIND_CFA_SP, 16, -16);
	expect(rows, 4, UNWIND_CFA_FP, 16, -16);
	expect(rows, 11, UNWIND_CFA_FP, 16, -16);
	expect(rows, 13, UNWIND_CFA_SP, 8, 0);
	unwind_rows_free(rows);
}

static void behind_a_return_the_depth_is_that_of_the_branch_to_there(void **state)
{
	/* push %rbx; test %edi, %edi; je 1f; pop %rbx; ret; 1: call; pop %rbx; ret */
	struct unwind_rows *rows =
		compile((struct bytes)BYTES("\x53\x85\xff\x74\x02\x5b\xc3\xe8\0\0\0\0\x5b\xc3"));
	(void)state;
	expect(rows, 6, UNWIND_CFA_SP, 8, 0);
	expect(rows, 7, UNWIND_CFA_SP, 16, 0);
	expect(rows, 13, UNWIND_CFA_SP, 8, 0);
	unwind_rows_free(rows);
}

static void a_call_that_never_returns_ends_a_function(void **state)
{
	/* push %rbx; call; padding; push %rax; pop %rax; ret */
	struct unwind_rows *rows = compile(
		(struct bytes)BYTES("\x53\xe8\0\0\0\0\x66\x2e\x0f\x1f\x84\0\0\0\0\0\x50\x58\xc3"));
	(void)state;
	expect(rows, 5, UNWIND_CFA_SP, 16, 0);
	expect(rows, 16, UNWIND_CFA_SP, 8, 0);
	expect(rows, 17, UNWIND_CFA_SP, 16, 0);
	expect(rows, 18, UNWIND_CFA_SP, 8, 0);
	unwind_rows_free(rows);
}

/* Each with a good function behind it, which is all that is there. */
static void what_is_not_understood_has_no_rules(void **state)
{
	static const struct bytes bad[] = {
		BYTES("\x53\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x50\x58"
		      "\xc3"), /* returns without its pop */
		BYTES("\x53\x62\x5b\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x50\x58"
		      "\xc3"), /* EVEX */
		BYTES("\x53\x48\x29\xc4\x5b\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x50\x58"
		      "\xc3"), /* sub %rax, %rsp without a frame pointer */
		BYTES("\x58\x58\x50\x50\xc3\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x50\x58"
		      "\xc3"), /* pops what is not its own */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct unwind_rows *rows = compile(bad[i]);
		expect(rows, 0, UNWIND_CFA_NONE, 0, 0);
		expect(rows, 1, UNWIND_CFA_NONE, 0, 0);
		expect(rows, 16, UNWIND_CFA_SP, 8, 0);
		expect(rows, 17, UNWIND_CFA_SP, 16, 0);
		unwind_rows_free(rows);
	}
}

static void any_bytes_cut_anywhere_are_read_to_their_end(void **state)
{
	char bytes[300];
	uint64_t random = 88172645463325252;
	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = (char)(random >> 56);
		}
		unwind_rows_free(compile((struct bytes){bytes, (random >> 40) % sizeof(bytes)}));
	}
}

/* Each looked at as often as there are bytes before it, these would take an hour. */
static void a_megabyte_of_padding_is_read_once(void **state)
{
	const size_t len = 1 << 20;
	char *bytes = malloc(len);
	(void)state;
	assert_non_null(bytes);
	for (size_t calls = 0; calls < 2; calls++) {
		memset(bytes, 0x90, len); /* nop */
		bytes[0] = 0x53;	  /* push %rbx */
		for (size_t at = 1; calls && at + 5 < len; at += 8)
			memcpy(bytes + at, "\xe8\0\0\0\0", 5); /* call */
		unwind_rows_free(compile((struct bytes){bytes, len}));
	}
	free(bytes);
}

static void without_memory_it_says_so(void **state)
{
	static const uint8_t code[] = {0x53, 0x5b, 0xc3};
	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct unwind_builder *builder = NULL;
		struct unwind_rows *rows = NULL;
		struct err err = {0};
		mem_fail_nth(nth);
		int rc = unwind_builder_create(NULL, &builder, &err);
		if (rc == 0)
			rc = unwind_depths_compile(code, sizeof(code), START, builder, &err);
		if (rc == 0)
			rc = unwind_builder_finish(builder, &rows, &err);
		mem_fail_nth(0);
		unwind_builder_destroy(builder);
		unwind_rows_free(rows);
		if (rc == 0)
			return;
		assert_int_equal(rc, ERR_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_are_as_long_as_they_are),
		cmocka_unit_test(instructions_that_move_the_stack_are_seen),
		cmocka_unit_test(pushes_and_pops_are_counted),
		cmocka_unit_test(a_frame_pointer_holds_when_the_stack_grows_by_what_nobody_knows),
		cmocka_unit_test(behind_a_return_the_depth_is_that_of_the_branch_to_there),
		cmocka_unit_test(a_call_that_never_returns_ends_a_function),
		cmocka_unit_test(what_is_not_understood_has_no_rules),
		cmocka_unit_test(any_bytes_cut_anywhere_are_read_to_their_end),
		cmocka_unit_test(a_megabyte_of_padding_is_read_once),
		cmocka_unit_test(without_memory_it_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
