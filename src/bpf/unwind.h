/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * Unwind tables as the sampler reads them: what user space compiles from a
 * file's call frame information and writes into memory that both share.
 * Included by both, so only fixed-width types, and those are included before.
 *
 *	pid ─ BPF hash ─ struct unwind_process
 *	 └ sorted struct unwind_mapping[]	which file's table, at which address
 *	    └ struct unwind_table, its pages[]	one for each 64 KiB of text
 *	       └ sorted struct unwind_row[]	4 bytes: from here on, this rule
 *	          └ struct unwind_rule		how to leave the frame
 *
 * The *space* is an array of chunks of 2 MiB (one mmapable BPF array whose
 * values are chunks; the kernel below 5.11 takes values up to 4 MiB). A *place*
 * is a number of 4-byte units from its start; 0 is nowhere. No object crosses
 * the end of a chunk, every one starts at an even unit. A table is immutable
 * once a mapping names it, mappings once the hash names them; user space frees
 * what no name leads to only after a time in which every walk has ended. */
#pragma once

enum {
	UNWIND_UNIT_BYTES = 4,
	UNWIND_CHUNK_BITS = 21,
	UNWIND_CHUNK_BYTES = 1 << UNWIND_CHUNK_BITS,
	UNWIND_CHUNK_UNITS = UNWIND_CHUNK_BYTES / UNWIND_UNIT_BYTES,
	UNWIND_PAGE_BITS = 16, /* of text behind one struct unwind_page */
	UNWIND_MAPPINGS_MAX = 32768,
	UNWIND_PAGES_MAX = 1 << 16, /* of a table: 4 GiB of text */
	UNWIND_PROCESSES_MAX = 4096,
};

struct unwind_process {
	__u32 mappings; /* place of the first */
	__u32 count;
};

enum unwind_kind {
	UNWIND_BY_TABLE,	 /* table holds */
	UNWIND_BY_FRAME_POINTER, /* no call frame information, here or anywhere: JIT code, Go, deno, ... */
	UNWIND_NOT_READY,	 /* its table is not built, or was evicted */
};

struct unwind_mapping {
	__u64 start, end; /* addresses of the process */
	__u64 vaddr;	  /* ELF virtual address of start */
	__u32 table;	  /* place of a struct unwind_table */
	__u32 kind;	  /* enum unwind_kind */
};

struct unwind_page {
	__u32 rows; /* place of its first row */
	__u32 count;
};

/* The rule holds from this address to the next row's. The first row of a page is at 0 (the compiler
 * carries the rule of the page before on), so a search in one page suffices. */
struct unwind_row {
	__u16 vaddr_low; /* the lower 16 bits of the ELF virtual address */
	__u16 rule;	 /* index into the table's rules */
};

enum unwind_cfa {
	UNWIND_CFA_SP,	     /* CFA = sp + cfa_offset */
	UNWIND_CFA_FP,	     /* CFA = fp + cfa_offset */
	UNWIND_CFA_REGISTER, /* CFA = reg + cfa_offset; known only where the process was interrupted */
	UNWIND_CFA_SP_DEREF, /* CFA = *(sp + cfa_offset) + cfa_add */
	UNWIND_CFA_FP_DEREF, /* CFA = *(fp + cfa_offset) + cfa_add */
	UNWIND_CFA_PLT,	     /* x86-64 lazy PLT: CFA = sp + 8 + ((pc & 15) >= cfa_offset ? 8 : 0) */
	UNWIND_CFA_SIGNAL,   /* the kernel's struct sigcontext is at sp + cfa_offset */
	UNWIND_CFA_END,	     /* the outermost frame */
	UNWIND_CFA_NONE,     /* nobody says: between functions, or assembly without CFI */
	UNWIND_CFA_FRAME,    /* by frame pointer, as UNWIND_BY_FRAME_POINTER */
	UNWIND_CFA_UNKNOWN,  /* the file says it in a way that we do not follow */
};

enum unwind_fp {
	UNWIND_FP_SAME,	  /* the caller's frame pointer is in its register still */
	UNWIND_FP_AT_CFA, /* *(CFA + fp_offset) */
	UNWIND_FP_LOST,
	UNWIND_FP_AT_FP, /* *(fp + fp_offset), this frame's fp: realigned stacks */
};

enum unwind_ra {
	UNWIND_RA_AT_CFA,   /* *(CFA + ra_offset); x86-64: -8 always in practice */
	UNWIND_RA_REGISTER, /* leaves only; arm64: the link register, x86-64: reg */
	UNWIND_RA_HANDLER,  /* as AT_CFA, and the frame may be about to become that of a handler */
};

struct unwind_rule {
	__u8 cfa; /* enum unwind_cfa */
	__u8 fp;  /* enum unwind_fp */
	__u8 ra;  /* enum unwind_ra */
	__u8 reg; /* UNWIND_CFA_REGISTER, or x86-64's UNWIND_RA_REGISTER: DWARF number */
	__s32 cfa_offset;
	__s16 fp_offset, ra_offset;
	__s32 cfa_add;
};

/* In one piece with pages[page_count] behind it and then rules[rule_count]. */
struct unwind_table {
	__u64 vaddr; /* of the first page; a multiple of 64 KiB */
	__u32 page_count, rule_count;
	struct unwind_page pages[];
};

/* The high bit of a user frame in a record: the address is a point of execution (a leaf, or what a signal
 * interrupted), to be looked up as it is; others are return addresses, looked up at - 1. */
#define UNWIND_FRAME_EXACT (1ULL << 63)

/* Why a walk ended. All but the first mean that the stack is not whole. */
enum unwind_end {
	UNWIND_END_ROOT,       /* the thread's outermost frame */
	UNWIND_END_TRUNCATED,  /* SAMPLER_USER_FRAMES_MAX */
	UNWIND_END_NO_PROCESS, /* the process is not known to BPF yet: user space walks on */
	UNWIND_END_NO_MAPPING, /* the address is in no known executable mapping: user space looks */
	UNWIND_END_NOT_READY,  /* the mapping's table is not there yet: user space walks on */
	UNWIND_END_NO_ROW,     /* no unwind information there, and no frame pointer that helps */
	UNWIND_END_RULE,       /* a rule that cannot be followed here */
	UNWIND_END_UNREADABLE, /* the stack could not be read */
	UNWIND_END_NO_PROGRESS,	 /* the caller's frame would not be above this one */
	UNWIND_END_32BIT,	 /* a 32-bit process: the point of execution only */
	UNWIND_END_NO_REGISTERS, /* where user space was left is not known */
	UNWIND_END_CUT,		 /* user space: the copy of the stack ended before the stack did */
	UNWIND_ENDS,
};

_Static_assert(sizeof(struct unwind_mapping) == 32, "unwind_mapping has padding");
_Static_assert(sizeof(struct unwind_rule) == 16, "unwind_rule has padding");
_Static_assert(sizeof(struct unwind_table) == 16, "unwind_table has padding");
