#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

static void allocations_are_aligned_and_do_not_overlap(void **state)
{
	struct arena arena;
	unsigned char *p[500];

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < 500; i++) {
		p[i] = arena_alloc(&arena, i);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[i][k], i & 0xff);
	arena_deinit(&arena);
	assert_int_equal(arena.used_bytes, 0);
}

static void a_zeroed_arena_needs_no_init(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_non_null(arena_alloc(&arena, 1));
	arena_deinit(&arena);
	arena_deinit(&arena);
}

static void zalloc_is_zero_even_after_a_reset(void **state)
{
	struct arena arena = {0};

	(void)state;
	memset(arena_alloc(&arena, 1000), 0xff, 1000);
	arena_reset(&arena);
	unsigned char *p = arena_zalloc(&arena, 100, 10);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], 0);
	arena_deinit(&arena);
}

static void a_reset_keeps_one_ordinary_block(void **state)
{
	struct arena arena = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&arena, 1000));
	assert_non_null(arena_alloc(&arena, 8 * 1024 * 1024));
	arena_reset(&arena);
	assert_in_range(arena.used_bytes, 1000, 1024 * 1024 + 64);
	mem_fail_nth(1);
	assert_non_null(arena_alloc(&arena, 1000)); /* from the kept block */
	mem_fail_nth(0);
	arena_deinit(&arena);
}

static void a_large_block_does_not_waste_the_one_in_use(void **state)
{
	struct arena arena = {0};
	char *small = arena_alloc(&arena, 16);

	(void)state;
	assert_non_null(arena_alloc(&arena, 4 * 1024 * 1024));
	assert_ptr_equal(arena_alloc(&arena, 16), small + 16);
	arena_deinit(&arena);
}

static void growing_keeps_what_is_there(void **state)
{
	struct arena arena = {0};
	size_t cap = 0;
	uint32_t *array = NULL;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		array = arena_grow(&arena, array, &cap, i + 1, sizeof(*array));
		assert_non_null(array);
		array[i] = i;
		if (i % 7 == 0) /* something in the way of growing in place */
			assert_non_null(arena_alloc(&arena, 3));
	}
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(array[i], i);
	arena_deinit(&arena);
}

static void the_newest_array_grows_where_it_is(void **state)
{
	struct arena arena = {0};
	size_t cap = 0;
	char *array = arena_grow(&arena, NULL, &cap, 16, 1);

	(void)state;
	assert_ptr_equal(arena_grow(&arena, array, &cap, 64, 1), array);
	memset(array, 'a', cap);
	char *after = arena_alloc(&arena, 1);
	assert_true(after >= array + cap);
	arena_deinit(&arena);
}

static void texts_are_copied_and_terminated(void **state)
{
	struct arena arena = {0};
	struct str copy = arena_str(&arena, STR("name"));
	struct str empty = arena_str(&arena, (struct str){NULL, 0});
	struct str made = arena_printf(&arena, "%s-%d", "x", 42);

	(void)state;
	assert_string_equal(copy.ptr, "name");
	assert_int_equal(copy.len, 4);
	assert_string_equal(empty.ptr, "");
	assert_string_equal(made.ptr, "x-42");
	assert_int_equal(made.len, 4);
	assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 3);
	arena_deinit(&arena);
}

static void the_limit_is_never_passed(void **state)
{
	struct arena arena;
	size_t got = 0;

	(void)state;
	arena_init(&arena, 64 * 1024);
	while (arena_alloc(&arena, 100))
		got += 100;
	assert_in_range(got, 50 * 1024, 64 * 1024);
	assert_true(arena.used_bytes <= arena.limit_bytes);
	assert_null(arena_str(&arena, str_make(arena.head, 2000)).ptr);
	assert_null(arena_printf(&arena, "%2000d", 1).ptr);
	arena_reset(&arena);
	assert_non_null(arena_alloc(&arena, 100));
	arena_deinit(&arena);
}

static void sizes_past_all_memory_are_refused(void **state)
{
	struct arena arena = {0};
	size_t cap = 0;

	(void)state;
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 8));
	assert_null(arena_zalloc(&arena, SIZE_MAX / 2, 3));
	assert_null(arena_grow(&arena, NULL, &cap, SIZE_MAX / 4, 16));
	assert_int_equal(cap, 0);
	assert_int_equal(arena.used_bytes, 0);
	arena_deinit(&arena);
}

static void without_memory_it_says_so_and_goes_on(void **state)
{
	struct arena arena = {0};

	(void)state;
	mem_fail_nth(1);
	assert_null(arena_alloc(&arena, 10));
	assert_non_null(arena_alloc(&arena, 10));
	mem_fail_nth(0);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
		cmocka_unit_test(a_zeroed_arena_needs_no_init),
		cmocka_unit_test(zalloc_is_zero_even_after_a_reset),
		cmocka_unit_test(a_reset_keeps_one_ordinary_block),
		cmocka_unit_test(a_large_block_does_not_waste_the_one_in_use),
		cmocka_unit_test(growing_keeps_what_is_there),
		cmocka_unit_test(the_newest_array_grows_where_it_is),
		cmocka_unit_test(texts_are_copied_and_terminated),
		cmocka_unit_test(the_limit_is_never_passed),
		cmocka_unit_test(sizes_past_all_memory_are_refused),
		cmocka_unit_test(without_memory_it_says_so_and_goes_on),
	};

	return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
