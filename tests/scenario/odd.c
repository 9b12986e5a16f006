/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that are hard to profile, by name: `odd MODE SECONDS [ARGS]`. Each burns CPU time in a
 * function of its own name, so that a script sees whether it was told apart. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Inlined, so that the function around it is the leaf. */
static inline __attribute__((always_inline)) void spin(double seconds)
{
	static volatile uint64_t x;
	double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
	do {
		for (int i = 0; i < 20000; i++)
			x = x * 6364136223846793005ULL + 1;
	} while (now(CLOCK_THREAD_CPUTIME_ID) < end);
}

static int odd_burn(double seconds, char **args)
{
	(void)args;
	spin(seconds);
	return 0;
}

static void *after_leader(void *arg)
{
	spin(*(double *)arg);
	exit(0);
}

static int leader(double seconds, char **args)
{
	pthread_t thread;
	(void)args;
	if (pthread_create(&thread, NULL, after_leader, &seconds))
		return 1;
	pthread_exit(
		NULL); /* the stack, and seconds on it, stay: the first thread's is the process's */
}

static void storm_child(double seconds)
{
	spin(seconds);
}

/* Children of 20 ms, one after another; says how much CPU time all took. */
static int storm(double seconds, char **args)
{
	double used = 0, end = now(CLOCK_MONOTONIC) + seconds;
	(void)args;
	for (; now(CLOCK_MONOTONIC) < end; used += 0.02) {
		pid_t child = fork();
		if (child == 0) {
			storm_child(0.02);
			_exit(0);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 1;
	}
	printf("%.0f\n", used * 1000);
	return 0;
}

static int deep(double seconds, int level)
{
	if (level == 0)
		spin(seconds);
	return level == 0 ? 0 : deep(seconds, level - 1) + 1;
}

static int deeper(double seconds, char **args)
{
	return deep(seconds, atoi(args[0])) == 0;
}

/* Two libraries in turns, mostly at one address; the second gets three times the time. */
static int libraries(double seconds, char **args)
{
	double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
	for (int i = 0; now(CLOCK_THREAD_CPUTIME_ID) < end; i++) {
		void *handle = dlopen(args[i % 2], RTLD_NOW);
		void (*burn)(double) = NULL;
		if (handle)
			*(void **)&burn = dlsym(handle, i % 2 ? "lib_two_burn" : "lib_one_burn");
		if (!burn)
			return 1;
		burn(i % 2 ? 0.09 : 0.03);
		dlclose(handle);
	}
	return 0;
}

static int memory_file(double seconds, char **args)
{
	char bytes[65536], text[32], *again[] = {args[0], "burn", text, NULL};
	ssize_t n;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create(args[0], MFD_CLOEXEC);
	snprintf(text, sizeof(text), "%f", seconds);
	while ((n = read(self, bytes, sizeof(bytes))) > 0) {
		if (write(fd, bytes, (size_t)n) != n)
			return 1;
	}
	return fexecve(fd, again, environ);
}

/* Executable mappings that come and go: more than anybody can follow. */
static int churn(double seconds, char **args)
{
	double end = now(CLOCK_MONOTONIC) + seconds;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	(void)args;
	while (now(CLOCK_MONOTONIC) < end) {
		void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0);
		if (p == MAP_FAILED || munmap(p, 4096))
			return 1;
	}
	return 0;
}

/* Runs code at byte 512 of a file that claims to be an ELF file. */
static int run_file(double seconds, char **args)
{
	double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
	int fd = open(args[0], O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	void (*code)(void);
	if (p == MAP_FAILED)
		return 1;
	p += 512;
	memcpy(&code, &p, sizeof(code));
	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		code();
	return 0;
}

static const struct mode {
	const char *name;
	int (*run)(double seconds, char **args);
	int args;
} modes[] = {
	{"burn", odd_burn, 0}, {"leader", leader, 0},	    {"storm", storm, 0},
	{"deep", deeper, 1},   {"libraries", libraries, 2}, {"memfd", memory_file, 1},
	{"churn", churn, 0},   {"file", run_file, 1},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (!strcmp(argv[1], modes[i].name) && argc - 3 == modes[i].args)
			return modes[i].run(atof(argv[2]), argv + 3);
	}
	fprintf(stderr, "usage: odd MODE SECONDS [ARGS]\n");
	return 2;
}
