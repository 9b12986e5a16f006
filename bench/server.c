/* The server over the wire: a real `cresset server` process beside the clients that load it.
 *
 *	server.grpc.* server.http.*	OTLP of a recording's copies, from `clients` connections at once: bytes and samples
 *					acknowledged a second, and how long one acknowledgement takes
 *	server.query.*			one client's questions over HTTP/1.1 (Connect, JSON), connection kept
 *	server.rss_*			of the server: idle after its start, its peak while it took everything in, after the questions
 *
 * Parameters are bench-store's (services, hosts, samples, clients, file ...). CRESSET names the binary. Clients and server
 * share the machine's cores; requests are encoded before the clock starts. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "copies.h"
#include "net/net.h"
#include "server/ingest.h"
#include "store_tools.h"

enum { QUESTIONS = 200, START_MS = 10000 };

/* ---- the server ---- */

struct process {
	pid_t pid;
	char dir[64], log[96], url[128];
};

static uint64_t memory_of(const struct process *server, const char *field)
{
	char path[64], line[256];
	uint64_t kib = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", server->pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtoull(line + strlen(field), NULL, 10);
	if (file)
		fclose(file);
	return kib << 10;
}

static bool find_address(struct process *server)
{
	static const char mark[] = "address=";
	struct buf text = {0};
	struct err err;
	check(fd_read_file(server->log, 1 << 20, &text, &err), &err);
	ptrdiff_t at = str_find(buf_text(&text), STR("everything is ready"));
	char *found = at < 0 ? NULL : strstr(text.ptr + at, mark);
	if (found)
		snprintf(server->url, sizeof(server->url), "%.*s",
			 (int)strcspn(found + sizeof(mark) - 1, " \n"), found + sizeof(mark) - 1);
	buf_deinit(&text);
	return found != NULL;
}

static void run_server(const struct process *server)
{
	const char *binary = getenv("CRESSET");
	char data[96];
	int fd = open(server->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	snprintf(data, sizeof(data), "-pyroscopedb.data-path=%s/data", server->dir);
	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	execl(binary, binary, "server", "-server.http-listen-address=127.0.0.1",
	      "-server.http-listen-port=0", data, (char *)NULL);
	_exit(127);
}

static void start_server(struct process *server)
{
	int waited = 0;
	if (!getenv("CRESSET"))
		fail("CRESSET must name the binary");
	snprintf(server->dir, sizeof(server->dir), "/tmp/bench-server-XXXXXX");
	if (!mkdtemp(server->dir))
		fail("no temporary directory");
	snprintf(server->log, sizeof(server->log), "%s/log", server->dir);
	server->pid = fork();
	if (server->pid == 0)
		run_server(server);
	for (; waited < START_MS; waited++) {
		usleep(1000);
		if (access(server->log, R_OK) == 0 && find_address(server))
			return;
	}
	fail("the server does not start: see %s", server->log);
}

static void stop_server(struct process *server)
{
	kill(server->pid, SIGTERM);
	waitpid(server->pid, NULL, 0);
	remove_tree(server->dir);
}

/* ---- taking in ---- */

struct pusher {
	pthread_t thread;
	const struct process *server;
	struct latency *acks;
	bool grpc;
	struct buf *requests;
	size_t count, cap;
	uint64_t samples, bytes;
};

static void keep_request(struct pusher *pusher, const struct profile_batch *batch)
{
	struct err err;
	if (pusher->count == pusher->cap) {
		pusher->cap = pusher->cap ? pusher->cap * 2 : 64;
		pusher->requests =
			need(realloc(pusher->requests, pusher->cap * sizeof(*pusher->requests)));
	}
	struct buf *out = &pusher->requests[pusher->count++];
	buf_init(out, 0);
	check(wire_otlp_encode(batch, out, &err), &err);
	pusher->bytes += out->len;
}

static uint64_t samples_of(const struct profile_batch *batch)
{
	uint64_t samples = 0, events;
	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++) {
			const struct profile_scope *scope = &batch->resources[r].scopes[s];
			for (size_t p = 0; p < scope->profile_count; p++) {
				profile_total(&scope->profiles[p], &events);
				samples += events;
			}
		}
	return samples;
}

static void prepare(struct pusher *pusher, struct copies *copies, uint64_t samples)
{
	struct arena arena;
	arena_init(&arena, 0);
	while (pusher->samples < samples) {
		struct profile_batch *batch = copies_decode(copies, &arena);
		copies_vary(copies, batch, &arena);
		keep_request(pusher, batch);
		pusher->samples += samples_of(batch);
		arena_reset(&arena);
	}
	arena_deinit(&arena);
}

static struct net_client *connect_to(const struct process *server)
{
	struct net_client_config config = {.endpoint = server->url,
					   .insecure = true,
					   .timeout_ns = 60ULL * NS_PER_S};
	struct net_client *client;
	struct err err;
	check(net_client_create(&config, &client, &err), &err);
	return client;
}

static void *push(void *arg)
{
	struct pusher *pusher = arg;
	struct net_client *client = connect_to(pusher->server);
	struct net_reply reply;
	struct err err;
	for (size_t i = 0; i < pusher->count; i++) {
		struct str bytes = buf_text(&pusher->requests[i]);
		uint64_t start_ns = clock_mono_ns();
		check(pusher->grpc ? net_client_grpc(client, INGEST_GRPC_PATH, bytes, false, &reply,
						     &err)
				   : net_client_http(client, "POST", INGEST_HTTP_PATH,
						     "application/x-protobuf", bytes, &reply, &err),
		      &err);
		if (pusher->grpc ? reply.grpc_status != 0 : reply.http_status != 200)
			fail("refused: %d %s", reply.http_status, reply.grpc_message);
		if (reply.body.len)
			fail("a part was refused");
		latency_add(pusher->acks, clock_mono_ns() - start_ns);
		net_reply_deinit(&reply);
		buf_deinit(&pusher->requests[i]);
	}
	net_client_destroy(client);
	return NULL;
}

static void report(const struct params *params, const char *way, const struct pusher *all,
		   double seconds, const struct latency *acks)
{
	char name[64];
	snprintf(name, sizeof(name), "server.%s.samples", way);
	bench(params, name, (double)all->samples / seconds, "samples/s");
	snprintf(name, sizeof(name), "server.%s.bytes", way);
	bench(params, name, (double)all->bytes / seconds / 1e6, "MB/s");
	snprintf(name, sizeof(name), "server.%s.ack.p50", way);
	bench(params, name, latency_ms(acks, 0.5), "ms");
	snprintf(name, sizeof(name), "server.%s.ack.p99", way);
	bench(params, name, latency_ms(acks, 0.99), "ms");
}

static void take_in(const struct params *params, const struct process *server,
		    struct copies *copies, bool grpc)
{
	struct pusher pushers[CLIENTS_MAX] = {0}, all = {0};
	struct latency *acks = need(calloc(1, sizeof(*acks)));
	for (unsigned i = 0; i < params->clients; i++) {
		pushers[i] = (struct pusher){.server = server, .acks = acks, .grpc = grpc};
		prepare(&pushers[i], &copies[i], params->samples / params->clients);
		all.samples += pushers[i].samples;
		all.bytes += pushers[i].bytes;
	}
	uint64_t start_ns = clock_mono_ns();
	for (unsigned i = 0; i < params->clients; i++)
		if (pthread_create(&pushers[i].thread, NULL, push, &pushers[i]))
			fail("no thread");
	for (unsigned i = 0; i < params->clients; i++)
		pthread_join(pushers[i].thread, NULL);
	report(params, grpc ? "grpc" : "http", &all, (double)(clock_mono_ns() - start_ns) / 1e9,
	       acks);
	for (unsigned i = 0; i < params->clients; i++)
		free(pushers[i].requests);
	free(acks);
}

/* ---- questions ---- */

struct question {
	const char *name, *method, *more;
	bool moving; /* another range each time, so that no answer was kept */
};

static const struct question questions[] = {
	{"flame", "SelectMergeStacktraces", "", true},
	{"flame_again", "SelectMergeStacktraces", "", false},
	{"points", "SelectSeries", ",\"step\":1,\"groupBy\":[\"service_name\"],\"limit\":\"20\"",
	 true},
	{"exemplars", "SelectSeries", ",\"step\":15,\"exemplarType\":\"EXEMPLAR_TYPE_INDIVIDUAL\"",
	 true},
	{"call_sites", "SelectSeries",
	 ",\"step\":15,\"stackTraceSelector\":{\"callSite\":[{\"name\":\"none\"}]}", true},
	{"heatmap", "SelectHeatmap", ",\"step\":60", true},
	{"pprof", "SelectMergeProfile", "", true},
	{"label_values", "LabelValues", ",\"name\":\"service_name\"", true},
};

static void ask(const struct params *params, const struct question *question,
		struct net_client *client)
{
	struct latency *times = need(calloc(1, sizeof(*times)));
	char path[96], body[512], name[64];
	struct net_reply reply;
	struct err err;
	snprintf(path, sizeof(path), "/querier.v1.QuerierService/%s", question->method);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		int len = snprintf(body, sizeof(body),
				   "{\"profileTypeID\":\"process_cpu:cpu:nanoseconds:cpu:"
				   "nanoseconds\","
				   "\"labelSelector\":\"{}\",\"start\":\"%ju\",\"end\":\"%ju\"%s}",
				   (uintmax_t)params->start_s * 1000,
				   (uintmax_t)params->start_s * 1000 + 3600000 -
					   (question->moving ? i + 1 : 0),
				   question->more);
		uint64_t start_ns = clock_mono_ns();
		check(net_client_http(client, "POST", path, "application/json",
				      str_make(body, (size_t)len), &reply, &err),
		      &err);
		if (reply.http_status != 200 || reply.body.len < 2)
			fail("%s: %d %.*s", question->method, reply.http_status,
			     (int)reply.body.len, reply.body.ptr);
		latency_add(times, clock_mono_ns() - start_ns);
		net_reply_deinit(&reply);
	}
	snprintf(name, sizeof(name), "server.query.%s.p50", question->name);
	bench(params, name, latency_ms(times, 0.5), "ms");
	snprintf(name, sizeof(name), "server.query.%s.p99", question->name);
	bench(params, name, latency_ms(times, 0.99), "ms");
	free(times);
}

static void run(const struct params *params)
{
	struct process server;
	struct copies copies[CLIENTS_MAX];
	for (unsigned i = 0; i < params->clients; i++)
		copies_open(&copies[i], params, i);
	start_server(&server);
	bench(params, "server.rss_idle", (double)memory_of(&server, "VmRSS:") / 1e6, "MB");
	take_in(params, &server, copies, true);
	take_in(params, &server, copies, false);
	bench(params, "server.rss_load", (double)memory_of(&server, "VmHWM:") / 1e6, "MB");
	struct net_client *client = connect_to(&server);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		ask(params, &questions[i], client);
	net_client_destroy(client);
	bench(params, "server.rss_after", (double)memory_of(&server, "VmRSS:") / 1e6, "MB");
	stop_server(&server);
}

int main(int argc, char **argv)
{
	char start[32];
	char *arguments[64] = {argv[0], (char *)"services=20", (char *)"hosts=25",
			       (char *)"samples=2000000", start};
	struct params params;
	int count = 5;
	/* Two hours ago, so that retention has no reason to look at it. */
	snprintf(start, sizeof(start), "start_s=%ju",
		 (uintmax_t)(clock_real_ns() / NS_PER_S - 7200));
	for (int i = 1; i < argc && count < 63; i++)
		arguments[count++] = argv[i];
	params_parse(&params, count, arguments);
	params_print(&params, stdout);
	run(&params);
	return 0;
}
