#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static void fixed_numbers_in_both_orders(void **state)
{
	struct cur c = cur_make(BYTES(0x2a, 0x34, 0x12, 0x78, 0x56, 0x34, 0x92, 1, 2, 3, 4, 5, 6, 7,
				      0x88, 0x92, 0x34, 0x56, 0x78, 0x81, 2, 3, 4, 5, 6, 7, 8));

	(void)state;
	assert_int_equal(cur_u8(&c), 0x2a);
	assert_int_equal(cur_u16le(&c), 0x1234);
	assert_int_equal(cur_u32le(&c), 0x92345678);
	assert_true(cur_u64le(&c) == UINT64_C(0x8807060504030201));
	assert_int_equal(cur_u32be(&c), 0x92345678);
	assert_true(cur_u64be(&c) == UINT64_C(0x8102030405060708));
	assert_true(cur_ok(&c));
	assert_int_equal(cur_left(&c), 0);
	assert_int_equal(cur_check(&c, "numbers", NULL), 0);
}

static void varints_of_every_length(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t value = UINT64_C(1) << bit | 1;
		uint8_t bytes[10];
		size_t len = 0;
		for (uint64_t v = value; len == 0 || v; v >>= 7)
			bytes[len++] = (uint8_t)((v & 0x7f) | (v >> 7 ? 0x80 : 0));
		struct cur c = cur_make(bytes, len);
		assert_true(cur_uleb(&c) == value);
		assert_int_equal(cur_left(&c), 0);
	}
}

static void signed_leb_as_dwarf_shows_it(void **state)
{
	/* DWARF 5, section 7.6, figure of examples. */
	static const struct {
		uint8_t bytes[2];
		size_t len;
		int64_t value;
	} cases[] = {
		{{2}, 1, 2},	     {{0x7e}, 1, -2},
		{{0xff, 0}, 2, 127}, {{0x81, 0x7f}, 2, -127},
		{{0x80, 1}, 2, 128}, {{0x80, 0x7f}, 2, -128},
		{{0x3f}, 1, 63},     {{0x40}, 1, -64},
	};
	struct cur c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = cur_make(cases[i].bytes, cases[i].len);
		assert_true(cur_sleb(&c) == cases[i].value);
		assert_true(cur_ok(&c));
	}
	c = cur_make(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f));
	assert_true(cur_sleb(&c) == INT64_MIN);
	c = cur_make(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00));
	assert_true(cur_sleb(&c) == INT64_MAX);
}

static void views_and_parts(void **state)
{
	struct cur c = cur_make("ab\0cdefg", 8);

	(void)state;
	assert_true(str_equal(cur_cstr(&c), STR("ab")));
	assert_int_equal(cur_offset(&c), 3);
	assert_true(str_equal(cur_bytes(&c, 2), STR("cd")));
	struct cur sub = cur_sub(&c, 2);
	assert_int_equal(cur_u8(&sub), 'e');
	assert_int_equal(cur_offset(&sub), 1);
	assert_int_equal(cur_left(&sub), 1);
	assert_int_equal(cur_left(&c), 1);
	cur_seek(&c, 0);
	cur_skip(&c, 1);
	assert_int_equal(cur_u8(&c), 'b');
	cur_seek(&c, 8);
	assert_true(cur_ok(&c));
}

/* Each reader over one byte too few. */
static void reading_past_the_end_is_bad_and_moves_nothing(void **state)
{
	uint8_t bytes[8] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	struct cur c;

	(void)state;
#define SHORT(len, read)                   \
	c = cur_make(bytes, len);          \
	assert_true((read) == 0);          \
	assert_false(cur_ok(&c));          \
	assert_int_equal(cur_left(&c), 0); \
	assert_ptr_equal(c.pos, bytes);
	SHORT(0, cur_u8(&c));
	SHORT(1, cur_u16le(&c));
	SHORT(3, cur_u32le(&c));
	SHORT(3, cur_u32be(&c));
	SHORT(7, cur_u64le(&c));
	SHORT(7, cur_u64be(&c));
	SHORT(8, cur_uleb(&c));
	SHORT(8, cur_sleb(&c));
	SHORT(8, cur_bytes(&c, 9).len);
	SHORT(8, cur_bytes(&c, SIZE_MAX).len);
	SHORT(8, cur_cstr(&c).len);
	SHORT(8, cur_left(&(struct cur[]){cur_sub(&c, 9)}[0]));
	SHORT(8, (cur_skip(&c, 9), 0));
	SHORT(8, (cur_seek(&c, 9), 0));
#undef SHORT
}

static void a_varint_of_more_than_64_bits_is_bad(void **state)
{
	struct cur c = cur_make(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01));

	(void)state;
	assert_true(cur_uleb(&c) == UINT64_MAX);
	c = cur_make(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02));
	assert_true(cur_uleb(&c) == 0);
	assert_false(cur_ok(&c));
	c = cur_make(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00));
	assert_true(cur_uleb(&c) == 0);
	assert_false(cur_ok(&c));
	c = cur_make(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01));
	assert_true(cur_sleb(&c) == 0);
	assert_false(cur_ok(&c));
}

static void once_bad_it_stays_bad_and_says_where(void **state)
{
	struct cur c = cur_make("abcd", 4);
	struct err err = {0};

	(void)state;
	cur_skip(&c, 3);
	assert_int_equal(cur_u32le(&c), 0);
	assert_int_equal(cur_u8(&c), 0);
	cur_seek(&c, 0);
	assert_int_equal(cur_u8(&c), 0);
	struct cur sub = cur_sub(&c, 0);
	assert_false(cur_ok(&sub));
	assert_int_equal(cur_check(&c, "header", &err), ERR_CORRUPT);
	assert_string_equal(err.text, "header: cut short or malformed at byte 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_numbers_in_both_orders),
		cmocka_unit_test(varints_of_every_length),
		cmocka_unit_test(signed_leb_as_dwarf_shows_it),
		cmocka_unit_test(views_and_parts),
		cmocka_unit_test(reading_past_the_end_is_bad_and_moves_nothing),
		cmocka_unit_test(a_varint_of_more_than_64_bits_is_bad),
		cmocka_unit_test(once_bad_it_stays_bad_and_says_where),
	};

	return cmocka_run_group_tests_name("base/cursor", tests, NULL, NULL);
}
