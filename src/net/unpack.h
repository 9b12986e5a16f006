/* Private to net. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* gzip into the arena, at most limit_bytes. ERR_LIMIT, ERR_INVALID, ERR_NOMEM. */
MUST_USE int unpack_gzip(struct arena *arena, struct str packed, size_t limit_bytes,
			 struct str *ret, struct err *err);
