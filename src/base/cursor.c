#include "base/cursor.h"

#include <endian.h>

/* The next len bytes, consumed; NULL and bad when there are fewer. */
static const uint8_t *take(struct cur *c, size_t len)
{
	const uint8_t *p = c->pos;

	if (c->bad || (size_t)(c->end - c->pos) < len) {
		c->bad = true;
		return NULL;
	}
	c->pos += len;
	return p;
}

uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = take(c, 1);

	return p ? *p : 0;
}

uint16_t cur_u16le(struct cur *c)
{
	const uint8_t *p = take(c, 2);

	if (!p)
		return 0;
	return (uint16_t)((uint32_t)p[0] | (uint32_t)p[1] << 8);
}

static uint32_t load32(struct cur *c)
{
	const uint8_t *p = take(c, 4);
	uint32_t value = 0;

	if (p)
		memcpy(&value, p, 4);
	return value;
}

static uint64_t load64(struct cur *c)
{
	const uint8_t *p = take(c, 8);
	uint64_t value = 0;

	if (p)
		memcpy(&value, p, 8);
	return value;
}

uint32_t cur_u32le(struct cur *c)
{
	return le32toh(load32(c));
}

uint64_t cur_u64le(struct cur *c)
{
	return le64toh(load64(c));
}

uint32_t cur_u32be(struct cur *c)
{
	return be32toh(load32(c));
}

uint64_t cur_u64be(struct cur *c)
{
	return be64toh(load64(c));
}

enum { LEB_BYTES_MAX = 10 };

/* Gathers the 7-bit groups. Returns how many bytes it has, 0 when cut short or too long. */
static size_t leb_parse(const struct cur *c, uint64_t *ret, uint8_t *ret_last)
{
	size_t left = cur_left(c);
	uint64_t value = 0;

	for (size_t i = 0; i < left && i < LEB_BYTES_MAX; i++) {
		uint8_t byte = c->pos[i];
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*ret = value;
			*ret_last = byte;
			return i + 1;
		}
	}
	return 0;
}

uint64_t cur_uleb(struct cur *c)
{
	uint64_t value;
	uint8_t last;

	if (!c->bad && c->pos < c->end && *c->pos < 0x80)
		return *c->pos++;
	size_t len = leb_parse(c, &value, &last);
	if (len == 0 || (len == LEB_BYTES_MAX && last > 1)) {
		c->bad = true;
		return 0;
	}
	c->pos += len;
	return value;
}

int64_t cur_sleb(struct cur *c)
{
	uint64_t value;
	uint8_t last;
	size_t len = leb_parse(c, &value, &last);

	if (len == 0 || (len == LEB_BYTES_MAX && last != 0 && last != 0x7f)) {
		c->bad = true;
		return 0;
	}
	c->pos += len;
	if (last & 0x40 && len < LEB_BYTES_MAX)
		value |= ~(uint64_t)0 << (7 * len);
	return (int64_t)value;
}

struct str cur_bytes(struct cur *c, size_t len)
{
	const uint8_t *p = take(c, len);

	return p ? str_make(p, len) : (struct str){NULL, 0};
}

struct str cur_cstr(struct cur *c)
{
	size_t left = cur_left(c);
	const uint8_t *nul = left ? memchr(c->pos, 0, left) : NULL;

	if (!nul) {
		c->bad = true;
		return (struct str){NULL, 0};
	}
	struct str text = str_make(c->pos, (size_t)(nul - c->pos));
	c->pos = nul + 1;
	return text;
}

void cur_skip(struct cur *c, size_t len)
{
	take(c, len);
}

void cur_seek(struct cur *c, size_t offset)
{
	if (c->bad || offset > (size_t)(c->end - c->start))
		c->bad = true;
	else
		c->pos = c->start + offset;
}

struct cur cur_sub(struct cur *c, size_t len)
{
	const uint8_t *p = take(c, len);

	if (!p)
		return (struct cur){c->pos, c->pos, c->pos, true};
	return (struct cur){p, p, p + len, false};
}

int cur_check(const struct cur *c, const char *what, struct err *err)
{
	if (!c->bad)
		return 0;
	return err_set(err, ERR_CORRUPT, "%s: cut short or malformed at byte %zu", what,
		       cur_offset(c));
}
