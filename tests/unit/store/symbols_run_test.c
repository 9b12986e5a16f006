/* Late symbols as bytes: what they look like, that what goes in comes out, that
 * broken bytes are refused, and how functions that overlap become ranges that
 * do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "store/embedded/symbols_run.h"

static void has_bytes(const struct buf *buf, const char *bytes, size_t count)
{
	assert_int_equal(buf->failed, 0);
	assert_int_equal(buf->len, count);
	assert_memory_equal(buf->ptr, bytes, count);
}

static void a_run_and_a_record_have_the_bytes_of_the_format_page(void **state)
{
	(void)state;
	const struct symbol_range ranges[] = {
		{0x1000, 0x1010, STR("main"), STR(""), STR("a.c")},
		{0x1018, 0x1040, STR("f<int>"), STR("_Z1fIiE"), STR("")},
	};
	const struct store_symbols record = {STR("c0ffee"), STR("upload"), 300, 2, 57};
	struct buf out = {0};
	symbols_run_put(&out, ranges, 2);
	/* version, 2 ranges; gaps 0 8, sizes 16 40, lengths and texts of names, system names, files */
	has_bytes(&out,
		  "\x01\x02"
		  "\x05\x06\x00\x08\x00\x01"
		  "\x05\x06\x20\x18\x00\x01"
		  "\x05\x06\x08\x02\x00\x01mainf<int>"
		  "\x05\x06\x00\x07\x00\x01_Z1fIiE"
		  "\x05\x02\x00\x03\x02\x01"
		  "a.c",
		  52);
	buf_clear(&out);
	symbols_record_put(&out, &record);
	has_bytes(&out,
		  "\x01\x06"
		  "c0ffee\x06upload\xac\x02\x02\x39",
		  19);
	buf_deinit(&out);
}

/* ---- there and back ---- */

enum { MANY = SYMBOLS_PER_RUN };

static struct str text_from(struct random *random, char *space, size_t most)
{
	size_t len = random_below(random, (uint32_t)most);
	for (size_t i = 0; i < len; i++)
		space[i] = (char)('a' + random_below(random, 26));
	return str_make(space, len);
}

static size_t fill(struct random *random, struct symbol_range *ranges, char (*space)[3][40])
{
	size_t count = 1 + random_below(random, MANY);
	uint64_t at = random_u64(random) >> (1 + random_below(random, 60));
	for (size_t i = 0; i < count; i++) {
		ranges[i].start = at + (random_below(random, 2) ? random_below(random, 5000) : 0);
		at = ranges[i].end = ranges[i].start + 1 + random_below(random, 100000);
		space[i][0][39] = 'n';
		ranges[i].name = text_from(random, space[i][0], 39);
		if (ranges[i].name.len == 0)
			ranges[i].name = str_make(&space[i][0][39], 1);
		ranges[i].system_name = text_from(random, space[i][1], 40);
		ranges[i].filename = text_from(random, space[i][2], 3);
	}
	return count;
}

static void need_same(const struct symbol_range *a, const struct symbol_range *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(a[i].start, b[i].start);
		assert_int_equal(a[i].end, b[i].end);
		assert_true(str_equal(a[i].name, b[i].name));
		assert_true(str_equal(a[i].system_name, b[i].system_name));
		assert_true(str_equal(a[i].filename, b[i].filename));
	}
}

static void runs_come_back_and_every_part_of_one_is_refused(void **state)
{
	(void)state;
	static struct symbol_range ranges[MANY], back[MANY];
	static char space[MANY][3][40];
	struct random random = {3};
	struct buf out = {0};
	for (unsigned round = 0; round < 60; round++) {
		size_t count = fill(&random, ranges, space), got = 0;
		struct err err;
		buf_clear(&out);
		symbols_run_put(&out, ranges, count);
		must(symbols_run_get(buf_text(&out), ranges[0].start, back, &got, &err), &err);
		assert_int_equal(got, count);
		need_same(ranges, back, count);
		for (size_t len = 0; len < out.len; len += 1 + random_below(&random, 40))
			assert_int_equal(symbols_run_get(str_make(out.ptr, len), ranges[0].start,
							 back, &got, &err),
					 ERR_CORRUPT);
		buf_char(&out, 0);
		assert_int_equal(symbols_run_get(buf_text(&out), ranges[0].start, back, &got, &err),
				 ERR_CORRUPT);
	}
	buf_deinit(&out);
}

static void changed_bytes_give_an_error_or_ranges_in_order(void **state)
{
	(void)state;
	static struct symbol_range ranges[MANY], back[MANY];
	static char space[MANY][3][40];
	struct random random = {5};
	struct buf out = {0};
	for (unsigned round = 0; round < 3000; round++) {
		size_t count = round % 50 ? 0 : fill(&random, ranges, space), got = 0;
		if (count) {
			buf_clear(&out);
			symbols_run_put(&out, ranges, count);
		}
		char *byte = &out.ptr[random_below(&random, (uint32_t)out.len)], kept = *byte;
		*byte = (char)random_u64(&random);
		if (symbols_run_get(buf_text(&out), ranges[0].start, back, &got, NULL) == 0)
			for (size_t i = 0; i < got; i++) {
				assert_true(back[i].start < back[i].end);
				assert_true(back[i].name.len > 0);
				assert_true(i == 0 || back[i].start >= back[i - 1].end);
			}
		*byte = kept;
	}
	buf_deinit(&out);
}

static void a_newer_version_is_refused_and_not_guessed(void **state)
{
	(void)state;
	struct symbol_range back[MANY];
	struct store_symbols record;
	struct err err;
	size_t count;
	assert_int_equal(symbols_run_get(STR("\x02\x01"), 0, back, &count, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "version 2"));
	assert_int_equal(symbols_record_get(STR("\x02"), &record, &err), ERR_UNSUPPORTED);
	assert_int_equal(symbols_record_get(STR("\x01\x7f"), &record, &err), ERR_CORRUPT);
}

static void ranges_that_wrap_around_or_are_empty_are_refused(void **state)
{
	(void)state;
	struct symbol_range back[MANY];
	struct err err;
	size_t count;
	struct symbol_range top = {UINT64_MAX - 16, UINT64_MAX, STR("top"), STR(""), STR("")};
	struct symbol_range empty = {5, 5, STR("empty"), STR(""), STR("")};
	struct buf out = {0};
	symbols_run_put(&out, &top, 1);
	must(symbols_run_get(buf_text(&out), top.start, back, &count, &err), &err);
	assert_int_equal(back[0].end, UINT64_MAX);
	assert_int_equal(symbols_run_get(buf_text(&out), top.start + 1, back, &count, &err),
			 ERR_CORRUPT);
	buf_clear(&out);
	symbols_run_put(&out, &empty, 1);
	assert_int_equal(symbols_run_get(buf_text(&out), 5, back, &count, &err), ERR_CORRUPT);
	buf_deinit(&out);
}

static void an_address_is_found_in_its_range_and_in_no_other(void **state)
{
	(void)state;
	const struct symbol_range ranges[] = {{.start = 10, .end = 20},
					      {.start = 20, .end = 21},
					      {.start = 30, .end = 40}};
	const int expected[] = {9, -1, 10, 0, 19, 0, 20, 1, 21, -1, 29, -1, 30, 2, 39, 2, 40, -1};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i += 2) {
		const struct symbol_range *found =
			symbols_run_find(ranges, 3, (uint64_t)expected[i]);
		assert_int_equal(found ? found - ranges : -1, expected[i + 1]);
	}
	assert_null(symbols_run_find(ranges, 0, 10));
}

/* ---- functions that overlap ---- */

struct flat {
	const struct store_symbol *first;
	uint64_t last_end;
	int owner[256];
	size_t visits;
};

static int note(void *context, uint64_t start, uint64_t end, const struct store_symbol *symbol,
		struct err *err)
{
	struct flat *flat = context;
	(void)err;
	assert_true(start < end);
	assert_true(start >= flat->last_end);
	flat->last_end = end;
	for (uint64_t a = start; a < end && a < 256; a++)
		flat->owner[a] = (int)(symbol - flat->first);
	flat->visits++;
	return 0;
}

static void flatten(const struct store_symbol *symbols, size_t count, struct flat *ret)
{
	struct err err;
	*ret = (struct flat){.first = symbols};
	memset(ret->owner, -1, sizeof(ret->owner));
	must(symbols_flatten(symbols, count, note, ret, &err), &err);
}

static void a_function_inside_another_owns_its_part_and_the_outer_one_goes_on(void **state)
{
	(void)state;
	struct flat flat;
	const struct store_symbol symbols[] = {
		{.start = 20, .size = 5}, {.start = 10, .size = 30}, {.start = 20, .size = 10},
		{.start = 50, .size = 0}, {.start = 60, .size = 0},
	};
	flatten(symbols, 5, &flat);
	assert_int_equal(flat.owner[9], -1);
	assert_int_equal(flat.owner[10], 1);
	assert_int_equal(flat.owner[19], 1);
	assert_int_equal(flat.owner[20], 0);
	assert_int_equal(flat.owner[24], 0);
	assert_int_equal(flat.owner[25], 2);
	assert_int_equal(flat.owner[29], 2);
	assert_int_equal(flat.owner[30], 1);
	assert_int_equal(flat.owner[39], 1);
	assert_int_equal(flat.owner[40], -1);
	assert_int_equal(flat.owner[50], 3);
	assert_int_equal(flat.owner[59], 3);
	assert_int_equal(flat.owner[60], 4);
	assert_int_equal(flat.last_end, 60 + 4096);
}

static uint64_t plain_end(const struct store_symbol *symbols, size_t count, size_t at)
{
	uint64_t next = UINT64_MAX, end;
	if (symbols[at].size)
		return __builtin_add_overflow(symbols[at].start, symbols[at].size, &end)
			       ? UINT64_MAX
			       : end;
	for (size_t i = 0; i < count; i++)
		if (symbols[i].start > symbols[at].start && symbols[i].start < next)
			next = symbols[i].start;
	return next == UINT64_MAX ? symbols[at].start + 4096 : next;
}

/* The rule itself, without a sweep. */
static int plain_owner(const struct store_symbol *symbols, size_t count, uint64_t address)
{
	int best = -1;
	for (size_t i = 0; i < count; i++)
		if (symbols[i].start <= address && address < plain_end(symbols, count, i) &&
		    (best < 0 || symbols[i].start > symbols[best].start))
			best = (int)i;
	return best;
}

static void ranges_of_any_functions_are_those_of_the_rule(void **state)
{
	(void)state;
	struct random random = {11};
	for (unsigned round = 0; round < 2000; round++) {
		struct store_symbol symbols[24];
		struct flat flat;
		size_t count = random_below(&random, 25);
		for (size_t i = 0; i < count; i++)
			symbols[i] =
				(struct store_symbol){.start = random_below(&random, 200),
						      .size = random_below(&random, 4)
								      ? random_below(&random, 60)
								      : 0};
		if (count && round % 10 == 0)
			symbols[0].size = UINT64_MAX;
		flatten(symbols, count, &flat);
		assert_true(flat.visits <= 2 * count);
		for (uint64_t a = 0; a < 256; a++)
			assert_int_equal(flat.owner[a], plain_owner(symbols, count, a));
	}
}

static void flattening_short_of_memory_says_so(void **state)
{
	(void)state;
	const struct store_symbol symbol = {.start = 1, .size = 1};
	struct flat flat = {.first = &symbol};
	struct err err;
	for (uint64_t nth = 1; nth <= 2; nth++) {
		mem_fail_nth(nth);
		assert_int_equal(symbols_flatten(&symbol, 1, note, &flat, &err), ERR_NOMEM);
	}
	mem_fail_nth(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_and_a_record_have_the_bytes_of_the_format_page),
		cmocka_unit_test(runs_come_back_and_every_part_of_one_is_refused),
		cmocka_unit_test(changed_bytes_give_an_error_or_ranges_in_order),
		cmocka_unit_test(a_newer_version_is_refused_and_not_guessed),
		cmocka_unit_test(ranges_that_wrap_around_or_are_empty_are_refused),
		cmocka_unit_test(an_address_is_found_in_its_range_and_in_no_other),
		cmocka_unit_test(a_function_inside_another_owns_its_part_and_the_outer_one_goes_on),
		cmocka_unit_test(ranges_of_any_functions_are_those_of_the_rule),
		cmocka_unit_test(flattening_short_of_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
