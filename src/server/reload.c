#include "server/reload.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "server/config_flags.h"
#include "server/retention.h"
#include "server/tls_config.h"

#define RELOADS	     "cresset_config_reloads_total"
#define RELOADS_HELP "Times that the configuration (SIGHUP) or the runtime file was read anew"

static struct metric reloads_done = METRIC_COUNTER_INIT(RELOADS, "result=\"done\"", RELOADS_HELP);
static struct metric reloads_failed =
	METRIC_COUNTER_INIT(RELOADS, "result=\"failed\"", RELOADS_HELP);
static struct metric runtime_fine =
	METRIC_GAUGE_INIT("cresset_runtime_config_last_reload_successful", NULL,
			  "1: the runtime file (limits of tenants) is as in the file; 0: it cannot "
			  "be "
			  "read, and what was read before holds");

/* ---- what the store keeps ---- */

static int apply_retention(const struct reload *reload, struct err *err)
{
	struct settings *settings = settings_get(reload->settings);
	struct store_retention retention;
	struct arena arena;

	arena_init(&arena, 0);
	int rc = server_retention_of(settings, &arena, &retention, err);
	rc = rc ? rc : store_set_retention(reload->store, &retention, err);
	arena_deinit(&arena);
	settings_put(settings);
	return rc;
}

/* ---- the runtime file ---- */

static void say_failed(struct reload *reload, const struct err *err)
{
	char text[sizeof(reload->failed)];

	metric_add(&reloads_failed, 1);
	metric_set(&runtime_fine, 0);
	str_copy(text, sizeof(text), str_of(err->text));
	if (strcmp(text, reload->failed) == 0)
		return;
	memcpy(reload->failed, text, sizeof(text));
	log_error("server", "the runtime configuration cannot be used; the last good one stays",
		  "why=" LOG_Q, LOG_TEXT(err->text));
}

static void look(struct reload *reload)
{
	bool changed = false;
	struct err err;

	int rc = settings_refresh(reload->settings, &changed, &err);
	if (rc == 0 && changed)
		rc = apply_retention(reload, &err);
	if (rc) {
		say_failed(reload, &err);
		return;
	}
	metric_set(&runtime_fine, 1);
	if (changed || reload->failed[0])
		log_info("server", "the runtime configuration is in use", "changed=%d", changed);
	if (changed)
		metric_add(&reloads_done, 1);
	reload->failed[0] = '\0';
}

/* 0: there is nothing to look at. */
static int64_t period_ns(const struct reload *reload)
{
	struct settings *settings = settings_get(reload->settings);
	const struct server_config *config = settings_config(settings);
	int64_t ns = config->runtime_files.count > 0 ? config->runtime_period_ns : 0;
	settings_put(settings);
	return ns;
}

/* With the lock held. True: the period is over. */
static bool wait_period(struct reload *reload)
{
	int64_t ns = period_ns(reload);
	struct timespec until;

	if (ns <= 0) {
		pthread_cond_wait(&reload->wake, &reload->lock);
		return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t end_ns = until.tv_nsec + ns % 1000000000;
	until.tv_sec += (time_t)(ns / 1000000000 + end_ns / 1000000000);
	until.tv_nsec = end_ns % 1000000000;
	return pthread_cond_timedwait(&reload->wake, &reload->lock, &until) != 0;
}

static void *run(void *user)
{
	struct reload *reload = user;

	pthread_mutex_lock(&reload->lock);
	while (!reload->stopping) {
		if (!wait_period(reload) || reload->stopping)
			continue;
		pthread_mutex_unlock(&reload->lock);
		look(reload);
		pthread_mutex_lock(&reload->lock);
	}
	pthread_mutex_unlock(&reload->lock);
	return NULL;
}

int reload_start(struct reload *reload, struct err *err)
{
	pthread_condattr_t attr;

	metric_register(&reloads_done);
	metric_register(&reloads_failed);
	metric_set(&runtime_fine, 1);
	int rc = apply_retention(reload, err);
	if (rc)
		return rc;
	pthread_mutex_init(&reload->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&reload->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = pthread_create(&reload->thread, NULL, run, reload);
	if (rc)
		return err_set_errno(err, rc, "starting the thread of the runtime configuration");
	reload->started = true;
	return 0;
}

void reload_stop(struct reload *reload)
{
	if (!reload->started)
		return;
	pthread_mutex_lock(&reload->lock);
	reload->stopping = true;
	pthread_cond_signal(&reload->wake);
	pthread_mutex_unlock(&reload->lock);
	pthread_join(reload->thread, NULL);
	pthread_cond_destroy(&reload->wake);
	pthread_mutex_destroy(&reload->lock);
	reload->started = false;
}

/* ---- a configuration read anew ---- */

/* Paths below which a change takes effect at once. */
static const char *const live[] = {
	"limits",
	"auth",
	"runtime_config",
	"server.log_level",
	"server.log_format",
	"server.http_tls_config",
	"server.grpc_tls_config",
	"server.tls_",
};

struct report {
	struct buf *out;
	size_t count;
};

static void report_change(void *user, struct str path, const struct config_node *value)
{
	struct report *report = user;

	(void)value;
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (str_starts_with(path, str_of(live[i])))
			return;
	buf_printf(report->out, "%s%.*s", report->count++ ? ", " : "", STR_ARG(path));
}

static int report_changes(const struct server_config *first, const struct server_config *now,
			  struct buf *out, struct err *err)
{
	struct config_node *before_tree, *now_tree;
	struct report report = {out, 0};
	struct arena arena;

	arena_init(&arena, 0);
	int rc = config_show(&server_config_schema, &arena, first, &before_tree, err);
	rc = rc ? rc : config_show(&server_config_schema, &arena, now, &now_tree, err);
	rc = rc ? rc
		: config_differences(&arena, now_tree, before_tree, report_change, &report, err);
	arena_deinit(&arena);
	return rc;
}

/* What holds from now on: the start's, but for what can change. */
static struct server_config effective(const struct server_config *first,
				      const struct server_config *now)
{
	struct server_config config = *first;

	config.limits = now->limits;
	config.auth = now->auth;
	config.runtime_files = now->runtime_files;
	config.runtime_period_ns = now->runtime_period_ns;
	config.http.tls = now->http.tls;
	config.http.grpc_tls = now->http.grpc_tls;
	config.http.tls_cipher_suites = now->http.tls_cipher_suites;
	config.http.tls_min_version = now->http.tls_min_version;
	config.http.log_level = now->http.log_level;
	config.http.log_format = now->http.log_format;
	return config;
}

/* Certificates are looked at first: a reload that cannot be done changes nothing. */
static int check_tls(const struct server_config *first, const struct server_config *now,
		     struct net_tls_config *ret, bool *ret_on, struct err *err)
{
	struct net_tls_config before;
	bool was_on;
	int rc = server_tls_net(&first->http, &before, &was_on, err);

	rc = rc ? rc : server_tls_net(&now->http, ret, ret_on, err);
	if (rc == 0 && was_on != *ret_on)
		rc = err_set(err, ERR_INVALID,
			     "server.http_tls_config: TLS can be switched on and off only by a "
			     "restart");
	return rc || !*ret_on ? rc : net_tls_check(ret, err);
}

static int take(struct reload *reload, struct arena *arena, const struct server_config *now,
		struct buf *report, struct err *err)
{
	struct server_config config = effective(reload->first, now);
	struct net_tls_config tls;
	bool tls_on = false;

	int rc = check_tls(reload->first, now, &tls, &tls_on, err);
	rc = rc ? rc : report_changes(reload->first, now, report, err);
	rc = rc ? rc : settings_reload(reload->settings, arena, &config, err);
	if (rc == 0 && tls_on)
		rc = net_server_set_tls(reload->net, &tls, err);
	return rc ? rc : apply_retention(reload, err);
}

int reload_config(struct reload *reload, struct arena *arena, const struct server_config *now,
		  struct buf *report, struct err *err)
{
	int rc = take(reload, arena, now, report, err);

	metric_add(rc ? &reloads_failed : &reloads_done, 1);
	if (rc)
		return rc;
	log_set_level((enum log_level)now->http.log_level);
	log_set_json(now->http.log_format == SERVER_LOG_JSON);
	pthread_mutex_lock(&reload->lock);
	pthread_cond_signal(&reload->wake);
	pthread_mutex_unlock(&reload->lock);
	return 0;
}
