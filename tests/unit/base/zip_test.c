#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/zip.h"

enum { PLAIN_BYTES = 100000, LIMIT_BYTES = 1 << 20 };

static void fill(struct buf *plain)
{
	for (int i = 0; plain->len < PLAIN_BYTES; i++)
		buf_printf(plain, "line %d of %d; ", i, i * i % 997);
}

static void what_is_packed_unpacks_the_same(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};

	(void)state;
	fill(&plain);
	for (int level = 1; level <= 12; level += 5) {
		buf_clear(&packed);
		buf_clear(&back);
		assert_int_equal(zip_gzip(buf_text(&plain), level, &packed, NULL), 0);
		assert_true(packed.len < plain.len / 2);
		assert_int_equal(zip_gunzip(buf_text(&packed), plain.len, &back, NULL), 0);
		assert_true(str_equal(buf_text(&back), buf_text(&plain)));
	}
	buf_deinit(&plain);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void nothing_packs_and_unpacks(void **state)
{
	struct buf packed = {0}, back = {0};

	(void)state;
	assert_int_equal(zip_gzip((struct str){NULL, 0}, 6, &packed, NULL), 0);
	assert_int_equal(zip_gunzip(buf_text(&packed), 10, &back, NULL), 0);
	assert_int_equal(zip_gunzip(buf_text(&packed), 0, &back, NULL), 0);
	assert_int_equal(back.len, 0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

/* RFC 1952, section 2.2: members follow one another. */
static void all_members_are_unpacked_and_appended(void **state)
{
	struct buf packed = {0}, back = {0};

	(void)state;
	assert_int_equal(zip_gzip(STR("one "), 6, &packed, NULL), 0);
	assert_int_equal(zip_gzip(STR("two"), 6, &packed, NULL), 0);
	buf_cstr(&back, "zero ");
	assert_int_equal(zip_gunzip(buf_text(&packed), 7, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), STR("zero one two")));
	buf_clear(&back);
	assert_int_equal(zip_gunzip(buf_text(&packed), 6, &back, NULL), ERR_LIMIT);
	assert_int_equal(back.len, 0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void a_bomb_stops_at_the_limit(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};
	struct err err = {0};

	(void)state;
	assert_true(buf_reserve(&plain, 8 * LIMIT_BYTES));
	memset(plain.ptr, 0, 8 * LIMIT_BYTES);
	plain.len = 8 * LIMIT_BYTES;
	assert_int_equal(zip_gzip(buf_text(&plain), 9, &packed, NULL), 0);
	assert_true(packed.len < 20000);
	buf_cstr(&back, "x");
	assert_int_equal(zip_gunzip(buf_text(&packed), LIMIT_BYTES, &back, &err), ERR_LIMIT);
	assert_string_equal(err.text, "gzip: unpacks to more than 1048576 bytes");
	assert_int_equal(back.len, 1);
	assert_true(back.cap <= 2 * LIMIT_BYTES + 2);
	/* A trailer that lies about the size changes nothing. */
	memset(packed.ptr + packed.len - 4, 0, 4);
	assert_int_equal(zip_gunzip(buf_text(&packed), LIMIT_BYTES, &back, &err), ERR_LIMIT);
	memset(packed.ptr + packed.len - 4, 0xff, 4);
	assert_int_equal(zip_gunzip(buf_text(&packed), 100 * LIMIT_BYTES, &back, &err),
			 ERR_INVALID);
	buf_deinit(&plain);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void broken_bytes_are_invalid(void **state)
{
	struct buf packed = {0}, back = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(zip_gunzip(STR(""), 100, &back, &err), ERR_INVALID);
	assert_int_equal(zip_gunzip(STR("no gzip at all, but text"), 100, &back, &err),
			 ERR_INVALID);
	assert_int_equal(zip_gzip(STR("hello hello hello"), 6, &packed, NULL), 0);
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(zip_gunzip(str_make(packed.ptr, len), 100, &back, &err),
				 ERR_INVALID);
	packed.ptr[packed.len - 6] ^= 1; /* of the checksum */
	assert_int_equal(zip_gunzip(buf_text(&packed), 100, &back, &err), ERR_INVALID);
	assert_int_equal(back.len, 0);
	buf_deinit(&packed);
	buf_deinit(&back);
}

static void the_buffers_own_limit_holds_too(void **state)
{
	struct buf packed = {0}, small = {.limit_bytes = 16};

	(void)state;
	assert_int_equal(zip_gzip(STR("hello hello hello hello"), 6, &packed, NULL), 0);
	assert_int_equal(zip_gunzip(buf_text(&packed), 1000, &small, NULL), ERR_LIMIT);
	buf_clear(&small);
	assert_int_equal(zip_gzip(STR("hello"), 6, &small, NULL), ERR_LIMIT);
	buf_deinit(&packed);
	buf_deinit(&small);
}

static void an_unknown_level_is_refused(void **state)
{
	struct buf packed = {0};

	(void)state;
	assert_true(zip_gzip(STR("x"), 99, &packed, NULL) < 0);
	assert_int_equal(packed.len, 0);
	buf_deinit(&packed);
}

static int round_trip(struct str plain)
{
	struct buf packed = {0}, back = {0};
	int code = zip_gzip(plain, 6, &packed, NULL);

	if (!code)
		code = zip_gunzip(buf_text(&packed), LIMIT_BYTES, &back, NULL);
	if (!code)
		assert_true(str_equal(buf_text(&back), plain));
	buf_deinit(&packed);
	buf_deinit(&back);
	return code;
}

static void every_shortage_of_memory_is_told(void **state)
{
	struct buf plain = {0};

	(void)state;
	fill(&plain);
	mem_fail_nth(0);
	assert_int_equal(round_trip(buf_text(&plain)), 0);
	uint64_t requests = mem_fail_nth(0);
	assert_true(requests >= 4);
	for (uint64_t n = 1; n <= requests; n++) {
		mem_fail_nth(n);
		assert_int_equal(round_trip(buf_text(&plain)), ERR_NOMEM);
	}
	mem_fail_nth(0);
	buf_deinit(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_unpacks_the_same),
		cmocka_unit_test(nothing_packs_and_unpacks),
		cmocka_unit_test(all_members_are_unpacked_and_appended),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
		cmocka_unit_test(broken_bytes_are_invalid),
		cmocka_unit_test(the_buffers_own_limit_holds_too),
		cmocka_unit_test(an_unknown_level_is_refused),
		cmocka_unit_test(every_shortage_of_memory_is_told),
	};

	return cmocka_run_group_tests_name("base/zip", tests, NULL, NULL);
}
