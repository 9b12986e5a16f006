/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The registers of each processor, as the kernel keeps and shows them:
 *
 *	struct pt_regs			what bpf_task_pt_regs() gives, moved by libbpf
 *	struct pt_regs_frame		the same at the end of the kernel stack, below 5.15
 *	struct perf_event_context	what a perf_event program gets; a context of the
 *					verifier, so loads from it are 8 bytes wide
 *	COPY_REGISTERS(w, from)		any of them into a struct unwind_walker
 *	registers_mode(from)		enum registers_mode
 *
 * Sources: include/uapi/asm/ptrace.h and include/asm/ptrace.h of arch/x86 and
 * arch/arm64; System V ABI, AMD64 supplement, figure 3.36, for DWARF's numbers. */
#pragma once

#include "kernel_types.h"

enum registers_mode { MODE_KERNEL, MODE_USER, MODE_USER_32BIT };

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, ip, cs, sp;
} __attribute__((preserve_access_index));

struct pt_regs_frame {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss;
};

struct perf_event_context {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss;
	__u64 sample_period, addr;
};

#define COPY_REGISTERS(w, from)                   \
	do {                                      \
		(w)->pc = (from)->ip;             \
		(w)->sp = (from)->sp;             \
		(w)->fp = (from)->bp;             \
		(w)->lr = 0;                      \
		(w)->no_registers = 0;            \
		(w)->registers[0] = (from)->ax;   \
		(w)->registers[1] = (from)->dx;   \
		(w)->registers[2] = (from)->cx;   \
		(w)->registers[3] = (from)->bx;   \
		(w)->registers[4] = (from)->si;   \
		(w)->registers[5] = (from)->di;   \
		(w)->registers[6] = (from)->bp;   \
		(w)->registers[7] = (from)->sp;   \
		(w)->registers[8] = (from)->r8;   \
		(w)->registers[9] = (from)->r9;   \
		(w)->registers[10] = (from)->r10; \
		(w)->registers[11] = (from)->r11; \
		(w)->registers[12] = (from)->r12; \
		(w)->registers[13] = (from)->r13; \
		(w)->registers[14] = (from)->r14; \
		(w)->registers[15] = (from)->r15; \
	} while (0)

/* By the code segment's selector: privilege level 3, and 0x23 is __USER32_CS. */
static __always_inline enum registers_mode mode_of(__u64 cs)
{
	if ((cs & 3) != 3)
		return MODE_KERNEL;
	return (cs & 0xffff) == 0x23 ? MODE_USER_32BIT : MODE_USER;
}
#define registers_mode(from) mode_of((from)->cs)

#define unwind_is_arm64(m) false
#define unwind_pac_mask(m) 0ULL

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
} __attribute__((preserve_access_index));

struct pt_regs_frame {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};

struct perf_event_context {
	__u64 regs[31];
	__u64 sp, pc, pstate;
	__u64 sample_period, addr;
};

/* Procedure Call Standard for the Arm 64-bit architecture: x29 is the frame pointer, x30 the link register. No
 * CFA is counted from another register than those and sp in practice. */
#define COPY_REGISTERS(w, from)             \
	do {                                \
		(w)->pc = (from)->pc;       \
		(w)->sp = (from)->sp;       \
		(w)->fp = (from)->regs[29]; \
		(w)->lr = (from)->regs[30]; \
		(w)->no_registers = 1;      \
	} while (0)

/* PSR_MODE_MASK, PSR_MODE_EL0t, PSR_MODE32_BIT. */
static __always_inline enum registers_mode mode_of(__u64 pstate)
{
	if (pstate & 0xf)
		return MODE_KERNEL;
	return pstate & 0x10 ? MODE_USER_32BIT : MODE_USER;
}
#define registers_mode(from) mode_of((from)->pstate)

#define unwind_is_arm64(m) true
/* User addresses have 48 bits (arch/arm64/mm: more only for who asks mmap() for them), signatures of
 * pointers are above. */
#define unwind_pac_mask(m) (0xffffULL << 48)

#else
#error "the sampler knows the registers of x86-64 and arm64"
#endif

/* THREAD_SIZE of x86-64, and of arm64 with pages of 4 KiB. */
enum { KERNEL_STACK_BYTES = 16384 };
