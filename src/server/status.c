#include "server/status.h"

#include "server/api.h"
#include "server/config_flags.h"

static void answer_yaml(const struct net_request *request, struct net_answer *answer, int rc,
			const struct config_node *root, const struct err *err)
{
	if (rc) {
		api_error(answer, err);
		return;
	}
	answer->status = 200;
	config_print(root, false, &answer->body);
	net_answer_header(answer, STR("content-type"), STR("text/plain; charset=utf-8"));
	net_answer_header(answer, STR("cache-control"), STR("no-store"));
	net_answer_header(answer, STR("x-content-type-options"), STR("nosniff"));
	net_answer_gzip(request, answer);
}

/* A URL may hold a name and a password. */
static int show(const struct server_config *config, struct arena *arena, struct config_node **ret,
		struct err *err)
{
	struct server_config shown = *config;

	if (str_find_char(shown.debuginfod_url, '@') >= 0)
		shown.debuginfod_url = STR("[REDACTED]");
	return config_show(&server_config_schema, arena, &shown, ret, err);
}

static int show_default(struct arena *arena, struct config_node **ret, struct err *err)
{
	struct server_config config;
	int rc = server_config_default(arena, &config, err);
	return rc ? rc : show(&config, arena, ret, err);
}

void status_config(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct status *status = user;
	struct settings *settings = settings_get(status->settings);
	struct config_node *root = NULL;
	struct err err;

	int rc = show(settings_config(settings), request->arena, &root, &err);
	answer_yaml(request, answer, rc, root, &err);
	settings_put(settings);
}

void status_config_diff(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct status *status = user;
	struct settings *settings = settings_get(status->settings);
	struct config_node *root = NULL, *before = NULL;
	struct err err;

	int rc = show(settings_config(settings), request->arena, &root, &err);
	rc = rc ? rc : show_default(request->arena, &before, &err);
	rc = rc ? rc : config_diff(request->arena, root, before, &root, &err);
	answer_yaml(request, answer, rc, root, &err);
	settings_put(settings);
}

void status_config_default(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct config_node *root = NULL;
	struct err err;

	(void)user;
	int rc = show_default(request->arena, &root, &err);
	answer_yaml(request, answer, rc, root, &err);
}

/* ---- limits ---- */

static int show_limits(const struct policy *policy, struct arena *arena, struct config_node **ret,
		       struct err *err)
{
	return config_show(&server_limits_schema, arena, &policy->limits, ret, err);
}

/* "overrides:" and a part for each tenant, as in the file. */
static int show_runtime(const struct settings *settings, bool diff, struct arena *arena,
			struct config_node **ret, struct err *err)
{
	struct config_node *everybody = NULL, *limits = NULL, *all;
	const struct policy_tenant *tenants;
	size_t count = settings_tenants(settings, &tenants);

	int rc = show_limits(settings_policy(settings, STR("")), arena, &everybody, err);
	rc = rc ? rc : config_map_create(arena, &all, err);
	for (size_t i = 0; i < count && !rc; i++) {
		rc = show_limits(&tenants[i].policy, arena, &limits, err);
		if (rc == 0 && diff)
			rc = config_diff(arena, limits, everybody, &limits, err);
		rc = rc ? rc : config_map_add(arena, all, tenants[i].name, limits, err);
	}
	rc = rc ? rc : config_map_create(arena, ret, err);
	return rc ? rc : config_map_add(arena, *ret, STR("overrides"), all, err);
}

void status_runtime(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct status *status = user;
	struct settings *settings = settings_get(status->settings);
	bool diff = str_equal(net_query_get(request, STR("mode")), STR("diff"));
	struct config_node *root = NULL;
	struct err err;

	int rc = show_runtime(settings, diff, request->arena, &root, &err);
	answer_yaml(request, answer, rc, root, &err);
	settings_put(settings);
}

void status_tenant_limits(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct status *status = user;
	struct settings *settings = settings_get(status->settings);
	struct config_node *root = NULL;
	struct str tenant = STR("");
	struct err err;

	int rc = ingest_tenant(status->ingest, request, &tenant, &err);
	rc = rc ? rc : show_limits(settings_policy(settings, tenant), request->arena, &root, &err);
	answer_yaml(request, answer, rc, root, &err);
	settings_put(settings);
}
