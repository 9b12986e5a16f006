/* Each request is looked at twice: by the gate when its headers are there, so that
 * who may not come in sends no body; and before its handler on a worker, where a
 * password's hash may be worked out. */
#include "server/guard.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "server/api.h"
#include "server/ingest.h"
#include "server/speech.h"

#define FAILURES      "cresset_auth_failures_total"
#define FAILURES_HELP "Requests that were refused by the authentication, by reason"

static struct metric unauthenticated =
	METRIC_COUNTER_INIT(FAILURES, "reason=\"unauthenticated\"", FAILURES_HELP);
static struct metric denied = METRIC_COUNTER_INIT(FAILURES, "reason=\"denied\"", FAILURES_HELP);
static struct metric busy = METRIC_COUNTER_INIT(FAILURES, "reason=\"busy\"", FAILURES_HELP);

struct guarded {
	const struct guard *guard;
	net_handler *handler;
	void *user;
	const char *method, *path; /* of the route, without the prefix */
};

/* ---- refusing ---- */

/* Once in ten seconds, with how many there were: whoever guesses passwords does not fill the log. */
static void log_failure(const struct net_request *request, const char *why)
{
	static _Atomic uint64_t next_ns, unsaid;
	uint64_t now_ns = clock_mono_ns(), next = atomic_load(&next_ns);
	char path[128];

	if (now_ns < next ||
	    !atomic_compare_exchange_strong(&next_ns, &next, now_ns + 10ull * NS_PER_S)) {
		atomic_fetch_add(&unsaid, 1);
		return;
	}
	str_copy(path, sizeof(path), request->path);
	log_warn("server", "a request was refused",
		 "peer=%.*s path=" LOG_Q " why=" LOG_Q " others=%llu", STR_ARG(request->peer),
		 LOG_TEXT(path), LOG_TEXT(why), (unsigned long long)atomic_exchange(&unsaid, 0));
}

/* In the words of the protocol that is spoken. */
static void answer_refusal(const struct guarded *guarded, const struct net_request *request,
			   const struct speech *speech, const struct err *err,
			   struct net_answer *answer)
{
	int64_t retry_ms = err->code == ERR_BUSY ? 1000 : -1;

	if (guarded->handler == ingest_http && ingest_http_refuse(request, err, retry_ms, answer))
		return;
	if (speech->protocol != PROTOCOL_NONE) {
		speech_error(speech, request, answer, err, retry_ms);
		return;
	}
	net_answer_error(answer, err);
	api_retry_after(request->arena, answer, retry_ms);
}

/* RFC 9110 section 11.6.1; browsers then ask for name and password. */
static void refuse(const struct guarded *guarded, const struct net_request *request,
		   const struct err *err, struct net_answer *answer)
{
	metric_add(err->code == ERR_DENIED ? &denied
		   : err->code == ERR_BUSY ? &busy
					   : &unauthenticated,
		   1);
	log_failure(request, err->text);
	struct speech speech = speech_of(request);
	answer_refusal(guarded, request, &speech, err, answer);
	if (speech.protocol == PROTOCOL_GRPC || speech.protocol == PROTOCOL_GRPC_WEB)
		return;
	if (err->code != ERR_UNAUTHENTICATED)
		return;
	net_answer_header(answer, STR("www-authenticate"),
			  STR("Basic realm=\"Cresset\", charset=\"UTF-8\""));
	net_answer_header(answer, STR("www-authenticate"), STR("Bearer realm=\"Cresset\""));
}

/* ---- checking ---- */

/* A browser sends name and password along with what other sites make it ask. Only reading is harmless then, since
 * they cannot see the answer. */
static int check_site(const struct net_request *request, struct err *err)
{
	struct str site = net_header_get(request, STR("sec-fetch-site"));
	if (!str_equal(site, STR("cross-site")) || str_equal(request->method, STR("GET")) ||
	    str_equal(request->method, STR("HEAD")))
		return 0;
	return err_set(err, ERR_DENIED, "another site may not ask for this");
}

/* Who is it, and may it? *ret_tenant: to act for. */
static int check(struct auth *auth, const struct guarded *guarded,
		 const struct net_request *request, enum auth_depth depth, struct str *ret_tenant,
		 struct err *err)
{
	struct str wanted = str_trim(net_header_get(request, STR("x-scope-orgid")));
	struct auth_identity identity;
	bool later = false;
	unsigned roles;

	*ret_tenant = wanted;
	if (!auth_is_on(auth))
		return 0;
	roles = auth_role_of(guarded->method, guarded->path, auth_metrics(auth));
	if (roles == AUTH_OPEN)
		return 0;
	int rc = auth_identify(auth, net_header_get(request, STR("authorization")), depth,
			       &identity, &later, err);
	if (rc || later)
		return rc;
	rc = auth_permit(&identity, roles, err);
	rc = rc ? rc : check_site(request, err);
	return rc ? rc : auth_tenant(&identity, wanted, ret_tenant, err);
}

static void serve(void *user, const struct net_request *request, struct net_answer *answer);

bool guard_gate(void *user, const struct net_route *route, const struct net_request *request,
		struct net_answer *answer)
{
	const struct guard *guard = user;
	struct settings *settings;
	struct str tenant;
	struct err err;

	if (route->handler != serve)
		return true;
	settings = settings_get(guard->settings);
	int rc = check(settings_auth(settings), route->user, request, AUTH_QUICK, &tenant, &err);
	settings_put(settings);
	if (rc)
		refuse(route->user, request, &err, answer);
	return rc == 0;
}

/* ---- serving ---- */

/* The header says which tenant, in place of what the client said (the same, or nothing). */
static int set_tenant(struct net_request *request, struct str tenant, struct err *err)
{
	struct net_header *headers =
		arena_zalloc(request->arena, request->header_count + 1, sizeof(*headers));
	tenant = arena_str(request->arena, tenant);
	if (!headers || !tenant.ptr)
		return err_set(err, ERR_NOMEM, "no memory for a request");
	headers[0] = (struct net_header){STR("x-scope-orgid"), tenant};
	memcpy(headers + 1, request->headers, request->header_count * sizeof(*headers));
	request->headers = headers;
	request->header_count++;
	return 0;
}

static int admit(const struct guarded *guarded, struct net_request *request, struct err *err)
{
	struct settings *settings = settings_get(guarded->guard->settings);
	struct str tenant = STR("");
	int rc = check(settings_auth(settings), guarded, request, AUTH_THOROUGH, &tenant, err);

	if (rc == 0 && tenant.len > 0 && !net_header_get(request, STR("x-scope-orgid")).len)
		rc = set_tenant(request, tenant, err);
	settings_put(settings);
	request->path = str_sub(request->path, guarded->guard->path_prefix.len, SIZE_MAX);
	return rc;
}

static void serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct guarded *guarded = user;
	struct net_request mine = *request;
	struct err err;

	if (admit(guarded, &mine, &err))
		refuse(guarded, request, &err, answer);
	else
		guarded->handler(guarded->user, &mine, answer);
}

int guard_routes(const struct guard *guard, struct arena *arena, struct net_route *routes,
		 size_t count, struct err *err)
{
	struct guarded *rows = arena_zalloc(arena, count, sizeof(*rows));

	metric_register(&unauthenticated);
	metric_register(&denied);
	metric_register(&busy);
	if (!rows)
		return err_set(err, ERR_NOMEM, "no memory for the routes");
	for (size_t i = 0; i < count; i++) {
		struct net_route *route = &routes[i];
		rows[i] = (struct guarded){guard, route->handler, route->user, route->method,
					   route->path};
		struct str path =
			arena_printf(arena, "%.*s%s", STR_ARG(guard->path_prefix), route->path);
		if (!path.ptr)
			return err_set(err, ERR_NOMEM, "no memory for the routes");
		/* What is open to everybody whatever the settings never works out a hash. */
		route->on_loop = route->on_loop && auth_role_of(route->method, route->path,
								SERVER_METRICS_READ) == AUTH_OPEN;
		route->path = path.ptr;
		route->handler = serve;
		route->user = &rows[i];
	}
	return 0;
}
