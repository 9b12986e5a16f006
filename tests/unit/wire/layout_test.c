#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "protoscope.h"
#include "wire/wire.h"

/* Text of one request of a resource, a scope and a profile around the given fields. */
#define REQUEST(profile, dict) "1: { 1: {} 2: { 2: {" profile "} } } 2: {" dict "}"
/* What every real dictionary of 1.8 and later has. */
#define DICT                                                                                      \
	"5: \"\" 5: \"cpu\" 6: {} 6: { 1: 1 2: { 1: \"v\" } } 6: { 1: 1 2: { 1: \"w\" } } 7: {} " \
	"7: { 1: [1] }"
/* The same without what tells 1.7 from later ones. */
#define BARE_DICT "5: \"\" 5: \"cpu\""
#define HEAD	  "1: { 1: 1 2: 1 } 3: 5i64 "

static void each_layout_is_recognised_by_its_bytes(void **state)
{
	static const struct {
		const char *text;
		enum wire_layout layout;
	} rows[] = {
		/* E or F by the types of sample fields */
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] }", DICT), WIRE_LAYOUT_E2},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 4: 1 }", DICT), WIRE_LAYOUT_E2},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: 1 5: [7i64] }", DICT), WIRE_LAYOUT_F},
		{REQUEST(HEAD "2: { 1: 1 4: [9] }", DICT), WIRE_LAYOUT_F},
		/* by lengths: two attributes, one timestamp */
		{REQUEST(HEAD "2: { 1: 1 2: [1 2] 5: [7i64] }", DICT), WIRE_LAYOUT_F},
		/* which outweighs an index that leads nowhere */
		{REQUEST(HEAD "2: { 1: 1 2: [9] 5: [7i64] } 2: { 1: 1 2: [1 2] 5: [7i64] }", DICT),
		 WIRE_LAYOUT_F},
		/* by later samples */
		{REQUEST(HEAD "2: { 1: 1 2: [1] 5: [7i64] } 2: { 1: 1 2: [1 2] 5: [7i64] }", DICT),
		 WIRE_LAYOUT_F},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 5: [7i64] } 2: { 1: 1 2: [1] 3: [2] 5: [7i64] }",
			 DICT),
		 WIRE_LAYOUT_E2},
		/* values only: an F sample would have neither values nor timestamps */
		{REQUEST(HEAD "2: { 1: 1 2: [1] }", DICT), WIRE_LAYOUT_E2},
		/* no attribute index is 0, or beyond the table */
		{REQUEST(HEAD "2: { 1: 1 2: [0] 5: [7i64] }", DICT), WIRE_LAYOUT_E2},
		{REQUEST(HEAD "2: { 1: 1 2: [3] 5: [7i64] }", DICT), WIRE_LAYOUT_E2},
		{REQUEST(HEAD "2: { 1: 1 2: [2] 5: [7i64] }", DICT), WIRE_LAYOUT_F},
		/* nothing tells: the newest */
		{REQUEST(HEAD "2: { 1: 1 5: [7i64] }", DICT), WIRE_LAYOUT_F},
		/* reference strings are of 1.10 */
		{"1: { 1: { 1: { 2: { 1: \"v\" } 3: 1 } } 2: { 2: {" HEAD "} } } 2: {" DICT "}",
		 WIRE_LAYOUT_F},
		{"1: { 1: { 1: { 1: \"k\" 2: { 8: 1 } } } 2: { 2: {" HEAD "} } } 2: {" DICT "}",
		 WIRE_LAYOUT_F},
		/* E1: its own fields */
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] } 7: [1]", DICT), WIRE_LAYOUT_E1},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] } 8: x\"00112233445566778899aabbccddeeff\"",
			 DICT),
		 WIRE_LAYOUT_E1},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] } 9: 3", DICT), WIRE_LAYOUT_E1},
		{REQUEST("1: { 1: 1 2: 1 3: 1 } 3: 5i64 2: { 1: 1 2: [1] 3: [1] }", DICT),
		 WIRE_LAYOUT_E1},
		/* E2: its own fields */
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] } 7: x\"00112233445566778899aabbccddeeff\"",
			 DICT),
		 WIRE_LAYOUT_E2},
		{REQUEST(HEAD "2: { 1: 1 2: [1] 3: [1] } 8: 3", DICT), WIRE_LAYOUT_E2},
		/* D: lists of sample types, location slices, attribute table of KeyValue */
		{REQUEST("1: { 1: 1 2: 1 } 2: { 1: 0 2: 3 3: [1] } 3: [1 2 3] 4: 7", BARE_DICT),
		 WIRE_LAYOUT_D},
		{REQUEST("1: { 1: 1 2: 1 } 2: { 3: [1] }", BARE_DICT "6: { 1: \"k\" 2: {} }"),
		 WIRE_LAYOUT_D},
		{REQUEST("1: { 1: 1 2: 1 } 2: { 3: [1] }", BARE_DICT "1: { 6: 1 }"), WIRE_LAYOUT_D},
		/* C: tables beside the profiles */
		{"1: { 2: { 2: { 1: { 1: 1 } 2: { 2: 3 3: [1] } 3: [1] 4: 7 } } } 2: {} 3: {} 6: "
		 "\"x\"",
		 WIRE_LAYOUT_C},
		/* B: tables in the profile; A: a container around it */
		{"1: { 2: { 2: { 1: { 1: 1 } 2: { 2: 3 3: [1] } 3: {} 4: {} 5: [1] 10: \"\" 11: 5 "
		 "} } }",
		 WIRE_LAYOUT_B},
		{"1: { 2: { 2: { 1: x\"00\" 2: 5i64 3: 6i64 8: { 6: \"\" } } } }", WIRE_LAYOUT_A},
		/* a profile of 1.3 without a time */
		{"1: { 2: { 2: { 1: x\"00112233445566778899aabbccddeeff\" 8: { 6: \"\" } } } }",
		 WIRE_LAYOUT_A},
		/* field 2 of a file of 1.6 is a mapping, whatever it looks like as a dictionary */
		{"2: { 5: [1] 6: 1 } 6: \"\" 1: { 2: { 2: { 1: { 1: 1 } 2: { 2: 3 3: [1] } } } }",
		 WIRE_LAYOUT_C},
		{"2: { 1: 4096 5: [1] } 6: \"\"", WIRE_LAYOUT_C},
		/* but a later release may have more beside the dictionary */
		{REQUEST(HEAD "2: { 1: 1 2: [1 2] 3: 1 5: [7i64] }", DICT) " 3: {}", WIRE_LAYOUT_F},
		/* the dictionary before the profiles */
		{"2: {" DICT "} 1: { 2: { 2: {" HEAD "2: { 1: 1 2: [1 2] 5: [7i64] } } } }",
		 WIRE_LAYOUT_F},
		/* a value alone, in 1.7: in later ones a sample would say nothing */
		{REQUEST("1: { 1: 1 2: 1 } 2: { 3: [1] }", BARE_DICT), WIRE_LAYOUT_D},
		/* few tables: what is there tells */
		{"1: { 2: { 2: {" HEAD "2: { 4: [9] } } } }", WIRE_LAYOUT_F},
		{"1: { 2: { 2: { 1: {} 2: { 3: [1] 2: 1 } 4: { 2: 5 } 5: [0] } } }", WIRE_LAYOUT_B},
		/* nothing there */
		{"", WIRE_LAYOUT_NONE},
		{"1: { 1: {} } 2: {}", WIRE_LAYOUT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf bytes = protoscope(rows[i].text);
		enum wire_layout got = wire_otlp_recognise(buf_text(&bytes));
		if (got != rows[i].layout)
			fail_msg("row %zu: %s instead of %s", i, wire_layout_name(got),
				 wire_layout_name(rows[i].layout));
		buf_deinit(&bytes);
	}
}

static void a_later_field_of_the_newest_does_not_make_it_old(void **state)
{
	struct buf bytes = protoscope(
		REQUEST(HEAD "2: { 1: 1 2: [1 2] 5: [7i64] 9: \"new\" } 30: 1", DICT "12: {}"));

	(void)state;
	assert_int_equal(wire_otlp_recognise(buf_text(&bytes)), WIRE_LAYOUT_F);
	buf_deinit(&bytes);
}

static void bytes_cut_short_are_looked_at_without_harm(void **state)
{
	struct buf bytes = protoscope(REQUEST(HEAD "2: { 1: 1 2: [1 2] 5: [7i64] }", DICT));

	(void)state;
	for (size_t len = 0; len < bytes.len; len++)
		(void)wire_otlp_recognise(str_sub(buf_text(&bytes), 0, len));
	buf_deinit(&bytes);
}

static void every_layout_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(wire_layout_name(WIRE_LAYOUT_E1), "1.8");
	assert_string_equal(wire_layout_name(WIRE_LAYOUT_F), "1.10");
	assert_string_equal(wire_layout_name((enum wire_layout)99), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_layout_is_recognised_by_its_bytes),
		cmocka_unit_test(a_later_field_of_the_newest_does_not_make_it_old),
		cmocka_unit_test(bytes_cut_short_are_looked_at_without_harm),
		cmocka_unit_test(every_layout_has_a_name),
	};
	return cmocka_run_group_tests_name("wire/layout", tests, NULL, NULL);
}
