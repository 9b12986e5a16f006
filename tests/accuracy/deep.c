/* Spends SECONDS of CPU time below DEPTH calls of recurse(). */
#include <stdlib.h>

#include "balance.h"

static volatile uint64_t sink;

__attribute__((noinline)) static void spin(uint64_t until_ns)
{
	while (cpu_ns() < until_ns) {
		uint64_t x = sink;
		for (int i = 0; i < 3000000; i++)
			x = x * 6364136223846793005u + (x >> 17);
		sink = x;
	}
}

__attribute__((noinline)) static void recurse(int depth, uint64_t until_ns)
{
	if (depth <= 1)
		spin(until_ns);
	else
		recurse(depth - 1, until_ns);
	sink++; /* no tail call */
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	recurse(argc > 2 ? atoi(argv[2]) : 10, (uint64_t)(seconds * 1e9));
	return 0;
}
