#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

	if (config_parse(&arena, "f.yaml", str_of(text), &root, &err))
		return NULL;
	return root;
}

static void every_node_knows_its_place(void **state)
{
	struct config_node *root = parse("a:\n  b: [x, 'y']\n  c: ~\n");

	(void)state;
	assert_int_equal(root->kind, CONFIG_MAP);
	const struct config_node *list = config_get_path(root, "a::b", "::");
	assert_int_equal(list->kind, CONFIG_LIST);
	assert_int_equal(list->count, 2);
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 6);
	assert_string_equal(list->entries[1].value->text.ptr, "y");
	assert_true(list->entries[1].value->quoted);
	assert_false(list->entries[0].value->quoted);
	assert_int_equal(config_get_path(root, "a.c", ".")->kind, CONFIG_NULL);
	assert_null(config_get(root, "b"));
	assert_null(config_get(NULL, "b"));
	assert_null(config_get_path(root, "a::x::y", "::"));
	assert_string_equal(list->file, "f.yaml");
	assert_int_equal(config_err(list, &err, ERR_INVALID, "is %s", "odd"), ERR_INVALID);
	assert_string_equal(err.text, "f.yaml:2: is odd");
}

static void an_empty_document_is_null(void **state)
{
	(void)state;
	assert_int_equal(parse("")->kind, CONFIG_NULL);
	assert_int_equal(parse("# only a comment\n")->kind, CONFIG_NULL);
	assert_int_equal(parse("---\n...\n")->kind, CONFIG_NULL);
	assert_int_equal(parse("null")->kind, CONFIG_NULL);
	assert_int_equal(parse("'null'")->kind, CONFIG_SCALAR);
	assert_int_equal(parse("!!str null")->kind, CONFIG_SCALAR);
}

static void aliases_and_merge_keys_copy(void **state)
{
	struct config_node *root = parse("base: &b {x: 1, y: 2}\n"
					 "one: {<<: *b, y: 3}\n"
					 "two: *b\n"
					 "three: {<<: [{z: 9}, *b], x: 7}\n");

	(void)state;
	assert_non_null(root);
	assert_string_equal(config_get_path(root, "one.x", ".")->text.ptr, "1");
	assert_string_equal(config_get_path(root, "one.y", ".")->text.ptr, "3");
	assert_string_equal(config_get_path(root, "three.x", ".")->text.ptr, "7");
	assert_string_equal(config_get_path(root, "three.z", ".")->text.ptr, "9");
	assert_ptr_not_equal(config_get_path(root, "two.x", "."),
			     config_get_path(root, "base.x", "."));
	assert_null(config_get_path(root, "one.<<", "."));
	assert_int_equal(config_get(root, "one")->count, 2);
	assert_int_equal(config_get(root, "three")->count, 3);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key \"a\" is there twice (first at line 1)"},
		{"a: [1\nb: 2", "f.yaml:2:2: "},
		{"a: b: c", "f.yaml:1:5: mapping values are not allowed in this context"},
		{"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document starts here"},
		{"a: *x", "f.yaml:1:4: alias of an unknown anchor"},
		{"a: &x [*x]", "f.yaml:1:8: alias of an anchor that contains it"},
		{"[a]: 1", "f.yaml:1:1: a key must be text"},
		{"? {a: b}\n: c", "f.yaml:1:3: a key must be text"},
		{"a: !ruby/object x", "f.yaml:1:4: this tag is not supported"},
		{"a: !!binary aGk=", "f.yaml:1:4: this tag is not supported"},
		{"a: \"x\\0y\"", "f.yaml:1:4: a NUL inside text"},
		{"a: 1\nb: \xff\n", "f.yaml:2:4: "},
		{"a: {<<: 5}", "f.yaml:1: \"<<\" needs a map"},
		{"a: {<<: [5]}", "f.yaml:1: \"<<\" needs maps"},
		{"a: \"open", "f.yaml:1:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(cases[i][0]))
			fail_msg("accepted: %s", cases[i][0]);
		assert_int_equal(err.code, ERR_INVALID);
		if (!str_starts_with(str_of(err.text), str_of(cases[i][1])))
			fail_msg("\"%s\" gave \"%s\"", cases[i][0], err.text);
	}
}

static void depth_is_bounded(void **state)
{
	struct buf text = {0};

	(void)state;
	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		buf_char(&text, '[');
	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		buf_char(&text, ']');
	buf_char(&text, '\0');
	assert_non_null(parse(text.ptr));
	buf_clear(&text);
	for (int i = 0; i < 5000; i++)
		buf_char(&text, '[');
	buf_char(&text, '\0');
	assert_null(parse(text.ptr));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.text, "f.yaml:1:66: nested too deeply");
	buf_deinit(&text);
}

/* Ten lines that would stand for 10^10 values. */
static void a_bomb_of_aliases_is_refused_early(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_cstr(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
		buf_cstr(&text, "]\n");
	}
	buf_char(&text, '\0');
	assert_null(parse(text.ptr));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_true(arena.used_bytes < 64 * 1024 * 1024);
	buf_deinit(&text);
}

static void many_keys_are_checked_quickly(void **state)
{
	struct buf text = {0};

	(void)state;
	for (int i = 0; i < 50000; i++)
		buf_printf(&text, "key%d: %d\n", i, i);
	buf_cstr(&text, "key777: again\n");
	buf_char(&text, '\0');
	assert_null(parse(text.ptr));
	assert_string_equal(err.text,
			    "f.yaml:50001:1: key \"key777\" is there twice (first at line 778)");
	buf_deinit(&text);
}

/* Both are looked up one by one, so there must be few of them. */
static void anchors_and_merged_keys_are_bounded(void **state)
{
	struct buf text = {0};

	(void)state;
	for (int i = 0; i < CONFIG_ANCHORS_MAX; i++)
		buf_printf(&text, "- &a%d x\n", i);
	buf_char(&text, '\0');
	assert_non_null(parse(text.ptr));
	text.len--;
	buf_cstr(&text, "- &more x\n");
	buf_char(&text, '\0');
	assert_null(parse(text.ptr));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_clear(&text);
	buf_cstr(&text, "b: 1\n<<: {");
	for (int i = 0; i < CONFIG_MERGED_KEYS_MAX; i++)
		buf_printf(&text, "k%d: v, ", i);
	buf_cstr(&text, "}\n");
	buf_char(&text, '\0');
	assert_null(parse(text.ptr));
	assert_string_equal(err.text, "f.yaml:2: \"<<\" makes a map of more than 2000 keys");
	buf_deinit(&text);
}

static void a_file_is_read_and_a_missing_one_named(void **state)
{
	char path[] = "/tmp/cresset-config-XXXXXX";
	int fd = mkstemp(path);
	struct config_node *root;

	(void)state;
	assert_int_equal(write(fd, "a: 1\n", 5), 5);
	assert_int_equal(config_parse_file(&arena, path, &root, &err), 0);
	assert_string_equal(config_get(root, "a")->text.ptr, "1");
	close(fd);
	unlink(path);
	assert_int_equal(config_parse_file(&arena, path, &root, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, path));
}

static void each_shortage_of_memory_is_an_error(void **state)
{
	static const char text[] = "base: &b {x: 1, y: [1, 2, 3]}\none: {<<: *b, y: 3}\n";
	struct config_node *root;
	uint64_t requests;

	(void)state;
	mem_fail_nth(0);
	assert_non_null(parse(text));
	requests = mem_fail_nth(0);
	arena_deinit(&arena);
	assert_true(requests >= 2);
	for (uint64_t n = 1; n <= requests; n++) {
		mem_fail_nth(n);
		assert_int_equal(config_parse(&arena, "f", str_of(text), &root, &err), ERR_NOMEM);
		arena_deinit(&arena);
	}
	mem_fail_nth(0);
	/* And the arena's own limit, at every size. */
	for (size_t limit = 0; limit < 6000; limit += 64) {
		struct arena small;
		arena_init(&small, limit + 1);
		int code = config_parse(&small, "f", str_of(text), &root, &err);
		assert_true(code == 0 || code == ERR_NOMEM);
		arena_deinit(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_node_knows_its_place, drop_arena),
		cmocka_unit_test_teardown(an_empty_document_is_null, drop_arena),
		cmocka_unit_test_teardown(aliases_and_merge_keys_copy, drop_arena),
		cmocka_unit_test_teardown(what_is_wrong_is_told_with_its_place, drop_arena),
		cmocka_unit_test_teardown(depth_is_bounded, drop_arena),
		cmocka_unit_test_teardown(a_bomb_of_aliases_is_refused_early, drop_arena),
		cmocka_unit_test_teardown(many_keys_are_checked_quickly, drop_arena),
		cmocka_unit_test_teardown(anchors_and_merged_keys_are_bounded, drop_arena),
		cmocka_unit_test_teardown(a_file_is_read_and_a_missing_one_named, drop_arena),
		cmocka_unit_test_teardown(each_shortage_of_memory_is_an_error, drop_arena),
	};

	return cmocka_run_group_tests_name("config/parse", tests, NULL, NULL);
}
