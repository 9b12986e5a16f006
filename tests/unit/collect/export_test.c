/* SPDX-License-Identifier: Apache-2.0
 *
 * The otlp_grpc exporter through its descriptor, against a real gRPC server that
 * decodes what comes and answers as the test says. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "collect/component.h"
#include "net/net.h"
#include "wire/wire.h"

enum { GRPC_FRAME_BYTES = 5, MIB = 1024 * 1024, CALLS_MAX = 64 };

struct peer {
	struct net_server *server;
	struct net_route route; /* outlives the server */
	_Atomic int calls, taken;
	_Atomic uint64_t samples, events, largest_bytes;
	_Atomic uint64_t called_ns[CALLS_MAX];
	/* What to say: so many calls get this error first. */
	_Atomic int errors;
	int error_code;
	int64_t retry_ms;
	const char *partial; /* or NULL */
};

static void take(struct peer *peer, struct str message, struct arena *arena,
		 struct net_answer *answer)
{
	struct profile_batch *batch = NULL;
	struct wire_limits limits;
	struct wire_report report;
	struct err err = {0};
	struct buf body;
	struct wire_partial partial = {0};
	wire_limits_default(&limits);
	buf_init(&body, 0);
	if (wire_otlp_decode(message, arena, &limits, &batch, &report, &err) ||
	    report.rejected_profiles) {
		net_grpc_error(answer, &err, -1);
		return;
	}
	for (size_t r = 0; r < batch->resource_count; r++) {
		uint64_t events = 0;
		(void)profile_total(&batch->resources[r].scopes[0].profiles[0], &events);
		atomic_fetch_add(&peer->events, events);
	}
	atomic_fetch_add(&peer->samples, report.samples);
	if (peer->partial) {
		partial.rejected_profiles = 3;
		partial.message = str_of(peer->partial);
	}
	if (wire_otlp_response(WIRE_PROTO, &partial, &body, &err) == 0)
		net_grpc_answer(answer, buf_text(&body));
	buf_deinit(&body);
	atomic_fetch_add(&peer->taken, 1);
}

static void handle(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct peer *peer = user;
	struct err err = {0};
	struct str message;
	int call = atomic_fetch_add(&peer->calls, 1);
	if (call < CALLS_MAX)
		atomic_store(&peer->called_ns[call], clock_mono_ns());
	if (net_grpc_message(request, 64 * MIB, &message, &err)) {
		net_grpc_error(answer, &err, -1);
		return;
	}
	if (message.len > atomic_load(&peer->largest_bytes))
		atomic_store(&peer->largest_bytes, message.len);
	if (atomic_fetch_sub(&peer->errors, 1) > 0) {
		(void)err_set(&err, peer->error_code, "as the test says");
		net_grpc_error(answer, &err, peer->retry_ms);
		return;
	}
	take(peer, message, request->arena, answer);
}

static void peer_start(struct peer *peer, const char *listen)
{
	peer->route = (struct net_route){
		.method = "POST",
		.path = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/"
			"Export",
		.handler = handle,
		.user = peer,
	};
	struct err err = {0};
	const struct net_server_config config = {.listen = listen,
						 .routes = &peer->route,
						 .route_count = 1};
	if (net_server_start(&config, &peer->server, &err))
		fail_msg("%s", err.text);
}

/* ---- the exporter ---- */

struct exporter {
	const struct component *component;
	struct arena arena;
	void *self;
};

static void exporter_start(struct exporter *exporter, const char *endpoint, const char *more)
{
	struct config_node *node = NULL;
	struct config_decoder dec = {.style = CONFIG_COLLECTOR};
	struct err err = {0};
	exporter->component = component_find(COMPONENT_EXPORTER, STR("otlp_grpc"));
	arena_init(&exporter->arena, 0);
	dec.arena = &exporter->arena;
	struct str yaml = arena_printf(&exporter->arena,
				       "{endpoint: '%s', tls: {insecure: true}, "
				       "retry_on_failure: {initial_interval: 20ms, "
				       "randomization_factor: 0}%s}",
				       endpoint, more);
	void *config = arena_zalloc(&exporter->arena, 1, exporter->component->schema->size);
	if (config_parse(&exporter->arena, "test", yaml, &node, &err) ||
	    config_defaults(exporter->component->schema, &exporter->arena, config, &err) ||
	    config_decode(&dec, exporter->component->schema, node, config, &err))
		fail_msg("%s", err.text);
	const struct component_settings settings = {.id = STR("otlp_grpc/test"),
						    .config = config,
						    .arena = &exporter->arena};
	if (exporter->component->create(&settings, &exporter->self, &err) ||
	    exporter->component->start(exporter->self, &err))
		fail_msg("%s", err.text);
}

static void exporter_end(struct exporter *exporter)
{
	exporter->component->stop(exporter->self);
	exporter->component->destroy(exporter->self);
	arena_deinit(&exporter->arena);
}

/* ---- batches ---- */

static int add_sample(struct profile_batch *batch, struct profile *profile, unsigned n,
		      size_t name_bytes)
{
	char name[4096];
	uint32_t stack = 0;
	struct profile_function function = {0};
	struct profile_line line = {0};
	struct profile_location location = {.line_count = 1, .lines = &line};
	struct profile_sample *sample = NULL;
	uint32_t at = 0;
	memset(name, 'f', sizeof(name));
	snprintf(name, sizeof(name), "%08u", n);
	name[8] = '_';
	int rc = profile_string(batch, str_make(name, name_bytes), &function.name, NULL);
	if (!rc)
		rc = profile_function(batch, &function, &line.function, NULL);
	if (!rc)
		rc = profile_location(batch, &location, &at, NULL);
	if (!rc)
		rc = profile_stack(batch, &at, 1, &stack, NULL);
	if (!rc)
		rc = profile_sample_add(batch, profile, &sample, NULL);
	if (!rc)
		sample->stack = stack;
	for (uint64_t i = 1; !rc && i <= 2; i++)
		rc = profile_sample_time(batch, sample, 1700000000000000000ULL + n * 10ULL + i,
					 NULL);
	return rc;
}

/* samples of two events each, each with a function name of so many bytes */
static int consume(struct exporter *exporter, unsigned samples, size_t name_bytes, struct err *err)
{
	struct arena arena;
	struct profile_batch *batch = NULL;
	struct profile_resource *resource = NULL;
	struct profile_scope *scope = NULL;
	struct profile *profile = NULL;
	arena_init(&arena, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, err), 0);
	assert_int_equal(profile_resource_add(batch, &resource, err), 0);
	assert_int_equal(profile_scope_add(batch, resource, &scope, err), 0);
	assert_int_equal(profile_add(batch, scope, &profile, err), 0);
	assert_int_equal(profile_string(batch, STR("samples"), &profile->sample_type.type, err), 0);
	assert_int_equal(profile_string(batch, STR("count"), &profile->sample_type.unit, err), 0);
	for (unsigned i = 0; i < samples; i++)
		assert_int_equal(add_sample(batch, profile, i, name_bytes), 0);
	int rc = exporter->component->consume(exporter->self, batch, err);
	arena_deinit(&arena);
	return rc;
}

static void wait_for(const _Atomic int *value, int at_least)
{
	uint64_t deadline_ns = clock_mono_ns() + 20ULL * NS_PER_S;
	while (atomic_load(value) < at_least) {
		assert_true(clock_mono_ns() < deadline_ns);
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	}
}

/* ---- what is logged goes to a file ---- */

static char logged[16384];
static FILE *log_file;
static int real_stderr;

static void log_capture(void)
{
	log_file = tmpfile();
	real_stderr = dup(2);
	dup2(fileno(log_file), 2);
	log_set_level(LOG_WARN);
}

static void log_end(void)
{
	log_set_level(LOG_ERROR + 1);
	dup2(real_stderr, 2);
	close(real_stderr);
	rewind(log_file);
	logged[fread(logged, 1, sizeof(logged) - 1, log_file)] = '\0';
	fclose(log_file);
}

/* ---- cases ---- */

static void a_batch_arrives_with_equal_totals(void **state)
{
	(void)state;
	static const char *const compressions[] = {"", ", compression: none"};
	for (int i = 0; i < 2; i++) {
		struct peer peer = {0};
		struct exporter exporter;
		peer_start(&peer, "127.0.0.1:0");
		exporter_start(&exporter, net_server_address(peer.server), compressions[i]);
		assert_int_equal(consume(&exporter, 1000, 20, NULL), 0);
		exporter_end(&exporter);
		assert_int_equal(peer.calls, 1);
		assert_int_equal(peer.samples, 1000);
		assert_int_equal(peer.events, 2000);
		net_server_stop(peer.server);
	}
}

static void a_large_batch_is_split_below_4_mib(void **state)
{
	(void)state;
	struct peer peer = {0};
	struct exporter exporter;
	peer_start(&peer, "127.0.0.1:0");
	exporter_start(&exporter, net_server_address(peer.server), "");
	assert_int_equal(consume(&exporter, 5000, 2000, NULL), 0); /* 10 MB of names */
	exporter_end(&exporter);
	assert_true(peer.calls >= 3);
	assert_int_equal(peer.samples, 5000);
	assert_int_equal(peer.events, 10000);
	assert_true(peer.largest_bytes > MIB);
	assert_true(peer.largest_bytes + GRPC_FRAME_BYTES <= 4 * MIB);
	net_server_stop(peer.server);
}

static void resource_exhausted_waits_as_long_as_the_peer_says(void **state)
{
	(void)state;
	struct peer peer = {.errors = 1, .error_code = ERR_LIMIT, .retry_ms = 300};
	struct exporter exporter;
	peer_start(&peer, "127.0.0.1:0");
	exporter_start(&exporter, net_server_address(peer.server), "");
	assert_int_equal(consume(&exporter, 10, 20, NULL), 0);
	wait_for(&peer.taken, 1);
	exporter_end(&exporter);
	assert_int_equal(peer.calls, 2);
	assert_int_equal(peer.events, 20);
	assert_true(peer.called_ns[1] - peer.called_ns[0] >= 300ULL * NS_PER_MS);
	net_server_stop(peer.server);
}

/* A counter of the process, by its name on /metrics. */
static long long counter(const char *name)
{
	struct buf text;
	buf_init(&text, 0);
	metrics_render(&text);
	buf_char(&text, '\0');
	char line[128];
	snprintf(line, sizeof(line), "\n%s ", name);
	const char *at = strstr(text.ptr, line);
	long long value = at ? atoll(at + strlen(line)) : -1;
	buf_deinit(&text);
	return value;
}

static void what_the_peer_calls_invalid_is_dropped_and_counted(void **state)
{
	(void)state;
	/* The second: RESOURCE_EXHAUSTED without a word on when means never (OTLP, "gRPC"). */
	static const int codes[] = {ERR_INVALID, ERR_LIMIT};
	for (int i = 0; i < 2; i++) {
		struct peer peer = {.errors = 1, .error_code = codes[i], .retry_ms = -1};
		struct exporter exporter;
		peer_start(&peer, "127.0.0.1:0");
		exporter_start(&exporter, net_server_address(peer.server), "");
		long long failed = counter("otelcol_exporter_send_failed_profile_samples");
		long long sent = counter("otelcol_exporter_sent_profile_samples");
		log_capture();
		assert_int_equal(consume(&exporter, 10, 20, NULL), 0);
		wait_for(&peer.calls, 1);
		assert_int_equal(consume(&exporter, 7, 20, NULL), 0); /* the next one goes */
		wait_for(&peer.taken, 1);
		exporter_end(&exporter);
		log_end();
		assert_int_equal(peer.calls, 2);
		assert_int_equal(peer.events, 14);
		assert_int_equal(counter("otelcol_exporter_send_failed_profile_samples"),
				 failed + 20);
		assert_int_equal(counter("otelcol_exporter_sent_profile_samples"), sent + 14);
		assert_non_null(strstr(logged, "dropping data"));
		assert_non_null(strstr(logged, "samples=20"));
		assert_non_null(strstr(logged, "as the test says"));
		net_server_stop(peer.server);
	}
}

static void a_peer_that_comes_back_gets_what_waited(void **state)
{
	(void)state;
	struct peer peer = {0};
	struct exporter exporter;
	char address[64];
	peer_start(&peer, "127.0.0.1:0");
	str_copy(address, sizeof(address), str_of(net_server_address(peer.server)));
	net_server_stop(peer.server);
	exporter_start(&exporter, address, "");
	assert_int_equal(consume(&exporter, 10, 20, NULL), 0);
	assert_int_equal(consume(&exporter, 20, 20, NULL), 0);
	clock_sleep_until_ns(clock_mono_ns() + 100 * NS_PER_MS);
	peer_start(&peer, address);
	wait_for(&peer.taken, 2);
	exporter_end(&exporter);
	assert_int_equal(peer.events, 60);
	net_server_stop(peer.server);
}

static void a_partial_success_is_logged_once_and_not_sent_again(void **state)
{
	(void)state;
	struct peer peer = {.partial = "series \"x\" is too old"};
	struct exporter exporter;
	peer_start(&peer, "127.0.0.1:0");
	exporter_start(&exporter, net_server_address(peer.server), "");
	log_capture();
	assert_int_equal(consume(&exporter, 10, 20, NULL), 0);
	exporter_end(&exporter);
	log_end();
	assert_int_equal(peer.calls, 1);
	assert_non_null(strstr(logged, "rejected_profiles=3: series \\\"x\\\" is too old\"\n"));
	net_server_stop(peer.server);
}

static void a_full_queue_refuses_the_whole_batch_aloud(void **state)
{
	(void)state;
	struct exporter exporter;
	struct err err = {0};
	exporter_start(&exporter, "127.0.0.1:1",
		       ", sending_queue: {num_consumers: 1, sizer: items, queue_size: 50}");
	assert_int_equal(consume(&exporter, 30, 20, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "otlp_grpc/test is full"));
	assert_int_equal(consume(&exporter, 20, 20, &err), 0);
	exporter_end(&exporter);
}

int main(void)
{
	log_set_level(LOG_ERROR + 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_arrives_with_equal_totals),
		cmocka_unit_test(a_large_batch_is_split_below_4_mib),
		cmocka_unit_test(resource_exhausted_waits_as_long_as_the_peer_says),
		cmocka_unit_test(what_the_peer_calls_invalid_is_dropped_and_counted),
		cmocka_unit_test(a_peer_that_comes_back_gets_what_waited),
		cmocka_unit_test(a_partial_success_is_logged_once_and_not_sent_again),
		cmocka_unit_test(a_full_queue_refuses_the_whole_batch_aloud),
	};
	return cmocka_run_group_tests_name("collect/export", tests, NULL, NULL);
}
