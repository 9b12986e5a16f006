/* Private to server: times as Pyroscope's REST paths take them. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* "now", "now-1h30min" (s, m or min, h, d, w, M or mon, y), 20240131 (UTC), or numbers since 1970 in
 * seconds, milliseconds, microseconds or nanoseconds, told apart by their digits. ERR_INVALID. */
MUST_USE int attime_parse(struct str text, int64_t now_ms, int64_t *ret_ms, struct err *err);
/* The same in nanoseconds, of which none is lost. */
MUST_USE int attime_parse_ns(struct str text, uint64_t now_ns, uint64_t *ret_ns, struct err *err);
