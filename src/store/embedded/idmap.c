#include "store/embedded/idmap.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum {
	WAYS = 4,
	SETS_START = 1024,
	GROWTH = 2,
	MAP_START = 1024,
	MAP_KEEP = 65536, /* slots kept for the next commit */
};

static uint64_t mix(struct id_key key)
{
	uint64_t x = (key.a ^ (key.b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
	return x ^ (x >> 32);
}

static bool is(const struct id_slot *slot, struct id_key key)
{
	return slot->a == key.a && slot->b == key.b;
}

static struct id_key key_of(const struct id_slot *slot)
{
	return (struct id_key){slot->a, slot->b};
}

struct id_key id_key_hash(uint32_t tenant, enum key_kind kind, struct hash128 hash)
{
	uint64_t space = ((uint64_t)tenant << 8 | (uint64_t)kind) * 0xc4ceb9fe1a85ec53u;
	return (struct id_key){hash.high ^ space, (uint32_t)hash.low};
}

struct id_key id_key_pair(uint32_t tenant, enum key_kind kind, uint32_t a, uint32_t b)
{
	return (struct id_key){(uint64_t)a << 32 | b, tenant << 8 | (uint32_t)kind};
}

static int make_sets(struct idcache *cache, uint32_t sets, struct err *err)
{
	size_t set_bytes = WAYS * sizeof(struct id_slot);
	void *memory = mem_zalloc((size_t)sets + 1, set_bytes);
	if (!memory)
		return err_set(err, ERR_NOMEM, "dictionary cache: no memory");
	cache->memory = memory;
	cache->slots = (struct id_slot *)(((uintptr_t)memory + set_bytes - 1) &
					  ~(uintptr_t)(set_bytes - 1));
	cache->sets = sets;
	cache->taken = 0;
	return 0;
}

int idcache_init(struct idcache *cache, size_t size_bytes, struct err *err)
{
	size_t sets = size_bytes / (WAYS * sizeof(struct id_slot));
	memset(cache, 0, sizeof(*cache));
	cache->sets_max = sets == 0 ? 1 : sets > UINT32_MAX ? UINT32_MAX : (uint32_t)sets;
	return make_sets(cache, cache->sets_max < SETS_START ? cache->sets_max : SETS_START, err);
}

void idcache_deinit(struct idcache *cache)
{
	mem_free(cache->memory);
	memset(cache, 0, sizeof(*cache));
}

void idcache_clear(struct idcache *cache)
{
	memset(cache->slots, 0, idcache_bytes(cache));
	cache->taken = 0;
}

size_t idcache_bytes(const struct idcache *cache)
{
	return (size_t)cache->sets * WAYS * sizeof(struct id_slot);
}

static struct id_slot *set_of(const struct idcache *cache, struct id_key key)
{
	return &cache->slots[((uint64_t)(uint32_t)mix(key) * cache->sets >> 32) * WAYS];
}

uint32_t idcache_get(const struct idcache *cache, struct id_key key)
{
	const struct id_slot *set = set_of(cache, key);
	for (unsigned i = 0; i < WAYS; i++)
		if (is(&set[i], key))
			return set[i].id;
	return 0;
}

void idcache_prefetch(const struct idcache *cache, struct id_key key)
{
	__builtin_prefetch(set_of(cache, key));
}

static void put(struct idcache *cache, struct id_key key, uint32_t id)
{
	struct id_slot *set = set_of(cache, key);
	unsigned at = cache->victim++ % WAYS;
	for (unsigned i = WAYS; i-- > 0;)
		if (set[i].id == 0)
			at = i;
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].id && is(&set[i], key))
			at = i;
	cache->taken += set[at].id == 0;
	set[at] = (struct id_slot){.a = key.a, .b = key.b, .id = id};
}

/* Without memory for it the cache stays as it is. */
static void grow_cache(struct idcache *cache)
{
	struct idcache old = *cache;
	uint32_t sets = old.sets_max / GROWTH < old.sets ? old.sets_max : old.sets * GROWTH;
	if (make_sets(cache, sets, NULL))
		return;
	for (size_t i = 0; i < (size_t)old.sets * WAYS; i++)
		if (old.slots[i].id)
			put(cache, key_of(&old.slots[i]), old.slots[i].id);
	mem_free(old.memory);
}

void idcache_put(struct idcache *cache, struct id_key key, uint32_t id)
{
	/* One entry a set on average: beyond that sets of four overflow often enough to be felt,
	 * since a miss costs a look into the database (measured: at three a set, 1.7 times the CPU
	 * time of the whole ingest). */
	if (cache->sets < cache->sets_max && cache->taken > cache->sets)
		grow_cache(cache);
	put(cache, key, id);
}

static void clear_slot(struct idcache *cache, struct id_slot *slot)
{
	*slot = (struct id_slot){0};
	cache->taken--;
}

void idcache_remove(struct idcache *cache, struct id_key key)
{
	struct id_slot *set = set_of(cache, key);
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].id && is(&set[i], key))
			clear_slot(cache, &set[i]);
}

/* A hash that looks like such a pair goes too, which costs one read. */
void idcache_remove_pairs(struct idcache *cache, uint32_t tenant, enum key_kind kind,
			  uint32_t before)
{
	struct id_key first = id_key_pair(tenant, kind, 0, 0);
	for (size_t i = 0; i < (size_t)cache->sets * WAYS; i++) {
		struct id_slot *slot = &cache->slots[i];
		if (slot->id && slot->b == first.b && slot->a >> 32 < before)
			clear_slot(cache, slot);
	}
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
	while (map->slots[i].id && !is(&map->slots[i], key))
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
			*find(&bigger, key_of(&map->slots[i])) = map->slots[i];
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
	*slot = (struct id_slot){.a = key.a, .b = key.b, .id = id};
	return 0;
}

void idmap_promote(const struct idmap *map, struct idcache *cache)
{
	for (size_t i = 0; map->count && i < map->cap; i++)
		if (map->slots[i].id)
			idcache_put(cache, key_of(&map->slots[i]), map->slots[i].id);
}
