/* The whole server in this process: profiles pushed over gRPC come back as a
 * flame graph over HTTP, through real sockets, and after a restart too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../wire/layout_encode.h"
#include "base/clock.h"
#include "base/zip.h"
#include "net/net.h"
#include "profile/profile.h"
#include "server/ingest.h"
#include "server/server.h"
#include "wire/wire.h"

#define CPU "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

struct fixture {
	char path[64], socket[96];
	struct arena arena;
	struct server_config config;
	struct server *server;
	struct net_client *client;
	struct net_reply reply;
	struct err err;
};

static void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

static struct net_client *connect_to(struct fixture *f, const char *endpoint)
{
	struct net_client *client;
	const struct net_client_config config = {.endpoint = endpoint,
						 .insecure = true,
						 .timeout_ns = (uint64_t)20 * NS_PER_S};
	must(f, net_client_create(&config, &client, &f->err));
	return client;
}

static void start(struct fixture *f)
{
	must(f, server_start(&f->config, &f->server, &f->err));
	f->client = connect_to(f, server_address(f->server));
}

static void stop(struct fixture *f)
{
	net_client_destroy(f->client);
	server_stop(f->server);
	f->client = NULL;
	f->server = NULL;
}

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-server-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	must(&f, server_config_default(&f.arena, &f.config, &f.err));
	f.config.http.address = STR("127.0.0.1");
	f.config.http.port = 0;
	f.config.data_path = str_of(f.path);
	snprintf(f.socket, sizeof(f.socket), "unix:%s/otlp.sock", f.path);
	f.config.unix_socket = f.socket;
	start(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	net_reply_deinit(&f->reply);
	stop(f);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

static struct str ask(struct fixture *f, const char *method, const char *path, const char *body,
		      int status)
{
	net_reply_deinit(&f->reply);
	memset(&f->reply, 0, sizeof(f->reply));
	must(f, net_client_http(f->client, method, path, body ? "application/json" : NULL,
				str_of(body), &f->reply, &f->err));
	if (f->reply.http_status != status)
		fail_msg("%s: %d %.*s", path, f->reply.http_status,
			 STR_ARG(buf_text(&f->reply.body)));
	return buf_text(&f->reply.body);
}

static void assert_has(struct str text, const char *part)
{
	if (str_find(text, str_of(part)) < 0)
		fail_msg("%.*s has no %s", STR_ARG(text), part);
}

/* ---- a profile, as the sampler would send it ---- */

static uint32_t function_of(struct fixture *f, struct profile_batch *batch, const char *name)
{
	struct profile_function function = {0};
	struct profile_line line = {0};
	struct profile_location location = {.line_count = 1, .lines = &line};
	uint32_t id;
	must(f, profile_string(batch, str_of(name), &function.name, &f->err));
	must(f, profile_function(batch, &function, &line.function, &f->err));
	must(f, profile_location(batch, &location, &id, &f->err));
	return id;
}

static void add_sample(struct fixture *f, struct profile_batch *batch, struct profile *profile)
{
	const uint32_t leaf_first[] = {function_of(f, batch, "burn"),
				       function_of(f, batch, "main")};
	struct profile_sample *sample;
	must(f, profile_sample_add(batch, profile, &sample, &f->err));
	must(f, profile_stack(batch, leaf_first, 2, &sample->stack, &f->err));
	for (uint64_t i = 0; i < 97; i++)
		must(f, profile_sample_time(batch, sample, clock_real_ns() - i * 1000, &f->err));
}

static struct profile_batch *new_batch(struct fixture *f)
{
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	const struct value name = {.kind = VALUE_STRING, .text = STR("oven")};
	must(f, profile_batch_create(&f->arena, &batch, &f->err));
	must(f, profile_resource_add(batch, &resource, &f->err));
	must(f, profile_resource_attr(batch, resource, STR("service.name"), &name, &f->err));
	must(f, profile_scope_add(batch, resource, &scope, &f->err));
	must(f, profile_add(batch, scope, &profile, &f->err));
	must(f, profile_string(batch, STR("samples"), &profile->sample_type.type, &f->err));
	must(f, profile_string(batch, STR("count"), &profile->sample_type.unit, &f->err));
	must(f, profile_string(batch, STR("cpu"), &profile->period_type.type, &f->err));
	must(f, profile_string(batch, STR("nanoseconds"), &profile->period_type.unit, &f->err));
	profile->period = 1000;
	profile->time_ns = clock_real_ns();
	profile->duration_ns = NS_PER_S;
	add_sample(f, batch, profile);
	return batch;
}

static void push(struct fixture *f, struct net_client *client)
{
	struct buf message;
	struct net_reply reply = {0};
	buf_init(&message, 0);
	must(f, wire_otlp_encode(new_batch(f), &message, &f->err));
	must(f,
	     net_client_grpc(client, INGEST_GRPC_PATH, buf_text(&message), true, &reply, &f->err));
	if (reply.grpc_status != 0)
		fail_msg("%d %s", reply.grpc_status, reply.grpc_message);
	net_reply_deinit(&reply);
	buf_deinit(&message);
}

static struct str flame_graph(struct fixture *f)
{
	uint64_t now_ms = clock_real_ns() / NS_PER_MS;
	char body[256];
	snprintf(body, sizeof(body),
		 "{\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{service_name=\\\"oven\\\"}\","
		 "\"start\":%llu,\"end\":%llu}",
		 (unsigned long long)now_ms - 60000, (unsigned long long)now_ms + 1);
	return ask(f, "POST", "/querier.v1.QuerierService/SelectMergeStacktraces", body, 200);
}

static const char burn_graph[] =
	"{\"flamegraph\":{\"names\":[\"total\",\"main\",\"burn\"],\"levels\":["
	"{\"values\":[\"0\",\"97000\",\"0\",\"0\"]},{\"values\":[\"0\",\"97000\",\"0\",\"1\"]},"
	"{\"values\":[\"0\",\"97000\",\"97000\",\"2\"]}],\"total\":\"97000\",\"maxSelf\":\"97000\"}"
	"}";

static void what_is_pushed_comes_back_also_after_a_restart(void **state)
{
	struct fixture *f = *state;
	push(f, f->client);
	assert_has(flame_graph(f), burn_graph);
	stop(f);
	start(f);
	assert_has(flame_graph(f), burn_graph);
	assert_has(ask(f, "POST", "/querier.v1.QuerierService/ProfileTypes", "{}", 200),
		   "\"" CPU "\"");
}

static const char *const otlp_paths[] = {
	INGEST_HTTP_PATH, INGEST_HTTP_PATH_EXPERIMENTAL, /* the others are gRPC */
	INGEST_GRPC_PATH, INGEST_GRPC_PATH_EXPERIMENTAL, INGEST_GRPC_PATH_V1,
};

enum { PATHS = sizeof(otlp_paths) / sizeof(otlp_paths[0]), HTTP_PATHS = 2 };

static void push_layout(struct fixture *f, enum wire_layout layout, size_t path)
{
	struct buf bytes = layout_encode(new_batch(f), layout);
	struct net_reply reply = {0};

	if (path < HTTP_PATHS)
		must(f,
		     net_client_http(f->client, "POST", otlp_paths[path], "application/x-protobuf",
				     buf_text(&bytes), &reply, &f->err));
	else
		must(f, net_client_grpc(f->client, otlp_paths[path], buf_text(&bytes), true, &reply,
					&f->err));
	if (reply.http_status != 200 || (path >= HTTP_PATHS && reply.grpc_status != 0))
		fail_msg("%s: %d, %d %s", otlp_paths[path], reply.http_status, reply.grpc_status,
			 reply.grpc_message);
	net_reply_deinit(&reply);
	buf_deinit(&bytes);
}

/* What counts are the bytes. */
static void every_path_of_otlp_takes_every_layout(void **state)
{
	static const char *const older[] = {"1.3", "1.5", "1.6", "1.7"};
	struct fixture *f = *state;
	char text[96];

	for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_F; layout++)
		for (size_t path = 0; path < PATHS; path++)
			push_layout(f, (enum wire_layout)layout, path);
	snprintf(text, sizeof(text), "\"total\":\"%d\"", WIRE_LAYOUT_F * PATHS * 97000);
	assert_has(flame_graph(f), text);
	struct str metrics = ask(f, "GET", "/metrics", NULL, 200);
	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
		snprintf(text, sizeof(text),
			 "cresset_otlp_layout_requests_total{version=\"%s\"} %d\n", older[i],
			 PATHS);
		assert_has(metrics, text);
	}
}

enum { THREADS = 4, PUSHES = 5 };

/* Each thread has its own client and memory, and asks between its pushes. */
static void *push_and_ask(void *user)
{
	struct fixture *f = user;
	for (int i = 0; i < PUSHES; i++) {
		push(f, f->client);
		(void)flame_graph(f);
	}
	return NULL;
}

static void many_push_and_ask_at_once_and_nothing_is_lost(void **state)
{
	static struct fixture threads[THREADS];
	struct fixture *f = *state;
	pthread_t ids[THREADS];

	memset(threads, 0, sizeof(threads));
	for (int i = 0; i < THREADS; i++) {
		arena_init(&threads[i].arena, 0);
		threads[i].client = connect_to(f, server_address(f->server));
		assert_int_equal(pthread_create(&ids[i], NULL, push_and_ask, &threads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(ids[i], NULL);
		net_client_destroy(threads[i].client);
		net_reply_deinit(&threads[i].reply);
		arena_deinit(&threads[i].arena);
	}
	/* 20 times what one push holds. */
	assert_has(flame_graph(f), "\"total\":\"1940000\"");
}

static void the_unix_socket_is_a_door_too(void **state)
{
	struct fixture *f = *state;
	char endpoint[128];
	snprintf(endpoint, sizeof(endpoint), "unix://%s", f->socket + strlen("unix:"));
	struct net_client *client = connect_to(f, endpoint);
	push(f, client);
	net_client_destroy(client);
	assert_has(flame_graph(f), burn_graph);
}

static void the_small_pages_answer(void **state)
{
	struct fixture *f = *state;
	assert_true(str_equal(str_trim(ask(f, "GET", "/ready", NULL, 200)), STR("ready")));
	assert_has(ask(f, "GET", "/api/v1/status/buildinfo", NULL, 200),
		   "{\"status\":\"success\",\"data\":{\"version\":\"" CRESSET_VERSION "\"");
	assert_has(ask(f, "GET", "/", NULL, 200), "<title>Cresset</title>");
	ask(f, "POST", "/querier.v1.QuerierService/LabelNames", "{}", 200);
	struct str metrics = ask(f, "GET", "/metrics", NULL, 200);
	assert_has(metrics, "process_resident_memory_bytes ");
	assert_has(metrics, "cresset_query_seconds_count{method=\"LabelNames\"} ");
	assert_has(ask(f, "GET", "/no/such/page", NULL, 404), "{\"code\":\"not_found\"");
	assert_has(ask(f, "POST", "/querier.v1.QuerierService/Nothing", "{}", 501),
		   "{\"code\":\"unimplemented\"");
	ask(f, "GET", "/querier.v1.QuerierService/LabelNames", NULL, 405);
}

static void symbols_are_taken_in_listed_and_deleted(void **state)
{
	struct fixture *f = *state;
	push(f, f->client);
	assert_has(ask(f, "POST", "/api/v1/symbols", "{}", 400), "not an ELF file");
	assert_has(ask(f, "GET", "/api/v1/symbols", NULL, 200), "{\"symbols\":[],\"missing\":[]}");
	assert_has(ask(f, "DELETE", "/api/v1/symbols/c0ffee", NULL, 404),
		   "no symbols of build id c0ffee");
	ask(f, "DELETE", "/api/v1/symbols", NULL, 405);
}

static void a_debuginfod_that_is_no_url_is_said_plainly(void **state)
{
	struct fixture *f = *state;
	struct server_config second = f->config;
	struct server *server = NULL;
	second.unix_socket = NULL;
	second.data_path = arena_printf(&f->arena, "%s/second", f->path);
	second.debuginfod_url = STR("ftp://example.org");
	assert_int_equal(server_start(&second, &server, &f->err), ERR_INVALID);
	assert_non_null(strstr(f->err.text, "symbols.debuginfod_url: \"ftp://example.org\""));
}

static void a_port_or_store_in_use_is_said_plainly(void **state)
{
	struct fixture *f = *state;
	struct server_config second = f->config;
	struct server *server = NULL;
	struct str address = str_of(server_address(f->server));
	uint64_t port;
	assert_true(str_to_u64(str_sub(address, strlen("127.0.0.1:"), SIZE_MAX), &port));

	second.unix_socket = NULL;
	assert_int_not_equal(server_start(&second, &server, &f->err), 0);
	assert_non_null(strstr(f->err.text, f->path));
	second.data_path = arena_printf(&f->arena, "%s/second", f->path);
	second.http.port = (uint16_t)port;
	assert_int_not_equal(server_start(&second, &server, &f->err), 0);
	assert_non_null(strstr(f->err.text, server_address(f->server)));
	assert_null(server);
}

/* ---- recording rules ---- */

static _Atomic int samples_taken;

static void take_samples(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct buf plain = {0};
	(void)user;
	assert_int_equal(zip_unsnappy(request->body, 1 << 20, &plain, NULL), 0);
	if (str_find(buf_text(&plain), STR("oven_cpu")) >= 0)
		atomic_fetch_add(&samples_taken, 1);
	buf_deinit(&plain);
	net_answer_text(answer, 204, "fine");
}

static struct net_server *start_receiver(struct fixture *f)
{
	static const struct net_route route = {.method = "POST",
					       .path = "/write",
					       .handler = take_samples};
	const struct net_server_config config = {.listen = "127.0.0.1:0",
						 .routes = &route,
						 .route_count = 1};
	struct net_server *receiver;
	must(f, net_server_start(&config, &receiver, &f->err));
	return receiver;
}

static void a_recording_rule_reaches_prometheus(void **state)
{
	struct fixture *f = *state;
	struct net_server *receiver = start_receiver(f);
	uint64_t until_ns = clock_mono_ns() + 20ull * NS_PER_S;

	assert_has(ask(f, "POST", "/capabilities.v1.FeatureFlagsService/GetFeatureFlags", "{}",
		       200),
		   "{\"name\":\"pyroscopeRuler\",\"description\"");
	stop(f);
	f->config.rules = (struct server_rules){
		.enabled = true,
		.remote_write_address =
			arena_printf(&f->arena, "http://%s/write", net_server_address(receiver)),
		.interval_ns = NS_PER_S,
		.delay_ns = NS_PER_S,
	};
	start(f);
	assert_has(ask(f, "POST", "/capabilities.v1.FeatureFlagsService/GetFeatureFlags", "{}",
		       200),
		   "{\"name\":\"pyroscopeRuler\",\"enabled\":true");
	ask(f, "POST", "/settings.v1.RecordingRulesService/UpsertRecordingRule",
	    "{\"metricName\":\"oven_cpu\",\"matchers\":[\"{__profile_type__=\\\"" CPU
	    "\\\"}\"],\"groupBy\":[\"service_name\"]}",
	    200);
	push(f, f->client);
	while (!atomic_load(&samples_taken) && clock_mono_ns() < until_ns)
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	assert_true(atomic_load(&samples_taken) > 0);
	assert_has(ask(f, "GET", "/metrics", NULL, 200), "cresset_rules_series_sent_total");
	stop(f);
	net_server_stop(receiver);
}

/* A load balancer has no tenant. */
static void the_health_of_the_server_needs_no_tenant(void **state)
{
	struct fixture *f = *state;
	stop(f);
	f->config.multitenancy = true;
	start(f);
	ask(f, "POST", "/querier.v1.QuerierService/ProfileTypes", "{}", 401);
	assert_has(ask(f, "POST", "/grpc.health.v1.Health/Check", "{}", 200), "SERVING");
	assert_has(ask(f, "GET", "/debug/pprof/profile", NULL, 404), "does not profile itself");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_pushed_comes_back_also_after_a_restart),
		TEST(every_path_of_otlp_takes_every_layout),
		TEST(many_push_and_ask_at_once_and_nothing_is_lost),
		TEST(the_unix_socket_is_a_door_too),
		TEST(the_small_pages_answer),
		TEST(symbols_are_taken_in_listed_and_deleted),
		TEST(a_debuginfod_that_is_no_url_is_said_plainly),
		TEST(the_health_of_the_server_needs_no_tenant),
		TEST(a_recording_rule_reaches_prometheus),
		TEST(a_port_or_store_in_use_is_said_plainly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
