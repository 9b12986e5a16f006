/* Frames whose size is not known before they run, and code that no file describes. */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cases.h"

static volatile uint64_t sink;

/* ---- alloca and arrays of variable length ---- */

KEEP void with_array(int length);
KEEP void with_alloca(int length);

KEEP void with_array(int length)
{
	volatile char *array = (volatile char *)alloca((size_t)length);
	for (int i = 0; i < 3; i++) {
		volatile char *more = (volatile char *)alloca((size_t)length);
		more[0] = array[0] = 1;
		burn_as("alloca");
	}
	sink += (uint64_t)array[0];
}

KEEP void with_alloca(int length)
{
	volatile char *block = (volatile char *)alloca((size_t)length);
	block[length / 2] = 1;
	with_array(length / 3);
	sink += (uint64_t)block[length / 2];
}

KEEP void case_alloca(void)
{
	chain_expect("alloca", "burn;burn_as;with_array;with_alloca;case_alloca" ROOT);
	for (int length = 40; chain_goes_on(); length = (length * 7 + 13) % 3000 + 10)
		with_alloca(length);
}

/* ---- realign: the frame is aligned, so its CFA is saved somewhere ---- */

KEEP void aligned_frame(int length);
KEEP void aligned_variable(int length);

KEEP void aligned_frame(int length)
{
	volatile char buffer[256] __attribute__((aligned(128)));
	buffer[length % 256] = 1;
	burn_as("realign");
	sink += (uint64_t)buffer[length % 256];
}

KEEP void aligned_variable(int length)
{
	volatile char buffer[64] __attribute__((aligned(64)));
	volatile char *block = (volatile char *)alloca((size_t)length);
	block[0] = buffer[length % 64] = 1;
	aligned_frame(length);
	sink += (uint64_t)buffer[length % 64] + (uint64_t)block[0];
}

KEEP void case_realign(void)
{
	chain_expect("realign", "burn;burn_as;aligned_frame;aligned_variable;case_realign" ROOT);
	for (int length = 40; chain_goes_on(); length = (length * 7 + 13) % 3000 + 10)
		aligned_variable(length);
}

/* ---- jit: code in anonymous memory that keeps a frame pointer ---- */

/* frame pointer in place; call the argument; frame pointer back; return */
#if defined(__x86_64__)
static const unsigned char jit_code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#elif defined(__aarch64__)
static const unsigned char jit_code[] = {0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00,
					 0x91, 0x00, 0x00, 0x3f, 0xd6, 0xfd, 0x7b,
					 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6};
#endif

KEEP void called_by_jit(void);
KEEP void called_by_jit(void)
{
	burn_as("jit");
	sink++;
}

KEEP void case_jit(void)
{
	chain_expect("jit", "burn;burn_as;called_by_jit;?;case_jit" ROOT);
	char *memory = (char *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);
	if (memory == MAP_FAILED)
		abort();
	memcpy(memory, jit_code, sizeof(jit_code));
	if (mprotect(memory, 4096, PROT_READ | PROT_EXEC))
		abort();
	__builtin___clear_cache(memory, memory + sizeof(jit_code));
	void (*code)(void (*)(void));
	memcpy(&code, &memory, sizeof(code));
	while (chain_goes_on())
		code(called_by_jit);
}
