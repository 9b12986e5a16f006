/* Defaults, file and flags on top of each other, as Pyroscope does it. */
#include "server/server.h"

#include "base/fd.h"
#include "server/config_flags.h"
#include "server/rules.h"
#include "server/tls_config.h"

int server_config_default(struct arena *arena, struct server_config *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	return config_defaults(&server_config_schema, arena, ret, err);
}

void server_config_help(struct buf *out)
{
	config_help_flags(&server_config_schema, "-", out);
	buf_cstr(out, "  -distributor.ingestion-relabeling-rules=YAML\n"
		      "        limits.ingestion_relabeling_rules, a list of rules\n"
		      "  -distributor.sample-type-relabeling-rules=YAML\n"
		      "        limits.sample_type_relabeling_rules, a list of rules\n"
		      "  -compaction-worker.metrics-exporter.rules-source.static=YAML\n"
		      "        limits.recording_rules, a list of rules\n");
}

static int read_text(struct arena *arena, const struct server_config *config, struct str *ret,
		     struct err *err)
{
	struct buf text;
	buf_init(&text, 0);
	int rc = fd_read_file(config->file.ptr, CONFIG_FILE_MAX_BYTES, &text, err);
	if (rc == 0 && config->expand_env)
		rc = config_expand_text(arena, buf_text(&text), NULL, ret, err);
	else if (rc == 0)
		*ret = arena_str(arena, buf_text(&text));
	buf_deinit(&text);
	if (rc == 0 && !ret->ptr)
		rc = err_set(err, ERR_NOMEM, "%s: no memory to read it", config->file.ptr);
	return rc;
}

static int read_file(struct config_decoder *dec, struct server_config *config, struct err *err)
{
	struct config_node *root;
	struct str text = {NULL, 0};

	int rc = read_text(dec->arena, config, &text, err);
	if (rc == 0)
		rc = config_parse(dec->arena, config->file.ptr, text, &root, err);
	if (rc == 0)
		rc = config_decode(dec, &server_config_schema, root, config, err);
	return rc ? err_wrap(err, "failed parsing config") : 0;
}

static bool is_object_store(struct str backend)
{
	static const char *const names[] = {"s3", "gcs", "azure", "swift", "cos"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_equal(backend, str_of(names[i])))
			return true;
	return false;
}

/* "/cresset" */
static int check_prefix(struct str prefix, struct err *err)
{
	if (prefix.len == 0 || (prefix.ptr[0] == '/' && prefix.ptr[prefix.len - 1] != '/' &&
				str_find_char(prefix, '*') < 0))
		return 0;
	return err_set(err, ERR_INVALID,
		       "server.http_path_prefix: \"%.*s\" does not begin with a slash",
		       STR_ARG(prefix));
}

static void warn_of_grpc_tls(const struct config_decoder *dec, const struct server_config *config)
{
	const struct server_tls *tls = &config->http.grpc_tls;
	if (dec->warn && tls->cert_file.len + tls->cert.len > 0)
		dec->warn(dec->data,
			  "server.grpc_tls_config: has no effect here; gRPC is served on the HTTP "
			  "port, with the certificate of server.http_tls_config");
}

static int check(const struct config_decoder *dec, const struct server_config *config,
		 struct err *err)
{
	if (!str_equal(config->target, STR("all")))
		return err_set(err, ERR_INVALID,
			       "-target=%.*s: the server is one program, only -target=all is there",
			       STR_ARG(config->target));
	if (is_object_store(config->storage_backend)) {
		if (dec->warn)
			dec->warn(dec->data,
				  "storage.backend: object stores are not used; profiles are "
				  "kept on the local disk");
	} else if (config->storage_backend.len > 0 &&
		   !str_equal(config->storage_backend, STR("filesystem"))) {
		return err_set(err, ERR_INVALID, "-storage.backend=%.*s: only filesystem is there",
			       STR_ARG(config->storage_backend));
	}
	uint64_t size_bytes;
	double share;
	int version;
	int rc = server_retention_size(config->limits.retention_size, &size_bytes, &share, err);
	if (rc == 0)
		rc = server_tls_check(&config->http.tls, err);
	if (rc == 0)
		rc = server_tls_version(config->http.tls_min_version, &version, err);
	if (rc == 0)
		rc = check_prefix(config->http.path_prefix, err);
	if (rc == 0)
		rc = rules_check_config(&config->rules, err);
	warn_of_grpc_tls(dec, config);
	return rc;
}

int server_config_load(struct arena *arena, int argc, char *const *argv,
		       void (*warn)(void *data, const char *text), void *data,
		       struct server_config *ret, struct err *err)
{
	struct config_decoder dec = {.arena = arena,
				     .style = CONFIG_PYROSCOPE,
				     .warn = warn,
				     .data = data};
	struct server_args args;

	int rc = server_config_default(arena, ret, err);
	if (rc == 0)
		rc = server_args_split(&dec, argc, argv, &args, err);
	if (rc == 0)
		rc = config_flags(&server_config_schema, arena, ret, args.count, args.items, NULL,
				  err);
	ret->wrong_usage = rc == ERR_INVALID;
	if (rc == 0 && ret->file.len > 0) {
		rc = read_file(&dec, ret, err);
		if (rc == 0)
			rc = config_flags(&server_config_schema, arena, ret, args.count, args.items,
					  NULL, err);
	}
	rc = rc ? rc : server_args_yaml(&dec, &args, ret, err);
	/* As Go's server takes it, "/cresset/" is the same. */
	while (rc == 0 && str_ends_with(ret->http.path_prefix, STR("/")))
		ret->http.path_prefix.len--;
	return rc ? rc : check(&dec, ret, err);
}
