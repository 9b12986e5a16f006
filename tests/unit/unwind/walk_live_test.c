/* Walks over real stacks, at every instruction: the processor's trap flag stops a
 * thread after each one, and the handler walks the stack that it interrupted, by
 * the tables of this very process. What must come out is known: every function of
 * the test notes its return address, outermost first.
 *
 * So prologues, epilogues, PLT entries, leaves of the C library, the vDSO, signal
 * handlers on another stack: whatever the work does is looked at, at each of its
 * instructions. Built without frame pointers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <alloca.h>
#include <cmocka.h>
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "process_tables.h"

#if defined(__x86_64__)

enum {
	CHUNKS = 16,
	NOTES_MAX = 64,
	FRAMES_MAX = 256,
	STACK_BYTES = 256 << 10,
	SIGNAL_STACK_BYTES = 128 << 10,
	TRAP_FLAG = 0x100,
	SOME_FRAMES = 0, /* as a note: whatever the C library calls in between */
};

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#define APART	 __attribute__((noinline))
#define NOTE()	 note((uint64_t)__builtin_return_address(0))
#define FORGET() (note_count--)
/* From the next instruction on, every one traps; until off. */
#define STEP_ON()                                        \
	do {                                             \
		stepping = 1;                            \
		__asm__ volatile("int3" : : : "memory"); \
	} while (0)
#define STEP_OFF() (stepping = 0)

/* A thread's stack and its signal stack, in one piece, so that one range holds both. */
struct stacks {
	_Alignas(4096) uint8_t memory[STACK_BYTES + SIGNAL_STACK_BYTES];
};

static struct stacks stacks;
static volatile uint64_t notes[NOTES_MAX];
static volatile int note_count, stepping;
static volatile uint64_t sink;
static struct unwind_target target;

static struct {
	uint64_t steps, ends[UNWIND_ENDS];
	uint64_t wrong; /* to the root, but by another way */
	uint64_t first_pc;
} seen;

/* It counts when it is there: the handler looks between any two instructions. */
static inline __attribute__((always_inline)) void note(uint64_t address)
{
	notes[note_count] = address;
	note_count++;
}

/* ---- the handler ---- */

/* From the root, below whose first note is the C library's clone. */
static bool ends_with_notes(const uint64_t *frames, size_t count)
{
	size_t at = count - 1;
	for (int i = 0; i < note_count; i++) {
		bool between = notes[i] == SOME_FRAMES;
		if (between && ++i == note_count)
			return true;
		do {
			if (at-- == 0)
				return false;
		} while (between && frames[at] != notes[i]);
		if (frames[at] != notes[i])
			return false;
	}
	return true;
}

/* Of this process; by the kernel, since the address may be no address. */
static size_t read_code(void *ctx, uint64_t address, void *dst, size_t len)
{
	const struct iovec to = {dst, len}, from = {(void *)(uintptr_t)address, len};
	(void)ctx;
	const ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	return got > 0 ? (size_t)got : 0;
}

static void look(const ucontext_t *context)
{
	const greg_t *regs = context->uc_mcontext.gregs;
	static uint64_t frames[FRAMES_MAX];
	struct unwind_state state = {.pc = (uint64_t)regs[REG_RIP],
				     .sp = (uint64_t)regs[REG_RSP],
				     .fp = (uint64_t)regs[REG_RBP],
				     .exact = true};
	size_t count;
	enum unwind_end end = unwind_walk(&target, &state, frames, FRAMES_MAX, &count);
	const bool right = end == UNWIND_END_ROOT && count > 0 && ends_with_notes(frames, count);
	seen.steps++;
	seen.ends[end]++;
	seen.wrong += end == UNWIND_END_ROOT && !right;
	if (!right && seen.first_pc == 0)
		seen.first_pc = (uint64_t)regs[REG_RIP];
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	(void)number;
	(void)info;
	look(at);
	if (stepping)
		at->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
	else
		at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

/* ---- work ---- */

APART static uint64_t leaf(uint64_t x)
{
	return x * 6364136223846793005u + sink;
}

APART static uint64_t many_registers(uint64_t a, uint64_t b, uint64_t c)
{
	NOTE();
	uint64_t d = leaf(a), e = leaf(b), f = leaf(c), g = leaf(d);
	sink += a + b + c + d + e + f + g;
	FORGET();
	return sink;
}

APART static uint64_t variable_frame(size_t bytes)
{
	NOTE();
	volatile uint8_t *memory = alloca(bytes);
	memory[0] = 1;
	memory[bytes - 1] = 2;
	uint64_t sum = many_registers(memory[0], memory[bytes - 1], bytes);
	FORGET();
	return sum;
}

APART static uint64_t recursion(int depth)
{
	NOTE();
	uint64_t sum = depth > 0 ? recursion(depth - 1) + 1 : variable_frame(100);
	FORGET();
	return sum;
}

APART static uint64_t realigned(void)
{
	NOTE();
	_Alignas(64) volatile uint8_t memory[128] = {0};
	memory[5] = 3;
	uint64_t sum = many_registers(memory[5], 7, 9);
	FORGET();
	return sum;
}

static int compare(const void *a, const void *b)
{
	note(SOME_FRAMES);
	NOTE();
	const int x = *(const int *)a, y = *(const int *)b;
	sink += leaf((uint64_t)x);
	FORGET();
	FORGET();
	return x < y ? -1 : x > y;
}

APART static void library(void)
{
	NOTE();
	int numbers[] = {5, 3, 9, 1, 7, 2, 8};
	char text[128], copy[128];
	struct timespec now;
	qsort(numbers, sizeof(numbers) / sizeof(*numbers), sizeof(*numbers), compare);
	snprintf(text, sizeof(text), "%d %s %8.3f %p", numbers[0], "text", 3.5, (void *)text);
	memcpy(copy, text, sizeof(copy));
	sink += strlen(copy) + (uint64_t)strcmp(text, copy);
	clock_gettime(CLOCK_MONOTONIC, &now);
	free(malloc(100 + (size_t)now.tv_nsec % 10));
	FORGET();
}

APART static void work(void)
{
	NOTE();
	sink += recursion(5) + realigned();
	library();
	FORGET();
}

/* What raises is in the C library, whose frames are not noted, so the signal comes from an instruction. */
APART static void interrupted(void)
{
	NOTE();
	__asm__ volatile("ud2" : : : "memory");
	FORGET();
}

/* Its caller is the kernel; it notes what it interrupted, and lets it go on behind ud2. */
static void on_illegal(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	(void)number;
	(void)info;
	at->uc_mcontext.gregs[REG_RIP] += 2;
	note((uint64_t)at->uc_mcontext.gregs[REG_RIP] | UNWIND_FRAME_EXACT);
	NOTE();
	STEP_ON();
	work();
	STEP_OFF();
	FORGET();
	FORGET();
}

/* ---- exceptions ---- */

static struct _Unwind_Exception exception;
static bool steps_to_handlers;
static jmp_buf behind_handlers;

static _Unwind_Reason_Code go_on(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				 struct _Unwind_Exception *self, struct _Unwind_Context *context,
				 void *arg)
{
	(void)version;
	(void)actions;
	(void)class;
	(void)self;
	(void)context;
	(void)arg;
	return _URC_NO_REASON;
}

static void inner_handler(const int *count)
{
	sink += leaf((uint64_t)*count);
}

static void outer_handler(const int *count)
{
	STEP_OFF();
	sink += (uint64_t)*count;
	longjmp(behind_handlers, 1);
}

APART static void throw_from(volatile uint8_t *memory, int depth)
{
	if (depth > 0)
		throw_from(memory, depth - 1);
	else if (steps_to_handlers)
		STEP_ON();
	_Unwind_ForcedUnwind(&exception, go_on, NULL);
	sink += memory[0];
}

APART static void pass_through_inner_handler(void)
{
	int __attribute__((cleanup(inner_handler))) guarded = 1;
	volatile uint8_t memory[1000];
	memory[0] = 1;
	throw_from(memory, 3);
	sink += (uint64_t)guarded;
}

/* Those that are called from here are left in the middle. */
APART static void end_in_outer_handler(void)
{
	NOTE();
	int __attribute__((cleanup(outer_handler))) guarded = 1;
	note(SOME_FRAMES);
	pass_through_inner_handler();
	sink += (uint64_t)guarded;
}

/* ---- threads ---- */

static void catch_signal(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void use_signal_stack(uint8_t *memory)
{
	const stack_t stack = {.ss_sp = memory, .ss_size = SIGNAL_STACK_BYTES};
	assert_int_equal(sigaltstack(&stack, NULL), 0);
}

APART static void *step_through_work(void *signal_stack)
{
	NOTE();
	use_signal_stack(signal_stack);
	work(); /* functions of libraries are bound now */
	STEP_ON();
	work();
	STEP_OFF();
	FORGET();
	return NULL;
}

/* Before any other: functions of libraries are bound meanwhile. */
APART static void *step_through_binding(void *signal_stack)
{
	NOTE();
	use_signal_stack(signal_stack);
	STEP_ON();
	work();
	STEP_OFF();
	FORGET();
	return NULL;
}

APART static void *step_through_a_signal(void *signal_stack)
{
	NOTE();
	use_signal_stack(signal_stack);
	work();
	interrupted();
	FORGET();
	return NULL;
}

APART static void *step_to_handlers(void *signal_stack)
{
	NOTE();
	use_signal_stack(signal_stack);
	if (setjmp(behind_handlers) == 0)
		end_in_outer_handler();
	return NULL;
}

static void run(void *(*thread_main)(void *), bool signal_stack_below)
{
	struct process_tables tables;
	struct unwind_space *space;
	pthread_attr_t attr;
	pthread_t thread;
	uint8_t *const signal_stack = stacks.memory + (signal_stack_below ? 0 : STACK_BYTES);
	uint8_t *const stack = stacks.memory + (signal_stack_below ? SIGNAL_STACK_BYTES : 0);
	void *memory = calloc(CHUNKS, UNWIND_CHUNK_BYTES);
	assert_non_null(memory);
	assert_int_equal(unwind_space_create(memory, CHUNKS, &space, NULL), 0);
	process_tables_make(space, getpid(), &tables);
	memset(&seen, 0, sizeof(seen));
	note_count = 0;
	target = (struct unwind_target){
		.space = space,
		.mappings = tables.place,
		.mapping_count = tables.count,
		.machine = EM_X86_64,
		.stack = stacks.memory,
		.stack_start = (uint64_t)stacks.memory,
		.stack_len = sizeof(stacks.memory),
		.read_code = read_code,
	};
	catch_signal(SIGTRAP, on_trap);
	catch_signal(SIGILL, on_illegal);
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attr, thread_main, signal_stack), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	unwind_space_destroy(space);
	free(memory);
}

static void print_seen(void)
{
	print_message("%lu instructions, %lu to the root, %lu of them by a wrong way\n",
		      (unsigned long)seen.steps, (unsigned long)seen.ends[UNWIND_END_ROOT],
		      (unsigned long)seen.wrong);
	for (int i = 1; i < UNWIND_ENDS; i++) {
		if (seen.ends[i] > 0)
			print_message("%lu ended for reason %d\n", (unsigned long)seen.ends[i], i);
	}
	if (seen.first_pc)
		print_message("the first one not right: pc 0x%lx, here is 0x%lx\n",
			      (unsigned long)seen.first_pc, (unsigned long)(uintptr_t)work);
	assert_true(seen.steps > 2000);
}

static void check(void)
{
	print_seen();
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(seen.ends[UNWIND_END_ROOT], seen.steps);
}

/* The dynamic linker counts its frame from %rbx. Its callees are left by what they saved of it; for
 * its own few instructions the register is needed, which user space does not have. */
static void callees_of_the_dynamic_linker_have_their_stack(void **state)
{
	(void)state;
	run(step_through_binding, true);
	print_seen();
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(seen.ends[UNWIND_END_ROOT] + seen.ends[UNWIND_END_RULE], seen.steps);
	assert_true(seen.ends[UNWIND_END_RULE] < seen.steps / 25);
}

static void every_instruction_has_its_stack(void **state)
{
	(void)state;
	run(step_through_work, true);
	check();
}

/* But for the last instructions in front of each of the two handlers, where registers are needed. */
static void unwinding_to_a_handler_has_its_stack(void **state)
{
	(void)state;
	steps_to_handlers = false; /* functions of libraries are bound */
	run(step_to_handlers, true);
	steps_to_handlers = true;
	run(step_to_handlers, true);
	print_seen();
	assert_in_range(seen.steps - seen.ends[UNWIND_END_ROOT] + seen.wrong, 0, 2 * 16);
}

static void every_instruction_of_a_signal_handler_has_its_stack(void **state)
{
	(void)state;
	run(step_through_a_signal, true);
	check();
	run(step_through_a_signal, false);
	check();
}

int main(void)
{
	/* AddressSanitizer has its own ideas of signal stacks, and forbids to read the room between the
	 * variables of a live stack. walk_test.c runs the walk under it. */
	if (SANITIZED)
		return 77;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callees_of_the_dynamic_linker_have_their_stack),
		cmocka_unit_test(every_instruction_has_its_stack),
		cmocka_unit_test(unwinding_to_a_handler_has_its_stack),
		cmocka_unit_test(every_instruction_of_a_signal_handler_has_its_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77; /* skipped: written for x86-64 */
}

#endif
