/* A recording has profiles of several names, each of which is a series. */
#include "server/ingest_legacy_jfr.h"

#include "base/zip.h"
#include "server/ingest_form.h"
#include "server/ingest_legacy_pprof.h"
#include "wire/jfr.h"

enum { DEFAULT_RATE_HZ = 100 };

struct parts {
	struct str recording, labels;
};

static int read_parts(const struct legacy_request *request, struct str body, struct parts *parts,
		      struct err *err)
{
	struct form form;
	int rc = form_or_part(request->content_type, body, STR("jfr"), &form, &parts->recording,
			      err);

	parts->labels = form_get(&form, STR("labels"));
	return rc;
}

/* The field labels may be gzip too. */
static int unpack_labels(struct ingest_sink *sink, struct parts *parts, struct err *err)
{
	struct buf plain;
	int rc;

	if (!str_starts_with(parts->labels, STR("\x1f\x8b")))
		return 0;
	buf_init(&plain, 0);
	rc = zip_gunzip(parts->labels, sink->limits.message_bytes, &plain, err);
	if (rc)
		err_wrap(err, "labels");
	else
		parts->labels = arena_str(sink->arena, buf_text(&plain));
	buf_deinit(&plain);
	if (!rc && !parts->labels.ptr)
		rc = err_set(err, ERR_NOMEM, "no memory for the labels of a recording");
	return rc;
}

static int add_one(struct ingest_sink *sink, const struct legacy_request *request,
		   const struct wire_jfr *jfr, const char *name, struct profile *profile,
		   struct str identity, struct err *err)
{
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *row;
	int rc = legacy_series(sink, request, request->app, &resource, &scope, err);

	rc = rc ? rc : ingest_sink_label(sink, resource, STR("__name__"), str_of(name), err);
	rc = rc ? rc : ingest_sink_label(sink, resource, STR("jfr_event"), jfr->event, err);
	rc = rc ? rc : profile_add(sink->batch, scope, &row, err);
	if (rc)
		return rc;
	profile->time_ns = request->from_ns;
	if (request->until_ns > request->from_ns)
		profile->duration_ns = request->until_ns - request->from_ns;
	*row = *profile;
	ingest_sink_identify(scope, 0, request->who, identity);
	return 0;
}

int legacy_jfr(struct ingest_sink *sink, const struct legacy_request *request, struct str body,
	       struct err *err)
{
	int64_t rate_hz = request->rate_hz > 0 ? request->rate_hz : DEFAULT_RATE_HZ;
	struct profile_scope all = {0};
	struct parts parts = {STR(""), STR("")};
	struct wire_jfr jfr = {NULL, 0, STR("")};
	int rc = read_parts(request, body, &parts, err);

	rc = rc ? rc : unpack_labels(sink, &parts, err);
	rc = rc ? rc
		: wire_jfr_decode(parts.recording, parts.labels, rate_hz, &sink->wire, &all, &jfr,
				  err);
	for (size_t i = 0; i < jfr.profile_count && !rc; i++)
		rc = add_one(sink, request, &jfr, jfr.profiles[i].name,
			     &all.profiles[jfr.profiles[i].profile], parts.recording, err);
	return rc;
}
