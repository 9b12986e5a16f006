/* Any bytes as a configuration: parsed, split, expanded, merged, printed and read back, decoded in
 * both styles. The environment is ours, so that no run depends on the caller's. */
#include <assert.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_LIMIT_BYTES = 64 * 1024 * 1024, INPUT_MAX_BYTES = 64 * 1024 };

struct rule {
	struct str regex;
	int action;
	struct config_strings labels;
};

struct all {
	struct str endpoint;
	bool insecure;
	uint16_t port;
	double ratio;
	int64_t timeout_ns;
	uint64_t limit_bytes;
	struct config_pairs headers;
	struct config_items rules;
	struct config_items named;
};

static const char *const actions[] = {"replace", "labelmap", "drop", NULL};

static const struct config_row rule_rows[] = {
	{.key = "regex", .type = CONFIG_STRING, CONFIG_FIELD(rule, regex), .fallback = "(.*)"},
	{.key = "action", .type = CONFIG_ENUM, CONFIG_FIELD(rule, action), .choices = actions},
	{.key = "source_labels", .type = CONFIG_STRINGS, CONFIG_FIELD(rule, labels), .max = 8},
};
static const struct config_schema rule_schema = CONFIG_SCHEMA("rule", rule, rule_rows, .help = "");

static const struct config_row rows[] = {
	{.key = "endpoint", .type = CONFIG_STRING, CONFIG_FIELD(all, endpoint), .required = true},
	{.key = "tls.insecure", .type = CONFIG_BOOL, CONFIG_FIELD(all, insecure)},
	{.key = "port", .type = CONFIG_UINT, CONFIG_FIELD(all, port), .fallback = "4040"},
	{.key = "ratio", .type = CONFIG_FLOAT, CONFIG_FIELD(all, ratio), .max = 1},
	{.key = "timeout", .type = CONFIG_DURATION, CONFIG_FIELD(all, timeout_ns), .max = 3600},
	{.key = "limit", .type = CONFIG_SIZE, CONFIG_FIELD(all, limit_bytes)},
	{.key = "headers", .type = CONFIG_STRING_MAP, CONFIG_FIELD(all, headers)},
	{.key = "rules",
	 .type = CONFIG_SECTIONS,
	 CONFIG_FIELD(all, rules),
	 .section = &rule_schema},
	{.key = "named", .type = CONFIG_NAMED, CONFIG_FIELD(all, named), .section = &rule_schema},
	{.key = "memberlist", .type = CONFIG_IGNORED},
};
static const struct config_schema schema = CONFIG_SCHEMA("all", all, rows, .help = "");

static const char *get_env(void *data, const char *name)
{
	(void)data;
	if (strcmp(name, "A") == 0)
		return "${env:B}${B}";
	if (strcmp(name, "B") == 0)
		return "{x: [1, ${C}]}";
	return strcmp(name, "C") == 0 ? "${A}" : NULL;
}

static void decode(struct arena *arena, const struct config_node *root, enum config_style style)
{
	struct config_decoder dec = {.arena = arena, .style = style, .root = "fuzz"};
	struct err err = {0};
	struct all all;

	if (config_defaults(&schema, arena, &all, &err) == 0 &&
	    config_decode(&dec, &schema, root, &all, &err) != 0)
		assert(err.text[0]);
}

/* What is printed must read back, and print the same again. */
static void print_twice(struct arena *arena, const struct config_node *root)
{
	struct buf first = {0}, second = {0};
	struct config_node *again;
	struct err err;

	config_print(root, false, &first);
	int code = config_parse(arena, "printed", buf_text(&first), &again, &err);
	assert(code == 0 || code == ERR_NOMEM || code == ERR_LIMIT);
	if (code == 0) {
		config_print(again, false, &second);
		assert(str_equal(buf_text(&first), buf_text(&second)));
	}
	buf_deinit(&first);
	buf_deinit(&second);
}

static void try_text(struct arena *arena, struct str text)
{
	static const struct config_env env = {get_env, NULL, NULL};
	struct config_node *root = NULL, *over = NULL;
	struct err err = {0};

	if (config_parse(arena, "input", text, &root, &err)) {
		assert(err.text[0]);
		return;
	}
	print_twice(arena, root);
	decode(arena, root, CONFIG_PYROSCOPE);
	if (config_split_keys(arena, root, &err) || config_expand(arena, root, &env, &err))
		return;
	decode(arena, root, CONFIG_COLLECTOR);
	if (config_parse(arena, "over", text, &over, &err) == 0 &&
	    config_merge(arena, &root, over, &err) == 0)
		decode(arena, root, CONFIG_COLLECTOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_env env = {get_env, NULL, NULL};
	struct arena arena;
	struct str expanded;
	struct err err;
	int64_t ns;
	uint64_t bytes;

	if (size > INPUT_MAX_BYTES)
		return 0;
	/* ${file:...} would read this machine's files. */
	if (str_find(str_make(data, size), STR("file:")) >= 0)
		return 0;
	arena_init(&arena, ARENA_LIMIT_BYTES);
	(void)config_to_duration(str_make(data, size), &ns);
	(void)config_to_size(str_make(data, size), &bytes);
	try_text(&arena, str_make(data, size));
	if (config_expand_text(&arena, str_make(data, size), &env, &expanded, &err) == 0 &&
	    expanded.len != size)
		try_text(&arena, expanded);
	arena_deinit(&arena);
	return 0;
}
