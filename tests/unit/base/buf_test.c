#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void assert_text(const struct buf *buf, const char *want)
{
	assert_int_equal(buf->len, strlen(want));
	assert_memory_equal(buf_text(buf).ptr, want, buf->len);
}

static void appends_add_up(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_text(&buf, "");
	buf_str(&buf, STR("one "));
	buf_cstr(&buf, "two ");
	buf_char(&buf, '3');
	buf_printf(&buf, " %s-%d", "four", 5);
	buf_append(&buf, NULL, 0);
	assert_text(&buf, "one two 3 four-5");
	assert_int_equal(buf_check(&buf, "text", NULL), 0);
	buf_clear(&buf);
	assert_text(&buf, "");
	buf_deinit(&buf);
	buf_deinit(&buf);
}

static void room_asked_for_is_there(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_true(buf_reserve(&buf, 1000));
	memset(buf.ptr, 'x', 1000);
	buf.len = 1000;
	char *before = buf.ptr;
	assert_true(buf_reserve(&buf, 0));
	assert_ptr_equal(buf.ptr, before);
	buf_deinit(&buf);
}

/* vsnprintf writes a NUL behind the text: that byte must be the buffer's own. */
static void a_text_that_ends_at_the_capacity_has_room_for_its_nul(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_char(&buf, 'a');
	size_t cap = buf.cap;
	buf_printf(&buf, "%*s", (int)(cap - 1), "b");
	assert_int_equal(buf.len, cap);
	assert_true(buf.cap > buf.len);
	buf_deinit(&buf);
}

static void the_limit_itself_fits_and_one_more_does_not(void **state)
{
	struct buf buf;
	struct err err = {0};

	(void)state;
	buf_init(&buf, 10);
	buf_printf(&buf, "%s", "0123456789");
	assert_text(&buf, "0123456789");
	assert_int_equal(buf_check(&buf, "text", &err), 0);
	buf_char(&buf, 'x');
	assert_int_equal(buf_check(&buf, "the answer", &err), ERR_LIMIT);
	assert_string_equal(err.text, "the answer: larger than 10 bytes");
	buf_deinit(&buf);
}

static void after_a_failure_nothing_is_added_until_cleared(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	buf_cstr(&buf, "abcdef");
	buf_cstr(&buf, "a");
	assert_text(&buf, "");
	assert_false(buf_reserve(&buf, 1));
	buf_clear(&buf);
	buf_cstr(&buf, "abcd");
	assert_text(&buf, "abcd");
	buf_deinit(&buf);
}

static void a_length_past_all_memory_is_refused(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_char(&buf, 'a');
	assert_false(buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(buf.failed, ERR_LIMIT);
	assert_text(&buf, "a");
	buf_deinit(&buf);
}

/* Several growths; each of them fails once. */
static void fill(struct buf *buf)
{
	for (int i = 0; i < 200; i++)
		buf_printf(buf, "%d,", i);
}

static void every_shortage_of_memory_is_told_at_the_end(void **state)
{
	struct buf buf = {0};
	struct err err = {0};

	(void)state;
	mem_fail_nth(0);
	fill(&buf);
	uint64_t requests = mem_fail_nth(0);
	assert_true(requests > 3);
	buf_deinit(&buf);
	for (uint64_t n = 1; n <= requests; n++) {
		mem_fail_nth(n);
		fill(&buf);
		mem_fail_nth(0);
		assert_int_equal(buf_check(&buf, "numbers", &err), ERR_NOMEM);
		assert_string_equal(err.text, "numbers: no memory");
		buf_deinit(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_add_up),
		cmocka_unit_test(room_asked_for_is_there),
		cmocka_unit_test(a_text_that_ends_at_the_capacity_has_room_for_its_nul),
		cmocka_unit_test(the_limit_itself_fits_and_one_more_does_not),
		cmocka_unit_test(after_a_failure_nothing_is_added_until_cleared),
		cmocka_unit_test(a_length_past_all_memory_is_refused),
		cmocka_unit_test(every_shortage_of_memory_is_told_at_the_end),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
