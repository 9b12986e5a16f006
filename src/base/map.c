/* At most three quarters of the slots are ever in use (tombstones counted), so
 * that every probe ends at an empty one. */
#include "base/map.h"

#include "base/mem.h"

enum slot_state { SLOT_EMPTY, SLOT_LIVE, SLOT_DEAD };
enum { FIRST_CAP = 16 };

struct map_slot {
	uint64_t key;
	uint64_t value;
	enum slot_state state;
};

void map_deinit(struct map *map)
{
	mem_free(map->slots);
	*map = (struct map){0};
}

void map_clear(struct map *map)
{
	for (size_t i = 0; i < map->cap; i++)
		map->slots[i].state = SLOT_EMPTY;
	map->count = 0;
	map->used = 0;
}

/* Keys are often small numbers or aligned pointers: every bit must reach the low ones. */
static uint64_t mix(uint64_t key)
{
	key ^= key >> 32;
	key *= UINT64_C(0xd6e8feb86659fd93);
	key ^= key >> 32;
	key *= UINT64_C(0xd6e8feb86659fd93);
	return key ^ key >> 32;
}

static struct map_slot *find_live(const struct map *map, uint64_t key)
{
	if (map->count == 0)
		return NULL;
	size_t mask = map->cap - 1;
	for (size_t i = mix(key) & mask; map->slots[i].state != SLOT_EMPTY; i = (i + 1) & mask)
		if (map->slots[i].state == SLOT_LIVE && map->slots[i].key == key)
			return &map->slots[i];
	return NULL;
}

/* Where a key that is not there goes: the first slot on its way that is not live. */
static struct map_slot *find_free(struct map_slot *slots, size_t cap, uint64_t key)
{
	size_t i = mix(key) & (cap - 1);

	while (slots[i].state == SLOT_LIVE)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

uint64_t *map_get(const struct map *map, uint64_t key)
{
	struct map_slot *slot = find_live(map, key);

	return slot ? &slot->value : NULL;
}

/* Twice the slots, or as many again when tombstones are what fills them. */
static bool rehash(struct map *map)
{
	size_t cap = map->cap == 0		  ? FIRST_CAP
		     : map->count >= map->cap / 2 ? map->cap * 2
						  : map->cap;
	struct map_slot *slots = mem_zalloc(cap, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].state == SLOT_LIVE)
			*find_free(slots, cap, map->slots[i].key) = map->slots[i];
	mem_free(map->slots);
	map->slots = slots;
	map->cap = cap;
	map->used = map->count;
	return true;
}

int map_put(struct map *map, uint64_t key, uint64_t value, struct err *err)
{
	struct map_slot *slot = find_live(map, key);

	if (slot) {
		slot->value = value;
		return 0;
	}
	if ((map->used + 1) * 4 > map->cap * 3 && !rehash(map))
		return err_set(err, ERR_NOMEM, "map: no memory for more than %zu entries",
			       map->count);
	slot = find_free(map->slots, map->cap, key);
	if (slot->state == SLOT_EMPTY)
		map->used++;
	*slot = (struct map_slot){key, value, SLOT_LIVE};
	map->count++;
	return 0;
}

bool map_remove(struct map *map, uint64_t key, uint64_t *ret_old)
{
	struct map_slot *slot = find_live(map, key);

	if (!slot)
		return false;
	if (ret_old)
		*ret_old = slot->value;
	/* Nothing probes past a slot whose successor is empty. */
	size_t next = ((size_t)(slot - map->slots) + 1) & (map->cap - 1);
	if (map->slots[next].state == SLOT_EMPTY) {
		slot->state = SLOT_EMPTY;
		map->used--;
	} else {
		slot->state = SLOT_DEAD;
	}
	map->count--;
	return true;
}

bool map_next(const struct map *map, size_t *pos, uint64_t *ret_key, uint64_t **ret_value)
{
	while (*pos < map->cap) {
		struct map_slot *slot = &map->slots[(*pos)++];
		if (slot->state != SLOT_LIVE)
			continue;
		*ret_key = slot->key;
		*ret_value = &slot->value;
		return true;
	}
	return false;
}
