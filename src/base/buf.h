/* A growing byte buffer. Sticky: once an append failed (memory or limit) the
 * later ones do nothing, and buf_check() says so once at the end. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t limit_bytes; /* 0: none */
	int failed;	    /* 0, ERR_NOMEM or ERR_LIMIT */
};

void buf_init(struct buf *buf, size_t limit_bytes);
void buf_deinit(struct buf *buf); /* a zeroed one is fine, and twice too */
void buf_clear(struct buf *buf);  /* keeps the memory, forgets a failure */
/* Room for at least more bytes after len; false (and failed) when there is none. */
bool buf_reserve(struct buf *buf, size_t more);
void buf_append(struct buf *buf, const void *ptr, size_t len);
void buf_str(struct buf *buf, struct str s);
void buf_cstr(struct buf *buf, const char *s);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or why an append failed: "<what>: no memory" / "<what>: larger than N bytes". */
MUST_USE int buf_check(const struct buf *buf, const char *what, struct err *err);

static inline struct str buf_text(const struct buf *buf)
{
	return (struct str){buf->ptr ? buf->ptr : "", buf->len};
}
