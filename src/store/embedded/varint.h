/* Private to the embedded engine: variable-length integers, the alphabet of
 * every value that it stores. "uleb" is LEB128 (7 bits a byte, low first, at
 * most 10 bytes); "zig" is a uleb of the number with its sign in bit 0
 * (0, -1, 1, -2 ... -> 0, 1, 2, 3 ...), so that small magnitudes stay short.
 *
 * The get functions return the next position, or NULL past the end or on bits
 * past 64; NULL goes in and comes out, so a row of them is checked once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { ULEB_MAX_BYTES = 10 };

static inline uint64_t zig_of(int64_t value)
{
	return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t zig_back(uint64_t zig)
{
	return (int64_t)((zig >> 1) ^ (0 - (zig & 1)));
}

static inline size_t uleb_size(uint64_t value)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
	return (bits + 6) / 7;
}

static inline uint8_t *uleb_put(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static inline const uint8_t *uleb_get_long(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
		uint8_t byte = *at++;
		if (shift == 63 && byte > 1)
			return NULL;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return at;
		}
	}
	return NULL;
}

static inline const uint8_t *uleb_get(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	if (!at || at >= end)
		return NULL;
	if (*at < 0x80) {
		*ret = *at;
		return at + 1;
	}
	return uleb_get_long(at, end, ret);
}

/* count of them, fast (varint.c). */
const uint8_t *uleb_get_many(const uint8_t *at, const uint8_t *end, size_t count, uint64_t *ret);

static inline void uleb_append(struct buf *out, uint64_t value)
{
	uint8_t bytes[ULEB_MAX_BYTES];
	buf_append(out, bytes, (size_t)(uleb_put(bytes, value) - bytes));
}
