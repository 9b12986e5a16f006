#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <snappy-c.h>

#include "base/mem.h"
#include "base/zip.h"

enum { LIMIT_BYTES = 1 << 20, CHUNK_BYTES = 65536 };

static const struct str start = {"\xff\x06\x00\x00sNaPpY", 10};

static void pack_block(struct buf *out, struct str plain)
{
	size_t made = snappy_max_compressed_length(plain.len);

	assert_true(buf_reserve(out, made + 1));
	assert_int_equal(snappy_compress(plain.ptr, plain.len, out->ptr + out->len, &made),
			 SNAPPY_OK);
	out->len += made;
}

/* CRC-32C bit by bit. */
static uint32_t masked_crc(struct str bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= (uint8_t)bytes.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	crc = ~crc;
	return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static void put_chunk(struct buf *out, uint8_t type, struct str plain)
{
	struct buf data = {0};
	uint32_t crc = masked_crc(plain);

	buf_append(&data, &crc, sizeof(crc));
	if (type == 0)
		pack_block(&data, plain);
	else
		buf_str(&data, plain);
	buf_char(out, (char)type);
	buf_char(out, (char)data.len);
	buf_char(out, (char)(data.len >> 8));
	buf_char(out, (char)(data.len >> 16));
	buf_str(out, buf_text(&data));
	buf_deinit(&data);
}

static void pack_stream(struct buf *out, struct str plain)
{
	buf_str(out, start);
	for (size_t at = 0; at < plain.len; at += CHUNK_BYTES)
		put_chunk(out, at / CHUNK_BYTES % 3 == 2 ? 1 : 0, str_sub(plain, at, CHUNK_BYTES));
}

static void fill(struct buf *plain)
{
	for (int i = 0; plain->len < 5 * LIMIT_BYTES; i++)
		buf_printf(plain, "line %d of %d; ", i, i * 7 % 997);
}

static void large_text_comes_back_from_a_stream_and_from_a_block(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};

	(void)state;
	fill(&plain);
	pack_stream(&packed, buf_text(&plain));
	assert_int_equal(zip_unsnappy(buf_text(&packed), plain.len, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), buf_text(&plain)));
	assert_int_equal(zip_unsnappy(buf_text(&packed), plain.len - 1, &back, NULL), ERR_LIMIT);
	assert_int_equal(back.len, plain.len);
	buf_clear(&packed);
	buf_clear(&back);
	pack_block(&packed, buf_text(&plain));
	assert_int_equal(zip_unsnappy(buf_text(&packed), plain.len, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), buf_text(&plain)));
	assert_int_equal(zip_unsnappy(buf_text(&packed), plain.len - 1, &back, NULL), ERR_LIMIT);
	buf_deinit(&plain);
	buf_deinit(&packed);
	buf_deinit(&back);
}

/* The checksum of "123456789" is the check value that RFC 3720 implementations print. */
static void the_bytes_are_those_of_the_specification(void **state)
{
	static const char stream[] = "\xff\x06\x00\x00sNaPpY\x01\x0d\x00\x00\x49\x09\x91\xaa"
				     "123456789";
	struct buf back = {0};

	(void)state;
	assert_int_equal(masked_crc(STR("123456789")),
			 (UINT32_C(0xe3069283) >> 15 | UINT32_C(0xe3069283) << 17) +
				 UINT32_C(0xa282ead8));
	uint32_t crc = masked_crc(STR("123456789"));
	struct buf bytes = {0};
	buf_append(&bytes, stream, 14);
	buf_append(&bytes, &crc, sizeof(crc));
	buf_cstr(&bytes, "123456789");
	assert_int_equal(zip_unsnappy(buf_text(&bytes), 9, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), STR("123456789")));
	buf_deinit(&bytes);
	buf_deinit(&back);
}

static void padding_and_unknown_skippable_chunks_are_skipped(void **state)
{
	struct buf packed = {0}, back = {0};

	(void)state;
	buf_str(&packed, start);
	buf_append(&packed, "\xfe\x03\x00\x00zzz\x80\x01\x00\x00z", 12);
	put_chunk(&packed, 1, STR("one "));
	buf_str(&packed, start); /* streams may follow one another */
	put_chunk(&packed, 0, STR("two"));
	assert_int_equal(zip_unsnappy(buf_text(&packed), 7, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), STR("one two")));
	buf_append(&packed, "\x02\x01\x00\x00z", 5);
	assert_int_equal(zip_unsnappy(buf_text(&packed), 7, &back, NULL), ERR_INVALID);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void damage_is_found(void **state)
{
	struct buf packed = {0}, back = {0};
	struct err err = {0};

	(void)state;
	pack_stream(&packed, STR("hello hello hello hello"));
	for (size_t len = start.len + 1; len < packed.len; len++)
		assert_int_equal(zip_unsnappy(str_sub(buf_text(&packed), 0, len), 100, &back, NULL),
				 ERR_INVALID);
	packed.ptr[start.len + 5] ^= 1;
	assert_int_equal(zip_unsnappy(buf_text(&packed), 100, &back, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "checksum"));
	assert_int_equal(zip_unsnappy(STR(""), 100, &back, NULL), ERR_INVALID);
	assert_int_equal(back.len, 0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

/* A header may promise 4 GiB in five bytes. */
static void promises_are_not_believed(void **state)
{
	struct buf back = {0};

	(void)state;
	assert_int_equal(zip_unsnappy(STR("\xff\xff\xff\xff\x0f"), SIZE_MAX, &back, NULL),
			 ERR_INVALID);
	assert_true(back.cap < 4096);
	buf_deinit(&back);
}

static void running_out_of_memory_is_an_error(void **state)
{
	struct buf packed = {0};

	(void)state;
	pack_stream(&packed, STR("hello hello hello hello"));
	struct buf back = {0};
	mem_fail_nth(1);
	assert_int_equal(zip_unsnappy(buf_text(&packed), 100, &back, NULL), ERR_NOMEM);
	mem_fail_nth(0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_text_comes_back_from_a_stream_and_from_a_block),
		cmocka_unit_test(the_bytes_are_those_of_the_specification),
		cmocka_unit_test(padding_and_unknown_skippable_chunks_are_skipped),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(promises_are_not_believed),
		cmocka_unit_test(running_out_of_memory_is_an_error),
	};
	return cmocka_run_group_tests_name("base/snappy", tests, NULL, NULL);
}
