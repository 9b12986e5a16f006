/* Private to the embedded engine: what is done to a batch in its caller's own
 * thread, before it queues: is every index within its table, and what is the
 * hash of its content. Pure functions. */
#pragma once

#include "base/err.h"
#include "store/embedded/keys.h"
#include "store/engine.h"

/* ERR_INVALID names the first thing that is wrong. */
MUST_USE int batch_check(const struct store_batch *batch, struct err *err);
/* The same content gives the same hash, wherever it lies in memory. ERR_NOMEM. */
MUST_USE int batch_hash(const struct store_batch *batch, uint64_t seed, struct hash128 *ret,
			struct err *err);
size_t batch_sample_count(const struct store_batch *batch);
