#include "chains.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WINDOWS_MAX = 16384, ROUNDS = 5000000, LITTLE_ROUNDS = 3000, LINE_MAX_BYTES = 160 };

struct window {
	const char *id;
	int pid, tid;
	uint64_t begin_ns, end_ns; /* end 0: not over */
};

char **chain_argv;
static struct window windows[WINDOWS_MAX];
static atomic_uint window_count;
static _Thread_local struct window *current;
static uint64_t limit_ns;
static volatile uint64_t sink;

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t chain_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int chain_goes_on(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID) < limit_ns;
}

void chain_start(void)
{
	limit_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID) + (uint64_t)(atof(chain_argv[2]) * 1e9);
}

int chain_children_go_on(void)
{
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	return (uint64_t)usage.ru_utime.tv_sec * 1000000000 +
		       (uint64_t)usage.ru_utime.tv_usec * 1000 <
	       limit_ns;
}

void chain_expect(const char *id, const char *frames)
{
	printf("chain %s;%s\n", id, frames);
	fflush(stdout);
}

void window_begin(const char *id)
{
	unsigned i = atomic_fetch_add(&window_count, 1);
	if (i >= WINDOWS_MAX)
		abort();
	current = &windows[i];
	current->id = id;
	current->pid = (int)getpid();
	current->tid = (int)syscall(SYS_gettid);
	current->begin_ns = chain_now_ns();
}

void window_end(void)
{
	current->end_ns = chain_now_ns();
}

/* One write for each line, so that lines of several processes do not mix in a file opened for appending. */
void windows_print(void)
{
	char line[LINE_MAX_BYTES];
	unsigned count = atomic_exchange(&window_count, 0);
	for (unsigned i = 0; i < count; i++) {
		const struct window *w = &windows[i];
		int len = snprintf(line, sizeof(line), "window %d %d %s %llu %llu\n", w->pid,
				   w->tid, w->id, (unsigned long long)w->begin_ns,
				   (unsigned long long)w->end_ns);
		if (w->end_ns && write(1, line, (size_t)len) != len)
			abort();
	}
}

KEEP void burn(void)
{
	uint64_t x = sink;
	for (int i = 0; i < ROUNDS; i++)
		x = x * 6364136223846793005u + (x >> 17);
	sink = x;
}

KEEP void burn_little(void)
{
	uint64_t x = sink;
	for (int i = 0; i < LITTLE_ROUNDS; i++)
		x = x * 6364136223846793005u + (x >> 17);
	sink = x;
}

KEEP void burn_as(const char *id)
{
	window_begin(id);
	burn();
	window_end();
}

static void list_cases(void)
{
	for (const struct chain_case *c = chain_cases; c->name; c++)
		puts(c->name);
}

KEEP int chain_main(int argc, char **argv)
{
	chain_argv = argv;
	if (argc < 3) {
		list_cases();
		return 2;
	}
	chain_start();
	for (const struct chain_case *c = chain_cases; c->name; c++) {
		if (!strcmp(c->name, argv[1])) {
			c->run();
			windows_print();
			return 0;
		}
	}
	fprintf(stderr, "no case %s\n", argv[1]);
	return 2;
}
