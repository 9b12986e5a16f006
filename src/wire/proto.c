#include "wire/proto.h"

#include <endian.h>

enum { FIELD_NUMBER_MAX = (1 << 29) - 1, GROUP_DEPTH_MAX = 64, VARINT_BYTES_MAX = 10 };

static bool read_value(struct cur *c, struct pb_field *ret)
{
	switch (ret->type) {
	case PB_VARINT:
		ret->value = pb_varint(c);
		break;
	case PB_FIXED64:
		ret->value = cur_u64le(c);
		break;
	case PB_FIXED32:
		ret->value = cur_u32le(c);
		break;
	case PB_LEN:
		ret->bytes = cur_bytes(c, pb_varint(c));
		break;
	case PB_GROUP:
	case PB_END:
	default:
		c->bad = true;
	}
	return cur_ok(c);
}

static bool read_tag(struct cur *c, struct pb_field *ret)
{
	uint64_t tag = pb_varint(c);

	if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX || (tag & 7) > PB_FIXED32)
		c->bad = true;
	*ret = (struct pb_field){.number = (uint32_t)(tag >> 3),
				 .type = (enum pb_type)(tag & 7),
				 .bytes = STR("")};
	return cur_ok(c);
}

/* Up to the end tag that belongs to the start tag just read. */
static void skip_group(struct cur *c, uint32_t number)
{
	uint32_t open[GROUP_DEPTH_MAX] = {number};
	size_t depth = 1;
	struct pb_field field;

	while (depth > 0 && read_tag(c, &field)) {
		if (field.type == PB_GROUP && depth < GROUP_DEPTH_MAX)
			open[depth++] = field.number;
		else if (field.type == PB_END && open[depth - 1] == field.number)
			depth--;
		else
			read_value(c, &field);
	}
}

bool pb_next(struct cur *c, struct pb_field *ret)
{
	while (!c->bad && c->pos < c->end && read_tag(c, ret)) {
		if (ret->type != PB_GROUP)
			return read_value(c, ret);
		skip_group(c, ret->number);
	}
	return false;
}

uint32_t pb_packed_count(struct str bytes)
{
	uint32_t count = 0;

	for (size_t i = 0; i < bytes.len; i++)
		count += !((uint8_t)bytes.ptr[i] & 0x80);
	return count;
}

void pb_put_long_varint(struct buf *buf, uint64_t value)
{
	if (!buf_reserve(buf, VARINT_BYTES_MAX))
		return;
	while (value >= 0x80) {
		buf->ptr[buf->len++] = (char)(value | 0x80);
		value >>= 7;
	}
	buf->ptr[buf->len++] = (char)value;
}

void pb_put_uint(struct buf *buf, uint32_t number, uint64_t value)
{
	if (value == 0)
		return;
	pb_put_tag(buf, number, PB_VARINT);
	pb_put_varint(buf, value);
}

void pb_put_int(struct buf *buf, uint32_t number, int64_t value)
{
	pb_put_uint(buf, number, (uint64_t)value);
}

void pb_put_fixed64(struct buf *buf, uint32_t number, uint64_t value)
{
	uint64_t little = htole64(value);

	if (value == 0)
		return;
	pb_put_tag(buf, number, PB_FIXED64);
	buf_append(buf, &little, sizeof(little));
}

void pb_put_text(struct buf *buf, uint32_t number, struct str text)
{
	if (text.len > 0)
		pb_put_bytes(buf, number, text);
}

void pb_put_bytes(struct buf *buf, uint32_t number, struct str bytes)
{
	pb_put_tag(buf, number, PB_LEN);
	pb_put_varint(buf, bytes.len);
	buf_str(buf, bytes);
}

/* One byte is kept for the length, which is enough below 128; pb_end moves the content when it is more. */
size_t pb_begin(struct buf *buf, uint32_t number)
{
	pb_put_tag(buf, number, PB_LEN);
	buf_char(buf, 0);
	return buf->len;
}

void pb_end(struct buf *buf, size_t begin)
{
	char length[VARINT_BYTES_MAX];
	size_t bytes = 0;
	uint64_t value;

	if (buf->failed)
		return;
	assert(begin >= 1 && begin <= buf->len);
	for (value = buf->len - begin; value >= 0x80; value >>= 7)
		length[bytes++] = (char)(value | 0x80);
	length[bytes++] = (char)value;
	if (!buf_reserve(buf, bytes - 1))
		return;
	memmove(buf->ptr + begin + bytes - 1, buf->ptr + begin, buf->len - begin);
	memcpy(buf->ptr + begin - 1, length, bytes);
	buf->len += bytes - 1;
}
