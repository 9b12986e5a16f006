/* gzip and zlib of whole messages, bounded (libdeflate). Any thread. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the unpacked bytes (all members of a multi-member file); ERR_LIMIT above limit_bytes,
 * whatever the header promises; ERR_INVALID on broken input. */
MUST_USE int zip_gunzip(struct str packed, size_t limit_bytes, struct buf *out, struct err *err);
MUST_USE int zip_gzip(struct str plain, int level, struct buf *out, struct err *err);
