/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * One sample per timer interrupt: who runs on this CPU, and by which chain of
 * calls, first in the kernel and then in user space.
 *
 *	sample()			entry, on a cpu-clock perf event of each CPU
 *	 ├ kernel stack			bpf_get_stack, into the record
 *	 ├ user registers		where user space was left
 *	 ├ step(i) for each frame	a global function: unwind_step() and a push
 *	 └ copy of the stack		when the walk waits for user space
 *	forget_exec(), forget_exit()	a process's mappings are void from then on
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

#include "registers.h"
#include "sampler.h"

#define HIDE(x)	       asm volatile("" : "+r"(x))
#define UNWIND_HIDE(x) HIDE(x)

enum {
	WINDOW_BYTES = 1024, /* reading this much costs what reading 8 bytes does */
	PAGE_BYTES = 4096,
	WORD_BYTES = 8,
};

/* The part of the stack that was read last. */
struct unwind_memory {
	__u64 start, end; /* user addresses of what window holds */
	__u64 wanted;	  /* fill_window(): the address to begin at */
	__u8 window[WINDOW_BYTES];
};

static bool unwind_read(struct unwind_memory *m, __u64 address, __u64 *ret);
static bool unwind_code(struct unwind_memory *m, __u64 address, __u64 *ret);
static const void *unwind_chunk(struct unwind_memory *m, __u32 place);
struct unwind_walker;
static __u32 unwind_find_mapping(struct unwind_walker *w, struct unwind_memory *m);
static __u32 unwind_find_caller(struct unwind_walker *w, struct unwind_memory *m, __u32 word);
static void unwind_find_handler(struct unwind_walker *w, struct unwind_memory *m);
static __u32 unwind_find_copied(struct unwind_walker *w, struct unwind_memory *m);

#include "unwind_step.h"

/* Set before loading. */
const volatile bool send_idle;

enum { STACK_PAGES = SAMPLER_STACK_BYTES / PAGE_BYTES };

enum step_result { STEP_MORE, STEP_END };

/* The record as it is sent (header, frames, copy of the stack), then what the walk needs. */
struct state {
	struct sampler_record record;
	__u64 frames[SAMPLER_FRAMES_CAP];
	__u8 stack[3 * PAGE_BYTES]; /* more room: the copy begins where the frames end */
	__u64 count;		    /* frames in frames[], kernel and user */
	struct unwind_walker walker;
	struct unwind_memory memory;
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

static __always_inline void count(__u32 key, __u64 more)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &key);
	if (value)
		*value += more;
}

static __always_inline void push_user(struct state *s)
{
	__u64 i = s->count;
	__u64 flag = s->walker.exact ? UNWIND_FRAME_EXACT : 0;
	HIDE(i);
	s->frames[i & (SAMPLER_FRAMES_CAP - 1)] = (s->walker.pc & ~UNWIND_FRAME_EXACT) | flag;
	s->count = i + 1;
}

/* ---- what a step reads ---- */

/* Near the end of the stack a whole window would fault: then what is left of the page. */
__noinline int fill_window(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	if (!s)
		return -1;
	struct unwind_memory *m = &s->memory;
	__u64 size = WINDOW_BYTES, wanted = m->wanted;
	m->start = m->end = 0;
	if (bpf_probe_read_user(m->window, WINDOW_BYTES, (void *)wanted)) {
		size = PAGE_BYTES - (wanted & (PAGE_BYTES - 1));
		HIDE(size);
		if (size >= WINDOW_BYTES)
			return -1;
		if (bpf_probe_read_user(m->window, size, (void *)wanted))
			return -1;
	}
	m->start = wanted;
	m->end = wanted + size;
	return 0;
}

static __always_inline bool unwind_read(struct unwind_memory *m, __u64 address, __u64 *ret)
{
	if (address % WORD_BYTES)
		return false;
	if (address < m->start || address >= m->end) {
		m->wanted = address;
		if (fill_window(0))
			return false;
	}
	__u64 offset = address - m->start;
	HIDE(offset);
	*ret = *(__u64 *)(m->window + (offset & (WINDOW_BYTES - WORD_BYTES)));
	return true;
}

static __always_inline bool unwind_code(struct unwind_memory *m, __u64 address, __u64 *ret)
{
	(void)m;
	return bpf_probe_read_user(ret, sizeof(*ret), (void *)address) == 0;
}

static __always_inline const void *unwind_chunk(struct unwind_memory *m, __u32 place)
{
	__u32 chunk = place / UNWIND_CHUNK_UNITS;
	(void)m;
	return bpf_map_lookup_elem(&space, &chunk);
}

/* Global for the verifier's sake, as step(). */
__noinline int find_mapping(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	return s ? (int)unwind_search_mapping(&s->walker, &s->memory) : UNWIND_END_NO_MAPPING;
}

static __always_inline __u32 unwind_find_mapping(struct unwind_walker *w, struct unwind_memory *m)
{
	(void)w;
	(void)m;
	return (__u32)find_mapping(0);
}

__noinline int find_caller(__u32 word)
{
	struct state *s = current_state();
	return s ? (int)unwind_caller_at(&s->walker, &s->memory, word) : UNWIND_CALLER_NONE;
}

static __always_inline __u32 unwind_find_caller(struct unwind_walker *w, struct unwind_memory *m,
						__u32 word)
{
	(void)w;
	(void)m;
	return (__u32)find_caller(word);
}

__noinline int find_copied(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	return s ? (int)unwind_copied_from(&s->walker, &s->memory) : UNWIND_COPIED_UNREADABLE;
}

static __always_inline __u32 unwind_find_copied(struct unwind_walker *w, struct unwind_memory *m)
{
	(void)w;
	(void)m;
	return (__u32)find_copied(0);
}

__noinline int find_handler(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	if (s)
		unwind_handler_frame(&s->walker, &s->memory);
	return 0;
}

static __always_inline void unwind_find_handler(struct unwind_walker *w, struct unwind_memory *m)
{
	(void)w;
	(void)m;
	find_handler(0);
}

/* ---- the walk ---- */

/* Leaves one frame and adds the caller's address to the record. The number is unused, but an unused
 * parameter is undefined at the caller, which the verifier refuses. */
__noinline int step(__u32 i)
{
	HIDE(i);
	struct state *s = current_state();
	if (!s)
		return STEP_END;
	__u32 end = unwind_step(&s->walker, &s->memory);
	if (end != UNWIND_MORE) {
		s->record.end = (__u16)end;
		return STEP_END;
	}
	push_user(s);
	return STEP_MORE;
}

enum { STEPS = 32 };
_Static_assert(SAMPLER_USER_FRAMES_MAX == STEPS * STEPS, "the walk is shorter than its record");

/* A loop in a loop of global functions: each costs the verifier its own turns only. */
__noinline int steps(__u32 i)
{
	HIDE(i);
	for (__u32 n = 0; n < STEPS; n++) {
		if (step(n) != STEP_MORE)
			return STEP_END;
	}
	return STEP_MORE;
}

/* One more step than there is room for, to know that the stack has more. */
static __always_inline void walk_frames(struct state *s)
{
	for (__u32 n = 0; n < STEPS; n++) {
		if (steps(n) != STEP_MORE)
			return;
	}
	s->record.end = UNWIND_END_TRUNCATED;
	s->count--;
}

/* One page at a time, so that what is readable below the end of the stack is there. A process that is not
 * known yet has few frames, so there is room for the most. */
static __always_inline void copy_stack(struct state *s, __u32 pages)
{
	__u64 sp = s->walker.sp, done = PAGE_BYTES - (sp & (PAGE_BYTES - 1));
	__u64 at = (s->count & (SAMPLER_FRAMES_CAP - 1)) * sizeof(__u64);
	HIDE(at);
	HIDE(done);
	if (pages == 0 || at > sizeof(s->frames) || done > PAGE_BYTES ||
	    bpf_probe_read_user((__u8 *)s->frames + at, done, (void *)sp))
		return;
	for (__u32 i = 1; i < pages; i++) {
		__u64 to = at + done;
		HIDE(to);
		if (to > sizeof(s->frames) + sizeof(s->stack) - PAGE_BYTES ||
		    bpf_probe_read_user((__u8 *)s->frames + to, PAGE_BYTES, (void *)(sp + done)))
			break;
		done += PAGE_BYTES;
	}
	s->record.stack_bytes = (__u16)done;
}

/* The less, the fuller the ring buffer is: a sample without a stack is better than none. */
static __always_inline __u32 stack_pages(__u32 end)
{
	__u64 size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	if (waiting > size / 2)
		return 0;
	return end == UNWIND_END_NO_MAPPING || waiting > size / 4 ? 2 : STACK_PAGES;
}

static __always_inline bool user_space_walks_on(__u32 end)
{
	return end == UNWIND_END_NO_PROCESS || end == UNWIND_END_NO_MAPPING ||
	       end == UNWIND_END_NOT_READY;
}

static __always_inline void fill_stop(struct state *s)
{
	struct sampler_record *r = &s->record;
	r->pc = s->walker.pc;
	r->sp = s->walker.sp;
	r->fp = s->walker.fp;
	r->lr = s->walker.lr;
	if (s->walker.exact)
		r->flags |= SAMPLER_STOP_EXACT;
	if (s->walker.no_fp)
		r->flags |= SAMPLER_STOP_NO_FP;
	if (user_space_walks_on(r->end))
		copy_stack(s, stack_pages(s->record.end));
}

/* From the registers in the walker. */
static __always_inline void walk_user_stack(struct state *s, bool is_32bit)
{
	struct unwind_walker *w = &s->walker;
	__u32 pid = s->record.pid;
	w->exact = 1;
	w->no_fp = 0;
	w->switches = 0;
	w->handler_searches = 0;
	w->mapping.start = w->mapping.end = 0;
	s->memory.start = s->memory.end = 0;
	push_user(s);
	struct unwind_process *process = bpf_map_lookup_elem(&processes, &pid);
	if (is_32bit) {
		s->record.end = UNWIND_END_32BIT;
	} else if (!process) {
		s->record.end = UNWIND_END_NO_PROCESS;
	} else {
		w->mappings = process->mappings;
		w->mapping_count = process->count;
		walk_frames(s);
	}
	fill_stop(s);
}

/* ---- registers ---- */

/* Where user space entered the kernel. Since 5.15 the kernel says where it saved the registers;
 * before, they are at the very end of the kernel stack. */
static __always_inline enum registers_mode task_user_registers(struct state *s)
{
	struct unwind_walker *w = &s->walker;
	if (bpf_core_enum_value_exists(enum bpf_func_id___cresset,
				       BPF_FUNC_task_pt_regs___cresset)) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
		COPY_REGISTERS(w, regs);
		return registers_mode(regs);
	}
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs_frame *regs = (struct pt_regs_frame *)s->memory.window; /* empty yet */
	char *end = (char *)BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES;
	if (bpf_probe_read_kernel(regs, sizeof(*regs), end - bpf_core_type_size(struct pt_regs)))
		return MODE_KERNEL;
	COPY_REGISTERS(w, regs);
	return registers_mode(regs);
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

static __always_inline bool is_kernel_thread(struct state *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	if (!(BPF_CORE_READ(task, flags) & PF_KTHREAD))
		return false;
	s->record.flags |= SAMPLER_KERNEL_THREAD;
	s->record.end = UNWIND_END_ROOT;
	return true;
}

/* A process that ends gives its memory back before it is gone: what the kernel does then is the whole
 * stack. */
static __always_inline bool has_user_stack(struct state *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	if (is_kernel_thread(s))
		return false;
	if (BPF_CORE_READ(task, mm))
		return true;
	s->record.end = UNWIND_END_ROOT;
	return false;
}

static __always_inline void take_stacks(struct state *s, struct perf_event_context *ctx)
{
	/* Read as 8 bytes: a context may be read only so. */
	volatile struct perf_event_context *regs = ctx;
	enum registers_mode mode = registers_mode(regs);
	if (mode != MODE_KERNEL) {
		COPY_REGISTERS(&s->walker, regs);
	} else {
		take_kernel_stack(s, ctx);
		mode = has_user_stack(s) ? task_user_registers(s) : MODE_KERNEL;
	}
	if (mode != MODE_KERNEL)
		walk_user_stack(s, mode == MODE_USER_32BIT);
	s->record.user_frames = (__u16)(s->count - s->record.kernel_frames);
	if (!(s->record.flags & SAMPLER_KERNEL_THREAD))
		count(SAMPLER_COUNT_ENDS + s->record.end, 1);
}

static __always_inline void fill_header(struct state *s, __u64 pid_tgid)
{
	s->record.time_ns = bpf_ktime_get_ns();
	s->record.pid = pid_tgid >> 32;
	s->record.tid = (__u32)pid_tgid;
	s->record.cpu = bpf_get_smp_processor_id();
	s->record.flags = 0;
	s->record.kernel_frames = s->record.user_frames = 0;
	s->record.end = UNWIND_END_NO_REGISTERS;
	s->record.stack_bytes = 0;
	s->record.pc = s->record.sp = s->record.fp = s->record.lr = 0;
	bpf_get_current_comm(s->record.comm, sizeof(s->record.comm));
	s->count = 0;
}

static __always_inline void send(struct state *s)
{
	__u64 size = sizeof(s->record) + s->count * sizeof(__u64) + s->record.stack_bytes;
	HIDE(size);
	if (size > __builtin_offsetof(struct state, count))
		return;
	/* User space looks at what waits for it soon, at the rest in its own time. */
	__u64 flags = s->record.stack_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&ring, &s->record, size, flags))
		count(SAMPLER_COUNT_LOST_RING, 1);
	else
		count(SAMPLER_COUNT_SAMPLES, 1);
	if (s->record.stack_bytes)
		count(SAMPLER_COUNT_STACK_BYTES, s->record.stack_bytes);
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
	send(s);
	return 0;
}

/* ---- the end of what is known about a process ---- */

/* Both run in the process itself. */
static __always_inline void forget(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	bpf_map_delete_elem(&processes, &pid);
}

SEC("raw_tp/sched_process_exec")
int forget_exec(void *ctx)
{
	(void)ctx;
	forget();
	return 0;
}

/* The first thread may end before the others, so the last one counts. */
SEC("raw_tp/sched_process_exit")
int forget_exit(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	(void)ctx;
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		forget();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
