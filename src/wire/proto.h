/* Private to wire: the protobuf wire format (protobuf.dev, "Encoding"), reading
 * over a cursor and writing into a buffer. Both are sticky: check once. */
#pragma once

#include <assert.h>

#include "base/buf.h"
#include "base/cursor.h"

enum pb_type {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_LEN = 2,
	PB_GROUP = 3,
	PB_END = 4,
	PB_FIXED32 = 5
};

struct pb_field {
	uint32_t number;
	enum pb_type type;
	uint64_t value;	  /* VARINT, FIXED64, FIXED32 */
	struct str bytes; /* LEN, else "" */
};

/* One and two bytes, which nearly all have, without a call. */
static inline uint64_t pb_varint(struct cur *c)
{
	if (c->bad || c->end - c->pos < 2)
		return cur_uleb(c);
	if (c->pos[0] < 0x80)
		return *c->pos++;
	if (c->pos[1] >= 0x80)
		return cur_uleb(c);
	c->pos += 2;
	return (uint64_t)(c->pos[-2] & 0x7f) | (uint64_t)c->pos[-1] << 7;
}

/* The next field; false at the end and when the bytes are malformed (the cursor is then bad). Groups are
 * skipped, whatever is in them. */
bool pb_next(struct cur *c, struct pb_field *ret);

static inline struct cur pb_message(const struct pb_field *field)
{
	return cur_make(field->bytes.ptr, field->bytes.len);
}

/* How many varints a packed field holds. */
uint32_t pb_packed_count(struct str bytes);

/* ---- writing ---- */

void pb_put_long_varint(struct buf *buf, uint64_t value);

static inline void pb_put_varint(struct buf *buf, uint64_t value)
{
	if (value < 0x80 && !buf->failed && buf->len + 1 < buf->cap &&
	    (!buf->limit_bytes || buf->len < buf->limit_bytes))
		buf->ptr[buf->len++] = (char)value;
	else
		pb_put_long_varint(buf, value);
}

static inline void pb_put_tag(struct buf *buf, uint32_t number, enum pb_type type)
{
	pb_put_varint(buf, (uint64_t)number << 3 | type);
}

/* Fields; as proto3 does, zero and empty ones are left out. */
void pb_put_uint(struct buf *buf, uint32_t number, uint64_t value);
void pb_put_int(struct buf *buf, uint32_t number, int64_t value);
void pb_put_fixed64(struct buf *buf, uint32_t number, uint64_t value);
void pb_put_text(struct buf *buf, uint32_t number, struct str text);
/* Even when empty: an element of a repeated field, a member of a oneof. */
void pb_put_bytes(struct buf *buf, uint32_t number, struct str bytes);

/* A nested message: what is appended between begin and end is its content. */
size_t pb_begin(struct buf *buf, uint32_t number);
void pb_end(struct buf *buf, size_t begin);
