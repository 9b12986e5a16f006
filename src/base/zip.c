#include "base/zip.h"

#include <libdeflate.h>
#include <pthread.h>

#include "base/mem.h"

enum { GZIP_TRAILER_BYTES = 8, FIRST_GUESS_BYTES = 4096 };

static pthread_once_t hook_once = PTHREAD_ONCE_INIT;

/* libdeflate's own state comes from our allocator too, so that tests can fail it. */
static void hook_memory(void)
{
	libdeflate_set_memory_allocator(mem_alloc, mem_free);
}

static void free_decompressor(struct libdeflate_decompressor **dec)
{
	libdeflate_free_decompressor(*dec);
}

static void free_compressor(struct libdeflate_compressor **comp)
{
	libdeflate_free_compressor(*comp);
}

/* What the trailer (RFC 1952, ISIZE) promises, believed only up to the limit and to what deflate
 * can do (1032 : 1): a lie costs a second try, never memory. */
static size_t guess_size(struct str packed, size_t limit_bytes)
{
	size_t most = packed.len > SIZE_MAX / 1032 ? SIZE_MAX : packed.len * 1032;
	size_t guess = FIRST_GUESS_BYTES;

	if (packed.len > GZIP_TRAILER_BYTES) {
		const unsigned char *p = (const unsigned char *)packed.ptr + packed.len - 4;
		size_t isize = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
		if (isize > guess)
			guess = isize;
	}
	if (guess > most)
		guess = most > FIRST_GUESS_BYTES ? most : FIRST_GUESS_BYTES;
	return guess < limit_bytes ? guess : limit_bytes;
}

static int too_large(size_t limit_bytes, struct err *err)
{
	return err_set(err, ERR_LIMIT, "gzip: unpacks to more than %zu bytes", limit_bytes);
}

/* One member into at most limit_bytes more of out. */
static int gunzip_member(struct libdeflate_decompressor *dec, struct str *packed,
			 size_t limit_bytes, struct buf *out, struct err *err)
{
	size_t room = guess_size(*packed, limit_bytes);

	for (;;) {
		size_t used, made;
		if (!buf_reserve(out, room))
			return buf_check(out, "gzip", err);
		enum libdeflate_result result =
			libdeflate_gzip_decompress_ex(dec, packed->ptr, packed->len,
						      out->ptr + out->len, room, &used, &made);
		if (result == LIBDEFLATE_SUCCESS) {
			out->len += made;
			*packed = str_sub(*packed, used, packed->len);
			return 0;
		}
		if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
			return err_set(err, ERR_INVALID, "gzip: broken or cut-off data");
		if (room >= limit_bytes)
			return err_set(err, ERR_LIMIT, "gzip: too large");
		room = room > limit_bytes / 4 ? limit_bytes : room * 4;
	}
}

int zip_gunzip(struct str packed, size_t limit_bytes, struct buf *out, struct err *err)
{
	size_t start = out->len;

	pthread_once(&hook_once, hook_memory);
	__attribute__((cleanup(free_decompressor))) struct libdeflate_decompressor *dec =
		libdeflate_alloc_decompressor();
	if (!dec)
		return err_set(err, ERR_NOMEM, "gzip: no memory to unpack with");
	do {
		size_t left = limit_bytes - (out->len - start);
		int code = gunzip_member(dec, &packed, left, out, err);
		if (code) {
			out->len = start;
			return code == ERR_LIMIT && !out->failed ? too_large(limit_bytes, err)
								 : code;
		}
	} while (packed.len > 0);
	return 0;
}

int zip_gzip(struct str plain, int level, struct buf *out, struct err *err)
{
	pthread_once(&hook_once, hook_memory);
	__attribute__((cleanup(free_compressor))) struct libdeflate_compressor *comp =
		libdeflate_alloc_compressor(level);
	if (!comp)
		return err_set(err, ERR_NOMEM, "gzip: no memory to pack with, or no level %d",
			       level);
	size_t bound = libdeflate_gzip_compress_bound(comp, plain.len);
	if (!buf_reserve(out, bound))
		return buf_check(out, "gzip", err);
	size_t made = libdeflate_gzip_compress(comp, plain.ptr ? plain.ptr : "", plain.len,
					       out->ptr + out->len, bound);
	if (made == 0)
		return err_set(err, ERR_INTERNAL, "gzip: the packed form is larger than its bound");
	out->len += made;
	return 0;
}
