#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "profile/profile.h"

static void a_value_becomes_label_text(void **state)
{
	static const struct {
		struct value value;
		const char *text;
	} rows[] = {
		{{.kind = VALUE_NONE}, ""},
		{{.kind = VALUE_STRING, .text = STR("a b")}, "a b"},
		{{.kind = VALUE_INT, .number = -42}, "-42"},
		{{.kind = VALUE_INT, .number = INT64_MIN}, "-9223372036854775808"},
		{{.kind = VALUE_BOOL, .number = 1}, "true"},
		{{.kind = VALUE_BOOL}, "false"},
		{{.kind = VALUE_DOUBLE, .real = 0.1}, "0.1"},
		{{.kind = VALUE_DOUBLE, .real = 1.0 / 3}, "0.3333333333333333"},
		{{.kind = VALUE_DOUBLE, .real = 1e300}, "1e+300"},
		{{.kind = VALUE_DOUBLE, .real = (double)NAN}, "NaN"},
		{{.kind = VALUE_DOUBLE, .real = -(double)INFINITY}, "-Infinity"},
		{{.kind = VALUE_BYTES, .text = {"\x00\xff\x1a", 3}}, "00ff1a"},
		{{.kind = VALUE_OTHER, .text = STR("[1,2]")}, "[1,2]"},
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(value_text(&arena, &rows[i].value).ptr, rows[i].text);
	arena_deinit(&arena);
}

static void attributes_are_found_by_key(void **state)
{
	struct arena arena;
	struct profile_batch *batch;
	const struct value value = {.kind = VALUE_INT, .number = 7};
	uint32_t attrs[2] = {UINT32_MAX};

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, NULL), 0);
	assert_int_equal(profile_attribute(batch, STR("thread.id"), &value, STR(""), &attrs[1],
					   NULL),
			 0);
	const struct value *found = profile_find_index(&batch->dict, attrs, 2, STR("thread.id"));
	assert_non_null(found);
	assert_int_equal(found->number, 7);
	assert_null(profile_find_index(&batch->dict, attrs, 2, STR("thread")));
	arena_deinit(&arena);
}

static void an_absent_attribute_is_null(void **state)
{
	const struct key_value attrs[] = {{STR("a"), {.kind = VALUE_INT, .number = 1}},
					  {STR("a"), {.kind = VALUE_INT, .number = 2}}};

	(void)state;
	assert_int_equal(profile_find_attr(attrs, 2, STR("a"))->number, 1);
	assert_null(profile_find_attr(attrs, 2, STR("b")));
	assert_null(profile_find_attr(NULL, 0, STR("a")));
}

static void a_string_outside_the_table_is_no_string(void **state)
{
	struct arena arena;
	struct profile_batch *batch;
	uint32_t at;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, NULL), 0);
	assert_int_equal(profile_string(batch, STR("cpu"), &at, NULL), 0);
	assert_true(str_equal(profile_str(&batch->dict, at), STR("cpu")));
	assert_non_null(profile_str(&batch->dict, 0).ptr);
	assert_null(profile_str(&batch->dict, at + 1).ptr);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_becomes_label_text),
		cmocka_unit_test(attributes_are_found_by_key),
		cmocka_unit_test(an_absent_attribute_is_null),
		cmocka_unit_test(a_string_outside_the_table_is_no_string),
	};
	return cmocka_run_group_tests_name("profile/find", tests, NULL, NULL);
}
