/* SPDX-License-Identifier: Apache-2.0
 *
 * A library with one function, BURN, that uses CPU time; built twice, under two names. */
#include <stdint.h>
#include <time.h>

void BURN(double seconds);

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void BURN(double seconds)
{
	static volatile uint64_t x;
	double end = now() + seconds;
	do {
		for (int i = 0; i < 20000; i++)
			x = x * 3 + 1;
	} while (now() < end);
}
