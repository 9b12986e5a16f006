#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void a_code_and_a_sentence_are_kept(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, ERR_LIMIT, "table %s: full at %d", "x", 7), ERR_LIMIT);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.text, "table x: full at 7");
}

static void a_null_err_drops_the_sentence_and_keeps_the_code(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "nobody reads this"), ERR_BUSY);
	assert_int_equal(err_set_errno(NULL, ENOENT, "nor this"), ERR_NOT_FOUND);
	assert_true(err_wrap(NULL, "nor this") < 0);
}

static void wrapping_puts_the_callers_doing_in_front(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ERR_CORRUPT, "bad checksum at %d", 4096);
	assert_int_equal(err_wrap(&err, "block %06d", 123), ERR_CORRUPT);
	assert_int_equal(err_wrap(&err, "opening store %s", "/x"), ERR_CORRUPT);
	assert_string_equal(err.text, "opening store /x: block 000123: bad checksum at 4096");
}

static void the_old_sentence_may_be_an_argument(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ERR_IO, "the disk is gone");
	err_set(&err, ERR_BUSY, "later, since %s", err.text);
	assert_string_equal(err.text, "later, since the disk is gone");
	err_wrap(&err, "again %s", err.text);
	assert_string_equal(err.text,
			    "again later, since the disk is gone: later, since the disk is gone");
}

static void an_errno_chooses_the_code_and_ends_the_sentence(void **state)
{
	static const struct {
		int errno_value, code;
	} cases[] = {
		{ENOENT, ERR_NOT_FOUND},  {EEXIST, ERR_EXISTS}, {EACCES, ERR_DENIED},
		{EPERM, ERR_DENIED},	  {ENOMEM, ERR_NOMEM},	{ENOSPC, ERR_LIMIT},
		{EDQUOT, ERR_LIMIT},	  {EAGAIN, ERR_BUSY},	{EBUSY, ERR_BUSY},
		{ETIMEDOUT, ERR_TIMEOUT}, {EIO, ERR_IO},	{ECONNREFUSED, ERR_IO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		assert_int_equal(err_set_errno(&err, cases[i].errno_value, "x"), cases[i].code);
		assert_int_equal(err.code, cases[i].code);
	}
	struct err err = {0};
	err_set_errno(&err, ENOENT, "opening %s", "/y");
	assert_string_equal(err.text, "opening /y: No such file or directory");
}

static void a_sentence_too_long_is_cut_and_terminated(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, "in %s", "front");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "in front: aaa", 13);
	err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

static void every_code_has_its_own_row(void **state)
{
	(void)state;
	for (int code = ERR_PRECONDITION; code <= ERR_OK; code++)
		assert_int_equal(err_info(code)->code, code);
	assert_int_equal(err_info(ERR_INVALID)->grpc_status, 3);
	assert_int_equal(err_info(ERR_INVALID)->http_status, 400);
	assert_string_equal(err_info(ERR_UNAUTHENTICATED)->connect_code, "unauthenticated");
	assert_int_equal(err_info(ERR_OK)->http_status, 200);
}

static void an_unknown_code_is_our_own_mistake(void **state)
{
	(void)state;
	assert_int_equal(err_info(17)->code, ERR_INTERNAL);
	assert_int_equal(err_info(-1000)->code, ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_and_a_sentence_are_kept),
		cmocka_unit_test(a_null_err_drops_the_sentence_and_keeps_the_code),
		cmocka_unit_test(wrapping_puts_the_callers_doing_in_front),
		cmocka_unit_test(the_old_sentence_may_be_an_argument),
		cmocka_unit_test(an_errno_chooses_the_code_and_ends_the_sentence),
		cmocka_unit_test(a_sentence_too_long_is_cut_and_terminated),
		cmocka_unit_test(every_code_has_its_own_row),
		cmocka_unit_test(an_unknown_code_is_our_own_mistake),
	};

	return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
