#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/api.h"

static void dots_become_underscores_for_old_clients(void **state)
{
	static const struct {
		const char *name, *alias; /* NULL: hidden */
	} rows[] = {
		{"service_name", "service_name"},
		{"__profile_type__", "__profile_type__"},
		{"process.pid", "process_pid"},
		{"k8s.pod.name", "k8s_pod_name"},
		{"k8s.pod/x", NULL},
		{"a-b", NULL},
		{"1a", NULL},
		{".a", "_a"},
		{"\xc3\xbc", NULL},
		{"", NULL},
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str alias = api_legacy_name(&arena, str_of(rows[i].name));
		if (!rows[i].alias)
			assert_null(alias.ptr);
		else
			assert_true(str_equal(alias, str_of(rows[i].alias)));
	}
	arena_deinit(&arena);
}

static void the_accept_header_says_who_is_new(void **state)
{
	static const struct {
		const char *value;
		bool wanted;
	} rows[] = {
		{"*/*", false},
		{"application/json", false},
		{"*/*; allow-utf8-labelnames=true", true},
		{"application/json;q=0.9;Allow-UTF8-LabelNames=true", true},
		{"text/html, application/json; allow-utf8-labelnames=true", true},
		{"*/*; allow-utf8-labelnames=false", false},
		{"allow-utf8-labelnames=true", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_header headers[] = {{STR("accept-encoding"), STR("gzip")},
					       {STR("accept"), str_of(rows[i].value)}};
		struct net_request request = {.headers = headers, .header_count = 2};
		assert_int_equal(api_accepts_utf8_names(&request), rows[i].wanted);
	}
}

static void what_is_not_utf8_is_repaired(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_string_equal(api_text(&arena, STR("")), "");
	assert_string_equal(api_text(&arena, (struct str){NULL, 0}), "");
	assert_string_equal(api_text(&arena, STR("a\xc3\xbc")), "a\xc3\xbc");
	assert_string_equal(api_text(&arena, STR("\xff"
						 "a\xc3")),
			    "\xef\xbf\xbd"
			    "a\xef\xbf\xbd");
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_become_underscores_for_old_clients),
		cmocka_unit_test(the_accept_header_says_who_is_new),
		cmocka_unit_test(what_is_not_utf8_is_repaired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
