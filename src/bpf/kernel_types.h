/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The few kernel types and constants that our BPF programs use, declared by us:
 * building needs neither the BTF nor the headers of any kernel. Structures have
 * only the fields we read; preserve_access_index makes libbpf move each access
 * to where the running kernel has the field. Constants are kernel ABI
 * (include/uapi/linux/bpf.h) and never change. */
#pragma once

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef _Bool bool;
#define true 1
#define false 0

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };
enum { PF_KTHREAD = 0x00200000 }; /* include/linux/sched.h, since 2.6 */

/* To ask whether the running kernel knows a helper. The suffix after ___ is dropped by libbpf when it
 * looks the name up in the kernel's BTF. */
enum bpf_func_id___cresset { BPF_FUNC_task_pt_regs___cresset = 175 };

typedef struct {
	int counter;
} __attribute__((preserve_access_index)) atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not ended */
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int flags;
	void *stack;
	void *mm;
	struct signal_struct *signal;
} __attribute__((preserve_access_index));
