#include "samples.h"

#include "base/arena.h"
#include "elf/dwarf_message.h"
#include "elf/dwarf_path.h"
#include "elf/dwarf_range.h"

/* ---- messages ---- */

static void a_message_says_what_was_written(void **state)
{
	const struct dwarf_row rows[2] = {
		{STR("in"), STR("_Z2inv"), STR("/src/a.c"), 7, 3, 5},
		{STR(""), STR(""), STR(""), 0, 0, 0},
	};
	struct dwarf_row read[DWARF_ROWS_MAX];
	struct dwarf_answer answer;
	uint32_t index, count;
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	dwarf_answer_begin(&buf, 9);
	assert_true(dwarf_answer_add(&buf, 3, rows, 2));
	assert_true(dwarf_answer_add(&buf, 255, rows, 0));
	dwarf_answer_end(&buf, DWARF_ANSWER_LAST, 123);
	struct cur message = cur_make(buf.ptr, buf.len);
	assert_true(dwarf_answer_read(&message, &answer));
	assert_int_equal(answer.number, 9);
	assert_int_equal(answer.kind, DWARF_ANSWER_LAST);
	assert_int_equal(answer.cpu_ns, 123);
	assert_true(dwarf_answer_next(&message, &index, read, &count));
	assert_int_equal(index, 3);
	assert_int_equal(count, 2);
	assert_text(read[0].name, "in");
	assert_text(read[0].system_name, "_Z2inv");
	assert_text(read[0].file, "/src/a.c");
	assert_int_equal(read[0].line, 7);
	assert_int_equal(read[0].column, 3);
	assert_int_equal(read[0].start_line, 5);
	assert_text(read[1].name, "");
	assert_true(dwarf_answer_next(&message, &index, read, &count));
	assert_int_equal(index, 255);
	assert_int_equal(count, 0);
	assert_false(dwarf_answer_next(&message, &index, read, &count));
	assert_true(cur_ok(&message));
	buf_deinit(&buf);
}

/* Names of 4 KiB, 64 deep: more than a message holds. */
static void rows_that_do_not_fit_lose_those_in_the_middle(void **state)
{
	static char text[DWARF_TEXT_MAX];
	struct dwarf_row rows[DWARF_ROWS_MAX], read[DWARF_ROWS_MAX];
	struct dwarf_answer answer;
	uint32_t index, count;
	struct buf buf;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (uint32_t i = 0; i < DWARF_ROWS_MAX; i++) {
		struct str name = str_make(text, sizeof(text));
		rows[i] = (struct dwarf_row){name, name, name, i + 1, 0, 0};
	}
	buf_init(&buf, 0);
	dwarf_answer_begin(&buf, 1);
	assert_true(dwarf_answer_add(&buf, 0, rows, DWARF_ROWS_MAX));
	assert_false(dwarf_answer_add(&buf, 1, rows, DWARF_ROWS_MAX)); /* another message */
	dwarf_answer_end(&buf, DWARF_ANSWER_MORE, 0);
	assert_true(buf.len <= DWARF_MESSAGE_MAX);
	struct cur message = cur_make(buf.ptr, buf.len);
	assert_true(dwarf_answer_read(&message, &answer));
	assert_true(dwarf_answer_next(&message, &index, read, &count));
	assert_in_range(count, 3, DWARF_ROWS_MAX - 1);
	assert_int_equal(read[0].line, 1);
	assert_int_equal(read[1].line, 2);
	assert_int_equal(read[count - 1].line, DWARF_ROWS_MAX);
	assert_false(dwarf_answer_next(&message, &index, read, &count));
	assert_true(cur_ok(&message));
	buf_deinit(&buf);
}

static void texts_are_made_clean_and_taken_only_clean(void **state)
{
	const struct dwarf_row row = {STR("a\n\xff"), STR("b"), STR(""), 1, 1, 1};
	struct dwarf_row read[DWARF_ROWS_MAX];
	struct dwarf_answer answer;
	uint32_t index, count;
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	dwarf_answer_begin(&buf, 1);
	assert_true(dwarf_answer_add(&buf, 0, &row, 1));
	dwarf_answer_end(&buf, DWARF_ANSWER_LAST, 0);
	struct cur message = cur_make(buf.ptr, buf.len);
	assert_true(dwarf_answer_read(&message, &answer));
	assert_true(dwarf_answer_next(&message, &index, read, &count));
	assert_text(read[0].name, "a??");
	((char *)memchr(buf.ptr, 'a', buf.len))[0] = '\n';
	message = cur_make(buf.ptr, buf.len);
	assert_true(dwarf_answer_read(&message, &answer));
	assert_false(dwarf_answer_next(&message, &index, read, &count));
	assert_false(cur_ok(&message));
	buf_deinit(&buf);
}

static void a_message_that_is_cut_is_broken(void **state)
{
	const struct dwarf_row row = {STR("name"), STR("name"), STR("file"), 1, 1, 1};
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	dwarf_answer_begin(&buf, 1);
	assert_true(dwarf_answer_add(&buf, 0, &row, 1));
	dwarf_answer_end(&buf, DWARF_ANSWER_LAST, 0);
	for (size_t len = 0; len < buf.len; len++) {
		struct dwarf_row read[DWARF_ROWS_MAX];
		struct dwarf_answer answer;
		uint32_t index, count;
		struct cur message = cur_make(buf.ptr, len);
		bool head = dwarf_answer_read(&message, &answer);
		while (head && dwarf_answer_next(&message, &index, read, &count))
			;
		/* After the head is a whole message, without addresses. */
		assert_int_equal(cur_ok(&message), len == 16);
	}
	buf_deinit(&buf);
}

/* ---- paths ---- */

static void paths_are_whole_and_without_detours(void **state)
{
	static const struct {
		const char *dir, *path, *clean;
	} cases[] = {
		{NULL, "/src/a.c", "/src/a.c"},
		{"/build", "a.c", "/build/a.c"},
		{"/src/build", "../lib/./a.c", "/src/lib/a.c"},
		{"/src/build/", "..//a.c", "/src/a.c"},
		{"/src", "/usr/include/../a.h", "/usr/a.h"},
		{NULL, "../a.c", "../a.c"},
		{NULL, "x/../../a.c", "../a.c"},
		{"/", "../../a.c", "/a.c"},
		{"", "a.c", "a.c"},
		{"/src", "", ""},
		{"/src", NULL, ""},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_text(dwarf_path_clean(&arena, cases[i].dir, cases[i].path), cases[i].clean);
	arena_deinit(&arena);
}

/* ---- ranges ---- */

static void the_narrowest_range_around_an_address_is_found(void **state)
{
	struct dwarf_ranges ranges = {0};

	(void)state;
	assert_null(dwarf_ranges_find(&ranges, 5));
	assert_int_equal(dwarf_ranges_add(&ranges, 100, 200, 1, NULL), 0);
	assert_int_equal(dwarf_ranges_add(&ranges, 120, 130, 2, NULL), 0);
	assert_int_equal(dwarf_ranges_add(&ranges, 120, 125, 3, NULL), 0);
	assert_int_equal(dwarf_ranges_add(&ranges, 10, 20, 4, NULL), 0);
	assert_int_equal(dwarf_ranges_add(&ranges, 0, 1000, 5, NULL),
			 0); /* taken out by the linker */
	assert_int_equal(dwarf_ranges_add(&ranges, 50, 50, 6, NULL), 0); /* empty */
	assert_int_equal(dwarf_ranges_find(&ranges, 124)->item, 3);
	assert_int_equal(dwarf_ranges_find(&ranges, 125)->item, 2);
	assert_int_equal(dwarf_ranges_find(&ranges, 130)->item, 1);
	assert_int_equal(dwarf_ranges_find(&ranges, 100)->item, 1);
	assert_int_equal(dwarf_ranges_find(&ranges, 19)->item, 4);
	assert_null(dwarf_ranges_find(&ranges, 20));
	assert_null(dwarf_ranges_find(&ranges, 50));
	assert_null(dwarf_ranges_find(&ranges, 200));
	dwarf_ranges_deinit(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_says_what_was_written),
		cmocka_unit_test(rows_that_do_not_fit_lose_those_in_the_middle),
		cmocka_unit_test(texts_are_made_clean_and_taken_only_clean),
		cmocka_unit_test(a_message_that_is_cut_is_broken),
		cmocka_unit_test(paths_are_whole_and_without_detours),
		cmocka_unit_test(the_narrowest_range_around_an_address_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
