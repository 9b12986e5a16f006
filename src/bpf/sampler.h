/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * What the sampler's BPF program and its user space agree on. Included by both,
 * so only fixed-width types, and those are included before. All little details
 * of layout are here: natural alignment, no padding, host byte order. */
#pragma once

#include "unwind.h"

enum {
	SAMPLER_COMM_BYTES = 16,	 /* TASK_COMM_LEN of the kernel */
	SAMPLER_KERNEL_FRAMES_MAX = 127, /* kernel.perf_event_max_stack's default */
	SAMPLER_USER_FRAMES_MAX = 1024,
	SAMPLER_FRAMES_CAP =
		2048, /* a power of two above the sum of the two, so that a mask bounds it */
};

enum sampler_flag {
	SAMPLER_KERNEL_THREAD = 1 << 0, /* no user space at all */
	SAMPLER_KERNEL_TRUNCATED = 1 << 1,
	SAMPLER_IN_KERNEL = 1 << 2,  /* the interrupt hit kernel code */
	SAMPLER_STOP_EXACT = 1 << 3, /* the record's pc is a point of execution */
	SAMPLER_STOP_NO_FP = 1 << 4, /* the record's fp is not the frame's: it is not known */
};

/* How much of the stack a walk that stopped for want of a table carries: user space walks on there. */
enum { SAMPLER_STACK_BYTES = 24576 };

/* A record in the ring buffer: this header, (kernel_frames + user_frames) __u64 addresses, the
 * kernel's first, each leaf first, and stack_bytes of user memory from sp on. The very first kernel
 * address is the point of execution, the others are return addresses; user addresses say it by
 * UNWIND_FRAME_EXACT.
 *
 * When there are user frames, the last one is where the walk stopped: pc. The walk is over (end is
 * UNWIND_END_ROOT, ...) or waits for user space (UNWIND_END_NO_PROCESS, _NO_MAPPING, _NOT_READY);
 * only the latter carry a stack. With UNWIND_END_NO_MAPPING the last one is no frame, unless user
 * space knows the mapping, or it is the only one. */
struct sampler_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid;     /* the process (tgid), as the initial pid namespace numbers it */
	__u32 tid;
	__u32 cpu;
	__u32 flags; /* enum sampler_flag */
	__u16 kernel_frames;
	__u16 user_frames;
	__u16 end; /* enum unwind_end; UNWIND_END_ROOT of a kernel thread means nothing */
	__u16 stack_bytes;
	char comm[SAMPLER_COMM_BYTES]; /* of the thread */
	__u64 pc, sp, fp, lr;	       /* the last user frame; lr: arm64, when pc is exact */
};

/* Keys of the per-CPU array `counters`. */
enum sampler_counter {
	SAMPLER_COUNT_SAMPLES,	   /* written to the ring buffer */
	SAMPLER_COUNT_LOST_RING,   /* no room in the ring buffer */
	SAMPLER_COUNT_STACK_BYTES, /* copied for user space */
	SAMPLER_COUNT_ENDS,	   /* + enum unwind_end: user stacks that ended so */
	SAMPLER_COUNTERS = SAMPLER_COUNT_ENDS + UNWIND_ENDS,
};
