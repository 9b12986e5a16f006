/* SPDX-License-Identifier: Apache-2.0
 *
 * Well-formed requests of the query API with values that nobody means. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hostile.h"

#define QUERIER "/querier.v1.QuerierService/"
#define TYPE_ID "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
#define SELECT \
	"{\"profileTypeID\":\"" TYPE_ID "\",\"labelSelector\":\"{service_name=\\\"mallory\\\"}\","

static void send_json(struct verdict *verdict, const char *path, struct str body)
{
	struct ask ask = {.method = "POST", .path = path, .type = "application/json", .body = body};
	struct reply reply;

	ask_send(&ask, &reply);
	verdict_reply(verdict, strrchr(path, '/'), &ask, &reply, false);
	reply_deinit(&reply);
}

/* ---- numbers ---- */

static const char *const numbers[] = {
	"0",
	"-1",
	"1",
	"9223372036854775807",
	"-9223372036854775808",
	"9223372036854775808",
	"99999999999999999999999999999999999999",
	"\"9223372036854775807\"",
	"\"-9223372036854775808\"",
	"\"18446744073709551616\"",
	"1e18",
	"1e308",
	"-1e308",
	"1e999",
	"1e-300",
	"0.5",
	"\"NaN\"",
	"\"Infinity\"",
	"\"\"",
	"null",
	"true",
	"[]",
	"{}",
	"\"\\u0000\"",
};

enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

/* Every pair of start and end; every other number with sensible times. */
static void send_numbers(void)
{
	static const char *const methods[] = {"ProfileTypes", "LabelNames", "Series",
					      "SelectSeries", "SelectMergeStacktraces"};
	static const char *const fields[] = {"step", "limit", "maxNodes", "format", "aggregation"};
	struct verdict verdict = verdict_begin("huge, tiny and strange numbers");
	unsigned long long now_ms = clock_real_ns() / NS_PER_MS;
	char path[128], body[1024];

	for (size_t i = 0; i < NUMBERS * NUMBERS; i++) {
		const char *method = methods[i % 5];
		snprintf(path, sizeof(path), QUERIER "%s", method);
		snprintf(body, sizeof(body), "%s\"start\":%s,\"end\":%s%s}",
			 strncmp(method, "Select", 6) == 0 ? SELECT : "{", numbers[i / NUMBERS],
			 numbers[i % NUMBERS], i % 5 == 3 ? ",\"step\":1" : "");
		send_json(&verdict, path, str_of(body));
	}
	for (size_t i = 0; i < NUMBERS * 5; i++) {
		const char *step = strcmp(fields[i % 5], "step") == 0 ? "" : ",\"step\":15";
		snprintf(path, sizeof(path), QUERIER "%s", methods[3 + i % 2]);
		snprintf(body, sizeof(body), SELECT "\"start\":%llu,\"end\":%llu%s,\"%s\":%s}",
			 now_ms - 86400000, now_ms, i % 2 ? "" : step, fields[i % 5],
			 numbers[i / 5]);
		send_json(&verdict, path, str_of(body));
	}
	verdict_end(&verdict);
}

/* ---- selectors ---- */

static const char *const selectors[] = {
	"{victim=~\"(a+)+$\"}",
	"{victim=~\"(a|a)*b\"}",
	"{victim=~\"(a|aa)+$\"}",
	"{victim=~\"(.*)*(.*)*(.*)*x\"}",
	"{victim=~\"(.*a){20}\"}",
	"{victim=~\"^(([a-z])+.)+[A-Z]([a-z])+$\"}",
	"{victim!~\"((a*)*)*c\"}",
	"{victim=~\"(?:(?:(?:a{1,1000}){1,1000}){1,1000}){1,1000}\"}",
	"{victim=~\"((((a{1000}){1000}){1000}){1000})\"}",
	"{victim=~\"a{65535}\"}",
	"{victim=~\"(?R)\"}",
	"{victim=~\"(a(?1)?)+\"}",
	"{victim=~\"(\\\\1a)*\"}",
	"{victim=~\"(?=(a+))*b\"}",
	"{victim=~\"(*LIMIT_MATCH=4000000000)(a+)+$\"}",
	"{victim=~\"(*NO_JIT)(a+)+$\"}",
	"{victim=~\"\\\\C\"}",
	"{victim=~\"[\"}",
	"{victim=~\"(\"}",
	"{victim=~\"\\xff\\xfe\"}",
	"{victim=~\"(?{system('id')})\"}",
	"{victim=\"\\xff\"}",
	"{victim=\"a\" \"b\"}",
	"{victim=~}",
	"{=\"a\"}",
	"{{{{{{{{",
	"{\"\"=\"a\"}",
	"{victim=\"a\",}",
	"{,}",
	"victim{",
	"\\",
	"{victim=\"\\ud800\"}",
	"{victim=\"\\U00110000\"}",
	"{a=\"b\"} or {c=\"d\"}",
};

static void put_json_text(struct buf *out, struct str text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		buf_char(out, c);
	}
	buf_char(out, '"');
}

static void send_selector(struct verdict *verdict, struct str selector)
{
	struct buf body = {0};
	unsigned long long now_ms = clock_real_ns() / NS_PER_MS;

	buf_cstr(&body, "{\"profileTypeID\":\"" TYPE_ID "\",\"labelSelector\":");
	put_json_text(&body, selector);
	buf_printf(&body, ",\"start\":%llu,\"end\":%llu,\"step\":15,\"maxNodes\":1024}",
		   now_ms - 3600000, now_ms);
	send_json(verdict, QUERIER "SelectMergeStacktraces", buf_text(&body));
	send_json(verdict, QUERIER "SelectSeries", buf_text(&body));
	buf_clear(&body);
	buf_cstr(&body, "{\"matchers\":[");
	put_json_text(&body, selector);
	buf_cstr(&body, "]}");
	send_json(verdict, QUERIER "LabelNames", buf_text(&body));
	buf_deinit(&body);
}

/* before, piece times times, after */
static void send_repeated(struct verdict *verdict, const char *before, const char *piece,
			  size_t times, const char *after)
{
	struct buf text = {0};

	buf_cstr(&text, before);
	for (size_t i = 0; i < times; i++)
		buf_cstr(&text, piece);
	buf_cstr(&text, after);
	send_selector(verdict, buf_text(&text));
	buf_deinit(&text);
}

static void send_selectors(void)
{
	struct verdict verdict = verdict_begin("selectors that are wrong, huge or catastrophic");

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		send_selector(&verdict, str_of(selectors[i]));
	send_repeated(&verdict, "{", "victim=~\"(a+)+$\",", 255, "}");
	send_repeated(&verdict, "{", "a=\"b\",", 100000, "}");
	send_repeated(&verdict, "{victim=~\"", "(", 60000, "\"}");
	send_repeated(&verdict, "{victim=~\"", "(a|", 10000, "\"}");
	send_repeated(&verdict, "{victim=~\"", "(a*)", 10000, "\"}");
	send_repeated(&verdict, "{victim=~\"", "a{1000}", 9000, "\"}");
	send_repeated(&verdict, "{victim=~\"", "[a-z]|", 10000, "\"}");
	send_repeated(&verdict, "{victim=\"", "a", 3 << 20, "\"}");
	send_repeated(&verdict, "", "{", 100000, "");
	verdict_end(&verdict);
}

/* One question with thousands of catastrophic selectors. */
static void send_many_matchers(void)
{
	struct verdict verdict = verdict_begin("thousands of selectors and groups in one question");
	struct buf body = {0};
	unsigned long long now_ms = clock_real_ns() / NS_PER_MS;

	buf_cstr(&body, "{\"matchers\":[\"{}\"");
	for (int i = 0; i < 20000; i++)
		buf_cstr(&body, ",\"{victim=~\\\"(a+)+$\\\"}\"");
	buf_cstr(&body, "]}");
	send_json(&verdict, QUERIER "LabelNames", buf_text(&body));
	send_json(&verdict, QUERIER "Series", buf_text(&body));
	buf_clear(&body);
	buf_cstr(&body, "{\"matchers\":[\"{}\"");
	for (int i = 0; i < 100000; i++)
		buf_cstr(&body, ",\"{}\"");
	buf_cstr(&body, "],\"name\":\"service_name\"}");
	send_json(&verdict, QUERIER "LabelValues", buf_text(&body));
	send_json(&verdict, QUERIER "Series", buf_text(&body));
	buf_clear(&body);
	buf_printf(&body, SELECT "\"start\":%llu,\"end\":%llu,\"step\":1,\"groupBy\":[\"a\"",
		   now_ms - 900000, now_ms);
	for (int i = 0; i < 100000; i++)
		buf_printf(&body, ",\"l%d\"", i);
	buf_cstr(&body, "]}");
	send_json(&verdict, QUERIER "SelectSeries", buf_text(&body));
	buf_deinit(&body);
	verdict_end(&verdict);
}

/* ---- nesting ---- */

static void send_nested(void)
{
	static const struct {
		const char *before, *piece;
		size_t times;
	} rows[] = {
		{"", "[", 1 << 20},
		{"", "{\"a\":", 1 << 18},
		{"{\"matchers\":", "[", 1 << 20},
		{"{\"stackTraceSelector\":", "{\"callSite\":[", 1 << 17},
		{"{\"labelSelector\":\"", "\\", 1 << 20},
		{"{\"labelSelector\":\"", "\\ud83d", 1 << 18},
		{"{\"labelSelector\":\"", "\xf8\x88\x80\x80\x80", 1 << 10},
		{"{", "\"start\":1,", 1 << 17},
		{"", " ", 1 << 21},
		{"", "1", 1 << 20},
		{"\xef\xbb\xbf", "{}", 1},
	};
	struct verdict verdict = verdict_begin("JSON that is deep, endless or not UTF-8");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf body = {0};
		buf_cstr(&body, rows[i].before);
		for (size_t k = 0; k < rows[i].times; k++)
			buf_cstr(&body, rows[i].piece);
		send_json(&verdict, QUERIER "LabelNames", buf_text(&body));
		send_json(&verdict, QUERIER "SelectMergeStacktraces", buf_text(&body));
		send_json(&verdict, "/v1development/profiles", buf_text(&body));
		buf_deinit(&body);
	}
	verdict_end(&verdict);
}

/* Something for the expressions to run over. */
static void push_victims(void)
{
	struct verdict verdict = verdict_begin("a series for expressions to fail on is taken");
	struct arena arena;

	arena_init(&arena, 0);
	for (unsigned i = 0; i < 8; i++) {
		char value[4096];
		size_t len = 30U << i;
		memset(value, 'a', len);
		value[len - 1] = '!';
		const struct label label = {STR("victim"), {value, len}};
		struct ask ask = {.method = "POST",
				  .path = "/v1development/profiles",
				  .type = "application/x-protobuf",
				  .body = export_request(&arena, "mallory", i, &label, 1)};
		struct reply reply;
		ask_send(&ask, &reply);
		verdict_reply(&verdict, "victim", &ask, &reply, false);
		if (reply.status != 200)
			verdict_bad(&verdict, "victim", ask.body, "not taken");
		reply_deinit(&reply);
	}
	arena_deinit(&arena);
	verdict_end(&verdict);
}

void attack_queries(void)
{
	push_victims();
	send_numbers();
	send_selectors();
	send_many_matchers();
	send_nested();
}
