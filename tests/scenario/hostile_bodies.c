/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests as they should be, which the attacks then spoil. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/zip.h"
#include "hostile.h"
#include "profile/profile.h"
#include "wire/wire.h"

#define QUERIER "/querier.v1.QuerierService/"
#define TYPE_ID "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

static struct str keep(struct arena *arena, struct buf *buf)
{
	struct str text = arena_str(arena, buf_text(buf));

	if (buf->failed || !text.ptr)
		die("memory");
	buf_deinit(buf);
	return text;
}

/* ---- the few pieces of protobuf that the queries need ---- */

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_char(out, (char)(value | 0x80));
	buf_char(out, (char)value);
}

static void put_number(struct buf *out, unsigned field, uint64_t value)
{
	put_varint(out, field << 3);
	put_varint(out, value);
}

static void put_text(struct buf *out, unsigned field, const char *text)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, strlen(text));
	buf_cstr(out, text);
}

static void put_double(struct buf *out, unsigned field, double value)
{
	put_varint(out, field << 3 | 1);
	buf_append(out, &value, sizeof(value)); /* little endian, as x86-64 is */
}

/* ---- queries ---- */

struct query {
	const char *method, *json;
	void (*proto)(struct buf *out, uint64_t start, uint64_t end);
};

static void proto_types(struct buf *out, uint64_t start, uint64_t end)
{
	put_number(out, 1, start);
	put_number(out, 2, end);
}

static void proto_names(struct buf *out, uint64_t start, uint64_t end)
{
	put_text(out, 1, "{service_name=\"mallory\"}");
	put_number(out, 2, start);
	put_number(out, 3, end);
}

static void proto_values(struct buf *out, uint64_t start, uint64_t end)
{
	put_text(out, 1, "service_name");
	put_text(out, 2, "{service_name=~\"mall.*\"}");
	put_number(out, 3, start);
	put_number(out, 4, end);
}

static void proto_series(struct buf *out, uint64_t start, uint64_t end)
{
	put_text(out, 1, "{service_name=\"mallory\"}");
	put_text(out, 2, "service_name");
	put_number(out, 3, start);
	put_number(out, 4, end);
}

static void proto_select(struct buf *out, uint64_t start, uint64_t end)
{
	put_text(out, 1, TYPE_ID);
	put_text(out, 2, "{service_name=\"mallory\"}");
	put_number(out, 3, start);
	put_number(out, 4, end);
}

static void proto_points(struct buf *out, uint64_t start, uint64_t end)
{
	proto_select(out, start, end);
	put_text(out, 5, "service_name");
	put_double(out, 6, 15);
	put_number(out, 9, 10);
}

static void proto_merge(struct buf *out, uint64_t start, uint64_t end)
{
	proto_select(out, start, end);
	put_number(out, 5, 8192);
}

#define TIMES "\"start\":%llu,\"end\":\"%llu\""
#define SELECT \
	"\"profileTypeID\":\"" TYPE_ID "\",\"labelSelector\":\"{service_name=\\\"mallory\\\"}\","
/* The fields in front of the times. */
static const struct query queries[] = {
	{QUERIER "ProfileTypes", "", proto_types},
	{QUERIER "LabelNames", "\"matchers\":[\"{service_name=\\\"mallory\\\"}\"],", proto_names},
	{QUERIER "LabelValues",
	 "\"name\":\"service_name\",\"matchers\":[\"{service_name=~\\\"mall.*\\\"}\"],",
	 proto_values},
	{QUERIER "Series", "\"matchers\":[],\"labelNames\":[\"service_name\"],", proto_series},
	{QUERIER "SelectSeries",
	 SELECT "\"groupBy\":[\"service_name\"],\"step\":15,\"limit\":\"10\",", proto_points},
	{QUERIER "SelectMergeStacktraces", SELECT "\"maxNodes\":\"8192\",", proto_merge},
};

enum { QUERIES = sizeof(queries) / sizeof(queries[0]) };

static struct str query_message(struct arena *arena, const struct query *query, enum form form)
{
	struct buf out = {0};
	uint64_t now_ms = clock_real_ns() / NS_PER_MS;

	if (form == FORM_JSON)
		buf_printf(&out, "{%s" TIMES "}", query->json,
			   (unsigned long long)(now_ms - 3600000), (unsigned long long)now_ms);
	else
		query->proto(&out, now_ms - 3600000, now_ms);
	return keep(arena, &out);
}

struct str merge_query(struct arena *arena, const char *service)
{
	struct buf out = {0};
	uint64_t now_ms = clock_real_ns() / NS_PER_MS;

	buf_printf(&out,
		   "{\"profileTypeID\":\"" TYPE_ID
		   "\",\"labelSelector\":\"{service_name=\\\"%s\\\"}\"," TIMES
		   ",\"maxNodes\":\"1048576\"}",
		   service, (unsigned long long)(now_ms - 3600000),
		   (unsigned long long)(now_ms + 60000));
	return keep(arena, &out);
}

/* ---- export ---- */

static int add_stack(struct profile_batch *batch, const char *function, uint32_t *ret,
		     struct err *err)
{
	struct profile_function f = {0};
	struct profile_line line = {0};
	uint32_t location = 0;
	int rc = profile_string(batch, str_of(function), &f.name, err);
	if (!rc)
		rc = profile_function(batch, &f, &line.function, err);
	struct profile_location l = {.line_count = 1, .lines = &line};
	if (!rc)
		rc = profile_location(batch, &l, &location, err);
	return rc ? rc : profile_stack(batch, &location, 1, ret, err);
}

static int add_samples(struct profile_batch *batch, struct profile *profile, unsigned number,
		       struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < STACKS && !rc; i++) {
		char function[64];
		struct profile_sample *sample = NULL;
		uint32_t stack = 0;
		snprintf(function, sizeof(function), "request_%u_stack_%u", number, i);
		rc = add_stack(batch, function, &stack, err);
		rc = rc ? rc : profile_sample_add(batch, profile, &sample, err);
		if (!rc)
			sample->stack = stack;
		for (unsigned k = 0; k < EVENTS && !rc; k++)
			rc = profile_sample_time(batch, sample, profile->time_ns + k * 1000, err);
	}
	return rc;
}

static int add_profile(struct profile_batch *batch, struct profile_resource *resource,
		       unsigned number, struct err *err)
{
	struct profile_scope *scope = NULL;
	struct profile *profile = NULL;

	int rc = profile_scope_add(batch, resource, &scope, err);
	rc = rc ? rc : profile_add(batch, scope, &profile, err);
	if (rc)
		return rc;
	profile->time_ns = clock_real_ns() - NS_PER_S;
	profile->period = 1;
	rc = profile_string(batch, STR("samples"), &profile->sample_type.type, err);
	rc = rc ? rc : profile_string(batch, STR("count"), &profile->sample_type.unit, err);
	rc = rc ? rc : profile_string(batch, STR("cpu"), &profile->period_type.type, err);
	rc = rc ? rc : profile_string(batch, STR("nanoseconds"), &profile->period_type.unit, err);
	return rc ? rc : add_samples(batch, profile, number, err);
}

static int make_export(struct arena *arena, const char *service, unsigned number,
		       const struct label *labels, size_t count, struct buf *out, struct err *err)
{
	struct profile_batch *batch = NULL;
	struct profile_resource *resource = NULL;
	struct value value = {.kind = VALUE_STRING, .text = str_of(service)};

	int rc = profile_batch_create(arena, &batch, err);
	rc = rc ? rc : profile_resource_add(batch, &resource, err);
	rc = rc ? rc : profile_resource_attr(batch, resource, STR("service.name"), &value, err);
	for (size_t i = 0; i < count && !rc; i++) {
		value.text = labels[i].value;
		rc = profile_resource_attr(batch, resource, labels[i].name, &value, err);
	}
	rc = rc ? rc : add_profile(batch, resource, number, err);
	return rc ? rc : wire_otlp_encode(batch, out, err);
}

struct str export_request(struct arena *arena, const char *service, unsigned number,
			  const struct label *labels, size_t label_count)
{
	struct buf out = {0};
	struct err err = {0};

	if (make_export(arena, service, number, labels, label_count, &out, &err))
		die(err.text);
	return keep(arena, &out);
}

static struct str export_json(struct arena *arena)
{
	struct buf out = {0};

	buf_printf(
		&out,
		"{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
		"\"value\":{\"stringValue\":\"mallory\"}},{\"key\":\"list\",\"value\":{"
		"\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}}]},\"scopeProfiles\":[{"
		"\"profiles\":[{\"sampleType\":{\"typeStrindex\":1,\"unitStrindex\":2},"
		"\"periodType\":{\"typeStrindex\":3,\"unitStrindex\":4},\"period\":\"1\","
		"\"timeUnixNano\":\"%llu\",\"samples\":[{\"stackIndex\":1,\"values\":[\"5\"]}]}]}]"
		"}],\"dictionary\":{\"stringTable\":[\"\",\"samples\",\"count\",\"cpu\","
		"\"nanoseconds\",\"main\"],\"functionTable\":[{},{\"nameStrindex\":5}],"
		"\"mappingTable\":[{}],\"linkTable\":[{}],\"attributeTable\":[{}],"
		"\"locationTable\":[{},{\"lines\":[{\"functionIndex\":1,\"line\":\"11\"}]}],"
		"\"stackTable\":[{},{\"locationIndices\":[1]}]}}",
		(unsigned long long)clock_real_ns() - NS_PER_S);
	return keep(arena, &out);
}

/* ---- on the wire ---- */

struct str grpc_frame(struct arena *arena, struct str message, bool packed)
{
	struct buf out = {0};

	buf_char(&out, packed);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_char(&out, (char)(message.len >> shift));
	buf_str(&out, message);
	return keep(arena, &out);
}

struct str wrap(struct arena *arena, const struct target *target, struct str message)
{
	struct buf packed = {0};
	struct err err;

	if (target->gzip) {
		if (zip_gzip(message, 1, &packed, &err))
			die(err.text);
		message = keep(arena, &packed);
	}
	return target->form == FORM_GRPC ? grpc_frame(arena, message, target->gzip) : message;
}

/* A full flush ends on a byte and forgets the window, so that the same piece fits behind itself. */
struct str gzip_bomb(struct arena *arena, unsigned mib)
{
	static unsigned char zeros[1 << 20], piece[1 << 16];
	static const char head[10] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
	z_stream z = {.next_in = zeros,
		      .avail_in = sizeof(zeros),
		      .next_out = piece,
		      .avail_out = sizeof(piece)};
	struct buf out = {0};

	if (deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FULL_FLUSH) != Z_OK)
		die("deflate");
	buf_append(&out, head, sizeof(head));
	for (unsigned i = 0; i < mib; i++)
		buf_append(&out, piece, z.total_out);
	buf_append(&out, "\x03\0\0\0\0\0\0\0\0\0", 10); /* the last block, no checksum, no size */
	deflateEnd(&z);
	return keep(arena, &out);
}

/* ---- the list ---- */

static struct target new_target(const char *path, enum form form, bool gzip, struct str message)
{
	static const char *const types[] = {"application/json", "application/proto",
					    "application/grpc"};
	static const char *const names[] = {"JSON", "protobuf", "gRPC"};
	struct target target = {.message = message, .form = form, .gzip = gzip};

	target.ask = (struct ask){.method = "POST",
				  .path = path,
				  .type = types[form],
				  .h2 = form == FORM_GRPC};
	if (gzip)
		target.ask.headers = form == FORM_GRPC ? "grpc-encoding: gzip\r\n"
						       : "Content-Encoding: gzip\r\n";
	snprintf(target.name, sizeof(target.name), "%s %s%s", strrchr(path, '/'), names[form],
		 gzip ? " gzip" : "");
	return target;
}

static size_t add_exports(struct arena *arena, bool gzip, struct target *into)
{
	const char *grpc = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService"
			   "/Export";
	struct str proto = export_request(arena, "mallory", 1, NULL, 0);

	into[0] = new_target(grpc, FORM_GRPC, gzip, proto);
	into[1] = new_target("/v1development/profiles", FORM_PROTO, gzip, proto);
	into[1].ask.type = "application/x-protobuf";
	into[2] = new_target("/v1development/profiles", FORM_JSON, gzip, export_json(arena));
	return 3;
}

const struct target *targets(struct arena *arena, size_t *count)
{
	static struct target all[2 * (QUERIES * FORM_NONE + 3)];
	static size_t n;

	for (int gzip = 0; n < sizeof(all) / sizeof(all[0]); gzip++) {
		for (int q = 0; q < QUERIES; q++)
			for (enum form form = FORM_JSON; form < FORM_NONE; form++)
				all[n++] = new_target(queries[q].method, form, gzip,
						      query_message(arena, &queries[q], form));
		n += add_exports(arena, gzip, all + n);
	}
	*count = n;
	return all;
}
