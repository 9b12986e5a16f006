/* Spends half of SECONDS of CPU time in the kernel, reading /dev/zero. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "balance.h"

enum { ROUNDS = 100000, READ_BYTES = 1 << 20 };

static volatile uint64_t sink;
static char *buffer;
static int zero_fd;

__attribute__((noinline)) static void in_user_space(void)
{
	uint64_t x = sink;
	for (int i = 0; i < ROUNDS; i++)
		x = x * 6364136223846793005u + (x >> 17);
	sink = x;
}

__attribute__((noinline)) static void in_the_kernel(void)
{
	if (read(zero_fd, buffer, READ_BYTES) != READ_BYTES)
		abort();
}

int main(int argc, char **argv)
{
	struct part parts[] = {{"in_user_space", 0.5, in_user_space, 0},
			       {"in_the_kernel", 0.5, in_the_kernel, 0}};
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	zero_fd = open("/dev/zero", O_RDONLY);
	buffer = malloc(READ_BYTES);
	if (zero_fd < 0 || !buffer)
		return 1;
	balance(parts, sizeof(parts) / sizeof(*parts), (uint64_t)(seconds * 1e9));
	return 0;
}
