/* Private to the embedded engine: removal of series, stack nodes, frames and
 * strings that nothing refers to any more, after days were dropped. Belongs to
 * whoever does the maintenance. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct collector {
	bool due;	  /* days were dropped since the last one */
	uint64_t last_ns; /* as of when it ran; 0: not yet */
};

/* By the clock: at most once a day, when days were dropped. When asked for: always. Ends early, to be done
 * again, when the store is closed or its database opened anew. */
MUST_USE int collect_run(struct store *store, uint64_t now_ns, struct err *err);
