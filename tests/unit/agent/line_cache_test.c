#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/line_cache.h"
#include "base/mem.h"

enum { BUDGET = 1 << 20 };

static void put(struct line_cache *cache, uint64_t file, uint64_t vaddr, const char *name,
		uint32_t count)
{
	struct dwarf_row rows[DWARF_ROWS_MAX];

	for (uint32_t i = 0; i < count; i++)
		rows[i] = (struct dwarf_row){.name = str_of(name),
					     .system_name = str_of(name),
					     .file = STR("a.c"),
					     .line = i + 1};
	const struct line_entry like = {.file = file, .vaddr = vaddr, .count = count};
	line_cache_put(cache, &like, rows);
}

static void what_was_put_is_found(void **state)
{
	struct line_cache cache;

	(void)state;
	line_cache_init(&cache, BUDGET);
	put(&cache, 1, 0x1000, "main", 2);
	put(&cache, 1, 0x1001, "", 0);
	const struct line_entry *entry = line_cache_get(&cache, 1, 0x1000);
	assert_non_null(entry);
	assert_int_equal(entry->count, 2);
	assert_true(str_equal(entry->rows[1].name, STR("main")));
	assert_true(str_equal(entry->rows[1].file, STR("a.c")));
	assert_int_equal(entry->rows[1].line, 2);
	assert_int_equal(line_cache_get(&cache, 1, 0x1001)->count, 0);
	assert_null(line_cache_get(&cache, 2, 0x1000));
	assert_null(line_cache_get(&cache, 1, 0x1002));
	line_cache_deinit(&cache);
}

static void the_budget_is_kept_and_what_is_used_stays(void **state)
{
	struct line_cache cache;
	char name[64];

	(void)state;
	line_cache_init(&cache, BUDGET);
	put(&cache, 1, 0, "used all the time", 3);
	for (uint64_t i = 1; i < 50000; i++) {
		snprintf(name, sizeof(name), "function_%d", (int)i);
		put(&cache, 1, i, name, 3);
		const struct line_entry *entry = line_cache_get(&cache, 1, 0);
		assert_non_null(entry);
		assert_true(str_equal(entry->rows[2].name, STR("used all the time")));
	}
	assert_true(cache.turns > 2);
	assert_null(line_cache_get(&cache, 1, 1));
	assert_non_null(line_cache_get(&cache, 1, 49999));
	/* The maps are beside the budget of the texts and rows. */
	assert_true(line_cache_bytes(&cache) < 2 * BUDGET);
	line_cache_deinit(&cache);
}

static void an_entry_larger_than_a_half_is_not_kept(void **state)
{
	struct line_cache cache;

	(void)state;
	line_cache_init(&cache, 4096);
	put(&cache, 1, 1, "x", DWARF_ROWS_MAX);
	assert_null(line_cache_get(&cache, 1, 1));
	line_cache_deinit(&cache);
}

static void without_memory_nothing_is_kept(void **state)
{
	uint64_t requests = 1;

	(void)state;
	for (uint64_t nth = 1; nth <= requests; nth++) {
		struct line_cache cache;
		line_cache_init(&cache, BUDGET);
		(void)mem_fail_nth(nth);
		put(&cache, 1, 1, "x", 2);
		requests = mem_fail_nth(0);
		put(&cache, 1, 2, "y", 2);
		assert_non_null(line_cache_get(&cache, 1, 2));
		line_cache_deinit(&cache);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found),
		cmocka_unit_test(the_budget_is_kept_and_what_is_used_stays),
		cmocka_unit_test(an_entry_larger_than_a_half_is_not_kept),
		cmocka_unit_test(without_memory_nothing_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
