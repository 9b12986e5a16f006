#include "recording.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fd.h"
#include "store_tools.h"

enum { PACKED_MAX = 256 * 1024 * 1024, PLAIN_MAX = 1024 * 1024 * 1024 };

static void unpack(struct str packed, struct buf *out)
{
	uint64_t memory = UINT64_MAX;
	size_t in = 0, got = 0;
	for (size_t cap = packed.len * 8 + 4096; cap <= PLAIN_MAX; cap *= 2) {
		in = got = 0;
		if (!buf_reserve(out, cap))
			fail("no memory for the recording");
		lzma_ret said =
			lzma_stream_buffer_decode(&memory, 0, NULL, (const uint8_t *)packed.ptr,
						  &in, packed.len, (uint8_t *)out->ptr, &got, cap);
		if (said == LZMA_BUF_ERROR)
			continue;
		if (said != LZMA_OK)
			break;
		out->len = got;
		return;
	}
	fail("the recording does not unpack");
}

static size_t length_at(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;
	return (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
}

void recording_open(const char *path, struct recording *ret)
{
	struct buf packed = {0}, plain = {0};
	struct err err;
	size_t cap = 0;
	check(fd_read_file(path, PACKED_MAX, &packed, &err), &err);
	unpack(buf_text(&packed), &plain);
	buf_deinit(&packed);
	*ret = (struct recording){.bytes = plain.ptr};
	for (size_t at = 0; at < plain.len;) {
		size_t left = plain.len - at;
		size_t len = left >= 4 ? length_at(plain.ptr + at) : left;
		if (left < 4 || len > left - 4)
			fail("%s: cut off in request %zu", path, ret->count + 1);
		if (ret->count == cap) {
			cap = cap ? cap * 2 : 64;
			ret->requests = need(realloc(ret->requests, cap * sizeof(*ret->requests)));
		}
		ret->requests[ret->count++] = str_make(plain.ptr + at + 4, len);
		at += 4 + len;
	}
	if (ret->count == 0)
		fail("%s: no request in it", path);
}
