/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that a profiler should see through: it spends 60 % of its time in
 * burn_most, 30 % in burn_some and 10 % in burn_little, until SECONDS of CPU
 * time are used (0: until it is killed). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline uint64_t __attribute__((always_inline)) work(uint64_t x, int rounds)
{
	for (int i = 0; i < rounds; i++)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return x;
}

static uint64_t __attribute__((noinline, noclone)) burn_most(uint64_t x)
{
	return work(x, 600000) + 1;
}

static uint64_t __attribute__((noinline, noclone)) burn_some(uint64_t x)
{
	return work(x, 300000) + 2;
}

static uint64_t __attribute__((noinline, noclone)) burn_little(uint64_t x)
{
	return work(x, 100000) + 3;
}

int main(int argc, char **argv)
{
	double limit = argc > 1 ? atof(argv[1]) : 0;
	uint64_t x = 1;
	while (limit <= 0 || cpu_seconds() < limit)
		x = burn_little(burn_some(burn_most(x)));
	printf("%.6f %llu\n", cpu_seconds(), (unsigned long long)x);
	return 0;
}
