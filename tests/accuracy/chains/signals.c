/* Stacks that go on below a signal handler. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include "cases.h"

static volatile uint64_t sink;
static volatile int traps;

/* The trap is the very first instruction: whoever looks it up one byte before finds another function. */
#if defined(__x86_64__)
enum { TRAP_BYTES = 2 };
#define TRAP			 "ud2"
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.gregs[REG_RIP])
#define RETURN			 "ret"
#elif defined(__aarch64__)
enum { TRAP_BYTES = 4 };
#define TRAP			 "udf #0"
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.pc)
#define RETURN			 "ret"
#endif
#define TRAP_FUNCTION(name)                                                                   \
	void name(void);                                                                      \
	__asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", %function\n" #name     \
		":\n\t.cfi_startproc\n\t" TRAP "\n\t" RETURN "\n\t.cfi_endproc\n.size " #name \
		", . - " #name "\n")

TRAP_FUNCTION(trap_one);
TRAP_FUNCTION(trap_two);
KEEP void trap_caller(void);
KEEP void on_trap(int number, siginfo_t *info, void *context);
KEEP void on_outer_trap(int number, siginfo_t *info, void *context);
KEEP void on_timer(int number);

static void install(void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | flags;
	sigaction(SIGILL, &action, NULL);
}

static void skip_trap(void *context)
{
	PROGRAM_COUNTER((ucontext_t *)context) += TRAP_BYTES;
}

KEEP void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	burn_as("signal");
	skip_trap(context);
}

KEEP void trap_caller(void)
{
	trap_one();
	sink++;
}

KEEP void case_signal(void)
{
	chain_expect("signal",
		     "burn;burn_as;on_trap;@signal;trap_one;trap_caller;case_signal" ROOT);
	install(on_trap, 0);
	while (chain_goes_on())
		trap_caller();
}

static void use_alternate_stack(void)
{
	enum { STACK_BYTES = 64 << 10 };
	stack_t stack;
	memset(&stack, 0, sizeof(stack));
	stack.ss_sp = malloc(STACK_BYTES);
	stack.ss_size = STACK_BYTES;
	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		abort();
}

KEEP void case_altstack(void)
{
	chain_expect("signal",
		     "burn;burn_as;on_trap;@signal;trap_one;trap_caller;case_altstack" ROOT);
	use_alternate_stack();
	install(on_trap, SA_ONSTACK);
	get_known(); /* the copy holds one stack, and this chain is on two */
	while (chain_goes_on())
		trap_caller();
}

KEEP void on_outer_trap(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	if (traps++ == 0)
		trap_two();
	else
		burn_as("nested");
	traps--;
	skip_trap(context);
}

KEEP void case_nested(void)
{
	chain_expect("nested",
		     "burn;burn_as;on_outer_trap;@signal;trap_two;on_outer_trap;@signal;trap_one;"
		     "trap_caller;case_nested" ROOT);
	install(on_outer_trap, 0);
	while (chain_goes_on())
		trap_caller();
}

/* Interrupted anywhere: in prologues, epilogues and stubs, too. */
KEEP void on_timer(int number)
{
	(void)number;
	window_begin("timer");
	for (int i = 0; i < 2000; i++)
		burn_little();
	window_end();
}

KEEP uint64_t timer_leaf(uint64_t a, uint64_t b);
KEEP uint64_t timer_leaf(uint64_t a, uint64_t b)
{
	return a * 31 + b;
}

KEEP uint64_t timer_caller(uint64_t a, uint64_t b, uint64_t c);
KEEP uint64_t timer_caller(uint64_t a, uint64_t b, uint64_t c)
{
	return timer_leaf(a, b) + timer_leaf(b, c) + a + b + c;
}

KEEP void timer_work(void);
KEEP void timer_work(void)
{
	while (chain_goes_on()) {
		for (int i = 0; i < 1000000; i++)
			sink = timer_caller(sink, 3, 5);
	}
}

KEEP void case_timer(void)
{
	static const char *const leaves[] = {"burn_little;on_timer", "on_timer"};
	static const char *const interrupted[] = {"timer_leaf;timer_caller;timer_work",
						  "timer_caller;timer_work", "timer_work",
						  "*;chain_goes_on;timer_work"};
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 4; j++) {
			char frames[200] = "";
			strcat(strcat(strcat(frames, leaves[i]), ";@signal;"), interrupted[j]);
			chain_expect("timer", strcat(frames, ";case_timer" ROOT));
		}
	}
	signal(SIGVTALRM, on_timer);
	const struct itimerval every = {{0, 12000}, {0, 12000}};
	setitimer(ITIMER_VIRTUAL, &every, NULL);
	timer_work();
	const struct itimerval never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	NO_TAIL_CALL();
}
