/* Open addressing over (hash, id) pairs, at most half full, so that every probe
 * ends. The hash beside the id spares most comparisons of text, and lets the
 * table grow without reading a string again. */
#include "base/strtab.h"

#include <assert.h>

enum { FIRST_SLOTS = 64 };

struct slot {
	uint32_t hash;
	uint32_t id; /* 0: empty */
};

struct strtab {
	struct arena *arena;
	struct slot *slots;
	uint32_t slot_count; /* power of two */
	uint32_t count;
	uint32_t max;
	size_t cap; /* of strings */
	struct str *strings;
};

int strtab_create(struct arena *arena, uint32_t max, struct strtab **ret, struct err *err)
{
	struct strtab *tab = arena_zalloc(arena, 1, sizeof(*tab));

	assert(max >= 1);
	if (tab) {
		tab->arena = arena;
		tab->max = max;
		tab->slot_count = FIRST_SLOTS;
		tab->slots = arena_zalloc(arena, FIRST_SLOTS, sizeof(*tab->slots));
		tab->strings = arena_grow(arena, NULL, &tab->cap, 1, sizeof(*tab->strings));
	}
	if (!tab || !tab->slots || !tab->strings)
		return err_set(err, ERR_NOMEM, "string table: no memory for an empty table");
	tab->strings[0] = STR("");
	tab->count = 1;
	*ret = tab;
	return 0;
}

/* The slot of text, or the empty one where it goes. */
static struct slot *find_slot(const struct strtab *tab, struct str text, uint32_t hash)
{
	uint32_t mask = tab->slot_count - 1;
	uint32_t i = hash & mask;

	while (tab->slots[i].id &&
	       (tab->slots[i].hash != hash || !str_equal(tab->strings[tab->slots[i].id], text)))
		i = (i + 1) & mask;
	return &tab->slots[i];
}

/* All slots are in one array of twice the size; nothing changes without memory. */
static bool grow_slots(struct strtab *tab)
{
	uint32_t count = tab->slot_count * 2;
	struct slot *slots = count ? arena_zalloc(tab->arena, count, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (uint32_t i = 0; i < tab->slot_count; i++) {
		uint32_t at = tab->slots[i].hash & (count - 1);
		if (!tab->slots[i].id)
			continue;
		while (slots[at].id)
			at = (at + 1) & (count - 1);
		slots[at] = tab->slots[i];
	}
	tab->slots = slots;
	tab->slot_count = count;
	return true;
}

/* Room for one string more in both arrays. */
static bool reserve_one(struct strtab *tab)
{
	struct str *strings = arena_grow(tab->arena, tab->strings, &tab->cap,
					 tab->count + (size_t)1, sizeof(*strings));

	if (!strings)
		return false;
	tab->strings = strings;
	return tab->count < tab->slot_count / 2 || grow_slots(tab);
}

int strtab_intern(struct strtab *tab, struct str text, uint32_t *ret_id, struct err *err)
{
	uint32_t hash = (uint32_t)str_hash(text);
	struct slot *slot;

	if (text.len == 0) {
		*ret_id = 0;
		return 0;
	}
	slot = find_slot(tab, text, hash);
	if (!slot->id) {
		if (tab->count == tab->max)
			return err_set(err, ERR_LIMIT, "string table: full at %u strings",
				       tab->max);
		struct str copy = arena_str(tab->arena, text);
		if (!copy.ptr || !reserve_one(tab))
			return err_set(err, ERR_NOMEM, "string table: no memory for a string");
		slot = find_slot(tab, text, hash);
		tab->strings[tab->count] = copy;
		*slot = (struct slot){hash, tab->count++};
	}
	*ret_id = slot->id;
	return 0;
}

struct str strtab_get(const struct strtab *tab, uint32_t id)
{
	return id < tab->count ? tab->strings[id] : STR("");
}

uint32_t strtab_count(const struct strtab *tab)
{
	return tab->count;
}
