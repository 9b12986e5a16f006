/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/query_read.h"

enum { NOW_S = 1732300000 };

static void times_are_seconds_or_relative(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{"now", NOW_S},
		{"-15m", NOW_S - 900},
		{"now-15m", NOW_S - 900},
		{"-30s", NOW_S - 30},
		{"-24h", NOW_S - 86400},
		{"-7d", NOW_S - 604800},
		{"1700000000", 1700000000},
		{"0", 0},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ms = -1;
		assert_int_equal(query_parse_time("from", good[i].text, NOW_S * 1000ULL, &ms, NULL),
				 0);
		assert_int_equal(ms, good[i].seconds * 1000);
	}
}

static void what_is_no_time_is_refused_by_name(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "yesterday",
					  "-",
					  "-m",
					  "-15",
					  "-15y",
					  "15m",
					  "now+1",
					  "now-",
					  "--5m",
					  "1.5",
					  "-99999999999999999999d",
					  "99999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 0;
		struct err err = {0};
		assert_int_equal(query_parse_time("until", bad[i], NOW_S * 1000ULL, &ms, &err),
				 ERR_INVALID);
		assert_non_null(strstr(err.text, "--until="));
	}
}

static void a_service_name_is_quoted(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(
		str_equal(query_service_selector(&arena, "web"), STR("{service_name=\"web\"}")));
	assert_true(str_equal(query_service_selector(&arena, "a\"b\\c"),
			      STR("{service_name=\"a\\\"b\\\\c\"}")));
	assert_true(str_equal(query_service_selector(&arena, ""), STR("{service_name=\"\"}")));
	arena_deinit(&arena);
}

static void read_text(const char *text, struct arena *arena, struct query_flame *flame, int want)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_int_equal(query_read_flame(json, arena, flame, NULL), want);
	json_decref(json);
}

static void numbers_of_a_flame_graph_are_text_or_numbers(void **state)
{
	(void)state;
	struct arena arena;
	struct query_flame flame;
	arena_init(&arena, 0);
	read_text("{\"names\":[\"total\",\"a\"],\"levels\":[{\"values\":[\"0\",\"12\",0,0]},"
		  "{\"values\":[0,9223372036854775807,\"5\",\"1\"]}],\"total\":\"12\"}",
		  &arena, &flame, 0);
	assert_int_equal(flame.total, 12);
	assert_int_equal(flame.name_count, 2);
	assert_int_equal(flame.level_count, 2);
	assert_int_equal(flame.levels[0].count, 4);
	assert_int_equal(flame.levels[0].values[1], 12);
	assert_int_equal(flame.levels[1].values[1], INT64_MAX);
	assert_int_equal(flame.levels[1].values[3], 1);
	arena_deinit(&arena);
}

/* The answer may come from anything that listens there. */
static void strange_answers_are_read_without_harm(void **state)
{
	(void)state;
	static const char *const strange[] = {
		"null",
		"[]",
		"5",
		"{}",
		"{\"names\":5,\"levels\":{\"a\":1},\"total\":[]}",
		"{\"names\":[5,null],\"levels\":[5,{\"values\":7},{\"values\":[null,{},\"x\"]}]}",
		"{\"names\":[\"total\"],\"levels\":[{\"values\":[1]}],\"total\":1}",
		"{\"names\":[\"total\"],\"levels\":[{\"values\":[0,1,0,77]}],\"total\":1}",
		"{\"names\":[],\"levels\":[{\"values\":[0,-1,0,-1]}],\"total\":-1}",
	};
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		struct arena arena;
		struct query_flame flame;
		struct query_tree tree;
		arena_init(&arena, 0);
		read_text(strange[i], &arena, &flame, 0);
		if (flame.total)
			assert_int_not_equal(query_flame_decode(&arena, &flame, &tree, NULL), 0);
		arena_deinit(&arena);
	}
}

static void without_memory_it_says_so(void **state)
{
	(void)state;
	struct arena arena;
	struct query_flame flame;
	json_t *json = json_loads("{\"names\":[\"total\"],\"levels\":[{\"values\":[0]}]}", 0, NULL);
	arena_init(&arena, 0);
	mem_fail_nth(1);
	assert_int_equal(query_read_flame(json, &arena, &flame, NULL), ERR_NOMEM);
	mem_fail_nth(0);
	arena_deinit(&arena);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_seconds_or_relative),
		cmocka_unit_test(what_is_no_time_is_refused_by_name),
		cmocka_unit_test(a_service_name_is_quoted),
		cmocka_unit_test(numbers_of_a_flame_graph_are_text_or_numbers),
		cmocka_unit_test(strange_answers_are_read_without_harm),
		cmocka_unit_test(without_memory_it_says_so),
	};
	return cmocka_run_group_tests_name("cli/query_read", tests, NULL, NULL);
}
