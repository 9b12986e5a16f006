/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * Leaving one frame: the algorithm, for the BPF program and for unwind_walk().
 *
 *	pc ─ mapping (the last one, or a search) ─ page ─ row (a search) ─ rule
 *	rule ─ CFA ─ the caller's fp, then its pc; its sp is the CFA
 *
 * Where no rule is known (no table, or a gap in it) the frame pointer makes one:
 * a few bytes of code tell whether the frame is set up at the point of execution.
 *
 * Whoever includes this defines before
 *
 *	struct unwind_memory		what can be read
 *	UNWIND_HIDE(x)			makes a value opaque, so that the mask behind it stays
 *	unwind_is_arm64(m)		constant where possible
 *	unwind_pac_mask(m)		the bits of a return address that are signature
 *	unwind_read(m, address, &word)	8 bytes of the stack; addresses are multiples of 8
 *	unwind_code(m, address, &word)	8 bytes of code
 *	unwind_chunk(m, place)		the chunk of the space that a place is in, or NULL
 *	unwind_find_mapping(w, m)	unwind_search_mapping(), inlined or not
 *	unwind_find_caller(w, m, i)	unwind_caller_at(), inlined or not
 *	unwind_find_handler(w, m)	unwind_handler_frame(), inlined or not
 *	unwind_find_copied(w, m)	unwind_copied_from(), inlined or not
 *
 * Nothing here is trusted, neither tables nor stacks: every read in the space is
 * inside of a chunk by its mask, whatever the numbers there say.
 *
 * Progress. A CFA lies above its frame's sp (at it only in an arm64 leaf). The
 * caller may be on another stack in two cases: it was interrupted by a signal,
 * or a frame pointer in code without tables leads there (Go's systemstack). Both
 * are free to go down, but only UNWIND_SWITCHES_MAX times in a walk. */
#pragma once

#include "unwind.h"

enum {
	UNWIND_MORE = UNWIND_ENDS, /* the walk goes on */
	UNWIND_SWITCHES_MAX = 8,
	UNWIND_STACK_SPAN = 1 << 30, /* a frame pointer further above sp is on another stack */
	UNWIND_REGISTERS = 16,	     /* x86-64, by DWARF number */
};

struct unwind_walker {
	/* The frame to leave. */
	__u64 pc, sp, fp, lr;
	__u8 exact;	   /* pc is a point of execution */
	__u8 no_fp;	   /* fp is not known */
	__u8 no_registers; /* registers[] is not known */
	__u8 guessed;	   /* rule comes from the frame pointer */
	__u32 switches;
	__u32 handler_searches;
	/* Of the process. */
	__u32 mappings, mapping_count;
	/* The mapping of the last frame, and the head of its table. */
	struct unwind_mapping mapping;
	__u64 table_vaddr;
	__u32 page_count, rule_count;
	__u64 at;		    /* the address to look up */
	__u64 caller_pc, caller_sp; /* unwind_handler_frame() */
	__u64 bounced;
	__u64 registers[UNWIND_REGISTERS]; /* where the thread was interrupted */
};

/* ---- the space ---- */

static inline __attribute__((always_inline)) __u32 unwind_offset(__u32 place)
{
	return place % UNWIND_CHUNK_UNITS * UNWIND_UNIT_BYTES;
}

static inline __attribute__((always_inline)) __u64 unwind_word(const void *chunk, __u64 offset)
{
	UNWIND_HIDE(offset);
	offset &= UNWIND_CHUNK_BYTES - sizeof(__u64);
	return *(const __u64 *)((const char *)chunk + offset);
}

static inline __attribute__((always_inline)) __u32 unwind_unit(const void *chunk, __u64 offset)
{
	UNWIND_HIDE(offset);
	offset &= UNWIND_CHUNK_BYTES - UNWIND_UNIT_BYTES;
	return *(const __u32 *)((const char *)chunk + offset);
}

/* The same number, of which the verifier knows nothing: it would follow every path of a search
 * whose outcome is part of an address. Only addresses wait for memory, the search itself does not. */
static inline __attribute__((always_inline)) __u64 unwind_bounce(struct unwind_walker *w,
								 __u64 number)
{
	volatile __u64 *memory = &w->bounced;
	*memory = number;
	return *memory;
}

/* ---- pc -> mapping ---- */

/* The counter of a search is hidden before its loop: else clang folds the first test away and enters the
 * loop in its middle, from where code falls through into its head. The verifiers of 5.10 and 6.1 take a loop only
 * when a jump closes it ("back-edge from insn ..."). */
enum { UNWIND_MAPPING_STEPS = 15, UNWIND_ROW_STEPS = UNWIND_PAGE_BITS };
_Static_assert(UNWIND_MAPPINGS_MAX <= 1 << UNWIND_MAPPING_STEPS, "the search ends too early");

/* Of w->mappings the last one that starts at or below w->at: its offset in the chunk. */
static inline __attribute__((always_inline)) __u64 unwind_last_mapping(struct unwind_walker *w,
								       const void *chunk)
{
	const __u64 base = unwind_offset(w->mappings);
	const __u64 at = w->at;
	__u64 row = base, count = w->mapping_count;
	for (int i = 0; i < UNWIND_MAPPING_STEPS && count > 1; i++) {
		const __u64 half = count / 2;
		const __u64 middle = row + half * sizeof(struct unwind_mapping);
		if (unwind_word(chunk, unwind_bounce(w, middle)) <= at)
			row = middle;
		count -= half;
	}
	return unwind_bounce(w, row);
}

/* Makes w->mapping the one that holds w->at, and reads its table's head. */
static inline __attribute__((always_inline)) __u32 unwind_search_mapping(struct unwind_walker *w,
									 struct unwind_memory *m)
{
	const void *chunk = unwind_chunk(m, w->mappings);
	if (!chunk || w->mapping_count == 0)
		return UNWIND_END_NO_MAPPING;
	const __u64 row = unwind_last_mapping(w, chunk);
	const __u64 start = unwind_word(chunk, row), end = unwind_word(chunk, row + 8);
	if (w->at < start || w->at >= end)
		return UNWIND_END_NO_MAPPING;
	const __u64 tail = unwind_word(chunk, row + 24);
	w->mapping.vaddr = unwind_word(chunk, row + 16);
	w->mapping.table = (__u32)tail;
	w->mapping.kind = (__u32)(tail >> 32);
	w->mapping.start = start;
	w->mapping.end = end;
	if (w->mapping.kind != UNWIND_BY_TABLE)
		return UNWIND_MORE;
	chunk = unwind_chunk(m, w->mapping.table);
	if (!chunk) {
		w->mapping.end = 0;
		return UNWIND_END_NOT_READY;
	}
	const __u64 head = unwind_offset(w->mapping.table);
	const __u64 counts = unwind_word(chunk, head + 8);
	w->table_vaddr = unwind_word(chunk, head);
	w->page_count = (__u32)counts;
	w->rule_count = (__u32)(counts >> 32);
	return UNWIND_MORE;
}

/* ---- mapping -> rule ---- */

union unwind_rule_words {
	struct unwind_rule rule;
	__u64 words[2];
};

/* Of a page's rows the last one that starts at or below vaddr. */
static inline __attribute__((always_inline)) __u32 unwind_find_row(struct unwind_walker *w,
								   const void *chunk, __u64 base,
								   __u64 count, __u32 vaddr_low)
{
	__u64 row = base;
	for (int i = 0; i < UNWIND_ROW_STEPS && count > 1; i++) {
		const __u64 half = count / 2;
		const __u64 middle = row + half * sizeof(struct unwind_row);
		if ((unwind_unit(chunk, unwind_bounce(w, middle)) & 0xffff) <= vaddr_low)
			row = middle;
		count -= half;
	}
	return unwind_unit(chunk, unwind_bounce(w, row));
}

/* False: the table says nothing about w->at. */
static inline __attribute__((always_inline)) bool unwind_table_rule(struct unwind_walker *w,
								    struct unwind_memory *m,
								    union unwind_rule_words *ret)
{
	const __u64 vaddr = w->at - w->mapping.start + w->mapping.vaddr;
	const __u64 page = (vaddr - w->table_vaddr) >> UNWIND_PAGE_BITS;
	const __u64 head = unwind_offset(w->mapping.table) + sizeof(struct unwind_table);
	const void *chunk = unwind_chunk(m, w->mapping.table);
	if (!chunk || page >= w->page_count)
		return false;
	const __u64 rows = unwind_word(chunk, head + page * sizeof(struct unwind_page));
	const __u32 count = (__u32)(rows >> 32);
	const void *row_chunk = unwind_chunk(m, (__u32)rows);
	if (!row_chunk || count == 0)
		return false;
	const __u32 row =
		unwind_find_row(w, row_chunk, unwind_offset((__u32)rows), count, vaddr & 0xffff);
	const __u64 rule = head + (__u64)w->page_count * sizeof(struct unwind_page) +
			   (__u64)(row >> 16) * sizeof(struct unwind_rule);
	if (row >> 16 >= w->rule_count)
		return false;
	ret->words[0] = unwind_word(chunk, rule);
	ret->words[1] = unwind_word(chunk, rule + 8);
	return true;
}

#include "unwind_shape.h"

/* ---- rule -> caller ---- */

enum { UNWIND_RBX = 3, UNWIND_SAVED_WORDS = 8, UNWIND_RBX_SPAN = 16 << 10 };

/* Where the value of %rbx in this frame may be: in the register, while nobody used it since, or where
 * the callee pushed it, below its return address. */
static inline __attribute__((always_inline)) bool unwind_saved_word(struct unwind_walker *w,
								    struct unwind_memory *m,
								    __u32 i, __u64 *ret)
{
	*ret = w->registers[UNWIND_RBX];
	return i == 0 || unwind_read(m, w->sp - 8 - (__u64)i * 8, ret);
}

/* A caller's frame that is counted from %rbx, which nothing tracks: the dynamic linker's when it binds
 * a function, with its registers saved on an aligned stack in between. The right value is one that leads
 * to a return address on this stack. */
static inline __attribute__((always_inline)) bool unwind_base_by_rbx(struct unwind_walker *w,
								     struct unwind_memory *m,
								     const struct unwind_rule *rule,
								     __u64 *ret)
{
	__u64 value;
	if (unwind_is_arm64(m) || rule->reg != UNWIND_RBX)
		return false;
	for (__u32 i = 0; i < UNWIND_SAVED_WORDS; i++) {
		if (!unwind_saved_word(w, m, i, &value))
			continue;
		const __u64 up = value - w->sp, at = up + (__u64)(__s64)rule->cfa_offset - 8;
		if (value % 8 || up >= UNWIND_RBX_SPAN || at >= UNWIND_RBX_SPAN)
			continue;
		if (unwind_find_caller(w, m, (__u32)(at / 8)) == UNWIND_CALLER_NONE)
			continue;
		*ret = value + (__u64)(__s64)rule->cfa_offset;
		return true;
	}
	return false;
}

/* Where the CFA, or the address of it, is counted from. */
static inline __attribute__((always_inline)) bool unwind_base(struct unwind_walker *w,
							      struct unwind_memory *m,
							      const struct unwind_rule *rule,
							      __u64 *ret)
{
	__u64 reg = rule->reg;
	switch (rule->cfa) {
	case UNWIND_CFA_SP:
	case UNWIND_CFA_SP_DEREF:
	case UNWIND_CFA_SIGNAL:
		*ret = w->sp + (__u64)(__s64)rule->cfa_offset;
		return true;
	case UNWIND_CFA_FP:
	case UNWIND_CFA_FP_DEREF:
		*ret = w->fp + (__u64)(__s64)rule->cfa_offset;
		return !w->no_fp;
	case UNWIND_CFA_PLT:
		*ret = w->sp + 8 + ((w->at & 15) >= (__u64)(__s64)rule->cfa_offset ? 8 : 0);
		return true;
	case UNWIND_CFA_REGISTER:
		if (!w->exact)
			return unwind_base_by_rbx(w, m, rule, ret);
		if (w->no_registers || reg >= UNWIND_REGISTERS)
			return false;
		UNWIND_HIDE(reg);
		*ret = w->registers[reg & (UNWIND_REGISTERS - 1)] + (__u64)(__s64)rule->cfa_offset;
		return true;
	default:
		return false;
	}
}

/* The CFA is here, and not its address; or the other way round, then *ret_at is where. */
static inline __attribute__((always_inline)) bool unwind_cfa_is_read(const struct unwind_rule *rule,
								     bool arm64, __u64 base,
								     __u64 *ret_at)
{
	if (rule->cfa == UNWIND_CFA_SIGNAL)
		base += arm64 ? UNWIND_ARM64_SIGCONTEXT_SP : UNWIND_X86_SIGCONTEXT_SP;
	*ret_at = base;
	return rule->cfa == UNWIND_CFA_SIGNAL || rule->cfa == UNWIND_CFA_SP_DEREF ||
	       rule->cfa == UNWIND_CFA_FP_DEREF;
}

/* Whether a caller whose frame begins at cfa is a step on. See the top of this file. */
static inline __attribute__((always_inline)) bool unwind_progresses(struct unwind_walker *w,
								    const struct unwind_rule *rule,
								    __u64 cfa)
{
	bool up = rule->ra == UNWIND_RA_REGISTER ? cfa >= w->sp : cfa > w->sp;
	bool may_switch = rule->cfa == UNWIND_CFA_SIGNAL || w->guessed == 2;
	if (w->guessed && cfa - w->sp > UNWIND_STACK_SPAN)
		up = false;
	if (rule->cfa != UNWIND_CFA_SIGNAL && up)
		return true;
	return may_switch && w->switches++ < UNWIND_SWITCHES_MAX;
}

static inline __attribute__((always_inline)) __u32 unwind_unreadable(const struct unwind_walker *w)
{
	return w->guessed ? UNWIND_END_NO_ROW : UNWIND_END_UNREADABLE;
}

/* The caller's frame pointer: before its pc, since it lies below on most stacks. */
static inline __attribute__((always_inline)) bool unwind_read_fp(struct unwind_walker *w,
								 struct unwind_memory *m,
								 const struct unwind_rule *rule,
								 __u64 base, __u64 cfa, __u64 *ret)
{
	__u64 at = cfa;
	if (rule->cfa == UNWIND_CFA_SIGNAL)
		at = base +
		     (unwind_is_arm64(m) ? UNWIND_ARM64_SIGCONTEXT_FP : UNWIND_X86_SIGCONTEXT_FP);
	else if (rule->fp == UNWIND_FP_AT_CFA)
		at += (__u64)(__s64)rule->fp_offset;
	else if (rule->fp == UNWIND_FP_AT_FP && !w->no_fp)
		at = w->fp + (__u64)(__s64)rule->fp_offset;
	else
		return true;
	/* In an epilogue, behind its pop: compilers do not say so, but the register is the caller's again,
	 * and what was below sp may be gone. */
	if (at < w->sp && rule->fp == UNWIND_FP_AT_CFA && !w->guessed)
		return true;
	return unwind_read(m, at, ret);
}

static inline __attribute__((always_inline)) __u32 unwind_read_pc(struct unwind_walker *w,
								  struct unwind_memory *m,
								  const struct unwind_rule *rule,
								  __u64 base, __u64 cfa, __u64 *ret)
{
	__u64 at = cfa + (__u64)(__s64)rule->ra_offset;
	if (rule->cfa == UNWIND_CFA_SIGNAL) {
		at = base +
		     (unwind_is_arm64(m) ? UNWIND_ARM64_SIGCONTEXT_PC : UNWIND_X86_SIGCONTEXT_PC);
	} else if (rule->ra == UNWIND_RA_REGISTER && unwind_is_arm64(m)) {
		*ret = w->lr;
		return UNWIND_MORE;
	} else if (rule->ra == UNWIND_RA_REGISTER) {
		/* vfork's: what is on the stack the child overwrites. */
		__u64 reg = rule->reg;
		if (w->no_registers || reg >= UNWIND_REGISTERS)
			return UNWIND_END_RULE;
		UNWIND_HIDE(reg);
		*ret = w->registers[reg & (UNWIND_REGISTERS - 1)];
		return UNWIND_MORE;
	}
	return unwind_read(m, at, ret) ? UNWIND_MORE : unwind_unreadable(w);
}

/* ---- on the way to a handler ---- */

/* libgcc's _Unwind_RaiseException, _Unwind_Resume and their like end in the function that has a handler, in two
 * moves: what was saved of that function's registers, and the return address into it, is copied over what this
 * frame saved of its own caller's; then the epilogue restores them and sets sp to where that function is. After
 * the first move the return address is right already, and the CFA is not: it is further up, behind the
 * place that the address was copied from. */
enum {
	UNWIND_HANDLER_BYTES = 2048,	/* more than any of these functions has */
	UNWIND_HANDLER_TURN = 16,	/* words */
	UNWIND_HANDLER_WORDS = 1 << 10, /* of the frames between this one and the handler's */
	UNWIND_HANDLER_SEARCHES =
		2, /* in a walk: one is on its way; a hostile stack has a thousand */
};

/* Where the call in front of a return address goes to, x86-64. */
static inline __attribute__((always_inline)) bool unwind_callee(struct unwind_memory *m,
								__u64 address, __u64 *ret)
{
	__u64 code;
	if (!unwind_code(m, address - 8, &code))
		return false;
	const __u64 target = address + (__u64)(__s64)(__s32)(code >> 32);
	*ret = target;
	if ((code >> 24 & 0xff) == 0xe8) /* call rel32 */
		return true;
	return (code >> 16 & 0xffff) == 0x15ff && unwind_code(m, target, ret); /* *x(%rip) */
}

/* Where a stub of a PLT goes to, once that is bound: [endbr64;] [bnd] jmp *x(%rip). */
static inline __attribute__((always_inline)) bool unwind_behind_plt(struct unwind_memory *m,
								    __u64 stub, __u64 *ret)
{
	__u64 code;
	if (!unwind_code(m, stub, &code))
		return false;
	if ((code & 0xffffffff) == 0xfa1e0ff3) {
		stub += 4;
		if (!unwind_code(m, stub, &code))
			return false;
	}
	if ((code & 0xff) == 0xf2) {
		stub += 1;
		code >>= 8;
	}
	return (code & 0xffff) == 0x25ff &&
	       unwind_code(m, stub + 6 + (__u64)(__s64)(__s32)(code >> 16), ret);
}

/* Whether it is sure that w->caller_pc is behind a call of the function at w->pc. */
static inline __attribute__((always_inline)) bool unwind_is_own_call(struct unwind_walker *w,
								     struct unwind_memory *m)
{
	__u64 entry;
	if (!unwind_callee(m, w->caller_pc, &entry))
		return false;
	if (w->pc - entry < UNWIND_HANDLER_BYTES)
		return true;
	return unwind_behind_plt(m, entry, &entry) && w->pc - entry < UNWIND_HANDLER_BYTES;
}

enum unwind_copied { UNWIND_COPIED_NO, UNWIND_COPIED_HERE, UNWIND_COPIED_UNREADABLE };

/* Looks for w->caller_pc in so many words from w->at on, which becomes the address of the one that holds it, or
 * goes behind them. */
static inline __attribute__((always_inline)) enum unwind_copied unwind_copied_from(
	struct unwind_walker *w, struct unwind_memory *m)
{
	__u64 word;
	for (__u32 i = 0; i < UNWIND_HANDLER_TURN; i++) {
		if (!unwind_read(m, w->at, &word))
			return UNWIND_COPIED_UNREADABLE;
		if (word == w->caller_pc)
			return UNWIND_COPIED_HERE;
		w->at += sizeof(word);
	}
	return UNWIND_COPIED_NO;
}

/* Sets w->caller_sp, which is the CFA by the rule, right if it is not. A caller that called this function has its
 * frame at the CFA; and an address that is nowhere above has not been copied. */
static inline __attribute__((always_inline)) void unwind_handler_frame(struct unwind_walker *w,
								       struct unwind_memory *m)
{
	if (w->handler_searches >= UNWIND_HANDLER_SEARCHES || unwind_is_own_call(w, m))
		return;
	w->handler_searches++;
	w->at = w->caller_sp;
	for (__u32 i = 0; i < UNWIND_HANDLER_WORDS / UNWIND_HANDLER_TURN; i++) {
		const enum unwind_copied copied = unwind_find_copied(w, m);
		if (copied == UNWIND_COPIED_HERE)
			w->caller_sp = w->at + 8;
		if (copied != UNWIND_COPIED_NO)
			return;
	}
}

/* Nothing of the walker's frame changes unless the walk goes on. */
static inline __attribute__((always_inline)) __u32 unwind_apply(struct unwind_walker *w,
								struct unwind_memory *m,
								const struct unwind_rule *rule)
{
	const bool signal = rule->cfa == UNWIND_CFA_SIGNAL, arm64 = unwind_is_arm64(m);
	__u64 base, cfa, pc, fp = w->fp, lr = 0;
	const bool lost = rule->ra == UNWIND_RA_REGISTER && !w->exact && !signal;
	if (lost || !unwind_base(w, m, rule, &base))
		return UNWIND_END_RULE;
	if (unwind_cfa_is_read(rule, arm64, base, &cfa)) {
		if (!unwind_read(m, cfa, &cfa))
			return unwind_unreadable(w);
		if (!signal)
			cfa += (__u64)(__s64)rule->cfa_add;
	}
	if (!unwind_progresses(w, rule, cfa))
		return w->guessed ? UNWIND_END_NO_ROW : UNWIND_END_NO_PROGRESS;
	if (!unwind_read_fp(w, m, rule, base, cfa, &fp))
		return unwind_unreadable(w);
	__u32 end = unwind_read_pc(w, m, rule, base, cfa, &pc);
	if (end != UNWIND_MORE)
		return end;
	if (arm64 && signal && !unwind_read(m, base + UNWIND_ARM64_SIGCONTEXT_LR, &lr))
		return unwind_unreadable(w);
	pc &= ~unwind_pac_mask(m);
	if (pc == 0)
		return UNWIND_END_ROOT;
	if (rule->ra == UNWIND_RA_HANDLER && !arm64) {
		w->caller_pc = pc;
		w->caller_sp = cfa;
		unwind_find_handler(w, m);
		cfa = w->caller_sp;
	}
	w->no_fp = !signal &&
		   (rule->fp == UNWIND_FP_LOST || (w->no_fp && rule->fp != UNWIND_FP_AT_CFA));
	w->pc = pc;
	w->sp = cfa;
	w->fp = fp;
	w->lr = lr & ~unwind_pac_mask(m);
	w->exact = signal;
	w->no_registers = 1;
	return UNWIND_MORE;
}

/* ---- one step ---- */

/* Makes *w the caller's frame and returns UNWIND_MORE; or leaves it and returns why (enum unwind_end). */
static inline __attribute__((always_inline)) __u32 unwind_step(struct unwind_walker *w,
							       struct unwind_memory *m)
{
	union unwind_rule_words rule = {.words = {0, 0}};
	__u8 cfa = UNWIND_CFA_FRAME;
	w->at = w->exact ? w->pc : w->pc - 1;
	if (w->at < w->mapping.start || w->at >= w->mapping.end) {
		__u32 end = unwind_find_mapping(w, m);
		if (end != UNWIND_MORE)
			return end;
	}
	if (w->mapping.kind == UNWIND_NOT_READY)
		return UNWIND_END_NOT_READY;
	if (w->mapping.kind == UNWIND_BY_TABLE)
		cfa = unwind_table_rule(w, m, &rule) ? rule.rule.cfa : UNWIND_CFA_NONE;
	w->guessed = 0;
	if (cfa == UNWIND_CFA_END)
		return UNWIND_END_ROOT;
	if (cfa == UNWIND_CFA_NONE || cfa == UNWIND_CFA_FRAME) {
		__u32 end = unwind_frame_rule(w, m, cfa, &rule.rule);
		if (end != UNWIND_MORE)
			return end;
	}
	return unwind_apply(w, m, &rule.rule);
}
