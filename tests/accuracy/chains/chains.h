/* For programs that know their own stacks. What such a program tells, on stdout:
 *
 *	chain ID;FRAME;FRAME;...	a stack, leaf first; ../chain.h says how frames are written
 *	window PID TID ID BEGIN END	then (CLOCK_MONOTONIC, ns) the thread was in that stack
 *
 * Several chains of one ID: any of them is right. A case calls burn() again and again, each time between
 * window_begin() and window_end(), until the CPU time it was given is used up. C and C++, glibc and musl. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* noipa: no inlining, no clones, nothing learnt about it by its callers. */
#ifdef __clang__
#define KEEP __attribute__((noinline))
#else
#define KEEP __attribute__((noipa))
#endif

/* After a call that shall not become a jump. */
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

struct chain_case {
	const char *name;
	void (*run)(void);
};

extern const struct chain_case chain_cases[]; /* ends with a name of NULL */
extern char **chain_argv;

/* Prints a chain line. */
void chain_expect(const char *id, const char *frames);
/* Is there CPU time left? Of the whole process, all threads. */
int chain_goes_on(void);
void chain_start(void);		/* counts it from now on */
int chain_children_go_on(void); /* of children that were waited for */
/* Of this thread and process; id as in chain_expect() and not copied. */
void window_begin(const char *id);
void window_end(void);
/* Prints the windows so far, of all threads. Before _exit(); the end of main() does it, too. */
void windows_print(void);
/* Some 10 ms, without a call. Its window is part of the caller's. */
void burn(void);
/* Some microseconds. */
void burn_little(void);
/* While a process is new to the profiler, its stacks come from a copy of some KiB. Chains that it cannot hold
 * are judged after this. */
void get_known(void);
/* window_begin, burn, window_end: adds a frame of that name. */
void burn_as(const char *id);
uint64_t chain_now_ns(void);
int chain_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
