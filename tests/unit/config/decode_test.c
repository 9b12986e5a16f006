#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shapes.h"

static struct arena arena;
static struct err err;
static char warned[1024];

static int drop_arena(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static void remember(void *data, const char *text)
{
	(void)data;
	str_copy(warned, sizeof(warned), str_of(text));
}

static int decode_as(enum config_style style, const char *root, const char *text,
		     struct shape *shape)
{
	struct config_decoder dec = {&arena, style, root, remember, NULL};
	struct config_node *node = NULL;
	int code = config_parse(&arena, "f.yaml", str_of(text), &node, &err);

	warned[0] = '\0';
	if (!code)
		code = config_defaults(&shape_schema, &arena, shape, &err);
	return code ? code : config_decode(&dec, &shape_schema, node, shape, &err);
}

static struct shape decode(const char *text)
{
	struct shape shape;

	if (decode_as(CONFIG_COLLECTOR, NULL, text, &shape))
		fail_msg("%s: %s", text, err.text);
	return shape;
}

static void nothing_given_leaves_the_defaults(void **state)
{
	struct shape s = decode("");

	(void)state;
	assert_string_equal(s.endpoint.ptr, "localhost:4317");
	assert_int_equal(s.port, 4040);
	assert_true(s.ratio == 0.2);
	assert_true(s.timeout_ns == 5 * (int64_t)NS_PER_S);
	assert_int_equal(s.limit_bytes, 4 << 20);
	assert_int_equal(s.level, 1);
	assert_int_equal(s.names.count, 2);
	assert_string_equal(s.names.items[1].ptr, "y");
	assert_true(s.queue.enabled);
	assert_int_equal(s.queue.size, 1000);
	assert_false(s.queue_given);
	assert_string_equal(s.tls.cert_file.ptr, "");
	assert_null(s.tree);
	assert_int_equal(s.rules.count, 0);
}

static void every_type_reaches_its_field(void **state)
{
	struct shape s = decode("endpoint: 127.0.0.1:4040\n"
				"verbose: true\n"
				"offset: -0x10\n"
				"server:\n  http_listen_port: 65535\n  big: 18446744073709551615\n"
				"ratio: 1e-1\n"
				"timeout: 1.5s\n"
				"limit: 1 KiB\n"
				"level: WARN\n"
				"names: [a, 0123, true]\n"
				"headers: {X-A: 1, X-B: b}\n"
				"tls: {insecure: true}\n"
				"sending_queue: {}\n"
				"rules:\n  - action: labelmap\n    regex: ^a$\n"
				"  - {action: drop, source_labels: [x, y]}\n"
				"tenants: {a: {size: 1}, b: {enabled: false}, c: }\n"
				"tree: [1, {x: y}]\n"
				"custom: forty-two\n"
				"keepalive: {time: 0s}\n");
	const struct rule *rules = s.rules.items;
	const struct queue *tenants = s.tenants.items;

	(void)state;
	assert_string_equal(s.endpoint.ptr, "127.0.0.1:4040");
	assert_true(s.verbose);
	assert_int_equal(s.offset, -16);
	assert_int_equal(s.port, 65535);
	assert_true(s.big == UINT64_MAX);
	assert_true(s.ratio == 0.1);
	assert_true(s.timeout_ns == 1500 * (int64_t)NS_PER_MS);
	assert_int_equal(s.limit_bytes, 1024);
	assert_int_equal(s.level, 2);
	assert_int_equal(s.names.count, 3);
	assert_string_equal(s.names.items[1].ptr, "0123");
	assert_int_equal(s.headers.count, 2);
	assert_string_equal(s.headers.items[0].value.ptr, "1");
	assert_true(s.tls.insecure);
	assert_true(s.queue_given);
	assert_int_equal(s.rules.count, 2);
	assert_string_equal(rules[0].regex.ptr, "^a$");
	assert_int_equal(rules[0].action, 1);
	assert_string_equal(rules[1].regex.ptr, "(.*)");
	assert_int_equal(rules[1].source_labels.count, 2);
	assert_int_equal(s.tenants.count, 3);
	assert_string_equal(s.tenants.names[1].ptr, "b");
	assert_int_equal(tenants[0].size, 1);
	assert_false(tenants[1].enabled);
	assert_int_equal(tenants[2].size, 1000);
	assert_int_equal(s.tree->count, 2);
	assert_int_equal(s.custom, 42);
	assert_true(s.keepalive_given);
}

static void other_ways_to_write_lists_and_maps(void **state)
{
	struct shape s =
		decode("names: a, b ,c\nheaders: [{name: X, value: y}, {name: Z, value: }]\n");

	(void)state;
	assert_int_equal(s.names.count, 3);
	assert_string_equal(s.names.items[1].ptr, "b");
	assert_int_equal(s.headers.count, 2);
	assert_string_equal(s.headers.items[0].key.ptr, "X");
	assert_string_equal(s.headers.items[1].value.ptr, "");
	s = decode("names: ''\n");
	assert_int_equal(s.names.count, 0);
}

static void both_ends_of_a_range_are_in_it(void **state)
{
	(void)state;
	assert_true(decode("ratio: 1\n").ratio == 1);
	assert_true(decode("ratio: 0\n").ratio == 0);
	assert_int_equal(decode("timeout: 1m\n").timeout_ns, 60 * (int64_t)NS_PER_S);
	assert_int_equal(decode("timeout: 1ms\n").timeout_ns, NS_PER_MS);
	assert_int_equal(decode("limit: 1GiB\n").limit_bytes, 1 << 30);
}

static void null_leaves_the_default_and_is_not_given(void **state)
{
	struct shape s = decode("endpoint: null\nsending_queue:\ntls: ~\nserver:\n");

	(void)state;
	assert_string_equal(s.endpoint.ptr, "localhost:4317");
	assert_false(s.queue_given);
	s = decode("sending_queue: {enabled: false}\n");
	assert_true(s.queue_given);
	assert_false(s.queue.enabled);
}

static void what_works_but_deserves_a_word_is_warned_about(void **state)
{
	struct shape s = decode("memberlist: {join_members: [a, b]}\n");

	(void)state;
	assert_string_equal(warned, "f.yaml:1: key \"memberlist\": has no effect here");
	s = decode("timeout: 5000000\n");
	assert_int_equal(s.timeout_ns, 5000000);
	assert_string_equal(warned, "f.yaml:1: key \"timeout\": a number without a unit counts "
				    "nanoseconds");
}

struct bad {
	const char *text, *why;
};

static void expect_all(enum config_style style, const char *root, const struct bad *cases,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct shape shape;
		int code = decode_as(style, root, cases[i].text, &shape);
		if (code != ERR_INVALID)
			fail_msg("%s: code %d", cases[i].text, code);
		if (!str_equal(str_of(err.text), str_of(cases[i].why)))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void wrong_values_say_file_line_key_and_what_is_expected(void **state)
{
	static const struct bad cases[] = {
		{"a: 1\n", "f.yaml:1: key \"a\": unknown"},
		{"endpoint: x\nendpoitn: y\n",
		 "f.yaml:2: key \"endpoitn\": unknown (did you mean \"endpoint\"?)"},
		{"tls:\n  insecur: true\n",
		 "f.yaml:2: key \"tls::insecur\": unknown (did you mean \"insecure\"?)"},
		{"server: {http_listen_prot: 1}\n",
		 "f.yaml:1: key \"server::http_listen_prot\": unknown (did you mean "
		 "\"http_listen_port\"?)"},
		{"config: {file: x}\n", "f.yaml:1: key \"config\": unknown"},
		{"verbose: yes\n",
		 "f.yaml:1: key \"verbose\": \"yes\" is not a bool (expected true or false)"},
		{"verbose: 'true'\n",
		 "f.yaml:1: key \"verbose\": is text in quotes (expected true or false)"},
		{"offset: 1.5\n", "f.yaml:1: key \"offset\": \"1.5\" is not a whole number "
				  "(expected a whole number)"},
		{"offset: 2147483648\n", "f.yaml:1: key \"offset\": \"2147483648\" is out of range "
					 "(expected a whole number)"},
		{"server: {http_listen_port: 65536}\n",
		 "f.yaml:1: key \"server::http_listen_port\": \"65536\" is out of range (expected "
		 "a "
		 "whole number)"},
		{"server: {http_listen_port: -1}\n",
		 "f.yaml:1: key \"server::http_listen_port\": \"-1\" is negative (expected a whole "
		 "number)"},
		{"ratio: 1.01\n", "f.yaml:1: key \"ratio\": \"1.01\" is out of range (expected a "
				  "number from 0 to 1)"},
		{"timeout: soon\n",
		 "f.yaml:1: key \"timeout\": \"soon\" is not a duration (expected a "
		 "duration such as 250ms or 1h30m from 1ms to 1m0s)"},
		{"timeout: 2m\n", "f.yaml:1: key \"timeout\": \"2m\" is out of range (expected a "
				  "duration such as 250ms or 1h30m from 1ms to 1m0s)"},
		{"limit: 2GiB\n",
		 "f.yaml:1: key \"limit\": \"2GiB\" is out of range (expected a size "
		 "such as 64MiB from 0B to 1GiB)"},
		{"level: loud\n", "f.yaml:1: key \"level\": \"loud\" is not known (expected one of "
				  "debug, info, warn)"},
		{"endpoint: [x]\n", "f.yaml:1: key \"endpoint\": is a list (expected text)"},
		{"names: {a: b}\n",
		 "f.yaml:1: key \"names\": is a map (expected a list of texts of 0 to "
		 "20 entries)"},
		{"names: [[x]]\n", "f.yaml:1: key \"names\": has an item that is no text"},
		{"headers: x\n", "f.yaml:1: key \"headers\": is text (expected a map of texts)"},
		{"headers:\n  a: b\n  c: [d]\n",
		 "f.yaml:3: key \"headers\": has an entry that is no "
		 "text (expected a map of texts)"},
		{"tls: yes\n",
		 "f.yaml:1: key \"tls\": is not a map (expected keys and values below it)"},
		{"tls:\n  cert_file: x\n", "f.yaml:2: key \"tls\": cert_file needs key_file"},
		{"rules: {a: b}\n",
		 "f.yaml:1: key \"rules\": is not a list (expected a list of maps)"},
		{"rules:\n  - action: drop\n  - regex: x\n",
		 "f.yaml:3: key \"rules[1]::action\": is required and was not given"},
		{"rules:\n  - action: droop\n",
		 "f.yaml:2: key \"rules[0]::action\": \"droop\" is not "
		 "known (expected one of replace, labelmap, drop)"},
		{"rules:\n  - {action: drop, source_labels: [a, b, c, d]}\n",
		 "f.yaml:2: key \"rules[0]::source_labels\": has 4 entries (expected 0 to 3)"},
		{"tenants: [a]\n",
		 "f.yaml:1: key \"tenants\": is not a map (expected a map of maps)"},
		{"tenants: {a: {sze: 1}}\n",
		 "f.yaml:1: key \"tenants::a::sze\": unknown (did you mean \"size\"?)"},
		{"custom: 42\n", "f.yaml:1: key \"custom\": is not forty-two"},
		{"[a, b]\n", "f.yaml:1: is not a map (expected keys and values below it)"},
	};

	(void)state;
	expect_all(CONFIG_COLLECTOR, NULL, cases, sizeof(cases) / sizeof(cases[0]));
}

static void the_root_stands_in_front_of_every_path(void **state)
{
	static const struct bad cases[] = {
		{"nope: 1\n", "f.yaml:1: key \"exporters::x::nope\": unknown"},
		{"tls: 5\n", "f.yaml:1: key \"exporters::x::tls\": is not a map (expected keys and "
			     "values below it)"},
	};

	(void)state;
	expect_all(CONFIG_COLLECTOR, "exporters::x", cases, sizeof(cases) / sizeof(cases[0]));
}

static void pyroscope_speaks_of_fields(void **state)
{
	static const struct bad cases[] = {
		{"endpoitn: x\n",
		 "f.yaml:1: field \"endpoitn\" not found in \"the configuration\" (did "
		 "you mean \"endpoint\"?)"},
		{"server:\n  x: 1\n", "f.yaml:2: field \"x\" not found in \"server\""},
		{"rules:\n- action: drop\n  rexeg: a\n",
		 "f.yaml:3: field \"rexeg\" not found in \"rules[0]\" (did you mean \"regex\"?)"},
		{"timeout: x\n", "f.yaml:1: key \"timeout\": \"x\" is not a duration (expected a "
				 "duration such as 250ms or 1h30m from 1ms to 1m0s)"},
	};
	struct shape shape;

	(void)state;
	expect_all(CONFIG_PYROSCOPE, NULL, cases, sizeof(cases) / sizeof(cases[0]));
	assert_int_equal(decode_as(CONFIG_PYROSCOPE, NULL, "verbose: yes\n", &shape), 0);
	assert_true(shape.verbose);
}

static void a_secret_is_not_repeated_in_an_error(void **state)
{
	static const struct config_row rows[] = {
		{.key = "pin", .type = CONFIG_UINT, CONFIG_FIELD(queue, size), .secret = true},
	};
	static const struct config_schema schema = CONFIG_SCHEMA("s", queue, rows, .help = "");
	struct config_decoder dec = {.arena = &arena};
	struct config_node *node;
	struct queue queue;

	(void)state;
	assert_int_equal(config_parse(&arena, "f", STR("pin: hunter2"), &node, &err), 0);
	assert_int_equal(config_decode(&dec, &schema, node, &queue, &err), ERR_INVALID);
	assert_string_equal(err.text,
			    "f:1: key \"pin\": the value is not a whole number (expected a "
			    "whole number)");
}

static void each_shortage_of_memory_is_an_error(void **state)
{
	static const char text[] = "names: [a, b]\nheaders: {x: y}\ntls: {insecure: true}\n"
				   "rules: [{action: drop}]\ntenants: {a: {size: 3}}\n";
	struct shape shape;
	bool worked = false;

	(void)state;
	for (size_t limit = 64; limit < 32 * 1024; limit += 32) {
		arena_init(&arena, limit);
		int code = decode_as(CONFIG_COLLECTOR, NULL, text, &shape);
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
		cmocka_unit_test_teardown(nothing_given_leaves_the_defaults, drop_arena),
		cmocka_unit_test_teardown(every_type_reaches_its_field, drop_arena),
		cmocka_unit_test_teardown(other_ways_to_write_lists_and_maps, drop_arena),
		cmocka_unit_test_teardown(both_ends_of_a_range_are_in_it, drop_arena),
		cmocka_unit_test_teardown(null_leaves_the_default_and_is_not_given, drop_arena),
		cmocka_unit_test_teardown(what_works_but_deserves_a_word_is_warned_about,
					  drop_arena),
		cmocka_unit_test_teardown(wrong_values_say_file_line_key_and_what_is_expected,
					  drop_arena),
		cmocka_unit_test_teardown(the_root_stands_in_front_of_every_path, drop_arena),
		cmocka_unit_test_teardown(pyroscope_speaks_of_fields, drop_arena),
		cmocka_unit_test_teardown(a_secret_is_not_repeated_in_an_error, drop_arena),
		cmocka_unit_test_teardown(each_shortage_of_memory_is_an_error, drop_arena),
	};

	return cmocka_run_group_tests_name("config/decode", tests, NULL, NULL);
}
