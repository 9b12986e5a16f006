/* Feature gates of the Collector's command line (--feature-gates=+a,-b). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct gates {
	bool profiles; /* service.profilesSupport */
};

/* Each list is a comma list of [+-]NAME. ERR_INVALID for a gate that nobody knows; the Collector's other
 * gates are known and of no effect. */
MUST_USE int gates_parse(const char *const *lists, size_t count, struct gates *ret,
			 struct err *err);
