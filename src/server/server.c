/* Putting the parts together: store, ingest, query API, symbols, page, one listener. */
#include "server/server.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "net/net.h"
#include "server/api.h"
#include "server/assets.h"
#include "server/config_flags.h"
#include "server/debuginfo_api.h"
#include "server/debuginfod.h"
#include "server/guard.h"
#include "server/ingest.h"
#include "server/pages.h"
#include "server/reload.h"
#include "server/render.h"
#include "server/retention.h"
#include "server/rules.h"
#include "server/settings.h"
#include "server/status.h"
#include "server/symbols_api.h"
#include "server/tenant_files.h"
#include "server/tls_config.h"
#include "store/engine.h"

struct server {
	struct store *store;
	const char *store_path;
	struct ingest *ingest;
	struct net_server *net;
	struct debuginfod *debuginfod; /* fetches */
	struct rules *rules;	       /* evaluates; NULL: not */
	struct symbols_api symbols;
	struct debuginfo_api *debuginfo;
	struct api api;
	struct settings_box *settings;
	struct guard guard;
	struct status status;
	struct reload reload;
	struct tenant_files files;
	struct arena arena; /* routes and texts */
	struct net_route *routes;
	size_t route_count, route_cap;
	bool routes_failed; /* no memory for one */
};

/* ---- routes ---- */

static void add_route(struct server *server, struct net_route route)
{
	struct net_route *routes = arena_grow(&server->arena, server->routes, &server->route_cap,
					      server->route_count + 1, sizeof(*routes));
	if (!routes) {
		server->routes_failed = true;
		return;
	}
	server->routes = routes;
	routes[server->route_count++] = route;
}

/* body_bytes: its largest message. */
static void add_rpc(struct server *server, const struct api_rpc *rpc, size_t body_bytes)
{
	struct api_endpoint *endpoint = arena_zalloc(&server->arena, 1, sizeof(*endpoint));
	if (!endpoint) {
		server->routes_failed = true;
		return;
	}
	*endpoint = (struct api_endpoint){&server->api, rpc, body_bytes};
	add_route(server, (struct net_route){.method = "*",
					     .path = rpc->path,
					     .handler = api_serve,
					     .user = endpoint,
					     .body_limit_bytes = body_bytes});
}

static void add_api_routes(struct server *server)
{
	const struct api_rpc *rpc;
	for (size_t i = 0; (rpc = api_rpc_at(i)) != NULL; i++)
		add_rpc(server, rpc, api_body_bytes(rpc));
	add_rpc(server, &api_push, ingest_message_bytes(server->ingest));
}

static void add_fixed_routes(struct server *server)
{
	const struct net_route routes[] = {
		{.method = "*",
		 .path = INGEST_GRPC_PATH,
		 .handler = ingest_grpc,
		 .user = server->ingest},
		{.method = "*",
		 .path = INGEST_GRPC_PATH_EXPERIMENTAL,
		 .handler = ingest_grpc,
		 .user = server->ingest},
		{.method = "*",
		 .path = INGEST_GRPC_PATH_V1,
		 .handler = ingest_grpc,
		 .user = server->ingest},
		{.method = "*",
		 .path = INGEST_HTTP_PATH_EXPERIMENTAL,
		 .handler = ingest_http,
		 .user = server->ingest},
		{.method = "*",
		 .path = INGEST_HTTP_PATH,
		 .handler = ingest_http,
		 .user = server->ingest},
		{.method = "POST",
		 .path = INGEST_LEGACY_PATH,
		 .handler = ingest_legacy,
		 .user = server->ingest},
		{.method = "POST",
		 .path = "/pyroscope" INGEST_LEGACY_PATH,
		 .handler = ingest_legacy,
		 .user = server->ingest},
		{.method = "POST",
		 .path = SYMBOLS_API_PATH,
		 .handler = symbols_api_upload,
		 .user = &server->symbols,
		 .body_limit_bytes = SYMBOLS_PACKED_MAX},
		{.method = "GET",
		 .path = SYMBOLS_API_PATH,
		 .handler = symbols_api_list,
		 .user = &server->symbols},
		{.method = "DELETE",
		 .path = SYMBOLS_API_PATH "/*",
		 .handler = symbols_api_delete,
		 .user = &server->symbols},
		{.method = "GET",
		 .path = "/pyroscope/render",
		 .handler = render_serve,
		 .user = &server->api},
		{.method = "GET", .path = "/render", .handler = render_serve, .user = &server->api},
		{.method = "GET",
		 .path = "/pyroscope/render-diff",
		 .handler = render_diff_serve,
		 .user = &server->api},
		{.method = "GET",
		 .path = "/render-diff",
		 .handler = render_diff_serve,
		 .user = &server->api},
		{.method = "GET",
		 .path = "/pyroscope/label-values",
		 .handler = render_label_values,
		 .user = &server->api},
		{.method = "GET",
		 .path = "/label-values",
		 .handler = render_label_values,
		 .user = &server->api},
		{.method = "POST",
		 .path = DEBUGINFO_UPLOAD_PATH "*",
		 .handler = debuginfo_api_upload,
		 .user = server->debuginfo,
		 .body_limit_bytes = SYMBOLS_PACKED_MAX},
		{.method = "GET", .path = "/ready", .handler = pages_ready, .on_loop = true},
		{.method = "GET", .path = "/metrics", .handler = pages_metrics},
		{.method = "GET",
		 .path = "/debug/pprof/*",
		 .handler = pages_pprof,
		 .on_loop = true},
		{.method = "GET",
		 .path = "/api/v1/status/buildinfo",
		 .handler = pages_buildinfo,
		 .on_loop = true},
		{.method = "GET",
		 .path = "/api/v1/status/config",
		 .handler = status_config,
		 .user = &server->status},
		{.method = "GET",
		 .path = "/api/v1/status/config/diff",
		 .handler = status_config_diff,
		 .user = &server->status},
		{.method = "GET",
		 .path = "/api/v1/status/config/default",
		 .handler = status_config_default,
		 .user = &server->status},
		{.method = "GET",
		 .path = "/runtime_config",
		 .handler = status_runtime,
		 .user = &server->status},
		{.method = "GET",
		 .path = "/api/v1/tenant_limits",
		 .handler = status_tenant_limits,
		 .user = &server->status},
		{.method = "GET", .path = "/", .handler = assets_serve, .on_loop = true},
		{.method = "GET", .path = "/assets/*", .handler = assets_serve, .on_loop = true},
		{.method = "GET", .path = "/favicon.*", .handler = assets_serve, .on_loop = true},
		{.method = "*", .path = "/*", .handler = api_not_found, .on_loop = true},
	};
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		add_route(server, routes[i]);
}

static int make_routes(struct server *server, struct err *err)
{
	add_api_routes(server);
	add_fixed_routes(server);
	if (server->routes_failed)
		return err_set(err, ERR_NOMEM, "no memory for the routes");
	return guard_routes(&server->guard, &server->arena, server->routes, server->route_count,
			    err);
}

/* ---- parts ---- */

static struct str data_path(const struct server_config *config)
{
	if (config->data_path.len > 0)
		return config->data_path;
	return config->storage_dir.len > 0 ? config->storage_dir : STR("./data");
}

static int open_store(struct server *server, const struct server_config *config, struct err *err)
{
	struct str path = arena_printf(&server->arena, "%.*s/store", STR_ARG(data_path(config)));
	if (!path.ptr)
		return err_set(err, ERR_NOMEM, "no memory for the path of the store");
	server->store_path = path.ptr;
	struct store_options options = {
		.path = path.ptr,
		.memory_bytes = config->memory_bytes,
		.group_commit_ns =
			config->group_commit_ns > 0 ? (uint64_t)config->group_commit_ns : 1,
	};
	int rc = server_retention(config, &server->arena, &options.retention, err);
	if (rc)
		return rc;
	rc = fd_make_dirs(path.ptr, 0750, err);
	if (rc)
		return err_wrap(err, "making the directory of the store (-pyroscopedb.data-path)");
	return store_open(&options, &server->store, err);
}

static int open_ingest(struct server *server, const struct server_config *config, struct err *err)
{
	struct ingest_config ingest;
	size_t default_bytes;

	ingest_config_default(&ingest);
	default_bytes = ingest.message_bytes;
	ingest.multitenancy = config->multitenancy;
	ingest.message_bytes = policy_message_bytes(config, &config->limits, default_bytes);
	/* A smaller limit is a tenant's own, and its to change. */
	if (ingest.message_bytes < default_bytes)
		ingest.message_bytes = default_bytes;
	int rc = settings_open(config, &server->settings, err);
	rc = rc ? rc : ingest_create(&ingest, server->store, &server->ingest, err);
	if (rc == 0)
		ingest_use_settings(server->ingest, server->settings);
	return rc;
}

static int start_debuginfod(struct server *server, const struct server_config *config,
			    struct err *err)
{
	const struct debuginfod_config debuginfod = {.url = config->debuginfod_url.ptr,
						     .interval_ns = config->debuginfod_interval_ns};
	if (config->debuginfod_url.len == 0)
		return 0;
	return debuginfod_start(&debuginfod, server->store, &server->debuginfod, err);
}

static int start_rules(struct server *server, const struct server_config *config, struct err *err)
{
	const struct rules_config rules = {
		.address = config->rules.remote_write_address,
		.interval_ns = (uint64_t)config->rules.interval_ns,
		.delay_ns = (uint64_t)config->rules.delay_ns,
	};
	if (!rules_are_on(&config->rules))
		return 0;
	int rc = rules_create(&rules, server->store, &server->files, server->settings,
			      &server->rules, err);
	return rc ? rc : rules_start(server->rules, err);
}

static void set_net_limits(const struct server_config *config, struct net_limits *limits)
{
	const struct server_http *http = &config->http;
	size_t message = policy_message_bytes(config, &config->limits, 0);

	net_limits_default(limits);
	if (http->connections > 0)
		limits->connections = http->connections;
	if (message > limits->body_bytes)
		limits->body_bytes = message;
	if (http->streams > 0)
		limits->streams_per_connection = http->streams;
	if (http->header_timeout_ns > 0)
		limits->header_timeout_ns = (uint64_t)http->header_timeout_ns;
	if (http->read_timeout_ns > 0)
		limits->body_timeout_ns = (uint64_t)http->read_timeout_ns;
	if (http->idle_timeout_ns > 0)
		limits->idle_timeout_ns = (uint64_t)http->idle_timeout_ns;
	if (http->graceful_ns > 0)
		limits->graceful_ns = (uint64_t)http->graceful_ns;
}

static int listen(struct server *server, const struct server_config *config, struct err *err)
{
	const struct server_http *http = &config->http;
	bool brackets = str_find_char(http->address, ':') >= 0 && http->address.ptr[0] != '[';
	struct str address = arena_printf(&server->arena, brackets ? "[%.*s]:%u" : "%.*s:%u",
					  STR_ARG(http->address), http->port);
	struct net_tls_config tls;
	bool tls_on = false;
	struct net_server_config net = {.listen = address.ptr,
					.routes = server->routes,
					.route_count = server->route_count,
					.gate = guard_gate,
					.gate_user = &server->guard};

	if (!address.ptr)
		return err_set(err, ERR_NOMEM, "no memory for the address");
	int rc = server_tls_net(http, &tls, &tls_on, err);
	net.tls = tls_on ? &tls : NULL;
	set_net_limits(config, &net.limits);
	rc = rc ? rc : net_server_start(&net, &server->net, err);
	if (rc == 0 && config->unix_socket)
		rc = net_server_listen(server->net, config->unix_socket, err);
	return rc;
}

/* ---- the door ---- */

static int start(struct server *server, const struct server_config *config, struct err *err)
{
	struct str files = arena_printf(&server->arena, "%.*s/tenants", STR_ARG(data_path(config)));
	tenant_files_init(&server->files, files);
	int rc = open_store(server, config, err);
	if (rc == 0)
		rc = open_ingest(server, config, err);
	if (rc)
		return rc;
	server->files.store = server->store;
	symbols_api_init(&server->symbols, server->store, server->ingest);
	rc = debuginfo_api_create(&server->symbols, &server->debuginfo, err);
	if (rc)
		return rc;
	server->api = (struct api){server->store,  server->ingest,    &config->limits,
				   &server->files, server->debuginfo, rules_are_on(&config->rules)};
	server->guard = (struct guard){server->settings, config->http.path_prefix};
	server->status = (struct status){server->settings, server->ingest};
	rc = make_routes(server, err);
	rc = rc ? rc : start_debuginfod(server, config, err);
	rc = rc ? rc : start_rules(server, config, err);
	rc = rc ? rc : listen(server, config, err);
	if (rc)
		return rc;
	server->reload.settings = server->settings;
	server->reload.store = server->store;
	server->reload.net = server->net;
	server->reload.first = config;
	return reload_start(&server->reload, err);
}

int server_start(const struct server_config *config, struct server **ret, struct err *err)
{
	struct server *server = mem_zalloc(1, sizeof(*server));
	if (!server)
		return err_set(err, ERR_NOMEM, "no memory for the server");
	int rc = start(server, config, err);
	if (rc) {
		server_stop(server);
		return rc;
	}
	*ret = server;
	return 0;
}

const char *server_store_path(const struct server *server)
{
	return server->store_path;
}

const char *server_address(const struct server *server)
{
	return net_server_address(server->net);
}

int server_reload(struct server *server, struct arena *arena, const struct server_config *config,
		  struct buf *report, struct err *err)
{
	return reload_config(&server->reload, arena, config, report, err);
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	reload_stop(&server->reload);
	net_server_stop(server->net);
	debuginfod_stop(server->debuginfod);
	rules_destroy(server->rules);
	ingest_destroy(server->ingest);
	settings_close(server->settings);
	store_close(server->store);
	tenant_files_deinit(&server->files);
	debuginfo_api_destroy(server->debuginfo);
	arena_deinit(&server->arena);
	mem_free(server);
}
