/* Two piles of (id, bytes) in different orders: the same, or which page differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "store/embedded/tally.h"

static void add(struct tally *tally, uint32_t id, const char *text)
{
	struct err err;
	must(tally_add(tally, id, str_of(text), &err), &err);
}

static void take(struct tally *tally, uint32_t id, const char *text)
{
	struct err err;
	must(tally_take(tally, id, str_of(text), &err), &err);
}

static size_t pages_that_differ(const struct tally *tally, size_t *ret_first)
{
	size_t count = 0;
	for (size_t page = 0; page < tally->count; page++)
		if (tally_differs(tally, page) && count++ == 0)
			*ret_first = page;
	return count;
}

static void the_same_pieces_in_any_order_differ_nowhere(void **state)
{
	struct tally tally = {0};
	size_t first;
	(void)state;
	for (uint32_t id = 1; id < 5000; id++)
		add(&tally, id, id % 2 ? "a" : "b");
	for (uint32_t id = 4999; id; id--)
		take(&tally, id, id % 2 ? "a" : "b");
	assert_int_equal(pages_that_differ(&tally, &first), 0);
	assert_false(tally_differs(&tally, 1000000));
	tally_deinit(&tally);
}

static void a_piece_that_is_missing_double_or_other_marks_its_page(void **state)
{
	static const struct {
		unsigned adds, takes;
		uint32_t id;
		const char *taken;
	} rows[] = {
		{1, 0, 300, ""},  {0, 1, 300, "x"}, {2, 1, 300, "x"},
		{1, 2, 300, "x"}, {1, 1, 301, "x"}, {1, 1, 300, "y"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tally tally = {0};
		size_t first = 0;
		add(&tally, 7, "x");
		for (unsigned n = 0; n < rows[i].adds; n++)
			add(&tally, 300, "x");
		for (unsigned n = 0; n < rows[i].takes; n++)
			take(&tally, rows[i].id, rows[i].taken);
		take(&tally, 7, "x");
		assert_int_equal(pages_that_differ(&tally, &first), 1);
		assert_int_equal(first, 300 / TALLY_PAGE);
		tally_deinit(&tally);
	}
}

static void without_memory_it_says_so_and_is_as_before(void **state)
{
	struct tally tally = {0};
	struct err err;
	size_t first;
	(void)state;
	add(&tally, 1, "x");
	mem_fail_nth(1);
	assert_int_equal(tally_add(&tally, 1u << 20, STR("x"), &err), ERR_NOMEM);
	mem_fail_nth(0);
	take(&tally, 1, "x");
	assert_int_equal(pages_that_differ(&tally, &first), 0);
	tally_deinit(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_pieces_in_any_order_differ_nowhere),
		cmocka_unit_test(a_piece_that_is_missing_double_or_other_marks_its_page),
		cmocka_unit_test(without_memory_it_says_so_and_is_as_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
