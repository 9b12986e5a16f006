/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * What the sampler's BPF program and its user space agree on. Included by both,
 * so only fixed-width types, and those are included before. All little details
 * of layout are here: natural alignment, no padding, host byte order. */
#pragma once

enum {
	SAMPLER_COMM_BYTES = 16,	 /* TASK_COMM_LEN of the kernel */
	SAMPLER_KERNEL_FRAMES_MAX = 127, /* kernel.perf_event_max_stack's default */
	SAMPLER_USER_FRAMES_MAX = 1024,
	SAMPLER_FRAMES_CAP =
		2048, /* a power of two above the sum of the two, so that a mask bounds it */
};

enum sampler_flag {
	SAMPLER_KERNEL_THREAD = 1 << 0, /* no user space at all */
	SAMPLER_USER_TRUNCATED = 1
				 << 1, /* user frames beyond SAMPLER_USER_FRAMES_MAX are missing */
	SAMPLER_KERNEL_TRUNCATED = 1 << 2,
	SAMPLER_IN_KERNEL = 1 << 3, /* the interrupt hit kernel code */
};

/* A record in the ring buffer: this header and (kernel_frames + user_frames) __u64 addresses, the
 * kernel's first, each leaf first. The very first address is the point of execution, and so is the
 * first user address: there user space was left. The others are return addresses. */
struct sampler_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid;     /* the process (tgid), as the initial pid namespace numbers it */
	__u32 tid;
	__u32 cpu;
	__u32 flags; /* enum sampler_flag */
	__u16 kernel_frames;
	__u16 user_frames;
	__u32 reserved;
	char comm[SAMPLER_COMM_BYTES]; /* of the thread */
};

/* Keys of the per-CPU array `counters`. */
enum sampler_counter {
	SAMPLER_COUNT_SAMPLES,	 /* written to the ring buffer */
	SAMPLER_COUNT_LOST_RING, /* no room in the ring buffer */
	SAMPLER_COUNT_TRUNCATED, /* user stacks cut at SAMPLER_USER_FRAMES_MAX */
	SAMPLER_COUNTERS,
};
