#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/embedded/level.h"
#include "store/embedded/mark.h"

#define HOUR NS_PER_HOUR

static void a_mark_comes_back_and_has_these_bytes(void **state)
{
	(void)state;
	const struct mark mark = {.columns = 0x87,
				  .pending = 1u << 23,
				  .minute = 3,
				  .hour = 0x80,
				  .whole = WHOLE_SUMMED};
	static const char bytes[] = "\x87\x01\x80\x80\x80\x04\x03\x80\x01\x01";
	struct buf out = {0};
	struct mark back;
	struct err err;
	mark_encode(&out, &mark);
	assert_int_equal(out.len, sizeof(bytes) - 1);
	assert_memory_equal(out.ptr, bytes, out.len);
	assert_int_equal(mark_decode(buf_text(&out), &back, &err), 0);
	assert_memory_equal(&back, &mark, sizeof(mark));
	buf_deinit(&out);
}

static void in_a_mark_of_format_1_every_hour_is_pending(void **state)
{
	(void)state;
	struct mark mark;
	struct err err;
	assert_int_equal(mark_decode(STR("\x07"), &mark, &err), 0);
	assert_int_equal(mark.columns, 7);
	assert_int_equal(mark.pending, MARK_ALL_HOURS);
	assert_false(mark_covers(&mark, LEVEL_HOUR, 5));
	assert_true(mark_covers(&mark, LEVEL_RAW, 5));
}

static void a_malformed_mark_is_refused(void **state)
{
	(void)state;
	static const struct str bad[] = {
		{"", 0},
		{"\x80", 1},
		{"\x80\x02\x00\x00\x00\x00", 6},	 /* a ninth column */
		{"\x07\x80\x80\x80\x08\x00\x00\x00", 8}, /* a 25th hour */
		{"\x07\x00\x00\x00", 4},		 /* cut */
		{"\x07\x00\x00\x00\x03", 5},		 /* whole */
		{"\x07\x00\x00\x00\x00\x00", 6},	 /* more */
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mark mark;
		struct err err;
		assert_int_equal(mark_decode(bad[i], &mark, &err), ERR_CORRUPT);
	}
}

static void sums_of_a_pending_hour_do_not_count(void **state)
{
	(void)state;
	struct mark mark = {.minute = 6, .hour = 4, .whole = WHOLE_SUMMED};
	assert_true(mark_covers(&mark, LEVEL_MINUTE, 1));
	assert_false(mark_covers(&mark, LEVEL_HOUR, 1));
	assert_true(mark_covers(&mark, LEVEL_HOUR, 2));
	assert_true(mark_covers(&mark, LEVEL_DAY, 9));
	mark.pending = 4;
	assert_true(mark_covers(&mark, LEVEL_MINUTE, 1));
	assert_false(mark_covers(&mark, LEVEL_MINUTE, 2));
	assert_false(mark_covers(&mark, LEVEL_HOUR, 2));
	assert_false(mark_covers(&mark, LEVEL_DAY, 9));
}

static void a_border_is_told_from_the_rest_of_its_bucket(void **state)
{
	(void)state;
	assert_int_equal(level_time(LEVEL_RAW, 12345), 12345);
	assert_int_equal(level_time(LEVEL_HOUR, 5 * HOUR), 5 * HOUR);
	assert_int_equal(level_time(LEVEL_HOUR, 5 * HOUR + 1), 5 * HOUR + 1);
	assert_int_equal(level_time(LEVEL_HOUR, 6 * HOUR - 1), 5 * HOUR + 1);
	assert_int_equal(level_time(LEVEL_MINUTE, 6 * HOUR - 1), 6 * HOUR - HOUR / 60 + 1);
	assert_int_equal(level_time(LEVEL_DAY, 49 * HOUR), 48 * HOUR + 1);
	assert_true(level_respects(LEVEL_HOUR, 5 * HOUR));
	assert_true(level_respects(LEVEL_HOUR, 5 * HOUR + 1));
	assert_false(level_respects(LEVEL_HOUR, 5 * HOUR + 2));
	assert_true(level_respects(LEVEL_RAW, 5 * HOUR + 2));
}

static void a_level_pays_when_it_spares_enough_rows(void **state)
{
	(void)state;
	static const struct {
		enum level level;
		uint64_t rows, finer_rows;
		bool pays;
	} cases[] = {
		{LEVEL_MINUTE, 25, 100, true},
		{LEVEL_MINUTE, 26, 100, false},
		{LEVEL_MINUTE, 1, 3, false},
		{LEVEL_MINUTE, 1, 4, true},
		{LEVEL_HOUR, 50, 100, true},
		{LEVEL_HOUR, 51, 100, false},
		{LEVEL_HOUR, 1, 1, false},
		{LEVEL_HOUR, 1, 2, true},
		{LEVEL_DAY, 7, 14, true},
		{LEVEL_DAY, 7, 13, false},
		{LEVEL_DAY, UINT64_MAX / 2, UINT64_MAX, true},
		{LEVEL_MINUTE, UINT64_MAX, UINT64_MAX, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(level_pays(cases[i].level, cases[i].rows, cases[i].finer_rows),
				 cases[i].pays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_comes_back_and_has_these_bytes),
		cmocka_unit_test(in_a_mark_of_format_1_every_hour_is_pending),
		cmocka_unit_test(a_malformed_mark_is_refused),
		cmocka_unit_test(sums_of_a_pending_hour_do_not_count),
		cmocka_unit_test(a_border_is_told_from_the_rest_of_its_bucket),
		cmocka_unit_test(a_level_pays_when_it_spares_enough_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
