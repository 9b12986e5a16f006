#include "shapes.h"

static const char *const actions[] = {"replace", "labelmap", "drop", NULL};
static const char *const levels[] = {"debug", "info", "warn", NULL};

static const struct config_row rule_rows[] = {
	{.key = "regex", .type = CONFIG_STRING, CONFIG_FIELD(rule, regex), .fallback = "(.*)"},
	{.key = "action",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(rule, action),
	 .choices = actions,
	 .required = true},
	{.key = "source_labels",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(rule, source_labels),
	 .max = 3},
};
static const struct config_schema rule_schema =
	CONFIG_SCHEMA("rule", rule, rule_rows, .help = "One relabelling rule");

static int check_tls(const void *target, struct err *err)
{
	const struct tls *tls = target;

	if (tls->cert_file.len && !tls->key_file.len)
		return err_set(err, ERR_INVALID, "cert_file needs key_file");
	return 0;
}

static const struct config_row tls_rows[] = {
	{.key = "insecure",
	 .type = CONFIG_BOOL,
	 CONFIG_FIELD(tls, insecure),
	 .flag = "insecure",
	 .help = "no TLS"},
	{.key = "cert_file", .type = CONFIG_STRING, CONFIG_FIELD(tls, cert_file), .flag = "cert"},
	{.key = "key_file", .type = CONFIG_STRING, CONFIG_FIELD(tls, key_file), .flag = "key"},
};
static const struct config_schema tls_schema =
	CONFIG_SCHEMA("tls", tls, tls_rows, .check = check_tls);

static const struct config_row queue_rows[] = {
	{.key = "enabled", .type = CONFIG_BOOL, CONFIG_FIELD(queue, enabled), .fallback = "true"},
	{.key = "size",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(queue, size),
	 .fallback = "1000",
	 .min = 1,
	 .max = 1e6,
	 .unit = "requests"},
};
static const struct config_schema queue_schema =
	CONFIG_SCHEMA("queue", queue, queue_rows, .help = "Queue");

static int decode_custom(struct config_decoder *dec, const struct config_node *node, void *field,
			 struct err *err)
{
	(void)dec;
	if (!str_equal(node->text, STR("forty-two")))
		return err_set(err, ERR_INVALID, "is not forty-two");
	*(uint32_t *)field = 42;
	return 0;
}

static const struct config_row rows[] = {
	{.key = "config.file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(shape, config_file),
	 .flag = "config.file",
	 .flag_only = true,
	 .help = "where the configuration is"},
	{.key = "endpoint",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(shape, endpoint),
	 .fallback = "localhost:4317",
	 .flag = "endpoint",
	 .help = "where to send"},
	{.key = "verbose",
	 .type = CONFIG_BOOL,
	 CONFIG_FIELD(shape, verbose),
	 .flag = "verbose",
	 .flag_alias = "v"},
	{.key = "offset", .type = CONFIG_INT, CONFIG_FIELD(shape, offset), .flag = "offset"},
	{.key = "server.http_listen_port",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(shape, port),
	 .fallback = "4040",
	 .flag = "server.http-listen-port",
	 .help = "HTTP port"},
	{.key = "server.big", .type = CONFIG_UINT, CONFIG_FIELD(shape, big)},
	{.key = "ratio",
	 .type = CONFIG_FLOAT,
	 CONFIG_FIELD(shape, ratio),
	 .fallback = "0.2",
	 .max = 1},
	{.key = "timeout",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(shape, timeout_ns),
	 .fallback = "5s",
	 .min = 0.001,
	 .max = 60,
	 .flag = "timeout",
	 .help = "per attempt"},
	{.key = "limit",
	 .type = CONFIG_SIZE,
	 CONFIG_FIELD(shape, limit_bytes),
	 .fallback = "4MiB",
	 .max = 1 << 30,
	 .flag = "limit"},
	{.key = "level",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(shape, level),
	 .choices = levels,
	 .fallback = "info",
	 .flag = "log.level",
	 .help = "what to log"},
	{.key = "names",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(shape, names),
	 .fallback = "x,y",
	 .flag = "name",
	 .max = 20},
	{.key = "headers",
	 .type = CONFIG_STRING_MAP,
	 CONFIG_FIELD(shape, headers),
	 .flag = "header"},
	{.key = "tls",
	 .type = CONFIG_SECTION,
	 CONFIG_FIELD(shape, tls),
	 .section = &tls_schema,
	 .flag = "tls."},
	{.key = "sending_queue",
	 .type = CONFIG_SECTION,
	 CONFIG_FIELD(shape, queue),
	 .section = &queue_schema,
	 CONFIG_PRESENCE(shape, queue_given)},
	{.key = "rules",
	 .type = CONFIG_SECTIONS,
	 CONFIG_FIELD(shape, rules),
	 .section = &rule_schema,
	 .flag = "rules"},
	{.key = "tenants",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(shape, tenants),
	 .section = &queue_schema},
	{.key = "tree", .type = CONFIG_TREE, CONFIG_FIELD(shape, tree)},
	{.key = "custom",
	 .type = CONFIG_CUSTOM,
	 CONFIG_FIELD(shape, custom),
	 .decode = decode_custom},
	{.key = "token",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(shape, token),
	 .secret = true,
	 .fallback = "hidden-default",
	 .flag = "token"},
	{.key = "memberlist", .type = CONFIG_IGNORED},
	{.key = "keepalive.time",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(shape, keepalive_ns),
	 CONFIG_PRESENCE(shape, keepalive_given)},
};

const struct config_schema shape_schema = CONFIG_SCHEMA("shape", shape, rows, .help = "All types");
