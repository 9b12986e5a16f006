/* Private to the embedded engine: which ids of a tenant are in use, one bit
 * each. The collection marks what the stored samples refer to; the writer, under
 * commit_lock, what it finds meanwhile. Both may do so at once. Ids behind those
 * that there were when the collection began are in use, whatever happens. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum used_kind { USED_STRING, USED_FRAME, USED_NODE, USED_SERIES, USED_KINDS };

struct budget;

struct used {
	struct budget *budget; /* that size_bytes are taken from */
	size_t size_bytes;
	uint32_t tenant;
	uint32_t count[USED_KINDS]; /* ids below */
	_Atomic uint64_t *bits[USED_KINDS];
};

/* All bits clear, for ids below count[]. ERR_LIMIT: the budget (NULL: none) has not that much left. */
MUST_USE int used_init(struct used *used, uint32_t tenant, const uint32_t count[USED_KINDS],
		       struct budget *budget, struct err *err);
void used_deinit(struct used *used); /* a zeroed one is fine */

static inline bool used_has(const struct used *used, enum used_kind kind, uint32_t id)
{
	if (id >= used->count[kind])
		return true;
	uint64_t word = atomic_load_explicit(&used->bits[kind][id / 64], memory_order_relaxed);
	return word >> id % 64 & 1;
}

static inline void used_add(struct used *used, enum used_kind kind, uint32_t id)
{
	if (!used_has(used, kind, id))
		atomic_fetch_or_explicit(&used->bits[kind][id / 64], 1ull << id % 64,
					 memory_order_relaxed);
}
