/* Private to wire: JSON text, written; and the small codecs of bytes in text. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* A quoted string (RFC 8259, section 7). Bytes that are not UTF-8 are the caller's affair. */
void json_put_text(struct buf *out, struct str text);
/* Shortest; NaN and infinities as strings, as protobuf's JSON mapping has them. */
void json_put_double(struct buf *out, double real);
/* A quoted base64 string (RFC 4648, section 4). */
void json_put_base64(struct buf *out, struct str bytes);

/* Exactly len bytes from twice as many hex digits; false if it is anything else. */
bool text_from_hex(struct str text, uint8_t *ret, size_t len);
/* Base64 of either alphabet, padding optional, into the arena; {NULL, 0} if it is not that, or without
 * memory. */
struct str text_from_base64(struct arena *arena, struct str text);
