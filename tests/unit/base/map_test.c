#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

static void an_empty_map_has_nothing(void **state)
{
	struct map map = {0};
	size_t pos = 0;
	uint64_t key, *value;

	(void)state;
	assert_null(map_get(&map, 0));
	assert_false(map_remove(&map, 0, NULL));
	assert_false(map_next(&map, &pos, &key, &value));
	map_clear(&map);
	map_deinit(&map);
}

static void what_is_put_is_found_and_replaced(void **state)
{
	struct map map = {0};

	(void)state;
	for (uint64_t k = 0; k < 10000; k++)
		assert_int_equal(map_put(&map, k * 4096, k, NULL), 0);
	assert_int_equal(map.count, 10000);
	assert_int_equal(map_put(&map, 0, 77, NULL), 0);
	assert_int_equal(map_put(&map, UINT64_MAX, 78, NULL), 0);
	assert_int_equal(map.count, 10001);
	assert_int_equal(*map_get(&map, 0), 77);
	assert_int_equal(*map_get(&map, UINT64_MAX), 78);
	for (uint64_t k = 1; k < 10000; k++)
		assert_int_equal(*map_get(&map, k * 4096), k);
	assert_null(map_get(&map, 1));
	map_deinit(&map);
	assert_null(map_get(&map, 0));
}

static void what_is_removed_is_gone_and_comes_back(void **state)
{
	struct map map = {0};
	uint64_t old = 0;

	(void)state;
	for (uint64_t k = 0; k < 1000; k++)
		assert_int_equal(map_put(&map, k, k + 1, NULL), 0);
	for (uint64_t k = 0; k < 1000; k += 2) {
		assert_true(map_remove(&map, k, &old));
		assert_int_equal(old, k + 1);
	}
	assert_false(map_remove(&map, 0, &old));
	assert_int_equal(map.count, 500);
	for (uint64_t k = 0; k < 1000; k++)
		assert_int_equal(map_get(&map, k) != NULL, k % 2);
	assert_int_equal(map_put(&map, 0, 5, NULL), 0);
	assert_int_equal(*map_get(&map, 0), 5);
	map_deinit(&map);
}

/* Tombstones must not fill the table, nor make it grow for ever. */
static void churn_keeps_its_size(void **state)
{
	struct map map = {0};

	(void)state;
	for (uint64_t k = 0; k < 200000; k++) {
		assert_int_equal(map_put(&map, k, k, NULL), 0);
		if (k >= 10)
			assert_true(map_remove(&map, k - 10, NULL));
	}
	assert_int_equal(map.count, 10);
	assert_true(map.cap <= 64);
	map_deinit(&map);
}

static void a_walk_sees_each_once_and_may_remove_it(void **state)
{
	struct map map = {0};
	size_t pos = 0, seen = 0;
	uint64_t key, *value, sum = 0;

	(void)state;
	for (uint64_t k = 1; k <= 100; k++)
		assert_int_equal(map_put(&map, k, k * 2, NULL), 0);
	while (map_next(&map, &pos, &key, &value)) {
		assert_int_equal(*value, key * 2);
		sum += key;
		seen++;
		assert_true(map_remove(&map, key, NULL));
	}
	assert_int_equal(seen, 100);
	assert_int_equal(sum, 5050);
	assert_int_equal(map.count, 0);
	map_deinit(&map);
}

static void clearing_keeps_the_memory(void **state)
{
	struct map map = {0};

	(void)state;
	for (uint64_t k = 0; k < 100; k++)
		assert_int_equal(map_put(&map, k, k, NULL), 0);
	map_clear(&map);
	assert_int_equal(map.count, 0);
	assert_null(map_get(&map, 5));
	mem_fail_nth(1);
	for (uint64_t k = 0; k < 50; k++)
		assert_int_equal(map_put(&map, k, k, NULL), 0);
	mem_fail_nth(0);
	map_deinit(&map);
}

static void without_memory_the_map_is_as_before(void **state)
{
	struct map map = {0};
	struct err err = {0};

	(void)state;
	mem_fail_nth(1);
	assert_int_equal(map_put(&map, 1, 1, &err), ERR_NOMEM);
	mem_fail_nth(0);
	assert_int_equal(map.count, 0);
	uint64_t k = 0;
	assert_int_equal(map_put(&map, 1, 1, &err), 0);
	k = 1;
	do { /* fill until the next put must grow */
		mem_fail_nth(1);
		k++;
	} while (map_put(&map, k, k, &err) == 0);
	mem_fail_nth(0);
	for (uint64_t i = 1; i < k; i++)
		assert_int_equal(*map_get(&map, i), i);
	assert_null(map_get(&map, k));
	assert_int_equal(map_put(&map, k, k, &err), 0);
	map_deinit(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(what_is_put_is_found_and_replaced),
		cmocka_unit_test(what_is_removed_is_gone_and_comes_back),
		cmocka_unit_test(churn_keeps_its_size),
		cmocka_unit_test(a_walk_sees_each_once_and_may_remove_it),
		cmocka_unit_test(clearing_keeps_the_memory),
		cmocka_unit_test(without_memory_the_map_is_as_before),
	};

	return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
