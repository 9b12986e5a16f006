#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"

static struct arena arena;
static struct err err;
static char warned[1024];

static int drop_arena(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static const char *fake_get(void *data, const char *name)
{
	static const char *const vars[][2] = {
		{"HOST", "pyroscope"},
		{"PORT", "4040"},
		{"ZERO", "0123"},
		{"EMPTY", ""},
		{"LIST", "[a, b]"},
		{"NAME", "HOST"},
		{"LOOP", "${env:LOOP}"},
		{"TWICE", "${HOST}!"},
		{"ODD", "a: b: ["},
		{"DOLLAR", "a$$b"},
		{"BOMB", "${env:BOMB}${env:BOMB}"},
	};

	(void)data;
	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		if (strcmp(vars[i][0], name) == 0)
			return vars[i][1];
	return NULL;
}

static void fake_warn(void *data, const char *text)
{
	(void)data;
	str_copy(warned, sizeof(warned), str_of(text));
}

static const struct config_env env = {fake_get, fake_warn, NULL};

static int expand(const char *text, struct config_node **ret)
{
	int code = config_parse(&arena, "f.yaml", str_of(text), ret, &err);

	warned[0] = '\0';
	return code ? code : config_expand(&arena, *ret, &env, &err);
}

/* The value of "v" after expansion. */
static const struct config_node *value(const char *text)
{
	struct config_node *root;
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "v: %s\n", text);
	if (expand(yaml, &root))
		fail_msg("%s: %s", text, err.text);
	return config_get(root, "v");
}

static void references_become_their_values(void **state)
{
	static const char *const cases[][2] = {
		{"${HOST}", "pyroscope"},
		{"${env:HOST}", "pyroscope"},
		{"${env:HOST}:${PORT}", "pyroscope:4040"},
		{"'${env:HOST}'", "pyroscope"},
		{"${env:NOPE:-fallback}", "fallback"},
		{"${NOPE:-fallback}", "fallback"},
		{"${env:HOST:-fallback}", "pyroscope"},
		{"${env:NOPE:-${env:HOST}}", "pyroscope"},
		{"${env:${NAME}}", "pyroscope"},
		{"${env:TWICE}", "pyroscope!"},
		{"x${env:TWICE}", "xpyroscope!"},
		{"${env:ZERO}", "0123"},
		{"${yaml:17}", "17"},
		{"${env:NOPE:-}", ""},
		{"x${NOPE}y", "xy"},
		{"$HOST", "$HOST"},
		{"$$", "$"},
		{"$${env:HOST}", "${env:HOST}"},
		{"$$${env:HOST}", "$pyroscope"},
		{"^a.*$$", "^a.*$"},
		{"$1", "$1"},
		{"${HOST", "${HOST"},
		{"${env:DOLLAR}", "a$b"},
		{"${env:ODD}", "a: b: ["},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config_node *node = value(cases[i][0]);
		assert_int_equal(node->kind, CONFIG_SCALAR);
		if (!str_equal(node->text, str_of(cases[i][1])))
			fail_msg("%s gave %s", cases[i][0], node->text.ptr);
	}
}

static void a_whole_value_keeps_its_type_and_a_part_is_text(void **state)
{
	(void)state;
	assert_false(value("${env:PORT}")->quoted);
	assert_false(value("'${env:PORT}'")->quoted);
	assert_true(value("4${env:PORT}")->quoted);
	assert_int_equal(value("${env:LIST}")->kind, CONFIG_LIST);
	assert_int_equal(value("${env:LIST}")->count, 2);
	assert_string_equal(value("'${yaml:[1, ${PORT}]}'")->entries[1].value->text.ptr, "4040");
	assert_int_equal(value("${env:EMPTY}")->kind, CONFIG_NULL);
	assert_int_equal(value("${env:NOPE:-}")->kind, CONFIG_SCALAR);
}

static void what_came_from_a_variable_is_placed_at_the_reference(void **state)
{
	struct config_node *root;

	(void)state;
	assert_int_equal(expand("a: 1\n\nv: ${env:LIST}\n", &root), 0);
	assert_int_equal(config_get(root, "v")->line, 3);
	assert_int_equal(config_get(root, "v")->entries[0].value->line, 3);
}

static void one_value_has_a_thousand_rounds_at_most(void **state)
{
	struct buf text = {0};
	struct config_node *root;

	(void)state;
	buf_cstr(&text, "v: x");
	for (int i = 0; i < 1000; i++)
		buf_cstr(&text, "${PORT}");
	buf_char(&text, '\0');
	assert_int_equal(expand(text.ptr, &root), 0);
	text.len--;
	buf_cstr(&text, "${PORT}");
	buf_char(&text, '\0');
	assert_int_equal(expand(text.ptr, &root), ERR_LIMIT);
	assert_string_equal(err.text, "f.yaml:1: too many recursive expansions");
	buf_deinit(&text);
}

static void an_unset_variable_is_null_and_warned_about(void **state)
{
	(void)state;
	assert_int_equal(value("${env:NOPE}")->kind, CONFIG_NULL);
	assert_string_equal(warned,
			    "f.yaml:1: configuration references unset environment variable NOPE");
	value("${env:HOST}");
	assert_string_equal(warned, "");
}

static void a_file_stands_in_for_a_value(void **state)
{
	char path[] = "/tmp/cresset-expand-XXXXXX";
	int fd = mkstemp(path);
	char text[64];

	(void)state;
	assert_int_equal(write(fd, "s3cr3t\n", 7), 7);
	snprintf(text, sizeof(text), "${file:%s}", path);
	assert_string_equal(value(text)->text.ptr, "s3cr3t");
	close(fd);
	unlink(path);
	struct config_node *root;
	assert_int_equal(expand("v: ${file:/no/such}", &root), ERR_NOT_FOUND);
	assert_string_equal(err.text, "f.yaml:1: opening /no/such: No such file or directory");
}

static void keys_are_left_alone(void **state)
{
	struct config_node *root;

	(void)state;
	assert_int_equal(expand("'${HOST}': 1\nl: ['${HOST}']\n", &root), 0);
	assert_non_null(config_get(root, "${HOST}"));
	assert_string_equal(config_get(root, "l")->entries[0].value->text.ptr, "pyroscope");
}

static void bad_references_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *why;
	} cases[] = {
		{"a: 1\nv: ${1}", ERR_INVALID,
		 "f.yaml:2: environment variable \"1\" has invalid name"},
		{"v: ${a b}", ERR_INVALID,
		 "f.yaml:1: environment variable \"a b\" has invalid name"},
		{"v: ${}", ERR_INVALID, "f.yaml:1: environment variable \"\" has invalid name"},
		{"v: ${vault:x}", ERR_INVALID,
		 "f.yaml:1: scheme \"vault\" is not supported for uri \"vault:x\""},
		{"v: ${env:LOOP}", ERR_LIMIT, "f.yaml:1: too many recursive expansions"},
		{"v: x${env:LOOP}", ERR_LIMIT, "f.yaml:1: too many recursive expansions"},
		{"v: x${env:BOMB}", ERR_LIMIT, "f.yaml:1: too many recursive expansions"},
	};
	struct config_node *root;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(expand(cases[i].text, &root), cases[i].code);
		if (!str_starts_with(str_of(err.text), str_of(cases[i].why)))
			fail_msg("%s gave %s", cases[i].text, err.text);
	}
}

static void whole_texts_expand_as_pyroscope_does(void **state)
{
	static const char *const cases[][2] = {
		{"a: ${HOST}\n", "a: pyroscope\n"},
		{"a: ${NOPE:-x}", "a: x"},
		{"a: ${EMPTY:-x}", "a: x"},
		{"a: ${NOPE}!", "a: !"},
		{"r: ^a$ $1 $HOST", "r: ^a$ $1 $HOST"},
		{"a: $${HOST}", "a: ${HOST}"},
		{"a: ${HOST", "a: ${HOST"},
	};
	struct str out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(config_expand_text(&arena, str_of(cases[i][0]), &env, &out, &err),
				 0);
		assert_string_equal(out.ptr, cases[i][1]);
	}
	assert_int_equal(config_expand_text(&arena, STR("${a-b}"), &env, &out, &err), ERR_INVALID);
}

static void each_shortage_of_memory_is_an_error(void **state)
{
	static const char text[] = "v: ${env:HOST}:${PORT}\nw: ${env:LIST}\nx: ${env:TWICE}\n";
	bool worked = false;

	(void)state;
	for (size_t limit = 64; limit < 32 * 1024; limit += 48) {
		struct config_node *root;
		arena_init(&arena, limit);
		int code = expand(text, &root);
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
		cmocka_unit_test_teardown(references_become_their_values, drop_arena),
		cmocka_unit_test_teardown(a_whole_value_keeps_its_type_and_a_part_is_text,
					  drop_arena),
		cmocka_unit_test_teardown(what_came_from_a_variable_is_placed_at_the_reference,
					  drop_arena),
		cmocka_unit_test_teardown(one_value_has_a_thousand_rounds_at_most, drop_arena),
		cmocka_unit_test_teardown(an_unset_variable_is_null_and_warned_about, drop_arena),
		cmocka_unit_test_teardown(a_file_stands_in_for_a_value, drop_arena),
		cmocka_unit_test_teardown(keys_are_left_alone, drop_arena),
		cmocka_unit_test_teardown(bad_references_are_refused_with_their_line, drop_arena),
		cmocka_unit_test_teardown(whole_texts_expand_as_pyroscope_does, drop_arena),
		cmocka_unit_test_teardown(each_shortage_of_memory_is_an_error, drop_arena),
	};

	return cmocka_run_group_tests_name("config/expand", tests, NULL, NULL);
}
