/* A 32-bit program without any library, that burns CPU until it is killed. */
void _start(void);

static volatile unsigned sink;

__attribute__((noinline)) static void burn_narrow(void)
{
	unsigned x = sink;
	for (int i = 0; i < 1000; i++)
		x = x * 1664525u + (x >> 7);
	sink = x;
}

void _start(void)
{
	for (;;)
		burn_narrow();
}
