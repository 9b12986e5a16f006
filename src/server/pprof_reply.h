/* Private to server: stacks as a pprof. */
#pragma once

#include "profile.pb-c.h"
#include "server/api.h"
#include "types.pb-c.h"

/* period is guessed from the type, as Pyroscope does: it is not stored. time is the end of the range.
 * pgo (may be NULL): only the keep_locations frames next to the leaf (0: 5); aggregate_callees: leaves
 * without line numbers. */
MUST_USE int pprof_reply_bytes(struct arena *arena, const struct store_tree *stacks,
			       const struct query_range *range, const Types__V1__GoPGO *pgo,
			       struct buf *out, struct err *err);
/* The same as a message. */
MUST_USE int pprof_reply(struct arena *arena, const struct store_tree *stacks,
			 const struct query_range *range, const Types__V1__GoPGO *pgo,
			 Google__V1__Profile **ret, struct err *err);
