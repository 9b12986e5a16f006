/* SPDX-License-Identifier: Apache-2.0
 *
 * Export requests that decode, with names, times and shapes that nobody means;
 * and after them the answers of the query API must still be good JSON. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hostile.h"

#define QUERIER "/querier.v1.QuerierService/"
#define OTLP	"/v1development/profiles"

static void send_to(struct verdict *verdict, const char *what, const char *path, const char *type,
		    struct str body)
{
	struct ask ask = {.method = "POST", .path = path, .type = type, .body = body};
	struct reply reply;

	ask_send(&ask, &reply);
	verdict_reply(verdict, what, &ask, &reply, false);
	reply_deinit(&reply);
}

/* ---- labels ---- */

static const struct label labels[] = {
	{{"", 0}, {"empty name", 10}},
	{{"nul\0name", 8}, {"nul\0value", 9}},
	{{"quote\"name", 10}, {"quote\"value\\", 12}},
	{{"line\nname", 9}, {"line\nvalue\r\n", 12}},
	{{"bad\xff\xfe", 5}, {"bad\xc3\x28", 5}},
	{{"overlong\xc0\xaf", 10}, {"\xed\xa0\x80", 3}},
	{{"__name__", 8}, {"mallory", 7}},
	{{"__profile_type__", 16}, {"mallory", 7}},
	{{"__session_id__", 14}, {"mallory", 7}},
	{{"service_name", 12}, {"honest", 6}},
	{{"<script>", 8}, {"<img src=x onerror=alert(1)>", 28}},
	{{"../../etc", 9}, {"../../etc/passwd", 16}},
	{{"%s%n%s", 6}, {"%s%n%s", 6}},
	{{"\xe2\x80\xae", 3}, {"\xe2\x80\xae", 3}},
	{{" ", 1}, {" ", 1}},
	{{"process.pid", 11}, {"-1", 2}},
	{{"thread.id", 9}, {"99999999999999999999", 20}},
	{{"cpu.logical_number", 18}, {"NaN", 3}},
};

enum { LABELS = sizeof(labels) / sizeof(labels[0]) };

static void send_long_labels(struct verdict *verdict, struct arena *arena)
{
	enum { MANY = 5000, LONG = 1 << 20 };
	char *text = malloc(LONG);
	struct label *many = calloc(MANY, sizeof(*many));
	if (!text || !many)
		die("memory");
	memset(text, 'x', LONG);
	const struct label name = {{text, LONG}, STR("v")}, value = {STR("n"), {text, LONG}};

	send_to(verdict, "long name", OTLP, "application/x-protobuf",
		export_request(arena, "mallory", 1, &name, 1));
	send_to(verdict, "long value", OTLP, "application/x-protobuf",
		export_request(arena, "mallory", 1, &value, 1));
	for (size_t i = 0; i < MANY; i++)
		many[i] = (struct label){arena_printf(arena, "label_%zu", i), STR("v")};
	send_to(verdict, "many labels", OTLP, "application/x-protobuf",
		export_request(arena, "mallory", 1, many, MANY));
	free(text);
	free(many);
}

/* What the page asks for when it opens. */
static void ask_all(struct verdict *verdict)
{
	static const char *const names[] = {"service_name", "nul",	"quote\\\"name",
					    "<script>",	    "__name__", "line\\nname"};
	char body[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(body, sizeof(body), "{\"name\":\"%s\"}", names[i]);
		send_to(verdict, "values", QUERIER "LabelValues", "application/json", str_of(body));
	}
	send_to(verdict, "names", QUERIER "LabelNames", "application/json", STR("{}"));
	send_to(verdict, "series", QUERIER "Series", "application/json", STR("{}"));
	send_to(verdict, "types", QUERIER "ProfileTypes", "application/json", STR("{}"));
}

static void send_labels(void)
{
	struct verdict verdict =
		verdict_begin("hostile names and values of labels leave the API's JSON whole");
	struct arena arena;

	arena_init(&arena, 0);
	/* All but the label that would make these requests the honest user's. */
	for (size_t i = 0; i < LABELS; i++)
		if (!str_equal(labels[i].name, STR("service_name")))
			send_to(&verdict, "label", OTLP, "application/x-protobuf",
				export_request(&arena, "mallory", 1, &labels[i], 1));
	send_to(&verdict, "all labels", OTLP, "application/x-protobuf",
		export_request(&arena, "mallory", 2, labels, LABELS));
	for (size_t i = 0; i < LABELS; i++) {
		char *service = arena_zalloc(&arena, labels[i].value.len + 1, 1);
		memcpy(service, labels[i].value.ptr, labels[i].value.len);
		if (strcmp(service, "honest") != 0)
			send_to(&verdict, "service", OTLP, "application/x-protobuf",
				export_request(&arena, service, 3, NULL, 0));
	}
	send_long_labels(&verdict, &arena);
	ask_all(&verdict);
	arena_deinit(&arena);
	verdict_end(&verdict);
}

/* ---- shapes ---- */

/* %s is the times, types, tables of a request that is else as it should be. */
static const char *const shapes[] = {
	"\"timeUnixNano\":\"18446744073709551615\",\"samples\":[{\"stackIndex\":1,\"values\":[1]}]",
	"\"timeUnixNano\":0,\"samples\":[{\"stackIndex\":1,\"timestampsUnixNano\":[0,1,"
	"18446744073709551615,9223372036854775808]}]",
	"\"samples\":[{\"stackIndex\":4294967295,\"values\":[1]}]",
	"\"samples\":[{\"stackIndex\":-2147483648,\"values\":[1]}]",
	"\"samples\":[{\"stackIndex\":1,\"values\":[9223372036854775807,9223372036854775807]}]",
	"\"samples\":[{\"stackIndex\":1,\"values\":[-9223372036854775808]}]",
	"\"period\":9223372036854775807,\"samples\":[{\"stackIndex\":1,\"values\":["
	"9223372036854775807]}]",
	"\"period\":-1,\"samples\":[{\"stackIndex\":1,\"values\":[1]}]",
	"\"durationNano\":1e30,\"samples\":[{\"stackIndex\":1,\"values\":[1]}]",
	"\"samples\":[{\"stackIndex\":1,\"attributeIndices\":[99],\"linkIndex\":99,\"values\":[1]}"
	"]",
	"\"sampleType\":{\"typeStrindex\":99},\"samples\":[{\"stackIndex\":1,\"values\":[1]}]",
	"\"samples\":[{},{},{},null,{\"stackIndex\":0}]",
	"\"samples\":{}",
	"\"samples\":[[[[[[]]]]]]",
	"\"profileId\":\"zz\",\"samples\":[{\"stackIndex\":1,\"values\":[1]}]",
};

static void send_shapes(void)
{
	struct verdict verdict =
		verdict_begin("profiles with impossible times, indices and values");

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct buf body = {0};
		buf_printf(&body,
			   "{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":"
			   "\"service.name\",\"value\":{\"stringValue\":\"mallory\"}}]},"
			   "\"scopeProfiles\":[{\"profiles\":[{%s}]}]}],\"dictionary\":{"
			   "\"stringTable\":[\"\",\"cpu\"],\"functionTable\":[{},{\"nameStrindex\":"
			   "1}],\"locationTable\":[{},{\"lines\":[{\"functionIndex\":1}]}],"
			   "\"stackTable\":[{},{\"locationIndices\":[1]}]}}",
			   shapes[i]);
		send_to(&verdict, "shape", OTLP, "application/json", buf_text(&body));
		buf_deinit(&body);
	}
	ask_all(&verdict);
	verdict_end(&verdict);
}

/* ---- nesting ---- */

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_char(out, (char)(value | 0x80));
	buf_char(out, (char)value);
}

/* inner as field number of a message around it */
static struct str around(struct arena *arena, unsigned number, struct str inner)
{
	struct buf out = {0};

	put_varint(&out, number << 3 | 2);
	put_varint(&out, inner.len);
	buf_str(&out, inner);
	struct str text = arena_str(arena, buf_text(&out));
	buf_deinit(&out);
	return text;
}

/* Attribute values that are arrays in arrays: AnyValue.array_value (5) of ArrayValue.values (1). */
static void send_nested_values(void)
{
	struct verdict verdict =
		verdict_begin("attribute values that are arrays in arrays in arrays");
	struct arena arena;

	for (unsigned depth = 8; depth <= 8192; depth *= 4) {
		struct buf json = {0};
		struct str value = STR("");
		arena_init(&arena, 0);
		for (unsigned i = 0; i < depth; i++)
			value = around(&arena, 5, around(&arena, 1, value));
		/* KeyValue.value (2), Resource.attributes (1), ResourceProfiles.resource (1), (1) */
		value = around(&arena, 1, around(&arena, 2, value));
		value = around(&arena, 1, around(&arena, 1, value));
		send_to(&verdict, "protobuf", OTLP, "application/x-protobuf", value);
		buf_cstr(&json,
			 "{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"a\","
			 "\"value\":");
		for (unsigned i = 0; i < depth; i++)
			buf_cstr(&json, "{\"arrayValue\":{\"values\":[");
		send_to(&verdict, "JSON, cut", OTLP, "application/json", buf_text(&json));
		for (unsigned i = 0; i < depth; i++)
			buf_cstr(&json, "]}}");
		buf_cstr(&json, "}]}}]}");
		send_to(&verdict, "JSON", OTLP, "application/json", buf_text(&json));
		buf_deinit(&json);
		arena_deinit(&arena);
	}
	verdict_end(&verdict);
}

/* Little text, many rows: what a table costs in memory must not be a multiple that hurts. */
static void put_rows(struct buf *out, const char *before, const char *piece, size_t times,
		     const char *after)
{
	buf_clear(out);
	buf_cstr(out, before);
	for (size_t i = 0; i < times; i++)
		buf_cstr(out, piece);
	buf_cstr(out, after);
}

static void send_wide(void)
{
	static const struct {
		const char *before, *piece, *after;
	} rows[] = {
		{"{\"dictionary\":{\"stringTable\":[\"\"", ",\"\"", "]}}"},
		{"{\"dictionary\":{\"locationTable\":[{}", ",{}", "]}}"},
		{"{\"dictionary\":{\"stackTable\":[{}", ",{}", "]}}"},
		{"{\"resourceProfiles\":[{}", ",{}", "]}"},
		{"{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{}", ",{}", "]}]}]}"},
		{"{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"samples\":[{}",
		 ",{}", "]}]}]}]}"},
		{"{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{}", ",{}", "]}}]}"},
	};
	struct verdict verdict = verdict_begin("hundreds of thousands of empty rows in each table");
	struct buf body = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t times = 100000; times <= 1600000; times *= 4) {
			put_rows(&body, rows[i].before, rows[i].piece, times, rows[i].after);
			send_to(&verdict, "rows", OTLP, "application/json", buf_text(&body));
		}
	buf_clear(&body);
	for (int k = 0; k < 4000000; k++) /* field 1 (resource_profiles), empty */
		buf_append(&body, "\x0a\0", 2);
	send_to(&verdict, "protobuf rows", OTLP, "application/x-protobuf", buf_text(&body));
	buf_deinit(&body);
	verdict_end(&verdict);
}

static void *send_heavy(void *arg)
{
	struct verdict verdict = verdict_begin("heavy");
	struct str body = *(struct str *)arg;

	send_to(&verdict, "heavy", OTLP,
		body.ptr[0] == '{' ? "application/json" : "application/x-protobuf", body);
	return (void *)(uintptr_t)verdict.bad;
}

/* One body for each worker of the server. */
static void send_at_once(struct verdict *verdict, struct str body)
{
	enum { AT_ONCE = 4 };
	pthread_t threads[AT_ONCE];
	void *bad;

	for (int i = 0; i < AT_ONCE; i++)
		if (pthread_create(&threads[i], NULL, send_heavy, &body))
			die("thread");
	for (int i = 0; i < AT_ONCE; i++) {
		pthread_join(threads[i], &bad);
		verdict->count++;
		verdict->bad += bad != NULL;
	}
}

static void send_heavy_bodies(void)
{
	struct verdict verdict =
		verdict_begin("the bodies that need most memory, to all workers at once");
	struct buf body = {0};

	put_rows(&body, "{\"resourceProfiles\":[{}", ",{}", 5 << 20, "]}");
	send_at_once(&verdict, buf_text(&body));
	put_rows(&body, "{\"resourceProfiles\":[{}", ",{}", 200000, "]}");
	send_at_once(&verdict, buf_text(&body));
	buf_clear(&body);
	for (int k = 0; k < 1 << 20; k++)
		buf_append(&body, "\x0a\0", 2);
	send_at_once(&verdict, buf_text(&body));
	buf_deinit(&body);
	verdict_end(&verdict);
}

void attack_exports(void)
{
	send_labels();
	send_shapes();
	send_nested_values();
	send_wide();
	send_heavy_bodies();
}
