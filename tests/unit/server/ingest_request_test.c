/* The handlers, from the bytes of a request to the bytes of the answer, over the
 * real store in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/zip.h"
#include "server/ingest.h"
#include "wire/wire.h"

enum { HEADERS_MAX = 4 };

struct fixture {
	char dir[64];
	struct store *store;
	struct ingest *ingest;
	struct arena arena; /* of one request */
	_Atomic int cancelled;
	struct net_header headers[HEADERS_MAX];
	struct net_request request;
	struct net_answer answer;
	struct buf body;
};

static struct fixture f;

static void must(int rc)
{
	assert_int_equal(rc, 0);
}

static int setup(void **state)
{
	struct store_options options = {0};
	struct ingest_config config;
	struct err err;

	(void)state;
	f = (struct fixture){0};
	strcpy(f.dir, "/tmp/cresset-ingest-XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	options.path = f.dir;
	if (store_open(&options, &f.store, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	ingest_config_default(&config);
	must(ingest_create(&config, f.store, &f.ingest, NULL));
	arena_init(&f.arena, 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	ingest_destroy(f.ingest);
	store_close(f.store);
	arena_deinit(&f.arena);
	buf_deinit(&f.body);
	buf_deinit(&f.answer.body);
	snprintf(command, sizeof(command), "rm -rf %s", f.dir);
	return system(command);
}

static void configure(const struct ingest_config *config)
{
	ingest_destroy(f.ingest);
	f.ingest = NULL;
	must(ingest_create(config, f.store, &f.ingest, NULL));
}

/* A CPU profile of events at now, on the stack main → work. bad adds a profile with a wrong index. */
static struct profile_batch *make_batch(uint32_t events, bool bad)
{
	const struct value name = {.kind = VALUE_STRING, .text = STR("shop")};
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	struct profile_sample *sample;
	uint32_t locations[2];

	must(profile_batch_create(&f.arena, &batch, NULL));
	must(profile_resource_add(batch, &resource, NULL));
	must(profile_resource_attr(batch, resource, STR("service.name"), &name, NULL));
	must(profile_scope_add(batch, resource, &scope, NULL));
	for (int i = 0; i < 2; i++) {
		struct profile_line line = {0};
		struct profile_function function = {0};
		must(profile_string(batch, i ? STR("main") : STR("work"), &function.name, NULL));
		must(profile_function(batch, &function, &line.function, NULL));
		must(profile_location(batch,
				      &(struct profile_location){.line_count = 1, .lines = &line},
				      &locations[i], NULL));
	}
	for (int i = 0; i <= bad; i++) {
		must(profile_add(batch, scope, &profile, NULL));
		must(profile_string(batch, STR("samples"), &profile->sample_type.type, NULL));
		must(profile_string(batch, STR("count"), &profile->sample_type.unit, NULL));
		must(profile_string(batch, STR("cpu"), &profile->period_type.type, NULL));
		must(profile_string(batch, STR("nanoseconds"), &profile->period_type.unit, NULL));
		profile->period = 1000;
		profile->time_ns = clock_real_ns();
		must(profile_sample_add(batch, profile, &sample, NULL));
		must(profile_stack(batch, locations, 2, &sample->stack, NULL));
		for (uint32_t k = 0; k < events; k++)
			must(profile_sample_time(batch, sample, profile->time_ns + k, NULL));
		if (i == 1) /* one value for many timestamps */
			must(profile_sample_value(batch, sample, 1, NULL));
	}
	return batch;
}

static void encode(uint32_t events, bool bad)
{
	buf_clear(&f.body);
	must(wire_otlp_encode(make_batch(events, bad), &f.body, NULL));
}

static void set_header(const char *name, const char *value)
{
	for (size_t i = 0; i < f.request.header_count; i++)
		if (str_equal(f.headers[i].name, str_of(name))) {
			f.headers[i].value = str_of(value);
			return;
		}
	f.headers[f.request.header_count++] = (struct net_header){str_of(name), str_of(value)};
}

static void send(net_handler *handler, const char *method)
{
	f.request.method = str_of(method);
	f.request.path = STR(INGEST_HTTP_PATH);
	f.request.query = STR("");
	f.request.peer = STR("unix");
	f.request.headers = f.headers;
	f.request.body = buf_text(&f.body);
	f.request.arena = &f.arena;
	f.request.cancelled = &f.cancelled;
	buf_deinit(&f.answer.body);
	f.answer = (struct net_answer){0};
	handler(f.ingest, &f.request, &f.answer);
}

static void post(const char *content_type)
{
	set_header("content-type", content_type);
	send(ingest_http, "POST");
}

/* Puts the frame of gRPC around the body: not packed, big-endian length. */
static void call_grpc(void)
{
	struct buf framed;

	buf_init(&framed, 0);
	buf_char(&framed, 0);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_char(&framed, (char)(f.body.len >> shift));
	buf_str(&framed, buf_text(&f.body));
	buf_deinit(&f.body);
	f.body = framed;
	set_header("content-type", "application/grpc");
	f.request.http_major = 2;
	send(ingest_grpc, "POST");
}

static struct str answer_header(const char *name)
{
	for (size_t i = 0; i < f.answer.header_count; i++)
		if (str_equal(f.answer.headers[i].name, str_of(name)))
			return f.answer.headers[i].value;
	return STR("");
}

static struct str answer_trailer(const char *name)
{
	for (size_t i = 0; i < f.answer.trailer_count; i++)
		if (str_equal(f.answer.trailers[i].name, str_of(name)))
			return f.answer.trailers[i].value;
	return STR("");
}

/* Nanoseconds of CPU that the store has for a tenant, and the name of the busiest leaf. */
static int64_t stored_total(const char *tenant, struct str *ret_leaf)
{
	const struct store_matcher matchers[] =
		{{MATCH_EQUAL, STR("service_name"), STR("shop")},
		 {MATCH_EQUAL, STR("__profile_type__"),
		  STR("process_cpu:cpu:nanoseconds:cpu:nanoseconds")}};
	struct store_selection selection = {.tenant = str_of(tenant),
					    .matchers = matchers,
					    .matcher_count = 2,
					    .end_ns = UINT64_MAX / 4};
	struct store_tree tree = {0};
	struct err err = {0};
	int64_t total = 0;

	if (store_merge(f.store, &selection, &f.arena, &tree, &err))
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < tree.node_count; i++) {
		total += tree.self[i];
		if (tree.self[i] > 0 && ret_leaf)
			*ret_leaf = tree.frames[tree.frame[i]].name;
	}
	return total;
}

static void what_http_acknowledges_is_in_the_store(void **state)
{
	struct str leaf = STR("");

	(void)state;
	encode(5, false);
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	assert_int_equal(f.answer.body.len, 0);
	assert_true(str_equal(answer_header("content-type"), STR("application/x-protobuf")));
	assert_int_equal(stored_total("anonymous", &leaf), 5000);
	assert_true(str_equal(leaf, STR("work")));
}

static void what_grpc_acknowledges_is_in_the_store(void **state)
{
	(void)state;
	encode(7, false);
	call_grpc();
	assert_true(str_equal(answer_trailer("grpc-status"), STR("0")));
	assert_int_equal(f.answer.body.len, 5);
	assert_int_equal(stored_total("anonymous", NULL), 7000);
}

static void content_type_may_have_parameters_and_another_name(void **state)
{
	static const char *const types[] = {"application/x-protobuf; charset=utf-8",
					    "Application/Protobuf", " application/protobuf ;x=y"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		encode(1, false);
		post(types[i]);
		assert_int_equal(f.answer.status, 200);
	}
	assert_int_equal(stored_total("anonymous", NULL), 3000);
}

static void gzip_is_unpacked(void **state)
{
	struct buf packed;

	(void)state;
	buf_init(&packed, 0);
	encode(3, false);
	must(zip_gzip(buf_text(&f.body), 1, &packed, NULL));
	buf_deinit(&f.body);
	f.body = packed;
	set_header("content-encoding", "gzip");
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	assert_int_equal(stored_total("anonymous", NULL), 3000);
}

static void json_is_taken_and_answered(void **state)
{
	(void)state;
	buf_printf(
		&f.body,
		"{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
		"\"value\":{\"stringValue\":\"shop\"}}]},\"scopeProfiles\":[{\"profiles\":[{"
		"\"sampleType\":{\"typeStrindex\":1,\"unitStrindex\":2},\"periodType\":{"
		"\"typeStrindex\":3,\"unitStrindex\":4},\"period\":\"10\",\"samples\":[{\"values\":"
		"[\"6\"]}]}]}]}],\"dictionary\":{\"stringTable\":[\"\",\"samples\",\"count\","
		"\"cpu\","
		"\"nanoseconds\"]}}");
	post("application/json");
	assert_int_equal(f.answer.status, 200);
	assert_true(str_equal(buf_text(&f.answer.body), STR("{}")));
	assert_true(str_equal(answer_header("content-type"), STR("application/json")));
	assert_int_equal(stored_total("anonymous", NULL), 60);
}

static void a_bad_profile_is_reported_and_the_rest_is_stored(void **state)
{
	struct wire_partial partial;

	(void)state;
	encode(4, true);
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	must(wire_otlp_response_decode(buf_text(&f.answer.body), &partial, NULL));
	assert_int_equal(partial.rejected_profiles, 1);
	assert_true(str_find(partial.message, STR("1 values but 4 timestamps")) >= 0);
	assert_int_equal(stored_total("anonymous", NULL), 4000);
}

static void wrong_requests_are_refused_with_a_status(void **state)
{
	(void)state;
	buf_cstr(&f.body, "\x0a\x05");
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 400);
	assert_int_equal(f.answer.body.ptr[0], 0x08);
	assert_int_equal(f.answer.body.ptr[1], 3);
	assert_int_equal(answer_header("retry-after").len, 0);
	post("application/json");
	assert_int_equal(f.answer.status, 400);
	assert_true(str_starts_with(buf_text(&f.answer.body), STR("{\"code\":3,")));
	post("text/plain");
	assert_int_equal(f.answer.status, 415);
	send(ingest_grpc, "POST");
	assert_int_equal(f.answer.status, 415);
	set_header("content-encoding", "br");
	post("application/json");
	assert_int_equal(f.answer.status, 415);
	set_header("content-encoding", "identity");
	send(ingest_http, "GET");
	assert_int_equal(f.answer.status, 405);
	assert_true(str_equal(answer_header("allow"), STR("POST")));
	call_grpc();
	assert_true(str_equal(answer_trailer("grpc-status"), STR("3")));
	assert_int_equal(answer_trailer("grpc-status-details-bin").len, 0);
}

static void a_request_over_the_limit_is_too_large_for_good(void **state)
{
	struct ingest_config config;

	(void)state;
	ingest_config_default(&config);
	config.message_bytes = 100;
	config.json_bytes = 10;
	configure(&config);
	encode(4, false);
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 413);
	assert_int_equal(answer_header("retry-after").len, 0);
	post("application/json");
	assert_int_equal(f.answer.status, 413);
	call_grpc();
	assert_true(str_equal(answer_trailer("grpc-status"), STR("8")));
	assert_int_equal(answer_trailer("grpc-status-details-bin").len, 0);
}

static void tenants_are_apart_and_must_be_named(void **state)
{
	struct ingest_config config;

	(void)state;
	ingest_config_default(&config);
	config.multitenancy = true;
	configure(&config);
	encode(2, false);
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 401);
	set_header("x-scope-orgid", "../etc");
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 400);
	set_header("x-scope-orgid", "..");
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 400);
	set_header("x-scope-orgid", "team-a");
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	assert_int_equal(stored_total("team-a", NULL), 2000);
	assert_int_equal(stored_total("team-b", NULL), 0);
	assert_int_equal(stored_total("anonymous", NULL), 0);
}

static void without_multitenancy_the_header_means_nothing(void **state)
{
	(void)state;
	set_header("x-scope-orgid", "../etc");
	encode(2, false);
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	assert_int_equal(stored_total("anonymous", NULL), 2000);
}

static void an_empty_request_is_a_success(void **state)
{
	(void)state;
	post("application/x-protobuf");
	assert_int_equal(f.answer.status, 200);
	assert_int_equal(f.answer.body.len, 0);
}

static void a_wrong_rule_is_refused_at_the_start(void **state)
{
	struct relabel_rule_spec rule;
	struct ingest_config config;
	struct ingest *ingest = NULL;
	struct err err;

	(void)state;
	relabel_rule_default(&rule);
	rule.action = STR("explode");
	ingest_config_default(&config);
	config.rules = &rule;
	config.rule_count = 1;
	assert_int_equal(ingest_create(&config, f.store, &ingest, &err), ERR_INVALID);
	assert_null(ingest);
	assert_true(str_find(str_of(err.text), STR("rule 1")) >= 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_http_acknowledges_is_in_the_store),
		TEST(what_grpc_acknowledges_is_in_the_store),
		TEST(content_type_may_have_parameters_and_another_name),
		TEST(gzip_is_unpacked),
		TEST(json_is_taken_and_answered),
		TEST(a_bad_profile_is_reported_and_the_rest_is_stored),
		TEST(wrong_requests_are_refused_with_a_status),
		TEST(a_request_over_the_limit_is_too_large_for_good),
		TEST(tenants_are_apart_and_must_be_named),
		TEST(without_multitenancy_the_header_means_nothing),
		TEST(an_empty_request_is_a_success),
		TEST(a_wrong_rule_is_refused_at_the_start),
	};
	return cmocka_run_group_tests_name("server/ingest_request", tests, NULL, NULL);
}
