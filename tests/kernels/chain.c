/* Spends CPU time at the end of a chain of calls that goes through libc, and says on standard output
 * which one it is: `chain user|kernel SECONDS DEPTH`.
 *
 *	_start - libc - main - run - descend, DEPTH times - libc's qsort - compare - middle - inner
 *		- burn | ask_kernel
 *
 * One line for each frame from middle on, "FILE VADDR" of its return address, as libgcc's own unwinder
 * finds them; then "go". Below that the chain is inner, and a leaf. ask_kernel has its system call
 * instruction itself, so that a sample taken in the kernel was called from there. */
#include <alloca.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unwind.h>

#define NOINLINE __attribute__((noinline))

enum { FRAMES_MAX = 1200, ROUNDS = 200000, CALLS = 1000 };

struct trace {
	uintptr_t pcs[FRAMES_MAX];
	int count;
};

static volatile uint64_t sink;
static double seconds;
static const char *mode;

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
	struct trace *trace = arg;
	if (trace->count == FRAMES_MAX)
		return _URC_END_OF_STACK;
	trace->pcs[trace->count++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void say_frame(uintptr_t pc)
{
	Dl_info info;
	const char *slash;
	if (pc == 0) /* libgcc ends with one below _start */
		return;
	if (!dladdr((const void *)(pc - 1), &info))
		abort();
	slash = strrchr(info.dli_fname, '/');
	printf("%s %lx\n", slash ? slash + 1 : info.dli_fname,
	       (unsigned long)(pc - (uintptr_t)info.dli_fbase));
}

/* Its own frame is the first, that of inner the second. */
NOINLINE static void say_chain(void)
{
	struct trace trace = {.count = 0};
	(void)_Unwind_Backtrace(note_frame, &trace);
	for (int i = 2; i < trace.count; i++)
		say_frame(trace.pcs[i]);
	puts("go");
	fflush(stdout);
}

NOINLINE static void burn(void)
{
	uint64_t x = sink;
	for (int i = 0; i < ROUNDS; i++)
		x = x * 6364136223846793005u + (x >> 17);
	sink = x;
}

/* Moves the program break to nowhere: the answer is the present one, at once. */
NOINLINE static void ask_kernel(void)
{
	for (int i = 0; i < CALLS; i++) {
		long result;
#if defined(__x86_64__)
		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "a"(SYS_brk), "D"(0)
				 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
		register long number __asm__("x8") = SYS_brk;
		register long x0 __asm__("x0") = 0;
		__asm__ volatile("svc 0" : "+r"(x0) : "r"(number) : "memory");
		result = x0;
#endif
		sink += (uint64_t)result;
	}
}

NOINLINE static void inner(int depth)
{
	say_chain();
	const uint64_t until_ns = cpu_ns() + (uint64_t)(seconds * 1e9);
	while (cpu_ns() < until_ns) {
		if (mode[0] == 'k')
			ask_kernel();
		else
			burn();
	}
	sink += (uint64_t)depth;
}

/* Room of variable size: this frame is found by its frame pointer, though the others have none. */
NOINLINE static void middle(int depth)
{
	volatile char *room = alloca((size_t)(16 + depth % 64));
	room[depth % 16] = 1;
	inner(depth + room[depth % 16]);
	sink += (uint64_t)room[0];
}

NOINLINE static int compare(const void *a, const void *b)
{
	const int *left = a, *right = b;
	middle(*left);
	sink += (uint64_t)*right;
	return (*left > *right) - (*left < *right);
}

NOINLINE static void descend(int depth)
{
	int numbers[2] = {2, 1};
	if (depth > 1)
		descend(depth - 1);
	else
		qsort(numbers, 2, sizeof(*numbers), compare);
	sink += (uint64_t)numbers[0];
}

NOINLINE static void run(int depth)
{
	descend(depth);
	sink++;
}

int main(int argc, char **argv)
{
	mode = argc > 1 ? argv[1] : "user";
	seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
	run(argc > 3 ? atoi(argv[3]) : 1);
	return 0;
}
