#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/budget.h"

static void what_is_taken_is_taken_from_the_parents_too(void **state)
{
	(void)state;
	struct budget all, some;
	budget_init(&all, 100, NULL);
	budget_init(&some, 60, &all);
	assert_true(budget_take(&some, 50));
	assert_int_equal(budget_used(&some), 50);
	assert_int_equal(budget_used(&all), 50);
	budget_give(&some, 20);
	assert_int_equal(budget_used(&some), 30);
	assert_int_equal(budget_used(&all), 30);
}

static void what_does_not_fit_takes_nothing(void **state)
{
	(void)state;
	struct budget all, some, other;
	budget_init(&all, 100, NULL);
	budget_init(&some, 60, &all);
	budget_init(&other, 0, &all);
	assert_false(budget_take(&some, 61));
	assert_true(budget_take(&other, 90));
	assert_false(budget_take(&some, 11));
	assert_false(budget_take(&some, SIZE_MAX));
	assert_int_equal(budget_used(&some), 0);
	assert_int_equal(budget_used(&all), 90);
	assert_true(budget_take(&some, 10));
	assert_true(budget_take(NULL, SIZE_MAX));
}

static void it_says_which_one_is_full(void **state)
{
	(void)state;
	struct budget all, some;
	budget_init(&all, 100, NULL);
	budget_init(&some, 60, &all);
	assert_null(budget_full(&some, 60));
	assert_ptr_equal(budget_full(&some, 61), &some);
	assert_true(budget_take(&all, 50));
	assert_ptr_equal(budget_full(&some, 51), &all);
	assert_null(budget_full(NULL, 1));
}

/* Another owner gives back between the refusal and the question. */
static void who_refused_is_known_when_there_is_room_again(void **state)
{
	(void)state;
	struct budget all, some;
	budget_init(&all, 100, NULL);
	budget_init(&some, 60, &all);
	assert_null(budget_refused(&some));
	assert_true(budget_take(&all, 90));
	assert_false(budget_take(&some, 20));
	budget_give(&all, 90);
	assert_null(budget_full(&some, 20));
	assert_ptr_equal(budget_refused(&some), &all);
	assert_false(budget_take(&some, 61));
	assert_ptr_equal(budget_refused(&some), &some);
	assert_null(budget_refused(&all));
	assert_null(budget_refused(NULL));
}

static void an_arena_takes_from_its_budget_and_gives_back(void **state)
{
	(void)state;
	struct budget budget;
	struct arena arena, second;
	budget_init(&budget, 64 * 1024, NULL);
	arena_init_within(&arena, 0, &budget);
	arena_init_within(&second, 0, &budget);
	assert_int_equal(budget_used(&budget), 0);
	assert_non_null(arena_alloc(&arena, 40 * 1024));
	assert_int_equal(budget_used(&budget), arena.used_bytes);
	assert_null(arena_alloc(&second, 40 * 1024));
	assert_non_null(arena_alloc(&second, 10 * 1024));
	assert_int_equal(budget_used(&budget), arena.used_bytes + second.used_bytes);
	arena_reset(&arena);
	assert_int_equal(budget_used(&budget), arena.used_bytes + second.used_bytes);
	arena_deinit(&arena);
	arena_deinit(&second);
	assert_int_equal(budget_used(&budget), 0);
	assert_non_null(arena_alloc(&second, 40 * 1024));
	arena_deinit(&second);
	assert_int_equal(budget_used(&budget), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_is_taken_from_the_parents_too),
		cmocka_unit_test(what_does_not_fit_takes_nothing),
		cmocka_unit_test(it_says_which_one_is_full),
		cmocka_unit_test(who_refused_is_known_when_there_is_room_again),
		cmocka_unit_test(an_arena_takes_from_its_budget_and_gives_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
