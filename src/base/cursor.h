/* A bounds-checked reader over bytes that somebody else owns. Sticky: a read
 * past the end (or a malformed varint) marks the cursor bad, and it and all
 * later reads yield zero and move nothing; check once with cur_ok() or
 * cur_check() at the end. Never reads outside [start, end). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct cur {
	const uint8_t *start;
	const uint8_t *pos;
	const uint8_t *end;
	bool bad;
};

static inline struct cur cur_make(const void *ptr, size_t len)
{
	const uint8_t *p = ptr;
	return (struct cur){p, p, p ? p + len : p, false}; /* NULL + 0 is undefined in C */
}

static inline bool cur_ok(const struct cur *c)
{
	return !c->bad;
}

static inline size_t cur_left(const struct cur *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->pos);
}

static inline size_t cur_offset(const struct cur *c)
{
	return (size_t)(c->pos - c->start);
}

uint8_t cur_u8(struct cur *c);
uint16_t cur_u16le(struct cur *c);
uint32_t cur_u32le(struct cur *c);
uint64_t cur_u64le(struct cur *c);
uint32_t cur_u32be(struct cur *c);
uint64_t cur_u64be(struct cur *c);
/* LEB128 / protobuf varint, at most 10 bytes; more, or bits past 64, is bad. */
uint64_t cur_uleb(struct cur *c);
int64_t cur_sleb(struct cur *c);
/* len bytes as a view; {NULL,0} when there are fewer. */
struct str cur_bytes(struct cur *c, size_t len);
/* Text up to a NUL, which is consumed and not part of it. */
struct str cur_cstr(struct cur *c);
void cur_skip(struct cur *c, size_t len);
/* To an offset from start. */
void cur_seek(struct cur *c, size_t offset);
/* A cursor over the next len bytes, which are consumed here. */
struct cur cur_sub(struct cur *c, size_t len);
/* 0, or ERR_CORRUPT "<what>: cut short or malformed at byte N". */
MUST_USE int cur_check(const struct cur *c, const char *what, struct err *err);
