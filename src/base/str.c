#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_bytes(const char *a, const char *b, size_t len)
{
	return len == 0 || memcmp(a, b, len) == 0;
}

bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && same_bytes(a.ptr, b.ptr, a.len);
}

int str_compare(struct str a, struct str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

uint64_t str_hash(struct str s)
{
	return XXH3_64bits(s.ptr, s.len);
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && same_bytes(s.ptr, prefix.ptr, prefix.len);
}

bool str_ends_with(struct str s, struct str suffix)
{
	if (suffix.len == 0)
		return true;
	return s.len >= suffix.len &&
	       same_bytes(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len);
}

bool str_equal_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (to_lower(a.ptr[i]) != to_lower(b.ptr[i]))
			return false;
	return true;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return -1;
	const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
	return at ? at - s.ptr : -1;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return at ? at - s.ptr : -1;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
	const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;

	return at ? at - s.ptr : -1;
}

struct str str_sub(struct str s, size_t from, size_t len)
{
	if (from > s.len)
		from = s.len;
	if (len > s.len - from)
		len = s.len - from;
	return (struct str){from ? s.ptr + from : s.ptr, len};
}

int str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_space(s.ptr[0]))
		s = (struct str){s.ptr + 1, s.len - 1};
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool str_next(struct str *rest, char sep, struct str *ret_part)
{
	if (!rest->ptr)
		return false;
	ptrdiff_t at = str_find_char(*rest, sep);
	if (at < 0) {
		*ret_part = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*ret_part = (struct str){rest->ptr, (size_t)at};
	*rest = (struct str){rest->ptr + at + 1, rest->len - (size_t)at - 1};
	return true;
}

struct str str_basename(struct str path)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (path.len == 1)
		return path;
	ptrdiff_t slash = str_rfind_char(path, '/');
	return slash < 0 ? path : str_sub(path, (size_t)slash + 1, path.len);
}

bool str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	bool sign = negative || (s.len > 0 && s.ptr[0] == '+');
	uint64_t size;

	if (!str_to_u64(sign ? str_sub(s, 1, s.len) : s, &size))
		return false;
	if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret = negative ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}

bool str_to_double(struct str s, double *ret)
{
	char text[128];
	char *end;
	double value;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	/* strtod also takes blanks, hex, inf and nan: none is a decimal number. */
	for (size_t i = 0; i < s.len; i++)
		if (!s.ptr[i] || !strchr("0123456789+-.eE", s.ptr[i]))
			return false;
	str_copy(text, sizeof(text), s);
	errno = 0;
	value = strtod(text, &end);
	if (*end || end == text || (errno == ERANGE && (value > 1 || value < -1)))
		return false;
	*ret = value;
	return true;
}

void str_copy(char *dst, size_t cap, struct str s)
{
	size_t len = s.len < cap ? s.len : cap - 1;

	if (len > 0)
		memcpy(dst, s.ptr, len);
	dst[len] = '\0';
}

/* RFC 3629 section 4: how many bytes follow the first, and the range of the second. */
static size_t utf8_tail(uint8_t first, uint8_t *ret_min, uint8_t *ret_max)
{
	*ret_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 1;
	if (first >= 0xe0 && first <= 0xef)
		return 2;
	if (first >= 0xf0 && first <= 0xf4)
		return 3;
	return 0;
}

bool str_is_utf8(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.ptr;
	size_t i = 0;

	while (i < s.len) {
		uint8_t min, max;
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		size_t tail = utf8_tail(p[i], &min, &max);
		if (tail == 0 || s.len - i <= tail || p[i + 1] < min || p[i + 1] > max)
			return false;
		for (size_t k = 2; k <= tail; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		i += tail + 1;
	}
	return true;
}
