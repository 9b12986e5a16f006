/* Private to server: base64 (RFC 4648, sections 4 and 5). */
#pragma once

#include "base/buf.h"
#include "base/str.h"

/* Standard alphabet, padded. */
void pbjson_base64_encode(struct str bytes, struct buf *out);
/* Either alphabet, padding optional; out has room for text.len bytes. False: not base64. */
bool pbjson_base64_decode(struct str text, uint8_t *out, size_t *ret_len);
