#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"

static void memory_comes_and_goes(void **state)
{
	char *p = mem_alloc(10);
	char *zeroed = mem_zalloc(3, 5);

	(void)state;
	assert_non_null(p);
	assert_non_null(zeroed);
	for (int i = 0; i < 15; i++)
		assert_int_equal(zeroed[i], 0);
	p = mem_realloc(p, 1000);
	assert_non_null(p);
	mem_free(p);
	mem_free(zeroed);
	mem_free(NULL);
}

static void nothing_asked_is_still_a_pointer(void **state)
{
	void *p = mem_alloc(0);
	void *q = mem_zalloc(0, 8);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	mem_free(p);
	mem_free(q);
}

static void a_copy_is_terminated(void **state)
{
	char *copy = mem_strndup("abcdef", 3);
	char *empty = mem_strndup(NULL, 0);

	(void)state;
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	mem_free(copy);
	mem_free(empty);
}

static void growing_keeps_what_is_there(void **state)
{
	size_t cap = 0;
	int *array = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		array = mem_grow(array, &cap, (size_t)i + 1, sizeof(*array));
		assert_non_null(array);
		array[i] = i;
	}
	assert_in_range(cap, 1000, 2000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	assert_ptr_equal(mem_grow(array, &cap, 5, sizeof(*array)), array);
	mem_free(array);
}

static void a_size_past_all_memory_is_refused(void **state)
{
	size_t cap = 0;

	(void)state;
	assert_null(mem_zalloc(SIZE_MAX / 2, 3));
	assert_null(mem_grow(NULL, &cap, SIZE_MAX / 4, 8));
	assert_null(mem_strndup("x", SIZE_MAX));
	assert_int_equal(cap, 0);
}

static void the_nth_request_fails_once(void **state)
{
	void *p[4];

	(void)state;
	mem_fail_nth(2);
	for (int i = 0; i < 4; i++)
		p[i] = mem_alloc(1);
	assert_int_equal(mem_fail_nth(0), 4);
	assert_non_null(p[0]);
	assert_null(p[1]);
	assert_non_null(p[2]);
	assert_non_null(p[3]);
	for (int i = 0; i < 4; i++)
		mem_free(p[i]);
	assert_int_equal(mem_fail_nth(0), 0);
}

static void a_failed_growth_changes_nothing(void **state)
{
	size_t cap = 0;
	char *array = mem_grow(NULL, &cap, 8, 1);
	size_t before = cap;

	(void)state;
	memset(array, 'x', 8);
	mem_fail_nth(1);
	assert_null(mem_grow(array, &cap, 100, 1));
	mem_fail_nth(0);
	assert_int_equal(cap, before);
	assert_memory_equal(array, "xxxxxxxx", 8);
	mem_free(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_and_goes),
		cmocka_unit_test(nothing_asked_is_still_a_pointer),
		cmocka_unit_test(a_copy_is_terminated),
		cmocka_unit_test(growing_keeps_what_is_there),
		cmocka_unit_test(a_size_past_all_memory_is_refused),
		cmocka_unit_test(the_nth_request_fails_once),
		cmocka_unit_test(a_failed_growth_changes_nothing),
	};

	return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
