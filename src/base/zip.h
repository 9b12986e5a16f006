/* gzip (libdeflate), zstd (libzstd) and snappy (libsnappy) of whole messages, bounded. Any thread. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the unpacked bytes (all members of a multi-member file); ERR_LIMIT above limit_bytes,
 * whatever the header promises; ERR_INVALID on broken input. */
MUST_USE int zip_gunzip(struct str packed, size_t limit_bytes, struct buf *out, struct err *err);
MUST_USE int zip_gzip(struct str plain, int level, struct buf *out, struct err *err);

/* The same for zstd: all frames (RFC 8878), windows of up to 128 MiB. */
MUST_USE int zip_unzstd(struct str packed, size_t limit_bytes, struct buf *out, struct err *err);

/* The same for snappy: a stream of chunks with checksums, or a bare block. */
MUST_USE int zip_unsnappy(struct str packed, size_t limit_bytes, struct buf *out, struct err *err);
/* One bare block. */
MUST_USE int zip_snappy(struct str plain, struct buf *out, struct err *err);
