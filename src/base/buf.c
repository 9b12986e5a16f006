#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void buf_init(struct buf *buf, size_t limit_bytes)
{
	*buf = (struct buf){.limit_bytes = limit_bytes};
}

void buf_deinit(struct buf *buf)
{
	mem_free(buf->ptr);
	buf_init(buf, buf->limit_bytes);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = 0;
}

static bool fail(struct buf *buf, int code)
{
	buf->failed = code;
	return false;
}

/* One byte more than asked is kept, so that vsnprintf has room for its NUL at the limit too. */
bool buf_reserve(struct buf *buf, size_t more)
{
	size_t need;

	if (buf->failed)
		return false;
	if (__builtin_add_overflow(buf->len, more, &need) || need > SIZE_MAX / 2)
		return fail(buf, ERR_LIMIT);
	if (buf->limit_bytes && need > buf->limit_bytes)
		return fail(buf, ERR_LIMIT);
	if (need < buf->cap)
		return true;
	char *grown = mem_grow(buf->ptr, &buf->cap, need + 1, 1);
	if (!grown)
		return fail(buf, ERR_NOMEM);
	buf->ptr = grown;
	return true;
}

void buf_append(struct buf *buf, const void *ptr, size_t len)
{
	if (len == 0 || !buf_reserve(buf, len))
		return;
	memcpy(buf->ptr + buf->len, ptr, len);
	buf->len += len;
}

void buf_str(struct buf *buf, struct str s)
{
	buf_append(buf, s.ptr, s.len);
}

void buf_cstr(struct buf *buf, const char *s)
{
	buf_append(buf, s, strlen(s));
}

void buf_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len <= 0 || !buf_reserve(buf, (size_t)len))
		return;
	va_start(args, fmt);
	vsnprintf(buf->ptr + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
	if (!buf->failed)
		return 0;
	if (buf->failed == ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", what,
			       buf->limit_bytes ? buf->limit_bytes : SIZE_MAX / 2);
	return err_set(err, buf->failed, "%s: no memory", what);
}
