/* Private to the embedded engine: from what a dictionary entry says to its id.
 * Two tables: a cache of fixed size for what is on disk, and a growing map for
 * what one commit has added and not yet written. Only durable ids ever enter
 * the cache, so a failed commit has nothing to take back there. One thread. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "store/embedded/keys.h"

/* 96 bits that stand for an entry: of a pair of ids all of it (with the tenant's low 24 bits), of text
 * as much of its seeded hash. So a slot has 16 bytes, and a set of four is one cache line. */
struct id_key {
	uint64_t a;
	uint32_t b;
};

struct id_key id_key_hash(uint32_t tenant, enum key_kind kind, struct hash128 hash);
struct id_key id_key_pair(uint32_t tenant, enum key_kind kind, uint32_t a, uint32_t b);

struct id_slot {
	uint64_t a;
	uint32_t b;
	uint32_t id; /* 0: empty */
};

struct idcache {
	void *memory;
	struct id_slot *slots; /* in it, aligned to a cache line */
	uint32_t sets, sets_max;
	uint32_t victim;
	uint32_t
		taken; /* slots; what the budget allows is touched only when there is something to keep */
};

/* Grows to at most size_bytes, at least one set. */
MUST_USE int idcache_init(struct idcache *cache, size_t size_bytes, struct err *err);
void idcache_deinit(struct idcache *cache);
void idcache_clear(struct idcache *cache); /* and keeps its size */
size_t idcache_bytes(const struct idcache *cache);
uint32_t idcache_get(const struct idcache *cache, struct id_key key); /* 0: not there */
void idcache_prefetch(const struct idcache *cache, struct id_key key);
void idcache_put(struct idcache *cache, struct id_key key, uint32_t id);

void idcache_remove(struct idcache *cache, struct id_key key);
/* All pairs (a, *) of the kind with a < before; one walk over everything. */
void idcache_remove_pairs(struct idcache *cache, uint32_t tenant, enum key_kind kind,
			  uint32_t before);

struct idmap {
	struct id_slot *slots;
	size_t cap, count;
};

void idmap_deinit(struct idmap *map);
/* Empty; gives the memory back when it had grown large. */
void idmap_clear(struct idmap *map);
uint32_t idmap_get(const struct idmap *map, struct id_key key);
MUST_USE int idmap_put(struct idmap *map, struct id_key key, uint32_t id, struct err *err);
void idmap_promote(const struct idmap *map, struct idcache *cache);
