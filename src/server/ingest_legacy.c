/* POST /ingest. Folded formats, trie and tree have one profile, whose type the
 * query tells; pprof and speedscope know their own. What is wrong with the query
 * is 400; what is wrong with the profile, or leaves nothing of it to store, 422. */
#include "server/ingest_legacy.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "server/api.h"
#include "server/ingest_discard.h"
#include "server/ingest_legacy_jfr.h"
#include "server/ingest_legacy_pprof.h"
#include "server/ingest_private.h"
#include "server/ingest_stats.h"
#include "wire/folded.h"
#include "wire/speedscope.h"

static struct metric requests =
	METRIC_COUNTER_INIT("cresset_ingest_requests_total", "transport=\"legacy\"",
			    "Export requests received");
struct failure {
	struct err err;
	int64_t retry_ms; /* -1: trying again does not help */
	int status;	  /* 0: the code's */
};

/* ---- labels ---- */

/* A label of the request's tags; those of Pyroscope itself are not taken. */
static int add_tags(struct ingest_sink *sink, struct profile_resource *resource,
		    const struct legacy_request *request, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < request->tag_count && !rc; i++)
		if (!str_starts_with(request->tags[i].name, STR("__")))
			rc = ingest_sink_label(sink, resource, request->tags[i].name,
					       request->tags[i].value, err);
	return rc;
}

/* The application is the service, unless a tag service_name says otherwise. */
static struct str app_label(const struct legacy_request *request)
{
	for (size_t i = 0; i < request->tag_count; i++)
		if (str_equal(request->tags[i].name, STR("service_name")) &&
		    request->tags[i].value.len > 0)
			return STR("app_name");
	return STR("service_name");
}

int legacy_series(struct ingest_sink *sink, const struct legacy_request *request, struct str app,
		  struct profile_resource **ret_resource, struct profile_scope **ret_scope,
		  struct err *err)
{
	int rc = ingest_sink_series(sink, ret_resource, ret_scope, err);

	rc = rc ? rc : ingest_sink_label(sink, *ret_resource, STR("__delta__"), STR("false"), err);
	rc = rc ? rc
		: ingest_sink_label(sink, *ret_resource, STR("pyroscope_spy"), request->spy, err);
	rc = rc ? rc : add_tags(sink, *ret_resource, request, err);
	return rc ? rc : ingest_sink_label(sink, *ret_resource, app_label(request), app, err);
}

/* ---- formats whose type the query tells ---- */

static int set_type(struct profile_batch *batch, struct value_type *ret, const char *type,
		    const char *unit, struct err *err)
{
	int rc = profile_string(batch, str_of(type), &ret->type, err);

	return rc ? rc : profile_string(batch, str_of(unit), &ret->unit, err);
}

static void set_times(struct profile *profile, const struct legacy_request *request)
{
	profile->time_ns = request->from_ns;
	if (request->until_ns > request->from_ns)
		profile->duration_ns = request->until_ns - request->from_ns;
}

static void scale(struct profile *profile, int64_t by)
{
	for (size_t i = 0; i < profile->sample_count; i++)
		if (__builtin_mul_overflow(profile->samples[i].values[0], by,
					   &profile->samples[i].values[0]))
			profile->samples[i].values[0] = INT64_MAX;
}

static int describe(struct ingest_sink *sink, const struct legacy_request *request,
		    const struct legacy_type *type, struct profile *profile, struct err *err)
{
	int rc = set_type(sink->batch, &profile->sample_type, type->type, type->unit, err);

	set_times(profile, request);
	profile->period = type->period_ns;
	if (type->period_ns > 0)
		rc = rc ? rc
			: set_type(sink->batch, &profile->period_type, "cpu", "nanoseconds", err);
	return rc;
}

static int read_folded(const struct legacy_request *request, struct str body,
		       struct ingest_sink *sink, struct profile_scope *scope, struct profile **ret,
		       struct err *err)
{
	switch (request->format) {
	case LEGACY_LINES:
		return wire_folded_lines(body, &sink->wire, scope, ret, err);
	case LEGACY_TRIE:
		return wire_folded_trie(body, &sink->wire, scope, ret, err);
	case LEGACY_TREE:
		return wire_folded_tree(body, &sink->wire, scope, ret, err);
	case LEGACY_GROUPS:
	case LEGACY_PPROF:
	case LEGACY_SPEEDSCOPE:
	case LEGACY_JFR:
		break;
	}
	return wire_folded_groups(body, &sink->wire, scope, ret, err);
}

static int add_folded(struct ingest_sink *sink, const struct legacy_request *request,
		      struct str body, struct err *err)
{
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile = NULL;
	struct legacy_type type;
	int rc;

	legacy_type_of(request, &type);
	rc = legacy_series(sink, request, type.app, &resource, &scope, err);
	rc = rc ? rc : ingest_sink_label(sink, resource, STR("__name__"), str_of(type.name), err);
	rc = rc ? rc : read_folded(request, body, sink, scope, &profile, err);
	rc = rc ? rc : describe(sink, request, &type, profile, err);
	if (!rc && type.period_ns > 0)
		scale(profile, type.period_ns);
	return rc;
}

/* ---- speedscope ---- */

/* Times are nanoseconds already; numbers without a unit are samples at the rate. */
static void speedscope_type(const struct legacy_request *request, enum speedscope_unit unit,
			    bool several, struct legacy_type *ret, int64_t *ret_scale)
{
	legacy_type_of(request, ret);
	*ret_scale = unit == SPEEDSCOPE_NONE && ret->period_ns > 0 ? ret->period_ns : 1;
	if (unit == SPEEDSCOPE_BYTES) {
		*ret = (struct legacy_type){ret->app, "memory", "samples", "bytes", 0};
	} else if (unit == SPEEDSCOPE_TIME) {
		bool wall = several || str_equal(str_of(ret->name), STR("wall"));
		*ret = (struct legacy_type){ret->app, wall ? "wall" : "process_cpu",
					    wall ? "wall" : "cpu", "nanoseconds",
					    ret->period_ns > 0 ? ret->period_ns : 1};
	}
}

/* Each profile has labels of its own, so it moves from the scope that all were read into. */
static int add_one_speedscope(struct ingest_sink *sink, const struct legacy_request *request,
			      const struct speedscope_profile *about, bool several,
			      struct profile *profile, struct err *err)
{
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *row;
	struct legacy_type type;
	int64_t by;
	int rc;

	speedscope_type(request, about->unit, several, &type, &by);
	rc = legacy_series(sink, request, type.app, &resource, &scope, err);
	rc = rc ? rc : ingest_sink_label(sink, resource, STR("__name__"), str_of(type.name), err);
	rc = rc ? rc : ingest_sink_label(sink, resource, STR("profile_name"), about->name, err);
	rc = rc ? rc : describe(sink, request, &type, profile, err);
	rc = rc ? rc : profile_add(sink->batch, scope, &row, err);
	if (rc)
		return rc;
	scale(profile, by);
	*row = *profile;
	return 0;
}

static int add_speedscope(struct ingest_sink *sink, const struct legacy_request *request,
			  struct str body, struct err *err)
{
	struct speedscope_profile *list = NULL;
	struct profile_scope all = {0};
	size_t count = 0;
	int rc = wire_speedscope(body, &sink->wire, &all, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++)
		rc = add_one_speedscope(sink, request, &list[i], count > 1,
					&all.profiles[list[i].profile], err);
	return rc;
}

/* ---- one request ---- */

static int add_profiles(struct ingest_sink *sink, const struct legacy_request *request,
			struct str body, struct err *err)
{
	switch (request->format) {
	case LEGACY_PPROF:
		return legacy_pprof(sink, request, body, err);
	case LEGACY_SPEEDSCOPE:
		return add_speedscope(sink, request, body, err);
	case LEGACY_JFR:
		return legacy_jfr(sink, request, body, err);
	case LEGACY_GROUPS:
	case LEGACY_LINES:
	case LEGACY_TRIE:
	case LEGACY_TREE:
		break;
	}
	return add_folded(sink, request, body, err);
}

/* A form has a boundary of its own at each try, so its reader looks at its fields. */
static void identify(struct ingest_sink *sink, struct str who, struct str body)
{
	for (size_t i = 0; i < sink->batch->resource_count; i++)
		for (size_t k = 0; k < sink->batch->resources[i].scope_count; k++) {
			struct profile_scope *scope = &sink->batch->resources[i].scopes[k];
			if (scope->profile_count > 0 && !scope->profiles[0].has_profile_id)
				ingest_sink_identify(scope, 0, who, body);
		}
}

static int store_all(struct ingest *ingest, const struct net_request *request, struct str tenant,
		     struct ingest_sink *sink, struct failure *failure)
{
	struct ingest_result result = {0};
	int rc = ingest_batch(ingest, tenant, INGEST_LABELS, sink->batch, request->arena, &result,
			      &failure->err);

	if (rc)
		failure->retry_ms = ingest_retry_ms(ingest, &result);
	if (rc || result.samples > 0 || result.rejected_samples == 0)
		return rc;
	failure->status = 422;
	return err_set(&failure->err, ERR_INVALID,
		       "%llu samples were not stored, the first for: %s",
		       (unsigned long long)result.rejected_samples, result.reason);
}

static int convert(struct ingest *ingest, const struct net_request *request,
		   const struct legacy_request *legacy, struct str tenant, struct str body,
		   struct failure *failure)
{
	struct ingest_sink sink;
	int rc = ingest_sink_init(ingest, request->arena, &sink, &failure->err);

	rc = rc ? rc : add_profiles(&sink, legacy, body, &failure->err);
	if (rc == ERR_INVALID) {
		discard_count(DISCARD_BAD_PROFILE, 1);
		failure->status = 422;
	} else if (rc == ERR_LIMIT) {
		failure->status = 413;
	}
	if (rc)
		return rc;
	metric_add(&ingest_bytes, (int64_t)body.len);
	identify(&sink, legacy->who, body);
	return store_all(ingest, request, tenant, &sink, failure);
}

static int take(struct ingest *ingest, const struct net_request *request, struct failure *failure)
{
	struct legacy_request legacy;
	struct str tenant, body;
	int rc = ingest_tenant(ingest, request, &tenant, &failure->err);

	rc = rc ? rc : legacy_parse(request, clock_real_ns(), &legacy, &failure->err);
	if (rc)
		return rc;
	rc = net_body(request, ingest->config.message_bytes, &body, &failure->err);
	rc = rc ? rc : ingest_check_message(ingest, tenant, body.len, &failure->err);
	if (rc == ERR_LIMIT)
		failure->status = 413;
	else if (rc == ERR_UNSUPPORTED) /* its coding: RFC 9110, section 15.5.16 */
		failure->status = 415;
	return rc ? rc : convert(ingest, request, &legacy, tenant, body, failure);
}

void ingest_legacy(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct failure failure = {.retry_ms = -1};
	uint64_t start_ns = clock_mono_ns();

	metric_add(&requests, 1);
	if (take(user, request, &failure)) {
		metric_add(&ingest_failures, 1);
		net_answer_error(answer, &failure.err);
		if (failure.status)
			answer->status = failure.status;
		api_retry_after(request->arena, answer, failure.retry_ms);
	} else {
		answer->status = 200;
	}
	histogram_observe_ns(&ingest_seconds, clock_mono_ns() - start_ns);
}
