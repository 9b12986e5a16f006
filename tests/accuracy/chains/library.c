/* Two libraries from one source, with functions of other sizes at other places. */
#include "chains.h"

static volatile uint64_t sink;

#define GLUE(a, b)  a##b
#define NAMED(a, b) GLUE(a, b)

KEEP void NAMED(inner_, WHICH)(void (*work)(void));
KEEP void NAMED(inner_, WHICH)(void (*work)(void))
{
	volatile char buffer[INNER_BYTES];
	buffer[0] = 1;
	work();
	sink += (uint64_t)buffer[0];
}

#ifdef MIDDLE_BYTES
KEEP void NAMED(middle_, WHICH)(void (*work)(void));
KEEP void NAMED(middle_, WHICH)(void (*work)(void))
{
	volatile char buffer[MIDDLE_BYTES];
	buffer[0] = 1;
	NAMED(inner_, WHICH)(work);
	sink += (uint64_t)buffer[0];
}
#define CALLED NAMED(middle_, WHICH)
#else
#define CALLED NAMED(inner_, WHICH)
#endif

KEEP void library_entry(void (*work)(void));
KEEP void library_entry(void (*work)(void))
{
	CALLED(work);
	sink++;
}
