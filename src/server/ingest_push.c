/* push.v1.PusherService/Push: series with labels, each with pprof profiles. A
 * profile that cannot be read costs only itself; an error is answered when
 * nothing of the request was stored, since its reply has no room for a warning. */
#include "server/api.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "push.pb-c.h"
#include "server/ingest_discard.h"
#include "server/ingest_private.h"
#include "server/ingest_sink.h"
#include "server/ingest_stats.h"
#include "wire/pprof.h"

static struct metric requests =
	METRIC_COUNTER_INIT("cresset_ingest_requests_total", "transport=\"push\"",
			    "Export requests received");
struct push {
	struct ingest_sink sink;
	uint64_t profiles; /* received */
	uint64_t rejected; /* that cannot be read */
	char reason[256];  /* of the first */
};

static struct str text_of(const char *text)
{
	return str_of(text ? text : "");
}

static int add_labels(struct push *push, const Push__V1__RawProfileSeries *series,
		      struct profile_resource *resource, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < series->n_labels && !rc; i++)
		rc = ingest_sink_label(&push->sink, resource, text_of(series->labels[i]->name),
				       text_of(series->labels[i]->value), err);
	return rc;
}

static int add_profile(struct push *push, const Push__V1__RawSample *sample,
		       struct profile_scope *scope, struct err *err)
{
	struct str bytes = str_make(sample->raw_profile.data, sample->raw_profile.len);
	size_t first = scope->profile_count;
	struct wire_pprof_about about;
	struct err why = {0};
	int rc = wire_pprof_decode(bytes, &push->sink.wire, scope, &about, &why);

	push->profiles++;
	metric_add(&ingest_bytes, (int64_t)bytes.len);
	if (rc == ERR_INVALID) {
		discard_count(DISCARD_BAD_PROFILE, about.samples ? about.samples : 1);
		if (push->rejected++ == 0)
			str_copy(push->reason, sizeof(push->reason), str_of(why.text));
		return 0;
	}
	if (rc)
		return err_set(err, rc, "%s", why.text);
	ingest_sink_identify(scope, first, text_of(sample->id), bytes);
	return 0;
}

static int add_series(struct push *push, const Push__V1__RawProfileSeries *series, struct err *err)
{
	struct profile_resource *resource;
	struct profile_scope *scope;
	int rc = ingest_sink_series(&push->sink, &resource, &scope, err);

	rc = rc ? rc : add_labels(push, series, resource, err);
	for (size_t i = 0; i < series->n_samples && !rc; i++)
		rc = add_profile(push, series->samples[i], scope, err);
	return rc;
}

static int store_all(const struct api_call *call, const struct push *push, struct err *err)
{
	struct ingest *ingest = call->api->ingest;
	struct ingest_result result = {0};
	int rc = ingest_batch(ingest, call->tenant, INGEST_LABELS, push->sink.batch, call->arena,
			      &result, err);

	if (rc)
		*call->retry_ms = ingest_retry_ms(ingest, &result);
	if (!rc && result.samples == 0 && result.rejected_samples > 0)
		rc = err_set(err, ERR_INVALID, "%llu samples were not stored, the first for: %s",
			     (unsigned long long)result.rejected_samples, result.reason);
	return rc;
}

/* As they were sent; what is gzip is bounded again when it is unpacked. */
static size_t profile_bytes(const Push__V1__PushRequest *in)
{
	size_t sum = 0;

	for (size_t i = 0; i < in->n_series; i++)
		for (size_t k = 0; k < in->series[i]->n_samples; k++)
			sum += in->series[i]->samples[k]->raw_profile.len;
	return sum;
}

static int take(const struct api_call *call, const Push__V1__PushRequest *in, struct err *err)
{
	struct push push = {0};
	int rc = ingest_check_message(call->api->ingest, call->tenant, profile_bytes(in), err);

	rc = rc ? rc : ingest_sink_init(call->api->ingest, call->arena, &push.sink, err);

	for (size_t i = 0; i < in->n_series && !rc; i++)
		rc = add_series(&push, in->series[i], err);
	if (!rc && push.profiles == 0)
		rc = err_set(err, ERR_INVALID, "the push holds no profile");
	if (!rc && push.profiles == push.rejected)
		rc = err_set(err, ERR_INVALID, "no profile of the push can be read: %s",
			     push.reason);
	return rc ? rc : store_all(call, &push, err);
}

static int run(const struct api_call *call, const ProtobufCMessage *message,
	       ProtobufCMessage *response, struct err *err)
{
	int rc;

	(void)response;
	metric_add(&requests, 1);
	rc = take(call, (const Push__V1__PushRequest *)message, err);
	if (rc)
		metric_add(&ingest_failures, 1);
	return rc;
}

const struct api_rpc api_push = API_RPC("/push.v1.PusherService/Push", push__v1__push_request,
					push__v1__push_response, run, ingest_seconds);
