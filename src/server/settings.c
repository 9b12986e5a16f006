/* A generation has two parts: the base (configuration, secrets), which only a
 * reload makes anew, and the policies, which a change of the runtime file makes
 * anew over the same base. */
#include "server/settings.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "server/runtime_file.h"
#include "server/tenant_state.h"

struct base {
	_Atomic int refs;
	struct arena arena; /* of a configuration that was read anew; else empty */
	struct server_config config;
	struct auth *auth;
};

struct settings {
	_Atomic int refs;
	struct base *base;
	struct arena arena; /* limits of the tenants */
	struct str runtime; /* the runtime file's text, to see whether it changed */
	struct policy everybody;
	struct policy_tenant *tenants;
	size_t tenant_count;
};

struct settings_box {
	pthread_mutex_t lock;	/* guards now */
	pthread_mutex_t change; /* one reload at a time */
	struct settings *now;
	struct tenant_states *states;
};

/* ---- bases ---- */

static void base_put(struct base *base)
{
	if (!base || atomic_fetch_sub(&base->refs, 1) != 1)
		return;
	auth_destroy(base->auth);
	arena_deinit(&base->arena);
	mem_free(base);
}

static int base_create(const struct server_config *config, struct base **ret, struct err *err)
{
	struct base *base = mem_zalloc(1, sizeof(*base));
	if (!base)
		return err_set(err, ERR_NOMEM, "no memory for the settings");
	atomic_init(&base->refs, 1);
	base->config = *config;
	int rc = auth_create(&config->auth, config->multitenancy, &base->auth, err);
	if (rc) {
		base_put(base);
		return rc;
	}
	*ret = base;
	return 0;
}

/* ---- generations ---- */

void settings_put(struct settings *settings)
{
	if (!settings || atomic_fetch_sub(&settings->refs, 1) != 1)
		return;
	policy_deinit(&settings->everybody);
	for (size_t i = 0; i < settings->tenant_count; i++)
		policy_deinit(&settings->tenants[i].policy);
	arena_deinit(&settings->arena);
	base_put(settings->base);
	mem_free(settings);
}

static int add_tenants(struct settings *settings, const struct runtime_tenant *rows, size_t count,
		       struct err *err)
{
	int rc = 0;

	settings->tenants = arena_zalloc(&settings->arena, count + 1, sizeof(*settings->tenants));
	if (!settings->tenants)
		return err_set(err, ERR_NOMEM, "no memory for the limits of tenants");
	for (size_t i = 0; i < count && !rc; i++) {
		struct policy_tenant *tenant = &settings->tenants[i];
		tenant->name = rows[i].name;
		rc = policy_init(&tenant->policy, &settings->base->config, &rows[i].limits, err);
		if (rc)
			err_wrap(err, "overrides.%.*s", STR_ARG(rows[i].name));
		else
			settings->tenant_count++;
	}
	return rc;
}

static int fill(struct settings *settings, struct str runtime, struct err *err)
{
	const struct server_config *config = &settings->base->config;
	struct runtime_tenant *rows = NULL;
	size_t count = 0;

	settings->runtime = arena_str(&settings->arena, runtime);
	if (!settings->runtime.ptr)
		return err_set(err, ERR_NOMEM, "no memory for the runtime configuration");
	int rc = policy_init(&settings->everybody, config, &config->limits, err);
	if (rc == 0)
		rc = runtime_decode(&settings->arena, config, settings->runtime, &rows, &count,
				    err);
	return rc ? rc : add_tenants(settings, rows, count, err);
}

/* Takes a reference of the base. */
static int settings_create(struct base *base, struct str runtime, struct settings **ret,
			   struct err *err)
{
	struct settings *settings = mem_zalloc(1, sizeof(*settings));
	if (!settings)
		return err_set(err, ERR_NOMEM, "no memory for the settings");
	atomic_init(&settings->refs, 1);
	atomic_fetch_add(&base->refs, 1);
	settings->base = base;
	int rc = fill(settings, runtime, err);
	if (rc) {
		settings_put(settings);
		return rc;
	}
	*ret = settings;
	return 0;
}

static int create_from_files(struct base *base, struct settings **ret, struct err *err)
{
	struct buf text = {0};
	int rc = runtime_read(&base->config, &text, err);
	rc = rc ? rc : settings_create(base, buf_text(&text), ret, err);
	buf_deinit(&text);
	return rc;
}

/* ---- the box ---- */

int settings_open(const struct server_config *config, struct settings_box **ret, struct err *err)
{
	struct settings_box *box = mem_zalloc(1, sizeof(*box));
	struct base *base = NULL;

	if (!box)
		return err_set(err, ERR_NOMEM, "no memory for the settings");
	pthread_mutex_init(&box->lock, NULL);
	pthread_mutex_init(&box->change, NULL);
	box->states = tenant_states_create();
	int rc = box->states ? 0 : err_set(err, ERR_NOMEM, "no memory for the settings");
	rc = rc ? rc : base_create(config, &base, err);
	rc = rc ? rc : create_from_files(base, &box->now, err);
	base_put(base);
	if (rc) {
		settings_close(box);
		return rc;
	}
	*ret = box;
	return 0;
}

void settings_close(struct settings_box *box)
{
	if (!box)
		return;
	settings_put(box->now);
	tenant_states_destroy(box->states);
	pthread_mutex_destroy(&box->change);
	pthread_mutex_destroy(&box->lock);
	mem_free(box);
}

struct settings *settings_get(struct settings_box *box)
{
	pthread_mutex_lock(&box->lock);
	struct settings *settings = box->now;
	atomic_fetch_add(&settings->refs, 1);
	pthread_mutex_unlock(&box->lock);
	return settings;
}

static void replace(struct settings_box *box, struct settings *settings)
{
	pthread_mutex_lock(&box->lock);
	struct settings *before = box->now;
	box->now = settings;
	pthread_mutex_unlock(&box->lock);
	settings_put(before);
}

static int reload(struct settings_box *box, struct arena *arena, const struct server_config *config,
		  struct err *err)
{
	struct settings *settings = NULL;
	struct base *base = NULL;
	int rc = base_create(config, &base, err);

	rc = rc ? rc : create_from_files(base, &settings, err);
	if (rc == 0) {
		base->arena = *arena;
		*arena = (struct arena){0};
		replace(box, settings);
	}
	base_put(base);
	return rc;
}

int settings_reload(struct settings_box *box, struct arena *arena,
		    const struct server_config *config, struct err *err)
{
	pthread_mutex_lock(&box->change);
	int rc = reload(box, arena, config, err);
	pthread_mutex_unlock(&box->change);
	return rc;
}

static int refresh(struct settings_box *box, bool *ret_changed, struct err *err)
{
	struct settings *now = settings_get(box), *next = NULL;
	struct buf text = {0};
	int rc = runtime_read(&now->base->config, &text, err);

	if (rc == 0 && !str_equal(buf_text(&text), now->runtime)) {
		rc = settings_create(now->base, buf_text(&text), &next, err);
		if (rc == 0)
			replace(box, next);
		*ret_changed = rc == 0;
	}
	buf_deinit(&text);
	settings_put(now);
	return rc;
}

int settings_refresh(struct settings_box *box, bool *ret_changed, struct err *err)
{
	*ret_changed = false;
	pthread_mutex_lock(&box->change);
	int rc = refresh(box, ret_changed, err);
	pthread_mutex_unlock(&box->change);
	return rc;
}

/* ---- what is in it ---- */

const struct server_config *settings_config(const struct settings *settings)
{
	return &settings->base->config;
}

struct auth *settings_auth(const struct settings *settings)
{
	return settings->base->auth;
}

const struct policy *settings_policy(const struct settings *settings, struct str tenant)
{
	size_t low = 0, high = settings->tenant_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = str_compare(settings->tenants[middle].name, tenant);
		if (order == 0)
			return &settings->tenants[middle].policy;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return &settings->everybody;
}

size_t settings_tenants(const struct settings *settings, const struct policy_tenant **ret)
{
	*ret = settings->tenants;
	return settings->tenant_count;
}

struct tenant_state *settings_tenant_state(struct settings_box *box, struct str tenant)
{
	return tenant_state_get(box->states, tenant);
}
