/* Private to unwind/: x86-64 instructions, as far as they move the stack. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum x86_kind {
	X86_BAD,      /* unknown, or cut */
	X86_PLAIN,    /* nothing of the below */
	X86_PUSH,     /* a word, or (reg) a register */
	X86_POP,      /* the same */
	X86_MOVE_SP,  /* sp += value */
	X86_SET_FP,   /* fp = sp */
	X86_SP_IS_FP, /* sp = fp + value */
	X86_LOSE_SP,  /* sp becomes something else */
	X86_LEAVE,    /* sp = fp, pop fp */
	X86_CALL,
	X86_RETURN,
	X86_STOP,	   /* never goes on: ud2, hlt */
	X86_JUMP,	   /* to target */
	X86_BRANCH,	   /* to target, perhaps */
	X86_JUMP_ANYWHERE, /* through a register or memory */
	X86_PADDING,
};

enum { X86_NO_REGISTER = 16, X86_FP = 5 };

struct x86_code {
	enum x86_kind kind;
	uint8_t len; /* 0 when BAD */
	uint8_t reg; /* PUSH, POP: or X86_NO_REGISTER */
	int32_t value;
	int64_t target; /* JUMP, BRANCH: from the start of this instruction */
};

/* The instruction at the start of len bytes. */
struct x86_code x86_decode(const uint8_t *bytes, size_t len);
