#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "protoscope.h"
#include "wire/proto.h"

static void every_kind_of_field_is_read(void **state)
{
	/* 1: 300, 2: fixed64 7, 3: "ab", 5: fixed32 9 */
	static const char bytes[] = "\x08\xac\x02\x11\x07\0\0\0\0\0\0\0\x1a\x02"
				    "ab\x2d\x09\0\0\0";
	struct cur c = cur_make(bytes, sizeof(bytes) - 1);
	struct pb_field field;

	(void)state;
	assert_true(pb_next(&c, &field));
	assert_int_equal(field.number, 1);
	assert_int_equal(field.value, 300);
	assert_true(pb_next(&c, &field));
	assert_int_equal(field.type, PB_FIXED64);
	assert_int_equal(field.value, 7);
	assert_true(pb_next(&c, &field));
	assert_true(str_equal(field.bytes, STR("ab")));
	assert_true(pb_next(&c, &field));
	assert_int_equal(field.number, 5);
	assert_int_equal(field.value, 9);
	assert_false(pb_next(&c, &field));
	assert_true(cur_ok(&c));
}

static void groups_are_skipped_with_all_that_is_in_them(void **state)
{
	/* group 4 { 1: 5, group 6 { } }, then 2: 8 */
	static const char bytes[] = "\x23\x08\x05\x33\x34\x24\x10\x08";
	struct cur c = cur_make(bytes, sizeof(bytes) - 1);
	struct pb_field field;

	(void)state;
	assert_true(pb_next(&c, &field));
	assert_int_equal(field.number, 2);
	assert_int_equal(field.value, 8);
	assert_false(pb_next(&c, &field));
	assert_true(cur_ok(&c));
}

static void malformed_fields_are_refused(void **state)
{
	const struct str rows[] = {
		STR("\x08"),					     /* no value */
		STR("\x08\xff"),				     /* varint cut */
		STR("\x0a\x05zz"),				     /* length beyond the end */
		STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* length of 2^64-1 */
		STR("\x11\x01\x02"),				     /* fixed64 cut */
		STR("\x2d\x01"),				     /* fixed32 cut */
		STR("\x00\x01"),				     /* field number 0 */
		STR("\x0e\x01"),				     /* wire type 6 */
		STR("\x0c"),					     /* end of no group */
		STR("\x23\x2c"),				     /* end of another group */
		STR("\x23\x08\x05"),				     /* group without end */
		STR("\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"), /* number beyond 2^29 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cur c = cur_make(rows[i].ptr, rows[i].len);
		struct pb_field field;
		while (pb_next(&c, &field))
			;
		if (cur_ok(&c))
			fail_msg("row %zu", i);
	}
}

static void deep_groups_do_not_recurse(void **state)
{
	static char bytes[100000];
	struct cur c = cur_make(bytes, sizeof(bytes));
	struct pb_field field;

	(void)state;
	memset(bytes, 0x23, sizeof(bytes));
	assert_false(pb_next(&c, &field));
	assert_false(cur_ok(&c));
}

static void nested_messages_of_every_length_are_closed(void **state)
{
	static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 2097152};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf buf;
		struct pb_field field;
		buf_init(&buf, 0);
		size_t outer = pb_begin(&buf, 1);
		size_t inner = pb_begin(&buf, 2);
		for (size_t k = 0; k < lengths[i]; k++)
			buf_char(&buf, (char)k);
		pb_end(&buf, inner);
		pb_put_uint(&buf, 3, 5);
		pb_end(&buf, outer);
		struct cur c = cur_make(buf.ptr, buf.len);
		assert_true(pb_next(&c, &field));
		assert_false(cur_left(&c));
		c = pb_message(&field);
		assert_true(pb_next(&c, &field));
		assert_int_equal(field.bytes.len, lengths[i]);
		for (size_t k = 0; k < lengths[i]; k += 1 + k / 7)
			assert_int_equal(field.bytes.ptr[k], (char)k);
		assert_true(pb_next(&c, &field));
		assert_int_equal(field.value, 5);
		buf_deinit(&buf);
	}
}

static void zero_and_empty_fields_are_left_out(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	pb_put_uint(&buf, 1, 0);
	pb_put_int(&buf, 2, 0);
	pb_put_fixed64(&buf, 3, 0);
	pb_put_text(&buf, 4, STR(""));
	assert_int_equal(buf.len, 0);
	pb_put_bytes(&buf, 4, STR(""));
	assert_int_equal(buf.len, 2);
	pb_put_int(&buf, 2, -1);
	assert_int_equal(buf.len, 2 + 11);
	buf_deinit(&buf);
}

static void packed_numbers_are_counted(void **state)
{
	(void)state;
	assert_int_equal(pb_packed_count(STR("")), 0);
	assert_int_equal(pb_packed_count(STR("\x01\xac\x02\x7f")), 3);
	assert_int_equal(pb_packed_count(STR("\x01\xff")), 1);
}

static void a_buffer_at_its_limit_stays_bad(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 20);
	size_t begin = pb_begin(&buf, 1);
	for (int i = 0; i < 100; i++)
		pb_put_uint(&buf, 1, 1000);
	pb_end(&buf, begin);
	assert_int_equal(buf_check(&buf, "test", NULL), ERR_LIMIT);
	buf_deinit(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_field_is_read),
		cmocka_unit_test(groups_are_skipped_with_all_that_is_in_them),
		cmocka_unit_test(malformed_fields_are_refused),
		cmocka_unit_test(deep_groups_do_not_recurse),
		cmocka_unit_test(nested_messages_of_every_length_are_closed),
		cmocka_unit_test(zero_and_empty_fields_are_left_out),
		cmocka_unit_test(packed_numbers_are_counted),
		cmocka_unit_test(a_buffer_at_its_limit_stays_bad),
	};
	return cmocka_run_group_tests_name("wire/proto", tests, NULL, NULL);
}
