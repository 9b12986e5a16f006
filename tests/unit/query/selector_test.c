#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "query/query.h"

static void assert_str(struct str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.ptr, want, got.len);
}

static const struct good {
	const char *text;
	size_t count;
	struct {
		enum match_op op;
		const char *name, *value;
	} matchers[3];
} good[] = {
	{"", 0, {{0}}},
	{" \n", 0, {{0}}},
	{"{}", 0, {{0}}},
	{" { } ", 0, {{0}}},
	{"{service_name=\"x\"}", 1, {{MATCH_EQUAL, "service_name", "x"}}},
	{"{a=\"\"}", 1, {{MATCH_EQUAL, "a", ""}}},
	{"{ a = \"1\" , b != \"2\", c=~\"3.*\" ,}",
	 3,
	 {{MATCH_EQUAL, "a", "1"}, {MATCH_NOT_EQUAL, "b", "2"}, {MATCH_REGEX, "c", "3.*"}}},
	{"{a!~`\\d+`}", 1, {{MATCH_NOT_REGEX, "a", "\\d+"}}},
	{"{\"process.pid\"=\"1\"}", 1, {{MATCH_EQUAL, "process.pid", "1"}}},
	{"{process.pid=\"1\"}", 1, {{MATCH_EQUAL, "process.pid", "1"}}},
	{"{'k8s.pod/x y'='z'}", 1, {{MATCH_EQUAL, "k8s.pod/x y", "z"}}},
	{"{\"\\u00fc\"=\"\\U0001F525\\x41\\101\\t\\\\\\\"'\"}",
	 1,
	 {{MATCH_EQUAL, "\xc3\xbc",
	   "\xf0\x9f\x94\xa5"
	   "AA\t\\\"'"}}},
	{"{a='it\\'s \"q\"'}", 1, {{MATCH_EQUAL, "a", "it's \"q\""}}},
	{"up", 1, {{MATCH_EQUAL, "__name__", "up"}}},
	{"process_cpu{a=\"b\"}",
	 2,
	 {{MATCH_EQUAL, "__name__", "process_cpu"}, {MATCH_EQUAL, "a", "b"}}},
	{"{\"up\",a=\"b\"}", 2, {{MATCH_EQUAL, "__name__", "up"}, {MATCH_EQUAL, "a", "b"}}},
};

static void selectors_become_matchers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct arena arena;
		struct query_selector got;
		struct err err = {0};
		arena_init(&arena, 0);
		if (query_parse_selector(&arena, str_of(good[i].text), &got, &err))
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(got.count, good[i].count);
		for (size_t k = 0; k < got.count; k++) {
			assert_int_equal(got.matchers[k].op, good[i].matchers[k].op);
			assert_str(got.matchers[k].name, good[i].matchers[k].name);
			assert_str(got.matchers[k].value, good[i].matchers[k].value);
		}
		arena_deinit(&arena);
	}
}

static void wrong_selectors_are_refused_with_the_place(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"{", "selector, character 2: expected a label name or \"}\", but the text ends"},
		{"{a}", "selector, character 3: expected one of = != =~ !~, not \"}\""},
		{"{a=}", "selector, character 4: expected a string in quotes, not \"}\""},
		{"{a=b}", "selector, character 4: expected a string in quotes, not \"b\""},
		{"{a==\"b\"}", "selector, character 4: expected a string in quotes, not \"=\""},
		{"{a=\"b\"", "selector, character 7: expected \",\" or \"}\", but the text ends"},
		{"{a=\"b\" c=\"d\"}", "selector, character 8: expected \",\" or \"}\", not \"c\""},
		{"{,}", "selector, character 2: expected a label name or \"}\", not \",\""},
		{"{a=\"b}", "selector, character 4: a string that is not closed"},
		{"{a=\"b\n\"}", "selector, character 4: a string that is not closed"},
		{"{a=\"\\q\"}", "selector, character 5: not an escape that a string may have"},
		{"{a=\"\\'\"}", "selector, character 5: not an escape that a string may have"},
		{"{a=\"\\ud800\"}", "selector, character 5: not an escape that a string may have"},
		{"{a=\"\\400\"}", "selector, character 5: not an escape that a string may have"},
		{"{a=\"\\x4\"}", "selector, character 5: not an escape that a string may have"},
		{"{a=\"\\", "selector, character 5: not an escape that a string may have"},
		{"{\"\"=\"b\"}", "selector, character 2: a label name must be text and not empty"},
		{"{\"\\xff\"=\"b\"}",
		 "selector, character 2: a label name must be text and not empty"},
		{"{} x", "selector, character 4: expected the end, not \"x\""},
		{"=\"a\"", "selector, character 1: expected \"{\", not \"=\""},
		{"{1a=\"b\"}", "selector, character 2: expected a label name or \"}\", not \"1\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena;
		struct query_selector got;
		struct err err = {0};
		arena_init(&arena, 0);
		assert_int_equal(query_parse_selector(&arena, str_of(rows[i].text), &got, &err),
				 ERR_INVALID);
		assert_string_equal(err.text, rows[i].why);
		arena_deinit(&arena);
	}
}

static void a_selector_has_limits(void **state)
{
	struct arena arena;
	struct buf text;
	struct query_selector got;
	struct err err = {0};

	(void)state;
	arena_init(&arena, 0);
	buf_init(&text, 0);
	buf_char(&text, '{');
	for (int i = 0; i <= QUERY_MATCHERS_MAX; i++)
		buf_cstr(&text, "a=\"b\",");
	buf_char(&text, '}');
	assert_int_equal(query_parse_selector(&arena, buf_text(&text), &got, &err), ERR_LIMIT);
	while (text.len <= QUERY_SELECTOR_MAX_BYTES)
		buf_char(&text, ' ');
	assert_int_equal(query_parse_selector(&arena, buf_text(&text), &got, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "longer"));
	buf_deinit(&text);
	arena_deinit(&arena);
}

static void a_selector_survives_every_failed_allocation(void **state)
{
	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct arena arena;
		struct query_selector got;
		struct err err = {0};
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		int rc = query_parse_selector(&arena, STR("{a=\"b\",\"c\"=~'d'}"), &got, &err);
		mem_fail_nth(0);
		arena_deinit(&arena);
		if (rc == 0)
			break;
		assert_int_equal(rc, ERR_NOMEM);
		assert_true(nth < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_become_matchers),
		cmocka_unit_test(wrong_selectors_are_refused_with_the_place),
		cmocka_unit_test(a_selector_has_limits),
		cmocka_unit_test(a_selector_survives_every_failed_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
