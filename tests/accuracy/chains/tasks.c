/* More than one stack: threads, coroutines, processes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef CHAINS_MUSL
#include <ucontext.h>
#endif

#include "cases.h"

static volatile uint64_t sink;

/* ---- vfork: the child runs on its parent's stack, under another pid ---- */

KEEP void in_child(void);
KEEP void in_child(void)
{
	burn_as("vfork");
	sink++;
}

KEEP void vfork_work(void);
KEEP void vfork_work(void)
{
	pid_t pid = vfork();
	if (pid == 0) {
		in_child();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		abort();
}

KEEP void case_vfork(void)
{
	chain_expect("vfork", "burn;burn_as;in_child;vfork_work;case_vfork" ROOT);
	while (chain_children_go_on())
		vfork_work();
	NO_TAIL_CALL();
}

/* ---- threads ---- */

enum { THREADS = 64, SMALL_STACK_BYTES = 128 << 10 };

KEEP void thread_work(void);
KEEP void thread_work(void)
{
	burn_as("thread");
	sink++;
}

KEEP void *thread_main(void *arg);
KEEP void *thread_main(void *arg)
{
	do
		thread_work();
	while (chain_goes_on());
	return arg;
}

/* Every second one on a stack from malloc. */
static void start_thread(pthread_t *thread, int i)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	void *stack = malloc(SMALL_STACK_BYTES);
	if (!stack || (i % 2 && pthread_attr_setstack(&attr, stack, SMALL_STACK_BYTES)))
		abort();
	if (pthread_create(thread, &attr, thread_main, NULL))
		abort();
	pthread_attr_destroy(&attr);
}

KEEP void case_threads(void)
{
	pthread_t threads[THREADS];
	chain_expect("thread", "burn;burn_as;thread_work;thread_main;@thread");
	for (int i = 0; i < THREADS; i++)
		start_thread(&threads[i], i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* ---- memfd: a program that is no file ---- */

KEEP void case_memfd(void)
{
	char block[65536];
	int fd = memfd_create("chains", 0);
	FILE *self = fopen("/proc/self/exe", "r");
	if (fd < 0 || !self)
		abort();
	for (size_t len; (len = fread(block, 1, sizeof(block), self)) > 0;) {
		if (write(fd, block, len) != (ssize_t)len)
			abort();
	}
	fclose(self);
	char *argv[] = {chain_argv[0], (char *)"plain", chain_argv[2], NULL}, *env[] = {NULL};
	fexecve(fd, argv, env);
	abort();
}

/* ---- storm: processes that live for 20 ms ---- */

KEEP void storm_child(void);
KEEP void storm_child(void)
{
	burn_as("storm");
	burn_as("storm");
	sink++;
}

KEEP void case_storm(void)
{
	chain_expect("storm", "burn;burn_as;storm_child;case_storm" ROOT);
	if (chain_argv[3]) {
		storm_child();
		NO_TAIL_CALL();
		return;
	}
	char *argv[] = {chain_argv[0], chain_argv[1], chain_argv[2], (char *)"child", NULL};
	while (chain_children_go_on()) {
		pid_t pid = fork();
		if (pid == 0) {
			execv(argv[0], argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			abort();
	}
}

/* ---- coroutines ---- */

#ifndef CHAINS_MUSL
static ucontext_t main_context, coroutine_context;

KEEP void coroutine_work(void);
KEEP void coroutine_work(void)
{
	burn_as("coroutine");
	sink++;
}

KEEP void coroutine_main(void);
KEEP void coroutine_main(void)
{
	for (;;) {
		coroutine_work();
		swapcontext(&coroutine_context, &main_context);
	}
}

KEEP void case_coroutine(void)
{
	enum { STACK_BYTES = 64 << 10 };
	chain_expect("coroutine", "burn;burn_as;coroutine_work;coroutine_main;@context");
	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = malloc(STACK_BYTES);
	coroutine_context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&coroutine_context, coroutine_main, 0);
	while (chain_goes_on())
		swapcontext(&main_context, &coroutine_context);
}
#endif
