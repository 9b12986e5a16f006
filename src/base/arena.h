/* Memory by lifetime: everything taken from an arena lives until the arena is
 * reset or deinited. One arena belongs to one request or batch, so to one
 * thread at a time. The limit bounds what it may take from the system. */
#pragma once

#include <stddef.h>

#include "base/budget.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* the block in use first */
	size_t limit_bytes;	  /* 0: no limit */
	size_t used_bytes;	  /* taken from the system, blocks in all */
	struct budget *budget;	  /* shared with others; NULL: none */
};

/* No memory is taken before the first allocation. */
void arena_init(struct arena *arena, size_t limit_bytes);
/* What it takes from the system is taken from the budget too, which must outlive it. */
void arena_init_within(struct arena *arena, size_t limit_bytes, struct budget *budget);
/* Frees everything. A zeroed arena is fine. */
void arena_deinit(struct arena *arena);
/* Frees everything but keeps one block for the next round. */
void arena_reset(struct arena *arena);

/* Aligned to 16 bytes. NULL at the limit, or when the system has none. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
/* count * size, overflow-checked, zeroed. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size_bytes);
/* As mem_grow, in the arena (the old array stays until the arena goes). */
void *arena_grow(struct arena *arena, void *array, size_t *cap, size_t need, size_t elem_bytes);
void *arena_copy(struct arena *arena, const void *ptr, size_t len);
/* A NUL-terminated copy. {NULL, 0} when there is no memory (a copy of "" has a non-NULL ptr). */
struct str arena_str(struct arena *arena, struct str text);
struct str arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
