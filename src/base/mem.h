/* The one place that asks the C library for memory, so that a test can make the
 * nth request fail. Most code takes memory from an arena instead. Thread-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* As malloc, calloc, realloc, free; NULL when there is none. mem_free(NULL) is fine. */
void *mem_alloc(size_t size_bytes);
void *mem_zalloc(size_t count, size_t size_bytes);
void *mem_realloc(void *ptr, size_t size_bytes);
void mem_free(void *ptr);
/* A NUL-terminated copy of len bytes, to be freed with mem_free. */
char *mem_strndup(const char *ptr, size_t len);

/* Grows an array to hold at least need elements (doubling, overflow-checked); *cap in
 * elements. Returns the array (moved perhaps) and updates *cap, or NULL with nothing changed. */
void *mem_grow(void *array, size_t *cap, size_t need, size_t elem_bytes);

/* Tests: the nth request from now (1 = the next) fails, in this thread; 0 switches off.
 * Returns how many requests this thread made since the last call. */
uint64_t mem_fail_nth(uint64_t nth);
