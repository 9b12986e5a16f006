#include "server/runtime_file.h"

#include <stdlib.h>

#include "base/fd.h"
#include "server/config_flags.h"

/* Before each file's text: a NUL, its name, a NUL. YAML has no NUL. */
enum { SEPARATOR = '\0' };

struct runtime {
	const struct config_node *overrides;
};

static const struct config_row runtime_rows[] = {
	{.key = "overrides",
	 .type = CONFIG_TREE,
	 CONFIG_FIELD(runtime, overrides),
	 .help = "limits by tenant"},
	IGNORED("multi_kv_config"),
	IGNORED("ingester_limits"),
	IGNORED("distributor_limits"),
};

static const struct config_schema runtime_schema = CONFIG_SCHEMA(NULL, runtime, runtime_rows);

/* ---- reading ---- */

static int append_file(const char *path, bool expand, struct buf *out, struct err *err)
{
	struct buf text = {0};
	struct arena arena;
	struct str expanded;

	arena_init(&arena, 0);
	int rc = fd_read_file(path, CONFIG_FILE_MAX_BYTES, &text, err);
	expanded = buf_text(&text);
	if (rc == 0 && expand)
		rc = config_expand_text(&arena, buf_text(&text), NULL, &expanded, err);
	if (rc == 0 && memchr(expanded.ptr, SEPARATOR, expanded.len))
		rc = err_set(err, ERR_INVALID, "%s: has a NUL byte", path);
	if (rc == 0) {
		buf_char(out, SEPARATOR);
		buf_cstr(out, path);
		buf_char(out, SEPARATOR);
		buf_str(out, expanded);
		rc = buf_check(out, "the runtime configuration", err);
	}
	arena_deinit(&arena);
	buf_deinit(&text);
	return rc;
}

int runtime_read(const struct server_config *config, struct buf *ret, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < config->runtime_files.count && !rc; i++) {
		struct str path = str_trim(config->runtime_files.items[i]);
		char name[4096];
		str_copy(name, sizeof(name), path);
		if (path.len > 0)
			rc = append_file(name, config->expand_env, ret, err);
	}
	return rc;
}

/* ---- decoding ---- */

static int parse(struct arena *arena, struct str text, struct config_node **ret, struct err *err)
{
	struct str rest = str_sub(text, 1, SIZE_MAX), name, body;
	int rc = 0;

	*ret = NULL;
	if (text.len == 0)
		return 0;
	while (rc == 0 && str_next(&rest, SEPARATOR, &name)) {
		struct config_node *node = NULL;
		struct str file = arena_str(arena, name);
		if (!str_next(&rest, SEPARATOR, &body))
			body = STR("");
		if (!file.ptr)
			return err_set(err, ERR_NOMEM, "no memory for the runtime configuration");
		rc = config_parse(arena, file.ptr, body, &node, err);
		rc = rc ? rc : config_merge(arena, ret, node, err);
	}
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return str_compare(((const struct runtime_tenant *)a)->name,
			   ((const struct runtime_tenant *)b)->name);
}

static int decode_tenants(struct config_decoder *dec, const struct server_config *config,
			  const struct config_node *overrides, struct runtime_tenant *rows,
			  struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < overrides->count && !rc; i++) {
		struct str root = arena_printf(dec->arena, "overrides.%.*s",
					       STR_ARG(overrides->entries[i].key));
		if (!root.ptr)
			return err_set(err, ERR_NOMEM, "no memory for the limits of tenants");
		dec->root = root.ptr;
		rows[i].name = overrides->entries[i].key;
		rows[i].limits = config->limits;
		rc = config_decode(dec, &server_limits_schema, overrides->entries[i].value,
				   &rows[i].limits, err);
	}
	return rc;
}

static int check_overrides(const struct config_node *overrides, struct err *err)
{
	if (overrides->kind != CONFIG_MAP)
		return config_err(overrides, err, ERR_INVALID,
				  "\"overrides\" is not a map from tenants to their limits");
	if (overrides->count > RUNTIME_TENANTS_MAX)
		return config_err(overrides, err, ERR_LIMIT, "limits of more than %d tenants",
				  RUNTIME_TENANTS_MAX);
	return 0;
}

int runtime_decode(struct arena *arena, const struct server_config *config, struct str text,
		   struct runtime_tenant **ret, size_t *ret_count, struct err *err)
{
	struct config_decoder dec = {.arena = arena, .style = CONFIG_PYROSCOPE};
	struct config_node *root = NULL;
	struct runtime runtime = {NULL};

	*ret_count = 0;
	int rc = parse(arena, text, &root, err);
	rc = rc ? rc : config_decode(&dec, &runtime_schema, root, &runtime, err);
	if (rc || !runtime.overrides)
		return rc;
	rc = check_overrides(runtime.overrides, err);
	if (rc)
		return rc;
	*ret = arena_zalloc(arena, runtime.overrides->count + 1, sizeof(**ret));
	if (!*ret)
		return err_set(err, ERR_NOMEM, "no memory for the limits of tenants");
	rc = decode_tenants(&dec, config, runtime.overrides, *ret, err);
	if (rc)
		return rc;
	*ret_count = runtime.overrides->count;
	qsort(*ret, *ret_count, sizeof(**ret), by_name);
	return 0;
}
