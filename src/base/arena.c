/* Blocks in a list. Small requests are cut from the head; a request that would
 * waste most of a block gets a block of its own, put behind the head, so that
 * the head's free room stays in use. Blocks double from 4 KiB to 1 MiB: a small
 * request costs little and a large one few system calls. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
	ALIGN_BYTES = 16,
	BLOCK_MIN_BYTES = 4 * 1024,
	BLOCK_MAX_BYTES = 1024 * 1024,
};

struct arena_block {
	struct arena_block *next;
	size_t size_bytes; /* of data */
	size_t used_bytes;
	_Alignas(ALIGN_BYTES) char data[];
};

void arena_init(struct arena *arena, size_t limit_bytes)
{
	arena_init_within(arena, limit_bytes, NULL);
}

void arena_init_within(struct arena *arena, size_t limit_bytes, struct budget *budget)
{
	*arena = (struct arena){.limit_bytes = limit_bytes, .budget = budget};
}

void arena_deinit(struct arena *arena)
{
	struct arena_block *block = arena->head;

	while (block) {
		struct arena_block *next = block->next;
		mem_free(block);
		block = next;
	}
	budget_give(arena->budget, arena->used_bytes);
	arena_init_within(arena, arena->limit_bytes, arena->budget);
}

/* The largest ordinary block: keeping an outsized one would pin it for ever. */
static struct arena_block *block_to_keep(const struct arena *arena)
{
	struct arena_block *keep = NULL;

	for (struct arena_block *b = arena->head; b; b = b->next)
		if (b->size_bytes <= BLOCK_MAX_BYTES && (!keep || b->size_bytes > keep->size_bytes))
			keep = b;
	return keep;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *keep = block_to_keep(arena);
	struct arena_block *block = arena->head;

	while (block) {
		struct arena_block *next = block->next;
		if (block != keep)
			mem_free(block);
		block = next;
	}
	size_t used_bytes = arena->used_bytes;
	arena->head = keep;
	arena->used_bytes = 0;
	if (keep) {
		keep->next = NULL;
		keep->used_bytes = 0;
		arena->used_bytes = sizeof(*keep) + keep->size_bytes;
	}
	budget_give(arena->budget, used_bytes - arena->used_bytes);
}

static size_t next_block_bytes(const struct arena *arena, size_t need)
{
	size_t size = arena->head ? arena->head->size_bytes * 2 : BLOCK_MIN_BYTES;

	if (size > BLOCK_MAX_BYTES)
		size = BLOCK_MAX_BYTES;
	return size > need ? size : need;
}

/* Room for size bytes below the limit? */
static bool within_limit(const struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return false;
	return arena->limit_bytes == 0 ||
	       (arena->used_bytes <= arena->limit_bytes &&
		size + sizeof(struct arena_block) <= arena->limit_bytes - arena->used_bytes);
}

static bool take_room(const struct arena *arena, size_t size)
{
	return within_limit(arena, size) &&
	       budget_take(arena->budget, sizeof(struct arena_block) + size);
}

static struct arena_block *add_block(struct arena *arena, size_t need)
{
	size_t size = next_block_bytes(arena, need);
	struct arena_block *block;

	if (!take_room(arena, size)) {
		size = need;
		if (!take_room(arena, size))
			return NULL;
	}
	block = mem_alloc(sizeof(*block) + size);
	if (!block) {
		budget_give(arena->budget, sizeof(*block) + size);
		return NULL;
	}
	block->size_bytes = size;
	block->used_bytes = 0;
	arena->used_bytes += sizeof(*block) + size;
	if (arena->head && need > BLOCK_MAX_BYTES / 4) {
		block->next = arena->head->next;
		arena->head->next = block;
	} else {
		block->next = arena->head;
		arena->head = block;
	}
	return block;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
	struct arena_block *block = arena->head;
	size_t size = size_bytes ? size_bytes : 1;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
	if (!block || block->size_bytes - block->used_bytes < size)
		block = add_block(arena, size);
	if (!block)
		return NULL;
	void *ptr = block->data + block->used_bytes;
	block->used_bytes += size;
	return ptr;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size_bytes)
{
	size_t size;

	if (__builtin_mul_overflow(count, size_bytes, &size))
		return NULL;
	void *ptr = arena_alloc(arena, size);
	if (ptr)
		memset(ptr, 0, size);
	return ptr;
}

/* The newest allocation of the head block can be lengthened where it is. */
static bool extend_in_place(struct arena *arena, const void *array, size_t old, size_t bytes)
{
	struct arena_block *block = arena->head;
	size_t old_size = (old + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
	size_t new_size = (bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);

	if (!block || old == 0 || block->used_bytes < old_size || new_size < bytes ||
	    block->data + block->used_bytes - old_size != (const char *)array ||
	    block->size_bytes - block->used_bytes < new_size - old_size)
		return false;
	block->used_bytes += new_size - old_size;
	return true;
}

void *arena_grow(struct arena *arena, void *array, size_t *cap, size_t need, size_t elem_bytes)
{
	enum { FIRST_CAP = 8 };
	size_t new_cap = *cap < FIRST_CAP ? FIRST_CAP : *cap;
	size_t bytes;

	if (array && need <= *cap)
		return array;
	while (new_cap < need)
		new_cap = new_cap > SIZE_MAX / 2 ? need : new_cap * 2;
	if (__builtin_mul_overflow(new_cap, elem_bytes, &bytes))
		return NULL;
	if (array && extend_in_place(arena, array, *cap * elem_bytes, bytes)) {
		*cap = new_cap;
		return array;
	}
	void *grown = arena_alloc(arena, bytes);
	if (!grown)
		return NULL;
	if (array)
		memcpy(grown, array, *cap * elem_bytes);
	*cap = new_cap;
	return grown;
}

void *arena_copy(struct arena *arena, const void *ptr, size_t len)
{
	void *copy = arena_alloc(arena, len);

	if (copy && len > 0)
		memcpy(copy, ptr, len);
	return copy;
}

struct str arena_str(struct arena *arena, struct str text)
{
	char *copy = text.len < SIZE_MAX ? arena_alloc(arena, text.len + 1) : NULL;

	if (!copy)
		return (struct str){NULL, 0};
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return (struct str){copy, text.len};
}

struct str arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return (struct str){NULL, 0};
	char *text = arena_alloc(arena, (size_t)len + 1);
	if (!text)
		return (struct str){NULL, 0};
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return (struct str){text, (size_t)len};
}
