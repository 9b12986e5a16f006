/* Private to net: RFC 4648 section 4. gRPC's -bin headers are sent without
 * padding and taken with and without. */
#pragma once

#include "base/buf.h"

/* At most cap bytes are written; the length, or 0 when it does not fit. No padding. */
size_t base64_encode(struct str plain, char *out, size_t cap);
/* Appends; ERR_INVALID on a character that is none of base64. */
MUST_USE int base64_decode(struct str text, struct buf *out, struct err *err);
