/* Decoding of records; and, as root, the program in the kernel. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>
#include <linux/types.h>

#include "agent/sampler.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bpf/sampler.h"
#include "process_tables.h"

enum { VERIFIER_INSTRUCTIONS_MAX = 200000 };

static void a_record_is_taken_apart(void **state)
{
	struct {
		struct sampler_record head;
		uint64_t frames[3];
	} record = {{.time_ns = 5,
		     .pid = 1,
		     .tid = 2,
		     .cpu = 3,
		     .flags = SAMPLER_IN_KERNEL,
		     .kernel_frames = 1,
		     .user_frames = 2,
		     .comm = "sixteen-bytes-xx"},
		    {10, 20, 30}};
	struct sample s;
	(void)state;
	memcpy(record.head.comm, "0123456789abcdef", 16);
	assert_true(sample_decode(&record, sizeof(record), &s));
	assert_int_equal(s.time_ns, 5);
	assert_int_equal(s.pid, 1);
	assert_int_equal(s.tid, 2);
	assert_int_equal(s.cpu, 3);
	assert_string_equal(s.comm, "0123456789abcdef");
	assert_int_equal(s.kernel_count, 1);
	assert_int_equal(s.kernel[0], 10);
	assert_int_equal(s.user_count, 2);
	assert_int_equal(s.user[0], 20);
	assert_int_equal(s.user[1], 30);
}

static void a_record_cut_short_is_refused(void **state)
{
	struct {
		struct sampler_record head;
		uint64_t frames[2];
	} record = {{.kernel_frames = 1, .user_frames = 1}, {1, 2}};
	struct sample s;
	(void)state;
	for (size_t len = 0; len < sizeof(record); len++)
		assert_false(sample_decode(&record, len, &s));
	assert_true(sample_decode(&record, sizeof(record), &s));
	record.head.user_frames = UINT16_MAX;
	assert_false(sample_decode(&record, sizeof(record), &s));
}

static void a_record_with_a_stack_says_where_the_walk_stopped(void **state)
{
	struct {
		struct sampler_record head;
		uint64_t frames[1];
		uint8_t stack[16];
	} record = {{.user_frames = 1,
		     .end = UNWIND_END_NO_PROCESS,
		     .stack_bytes = 16,
		     .flags = SAMPLER_STOP_EXACT | SAMPLER_STOP_NO_FP,
		     .pc = 1,
		     .sp = 2,
		     .fp = 3,
		     .lr = 4},
		    {1 | UNWIND_FRAME_EXACT},
		    {9}};
	struct sample s;
	(void)state;
	assert_true(sample_decode(&record, sizeof(record), &s));
	assert_int_equal(s.end, UNWIND_END_NO_PROCESS);
	assert_int_equal(s.stack_len, 16);
	assert_memory_equal(s.stack, record.stack, 16);
	assert_int_equal(s.state.pc, 1);
	assert_int_equal(s.state.sp, 2);
	assert_int_equal(s.state.fp, 3);
	assert_int_equal(s.state.lr, 4);
	assert_true(s.state.exact && s.state.no_fp);
	for (size_t len = 0; len < sizeof(record); len++)
		assert_false(sample_decode(&record, len, &s));
	record.head.end = UNWIND_ENDS;
	assert_false(sample_decode(&record, sizeof(record), &s));
}

struct seen {
	uint32_t own, others, with_kernel;
	bool order_broken, has_idle;
	uint64_t last_ns;
};

static void on_sample(void *ctx, const struct sample *s)
{
	struct seen *seen = ctx;
	if (s->pid == (uint32_t)getpid())
		seen->own++;
	else
		seen->others++;
	seen->with_kernel += s->kernel_count > 0;
	seen->has_idle |= s->pid == 0;
	/* Records of two CPUs may pass each other, but by microseconds. */
	seen->order_broken |= s->time_ns + NS_PER_MS < seen->last_ns;
	seen->last_ns = s->time_ns;
}

static void burn(uint64_t ns)
{
	uint64_t end = clock_thread_cpu_ns() + ns;
	while (clock_thread_cpu_ns() < end)
		syscall(SYS_getppid);
}

static struct sampler *open_sampler(bool send_idle, uint32_t ring_bytes)
{
	struct sampler_options options = {.samples_per_second = 997,
					  .send_idle = send_idle,
					  .ring_bytes = ring_bytes,
					  .space_chunks = 16};
	struct sampler *sampler;
	struct err err = {0};
	if (geteuid() != 0)
		skip();
	if (sampler_create(&options, &sampler, &err))
		fail_msg("%s", err.text);
	return sampler;
}

static void the_verifier_is_far_from_its_limit(void **state)
{
	struct sampler *sampler = open_sampler(false, 0);
	struct sampler_stats stats;
	(void)state;
	sampler_get_stats(sampler, &stats);
	print_message("the verifier processed %u instructions\n", stats.verifier_instructions);
	assert_true(stats.verifier_instructions < VERIFIER_INSTRUCTIONS_MAX);
	assert_true(stats.map_bytes > 0);
	sampler_destroy(sampler);
}

static void a_busy_process_is_sampled_at_the_rate_asked_for(void **state)
{
	struct sampler *sampler = open_sampler(false, 32 << 20);
	struct seen seen = {0};
	struct sampler_stats stats;
	(void)state;
	assert_int_equal(sampler_attach(sampler, NULL), 0);
	for (int i = 0; i < 5; i++) {
		burn(100 * NS_PER_MS);
		assert_int_equal(sampler_consume(sampler, on_sample, &seen, NULL), 0);
	}
	sampler_detach(sampler);
	sampler_get_stats(sampler, &stats);
	print_message("%u samples of half a second; %u of others\n", seen.own, seen.others);
	assert_in_range(seen.own, 420, 580);
	assert_true(seen.with_kernel > 0);
	assert_false(seen.order_broken);
	assert_false(seen.has_idle);
	assert_true(stats.samples >= seen.own + seen.others);
	assert_int_equal(stats.lost_ring, 0);
	sampler_destroy(sampler);
}

static void what_does_not_fit_the_ring_is_counted(void **state)
{
	struct sampler *sampler = open_sampler(true, 16 << 10);
	struct seen seen = {0};
	struct sampler_stats stats;
	(void)state;
	assert_int_equal(sampler_attach(sampler, NULL), 0);
	burn(400 * NS_PER_MS);
	sampler_detach(sampler);
	sampler_get_stats(sampler, &stats);
	assert_true(stats.lost_ring > 0);
	assert_int_equal(sampler_consume(sampler, on_sample, &seen, NULL), 0);
	sampler_get_stats(sampler, &stats);
	assert_int_equal(stats.samples, seen.own + seen.others);
	sampler_destroy(sampler);
}

/* ---- by table ---- */

/* A sampler and the tables of a process, published or not. */
struct tabled {
	struct sampler *sampler;
	struct unwind_space *space;
	struct process_tables tables;
	uint32_t pid;
	uint64_t callers
		[2]; /* return addresses that every sample of the process has, one above the other */
	uint32_t samples, right, finished, with_stack;
	uint32_t ends[UNWIND_ENDS];
};

/* The ring holds the copied stacks of all samples, since nobody takes them while the thread burns; with
 * less room the sampler would leave copies out. */
static void open_tabled(struct tabled *t, pid_t pid)
{
	uint32_t chunks;
	*t = (struct tabled){.pid = (uint32_t)pid, .sampler = open_sampler(false, 32 << 20)};
	void *memory = sampler_space(t->sampler, &chunks);
	assert_int_equal(unwind_space_create(memory, chunks, &t->space, NULL), 0);
	process_tables_make(t->space, pid, &t->tables);
}

static void close_tabled(struct tabled *t)
{
	unwind_space_destroy(t->space);
	sampler_destroy(t->sampler);
}

static void publish(struct tabled *t)
{
	assert_int_equal(sampler_publish(t->sampler, t->pid, t->tables.place, t->tables.count,
					 NULL),
			 0);
}

static bool has_callers(const struct tabled *t, const uint64_t *frames, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (frames[i] == t->callers[0] && frames[i + 1] == t->callers[1])
			return true;
	}
	return false;
}

static void finish(struct tabled *t, const struct sample *s)
{
	uint64_t frames[64];
	size_t count;
	struct unwind_state at = s->state;
	const struct unwind_target target = {
		.space = t->space,
		.mappings = t->tables.place,
		.mapping_count = t->tables.count,
		.machine = EM_X86_64,
		.stack = s->stack,
		.stack_start = s->state.sp,
		.stack_len = s->stack_len,
	};
	t->with_stack += s->stack_len > 0;
	if (unwind_walk(&target, &at, frames, 64, &count) == UNWIND_END_ROOT &&
	    has_callers(t, frames, count))
		t->finished++;
}

static void on_tabled(void *ctx, const struct sample *s)
{
	struct tabled *t = ctx;
	if (s->pid != t->pid || s->tid == s->pid)
		return;
	t->samples++;
	t->ends[s->end]++;
	if (s->end == UNWIND_END_NO_PROCESS)
		finish(t, s);
	else
		t->right += s->end == UNWIND_END_ROOT && has_callers(t, s->user, s->user_count);
}

/* The second caller is the C library's start of a thread, which is not ours to name. */
__attribute__((noinline)) static void burn_below(struct tabled *t)
{
	t->callers[0] = (uint64_t)__builtin_return_address(0);
	burn(300 * NS_PER_MS);
	__asm__ volatile("");
}

static void *burn_in_a_thread(void *arg)
{
	struct tabled *t = arg;
	t->callers[1] = (uint64_t)__builtin_return_address(0);
	assert_int_equal(sampler_attach_pid(t->sampler, (int)syscall(SYS_gettid), NULL), 0);
	burn_below(t);
	sampler_detach(t->sampler);
	return NULL;
}

static void burn_and_take(struct tabled *t)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, burn_in_a_thread, t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sampler_consume(t->sampler, on_tabled, t, NULL), 0);
	assert_true(t->samples > 50);
}

/* The thread attaches and detaches in other functions: some samples may be of those. */
static bool nearly_all(const struct tabled *t, uint32_t count)
{
	return count + 2 + t->samples / 50 >= t->samples;
}

static void stacks_of_a_published_process_reach_the_root(void **state)
{
	struct tabled t;
	struct sampler_stats stats;
	(void)state;
	open_tabled(&t, getpid());
	publish(&t);
	burn_and_take(&t);
	sampler_get_stats(t.sampler, &stats);
	print_message("%u samples: %u to the root, %u right; %u of %u mappings by table\n",
		      t.samples, t.ends[UNWIND_END_ROOT], t.right, t.tables.by_table,
		      t.tables.count);
	assert_true(nearly_all(&t, t.ends[UNWIND_END_ROOT]));
	assert_true(nearly_all(&t, t.right));
	assert_int_equal(stats.ends[UNWIND_END_ROOT], t.ends[UNWIND_END_ROOT]);
	assert_int_equal(stats.stack_bytes, 0);
	close_tabled(&t);
}

static void the_stack_of_an_unknown_process_is_finished_in_user_space(void **state)
{
	struct tabled t;
	struct sampler_stats stats;
	(void)state;
	open_tabled(&t, getpid());
	burn_and_take(&t);
	sampler_get_stats(t.sampler, &stats);
	assert_int_equal(t.ends[UNWIND_END_NO_PROCESS], t.samples);
	assert_int_equal(t.with_stack, t.samples);
	print_message("%u samples, %u finished, %lu bytes of stack each\n", t.samples, t.finished,
		      (unsigned long)(stats.stack_bytes / t.samples));
	assert_true(nearly_all(&t, t.finished));
	publish(&t);
	sampler_unpublish(t.sampler, t.pid);
	sampler_unpublish(t.sampler, t.pid);
	t.samples = t.ends[UNWIND_END_NO_PROCESS] = 0;
	burn_and_take(&t);
	assert_int_equal(t.ends[UNWIND_END_NO_PROCESS], t.samples);
	close_tabled(&t);
}

/* The hash takes so many processes and no more; the end of one makes room. */
static void a_process_that_ends_is_forgotten(void **state)
{
	struct sampler *sampler = open_sampler(false, 0);
	struct err err;
	int gate[2];
	char byte;
	(void)state;
	assert_int_equal(pipe(gate), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(gate[1]);
		_exit((int)read(gate[0], &byte, 1));
	}
	close(gate[0]);
	assert_int_equal(sampler_publish(sampler, (uint32_t)pid, 2, 1, &err), 0);
	/* Pids that this kernel does not give. */
	for (uint32_t i = 1; i < UNWIND_PROCESSES_MAX; i++)
		assert_int_equal(sampler_publish(sampler, 1U << 30 | i, 2, 1, &err), 0);
	assert_int_equal(sampler_publish(sampler, 1U << 30, 2, 1, &err), ERR_LIMIT);
	close(gate[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(sampler_publish(sampler, 1U << 30, 2, 1, &err), 0);
	sampler_destroy(sampler);
}

static void on_child(void *ctx, const struct sample *s)
{
	struct tabled *t = ctx;
	if (s->pid == t->pid)
		t->ends[s->end]++;
}

static bool wait_for_child(struct tabled *t, enum unwind_end end)
{
	const uint64_t limit_ns = clock_mono_ns() + 20ULL * NS_PER_S;
	memset(t->ends, 0, sizeof(t->ends));
	while (t->ends[end] == 0 && clock_mono_ns() < limit_ns) {
		usleep(2000);
		assert_int_equal(sampler_consume(t->sampler, on_child, t, NULL), 0);
	}
	return t->ends[end] > 0;
}

static volatile sig_atomic_t told;

static void on_signal(int number)
{
	(void)number;
	told = 1;
}

static void a_process_that_executes_another_program_is_forgotten(void **state)
{
	struct tabled t;
	(void)state;
	signal(SIGUSR1, on_signal);
	pid_t pid = fork();
	if (pid == 0) {
		while (!told)
			;
		execl("/bin/sh", "sh", "-c", "while :; do :; done", (char *)NULL);
		_exit(1);
	}
	open_tabled(&t, pid);
	publish(&t);
	assert_int_equal(sampler_attach_pid(t.sampler, pid, NULL), 0);
	bool known = wait_for_child(&t, UNWIND_END_ROOT) && t.ends[UNWIND_END_NO_PROCESS] == 0;
	kill(pid, SIGUSR1);
	bool forgotten = wait_for_child(&t, UNWIND_END_NO_PROCESS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close_tabled(&t);
	assert_true(known);
	assert_true(forgotten);
}

/* Code for 32 bits, by the selector for it: a far return into `jmp .` below 4 GiB. */
static void run_32bit_code(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (code == MAP_FAILED)
		_exit(1);
	code[0] = 0xeb;
	code[1] = 0xfe;
	__asm__ volatile("pushq $0x23\n\tpushq %0\n\tlretq" : : "r"(code));
}

static void a_32bit_process_has_one_honest_frame(void **state)
{
	struct tabled t = {.sampler = open_sampler(false, 0)};
	int status;
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		run_32bit_code();
		_exit(1);
	}
	t.pid = (uint32_t)pid;
	assert_int_equal(sampler_attach_pid(t.sampler, pid, NULL), 0);
	bool seen = wait_for_child(&t, UNWIND_END_32BIT);
	bool ended = waitpid(pid, &status, WNOHANG) == pid;
	kill(pid, SIGKILL);
	if (!ended)
		waitpid(pid, NULL, 0);
	sampler_destroy(t.sampler);
	if (ended && !seen)
		skip(); /* a kernel without code for 32 bits */
	assert_true(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_taken_apart),
		cmocka_unit_test(a_record_cut_short_is_refused),
		cmocka_unit_test(a_record_with_a_stack_says_where_the_walk_stopped),
		cmocka_unit_test(the_verifier_is_far_from_its_limit),
		cmocka_unit_test(a_busy_process_is_sampled_at_the_rate_asked_for),
		cmocka_unit_test(what_does_not_fit_the_ring_is_counted),
		cmocka_unit_test(stacks_of_a_published_process_reach_the_root),
		cmocka_unit_test(the_stack_of_an_unknown_process_is_finished_in_user_space),
		cmocka_unit_test(a_process_that_ends_is_forgotten),
		cmocka_unit_test(a_process_that_executes_another_program_is_forgotten),
		cmocka_unit_test(a_32bit_process_has_one_honest_frame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
