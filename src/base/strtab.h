/* String table: each distinct string of one batch gets a small dense id; id 0
 * is "", as pprof and OTLP ask. All memory is the arena's, so nothing is freed
 * here. A table belongs to one batch, and so to one thread. Any bytes serve as
 * a string, so a packed struct can be interned as well (see profile/dict). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct strtab;

/* An empty table for up to max (>= 1) strings, "" counted. ERR_NOMEM. */
MUST_USE int strtab_create(struct arena *arena, uint32_t max, struct strtab **ret, struct err *err);
/* Finds text, or adds a copy. ERR_LIMIT, ERR_NOMEM: the table is as before. */
MUST_USE int strtab_intern(struct strtab *tab, struct str text, uint32_t *ret_id, struct err *err);
/* The string of an id < strtab_count(); out of range gives "". */
struct str strtab_get(const struct strtab *tab, uint32_t id);
uint32_t strtab_count(const struct strtab *tab);
