/* Spends 60, 30 and 10 % of SECONDS of CPU time in three functions. */
#include <stdlib.h>

#include "balance.h"

enum { ROUNDS = 100000 };

static volatile uint64_t sink;

/* The same work three times, so that only the name differs. */
#define SPEND(function)                                           \
	__attribute__((noinline)) static void function(void)      \
	{                                                         \
		uint64_t x = sink;                                \
		for (int i = 0; i < ROUNDS; i++)                  \
			x = x * 6364136223846793005u + (x >> 17); \
		sink = x;                                         \
	}

SPEND(spend_sixty)
SPEND(spend_thirty)
SPEND(spend_ten)

int main(int argc, char **argv)
{
	struct part parts[] = {{"spend_sixty", 0.6, spend_sixty, 0},
			       {"spend_thirty", 0.3, spend_thirty, 0},
			       {"spend_ten", 0.1, spend_ten, 0}};
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	balance(parts, sizeof(parts) / sizeof(*parts), (uint64_t)(seconds * 1e9));
	return 0;
}
