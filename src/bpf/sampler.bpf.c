/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * One sample per timer interrupt: who runs on this CPU, and by which chain of
 * calls, first in the kernel and then in user space.
 *
 *	sample()			entry, on a cpu-clock perf event of each CPU
 *	 ├ kernel stack			bpf_get_stack, into the record
 *	 ├ user registers		where user space was left
 *	 └ step(i) for each frame	a global function, see below
 *
 * The state of a walk is in one per-CPU array entry. A perf event cannot
 * interrupt another one of the same CPU's cpu-clock, so nobody else writes it.
 *
 * step() is global (not static, not inlined) so that the verifier checks it once
 * by itself and not once per frame; deep stacks then cost the verifier a few
 * instructions per frame. Such a function may take numbers only (before 6.2), so
 * it looks the state up again.
 *
 * Verifier: compilers may drop a mask that they can prove useless, the
 * verifier then misses it. HIDE() makes the value opaque before a mask. */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sampler.h"

#define HIDE(x) asm volatile("" : "+r"(x))

/* Set before loading. */
const volatile bool send_idle;

enum {
	WINDOW_BYTES = 1024, /* reading this much costs what reading 8 bytes does */
	PAGE_BYTES = 4096,
	FRAME_BYTES = 16,	  /* saved frame pointer and return address */
	STACK_SPAN_MAX = 1 << 30, /* a frame pointer further above sp is no frame pointer */
};

enum step_result { STEP_MORE, STEP_END };

/* The record as it is sent (header, then frames), then what the walk needs. */
struct state {
	struct sampler_record record;
	__u64 frames[SAMPLER_FRAMES_CAP];
	__u64 pc, sp, fp;		/* of the frame to leave next */
	__u64 count;			/* frames in frames[], kernel and user */
	__u64 window_start, window_end; /* user addresses of what window holds */
	__u8 window[WINDOW_BYTES];
};

/* What a perf event program may see of its map values: at most 32 KiB (PCPU_MIN_UNIT_SIZE). */
_Static_assert(sizeof(struct state) <= 32 * 1024, "per-CPU state too large");
_Static_assert(sizeof(struct sampler_record) == 80, "the record's header has padding");

struct {
	int (*type)[BPF_MAP_TYPE_PERCPU_ARRAY];
	int (*max_entries)[1];
	__u32 *key;
	struct state *value;
} states SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_PERCPU_ARRAY];
	int (*max_entries)[SAMPLER_COUNTERS];
	__u32 *key;
	__u64 *value;
} counters SEC(".maps");

/* The unwind tables, see unwind.h. User space sets how many chunks and writes through mmap. */
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*key_size)[4];
	int (*value_size)[UNWIND_CHUNK_BYTES];
} space SEC(".maps");

/* By pid. Programs of perf events may use preallocated hash maps only. */
struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	int (*max_entries)[UNWIND_PROCESSES_MAX];
	__u32 *key;
	struct unwind_process *value;
} processes SEC(".maps");

/* User space sets the size by CPUs and rate. */
struct {
	int (*type)[BPF_MAP_TYPE_RINGBUF];
	int (*max_entries)[256 * 1024];
} ring SEC(".maps");

static __always_inline struct state *current_state(void)
{
	__u32 key = 0;
	return bpf_map_lookup_elem(&states, &key);
}

static __always_inline void count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &key);
	if (value)
		(*value)++;
}

static __always_inline void push(struct state *s, __u64 address)
{
	__u64 i = s->count;
	HIDE(i);
	s->frames[i & (SAMPLER_FRAMES_CAP - 1)] = address;
	s->count = i + 1;
}

/* Brings [address, address + 16) into the window. Near the end of the stack a whole window would
 * fault: then up to the end of the page, and at last just what was asked for. */
static __always_inline bool fill_window(struct state *s, __u64 address)
{
	__u64 size = WINDOW_BYTES;
	if (bpf_probe_read_user(s->window, WINDOW_BYTES, (void *)address)) {
		size = PAGE_BYTES - (address & (PAGE_BYTES - 1));
		if (size < FRAME_BYTES || size > WINDOW_BYTES)
			size = FRAME_BYTES;
		HIDE(size);
		size &= 2 * WINDOW_BYTES - 1;
		if (size > WINDOW_BYTES)
			return false;
		if (bpf_probe_read_user(s->window, size, (void *)address)) {
			size = FRAME_BYTES;
			if (bpf_probe_read_user(s->window, FRAME_BYTES, (void *)address))
				return false;
		}
	}
	s->window_start = address;
	s->window_end = address + size;
	return true;
}

/* The pair at address, which is a multiple of 8. */
static __always_inline bool read_frame(struct state *s, __u64 address, __u64 *fp, __u64 *ret)
{
	if (address < s->window_start || address + FRAME_BYTES > s->window_end) {
		if (!fill_window(s, address))
			return false;
	}
	__u64 offset = address - s->window_start;
	HIDE(offset);
	offset &= WINDOW_BYTES - 8;
	__u64 second = offset + 8;
	HIDE(second);
	second &= WINDOW_BYTES - 8;
	*fp = *(__u64 *)(s->window + offset);
	*ret = *(__u64 *)(s->window + second);
	return true;
}

/* Is fp a place where a frame of this stack can be? Stacks grow down, so frames are above sp; code
 * built without frame pointers keeps any value in the register. */
static __always_inline bool plausible_frame(const struct state *s)
{
	return s->fp % 8 == 0 && s->fp >= s->sp && s->fp - s->sp < STACK_SPAN_MAX;
}

/* Leaves one frame by its frame pointer and adds the caller's address to the record. The number is
 * unused, but an unused parameter is undefined at the caller, which the verifier refuses. */
__noinline int step(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	if (!s || !plausible_frame(s))
		return STEP_END;
	__u64 fp, ret;
	if (!read_frame(s, s->fp, &fp, &ret) || ret == 0)
		return STEP_END;
	push(s, ret);
	s->pc = ret;
	s->sp = s->fp + FRAME_BYTES;
	s->fp = fp;
	return STEP_MORE;
}

static __always_inline void walk_user_stack(struct state *s)
{
	s->window_start = s->window_end = 0;
	push(s, s->pc | UNWIND_FRAME_EXACT);
	s->record.end = UNWIND_END_ROOT;
	for (__u32 i = 1; i < SAMPLER_USER_FRAMES_MAX; i++) {
		if (step(i) != STEP_MORE)
			return;
	}
	if (plausible_frame(s))
		s->record.end = UNWIND_END_TRUNCATED;
}

/* Where user space entered the kernel. Since 5.15 the kernel says where it saved the registers;
 * before, they are at the very end of the kernel stack. */
static __always_inline bool task_user_registers(struct state *s)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___cresset,
				       BPF_FUNC_task_pt_regs___cresset)) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
		if ((regs->cs & 3) != 3)
			return false;
		s->pc = regs->ip;
		s->sp = regs->sp;
		s->fp = regs->bp;
		return true;
	}
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs =
		(struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES -
				   bpf_core_type_size(struct pt_regs));
	if ((BPF_CORE_READ(regs, cs) & 3) != 3)
		return false;
	s->pc = BPF_CORE_READ(regs, ip);
	s->sp = BPF_CORE_READ(regs, sp);
	s->fp = BPF_CORE_READ(regs, bp);
	return true;
}

static __always_inline void take_kernel_stack(struct state *s, void *ctx)
{
	s->record.flags |= SAMPLER_IN_KERNEL;
	long bytes = bpf_get_stack(ctx, s->frames, SAMPLER_KERNEL_FRAMES_MAX * sizeof(__u64), 0);
	if (bytes <= 0)
		return;
	s->count = (__u64)bytes / sizeof(__u64);
	if (s->count >= SAMPLER_KERNEL_FRAMES_MAX)
		s->record.flags |= SAMPLER_KERNEL_TRUNCATED;
	s->record.kernel_frames = (__u16)s->count;
}

static __always_inline void take_stacks(struct state *s, struct perf_event_context *ctx)
{
	/* Read as 8 bytes: a context may be read only so. */
	bool from_user = (*(volatile __u64 *)&ctx->cs & 3) == 3;
	bool have_user = true;
	if (from_user) {
		s->pc = *(volatile __u64 *)&ctx->ip;
		s->sp = *(volatile __u64 *)&ctx->sp;
		s->fp = *(volatile __u64 *)&ctx->bp;
	} else {
		take_kernel_stack(s, ctx);
		have_user = !(s->record.flags & SAMPLER_KERNEL_THREAD) && task_user_registers(s);
	}
	s->record.end = UNWIND_END_NO_REGISTERS;
	s->record.stack_bytes = 0;
	if (have_user)
		walk_user_stack(s);
	count(SAMPLER_COUNT_ENDS + s->record.end);
	s->record.user_frames = (__u16)(s->count - s->record.kernel_frames);
}

static __always_inline void fill_header(struct state *s, __u64 pid_tgid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	s->record.time_ns = bpf_ktime_get_ns();
	s->record.pid = pid_tgid >> 32;
	s->record.tid = (__u32)pid_tgid;
	s->record.cpu = bpf_get_smp_processor_id();
	s->record.flags = BPF_CORE_READ(task, flags) & PF_KTHREAD ? SAMPLER_KERNEL_THREAD : 0;
	s->record.kernel_frames = s->record.user_frames = 0;
	bpf_get_current_comm(s->record.comm, sizeof(s->record.comm));
	s->count = 0;
}

SEC("perf_event")
int sample(struct perf_event_context *ctx)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	struct state *s = current_state();
	if (!s || (pid_tgid == 0 && !send_idle))
		return 0;
	fill_header(s, pid_tgid);
	take_stacks(s, ctx);
	__u64 frames = s->count;
	HIDE(frames);
	__u64 size = sizeof(s->record) + (frames & (SAMPLER_FRAMES_CAP - 1)) * sizeof(__u64);
	if (bpf_ringbuf_output(&ring, &s->record, size, BPF_RB_NO_WAKEUP))
		count(SAMPLER_COUNT_LOST_RING);
	else
		count(SAMPLER_COUNT_SAMPLES);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
