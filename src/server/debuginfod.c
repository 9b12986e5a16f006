/* The thread looks, from time to time, for build ids that came without names
 * since it last looked, and keeps a list of wishes. A wish goes when its symbols
 * are stored, by us or by anybody. One that the server does not know waits,
 * longer each time; when the server itself fails, all wait. The list has an end:
 * beyond it the wish that failed most often goes, and what finds no place at all
 * is looked for again later. */
#include "server/debuginfod.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { WISHES_MAX = 4096, DOUBLINGS_MAX = 16, ARENA_BYTES = 1024 * 1024 * 1024 };

#define INTERVAL_NS	   (30ull * NS_PER_S)
#define RETRY_NS	   (3600ull * NS_PER_S)
#define RETRY_MAX_NS	   (24 * RETRY_NS)
#define PAUSE_NS	   (60ull * NS_PER_S)
#define PAUSE_MAX_NS	   (3600ull * NS_PER_S)
#define TIMEOUT_NS	   (120ull * NS_PER_S)
#define FETCHES		   "cresset_debuginfod_fetches_total"
#define FETCHES_HELP	   "Build ids that a debuginfod was asked for, by what came of it"
#define FETCH_COUNT(name_) METRIC_COUNTER_INIT(FETCHES, "result=\"" name_ "\"", FETCHES_HELP)

struct metric debuginfod_fetches[FETCH_RESULTS] = {
	[FETCH_FOUND] = FETCH_COUNT("found"),	      [FETCH_NOT_FOUND] = FETCH_COUNT("not_found"),
	[FETCH_UNUSABLE] = FETCH_COUNT("unusable"),   [FETCH_FAILED] = FETCH_COUNT("failed"),
	[FETCH_CANCELLED] = FETCH_COUNT("cancelled"),
};
static struct metric store_failures =
	METRIC_COUNTER_INIT("cresset_debuginfod_store_failures_total", NULL,
			    "Times the store failed to list or keep symbols; tried again");
static struct metric forgotten = METRIC_COUNTER_INIT("cresset_debuginfod_forgotten_total", NULL,
						     "Build ids given up for newer ones, since "
						     "more were missing than are remembered");
struct metric debuginfod_waiting =
	METRIC_GAUGE_INIT("cresset_debuginfod_waiting", NULL,
			  "Build ids that a debuginfod will be asked for");

struct wish {
	char *tenant, *build_id;
	uint64_t try_at_ns;
	unsigned tries;
};

struct looked_tenant {
	char *name;
	uint32_t from_frame;
};

struct debuginfod {
	struct store *store;
	struct debuginfod_config config;
	struct net_client *client;
	pthread_t thread;
	bool running, stop;
	pthread_mutex_t lock; /* of stop */
	pthread_cond_t wake;

	/* The thread's own. */
	struct wish *wishes;
	struct looked_tenant *tenants;
	size_t wish_count, wish_cap, tenant_count, tenant_cap;
	uint64_t paused_until_ns;
	unsigned failures; /* of the server, in a row */
};

static bool is_stopped(struct debuginfod *d)
{
	pthread_mutex_lock(&d->lock);
	bool stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return stop;
}

static uint64_t doubled(uint64_t first_ns, unsigned times, uint64_t most_ns)
{
	uint64_t ns = first_ns << (times < DOUBLINGS_MAX ? times : DOUBLINGS_MAX);
	return ns < most_ns ? ns : most_ns;
}

/* ---- wishes ---- */

static void drop_wish(struct debuginfod *d, size_t at)
{
	mem_free(d->wishes[at].tenant);
	mem_free(d->wishes[at].build_id);
	d->wishes[at] = d->wishes[--d->wish_count];
	metric_set(&debuginfod_waiting, (int64_t)d->wish_count);
}

static bool is_wished(const struct debuginfod *d, struct str tenant, struct str build_id)
{
	for (size_t i = 0; i < d->wish_count; i++)
		if (str_equal(str_of(d->wishes[i].build_id), build_id) &&
		    str_equal(str_of(d->wishes[i].tenant), tenant))
			return true;
	return false;
}

/* Gives a place up for another; false when all were never tried. */
static bool forget_one(struct debuginfod *d)
{
	size_t worst = 0;
	for (size_t i = 1; i < d->wish_count; i++)
		if (d->wishes[i].tries > d->wishes[worst].tries)
			worst = i;
	if (d->wishes[worst].tries == 0)
		return false;
	drop_wish(d, worst);
	metric_add(&forgotten, 1);
	return true;
}

/* False: no place, or no memory. */
static bool add_wish(struct debuginfod *d, struct str tenant, struct str build_id)
{
	if (!fetch_is_build_id(build_id) || is_wished(d, tenant, build_id))
		return true;
	if (d->wish_count == WISHES_MAX && !forget_one(d))
		return false;
	struct wish *wishes = mem_grow(d->wishes, &d->wish_cap, d->wish_count + 1, sizeof(*wishes));
	if (!wishes)
		return false;
	d->wishes = wishes;
	struct wish wish = {.tenant = mem_strndup(tenant.ptr, tenant.len),
			    .build_id = mem_strndup(build_id.ptr, build_id.len)};
	wishes[d->wish_count++] = wish;
	metric_set(&debuginfod_waiting, (int64_t)d->wish_count);
	if (wish.tenant && wish.build_id)
		return true;
	drop_wish(d, d->wish_count - 1);
	return false;
}

/* ---- looking ---- */

static struct looked_tenant *find_tenant(struct debuginfod *d, struct str name)
{
	for (size_t i = 0; i < d->tenant_count; i++)
		if (str_equal(str_of(d->tenants[i].name), name))
			return &d->tenants[i];
	struct looked_tenant *tenants =
		mem_grow(d->tenants, &d->tenant_cap, d->tenant_count + 1, sizeof(*tenants));
	char *copy = mem_strndup(name.ptr, name.len);
	if (tenants)
		d->tenants = tenants;
	if (!tenants || !copy) {
		mem_free(copy);
		return NULL;
	}
	tenants[d->tenant_count] = (struct looked_tenant){.name = copy};
	return &tenants[d->tenant_count++];
}

/* Where a wish found no place, the next look begins at the same frame again. */
static int look_at_tenant(struct debuginfod *d, struct str name, struct arena *arena,
			  struct err *err)
{
	struct looked_tenant *tenant = find_tenant(d, name);
	struct store_missing *missing = NULL;
	size_t count = 0;
	if (!tenant)
		return err_set(err, ERR_NOMEM, "no memory for a tenant");
	uint32_t from = tenant->from_frame;
	int rc = store_symbols_missing(d->store, name, &from, arena, &missing, &count, err);
	bool all = rc == 0;
	for (size_t i = 0; i < count; i++)
		all &= add_wish(d, name, missing[i].build_id);
	if (all)
		tenant->from_frame = from;
	return rc;
}

static void look(struct debuginfod *d, struct arena *arena)
{
	struct str *tenants = NULL;
	struct err err = {0};
	size_t count = 0;
	int rc = store_tenants(d->store, arena, &tenants, &count, &err);
	for (size_t i = 0; !rc && i < count && !is_stopped(d); i++)
		rc = look_at_tenant(d, tenants[i], arena, &err);
	if (rc) {
		metric_add(&store_failures, 1);
		log_debug("server", "looking for frames without names", "why=" LOG_Q,
			  LOG_TEXT(err.text));
	}
}

/* ---- fetching ---- */

static bool has_symbols(struct debuginfod *d, const struct wish *wish, struct arena *arena)
{
	struct store_symbols found;
	return store_symbols_get(d->store, str_of(wish->tenant), str_of(wish->build_id), arena,
				 &found, NULL) == 0;
}

/* For every tenant that wishes for the build id. What somebody sent in the meantime stays. */
static void grant(struct debuginfod *d, const struct symbols_file *file, struct arena *arena)
{
	for (size_t i = d->wish_count; i-- > 0;) {
		struct wish *wish = &d->wishes[i];
		struct err err = {0};
		if (!str_equal(str_of(wish->build_id), file->build_id))
			continue;
		int rc = has_symbols(d, wish, arena)
				 ? 0
				 : store_symbols_put(d->store, str_of(wish->tenant), file->build_id,
						     STR("debuginfod"), file->symbols, file->count,
						     NULL, &err);
		if (!rc) {
			drop_wish(d, i);
			continue;
		}
		metric_add(&store_failures, 1);
		log_warn("server", "symbols of a debuginfod could not be stored",
			 "build_id=%s why=" LOG_Q, wish->build_id, LOG_TEXT(err.text));
		wish->try_at_ns = clock_mono_ns() + d->config.pause_ns;
	}
}

static void pause_all(struct debuginfod *d, const struct err *why)
{
	uint64_t ns = doubled(d->config.pause_ns, d->failures++, PAUSE_MAX_NS);
	d->paused_until_ns = clock_mono_ns() + ns;
	if (d->failures == 1)
		log_warn("server", "the debuginfod server fails; it is asked again later",
			 "why=" LOG_Q, LOG_TEXT(why->text));
}

/* What came and was no use would come again: that is not hurried. */
static void put_off(struct debuginfod *d, struct wish *wish, enum fetch_result result,
		    const struct err *why)
{
	if (result == FETCH_UNUSABLE)
		wish->tries = DOUBLINGS_MAX;
	wish->try_at_ns =
		clock_mono_ns() + doubled(d->config.retry_ns, wish->tries++, RETRY_MAX_NS);
	log_debug("server", "no symbols from the debuginfod server", "build_id=%s why=" LOG_Q,
		  wish->build_id, LOG_TEXT(why->text));
}

static void fetch(struct debuginfod *d, size_t at, struct arena *arena)
{
	struct wish *wish = &d->wishes[at];
	struct symbols_file file;
	struct err why = {0};
	if (has_symbols(d, wish, arena)) {
		drop_wish(d, at);
		return;
	}
	struct str build_id = arena_str(arena, str_of(wish->build_id));
	enum fetch_result result = build_id.ptr
					   ? fetch_symbols(d->client, build_id, arena, &file, &why)
					   : FETCH_UNUSABLE;
	metric_add(&debuginfod_fetches[result], 1);
	if (result != FETCH_FAILED && result != FETCH_CANCELLED)
		d->failures = 0;
	switch (result) {
	case FETCH_FOUND:
		grant(d, &file, arena);
		break;
	case FETCH_NOT_FOUND:
	case FETCH_UNUSABLE:
		put_off(d, wish, result, &why);
		break;
	case FETCH_FAILED:
		pause_all(d, &why);
		break;
	case FETCH_CANCELLED:
	case FETCH_RESULTS:
		break;
	}
}

/* Each at most once a round; from the end, since one that is granted takes others with it. */
static void fetch_due(struct debuginfod *d, struct arena *arena)
{
	for (size_t i = d->wish_count; i-- > 0 && !is_stopped(d);) {
		uint64_t now_ns = clock_mono_ns();
		if (now_ns < d->paused_until_ns)
			return;
		if (i >= d->wish_count || d->wishes[i].try_at_ns > now_ns)
			continue;
		fetch(d, i, arena);
		arena_reset(arena);
	}
}

/* ---- the thread ---- */

static void wait_for_next(struct debuginfod *d)
{
	uint64_t at_ns = clock_mono_ns() + d->config.interval_ns;
	struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S),
			      .tv_nsec = (long)(at_ns % NS_PER_S)};
	pthread_mutex_lock(&d->lock);
	while (!d->stop && clock_mono_ns() < at_ns)
		(void)pthread_cond_timedwait(&d->wake, &d->lock, &at);
	pthread_mutex_unlock(&d->lock);
}

static void *run(void *arg)
{
	struct debuginfod *d = arg;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	while (!is_stopped(d)) {
		look(d, &arena);
		arena_reset(&arena);
		fetch_due(d, &arena);
		/* A large file's memory is not kept until the next one. */
		arena_deinit(&arena);
		wait_for_next(d);
	}
	arena_deinit(&arena);
	return NULL;
}

static int check_url(const char *url, struct err *err)
{
	if (str_starts_with(str_of(url), STR("http://")) ||
	    str_starts_with(str_of(url), STR("https://")))
		return 0;
	return err_set(err, ERR_INVALID,
		       "symbols.debuginfod_url: \"%s\" is not an http:// or https:// URL", url);
}

static void set_defaults(struct debuginfod_config *config)
{
	config->interval_ns = config->interval_ns ? config->interval_ns : INTERVAL_NS;
	config->retry_ns = config->retry_ns ? config->retry_ns : RETRY_NS;
	config->pause_ns = config->pause_ns ? config->pause_ns : PAUSE_NS;
	config->timeout_ns = config->timeout_ns ? config->timeout_ns : TIMEOUT_NS;
	config->file_bytes = config->file_bytes ? config->file_bytes : SYMBOLS_PACKED_MAX;
}

static int start(struct debuginfod *d, struct err *err)
{
	pthread_condattr_t attr;
	const struct net_client_config client = {.endpoint = d->config.url,
						 .timeout_ns = d->config.timeout_ns,
						 .reply_bytes = d->config.file_bytes,
						 .user_agent = "cresset/" CRESSET_VERSION};
	int rc = net_client_create(&client, &d->client, err);
	d->config.url = NULL; /* the client has a copy */
	if (rc)
		return err_wrap(err, "symbols.debuginfod_url");
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&d->lock, NULL);
	int failed = pthread_create(&d->thread, NULL, run, d);
	if (failed)
		return err_set_errno(err, failed, "starting the symbol fetcher");
	d->running = true;
	return 0;
}

int debuginfod_start(const struct debuginfod_config *config, struct store *store,
		     struct debuginfod **ret, struct err *err)
{
	int rc = check_url(config->url, err);
	if (rc)
		return rc;
	struct debuginfod *d = mem_zalloc(1, sizeof(*d));
	if (!d)
		return err_set(err, ERR_NOMEM, "no memory for the symbol fetcher");
	d->store = store;
	d->config = *config;
	set_defaults(&d->config);
	for (unsigned i = 0; i < FETCH_RESULTS; i++)
		metric_register(&debuginfod_fetches[i]);
	rc = start(d, err);
	if (rc) {
		debuginfod_stop(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void debuginfod_stop(struct debuginfod *d)
{
	if (!d)
		return;
	if (d->running) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->wake);
		pthread_mutex_unlock(&d->lock);
		net_client_cancel(d->client);
		pthread_join(d->thread, NULL);
	}
	while (d->wish_count)
		drop_wish(d, d->wish_count - 1);
	for (size_t i = 0; i < d->tenant_count; i++)
		mem_free(d->tenants[i].name);
	mem_free(d->wishes);
	mem_free(d->tenants);
	net_client_destroy(d->client);
	mem_free(d);
}
