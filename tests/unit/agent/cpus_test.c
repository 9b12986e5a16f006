#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/cpus.h"

static void ranges_and_single_numbers_are_members(void **state)
{
	struct cpu_set set;
	(void)state;
	assert_int_equal(cpu_set_parse(STR("0-2,8, 64\n"), &set, NULL), 0);
	assert_int_equal(cpu_set_count(&set), 5);
	assert_int_equal(cpu_set_end(&set), 65);
	assert_true(cpu_set_has(&set, 2));
	assert_false(cpu_set_has(&set, 3));
	assert_true(cpu_set_has(&set, 64));
	assert_false(cpu_set_has(&set, CPUS_MAX));
}

static void blank_text_is_the_empty_set(void **state)
{
	struct cpu_set set;
	(void)state;
	assert_int_equal(cpu_set_parse(STR(" "), &set, NULL), 0);
	assert_int_equal(cpu_set_count(&set), 0);
	assert_int_equal(cpu_set_end(&set), 0);
}

static void what_is_no_cpu_is_refused_by_name(void **state)
{
	const char *bad[] = {"x", "3-1", "1-", "-1", "1,,2", "4096", "0-99999", "1;2", "1-2-3"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct cpu_set set = {.words = {7}};
		struct err err = {0};
		assert_int_equal(cpu_set_parse(str_of(bad[i]), &set, &err), ERR_INVALID);
		assert_true(str_find(str_of(err.text), STR("CPU")) >= 0);
		assert_int_equal(set.words[0], 7);
	}
}

static void this_machine_has_a_cpu(void **state)
{
	struct cpu_set set;
	(void)state;
	assert_int_equal(cpu_set_online(&set, NULL), 0);
	assert_true(cpu_set_count(&set) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_and_single_numbers_are_members),
		cmocka_unit_test(blank_text_is_the_empty_set),
		cmocka_unit_test(what_is_no_cpu_is_refused_by_name),
		cmocka_unit_test(this_machine_has_a_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
