/* The two ways in: gRPC (OTLP/gRPC) and HTTP (OTLP/HTTP), and what they answer.
 *
 * A sender may repeat a request when trying again can help: the disk is full, the
 * store is busy. Then the answer carries a delay. It may not when the request
 * itself is at fault: its size, its bytes, its layout. */
#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "server/api.h"
#include "server/ingest_discard.h"
#include "server/ingest_private.h"
#include "server/ingest_stats.h"
#include "wire/wire.h"

enum { TENANT_BYTES_MAX = 150 };

#define REQUESTS      "cresset_ingest_requests_total"
#define REQUESTS_HELP "Export requests received"
#define LAYOUTS	      "cresset_otlp_layout_requests_total"
#define LAYOUT(version)                                                                            \
	METRIC_COUNTER_INIT(LAYOUTS, "version=\"" version "\"",                                    \
			    "Export requests by the release of opentelemetry-proto they are laid " \
			    "out as")

static struct metric grpc_requests =
	METRIC_COUNTER_INIT(REQUESTS, "transport=\"grpc\"", REQUESTS_HELP);
static struct metric http_requests =
	METRIC_COUNTER_INIT(REQUESTS, "transport=\"http\"", REQUESTS_HELP);
static struct metric json_requests =
	METRIC_COUNTER_INIT(REQUESTS, "transport=\"http_json\"", REQUESTS_HELP);
static struct metric layouts[WIRE_LAYOUT_COUNT] = {
	[WIRE_LAYOUT_NONE] = LAYOUT("none"), [WIRE_LAYOUT_A] = LAYOUT("1.3"),
	[WIRE_LAYOUT_B] = LAYOUT("1.5"),     [WIRE_LAYOUT_C] = LAYOUT("1.6"),
	[WIRE_LAYOUT_D] = LAYOUT("1.7"),     [WIRE_LAYOUT_E1] = LAYOUT("1.8"),
	[WIRE_LAYOUT_E2] = LAYOUT("1.9"),    [WIRE_LAYOUT_F] = LAYOUT("1.10"),
};

/* ---- tenant ---- */

static bool tenant_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!-_.*'()", c));
}

static int check_tenant(struct str tenant, struct err *err)
{
	bool good = tenant.len <= TENANT_BYTES_MAX && !str_equal(tenant, STR(".")) &&
		    !str_equal(tenant, STR(".."));

	for (size_t i = 0; i < tenant.len && good; i++)
		good = tenant_char(tenant.ptr[i]);
	if (good)
		return 0;
	return err_set(err, ERR_INVALID,
		       "X-Scope-OrgID: a tenant id has 1 to %d letters, digits and !-_.*'()",
		       TENANT_BYTES_MAX);
}

int ingest_tenant(const struct ingest *ingest, const struct net_request *request, struct str *ret,
		  struct err *err)
{
	struct str tenant = STR("anonymous");
	int rc;

	if (ingest->config.multitenancy) {
		tenant = str_trim(net_header_get(request, STR("x-scope-orgid")));
		if (tenant.len == 0)
			return err_set(err, ERR_UNAUTHENTICATED, "no org id: send X-Scope-OrgID");
	}
	rc = check_tenant(tenant, err);
	if (!rc)
		*ret = tenant;
	return rc;
}

/* ---- one request ---- */

struct failure {
	struct err err;
	int64_t retry_ms; /* -1: trying again does not help */
};

/* Releases of opentelemetry-proto do not understand each other: who looks for profiles that went missing
 * between two of them finds here when it began. */
static void note_layout(const struct ingest *ingest, const struct net_request *request,
			enum wire_layout layout)
{
	struct str agent = net_header_get(request, STR("user-agent"));
	enum wire_layout was;
	char text[256];

	metric_add(&layouts[layout], 1);
	if (!senders_note(ingest->senders, request->peer, agent, layout, clock_mono_ns(), &was))
		return;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(agent));
	log_info("ingest", "a sender changed its layout of OTLP profiles",
		 "peer=%.*s was=%s now=%s user_agent=" LOG_Q, STR_ARG(request->peer),
		 wire_layout_name(was), wire_layout_name(layout), LOG_TEXT(text));
}

static int decode(const struct ingest *ingest, const struct net_request *request, bool json,
		  struct str message, struct profile_batch **batch, struct wire_report *report,
		  struct err *err)
{
	struct wire_limits limits;
	int rc;

	wire_limits_default(&limits);
	limits.message_bytes = json ? ingest->config.json_bytes : ingest->config.message_bytes;
	rc = json ? wire_otlp_decode_json(message, request->arena, &limits, batch, report, err)
		  : wire_otlp_decode(message, request->arena, &limits, batch, report, err);
	note_layout(ingest, request, report->layout);
	discard_count(DISCARD_BAD_PROFILE, report->rejected_samples);
	return rc;
}

static int fill_partial(const struct net_request *request, const struct wire_report *report,
			const struct ingest_result *result, struct wire_partial *ret,
			struct err *err)
{
	uint64_t samples = report->rejected_samples + result->rejected_samples;
	const char *why = report->reason[0] ? report->reason : result->reason;

	*ret = (struct wire_partial){.rejected_profiles =
					     report->rejected_profiles + result->rejected_profiles};
	if (samples == 0 && ret->rejected_profiles == 0)
		return 0;
	ret->message =
		arena_printf(request->arena, "%llu samples were not stored, the first for: %s",
			     (unsigned long long)samples, why);
	return ret->message.ptr ? 0 : err_set(err, ERR_NOMEM, "no memory for an answer");
}

/* Everything between the unpacked message and the answer's content. */
static int take(struct ingest *ingest, const struct net_request *request, bool json,
		struct str message, struct wire_partial *ret, struct failure *failure)
{
	struct profile_batch *batch = NULL;
	struct ingest_result result = {0};
	struct wire_report report = {0};
	struct str tenant;
	int rc;

	metric_add(&ingest_bytes, (int64_t)message.len);
	rc = ingest_tenant(ingest, request, &tenant, &failure->err);
	rc = rc ? rc : ingest_check_message(ingest, tenant, message.len, &failure->err);
	rc = rc ? rc : decode(ingest, request, json, message, &batch, &report, &failure->err);
	if (rc)
		return rc;
	rc = ingest_batch(ingest, tenant, INGEST_ATTRIBUTES, batch, request->arena, &result,
			  &failure->err);
	if (rc)
		failure->retry_ms = ingest_retry_ms(ingest, &result);
	return rc ? rc : fill_partial(request, &report, &result, ret, &failure->err);
}

/* ---- gRPC ---- */

static int run_grpc(struct ingest *ingest, const struct net_request *request,
		    struct net_answer *answer, struct failure *failure)
{
	struct wire_partial partial = {0};
	struct str message;
	struct buf body;
	int rc = net_grpc_message(request, ingest->config.message_bytes, &message, &failure->err);

	rc = rc ? rc : take(ingest, request, false, message, &partial, failure);
	buf_init(&body, 0);
	rc = rc ? rc : wire_otlp_response(WIRE_PROTO, &partial, &body, &failure->err);
	if (!rc)
		net_grpc_answer(answer, buf_text(&body));
	buf_deinit(&body);
	return rc;
}

void ingest_grpc(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct failure failure = {.retry_ms = -1};
	uint64_t start_ns = clock_mono_ns();

	/* gRPC over HTTP/2, "Requests": another content type is answered in HTTP. */
	if (!net_is_grpc(request)) {
		net_answer_text(answer, 415, "Content-Type: send application/grpc");
		return;
	}
	metric_add(&grpc_requests, 1);
	if (run_grpc(user, request, answer, &failure)) {
		metric_add(&ingest_failures, 1);
		net_grpc_error(answer, &failure.err, failure.retry_ms);
	}
	histogram_observe_ns(&ingest_seconds, clock_mono_ns() - start_ns);
}

/* ---- HTTP ---- */

static const struct str content_types[] = {
	[WIRE_PROTO] = {"application/x-protobuf", 22},
	[WIRE_JSON] = {"application/json", 16},
};

/* Parameters as "; charset=utf-8" say nothing new. */
static bool parse_content_type(const struct net_request *request, enum wire_encoding *ret)
{
	struct str rest = net_header_get(request, STR("content-type"));
	struct str type = STR("");

	if (!str_next(&rest, ';', &type))
		return false;
	type = str_trim(type);
	if (str_equal_nocase(type, content_types[WIRE_JSON]))
		*ret = WIRE_JSON;
	else if (str_equal_nocase(type, content_types[WIRE_PROTO]) ||
		 str_equal_nocase(type, STR("application/protobuf")))
		*ret = WIRE_PROTO;
	else
		return false;
	return true;
}

static int run_http(struct ingest *ingest, const struct net_request *request,
		    enum wire_encoding encoding, struct net_answer *answer, struct failure *failure)
{
	bool json = encoding == WIRE_JSON;
	struct wire_partial partial = {0};
	struct str message;
	int rc = net_body(request, json ? ingest->config.json_bytes : ingest->config.message_bytes,
			  &message, &failure->err);

	if (rc == ERR_LIMIT)
		answer->status = 413;
	else if (rc == ERR_UNSUPPORTED) /* its coding: RFC 9110, section 15.5.16 */
		answer->status = 415;
	rc = rc ? rc : take(ingest, request, json, message, &partial, failure);
	rc = rc ? rc : wire_otlp_response(encoding, &partial, &answer->body, &failure->err);
	if (!rc)
		answer->status = 200;
	return rc;
}

/* OTLP/HTTP, "Failures": the body is a Status in the encoding of the request. Its senders repeat 429, 502,
 * 503 and 504, so those stay for what is worth repeating. */
static void answer_failure(const struct net_request *request, enum wire_encoding encoding,
			   struct net_answer *answer, const struct failure *failure)
{
	const struct err_info *info = err_info(failure->err.code);
	bool too_large = info->http_status == 429 && failure->retry_ms < 0;

	if (answer->status == 0)
		answer->status = too_large ? 413 : info->http_status;
	api_retry_after(request->arena, answer, failure->retry_ms);
	buf_clear(&answer->body);
	if (wire_status(encoding, info->grpc_status, str_of(failure->err.text), failure->retry_ms,
			&answer->body, NULL))
		buf_clear(&answer->body);
}

bool ingest_http_refuse(const struct net_request *request, const struct err *err, int64_t retry_ms,
			struct net_answer *answer)
{
	const struct failure failure = {.err = *err, .retry_ms = retry_ms};
	enum wire_encoding encoding;

	if (!parse_content_type(request, &encoding))
		return false;
	answer_failure(request, encoding, answer, &failure);
	net_answer_header(answer, STR("content-type"), content_types[encoding]);
	return true;
}

void ingest_http(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct failure failure = {.retry_ms = -1};
	enum wire_encoding encoding = WIRE_PROTO;
	uint64_t start_ns = clock_mono_ns();

	if (!str_equal(request->method, STR("POST"))) {
		net_answer_text(answer, 405, "send profiles with POST");
		net_answer_header(answer, STR("allow"), STR("POST"));
		return;
	}
	if (!parse_content_type(request, &encoding)) {
		net_answer_text(answer, 415,
				"Content-Type: send application/x-protobuf or application/json");
		return;
	}
	metric_add(encoding == WIRE_JSON ? &json_requests : &http_requests, 1);
	if (run_http(user, request, encoding, answer, &failure)) {
		metric_add(&ingest_failures, 1);
		answer_failure(request, encoding, answer, &failure);
	}
	net_answer_header(answer, STR("content-type"), content_types[encoding]);
	histogram_observe_ns(&ingest_seconds, clock_mono_ns() - start_ns);
}
