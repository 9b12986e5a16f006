/* Any bytes as the runtime configuration. What was decoded, shown as YAML and decoded again, is shown the same. */
#include <assert.h>
#include <stdint.h>

#include "server/config_flags.h"
#include "server/policy.h"
#include "server/runtime_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_LIMIT_BYTES = 64 * 1024 * 1024, INPUT_MAX_BYTES = 16 * 1024 };

static bool show(struct arena *arena, const struct server_limits *limits, struct buf *out)
{
	struct config_node *root = NULL;
	struct err err;

	if (config_show(&server_limits_schema, arena, limits, &root, &err))
		return false;
	config_print(root, false, out);
	return !out->failed;
}

static void must_read_back(struct arena *arena, const struct server_config *config,
			   const struct server_limits *limits)
{
	struct config_decoder dec = {.arena = arena, .style = CONFIG_PYROSCOPE};
	struct server_limits again = config->limits;
	struct buf once = {0}, twice = {0};
	struct config_node *root;
	struct err err = {0};

	if (show(arena, limits, &once)) {
		int rc = config_parse(arena, "shown", buf_text(&once), &root, &err);
		rc = rc ? rc : config_decode(&dec, &server_limits_schema, root, &again, &err);
		assert(rc == 0 || rc == ERR_NOMEM || rc == ERR_LIMIT);
		if (rc == 0 && show(arena, &again, &twice))
			assert(str_equal(buf_text(&once), buf_text(&twice)));
	}
	buf_deinit(&once);
	buf_deinit(&twice);
}

static void decode(struct arena *arena, struct str text)
{
	struct server_config config;
	struct runtime_tenant *rows = NULL;
	struct policy policy;
	size_t count = 0;
	struct err err;

	if (server_config_default(arena, &config, &err) ||
	    runtime_decode(arena, &config, text, &rows, &count, &err))
		return;
	for (size_t i = 0; i < count && i < 4; i++) {
		must_read_back(arena, &config, &rows[i].limits);
		if (policy_init(&policy, &config, &rows[i].limits, &err) == 0)
			policy_deinit(&policy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct buf text = {0};

	if (size > INPUT_MAX_BYTES)
		return 0;
	arena_init(&arena, ARENA_LIMIT_BYTES);
	/* As runtime_read() puts files together. */
	buf_append(&text, "\0f\0", 3);
	buf_append(&text, data, size);
	decode(&arena, buf_text(&text));
	buf_deinit(&text);
	arena_deinit(&arena);
	return 0;
}
