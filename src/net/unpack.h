/* Private to net. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* "gzip, zstd, snappy": what unpack() knows, for sentences and headers. */
extern const char unpack_known[];

/* What a content coding made (gzip; zstd; snappy, also as x-snappy-framed), into the arena, at most
 * limit_bytes. ERR_UNSUPPORTED: another coding; ERR_LIMIT, ERR_INVALID, ERR_NOMEM. */
MUST_USE int unpack(struct arena *arena, struct str coding, struct str packed, size_t limit_bytes,
		    struct str *ret, struct err *err);
