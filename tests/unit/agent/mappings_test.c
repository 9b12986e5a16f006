#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/mappings.h"
#include "base/mem.h"

static struct mapping row(uint64_t start, uint64_t end, uint64_t offset, uint32_t file)
{
	return (struct mapping){start, end, offset, file};
}

static void add(struct mappings **set, uint64_t start, uint64_t end, uint64_t offset, uint32_t file)
{
	struct mapping m = row(start, end, offset, file);
	assert_int_equal(mappings_add(set, &m, NULL), 0);
}

static void an_address_is_found_in_its_mapping_only(void **state)
{
	struct mappings *set = mappings_create();
	(void)state;
	assert_null(mappings_find(set, 0x1000));
	add(&set, 0x5000, 0x6000, 0, 2);
	add(&set, 0x1000, 0x3000, 0, 1);
	assert_int_equal(mappings_find(set, 0x1000)->file, 1);
	assert_int_equal(mappings_find(set, 0x2fff)->file, 1);
	assert_null(mappings_find(set, 0x3000));
	assert_null(mappings_find(set, 0xfff));
	assert_int_equal(mappings_find(set, 0x5fff)->file, 2);
	assert_null(mappings_find(set, 0x6000));
	mappings_unref(set);
}

static void a_new_mapping_covers_the_old_ones_and_their_rests_stay(void **state)
{
	struct mappings *set = mappings_create();
	(void)state;
	add(&set, 0x1000, 0x9000, 0x100000, 1);
	add(&set, 0x3000, 0x5000, 0, 2);
	assert_int_equal(set->count, 3);
	assert_int_equal(mappings_find(set, 0x2fff)->file, 1);
	assert_int_equal(mappings_find(set, 0x4000)->file, 2);
	const struct mapping *rest = mappings_find(set, 0x5000);
	assert_int_equal(rest->file, 1);
	assert_int_equal(rest->offset, 0x104000);
	add(&set, 0x2000, 0x8000, 0, 3);
	assert_int_equal(set->count, 3);
	assert_int_equal(mappings_find(set, 0x4000)->file, 3);
	assert_int_equal(mappings_find(set, 0x8000)->offset, 0x107000);
	add(&set, 0, 0x10000, 0, 4);
	assert_int_equal(set->count, 1);
	mappings_unref(set);
}

static void memory_that_grows_stays_one_mapping(void **state)
{
	struct mappings *set = mappings_create();
	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		add(&set, i * 4096, (i + 1) * 4096, i * 4096, 0);
	assert_int_equal(set->count, 1);
	add(&set, 0x3000, 0x4000, 0x3000, 0);
	assert_int_equal(set->count, 1);
	mappings_unref(set);
}

static void a_child_has_its_own_mappings_from_the_first_change(void **state)
{
	struct mappings *parent = mappings_create();
	(void)state;
	add(&parent, 0x1000, 0x2000, 0, 1);
	struct mappings *child = mappings_ref(parent);
	add(&child, 0x1000, 0x2000, 0, 1);
	assert_ptr_equal(child, parent);
	add(&child, 0x3000, 0x4000, 0, 2);
	assert_ptr_not_equal(child, parent);
	assert_null(mappings_find(parent, 0x3000));
	assert_int_equal(mappings_find(child, 0x3000)->file, 2);
	assert_int_equal(mappings_find(child, 0x1000)->file, 1);
	mappings_unref(parent);
	assert_int_equal(mappings_find(child, 0x1000)->file, 1);
	mappings_unref(child);
	mappings_unref(NULL);
}

static void nonsense_changes_nothing(void **state)
{
	struct mappings *set = mappings_create();
	struct mapping empty = row(0x2000, 0x2000, 0, 1), wrapped = row(0x2000, 0x1000, 0, 1);
	(void)state;
	assert_int_equal(mappings_add(&set, &empty, NULL), 0);
	assert_int_equal(mappings_add(&set, &wrapped, NULL), 0);
	assert_int_equal(set->count, 0);
	mappings_unref(set);
}

static void there_is_a_limit(void **state)
{
	struct mappings *set = mappings_create();
	struct mapping over = row(1ULL << 40, (1ULL << 40) + 1, 0, 9);
	(void)state;
	for (uint64_t i = 0; i < MAPPINGS_MAX; i++)
		add(&set, i * 8192, i * 8192 + 4096, 0, (uint32_t)i);
	assert_int_equal(mappings_add(&set, &over, NULL), ERR_LIMIT);
	assert_int_equal(set->count, MAPPINGS_MAX);
	mappings_unref(set);
}

/* Against an array with one entry per page. */
static void random_mappings_agree_with_a_page_table(void **state)
{
	enum { PAGES = 64 };
	uint32_t file_of[PAGES];
	uint64_t offset_of[PAGES];
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		struct mappings *set = mappings_create();
		memset(file_of, 0, sizeof(file_of));
		srand(seed);
		for (int n = 0; n < 40; n++) {
			uint64_t from = (uint64_t)rand() % PAGES, to = (uint64_t)rand() % PAGES + 1;
			uint64_t offset = (uint64_t)(rand() % 4) * 4096;
			uint32_t file = (uint32_t)(rand() % 3 + 1);
			if (from >= to)
				continue;
			add(&set, from * 4096, to * 4096, offset, file);
			for (uint64_t p = from; p < to; p++) {
				file_of[p] = file;
				offset_of[p] = offset + (p - from) * 4096;
			}
		}
		for (uint64_t p = 0; p < PAGES; p++) {
			const struct mapping *m = mappings_find(set, p * 4096 + 7);
			assert_int_equal(m ? m->file : 0, file_of[p]);
			if (m)
				assert_int_equal(m->offset + p * 4096 - m->start, offset_of[p]);
		}
		mappings_unref(set);
	}
}

static void without_memory_the_set_is_as_before(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth < 8; nth++) {
		struct mappings *parent = mappings_create();
		add(&parent, 0x1000, 0x2000, 0, 1);
		struct mappings *child = mappings_ref(parent);
		struct mapping more = row(0x3000, 0x4000, 0, 2);
		mem_fail_nth(nth);
		int rc = mappings_add(&child, &more, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		assert_int_equal(child->count, rc == 0 ? 2 : 1);
		assert_int_equal(parent->count, 1);
		mappings_unref(child);
		mappings_unref(parent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_found_in_its_mapping_only),
		cmocka_unit_test(a_new_mapping_covers_the_old_ones_and_their_rests_stay),
		cmocka_unit_test(memory_that_grows_stays_one_mapping),
		cmocka_unit_test(a_child_has_its_own_mappings_from_the_first_change),
		cmocka_unit_test(nonsense_changes_nothing),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(random_mappings_agree_with_a_page_table),
		cmocka_unit_test(without_memory_the_set_is_as_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
