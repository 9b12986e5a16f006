/* Any bytes as a gzip, zstd or snappy message, under limits that the bytes choose; and any bytes packed must come
 * back. Walks the same bytes with the readers of a cursor, too. */
#include <assert.h>

#include "base/cursor.h"
#include "base/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(struct str packed, size_t limit)
{
	struct buf out = {0};
	struct err err = {0};
	int code = zip_gunzip(packed, limit, &out, &err);

	assert(out.len <= limit);
	assert(code == 0 || (out.len == 0 && err.text[0]));
	buf_clear(&out);
	code = zip_unzstd(packed, limit, &out, &err);
	assert(out.len <= limit);
	assert(code == 0 || (out.len == 0 && err.text[0]));
	buf_clear(&out);
	code = zip_unsnappy(packed, limit, &out, &err);
	assert(out.len <= limit);
	assert(code == 0 || (out.len == 0 && err.text[0]));
	buf_deinit(&out);
}

static void pack_and_unpack(struct str plain)
{
	struct buf packed = {0}, back = {0};

	if (zip_gzip(plain, 1, &packed, NULL) == 0) {
		assert(zip_gunzip(buf_text(&packed), plain.len, &back, NULL) == 0);
		assert(str_equal(buf_text(&back), plain));
		if (plain.len > 0)
			assert(zip_gunzip(buf_text(&packed), plain.len - 1, &back, NULL) ==
			       ERR_LIMIT);
	}
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void read_all(struct str bytes)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);

	while (cur_left(&c) > 0) {
		size_t before = cur_left(&c);
		switch (cur_u8(&c) % 8) {
		case 0:
			(void)cur_uleb(&c);
			break;
		case 1:
			(void)cur_sleb(&c);
			break;
		case 2:
			(void)cur_cstr(&c);
			break;
		case 3:
			(void)str_is_utf8(cur_bytes(&c, cur_u8(&c)));
			break;
		case 4:
			(void)cur_u64be(&c);
			break;
		case 5:
			(void)cur_u16le(&c);
			break;
		case 6: {
			struct cur sub = cur_sub(&c, cur_u8(&c));
			(void)cur_u32le(&sub);
			break;
		}
		default:
			break;
		}
		assert(cur_left(&c) < before);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	size_t limit = size ? (size_t)1 << (data[0] % 20) : 0;

	unpack(bytes, limit);
	unpack(bytes, 1 << 20);
	if (size < 1 << 16)
		pack_and_unpack(bytes);
	read_all(bytes);
	(void)str_is_utf8(bytes);
	return 0;
}
