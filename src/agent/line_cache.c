#include "agent/line_cache.h"

enum { TEXTS_MAX = 1 << 24 };

void line_cache_init(struct line_cache *cache, size_t budget_bytes)
{
	*cache = (struct line_cache){.half_bytes = budget_bytes / 2};
	for (size_t i = 0; i < 2; i++)
		arena_init(&cache->halves[i].arena, cache->half_bytes);
}

void line_cache_deinit(struct line_cache *cache)
{
	for (size_t i = 0; i < 2; i++) {
		arena_deinit(&cache->halves[i].arena);
		map_deinit(&cache->halves[i].entries);
	}
}

static uint64_t entry_hash(uint64_t file, uint64_t vaddr)
{
	const uint64_t key[2] = {file, vaddr};

	return str_hash(str_make(key, sizeof(key)));
}

static const struct line_entry *find(const struct line_half *half, uint64_t file, uint64_t vaddr)
{
	const uint64_t *slot = map_get(&half->entries, entry_hash(file, vaddr));
	const struct line_entry *entry = slot ? (const struct line_entry *)(uintptr_t)*slot : NULL;

	return entry && entry->file == file && entry->vaddr == vaddr ? entry : NULL;
}

static bool copy_text(struct strtab *texts, struct str *text)
{
	uint32_t id;

	if (strtab_intern(texts, *text, &id, NULL))
		return false;
	*text = strtab_get(texts, id);
	return true;
}

/* NULL: the half is full. */
static struct line_entry *copy_entry(struct line_half *half, const struct line_entry *like,
				     const struct dwarf_row *rows)
{
	struct line_entry *entry =
		arena_alloc(&half->arena, sizeof(*entry) + like->count * sizeof(*rows));

	if (!entry || (!half->texts && strtab_create(&half->arena, TEXTS_MAX, &half->texts, NULL)))
		return NULL;
	*entry = *like;
	for (uint32_t i = 0; i < like->count; i++) {
		struct dwarf_row *row = &entry->rows[i];
		*row = rows[i];
		if (!copy_text(half->texts, &row->name) ||
		    !copy_text(half->texts, &row->system_name) ||
		    !copy_text(half->texts, &row->file))
			return NULL;
	}
	return entry;
}

static const struct line_entry *put(struct line_half *half, const struct line_entry *like,
				    const struct dwarf_row *rows)
{
	struct line_entry *entry = copy_entry(half, like, rows);

	if (!entry ||
	    map_put(&half->entries, entry_hash(like->file, like->vaddr), (uintptr_t)entry, NULL))
		return NULL;
	return entry;
}

static void turn(struct line_cache *cache)
{
	cache->young ^= 1;
	struct line_half *half = &cache->halves[cache->young];
	map_clear(&half->entries);
	arena_reset(&half->arena);
	half->texts = NULL;
	cache->turns++;
}

void line_cache_put(struct line_cache *cache, const struct line_entry *like,
		    const struct dwarf_row *rows)
{
	if (put(&cache->halves[cache->young], like, rows))
		return;
	turn(cache);
	(void)put(&cache->halves[cache->young], like, rows);
}

/* What is found in the old half moves, as far as there is room; making room would end it. */
const struct line_entry *line_cache_get(struct line_cache *cache, uint64_t file, uint64_t vaddr)
{
	struct line_half *young = &cache->halves[cache->young],
			 *old = &cache->halves[!cache->young];
	const struct line_entry *entry = find(young, file, vaddr);

	if (entry)
		return entry;
	entry = find(old, file, vaddr);
	const struct line_entry *moved = entry ? put(young, entry, entry->rows) : NULL;
	return moved ? moved : entry;
}

size_t line_cache_bytes(const struct line_cache *cache)
{
	size_t bytes = 0;

	for (size_t i = 0; i < 2; i++)
		bytes += cache->halves[i].arena.used_bytes +
			 cache->halves[i].entries.cap * 2 * sizeof(uint64_t);
	return bytes;
}
