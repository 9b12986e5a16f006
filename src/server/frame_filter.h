/* Private to server: StackTraceSelector.frame_filter: which frames of stacks are
 * shown, by their names. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "query/query.h"
#include "types.pb-c.h"

/* A frame stays when an include names it (or there is none) and no exclude does; expressions match
 * anywhere in the name. What is in a frame that goes is its caller's. ERR_INVALID: an expression does not
 * compile, or there are too many. */
MUST_USE int frame_filter_apply(struct arena *arena, const Types__V1__FrameFilter *filter,
				struct store_tree *stacks, struct err *err);
