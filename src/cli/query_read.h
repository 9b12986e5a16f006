/* What `cresset query` reads: times, a service's name, the server's answer. Pure functions. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "query/query.h"

/* "1732300000" (seconds since 1970), "now", "-15m", "now-15m" with s m h d. ERR_INVALID names --what. */
MUST_USE int query_parse_time(const char *what, const char *value, uint64_t now_ms, int64_t *ret_ms,
			      struct err *err);
/* {service_name="NAME"} with the name quoted for a selector; {NULL, 0} without memory. */
struct str query_service_selector(struct arena *arena, const char *service);
/* Pyroscope's FlameGraph as JSON; names are views of it. What is absent or of another type is 0 or empty:
 * query_flame_decode() judges the whole. */
MUST_USE int query_read_flame(const json_t *graph, struct arena *arena, struct query_flame *ret,
			      struct err *err);
