/* What is known of the source lines of addresses: (file, vaddr) -> rows, within
 * a budget. Two halves: new entries go into the young one; when that is full
 * the old one is forgotten and they change places, so that what was used since
 * stays. Texts are kept once a half. One thread. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "base/strtab.h"
#include "elf/dwarf.h"

struct line_entry {
	uint64_t file, vaddr;
	uint32_t count; /* 0: known to have none */
	bool whole;	/* the last row's name is to be taken, too */
	struct dwarf_row rows[];
};

struct line_half {
	struct arena arena;
	struct strtab *texts; /* NULL: empty */
	struct map entries;   /* hash -> struct line_entry */
};

struct line_cache {
	struct line_half halves[2];
	uint32_t young;
	size_t half_bytes;
	uint64_t turns; /* how often a half was forgotten */
};

void line_cache_init(struct line_cache *cache, size_t budget_bytes);
void line_cache_deinit(struct line_cache *cache);
/* NULL: not known. Valid until the next put. */
const struct line_entry *line_cache_get(struct line_cache *cache, uint64_t file, uint64_t vaddr);
/* Keeps a copy of like->count rows; without memory nothing is kept. */
void line_cache_put(struct line_cache *cache, const struct line_entry *like,
		    const struct dwarf_row *rows);
size_t line_cache_bytes(const struct line_cache *cache);
