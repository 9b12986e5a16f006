/* A piece of text that somebody else owns: pointer and length, NUL not needed,
 * any bytes allowed. Pure functions, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str str_of(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct str str_make(const void *ptr, size_t len)
{
	return (struct str){(const char *)ptr, len};
}

bool str_equal(struct str a, struct str b);
/* Bytewise, as memcmp; a prefix sorts first. */
int str_compare(struct str a, struct str b);
uint64_t str_hash(struct str s); /* XXH3-64 */
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
bool str_equal_nocase(struct str a, struct str b); /* ASCII */
/* Offset of the first needle, or -1. An empty needle is at 0. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_rfind_char(struct str s, char c);
/* The part [from, from+len), cut to what there is. */
struct str str_sub(struct str s, size_t from, size_t len);
int str_hex_digit(char c);	   /* its value, -1 if it is none; either case */
struct str str_trim(struct str s); /* ASCII white space, both ends */
/* Takes the text before sep off *rest (and drops sep); without a sep takes all of it. False when
 * *rest is exhausted (ptr NULL), so `while (str_next(&rest, ',', &part))` walks every part. */
bool str_next(struct str *rest, char sep, struct str *ret_part);
/* Last part of a path; "/" and "" give themselves. */
struct str str_basename(struct str path);
/* Whole text is a decimal number within the type's range, else false. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);
/* Copies as much as fits, always NUL-terminated (cap >= 1). */
void str_copy(char *dst, size_t cap, struct str s);
/* Valid UTF-8 (no surrogates, no overlong forms)? RFC 3629. */
bool str_is_utf8(struct str s);
