/* Functions that call functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static volatile uint64_t sink;

/* ---- plain: frames of several shapes ---- */

KEEP void plain_registers(uint64_t a, uint64_t b, uint64_t c);
KEEP void plain_buffer(int length);
KEEP void plain_floats(double a, double b);

/* More values live over the call than there are registers to save them in. */
KEEP void plain_registers(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t d = a * 3 + sink, e = b * 5 + sink, f = c * 7 + sink, g = a ^ b, h = b ^ c;
	burn_as("plain");
	sink = a + b + c + d + e + f + g + h;
}

KEEP void plain_buffer(int length)
{
	volatile char buffer[5000];
	for (int i = 0; i < length; i++)
		buffer[i] = (char)i;
	plain_registers(sink, sink + 1, sink + 2);
	sink += (uint64_t)buffer[length / 2];
}

KEEP void plain_floats(double a, double b)
{
	plain_buffer(100);
	sink += (uint64_t)(a * b);
}

KEEP void case_plain(void)
{
	chain_expect("plain",
		     "burn;burn_as;plain_registers;plain_buffer;plain_floats;case_plain" ROOT);
	while (chain_goes_on())
		plain_floats(1.5, 2.5);
}

/* ---- recursion ---- */

KEEP void recurse(int depth);
KEEP void recurse(int depth)
{
	if (depth > 1)
		recurse(depth - 1);
	else
		burn_as("deep");
	sink++;
}

static void deep(const char *name, int depth)
{
	char frames[200];
	snprintf(frames, sizeof(frames), "burn;burn_as;recurse*%d;%s" ROOT, depth, name);
	chain_expect("deep", frames);
}

KEEP void case_deep10(void)
{
	deep("case_deep10", 10);
	while (chain_goes_on())
		recurse(10);
}

KEEP void case_deep100(void)
{
	deep("case_deep100", 100);
	while (chain_goes_on())
		recurse(100);
}

KEEP void get_known(void)
{
	for (int i = 0; i < 40; i++)
		burn();
	chain_start();
}

KEEP void case_deep1000(void)
{
	deep("case_deep1000", 1000);
	get_known();
	while (chain_goes_on())
		recurse(1000);
}

/* ---- tail calls: whoever jumped away is not on the stack ---- */

#if defined(__clang__)
#define TAIL_CALL(call) __attribute__((musttail)) return call
#define TAIL_CALLER	"tail_caller"
#elif defined(__OPTIMIZE__) && !defined(CHAINS_NO_SIBCALLS)
#define TAIL_CALL(call) call
#define TAIL_CALLER	"tail_caller"
#else
#define TAIL_CALL(call) call
#define TAIL_CALLER	"tail_two;tail_one;tail_caller"
#endif

KEEP void tail_target(int depth);
KEEP void tail_two(int depth);
KEEP void tail_one(int depth);
KEEP void tail_caller(int depth);

KEEP void tail_target(int depth)
{
	burn_as("tail");
	sink += (uint64_t)depth;
}

KEEP void tail_two(int depth)
{
	sink++;
	TAIL_CALL(tail_target(depth));
}

KEEP void tail_one(int depth)
{
	sink++;
	TAIL_CALL(tail_two(depth));
}

KEEP void tail_caller(int depth)
{
	tail_one(depth);
	sink++;
}

KEEP void case_tail(void)
{
	chain_expect("tail", "burn;burn_as;tail_target;" TAIL_CALLER ";case_tail" ROOT);
	while (chain_goes_on())
		tail_caller(3);
}

/* ---- callbacks: through functions of the C library ---- */

KEEP int compare_for_qsort(const void *a, const void *b);
KEEP int compare_for_bsearch(const void *a, const void *b);

KEEP int compare_for_qsort(const void *a, const void *b)
{
	burn_as("qsort");
	return *(const int *)a - *(const int *)b;
}

KEEP int compare_for_bsearch(const void *a, const void *b)
{
	burn_as("bsearch");
	return *(const int *)a - *(const int *)b;
}

/* Through a pointer, since the headers have an inline bsearch. */
typedef void *(*search_fn)(const void *, const void *, size_t, size_t,
			   int (*)(const void *, const void *));
static volatile search_fn search = bsearch;

KEEP void case_callbacks(void)
{
	chain_expect("qsort", "burn;burn_as;compare_for_qsort;*;case_callbacks" ROOT);
	chain_expect("bsearch", "burn;burn_as;compare_for_bsearch;bsearch;case_callbacks" ROOT);
	while (chain_goes_on()) {
		int numbers[] = {3, 1, 2}, key = 2;
		qsort(numbers, 3, sizeof(int), compare_for_qsort);
		if (!search(&key, numbers, 3, sizeof(int), compare_for_bsearch))
			abort();
	}
}

/* ---- cold: the unlikely part of a function is placed elsewhere ---- */

KEEP __attribute__((cold)) void cold_work(void);
KEEP int partly_cold(int likely);

KEEP __attribute__((cold)) void cold_work(void)
{
	burn_as("cold");
	sink++;
}

KEEP int partly_cold(int likely)
{
	if (__builtin_expect(likely == 0, 0)) {
		sink += 3;
		cold_work();
		sink += 5;
		cold_work();
		return (int)sink;
	}
	return likely + 1;
}

KEEP void case_cold(void)
{
	chain_expect("cold", "burn;burn_as;cold_work;partly_cold|partly_cold.cold;case_cold" ROOT);
	while (chain_goes_on())
		sink += (uint64_t)partly_cold(partly_cold(1) > 2);
}

/* ---- prologue: hardly any time but in prologues and epilogues ---- */

KEEP uint64_t tiny_saves(uint64_t a, uint64_t b, uint64_t c, uint64_t d);
KEEP uint64_t tiny(uint64_t a, uint64_t b);
KEEP void prologue_work(void);

KEEP uint64_t tiny(uint64_t a, uint64_t b)
{
	return a * 31 + b;
}

KEEP uint64_t tiny_saves(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return tiny(a, b) + tiny(b, c) + tiny(c, d) + a + b + c + d;
}

KEEP void prologue_work(void)
{
	window_begin("prologue");
	for (int i = 0; i < 300000; i++)
		sink = tiny_saves(sink, 1, 2, 3);
	window_end();
}

KEEP void case_prologue(void)
{
	chain_expect("prologue", "tiny;tiny_saves;prologue_work;case_prologue" ROOT);
	chain_expect("prologue", "tiny_saves;prologue_work;case_prologue" ROOT);
	chain_expect("prologue", "prologue_work;case_prologue" ROOT);
	while (chain_goes_on())
		prologue_work();
}

/* ---- library: leaves in the C library, and the stubs on the way there ---- */

static char text[48], copy[48];

KEEP void library_work(void);
KEEP void library_work(void)
{
	window_begin("library");
	for (int i = 0; i < 100000; i++) {
		sink += strlen(text) + (uint64_t)memcmp(text, copy, sizeof(text) - i % 2);
		memcpy(copy, text, sizeof(text) - (size_t)(i % 2));
		sink += strtoul(text, NULL, 10);
	}
	window_end();
}

KEEP void case_library(void)
{
	chain_expect("library", "library_work;case_library" ROOT);
	chain_expect("library", "?;library_work;case_library" ROOT);
	chain_expect("library", "?;?;library_work;case_library" ROOT);
	memset(text, '1', 15);
	while (chain_goes_on())
		library_work();
}

/* ---- inline: calls that are none, which only debug information knows ---- */

#ifdef CHAINS_DEBUG
#define INLINED "inlined_inner;inlined_outer;"
#else
#define INLINED
#endif

static inline __attribute__((always_inline)) void inlined_inner(void)
{
	burn_as("inline");
	sink += 3;
}

static inline __attribute__((always_inline)) void inlined_outer(void)
{
	sink += 5;
	inlined_inner();
	sink += 7;
}

KEEP void inline_work(void);
KEEP void inline_work(void)
{
	inlined_outer();
	sink += 11;
}

KEEP void case_inline(void)
{
	chain_expect("inline", "burn;burn_as;" INLINED "inline_work;case_inline" ROOT);
	while (chain_goes_on())
		inline_work();
}
