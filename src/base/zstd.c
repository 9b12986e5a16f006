/* Only the way back: nothing of ours is packed so on the wire. The unpacked
 * size in a frame's header is the sender's claim and not looked at. */
#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of our own, so that tests can fail it */
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "base/zip.h"

enum { FIRST_STEP_BYTES = 4096, STEP_BYTES = 1024 * 1024, WINDOW_LOG_MAX = 27 };

static void *take(void *unused, size_t size_bytes)
{
	(void)unused;
	return mem_alloc(size_bytes);
}

static void give(void *unused, void *ptr)
{
	(void)unused;
	mem_free(ptr);
}

static void free_context(ZSTD_DCtx **context)
{
	ZSTD_freeDCtx(*context);
}

static int broken(size_t result, struct err *err)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
	if (code == ZSTD_error_memory_allocation)
		return err_set(err, ERR_NOMEM, "zstd: no memory to unpack with");
	if (code == ZSTD_error_frameParameter_windowTooLarge)
		return err_set(err, ERR_LIMIT, "zstd: its window is larger than %d MiB",
			       1 << (WINDOW_LOG_MAX - 20));
	return err_set(err, ERR_INVALID, "zstd: broken data (%s)", ZSTD_getErrorName(result));
}

/* One byte more than the limit may come out, which tells. */
static int unpack(ZSTD_DCtx *context, struct str packed, size_t limit_bytes, struct buf *out,
		  struct err *err)
{
	size_t start = out->len, result = 1, step = FIRST_STEP_BYTES;
	ZSTD_inBuffer in = {packed.ptr, packed.len, 0};
	while (in.pos < in.size || result) {
		size_t left = limit_bytes - (out->len - start);
		size_t room = left < step ? left + 1 : step;
		if (!buf_reserve(out, room))
			return buf_check(out, "zstd", err);
		ZSTD_outBuffer to = {out->ptr + out->len, room, 0};
		size_t before = in.pos;
		result = ZSTD_decompressStream(context, &to, &in);
		if (ZSTD_isError(result))
			return broken(result, err);
		out->len += to.pos;
		if (to.pos > left)
			return err_set(err, ERR_LIMIT, "zstd: unpacks to more than %zu bytes",
				       limit_bytes);
		step = step < STEP_BYTES ? step * 4 : STEP_BYTES;
		if (to.pos == 0 && in.pos == before)
			return err_set(err, ERR_INVALID, "zstd: cut-off data");
	}
	return 0;
}

int zip_unzstd(struct str packed, size_t limit_bytes, struct buf *out, struct err *err)
{
	const ZSTD_customMem memory = {take, give, NULL};
	__attribute__((cleanup(free_context))) ZSTD_DCtx *context =
		ZSTD_createDCtx_advanced(memory);
	size_t start = out->len;
	if (!context)
		return err_set(err, ERR_NOMEM, "zstd: no memory to unpack with");
	(void)!ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	int rc = unpack(context, packed, limit_bytes, out, err);
	if (rc)
		out->len = start;
	return rc;
}
