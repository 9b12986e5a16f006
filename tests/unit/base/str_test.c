#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void comparing_is_bytewise(void **state)
{
	(void)state;
	assert_true(str_equal(STR("a"), STR("a")));
	assert_true(str_equal(STR(""), (struct str){NULL, 0}));
	assert_false(str_equal(STR("a"), STR("b")));
	assert_false(str_equal(STR("a"), STR("aa")));
	assert_true(str_compare(STR("a"), STR("b")) < 0);
	assert_true(str_compare(STR("ab"), STR("a")) > 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_compare(STR("x"), STR("x")), 0);
	assert_int_equal(str_compare((struct str){NULL, 0}, STR("")), 0);
}

static void hashes_follow_content(void **state)
{
	char copy[] = "hello";

	(void)state;
	assert_true(str_hash(STR("hello")) == str_hash(str_of(copy)));
	assert_true(str_hash(STR("hello")) != str_hash(STR("hellp")));
	/* XXH3-64 of nothing, as xxhsum -H3 prints it. */
	assert_true(str_hash(STR("")) == UINT64_C(0x2d06800538d394c2));
	assert_true(str_hash((struct str){NULL, 0}) == str_hash(STR("")));
}

static void starts_and_ends(void **state)
{
	(void)state;
	assert_true(str_starts_with(STR("abc"), STR("ab")));
	assert_true(str_starts_with(STR("abc"), STR("")));
	assert_false(str_starts_with(STR("a"), STR("ab")));
	assert_true(str_ends_with(STR("abc"), STR("bc")));
	assert_false(str_ends_with(STR("abc"), STR("ab")));
	assert_false(str_ends_with(STR("c"), STR("bc")));
	assert_true(str_ends_with((struct str){NULL, 0}, STR("")));
	assert_true(str_equal_nocase(STR("TrUe"), STR("true")));
	assert_false(str_equal_nocase(STR("true"), STR("tru")));
	assert_false(str_equal_nocase(STR("["), STR("{")));
}

static void finding(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("hello world"), STR("o w")), 4);
	assert_int_equal(str_find(STR("hello"), STR("x")), -1);
	assert_int_equal(str_find(STR("hello"), STR("")), 0);
	assert_int_equal(str_find(STR(""), STR("x")), -1);
	assert_int_equal(str_find((struct str){NULL, 0}, STR("x")), -1);
	assert_int_equal(str_find_char(STR("a/b/c"), '/'), 1);
	assert_int_equal(str_rfind_char(STR("a/b/c"), '/'), 3);
	assert_int_equal(str_find_char((struct str){NULL, 0}, '/'), -1);
	assert_int_equal(str_rfind_char(STR("abc"), '/'), -1);
}

static void parts_are_cut_to_what_there_is(void **state)
{
	(void)state;
	assert_true(str_equal(str_sub(STR("abcdef"), 2, 3), STR("cde")));
	assert_true(str_equal(str_sub(STR("abc"), 1, SIZE_MAX), STR("bc")));
	assert_true(str_equal(str_sub(STR("abc"), 7, 1), STR("")));
	assert_true(str_equal(str_trim(STR(" \t\n a b \r\n")), STR("a b")));
	assert_true(str_equal(str_trim(STR("   ")), STR("")));
}

static void every_part_is_walked_once(void **state)
{
	struct str rest = STR("a,,bc,");
	struct str part;
	static const char *const want[] = {"a", "", "bc", ""};
	size_t n = 0;

	(void)state;
	while (str_next(&rest, ',', &part))
		assert_true(str_equal(part, str_of(want[n++])));
	assert_int_equal(n, 4);
	rest = STR("");
	assert_true(str_next(&rest, ',', &part));
	assert_false(str_next(&rest, ',', &part));
	rest = (struct str){NULL, 0};
	assert_false(str_next(&rest, ',', &part));
}

static void the_last_part_of_a_path(void **state)
{
	static const char *const cases[][2] = {
		{"/usr/bin/node", "node"}, {"node", "node"}, {"/", "/"},   {"", ""},
		{"/usr/lib/", "lib"},	   {"///", "/"},     {"./a", "a"}, {"/a", "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(str_equal(str_basename(str_of(cases[i][0])), str_of(cases[i][1])));
}

static void whole_numbers_within_range(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_true(str_to_u64(STR("18446744073709551615"), &u));
	assert_true(u == UINT64_MAX);
	assert_true(str_to_u64(STR("007"), &u));
	assert_int_equal(u, 7);
	assert_true(str_to_i64(STR("-9223372036854775808"), &i));
	assert_true(i == INT64_MIN);
	assert_true(str_to_i64(STR("9223372036854775807"), &i));
	assert_true(i == INT64_MAX);
	assert_true(str_to_i64(STR("+5"), &i));
	assert_int_equal(i, 5);
}

static void what_is_no_whole_number_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {"",
					  " 1",
					  "1 ",
					  "-",
					  "+",
					  "x",
					  "1.0",
					  "0x1",
					  "--1",
					  "18446744073709551616",
					  "99999999999999999999999"};
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		assert_false(str_to_u64(str_of(bad[k]), &u));
		assert_false(str_to_i64(str_of(bad[k]), &i));
	}
	assert_false(str_to_u64(STR("-1"), &u));
	assert_false(str_to_i64(STR("9223372036854775808"), &i));
	assert_false(str_to_i64(STR("-9223372036854775809"), &i));
	assert_int_equal(u, 7);
	assert_int_equal(i, 7);
}

static void decimal_fractions(void **state)
{
	static const char *const bad[] = {"",	"inf", "nan",	"0x10",	 " 1", "1 ",
					  "1e", ".",   "1e999", "1.2.3", "-"};
	double d = 7;

	(void)state;
	assert_true(str_to_double(STR("-1.5e3"), &d));
	assert_true(d == -1500);
	assert_true(str_to_double(STR(".25"), &d));
	assert_true(d == 0.25);
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		assert_false(str_to_double(str_of(bad[k]), &d));
	assert_false(str_to_double(str_make("1\0002", 3), &d));
	assert_true(d == 0.25);
}

static void a_copy_fits_and_is_terminated(void **state)
{
	char small[4];

	(void)state;
	str_copy(small, sizeof(small), STR("abcdef"));
	assert_string_equal(small, "abc");
	str_copy(small, 1, STR("abc"));
	assert_string_equal(small, "");
	str_copy(small, sizeof(small), (struct str){NULL, 0});
	assert_string_equal(small, "");
}

static void utf8_is_what_rfc_3629_says(void **state)
{
	static const char *const good[] = {"",
					   "abc",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf",
					   "z\xe2\x82\xacz"};
	static const char *const bad[] =
		{"\x80",      "\xc0\x80",	  "\xc1\xbf",	      "\xc2",
		 "\xc2z",     "\xe0\x9f\xbf",	  "\xed\xa0\x80",     "\xe2\x82",
		 "\xe2\x82z", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		 "\xff",      "ok\xf0\x9f\x98"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(str_is_utf8(str_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_is_utf8(str_of(bad[i])));
}

static void hex_digits_have_values(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;
		int value = !at		       ? -1
			    : at - digits < 16 ? (int)(at - digits)
					       : (int)(at - digits) - 6;
		assert_int_equal(str_hex_digit((char)c), value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_digits_have_values),
		cmocka_unit_test(comparing_is_bytewise),
		cmocka_unit_test(hashes_follow_content),
		cmocka_unit_test(starts_and_ends),
		cmocka_unit_test(finding),
		cmocka_unit_test(parts_are_cut_to_what_there_is),
		cmocka_unit_test(every_part_is_walked_once),
		cmocka_unit_test(the_last_part_of_a_path),
		cmocka_unit_test(whole_numbers_within_range),
		cmocka_unit_test(what_is_no_whole_number_is_refused_and_changes_nothing),
		cmocka_unit_test(decimal_fractions),
		cmocka_unit_test(a_copy_fits_and_is_terminated),
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
	};

	return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
