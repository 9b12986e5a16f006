/* Private to profile: an interning table over the rows of one kind.
 *
 * Open addressing over (hash, index) pairs, at most half full, so that every
 * probe ends. The rows are a plain array that the dictionary shows to all; this
 * table only remembers where a content is. Rows that came from elsewhere (a
 * decoded request) are indexed when something is first interned behind them.
 *
 * Inline with constant callbacks, so that the compiler makes one tight loop of
 * each kind: interning stacks is the hottest thing that the room does. */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { TABLE_FIRST_SLOTS = 64, TABLE_ROWS_MAX = 1 << 29 };

struct table_slot {
	uint32_t hash;
	uint32_t index_plus1; /* 0: empty */
};

struct table {
	void *rows;
	size_t cap; /* of rows */
	uint32_t count;
	uint32_t slot_count; /* power of two; 0: not indexed yet */
	struct table_slot *slots;
};

typedef uint64_t table_hash_fn(const void *row);
typedef bool table_equal_fn(const void *a, const void *b);

static inline uint64_t table_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 32);
}

static inline const void *table_row(const struct table *tab, size_t index, size_t row_bytes)
{
	return (const char *)tab->rows + index * row_bytes;
}

/* All slots anew, in an array of the given size; nothing changes without memory. */
static inline bool table_rehash(struct table *tab, struct arena *arena, uint32_t slot_count,
				size_t row_bytes, table_hash_fn *hash_row)
{
	struct table_slot *slots = arena_zalloc(arena, slot_count, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < tab->count; i++) {
		uint32_t hash = (uint32_t)hash_row(table_row(tab, i, row_bytes));
		uint32_t at = hash & (slot_count - 1);
		while (slots[at].index_plus1)
			at = (at + 1) & (slot_count - 1);
		slots[at] = (struct table_slot){hash, i + 1};
	}
	tab->slots = slots;
	tab->slot_count = slot_count;
	return true;
}

/* Room for one row more in both arrays. */
static inline bool table_reserve(struct table *tab, struct arena *arena, size_t row_bytes,
				 table_hash_fn *hash_row)
{
	uint32_t slot_count = tab->slot_count ? tab->slot_count : TABLE_FIRST_SLOTS;
	void *rows = arena_grow(arena, tab->rows, &tab->cap, tab->count + (size_t)1, row_bytes);

	if (!rows)
		return false;
	tab->rows = rows;
	while (tab->count + (uint64_t)1 > slot_count / 2)
		slot_count *= 2;
	return slot_count == tab->slot_count ||
	       table_rehash(tab, arena, slot_count, row_bytes, hash_row);
}

/* The slot of a row with this content, or the empty one where it goes. Needs a free slot. */
static inline struct table_slot *table_find(const struct table *tab, const void *row, uint32_t hash,
					    size_t row_bytes, table_equal_fn *equal)
{
	uint32_t mask = tab->slot_count - 1;
	uint32_t at = hash & mask;

	while (tab->slots[at].index_plus1 &&
	       (tab->slots[at].hash != hash ||
		!equal(table_row(tab, tab->slots[at].index_plus1 - 1, row_bytes), row)))
		at = (at + 1) & mask;
	return &tab->slots[at];
}
