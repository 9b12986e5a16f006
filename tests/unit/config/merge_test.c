#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"

static struct arena arena;
static struct err err;

static int drop_arena(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static struct config_node *parse(const char *text)
{
	struct config_node *root = NULL;

	assert_int_equal(config_parse(&arena, "f.yaml", str_of(text), &root, &err), 0);
	return root;
}

static void assert_prints(const struct config_node *root, const char *want)
{
	struct buf out = {0};

	config_print(root, false, &out);
	buf_char(&out, '\0');
	assert_string_equal(out.ptr, want);
	buf_deinit(&out);
}

static void keys_with_colons_become_maps(void **state)
{
	struct config_node *root = parse("a::b: 1\na::c::d: 2\nx: {y::z: 3}\na: {e: 4}\n");

	(void)state;
	assert_int_equal(config_split_keys(&arena, root, &err), 0);
	assert_prints(root, "a:\n  b: 1\n  c:\n    d: 2\n  e: 4\nx:\n  y:\n    z: 3\n");
}

static void colliding_keys_are_refused_with_both_lines(void **state)
{
	(void)state;
	assert_int_equal(config_split_keys(&arena, parse("a: 1\na::b: 2\n"), &err), ERR_INVALID);
	assert_string_equal(err.text, "f.yaml:2: key \"a::b\" collides with \"a\" at line 1");
	assert_int_equal(config_split_keys(&arena, parse("a: {b: 1}\na::b: 2\n"), &err),
			 ERR_INVALID);
	assert_string_equal(err.text, "f.yaml:2: key \"a::b\" is given twice (line 1)");
}

static void maps_merge_lists_and_scalars_are_replaced_null_erases(void **state)
{
	struct config_node *base = parse("m: {a: 1, b: 2}\nl: [1, 2]\ns: x\ne: {k: 1}\n");
	struct config_node *over = parse("m: {b: 3, c: 4}\nl: [9]\ns: y\ne: null\nn: new\n");

	(void)state;
	assert_int_equal(config_merge(&arena, &base, over, &err), 0);
	assert_prints(base, "m:\n  a: 1\n  b: 3\n  c: 4\nl:\n  - 9\ns: y\ne: null\nn: new\n");
	assert_int_equal(config_merge(&arena, &base, parse(""), &err), 0);
	assert_int_equal(config_merge(&arena, &base, NULL, &err), 0);
	assert_int_equal(base->count, 5);
	base = NULL;
	assert_int_equal(config_merge(&arena, &base, over, &err), 0);
	assert_ptr_equal(base, over);
}

static void set_puts_yaml_at_a_path(void **state)
{
	struct config_node *base = parse("a: {b: 1, c: 2}\n");

	(void)state;
	assert_int_equal(config_set(&arena, &base, "a.b=[x, y]", &err), 0);
	assert_int_equal(config_set(&arena, &base, "new.deep=k=v", &err), 0);
	assert_int_equal(config_set(&arena, &base, "a.c=", &err), 0);
	assert_prints(base, "a:\n  b:\n    - x\n    - y\n  c: null\nnew:\n  deep: \"k=v\"\n");
	assert_int_equal(config_set(&arena, &base, "nothing", &err), ERR_INVALID);
	assert_string_equal(err.text, "--set=nothing: missing equal sign");
	assert_int_equal(config_set(&arena, &base, "a..b=1", &err), ERR_INVALID);
	assert_int_equal(config_set(&arena, &base, "a=[", &err), ERR_INVALID);
}

static void what_is_printed_reads_back_the_same(void **state)
{
	struct config_node *root = parse("a: 'null'\nb: \"x: y\\n\\t#\"\nc: []\nk4: {}\n"
					 "e: '007'\nf: 007\ng: [[1, {h: 2}], ~]\n'a b': \xc3\xa9\n"
					 "\"\\x9e\\uFEFF\": \"\\u2028\\ufffe\"\n");
	struct buf first = {0}, second = {0};

	(void)state;
	config_print(root, false, &first);
	struct config_node *again;
	assert_int_equal(config_parse(&arena, "p", buf_text(&first), &again, &err), 0);
	config_print(again, false, &second);
	assert_true(str_equal(buf_text(&first), buf_text(&second)));
	assert_string_equal(config_get(again, "b")->text.ptr, "x: y\n\t#");
	assert_true(config_get(again, "e")->quoted);
	assert_false(config_get(again, "f")->quoted);
	assert_int_equal(config_get(again, "a")->kind, CONFIG_SCALAR);
	buf_deinit(&first);
	buf_deinit(&second);
}

static void secrets_are_not_printed(void **state)
{
	struct buf out = {0};
	struct config_node *root = parse("headers: {X: s3cr3t}\npassword: s3cr3t\n"
					 "tls: {key_pem: s3cr3t, key_file: shown}\n"
					 "Auth_Token: [s3cr3t]\nuser: shown\n");

	(void)state;
	config_print(root, true, &out);
	assert_true(str_find(buf_text(&out), STR("s3cr3t")) < 0);
	assert_true(str_find(buf_text(&out), STR("key_file: shown")) > 0);
	assert_true(str_find(buf_text(&out), STR("X: \"[REDACTED]\"")) > 0);
	buf_clear(&out);
	config_print(root, false, &out);
	assert_true(str_find(buf_text(&out), STR("s3cr3t")) > 0);
	buf_deinit(&out);
}

/* Everything that takes memory here; returns the first error. */
static int scenario(void)
{
	struct config_node *base = NULL, *over = NULL;
	int code = config_parse(&arena, "f", STR("a: {b: 1}\nx::y: 2\n"), &base, &err);

	if (!code)
		code = config_parse(&arena, "f", STR("a: {c: 1}\nz: 2\n"), &over, &err);
	if (!code)
		code = config_split_keys(&arena, base, &err);
	if (!code)
		code = config_merge(&arena, &base, over, &err);
	if (!code)
		code = config_set(&arena, &base, "q.r::s=1", &err);
	return code;
}

static void each_shortage_of_memory_is_an_error(void **state)
{
	bool worked = false;

	(void)state;
	for (size_t limit = 64; limit < 32 * 1024; limit += 48) {
		arena_init(&arena, limit);
		int code = scenario();
		assert_true(code == ERR_NOMEM || code == 0);
		worked = worked || code == 0;
		arena_deinit(&arena);
	}
	arena_init(&arena, 0);
	assert_true(worked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(keys_with_colons_become_maps, drop_arena),
		cmocka_unit_test_teardown(colliding_keys_are_refused_with_both_lines, drop_arena),
		cmocka_unit_test_teardown(maps_merge_lists_and_scalars_are_replaced_null_erases,
					  drop_arena),
		cmocka_unit_test_teardown(set_puts_yaml_at_a_path, drop_arena),
		cmocka_unit_test_teardown(what_is_printed_reads_back_the_same, drop_arena),
		cmocka_unit_test_teardown(secrets_are_not_printed, drop_arena),
		cmocka_unit_test_teardown(each_shortage_of_memory_is_an_error, drop_arena),
	};

	return cmocka_run_group_tests_name("config/merge", tests, NULL, NULL);
}
