/* Private to net. */
#pragma once

#include "base/str.h"

enum { DATE_BYTES = 32 };

/* Now as an IMF-fixdate (RFC 9110 section 5.6.7), in out[DATE_BYTES]. */
struct str date_now(char *out);
