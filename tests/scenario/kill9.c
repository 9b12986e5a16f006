/* SPDX-License-Identifier: Apache-2.0
 *
 * kill9 CRESSET DATA_DIR ROUNDS: sends profiles to a real `cresset server` from
 * several threads, kills the server with SIGKILL at a random moment, starts it
 * again, sends what was not acknowledged once more (as an exporter does), and
 * asks for everything: each request's function must have exactly the samples
 * that were sent, no fewer (lost) and no more (doubled). One "ok"/"not ok" line
 * a round. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/net.h"
#include "profile/profile.h"
#include "wire/wire.h"

enum { THREADS = 4, REQUESTS_MAX = 1 << 20, EVENTS = 7, STACKS = 10 };

static const char method[] =
	"/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";

struct server {
	const char *binary, *data_dir;
	char address[128];
	pid_t pid;
};

struct sender {
	pthread_t thread;
	int number;
	const char *address;
	_Atomic int *stop;
	uint32_t next;	  /* number of the next request */
	bool outstanding; /* the last one was sent and not acknowledged */
};

static void die(const char *what, const struct err *err)
{
	printf("not ok - %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

static bool read_address(int fd, char *address, size_t cap)
{
	char text[16384];
	size_t len = 0;
	for (ssize_t got;
	     len < sizeof(text) - 1 && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0;) {
		len += (size_t)got;
		text[len] = '\0';
		const char *at = strstr(text, "address=");
		if (at && strpbrk(at, " \n")) {
			snprintf(address, cap, "%.*s", (int)strcspn(at + 8, " \n"), at + 8);
			return true;
		}
	}
	fprintf(stderr, "%.*s\n", (int)len, text);
	return false;
}

static void server_start(struct server *server)
{
	int ends[2];
	if (pipe(ends) != 0)
		die("pipe", NULL);
	server->pid = fork();
	if (server->pid == 0) {
		char data[4096];
		snprintf(data, sizeof(data), "-pyroscopedb.data-path=%s", server->data_dir);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl(server->binary, server->binary, "server",
		      "-server.http-listen-address=127.0.0.1", "-server.http-listen-port=0", data,
		      (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (!read_address(ends[0], server->address, sizeof(server->address)))
		die("the server did not start", NULL);
	/* The rest of its log goes nowhere, but it must not block. */
	if (fork() == 0) {
		char sink[4096];
		while (read(ends[0], sink, sizeof(sink)) > 0)
			;
		_exit(0);
	}
	close(ends[0]);
}

static void server_kill(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

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

static int add_samples(struct profile_batch *batch, struct profile *profile, const char *function,
		       uint64_t time_ns, struct err *err)
{
	struct profile_sample *sample = NULL;
	uint32_t stack = 0;
	int rc = add_stack(batch, function, &stack, err);
	if (!rc)
		rc = profile_sample_add(batch, profile, &sample, err);
	if (!rc)
		sample->stack = stack;
	for (uint64_t i = 0; !rc && i < EVENTS; i++)
		rc = profile_sample_time(batch, sample, time_ns + i * 1000, err);
	return rc;
}

/* Request n of a thread: the same bytes each time. */
static int make_request(int thread, uint32_t n, uint64_t time_ns, struct buf *out, struct err *err)
{
	struct arena arena;
	struct profile_batch *batch = NULL;
	struct profile_resource *resource = NULL;
	struct profile_scope *scope = NULL;
	struct profile *profile = NULL;
	arena_init(&arena, 0);
	int rc = profile_batch_create(&arena, &batch, err);
	if (!rc)
		rc = profile_resource_add(batch, &resource, err);
	struct value name = {.kind = VALUE_STRING, .text = STR("kill9")};
	if (!rc)
		rc = profile_resource_attr(batch, resource, STR("service.name"), &name, err);
	if (!rc)
		rc = profile_scope_add(batch, resource, &scope, err);
	if (!rc)
		rc = profile_add(batch, scope, &profile, err);
	if (!rc) {
		profile->time_ns = time_ns;
		profile->period = 1;
		rc = profile_string(batch, STR("samples"), &profile->sample_type.type, err);
	}
	if (!rc)
		rc = profile_string(batch, STR("count"), &profile->sample_type.unit, err);
	if (!rc)
		rc = profile_string(batch, STR("cpu"), &profile->period_type.type, err);
	if (!rc)
		rc = profile_string(batch, STR("nanoseconds"), &profile->period_type.unit, err);
	for (int i = 0; !rc && i < STACKS; i++) {
		char function[64];
		snprintf(function, sizeof(function), "t%d_r%u_s%d", thread, n, i);
		rc = add_samples(batch, profile, function, time_ns, err);
	}
	if (!rc)
		rc = wire_otlp_encode(batch, out, err);
	arena_deinit(&arena);
	return rc;
}

/* True when acknowledged. */
static bool send_one(struct net_client *client, int thread, uint32_t n, uint64_t base_ns)
{
	struct buf request;
	struct err err = {0};
	struct net_reply reply = {0};
	buf_init(&request, 0);
	if (make_request(thread, n, base_ns + n, &request, &err))
		die("making a request", &err);
	bool acked =
		net_client_grpc(client, method, buf_text(&request), n % 2, &reply, &err) == 0 &&
		reply.grpc_status == 0;
	if (acked && reply.body.len != 0)
		die("a request was taken only in part", NULL);
	net_reply_deinit(&reply);
	buf_deinit(&request);
	return acked;
}

static uint64_t base_ns; /* times of all samples begin here */

static void *run_sender(void *arg)
{
	struct sender *sender = arg;
	struct err err = {0};
	struct net_client *client = NULL;
	const struct net_client_config config = {.endpoint = sender->address,
						 .insecure = true,
						 .timeout_ns = 5ULL * NS_PER_S};
	if (net_client_create(&config, &client, &err))
		die("client", &err);
	while (!atomic_load(sender->stop) || sender->outstanding) {
		sender->outstanding = !send_one(client, sender->number, sender->next, base_ns);
		if (sender->outstanding)
			break;
		sender->next++;
	}
	net_client_destroy(client);
	return NULL;
}

static void run_senders(struct sender *senders, _Atomic int *stop, const char *address)
{
	for (int i = 0; i < THREADS; i++) {
		senders[i].number = i;
		senders[i].address = address;
		senders[i].stop = stop;
		if (pthread_create(&senders[i].thread, NULL, run_sender, &senders[i]))
			die("thread", NULL);
	}
}

static void join_senders(struct sender *senders)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(senders[i].thread, NULL);
}

/* ---- the check ---- */

static json_t *ask(const char *address)
{
	struct net_client *client = NULL;
	struct net_reply reply = {0};
	struct err err = {0};
	char body[512];
	snprintf(body, sizeof(body),
		 "{\"profileTypeID\":\"process_cpu:cpu:nanoseconds:cpu:nanoseconds\","
		 "\"labelSelector\":"
		 "\"{service_name=\\\"kill9\\\"}\",\"start\":\"%llu\",\"end\":\"%llu\","
		 "\"maxNodes\":\"1048576\"}",
		 (unsigned long long)(base_ns / NS_PER_MS - 60000),
		 (unsigned long long)(base_ns / NS_PER_MS + 3600000));
	const struct net_client_config config = {.endpoint = address,
						 .insecure = true,
						 .timeout_ns = 60ULL * NS_PER_S};
	if (net_client_create(&config, &client, &err) ||
	    net_client_http(client, "POST", "/querier.v1.QuerierService/SelectMergeStacktraces",
			    "application/json", str_of(body), &reply, &err))
		die("query", &err);
	json_t *answer = json_loadb(buf_text(&reply.body).ptr, reply.body.len, 0, NULL);
	if (reply.http_status != 200 || !answer)
		die("the query was refused", NULL);
	net_reply_deinit(&reply);
	net_client_destroy(client);
	return answer;
}

static long long number(const json_t *value)
{
	return json_is_string(value) ? atoll(json_string_value(value))
				     : (long long)json_integer_value(value);
}

/* Every function is a bar of level 1. Fills got[thread][request] with its events. */
static size_t count_events(const json_t *answer, uint16_t *got[THREADS])
{
	const json_t *graph = json_object_get(answer, "flamegraph");
	const json_t *names = json_object_get(graph, "names");
	const json_t *level =
		json_object_get(json_array_get(json_object_get(graph, "levels"), 1), "values");
	size_t strange = 0;
	for (size_t i = 0; i + 3 < json_array_size(level); i += 4) {
		size_t name = (size_t)number(json_array_get(level, i + 3));
		int thread = 0, stack = 0;
		unsigned n = 0;
		const char *text = json_string_value(json_array_get(names, name));
		if (!text || sscanf(text, "t%d_r%u_s%d", &thread, &n, &stack) != 3 ||
		    thread >= THREADS || n >= REQUESTS_MAX)
			strange++;
		else
			got[thread][n] =
				(uint16_t)(got[thread][n] + number(json_array_get(level, i + 1)));
	}
	return strange;
}

static void check(int round, const char *address, const struct sender *senders,
		  uint16_t *got[THREADS])
{
	json_t *answer = ask(address);
	size_t lost = 0, doubled = 0, requests = 0;
	for (int t = 0; t < THREADS; t++)
		memset(got[t], 0, REQUESTS_MAX * sizeof(*got[t]));
	size_t strange = count_events(answer, got);
	for (int t = 0; t < THREADS; t++)
		for (uint32_t n = 0; n < senders[t].next; n++, requests++) {
			lost += got[t][n] < EVENTS * STACKS;
			doubled += got[t][n] > EVENTS * STACKS;
		}
	json_decref(answer);
	printf("%s - round %d: %zu requests of %d samples, %zu lost, %zu doubled, %zu strange\n",
	       lost || doubled || strange ? "not ok" : "ok", round, requests, EVENTS * STACKS, lost,
	       doubled, strange);
	fflush(stdout);
	if (lost || doubled || strange)
		exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	struct server server = {.binary = argv[1], .data_dir = argv[2]};
	struct sender senders[THREADS] = {0};
	uint16_t *got[THREADS];
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	base_ns = clock_real_ns() - 60ULL * NS_PER_S;
	srand((unsigned)base_ns);
	for (int t = 0; t < THREADS; t++)
		got[t] = calloc(REQUESTS_MAX, sizeof(*got[t]));
	server_start(&server);
	for (int round = 1; round <= atoi(argv[3]); round++) {
		_Atomic int stop = 0, now = 1;
		run_senders(senders, &stop, server.address);
		clock_sleep_until_ns(clock_mono_ns() + (uint64_t)(20 + rand() % 180) * NS_PER_MS);
		server_kill(&server);
		atomic_store(&stop, 1);
		join_senders(senders);
		server_start(&server);
		run_senders(senders, &now, server.address); /* only what is outstanding */
		join_senders(senders);
		check(round, server.address, senders, got);
	}
	kill(server.pid, SIGTERM);
	waitpid(server.pid, NULL, 0);
	for (int t = 0; t < THREADS; t++)
		free(got[t]);
	return 0;
}
