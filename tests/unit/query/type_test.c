#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "query/query.h"

static void assert_str(struct str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static void an_id_has_five_parts(void **state)
{
	struct query_type type;

	(void)state;
	assert_int_equal(query_parse_type(STR("process_cpu:cpu:nanoseconds:cpu2:ns2"), &type, NULL),
			 0);
	assert_str(type.id, "process_cpu:cpu:nanoseconds:cpu2:ns2");
	assert_str(type.name, "process_cpu");
	assert_str(type.sample_type, "cpu");
	assert_str(type.sample_unit, "nanoseconds");
	assert_str(type.period_type, "cpu2");
	assert_str(type.period_unit, "ns2");
	assert_false(type.delta);
}

static void the_period_may_be_empty(void **state)
{
	struct query_type type;

	(void)state;
	assert_int_equal(query_parse_type(STR("off_cpu:off_cpu:nanoseconds::"), &type, NULL), 0);
	assert_str(type.id, "off_cpu:off_cpu:nanoseconds::");
	assert_str(type.period_type, "");
	assert_str(type.period_unit, "");
}

static void delta_is_a_sixth_part_that_the_label_lacks(void **state)
{
	struct query_type type;

	(void)state;
	assert_int_equal(query_parse_type(STR("memory:alloc:bytes:space:bytes:delta"), &type, NULL),
			 0);
	assert_true(type.delta);
	assert_str(type.id, "memory:alloc:bytes:space:bytes");
	assert_str(type.period_unit, "bytes");
}

static void other_ids_are_refused(void **state)
{
	static const char *const rows[] =
		{"",	     "cpu",	 "a:b:c:d", "a:b:c:d:e:f", "a:b:c:d:e:delta:g",
		 ":b:c:d:e", "a::c:d:e", "::::"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query_type type;
		struct err err = {0};
		assert_int_equal(query_parse_type(str_of(rows[i]), &type, &err), ERR_INVALID);
		assert_non_null(strstr(err.text, "expected name:sample_type"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_has_five_parts),
		cmocka_unit_test(the_period_may_be_empty),
		cmocka_unit_test(delta_is_a_sixth_part_that_the_label_lacks),
		cmocka_unit_test(other_ids_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
