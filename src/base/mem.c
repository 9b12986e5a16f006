#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t requests;
static _Thread_local uint64_t fail_at; /* the value of requests that fails; 0: none */

static bool must_fail(void)
{
	return ++requests == fail_at;
}

uint64_t mem_fail_nth(uint64_t nth)
{
	uint64_t made = requests;

	requests = 0;
	fail_at = nth;
	return made;
}

void *mem_alloc(size_t size_bytes)
{
	return must_fail() ? NULL : malloc(size_bytes ? size_bytes : 1);
}

void *mem_zalloc(size_t count, size_t size_bytes)
{
	size_t bytes;

	if (must_fail() || __builtin_mul_overflow(count, size_bytes, &bytes))
		return NULL;
	return calloc(1, bytes ? bytes : 1);
}

void *mem_realloc(void *ptr, size_t size_bytes)
{
	return must_fail() ? NULL : realloc(ptr, size_bytes ? size_bytes : 1);
}

void mem_free(void *ptr)
{
	free(ptr);
}

char *mem_strndup(const char *ptr, size_t len)
{
	char *copy = len < SIZE_MAX ? mem_alloc(len + 1) : NULL;

	if (!copy)
		return NULL;
	if (len > 0)
		memcpy(copy, ptr, len);
	copy[len] = '\0';
	return copy;
}

void *mem_grow(void *array, size_t *cap, size_t need, size_t elem_bytes)
{
	enum { FIRST_CAP = 8 };
	size_t new_cap = *cap;
	size_t bytes;

	if (array && need <= *cap)
		return array;
	if (new_cap < FIRST_CAP)
		new_cap = FIRST_CAP;
	while (new_cap < need)
		new_cap = new_cap > SIZE_MAX / 2 ? need : new_cap * 2;
	if (__builtin_mul_overflow(new_cap, elem_bytes, &bytes))
		return NULL;
	void *grown = mem_realloc(array, bytes);
	if (grown)
		*cap = new_cap;
	return grown;
}
