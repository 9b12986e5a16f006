/* Hash map from a 64-bit key to a 64-bit value: open addressing, linear probing,
 * memory from mem.h. For pointers cast through uintptr_t. One thread. Zeroed is empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t cap;   /* power of two, or 0 */
	size_t count; /* live entries */
	size_t used;  /* live entries and tombstones */
};

void map_deinit(struct map *map);
void map_clear(struct map *map);
/* The value, or NULL. Valid until the next put or remove. */
uint64_t *map_get(const struct map *map, uint64_t key);
/* Inserts or replaces. ERR_NOMEM: the map is as before. */
MUST_USE int map_put(struct map *map, uint64_t key, uint64_t value, struct err *err);
/* Returns whether it was there; *ret_old (may be NULL) gets its value. */
bool map_remove(struct map *map, uint64_t key, uint64_t *ret_old);
/* Walks all: start with *pos = 0; false at the end. Removing the entry just seen is allowed. */
bool map_next(const struct map *map, size_t *pos, uint64_t *ret_key, uint64_t **ret_value);
