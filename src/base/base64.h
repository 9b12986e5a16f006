/* base64, RFC 4648. Written in the standard alphabet (section 4); read in that
 * and the URL-safe one (section 5), with padding or without. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Bytes that len bytes of base64 can give at the most. */
static inline size_t base64_decoded_max(size_t len)
{
	return len / 4 * 3 + 3;
}

/* Appends; a buffer without memory remembers it (buf_check). */
void base64_put(struct buf *out, struct str bytes, bool padded);
/* out has room for base64_decoded_max(text.len). False: not base64, or bits left over that are not zero. */
bool base64_get(struct str text, void *out, size_t *ret_len);
