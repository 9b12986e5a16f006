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
	middle(x);   /* line 21 */
	MARK(outer); /* line 22 */
	return sink;
}

__attribute__((noinline)) int plain(int x)
{
	sink = x;
	MARK(plain); /* line 29 */
	return x;
}

/* Its one use lets gcc make a clone, cloned.constprop.0, which DWARF calls by the name in the source. */
static __attribute__((noinline)) int cloned(int x, int y)
{
	sink = x * y;
	MARK(cloned); /* line 37 */
	return x + y + sink;
}

int main(int argc, char **argv)
{
	(void)argv;
	return outer(argc) + plain(argc) + cloned(argc, 5) == 77;
}
