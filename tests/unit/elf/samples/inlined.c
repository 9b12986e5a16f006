/* Calls inlined into each other; mark_NAME are addresses inside of them. The tests know the lines. */
#define MARK(name) __asm__ volatile(".globl mark_" #name "\nmark_" #name ": nop")

static volatile int sink;

static inline __attribute__((always_inline)) void innermost(int x)
{
	sink = x;
	MARK(innermost); /* line 9 */
	sink = x + 1;
}

static inline __attribute__((always_inline)) void middle(int x)
{
	sink = x;
	innermost(x * 2); /* line 16 */
}

__attribute__((noinline)) int outer(int x)
{
	middle(x); /* line 21 */
	MARK(outer); /* line 22 */
	return sink;
}

__attribute__((noinline)) int plain(int x)
{
	sink = x;
	MARK(plain); /* line 29 */
	return x;
}

int main(int argc, char **argv)
{
	(void)argv;
	return outer(argc) + plain(argc) == 77;
}
