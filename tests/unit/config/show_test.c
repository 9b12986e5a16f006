/* The way back: from a struct to the YAML that it is read from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "shapes.h"

static struct arena arena;
static struct err err;

static int drop_arena(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static struct shape decode(const char *text)
{
	struct config_decoder dec = {.arena = &arena, .style = CONFIG_PYROSCOPE};
	struct config_node *node = NULL;
	struct shape shape;
	int code = config_parse(&arena, "f.yaml", str_of(text), &node, &err);

	code = code ? code : config_defaults(&shape_schema, &arena, &shape, &err);
	code = code ? code : config_decode(&dec, &shape_schema, node, &shape, &err);
	if (code)
		fail_msg("%s", err.text);
	return shape;
}

static struct config_node *show(const struct shape *shape)
{
	struct config_node *root = NULL;

	if (config_show(&shape_schema, &arena, shape, &root, &err))
		fail_msg("%s", err.text);
	return root;
}

static struct str print(const struct config_node *root)
{
	struct buf text = {0};

	config_print(root, false, &text);
	struct str copy = arena_str(&arena, buf_text(&text));
	buf_deinit(&text);
	return copy;
}

static const char full[] =
	"endpoint: e:1\nverbose: true\noffset: -3\nserver: {http_listen_port: 7}\nratio: 0.5\n"
	"names: [a, 'b c']\nheaders: {x: '1'}\ntls: {insecure: true}\n"
	"rules:\n- {regex: 'a: b', action: drop, source_labels: [l]}\n";

static void what_is_shown_reads_back_the_same(void **state)
{
	struct shape shape = decode(full);
	struct str once = print(show(&shape));
	struct shape again = decode(once.ptr);

	(void)state;
	assert_string_equal(print(show(&again)).ptr, once.ptr);
	assert_non_null(strstr(once.ptr, "offset: -3\n"));
	assert_non_null(strstr(once.ptr, "ratio: 0.5\n"));
	assert_non_null(strstr(once.ptr, "    regex: \"a: b\"\n"));
	assert_non_null(strstr(once.ptr, "tls:\n  insecure: true\n"));
}

static void a_secret_is_not_shown(void **state)
{
	struct shape shape = decode("endpoint: e:1\ntoken: hush\n");
	struct str text = print(show(&shape));

	(void)state;
	assert_null(strstr(text.ptr, "hush"));
	assert_non_null(strstr(text.ptr, "token: \"[REDACTED]\"\n"));
}

static void a_diff_has_only_what_differs(void **state)
{
	struct shape before = decode("endpoint: e:1\n"), now = decode(full);
	struct config_node *diff = NULL;

	(void)state;
	assert_int_equal(config_diff(&arena, show(&now), show(&before), &diff, &err), 0);
	struct str text = print(diff);
	assert_null(strstr(text.ptr, "endpoint"));
	assert_non_null(strstr(text.ptr, "server:\n  http_listen_port: 7\n"));
	assert_non_null(strstr(text.ptr, "tls:\n  insecure: true\n"));
	assert_null(strstr(text.ptr, "cert_file"));
	assert_int_equal(config_diff(&arena, show(&now), show(&now), &diff, &err), 0);
	assert_string_equal(print(diff).ptr, " {}\n");
}

static void gather(void *user, struct str path, const struct config_node *value)
{
	(void)value;
	buf_str(user, path);
	buf_char(user, ' ');
}

static void differences_are_named_by_their_paths(void **state)
{
	struct shape before = decode("endpoint: e:1\nheaders: {old: x}\n");
	struct shape now =
		decode("endpoint: e:1\nserver: {http_listen_port: 7}\ntls: {insecure: true}\n"
		       "headers: {new: y}\n");
	struct buf paths = {0};

	(void)state;
	assert_int_equal(config_differences(&arena, show(&now), show(&before), gather, &paths,
					    &err),
			 0);
	buf_char(&paths, '\0');
	assert_non_null(strstr(paths.ptr, "server.http_listen_port "));
	assert_non_null(strstr(paths.ptr, "tls.insecure "));
	assert_non_null(strstr(paths.ptr, "headers.new "));
	assert_non_null(strstr(paths.ptr, "headers.old "));
	assert_null(strstr(paths.ptr, "endpoint"));
	buf_deinit(&paths);
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct shape shape = decode(full);

	(void)state;
	for (uint64_t n = 1;; n++) {
		struct config_node *root = NULL;
		struct arena small;
		arena_init(&small, 0);
		mem_fail_nth(n);
		int code = config_show(&shape_schema, &small, &shape, &root, &err);
		uint64_t asked = mem_fail_nth(0);
		arena_deinit(&small);
		if (asked < n)
			break;
		assert_true(code == 0 || code == ERR_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_shown_reads_back_the_same, drop_arena),
		cmocka_unit_test_teardown(a_secret_is_not_shown, drop_arena),
		cmocka_unit_test_teardown(a_diff_has_only_what_differs, drop_arena),
		cmocka_unit_test_teardown(differences_are_named_by_their_paths, drop_arena),
		cmocka_unit_test_teardown(running_out_of_memory_is_an_error_at_every_point,
					  drop_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
