#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "shapes.h"

static struct arena arena;
static struct err err;
static struct config_strings rest;

static int drop_arena(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

#define ARGS(...) ((char *[]){__VA_ARGS__, NULL})

static int run(char *const *argv, struct shape *shape)
{
	int argc = 0;
	int code = config_defaults(&shape_schema, &arena, shape, &err);

	while (argv[argc])
		argc++;
	return code ? code : config_flags(&shape_schema, &arena, shape, argc, argv, &rest, &err);
}

static struct shape parse(char *const *argv)
{
	struct shape shape;

	if (run(argv, &shape))
		fail_msg("%s: %s", argv[0], err.text);
	return shape;
}

static void all_of_gos_spellings_work(void **state)
{
	struct shape s = parse(ARGS("-config.file=/etc/x.yaml", "--server.http-listen-port", "80",
				    "-timeout=300ms", "--endpoint=a=b", "-verbose", "-log.level",
				    "warn", "-tls.insecure=true", "-tls.key=", "-limit", "1KiB"));

	(void)state;
	assert_string_equal(s.config_file.ptr, "/etc/x.yaml");
	assert_int_equal(s.port, 80);
	assert_true(s.timeout_ns == 300 * NS_PER_MS);
	assert_string_equal(s.endpoint.ptr, "a=b");
	assert_true(s.verbose);
	assert_int_equal(s.level, 2);
	assert_true(s.tls.insecure);
	assert_int_equal(s.limit_bytes, 1024);
	assert_int_equal(rest.count, 0);
}

static void bools_take_a_value_only_after_an_equal_sign(void **state)
{
	struct shape s = parse(ARGS("-verbose", "false"));

	(void)state;
	assert_true(s.verbose);
	assert_int_equal(rest.count, 1);
	s = parse(ARGS("-verbose=false"));
	assert_false(s.verbose);
	s = parse(ARGS("-verbose=1"));
	assert_true(s.verbose);
	s = parse(ARGS("-v"));
	assert_true(s.verbose);
}

static void lists_add_up_and_replace_the_default(void **state)
{
	struct shape s = parse(ARGS("-name=a", "-name", "b,c", "-header=x=1", "-header=y=2"));

	(void)state;
	assert_int_equal(s.names.count, 3);
	assert_string_equal(s.names.items[0].ptr, "a");
	assert_string_equal(s.names.items[2].ptr, "c");
	assert_int_equal(s.headers.count, 2);
	assert_string_equal(s.headers.items[1].value.ptr, "2");
}

static void what_is_no_flag_is_handed_back(void **state)
{
	struct shape s = parse(ARGS("one", "-verbose", "-", "two", "--", "-timeout", "x"));

	(void)state;
	assert_true(s.verbose);
	assert_int_equal(rest.count, 5);
	assert_string_equal(rest.items[1].ptr, "-");
	assert_string_equal(rest.items[3].ptr, "-timeout");
	assert_int_equal(config_flags(&shape_schema, &arena, &s, 1, ARGS("one"), NULL, &err),
			 ERR_INVALID);
	assert_string_equal(err.text, "unexpected argument \"one\"");
}

static void flags_win_over_what_the_file_said(void **state)
{
	struct config_decoder dec = {.arena = &arena};
	struct config_node *node;
	struct shape s = parse(ARGS("-timeout=1s"));

	(void)state;
	assert_int_equal(config_parse(&arena, "f", STR("timeout: 2s\nendpoint: file\n"), &node,
				      &err),
			 0);
	assert_int_equal(config_decode(&dec, &shape_schema, node, &s, &err), 0);
	assert_true(s.timeout_ns == 2 * (int64_t)NS_PER_S);
	assert_int_equal(config_flags(&shape_schema, &arena, &s, 1, ARGS("-timeout=1s"), NULL,
				      &err),
			 0);
	assert_true(s.timeout_ns == (int64_t)NS_PER_S);
	assert_string_equal(s.endpoint.ptr, "file");
}

static void wrong_flags_are_refused_in_gos_words(void **state)
{
	static const struct {
		char *argv[3];
		const char *why;
	} cases[] = {
		{{"-nope"}, "flag provided but not defined: -nope"},
		{{"-server.http-listen-prot=1"},
		 "flag provided but not defined: -server.http-listen-prot (did you mean "
		 "-server.http-listen-port?)"},
		{{"--tls.insecur"},
		 "flag provided but not defined: --tls.insecur (did you mean --tls.insecure?)"},
		{{"-timeout"}, "flag needs an argument: -timeout"},
		{{"-timeout=x"},
		 "flag -timeout: \"x\" is not a duration (expected a duration such as "
		 "250ms or 1h30m from 1ms to 1m0s)"},
		{{"-server.http-listen-port", "99999"},
		 "flag -server.http-listen-port: \"99999\" is out of range (expected a whole "
		 "number)"},
		{{"-verbose=maybe"},
		 "flag -verbose: \"maybe\" is not a bool (expected true or false)"},
		{{"--=x"}, "bad flag syntax: --=x"},
		{{"-header=x"}, "flag -header: \"x\" is not key=value (expected a map of texts)"},
		{{"-rules=x"}, "flag -rules: can only be set in the configuration file"},
		{{"-insecure"},
		 "flag provided but not defined: -insecure (did you mean "
		 "-tls.insecure?)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shape shape;
		assert_int_equal(run(cases[i].argv, &shape), ERR_INVALID);
		assert_string_equal(err.text, cases[i].why);
	}
}

static void a_list_past_its_range_is_refused(void **state)
{
	char *argv[22];
	struct shape shape;

	(void)state;
	for (int i = 0; i < 21; i++)
		argv[i] = "-name=x";
	argv[21] = NULL;
	assert_int_equal(run(argv, &shape), ERR_INVALID);
	assert_string_equal(err.text, "flag -name: has 21 entries (expected 0 to 20)");
}

static void help_tells_every_flag(void **state)
{
	struct buf out = {0};

	(void)state;
	config_help_flags(&shape_schema, "-", &out);
	buf_char(&out, '\0');
	assert_non_null(
		strstr(out.ptr, "  -config.file=string\n        where the configuration is\n"));
	assert_non_null(strstr(out.ptr, "  -v, -verbose\n"));
	assert_non_null(strstr(out.ptr,
			       "  -log.level=CHOICE\n        what to log; one of debug, info, "
			       "warn (default info)\n"));
	assert_non_null(strstr(out.ptr,
			       "  -timeout=duration\n        per attempt; from 1ms to 1m0s "
			       "(default 5s)\n"));
	assert_non_null(strstr(out.ptr, "  -tls.insecure\n        no TLS\n"));
	assert_null(strstr(out.ptr, "hidden-default"));
	buf_deinit(&out);
}

static void the_reference_tells_every_key(void **state)
{
	struct buf out = {0};

	(void)state;
	config_help_keys(&shape_schema, &out);
	buf_char(&out, '\0');
	assert_non_null(strstr(out.ptr,
			       "| `server.http_listen_port` | uint | `4040` | HTTP port; flag "
			       "`-server.http-listen-port` |\n"));
	assert_non_null(strstr(out.ptr,
			       "| `rules[].action` | choice |  | one of replace, labelmap, "
			       "drop; required |\n"));
	assert_non_null(strstr(out.ptr, "| `tenants.NAME.size` | uint | `1000` | from 1 to 1000000 "
					"requests |\n"));
	assert_null(strstr(out.ptr, "config.file"));
	assert_null(strstr(out.ptr, "hidden-default"));
	assert_null(strstr(out.ptr, "memberlist"));
	buf_deinit(&out);
}

static void each_shortage_of_memory_is_an_error(void **state)
{
	struct shape shape;
	bool worked = false;

	(void)state;
	for (size_t limit = 64; limit < 16 * 1024; limit += 32) {
		arena_init(&arena, limit);
		int code = run(ARGS("-name=a", "-name=b", "-header=a=b", "-endpoint=x", "rest"),
			       &shape);
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
		cmocka_unit_test_teardown(all_of_gos_spellings_work, drop_arena),
		cmocka_unit_test_teardown(bools_take_a_value_only_after_an_equal_sign, drop_arena),
		cmocka_unit_test_teardown(lists_add_up_and_replace_the_default, drop_arena),
		cmocka_unit_test_teardown(what_is_no_flag_is_handed_back, drop_arena),
		cmocka_unit_test_teardown(flags_win_over_what_the_file_said, drop_arena),
		cmocka_unit_test_teardown(wrong_flags_are_refused_in_gos_words, drop_arena),
		cmocka_unit_test_teardown(a_list_past_its_range_is_refused, drop_arena),
		cmocka_unit_test_teardown(help_tells_every_flag, drop_arena),
		cmocka_unit_test_teardown(the_reference_tells_every_key, drop_arena),
		cmocka_unit_test_teardown(each_shortage_of_memory_is_an_error, drop_arena),
	};

	return cmocka_run_group_tests_name("config/flags", tests, NULL, NULL);
}
