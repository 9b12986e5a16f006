/* multipart/form-data as browsers, curl and SDKs write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "server/ingest_form.h"

static struct form form;
static struct err err;

static int parse(const char *content_type, const char *body)
{
	return form_parse(str_of(content_type), str_of(body), &form, &err);
}

static void parts_are_views_by_name(void **state)
{
	(void)state;
	assert_int_equal(
		parse("multipart/form-data; boundary=b",
		      "--b\r\nContent-Disposition: form-data; name=\"one\"; filename=\"x\"\r\n"
		      "Content-Type: text/plain\r\n\r\nfirst\r\nline\r\n"
		      "--b\r\ncontent-disposition:form-data;name=two\r\n\r\n\r\n--b--\r\n"),
		0);
	assert_int_equal(form.count, 2);
	assert_true(str_equal(form_get(&form, STR("one")), STR("first\r\nline")));
	assert_true(str_equal(form_get(&form, STR("two")), STR("")));
	assert_non_null(form_get(&form, STR("two")).ptr);
	assert_null(form_get(&form, STR("three")).ptr);
}

static void a_preamble_and_quotes_mean_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"",
			       "hello\r\n--a b\r\nContent-Disposition: form-data; "
			       "name=x\r\n\r\n1\r\n"
			       "--a b--\r\nbye"),
			 0);
	assert_true(str_equal(form_get(&form, STR("x")), STR("1")));
}

static void only_forms_are_forms(void **state)
{
	(void)state;
	assert_true(form_is(STR("multipart/form-data; boundary=b")));
	assert_true(form_is(STR("Multipart/Form-Data")));
	assert_false(form_is(STR("multipart/mixed; boundary=b")));
	assert_false(form_is(STR("")));
	assert_false(form_is((struct str){NULL, 0}));
}

static void what_is_no_form_is_refused(void **state)
{
	static const struct {
		const char *content_type, *body;
	} rows[] = {
		{"multipart/form-data", "--b\r\n"},
		{"multipart/form-data; boundary=", "--b\r\n"},
		{"multipart/form-data; boundary=b", ""},
		{"multipart/form-data; boundary=b", "--b"},
		{"multipart/form-data; boundary=b", "--b\r\n"},
		{"multipart/form-data; boundary=b", "--c\r\n\r\n\r\n--c--"},
		{"multipart/form-data; boundary=b", "--b\r\nA: b\r\n--b--"},
		{"multipart/form-data; boundary=b", "--b\r\n\r\nno name\r\n--b--"},
		{"multipart/form-data; boundary=b",
		 "--b\r\nContent-Disposition: form-data; name=x\r\n\r\ncut"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(parse(rows[i].content_type, rows[i].body), ERR_INVALID);
}

static void parts_have_a_limit(void **state)
{
	struct buf body;

	(void)state;
	buf_init(&body, 0);
	for (int i = 0; i <= FORM_PARTS_MAX; i++)
		buf_printf(&body, "--b\r\nContent-Disposition: form-data; name=n%d\r\n\r\n\r\n", i);
	buf_cstr(&body, "--b--");
	assert_int_equal(form_parse(STR("multipart/form-data; boundary=b"), buf_text(&body), &form,
				    &err),
			 ERR_LIMIT);
	buf_deinit(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_views_by_name),
		cmocka_unit_test(a_preamble_and_quotes_mean_nothing),
		cmocka_unit_test(only_forms_are_forms),
		cmocka_unit_test(what_is_no_form_is_refused),
		cmocka_unit_test(parts_have_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
