/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody who means well and uses the same server: an exporter that sends a
 * request five times a second, and a reader who wants to see all of them. */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hostile.h"
#include "net/net.h"

enum { TRIES = 3, TIMES_MAX = 4096 };
static const uint64_t HANG_NS = (uint64_t)HANG_MS * NS_PER_MS;

static const char method[] =
	"/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";

static struct {
	pthread_t thread;
	pthread_mutex_t lock; /* one push or question at a time: totals are exact */
	_Atomic bool stop;
	struct net_client *client;
	unsigned pushed, repeated, failed;
	uint64_t push_ns, ask_ns;     /* the longest since the last word */
	uint64_t times_ns[TIMES_MAX]; /* of all pushes and questions */
	size_t time_count;
	char failure[256];
} honest = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_failure(const char *what, const char *why)
{
	if (honest.failed++ == 0)
		snprintf(honest.failure, sizeof(honest.failure), "%s: %.200s", what, why);
}

static void longest(uint64_t *into, uint64_t since_ns)
{
	uint64_t took_ns = clock_mono_ns() - since_ns;
	if (took_ns > *into)
		*into = took_ns;
	if (honest.time_count < TIMES_MAX)
		honest.times_ns[honest.time_count++] = took_ns;
}

static int compare_times(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* As exporters do: the same bytes again when they were not acknowledged. */
static bool push_once(struct str request)
{
	struct net_reply reply = {0};
	struct err err = {0};
	uint64_t start_ns = clock_mono_ns();

	bool sent = net_client_grpc(honest.client, method, request, true, &reply, &err) == 0;
	longest(&honest.push_ns, start_ns);
	bool acked = sent && reply.grpc_status == 0 && reply.body.len == 0;
	if (!acked && sent)
		snprintf(err.text, sizeof(err.text), "gRPC status %d", reply.grpc_status);
	if (!acked)
		note_failure("push", err.text);
	net_reply_deinit(&reply);
	return acked;
}

static void push(void)
{
	struct arena arena;

	arena_init(&arena, 0);
	struct str request = export_request(&arena, "honest", honest.pushed, NULL, 0);
	for (int i = 0; i < TRIES; i++) {
		if (push_once(request)) {
			honest.pushed++;
			break;
		}
		honest.repeated++;
	}
	arena_deinit(&arena);
}

static long long number(const json_t *value)
{
	return json_is_string(value) ? atoll(json_string_value(value))
				     : (long long)json_integer_value(value);
}

/* Every function has its events, and there are as many as were sent. */
static bool is_exact(const json_t *answer)
{
	const json_t *graph = json_object_get(answer, "flamegraph");
	const json_t *level =
		json_object_get(json_array_get(json_object_get(graph, "levels"), 1), "values");
	size_t bars = json_array_size(level) / 4;

	for (size_t i = 0; i < bars; i++)
		if (number(json_array_get(level, i * 4 + 1)) != EVENTS)
			return false;
	return bars == (size_t)honest.pushed * STACKS &&
	       number(json_object_get(graph, "total")) == (long long)bars * EVENTS;
}

static bool ask(char *said, size_t said_cap)
{
	struct net_reply reply = {0};
	struct err err = {0};
	struct arena arena;
	uint64_t start_ns = clock_mono_ns();

	arena_init(&arena, 0);
	int rc = net_client_http(honest.client, "POST",
				 "/querier.v1.QuerierService/SelectMergeStacktraces",
				 "application/json", merge_query(&arena, "honest"), &reply, &err);
	longest(&honest.ask_ns, start_ns);
	json_t *answer = json_loadb(buf_text(&reply.body).ptr, reply.body.len, 0, NULL);
	bool exact = rc == 0 && reply.http_status == 200 && is_exact(answer);
	snprintf(said, said_cap, "status %d, total %lld, %s", reply.http_status,
		 number(json_object_get(json_object_get(answer, "flamegraph"), "total")), err.text);
	json_decref(answer);
	net_reply_deinit(&reply);
	arena_deinit(&arena);
	return exact;
}

static void *run(void *arg)
{
	char said[1200];

	(void)arg;
	for (unsigned i = 0; !honest.stop; i++) {
		pthread_mutex_lock(&honest.lock);
		push();
		if (i % 5 == 4 && !ask(said, sizeof(said)))
			note_failure("total", said);
		pthread_mutex_unlock(&honest.lock);
		clock_sleep_until_ns(clock_mono_ns() + 200 * NS_PER_MS);
	}
	return NULL;
}

void honest_start(void)
{
	const struct net_client_config config = {.endpoint = target_address,
						 .insecure = true,
						 .timeout_ns = 10ULL * NS_PER_S};
	struct err err = {0};
	if (net_client_create(&config, &honest.client, &err))
		die(err.text);
	honest_check("before the attacks");
	if (pthread_create(&honest.thread, NULL, run, NULL))
		die("thread");
}

void honest_check(const char *when)
{
	char said[1200];

	pthread_mutex_lock(&honest.lock);
	push();
	bool good = ask(said, sizeof(said)) && honest.failed == 0 && honest.push_ns < HANG_NS &&
		    honest.ask_ns < HANG_NS;
	printf("%s - honest use, %s: %u requests, each acknowledged and exact in the flame graph; "
	       "longest push %llu ms, longest query %llu ms\n",
	       good ? "ok" : "not ok", when, honest.pushed,
	       (unsigned long long)(honest.push_ns / NS_PER_MS),
	       (unsigned long long)(honest.ask_ns / NS_PER_MS));
	if (!good)
		printf("    now: %s; %u failures, the first: %s\n", said, honest.failed,
		       honest.failure);
	failures += !good;
	honest.failed = 0;
	honest.push_ns = honest.ask_ns = 0;
	pthread_mutex_unlock(&honest.lock);
}

void honest_stop(void)
{
	honest.stop = true;
	pthread_join(honest.thread, NULL);
	honest_check("after the attacks");
	qsort(honest.times_ns, honest.time_count, sizeof(*honest.times_ns), compare_times);
	printf("# honest use meanwhile: %zu requests, p50 %.1f ms, p99 %.1f ms\n",
	       honest.time_count, (double)honest.times_ns[honest.time_count / 2] / 1e6,
	       (double)honest.times_ns[honest.time_count * 99 / 100] / 1e6);
	net_client_destroy(honest.client);
}
