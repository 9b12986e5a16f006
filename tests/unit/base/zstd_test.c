#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/mem.h"
#include "base/zip.h"

enum { LIMIT_BYTES = 1 << 20 };

static void pack(struct buf *out, struct str plain)
{
	size_t bound = ZSTD_compressBound(plain.len);
	assert_true(buf_reserve(out, bound));
	size_t made = ZSTD_compress(out->ptr + out->len, bound, plain.ptr, plain.len, 3);
	assert_false(ZSTD_isError(made));
	out->len += made;
}

static void what_was_packed_comes_back_behind_what_is_there(void **state)
{
	struct buf packed = {0}, back = {0};
	(void)state;
	pack(&packed, STR("one "));
	pack(&packed, STR(""));
	pack(&packed, STR("two"));
	buf_cstr(&back, "zero ");
	assert_int_equal(zip_unzstd(buf_text(&packed), 7, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), STR("zero one two")));
	assert_int_equal(zip_unzstd(buf_text(&packed), 6, &back, NULL), ERR_LIMIT);
	assert_int_equal(back.len, 12);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void large_text_comes_back(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};
	(void)state;
	for (int i = 0; plain.len < 5 * LIMIT_BYTES; i++)
		buf_printf(&plain, "line %d of %d; ", i, i * 7 % 997);
	pack(&packed, buf_text(&plain));
	assert_int_equal(zip_unzstd(buf_text(&packed), plain.len, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), buf_text(&plain)));
	buf_deinit(&plain);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void a_bomb_stops_at_the_limit(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};
	struct err err = {0};
	(void)state;
	assert_true(buf_reserve(&plain, 16 * LIMIT_BYTES));
	memset(plain.ptr, 0, 16 * LIMIT_BYTES);
	plain.len = 16 * LIMIT_BYTES;
	pack(&packed, buf_text(&plain));
	assert_true(packed.len < 20000);
	assert_int_equal(zip_unzstd(buf_text(&packed), LIMIT_BYTES, &back, &err), ERR_LIMIT);
	assert_string_equal(err.text, "zstd: unpacks to more than 1048576 bytes");
	assert_int_equal(back.len, 0);
	assert_true(back.cap <= 4 * LIMIT_BYTES);
	buf_deinit(&plain);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void broken_and_cut_bytes_are_invalid(void **state)
{
	struct buf packed = {0}, back = {0};
	struct err err = {0};
	(void)state;
	assert_int_equal(zip_unzstd(STR(""), 100, &back, &err), ERR_INVALID);
	assert_int_equal(zip_unzstd(STR("no zstd at all"), 100, &back, &err), ERR_INVALID);
	pack(&packed, STR("hello hello hello"));
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(zip_unzstd(str_make(packed.ptr, len), 100, &back, &err),
				 ERR_INVALID);
	assert_int_equal(back.len, 0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void every_shortage_of_memory_is_told(void **state)
{
	struct buf packed = {0};
	int rc = -1;
	unsigned failures = 0;
	(void)state;
	pack(&packed, STR("hello hello hello"));
	for (uint64_t n = 1; rc; n++) {
		struct buf back = {0};
		mem_fail_nth(n);
		rc = zip_unzstd(buf_text(&packed), 100, &back, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		failures += rc != 0;
		buf_deinit(&back);
	}
	assert_true(failures >= 2);
	buf_deinit(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_back_behind_what_is_there),
		cmocka_unit_test(large_text_comes_back),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
		cmocka_unit_test(broken_and_cut_bytes_are_invalid),
		cmocka_unit_test(every_shortage_of_memory_is_told),
	};
	return cmocka_run_group_tests_name("base/zstd", tests, NULL, NULL);
}
