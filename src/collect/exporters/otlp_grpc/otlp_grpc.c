/* SPDX-License-Identifier: Apache-2.0
 *
 * The `otlp_grpc` exporter: OTLP profiles (layout of 1.10) over gRPC. Keys and
 * defaults of the Collector's exporter (v0.159.0, exporter/otlpexporter). */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "collect/exporters/otlp_grpc/otlp_grpc.h"
#include "collect/exporters/queue.h"
#include "net/net.h"
#include "wire/wire.h"

static const char export_method[] =
	"/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";

enum {
	/* gRPC servers take 4 MiB unless told otherwise (grpc-go's default); leave room for the frame. */
	REQUEST_MAX_BYTES = 4 * 1024 * 1024 - 4096,
	HELD_MAX_BYTES = 64 * 1024 * 1024,
	HEADERS_MAX = 32,
	CONNECTIONS_MAX = 64,
};

enum compression { COMPRESSION_GZIP, COMPRESSION_NONE };
static const char *const compressions[] = {"gzip", "none", NULL};

struct tls_config {
	bool insecure, insecure_skip_verify;
	struct str ca_file, cert_file, key_file, server_name;
};

struct grpc_config {
	struct str endpoint;
	int compression;
	struct tls_config tls;
	struct config_pairs headers;
	int64_t timeout_ns;
	struct str user_agent;
	struct queue_config queue;
	struct retry_config retry;
};

#define FIELD(name) CONFIG_FIELD(grpc_config, name)
#define TLS(name)   CONFIG_FIELD(tls_config, name)

static const struct config_row tls_rows[] = {
	{.key = "insecure",
	 .type = CONFIG_BOOL,
	 TLS(insecure),
	 .fallback = "false",
	 .help = "no TLS"},
	{.key = "insecure_skip_verify",
	 .type = CONFIG_BOOL,
	 TLS(insecure_skip_verify),
	 .fallback = "false",
	 .help = "TLS, but the peer may be anybody"},
	{.key = "ca_file", .type = CONFIG_STRING, TLS(ca_file), .help = "PEM: whom to trust"},
	{.key = "cert_file", .type = CONFIG_STRING, TLS(cert_file), .help = "PEM: our certificate"},
	{.key = "key_file", .type = CONFIG_STRING, TLS(key_file), .help = "PEM: its key"},
	{.key = "server_name_override",
	 .type = CONFIG_STRING,
	 TLS(server_name),
	 .help = "name to find in the peer's certificate"},
};

static int check_tls(const void *target, struct err *err)
{
	const struct tls_config *tls = target;
	if ((tls->cert_file.len == 0) != (tls->key_file.len == 0))
		return err_set(err, ERR_INVALID, "cert_file and key_file go together");
	return 0;
}

static const struct config_schema tls_schema =
	CONFIG_SCHEMA("tls", tls_config, tls_rows, .help = "TLS to the peer", .check = check_tls);

static const struct config_row grpc_rows[] = {
	{.key = "endpoint",
	 .type = CONFIG_STRING,
	 FIELD(endpoint),
	 .help = "host:port, http://host:port, https://host:port or unix:///path"},
	{.key = "compression",
	 .type = CONFIG_ENUM,
	 FIELD(compression),
	 .fallback = "gzip",
	 .choices = compressions,
	 .help = "of requests"},
	{.key = "tls", .type = CONFIG_SECTION, FIELD(tls), .section = &tls_schema, .help = "TLS"},
	{.key = "headers",
	 .type = CONFIG_STRING_MAP,
	 FIELD(headers),
	 .secret = true,
	 .help = "sent with each request"},
	{.key = "timeout",
	 .type = CONFIG_DURATION,
	 FIELD(timeout_ns),
	 .fallback = "5s",
	 .min = 0,
	 .max = 86400,
	 .help = "of one try; 0: 30 s"},
	{.key = "user_agent",
	 .type = CONFIG_STRING,
	 FIELD(user_agent),
	 .fallback = "cresset/" CRESSET_VERSION " (linux)",
	 .help = "User-Agent"},
	{.key = "sending_queue",
	 .type = CONFIG_SECTION,
	 FIELD(queue),
	 .section = &queue_schema,
	 .help = "what waits for sending"},
	{.key = "retry_on_failure",
	 .type = CONFIG_SECTION,
	 FIELD(retry),
	 .section = &retry_schema,
	 .help = "trying again"},
	{.key = "wait_for_ready", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "balancer_name", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "keepalive", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "read_buffer_size", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "write_buffer_size", .type = CONFIG_IGNORED, .help = "of no effect"},
};

static int check_grpc(const void *target, struct err *err)
{
	const struct grpc_config *config = target;
	if (config->endpoint.len == 0)
		return err_set(err, ERR_INVALID,
			       "requires a non-empty \"endpoint\" (as in endpoint: "
			       "127.0.0.1:4040)");
	if (config->headers.count > HEADERS_MAX)
		return err_set(err, ERR_INVALID, "headers: more than %d", HEADERS_MAX);
	return 0;
}

static const struct config_schema grpc_schema =
	CONFIG_SCHEMA("otlp_grpc", grpc_config, grpc_rows, .help = "OTLP profiles over gRPC",
		      .check = check_grpc);

static struct metric events_too_large =
	METRIC_COUNTER_INIT("cresset_exporter_too_large_samples_total", NULL,
			    "Samples left out because one alone was larger than a request may be.");

struct grpc_exporter {
	const char *name;
	const struct grpc_config *config;
	struct net_client_config client_config;
	struct net_header headers[HEADERS_MAX];
	_Atomic(struct net_client *) clients[CONNECTIONS_MAX]; /* each used by its sender thread */
	struct export_queue *queue;
};

static const char *or_null(struct str text)
{
	return text.len ? text.ptr : NULL;
}

static void fill_client_config(struct grpc_exporter *self, const struct grpc_config *config)
{
	for (size_t i = 0; i < config->headers.count; i++)
		self->headers[i] = (struct net_header){config->headers.items[i].key,
						       config->headers.items[i].value};
	self->client_config = (struct net_client_config){
		.endpoint = config->endpoint.ptr,
		.insecure = config->tls.insecure,
		.ca_file = or_null(config->tls.ca_file),
		.cert_file = or_null(config->tls.cert_file),
		.key_file = or_null(config->tls.key_file),
		.server_name = or_null(config->tls.server_name),
		.insecure_skip_verify = config->tls.insecure_skip_verify,
		.timeout_ns = (uint64_t)config->timeout_ns,
		.headers = self->headers,
		.header_count = config->headers.count,
		.user_agent = config->user_agent.ptr,
	};
}

static int grpc_create(const struct component_settings *settings, void **ret, struct err *err)
{
	struct grpc_exporter *self = mem_zalloc(1, sizeof(*self));
	if (!self)
		return err_set(err, ERR_NOMEM, "no memory for the otlp_grpc exporter");
	self->name = settings->id.ptr;
	self->config = settings->config;
	fill_client_config(self, self->config);
	*ret = self;
	return 0;
}

/* OTLP specification, "OTLP/gRPC response": these codes may be tried again; RESOURCE_EXHAUSTED only when
 * the server says when. */
static enum send_verdict verdict_of(const struct net_reply *reply)
{
	switch (reply->grpc_status) {
	case 0:
		return SEND_DONE;
	case 1:	 /* CANCELLED */
	case 4:	 /* DEADLINE_EXCEEDED */
	case 10: /* ABORTED */
	case 11: /* OUT_OF_RANGE */
	case 14: /* UNAVAILABLE */
	case 15: /* DATA_LOSS */
		return SEND_RETRY;
	case 8: /* RESOURCE_EXHAUSTED */
		return reply->retry_after_ms >= 0 ? SEND_RETRY : SEND_REFUSED;
	default:
		return SEND_REFUSED;
	}
}

/* gRPC PROTOCOL-HTTP2.md maps these HTTP statuses, sent by proxies, to UNAVAILABLE. */
static bool is_passing_http(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void judge(const struct net_reply *reply, const char *endpoint, struct send_outcome *ret)
{
	ret->retry_after_ms = reply->retry_after_ms;
	if (reply->grpc_status < 0) {
		ret->verdict = is_passing_http(reply->http_status) ? SEND_RETRY : SEND_REFUSED;
		(void)err_set(&ret->why, ERR_IO,
			      "%s answered HTTP %d and no gRPC status: is it an OTLP gRPC "
			      "endpoint?",
			      endpoint, reply->http_status);
		return;
	}
	ret->verdict = verdict_of(reply);
	if (ret->verdict != SEND_DONE)
		(void)err_set(&ret->why, ERR_IO, "%s refused: gRPC status %d: %s", endpoint,
			      reply->grpc_status, reply->grpc_message);
}

/* A partial success is a success that says what the server did not take. */
static void read_partial(const struct net_reply *reply, struct send_outcome *ret)
{
	struct wire_partial partial = {0};
	if (ret->verdict != SEND_DONE || reply->body.len == 0)
		return;
	if (wire_otlp_response_decode(buf_text(&reply->body), &partial, NULL) != 0)
		return;
	if (partial.rejected_profiles || partial.message.len)
		(void)err_set(&ret->why, ERR_INVALID, "rejected_profiles=%llu: %.*s",
			      (unsigned long long)partial.rejected_profiles,
			      STR_ARG(str_sub(partial.message, 0, 400)));
}

static int ready_client(struct grpc_exporter *self, uint32_t connection, struct net_client **ret,
			struct err *err)
{
	struct net_client *client = atomic_load(&self->clients[connection]);
	if (!client) {
		int rc = net_client_create(&self->client_config, &client, err);
		if (rc)
			return rc;
		atomic_store(&self->clients[connection], client);
	}
	*ret = client;
	return 0;
}

static void grpc_send(void *ptr, uint32_t connection, struct str payload, struct send_outcome *ret)
{
	struct grpc_exporter *self = ptr;
	struct net_client *client = NULL;
	struct net_reply reply = {0};
	int rc = ready_client(self, connection, &client, &ret->why);
	if (!rc)
		rc = net_client_grpc(client, export_method, payload,
				     self->config->compression == COMPRESSION_GZIP, &reply,
				     &ret->why);
	if (rc) {
		ret->verdict = SEND_RETRY;
		return;
	}
	judge(&reply, self->client_config.endpoint, ret);
	read_partial(&reply, ret);
	net_reply_deinit(&reply);
}

/* Said at the start, since each connection would only say it again and again. */
static int check_file(const char *key, struct str path, struct err *err)
{
	if (path.len == 0 || access(path.ptr, R_OK) == 0)
		return 0;
	return err_set_errno(err, errno, "tls::%s: reading %s", key, path.ptr);
}

static int check_files(const struct tls_config *tls, struct err *err)
{
	int rc = check_file("ca_file", tls->ca_file, err);
	if (!rc)
		rc = check_file("cert_file", tls->cert_file, err);
	return rc ? rc : check_file("key_file", tls->key_file, err);
}

static int grpc_start(void *ptr, struct err *err)
{
	struct grpc_exporter *self = ptr;
	const struct export_queue_config config = {
		.name = self->name,
		.queue = self->config->queue,
		.retry = self->config->retry,
		.max_bytes = HELD_MAX_BYTES,
		.send = grpc_send,
		.self = self,
	};
	struct net_client *client = NULL;
	int rc = check_files(&self->config->tls, err);
	if (!rc)
		rc = ready_client(self, 0, &client, err); /* is the endpoint one? */
	return rc ? rc : export_queue_create(&config, &self->queue, err);
}

static void grpc_stop(void *ptr)
{
	struct grpc_exporter *self = ptr;
	export_queue_destroy(self->queue);
	self->queue = NULL;
}

static void grpc_destroy(void *ptr)
{
	struct grpc_exporter *self = ptr;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		net_client_destroy(atomic_load(&self->clients[i]));
	mem_free(self);
}

/* Each request of a split batch stands for itself: one that finds no room is counted by the queue, and the
 * others still go. */
struct push {
	struct grpc_exporter *self;
	uint64_t queued; /* samples */
	int rc;		 /* of the first that was not */
	struct err why;
};

static int push_request(void *ptr, const struct wire_request *request, struct err *err)
{
	struct push *push = ptr;
	struct buf payload;
	buf_init(&payload, 0);
	(void)buf_reserve(&payload,
			  request->bytes.len); /* no more: the queue counts what it holds */
	buf_str(&payload, request->bytes);
	int rc = buf_check(&payload, "sending queue", err);
	if (rc) {
		buf_deinit(&payload);
		return rc;
	}
	struct err why = {0};
	rc = export_queue_push(push->self->queue, &payload, request->events, &why);
	buf_deinit(&payload);
	if (!rc)
		push->queued += request->events;
	if (rc && !push->rc) {
		push->rc = rc;
		push->why = why;
	}
	return 0;
}

static int grpc_consume(void *ptr, struct profile_batch *batch, struct err *err)
{
	struct push push = {.self = ptr};
	uint64_t too_large = 0;
	int rc = wire_otlp_split(batch, REQUEST_MAX_BYTES, push_request, &push, &too_large, err);
	if (too_large)
		metric_add(&events_too_large, (int64_t)too_large);
	if (!rc && push.rc)
		rc = err_set(err, push.rc, "%s", push.why.text);
	if (!rc && too_large)
		rc = err_set(err, ERR_LIMIT, "%llu samples are larger than a request may be",
			     (unsigned long long)too_large);
	if (rc && push.queued) {
		log_warn("collect", "a part of a batch was dropped",
			 "exporter=%s queued_samples=%llu why=" LOG_Q, push.self->name,
			 (unsigned long long)push.queued,
			 LOG_TEXT(push.rc || !err ? push.why.text : err->text));
		return 0;
	}
	return rc;
}

const struct component exporter_otlp_grpc = {
	.kind = COMPONENT_EXPORTER,
	.type = "otlp_grpc",
	.deprecated_alias = "otlp",
	.summary = "sends OTLP profiles over gRPC",
	.schema = &grpc_schema,
	.create = grpc_create,
	.start = grpc_start,
	.stop = grpc_stop,
	.destroy = grpc_destroy,
	.consume = grpc_consume,
};
