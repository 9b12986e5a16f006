#include "store/embedded/idmap.h"

#include <string.h>

#include "base/mem.h"

enum {
	WAYS = 4,
	MAP_START = 1024,
	MAP_KEEP = 65536, /* slots kept for the next commit */
};

static uint64_t mix(struct id_key key)
{
	uint64_t x = (key.a ^ (key.b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
	return x ^ (x >> 32);
}

static bool same(struct id_key x, struct id_key y)
{
	return x.a == y.a && x.b == y.b;
}

struct id_key id_key_hash(uint32_t tenant, enum key_kind kind, struct hash128 hash)
{
	uint64_t space = ((uint64_t)tenant << 8 | (uint64_t)kind) * 0xc4ceb9fe1a85ec53u;
	return (struct id_key){hash.high ^ space, hash.low};
}

struct id_key id_key_pair(uint32_t tenant, enum key_kind kind, uint32_t a, uint32_t b)
{
	return (struct id_key){(uint64_t)a << 32 | b, (uint64_t)tenant << 8 | (uint64_t)kind};
}

int idcache_init(struct idcache *cache, size_t size_bytes, struct err *err)
{
	size_t sets = 1;
	while (sets * 2 * WAYS * sizeof(struct id_slot) <= size_bytes)
		sets *= 2;
	cache->slots = mem_zalloc(sets * WAYS, sizeof(struct id_slot));
	cache->mask = sets - 1;
	cache->victim = 0;
	if (!cache->slots)
		return err_set(err, ERR_NOMEM, "dictionary cache: no memory");
	return 0;
}

void idcache_deinit(struct idcache *cache)
{
	mem_free(cache->slots);
	memset(cache, 0, sizeof(*cache));
}

void idcache_clear(struct idcache *cache)
{
	memset(cache->slots, 0, idcache_bytes(cache));
}

size_t idcache_bytes(const struct idcache *cache)
{
	return cache->slots ? (cache->mask + 1) * WAYS * sizeof(struct id_slot) : 0;
}

uint32_t idcache_get(const struct idcache *cache, struct id_key key)
{
	const struct id_slot *set = &cache->slots[(mix(key) & cache->mask) * WAYS];
	for (unsigned i = 0; i < WAYS; i++)
		if (same(set[i].key, key))
			return set[i].id;
	return 0;
}

void idcache_put(struct idcache *cache, struct id_key key, uint32_t id)
{
	struct id_slot *set = &cache->slots[(mix(key) & cache->mask) * WAYS];
	unsigned at = cache->victim++ % WAYS;
	for (unsigned i = WAYS; i-- > 0;)
		if (set[i].id == 0)
			at = i;
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].id && same(set[i].key, key))
			at = i;
	set[at] = (struct id_slot){.key = key, .id = id};
}

void idmap_deinit(struct idmap *map)
{
	mem_free(map->slots);
	memset(map, 0, sizeof(*map));
}

void idmap_clear(struct idmap *map)
{
	if (map->cap > MAP_KEEP)
		idmap_deinit(map);
	else if (map->count)
		memset(map->slots, 0, map->cap * sizeof(*map->slots));
	map->count = 0;
}

/* Always ends: at most half of the slots are taken. */
static struct id_slot *find(const struct idmap *map, struct id_key key)
{
	size_t i = mix(key) & (map->cap - 1);
	while (map->slots[i].id && !same(map->slots[i].key, key))
		i = (i + 1) & (map->cap - 1);
	return &map->slots[i];
}

uint32_t idmap_get(const struct idmap *map, struct id_key key)
{
	return map->count ? find(map, key)->id : 0;
}

static int grow(struct idmap *map, struct err *err)
{
	struct idmap bigger = {.cap = map->cap ? map->cap * 2 : MAP_START, .count = map->count};
	bigger.slots = mem_zalloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return err_set(err, ERR_NOMEM, "new dictionary entries: no memory");
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].id)
			*find(&bigger, map->slots[i].key) = map->slots[i];
	mem_free(map->slots);
	*map = bigger;
	return 0;
}

int idmap_put(struct idmap *map, struct id_key key, uint32_t id, struct err *err)
{
	if (map->count + 1 > map->cap / 2) {
		int rc = grow(map, err);
		if (rc)
			return rc;
	}
	struct id_slot *slot = find(map, key);
	map->count += slot->id == 0;
	*slot = (struct id_slot){.key = key, .id = id};
	return 0;
}

void idmap_promote(const struct idmap *map, struct idcache *cache)
{
	for (size_t i = 0; map->count && i < map->cap; i++)
		if (map->slots[i].id)
			idcache_put(cache, map->slots[i].key, map->slots[i].id);
}
