#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "unwind/rows.h"
#include "unwind/space.h"

enum { CHUNKS = 3, SECOND_NS = 1000 * 1000 * 1000 };

static void *memory;
static struct unwind_space *space;

static int make_space(void **state)
{
	(void)state;
	memory = calloc(CHUNKS, UNWIND_CHUNK_BYTES);
	return unwind_space_create(memory, CHUNKS, &space, NULL);
}

static int drop_space(void **state)
{
	(void)state;
	unwind_space_destroy(space);
	free(memory);
	return 0;
}

/* Rows that say where they are, so that a misplaced one is seen. */
static struct unwind_rows *make_rows(uint32_t pages, uint32_t rows_per_page, uint32_t rules)
{
	struct unwind_rows *rows = mem_zalloc(1, sizeof(*rows));

	rows->vaddr = 0x10000;
	rows->info = (struct unwind_rows_info){.pages = pages,
					       .rules = rules,
					       .rows = pages * rows_per_page};
	rows->pages = mem_zalloc(pages, sizeof(*rows->pages));
	rows->rows = mem_zalloc(rows->info.rows, sizeof(*rows->rows));
	rows->rules = mem_zalloc(rules, sizeof(*rows->rules));
	for (uint32_t i = 0; i < pages; i++)
		if (i % 3 != 2) /* each third is empty */
			rows->pages[i] = (struct unwind_page){i * rows_per_page, rows_per_page};
	for (uint32_t i = 0; i < rows->info.rows; i++)
		rows->rows[i] = (struct unwind_row){(uint16_t)(i % rows_per_page),
						    (uint16_t)(i / rows_per_page)};
	for (uint32_t i = 0; i < rules; i++)
		rows->rules[i].cfa_offset = (int32_t)i;
	return rows;
}

static void free_rows(struct unwind_rows *rows)
{
	mem_free(rows->pages);
	mem_free(rows->rows);
	mem_free(rows->rules);
	mem_free(rows);
}

static void check_page(const struct unwind_rows *rows, const struct unwind_page *page, uint32_t i)
{
	assert_int_equal(page->count, rows->pages[i].count);
	if (page->count == 0)
		return;
	const struct unwind_row *found =
		unwind_space_at(space, page->rows, page->count * sizeof(*found));
	assert_non_null(found);
	assert_memory_equal(found, rows->rows + rows->pages[i].rows, page->count * sizeof(*found));
}

static void check_table(const struct unwind_rows *rows, uint32_t place)
{
	size_t bytes = sizeof(struct unwind_table) + rows->info.pages * sizeof(struct unwind_page) +
		       rows->info.rules * sizeof(struct unwind_rule);
	const struct unwind_table *table = unwind_space_at(space, place, bytes);

	assert_non_null(table);
	assert_int_equal(place % 2, 0);
	assert_int_equal(table->vaddr, rows->vaddr);
	assert_int_equal(table->page_count, rows->info.pages);
	assert_int_equal(table->rule_count, rows->info.rules);
	assert_memory_equal(&table->pages[table->page_count], rows->rules,
			    rows->info.rules * sizeof(struct unwind_rule));
	for (uint32_t i = 0; i < table->page_count; i++)
		check_page(rows, &table->pages[i], i);
}

static void a_table_is_read_as_it_was_written(void **state)
{
	static const uint32_t shapes[][3] = {{1, 1, 1},
					     {7, 100, 9},
					     {30, 5001, 1000},
					     {1, 65536, 65536}};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct unwind_rows *rows = make_rows(shapes[i][0], shapes[i][1], shapes[i][2]);
		uint32_t place = 0;
		assert_int_equal(unwind_space_add_table(space, rows, &place, NULL), 0);
		assert_int_not_equal(place, 0);
		check_table(rows, place);
		free_rows(rows);
	}
}

static void mappings_are_read_as_they_were_written(void **state)
{
	struct unwind_mapping rows[3] = {{.start = 1, .end = 2, .table = 3},
					 {.start = 4, .end = 5},
					 {.start = 6, .end = 7, .kind = UNWIND_NOT_READY}};
	uint32_t place;

	(void)state;
	assert_int_equal(unwind_space_add_mappings(space, rows, 3, &place, NULL), 0);
	const void *found = unwind_space_at(space, place, sizeof(rows));
	assert_memory_equal(found, rows, sizeof(rows));
	assert_int_equal(unwind_space_used_bytes(space), sizeof(rows));
}

static void too_many_mappings_are_refused(void **state)
{
	size_t count = UNWIND_MAPPINGS_MAX + 1;
	struct unwind_mapping *rows = calloc(count, sizeof(*rows));
	uint32_t place;

	(void)state;
	assert_int_equal(unwind_space_add_mappings(space, rows, (uint32_t)count, &place, NULL),
			 ERR_LIMIT);
	free(rows);
}

static void nothing_is_outside_of_a_chunk(void **state)
{
	(void)state;
	assert_null(unwind_space_at(space, 0, 1));
	assert_non_null(unwind_space_at(space, 2, UNWIND_CHUNK_BYTES - 8));
	assert_null(unwind_space_at(space, 2, UNWIND_CHUNK_BYTES));
	assert_null(unwind_space_at(space, 2, SIZE_MAX));
	assert_non_null(unwind_space_at(space, UNWIND_CHUNK_UNITS, UNWIND_CHUNK_BYTES));
	assert_null(unwind_space_at(space, CHUNKS * UNWIND_CHUNK_UNITS, 1));
	assert_null(unwind_space_at(space, UINT32_MAX, 1));
}

static void memory_comes_back_after_its_grace(void **state)
{
	struct unwind_rows *rows = make_rows(20, 60000, 10); /* 3.2 MB: fits once */
	uint32_t place, other;

	(void)state;
	assert_int_equal(unwind_space_add_table(space, rows, &place, NULL), 0);
	size_t used = unwind_space_used_bytes(space);
	assert_int_equal(unwind_space_add_table(space, rows, &other, NULL), ERR_LIMIT);
	assert_int_equal(unwind_space_used_bytes(space), used);
	unwind_space_drop_table(space, place, SECOND_NS);
	assert_int_equal(unwind_space_used_bytes(space), 0);
	assert_int_equal(unwind_space_dropped_bytes(space), used);
	unwind_space_collect(space, SECOND_NS + UNWIND_GRACE_NS - 1);
	assert_int_equal(unwind_space_add_table(space, rows, &other, NULL), ERR_LIMIT);
	check_table(rows, place); /* a walk may be reading it still */
	unwind_space_collect(space, SECOND_NS + UNWIND_GRACE_NS);
	assert_int_equal(unwind_space_dropped_bytes(space), 0);
	assert_int_equal(unwind_space_add_table(space, rows, &other, NULL), 0);
	check_table(rows, other);
	free_rows(rows);
}

static void a_table_that_can_never_fit_is_refused(void **state)
{
	struct unwind_rows *rows = make_rows(120, 65536, 1);
	uint32_t place;
	struct err err;

	(void)state;
	assert_int_equal(unwind_space_add_table(space, rows, &place, &err), ERR_LIMIT);
	assert_int_equal(unwind_space_used_bytes(space), 0);
	assert_string_equal(err.text,
			    "unwind space: no room for 262144 bytes; 0 of 6291456 are in use");
	free_rows(rows);
}

enum { OBJECTS = 64, ROUNDS = 4000 };

struct held {
	struct unwind_rows *rows;
	uint32_t place;
};

static void put_one(struct held *held, uint32_t *seed, uint64_t now)
{
	struct held *h = &held[rand_r(seed) % OBJECTS];

	if (h->rows) {
		check_table(h->rows, h->place);
		unwind_space_drop_table(space, h->place, now);
		free_rows(h->rows);
		h->rows = NULL;
	}
	struct unwind_rows *rows =
		make_rows(1 + (uint32_t)rand_r(seed) % 12, 1 + (uint32_t)rand_r(seed) % 4000,
			  1 + (uint32_t)rand_r(seed) % 300);
	if (unwind_space_add_table(space, rows, &h->place, NULL) == 0)
		h->rows = rows;
	else
		free_rows(rows);
}

/* Whatever comes and goes, what is held stays as it was written, and in the end all is one again. */
static void random_traffic_corrupts_nothing(void **state)
{
	struct held held[OBJECTS] = {0};
	struct unwind_rows *whole = make_rows(7, 65536, 1); /* empty pages too: 5 of 256 KiB */
	uint32_t seed = 1, place;
	uint64_t now = SECOND_NS;

	(void)state;
	for (int i = 0; i < ROUNDS; i++, now += 1000 * 1000) {
		put_one(held, &seed, now);
		unwind_space_collect(space, now);
	}
	for (size_t i = 0; i < OBJECTS; i++) {
		if (!held[i].rows)
			continue;
		check_table(held[i].rows, held[i].place);
		unwind_space_drop_table(space, held[i].place, now);
		free_rows(held[i].rows);
	}
	unwind_space_collect(space, now + UNWIND_GRACE_NS);
	assert_int_equal(unwind_space_used_bytes(space) + unwind_space_dropped_bytes(space), 0);
	for (int i = 0; i < 4; i++) /* 4 * 1.25 MB of 6 MB: only without splinters */
		assert_int_equal(unwind_space_add_table(space, whole, &place, NULL), 0);
	free_rows(whole);
}

static void a_shortage_of_memory_leaves_the_space_as_it_was(void **state)
{
	struct unwind_rows *rows = make_rows(30, 5001, 10);
	struct unwind_mapping mapping = {.start = 1, .end = 2};
	uint32_t place;
	int rc = ERR_NOMEM;

	(void)state;
	for (uint64_t nth = 1; rc == ERR_NOMEM; nth++) {
		assert_int_equal(unwind_space_used_bytes(space), 0);
		(void)mem_fail_nth(nth);
		rc = unwind_space_add_table(space, rows, &place, NULL);
	}
	(void)mem_fail_nth(0);
	assert_int_equal(rc, 0);
	check_table(rows, place);
	free_rows(rows);
	rc = ERR_NOMEM;
	for (uint64_t nth = 1; rc == ERR_NOMEM; nth++) {
		(void)mem_fail_nth(nth);
		rc = unwind_space_add_mappings(space, &mapping, 1, &place, NULL);
	}
	(void)mem_fail_nth(0);
	assert_int_equal(rc, 0);
}

static void creating_a_space_runs_short(void **state)
{
	struct unwind_space *other = NULL;
	int rc = ERR_NOMEM;

	(void)state;
	for (uint64_t nth = 1; rc == ERR_NOMEM; nth++) {
		(void)mem_fail_nth(nth);
		rc = unwind_space_create(memory, CHUNKS, &other, NULL);
	}
	(void)mem_fail_nth(0);
	assert_int_equal(rc, 0);
	unwind_space_destroy(other);
	assert_int_equal(unwind_space_create(memory, UINT32_MAX, &other, NULL), ERR_LIMIT);
}

#define SPACE_TEST(name) cmocka_unit_test_setup_teardown(name, make_space, drop_space)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPACE_TEST(a_table_is_read_as_it_was_written),
		SPACE_TEST(mappings_are_read_as_they_were_written),
		SPACE_TEST(too_many_mappings_are_refused),
		SPACE_TEST(nothing_is_outside_of_a_chunk),
		SPACE_TEST(memory_comes_back_after_its_grace),
		SPACE_TEST(a_table_that_can_never_fit_is_refused),
		SPACE_TEST(random_traffic_corrupts_nothing),
		SPACE_TEST(a_shortage_of_memory_leaves_the_space_as_it_was),
		SPACE_TEST(creating_a_space_runs_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
