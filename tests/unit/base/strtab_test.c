#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "base/strtab.h"

static void an_empty_table_has_the_empty_string(void **state)
{
	struct arena arena = {0};
	struct strtab *tab;
	uint32_t id = 9;

	(void)state;
	assert_int_equal(strtab_create(&arena, 1, &tab, NULL), 0);
	assert_int_equal(strtab_count(tab), 1);
	assert_int_equal(strtab_get(tab, 0).len, 0);
	assert_int_equal(strtab_intern(tab, STR(""), &id, NULL), 0);
	assert_int_equal(id, 0);
	arena_deinit(&arena);
}

static void equal_strings_share_an_id_and_ids_are_dense(void **state)
{
	struct arena arena = {0};
	struct strtab *tab;
	char text[32];
	uint32_t id;

	(void)state;
	assert_int_equal(strtab_create(&arena, 1 << 20, &tab, NULL), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i < 20000; i++) {
			snprintf(text, sizeof(text), "frame-%u", i);
			assert_int_equal(strtab_intern(tab, str_of(text), &id, NULL), 0);
			assert_int_equal(id, i);
		}
	}
	assert_int_equal(strtab_count(tab), 20000);
	assert_true(str_equal(strtab_get(tab, 19999), STR("frame-19999")));
	arena_deinit(&arena);
}

static void any_bytes_serve_and_are_copied(void **state)
{
	struct arena arena = {0};
	struct strtab *tab;
	char bytes[] = "a\0b";
	uint32_t id, other;

	(void)state;
	assert_int_equal(strtab_create(&arena, 10, &tab, NULL), 0);
	assert_int_equal(strtab_intern(tab, str_make(bytes, 3), &id, NULL), 0);
	assert_int_equal(strtab_intern(tab, STR("a"), &other, NULL), 0);
	assert_int_not_equal(id, other);
	bytes[0] = 'z';
	assert_memory_equal(strtab_get(tab, id).ptr, "a\0b", 3);
	arena_deinit(&arena);
}

static void an_id_out_of_range_is_the_empty_string(void **state)
{
	struct arena arena = {0};
	struct strtab *tab;

	(void)state;
	assert_int_equal(strtab_create(&arena, 10, &tab, NULL), 0);
	assert_int_equal(strtab_get(tab, 1).len, 0);
	assert_int_equal(strtab_get(tab, UINT32_MAX).len, 0);
	arena_deinit(&arena);
}

static void a_full_table_refuses_the_new_and_knows_the_old(void **state)
{
	struct arena arena = {0};
	struct strtab *tab;
	struct err err = {0};
	uint32_t id = 9;

	(void)state;
	assert_int_equal(strtab_create(&arena, 2, &tab, NULL), 0);
	assert_int_equal(strtab_intern(tab, STR("a"), &id, NULL), 0);
	id = 9;
	assert_int_equal(strtab_intern(tab, STR("b"), &id, &err), ERR_LIMIT);
	assert_int_equal(id, 9);
	assert_string_equal(err.text, "string table: full at 2 strings");
	assert_int_equal(strtab_intern(tab, STR("a"), &id, NULL), 0);
	assert_int_equal(id, 1);
	assert_int_equal(strtab_count(tab), 2);
	arena_deinit(&arena);
}

/* Returns the first error; the table must be usable after it. */
static int fill(struct arena *arena, struct err *err)
{
	struct strtab *tab;
	char text[256];
	uint32_t id;
	int code = strtab_create(arena, 10000, &tab, err);

	for (uint32_t i = 1; i < 500 && !code; i++) {
		snprintf(text, sizeof(text), "%0200u", i);
		code = strtab_intern(tab, str_of(text), &id, err);
		if (code) {
			assert_int_equal(strtab_count(tab), i);
			assert_int_equal(strtab_intern(tab, str_of(text), &id, err), 0);
			assert_int_equal(id, i);
		}
	}
	return code;
}

static void each_shortage_leaves_the_table_as_before(void **state)
{
	struct arena arena = {0};
	struct err err;

	(void)state;
	mem_fail_nth(0);
	assert_int_equal(fill(&arena, &err), 0);
	uint64_t requests = mem_fail_nth(0);
	arena_deinit(&arena);
	assert_true(requests > 2);
	for (uint64_t n = 1; n <= requests; n++) {
		mem_fail_nth(n);
		assert_int_equal(fill(&arena, &err), ERR_NOMEM);
		mem_fail_nth(0);
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_table_has_the_empty_string),
		cmocka_unit_test(equal_strings_share_an_id_and_ids_are_dense),
		cmocka_unit_test(any_bytes_serve_and_are_copied),
		cmocka_unit_test(an_id_out_of_range_is_the_empty_string),
		cmocka_unit_test(a_full_table_refuses_the_new_and_knows_the_old),
		cmocka_unit_test(each_shortage_leaves_the_table_as_before),
	};

	return cmocka_run_group_tests_name("base/strtab", tests, NULL, NULL);
}
