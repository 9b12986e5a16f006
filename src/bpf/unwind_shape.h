/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The part of unwind_step.h for code of which no table speaks: a frame pointer
 * where there is one, and at the point of execution a look at the code, since a
 * function has no frame yet when it begins, none any more when it returns, and a
 * leaf, or one written by hand, none at all.
 *
 * Then its return address is found by what it is: the word that a call of this
 * very function left. On top of the stack a call of any function will do, if the
 * frame pointer leads to no code. Neither is ever asked about a caller, only at
 * the point of execution, and where it fails the frame pointer has the last word. */
#pragma once

/* One function's way from its first instruction to its last, x86-64 and arm64. */
enum unwind_shape {
	UNWIND_SHAPE_FRAME,  /* the frame is set up: fp leads to it */
	UNWIND_SHAPE_BARE,   /* nothing on the stack but the return address, or not even that */
	UNWIND_SHAPE_PUSHED, /* fp is saved, and not set yet */
	UNWIND_SHAPE_SIGNAL, /* what a signal handler returns to */
};

/* Intel SDM volume 2, the encodings beside each case. */
static inline __attribute__((always_inline)) enum unwind_shape unwind_shape_x86(
	struct unwind_walker *w, struct unwind_memory *m)
{
	__u64 code, before;
	if (!unwind_code(m, w->pc, &code))
		return UNWIND_SHAPE_FRAME;
	if (code == 0x0f0000000fc0c748) /* mov $SYS_rt_sigreturn,%rax; syscall */
		return UNWIND_SHAPE_SIGNAL;
	if (!w->exact)
		return UNWIND_SHAPE_FRAME;
	if ((code & 0xff) == 0x55 ||		 /* push %rbp */
	    (code & 0xffffffff) == 0xfa1e0ff3 || /* endbr64 */
	    (code & 0xffffffff) == 0x10663b49 || /* cmp 16(%r14),%rsp: Go's check of the stack */
	    (code & 0xfe) == 0xc2 ||		 /* ret */
	    (code & 0xffff) == 0xc3f3 ||	 /* rep ret */
	    (code & 0xffff) == 0x25ff ||	 /* jmp *x(%rip): a PLT */
	    (code & 0xffffff) == 0x25fff2)	 /* bnd jmp *x(%rip) */
		return UNWIND_SHAPE_BARE;
	if (((code & 0xffffff) == 0xe58948 || (code & 0xffffff) == 0xec8b48) && /* mov %rsp,%rbp */
	    unwind_code(m, w->pc - 1, &before) && (before & 0xff) == 0x55)
		return UNWIND_SHAPE_PUSHED;
	return UNWIND_SHAPE_FRAME;
}

/* Arm ARM DDI 0487, A64 base instructions. */
static inline __attribute__((always_inline)) enum unwind_shape unwind_shape_arm64(
	struct unwind_walker *w, struct unwind_memory *m)
{
	__u64 code;
	if (!unwind_code(m, w->pc, &code))
		return UNWIND_SHAPE_FRAME;
	if (code == 0xd4000001d2801168) /* mov x8, #SYS_rt_sigreturn; svc #0 */
		return UNWIND_SHAPE_SIGNAL;
	if (!w->exact)
		return UNWIND_SHAPE_FRAME;
	const __u32 insn = (__u32)code;
	if ((insn & 0xffc07fff) == 0xa9807bfd || /* stp x29, x30, [sp, #n]! */
	    insn == 0xd65f03c0 ||		 /* ret */
	    insn == 0xd65f0bff ||		 /* retaa */
	    insn == 0xd503233f ||		 /* paciasp */
	    (insn & 0xffffff3f) == 0xd503241f)	 /* bti */
		return UNWIND_SHAPE_BARE;
	if (insn == 0x910003fd) /* mov x29, sp */
		return UNWIND_SHAPE_PUSHED;
	return UNWIND_SHAPE_FRAME;
}

/* From sp where a signal handler returns to: struct sigcontext in the kernel's struct rt_sigframe
 * (arch/x86/include/asm/sigframe.h, without the return address; arch/arm64/kernel/signal.c). */
enum {
	UNWIND_X86_SIGCONTEXT = 40,
	UNWIND_X86_SIGCONTEXT_FP = 80,
	UNWIND_X86_SIGCONTEXT_SP = 120,
	UNWIND_X86_SIGCONTEXT_PC = 128,
	UNWIND_ARM64_SIGCONTEXT = 304,
	UNWIND_ARM64_SIGCONTEXT_FP = 240,
	UNWIND_ARM64_SIGCONTEXT_LR = 248,
	UNWIND_ARM64_SIGCONTEXT_SP = 256,
	UNWIND_ARM64_SIGCONTEXT_PC = 264,
};

/* ---- whose call left this word ---- */

enum {
	UNWIND_CALLER_WORDS = 16,	  /* from sp on */
	UNWIND_FUNCTION_BYTES = 64 << 10, /* from its first instruction to any other */
};

enum unwind_caller {
	UNWIND_CALLER_NONE,
	UNWIND_CALLER_MAYBE, /* the address is behind a call */
	UNWIND_CALLER_SURE,  /* behind a call of the function that executes */
};

/* Of the 8 bytes of code in front of a return address: is the last instruction a call through a
 * register or memory (FF /2)? */
static inline __attribute__((always_inline)) bool unwind_is_indirect_call(__u64 code)
{
	const __u64 last2 = code >> 48, last3 = code >> 40 & 0xffff, last6 = code >> 16 & 0xffff;
	return (last2 & 0xf8ff) == 0xd0ff || (last2 & 0xf8ff) == 0x10ff || /* *%reg, *(%reg) */
	       (last3 & 0xf8ff) == 0x50ff ||				   /* *disp8(%reg) */
	       last6 == 0x15ff || (last6 & 0xf8ff) == 0x90ff; /* *x(%rip), *disp32(%reg) */
}

/* Is the word, x86-64, a return address of the function at pc? Another mapping may be the last one
 * then: the next step looks. */
static inline __attribute__((always_inline)) enum unwind_caller unwind_caller_at(
	struct unwind_walker *w, struct unwind_memory *m, __u32 word)
{
	__u64 address, code;
	if (!unwind_read(m, w->sp + (__u64)word * 8, &address))
		return UNWIND_CALLER_NONE;
	w->at = address - 1;
	if ((w->at < w->mapping.start || w->at >= w->mapping.end) &&
	    unwind_find_mapping(w, m) != UNWIND_MORE)
		return UNWIND_CALLER_NONE;
	if (!unwind_code(m, address - 8, &code))
		return UNWIND_CALLER_NONE;
	if ((code >> 24 & 0xff) == 0xe8) { /* call rel32 */
		const __u64 callee = address + (__u64)(__s64)(__s32)(code >> 32);
		return w->pc - callee < UNWIND_FUNCTION_BYTES ? UNWIND_CALLER_SURE
							      : UNWIND_CALLER_MAYBE;
	}
	return unwind_is_indirect_call(code) ? UNWIND_CALLER_MAYBE : UNWIND_CALLER_NONE;
}

/* Whether above the frame pointer there is an address of code. */
static inline __attribute__((always_inline)) bool unwind_fp_leads_to_code(struct unwind_walker *w,
									  struct unwind_memory *m)
{
	__u64 address;
	if (w->no_fp || w->fp < w->sp || w->fp - w->sp > UNWIND_STACK_SPAN ||
	    !unwind_read(m, w->fp + 8, &address))
		return false;
	w->at = address - 1;
	return unwind_find_mapping(w, m) == UNWIND_MORE;
}

/* How many words from sp on the return address is, UNWIND_CALLER_WORDS: by the frame pointer. */
static inline __attribute__((always_inline)) __u32 unwind_words_to_caller(struct unwind_walker *w,
									  struct unwind_memory *m)
{
	const __u32 top = unwind_find_caller(w, m, 0);
	if (top == UNWIND_CALLER_SURE)
		return 0;
	if (unwind_fp_leads_to_code(w, m))
		return UNWIND_CALLER_WORDS;
	if (top == UNWIND_CALLER_MAYBE)
		return 0;
	for (__u32 word = 1; word < UNWIND_CALLER_WORDS; word++) {
		if (unwind_find_caller(w, m, word) == UNWIND_CALLER_SURE)
			return word;
	}
	return UNWIND_CALLER_WORDS;
}

/* ---- the rule ---- */

static inline __attribute__((always_inline)) bool unwind_wants_code(const struct unwind_walker *w,
								    __u8 cfa)
{
	/* A return address may be where a signal handler returns to. Functions are aligned in code
	 * without any table, so most of its frames cost no look at their code. */
	return w->exact || cfa == UNWIND_CFA_NONE || w->pc % 16 == 0;
}

/* The rule by the frame pointer. cfa: why. */
static inline __attribute__((always_inline)) __u32 unwind_frame_rule(struct unwind_walker *w,
								     struct unwind_memory *m,
								     __u8 cfa,
								     struct unwind_rule *ret)
{
	const bool arm64 = unwind_is_arm64(m);
	enum unwind_shape shape = UNWIND_SHAPE_FRAME;
	__u32 words = UNWIND_CALLER_WORDS;
	if (unwind_wants_code(w, cfa))
		shape = arm64 ? unwind_shape_arm64(w, m) : unwind_shape_x86(w, m);
	if (w->exact && !arm64 && shape == UNWIND_SHAPE_FRAME)
		words = unwind_words_to_caller(w, m);
	ret->ra = UNWIND_RA_AT_CFA;
	ret->ra_offset = -8;
	ret->fp = UNWIND_FP_AT_CFA;
	ret->fp_offset = -16;
	ret->cfa_offset = 16;
	ret->cfa = UNWIND_CFA_SP;
	w->guessed = 1 + (cfa == UNWIND_CFA_FRAME);
	if (shape == UNWIND_SHAPE_SIGNAL) {
		ret->cfa = UNWIND_CFA_SIGNAL;
		ret->cfa_offset = arm64 ? UNWIND_ARM64_SIGCONTEXT : UNWIND_X86_SIGCONTEXT;
	} else if (shape == UNWIND_SHAPE_BARE) {
		ret->fp = UNWIND_FP_SAME;
		ret->cfa_offset = arm64 ? 0 : 8;
		ret->ra = arm64 ? UNWIND_RA_REGISTER : UNWIND_RA_AT_CFA;
	} else if (words < UNWIND_CALLER_WORDS) {
		ret->fp = words == 0 ? UNWIND_FP_SAME : UNWIND_FP_LOST; /* perhaps pushed */
		ret->cfa_offset = (__s32)(8 * words + 8);
	} else if (shape == UNWIND_SHAPE_FRAME) {
		if (w->no_fp || w->fp % 8)
			return UNWIND_END_NO_ROW;
		if (w->fp == 0)
			return UNWIND_END_ROOT;
		ret->cfa = UNWIND_CFA_FP;
	}
	return UNWIND_MORE;
}
