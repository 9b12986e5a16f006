/* Private to query: Go string literals, as PromQL has them. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* text[*at] is the opening quote (" ' or `); moves *at behind the closing one. ERR_INVALID with the
 * place, ERR_NOMEM. */
MUST_USE int query_literal(struct arena *arena, struct str text, size_t *at, struct str *ret,
			   struct err *err);
