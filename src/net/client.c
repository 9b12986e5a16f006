/* Calls run through curl's multi interface although there is one at a time:
 * curl_multi_wakeup() is what lets another thread end one at once. */
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/zip.h"
#include "client_signal.h"
#include "client_state.h"

enum { REPLY_BYTES = 64 * 1024 * 1024, POLL_MS = 1000, GZIP_LEVEL = 4 };
#define TIMEOUT_NS ((uint64_t)30 * NS_PER_S)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_ALL);
}

static const char *copy_text(struct arena *arena, const char *text, bool *failed)
{
	if (!text || !text[0])
		return NULL;
	const char *copy = arena_str(arena, str_of(text)).ptr;
	*failed |= !copy;
	return copy;
}

static bool copy_headers(struct net_client *client, const struct net_client_config *config)
{
	struct net_header *all =
		arena_zalloc(&client->arena, config->header_count + 1, sizeof(*all));

	if (!all)
		return false;
	for (size_t i = 0; i < config->header_count; i++) {
		all[i].name = arena_str(&client->arena, config->headers[i].name);
		all[i].value = arena_str(&client->arena, config->headers[i].value);
		if (!all[i].name.ptr || !all[i].value.ptr)
			return false;
	}
	client->config.headers = all;
	return true;
}

static bool copy_config(struct net_client *client, const struct net_client_config *config)
{
	struct arena *arena = &client->arena;
	struct net_client_config *own = &client->config;
	bool failed = false;

	*own = *config;
	own->endpoint = copy_text(arena, config->endpoint, &failed);
	own->ca_file = copy_text(arena, config->ca_file, &failed);
	own->cert_file = copy_text(arena, config->cert_file, &failed);
	own->key_file = copy_text(arena, config->key_file, &failed);
	own->server_name = copy_text(arena, config->server_name, &failed);
	own->user_agent = copy_text(arena, config->user_agent, &failed);
	if (own->timeout_ns == 0)
		own->timeout_ns = TIMEOUT_NS;
	if (own->reply_bytes == 0)
		own->reply_bytes = REPLY_BYTES;
	return !failed && copy_headers(client, config);
}

static bool open_handles(struct net_client *client)
{
	client->easy = curl_easy_init();
	for (int kind = 0; kind < CLIENT_KIND_COUNT; kind++) {
		client->multis[kind] = curl_multi_init();
		if (!client->multis[kind])
			return false;
		/* The connection of a call that failed goes when the next one has its own. */
		curl_multi_setopt(client->multis[kind], CURLMOPT_MAXCONNECTS, 1L);
	}
	return client->easy != NULL;
}

static int set_up(struct net_client *client, const struct net_client_config *config,
		  struct err *err)
{
	if (!copy_config(client, config) || !open_handles(client))
		return err_set(err, ERR_NOMEM, "client: no memory");
	return client_endpoint_parse(&client->config, &client->arena, &client->endpoint, err);
}

int net_client_create(const struct net_client_config *config, struct net_client **ret,
		      struct err *err)
{
	pthread_once(&curl_once, init_curl);
	if (!config->endpoint || !config->endpoint[0])
		return err_set(err, ERR_INVALID, "client: the endpoint is missing");
	struct net_client *client = mem_zalloc(1, sizeof(*client));
	if (!client)
		return err_set(err, ERR_NOMEM, "client: no memory");
	int code = set_up(client, config, err);
	if (code) {
		net_client_destroy(client);
		return code;
	}
	*ret = client;
	return 0;
}

void net_client_destroy(struct net_client *client)
{
	struct client_signal held;

	if (!client)
		return;
	client_signal_hold(&held);
	curl_easy_cleanup(client->easy);
	for (int kind = 0; kind < CLIENT_KIND_COUNT; kind++)
		curl_multi_cleanup(client->multis[kind]);
	client_signal_release(&held);
	arena_deinit(&client->arena);
	mem_free(client);
}

void net_client_cancel(struct net_client *client)
{
	atomic_store(&client->cancelled, 1);
	for (int kind = 0; kind < CLIENT_KIND_COUNT; kind++)
		curl_multi_wakeup(client->multis[kind]);
}

/* ---- one call ---- */

static void add_header_line(struct client_call *call, const char *line)
{
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (longer)
		call->headers = longer;
}

static void add_header(struct client_call *call, struct str name, struct str value)
{
	struct buf line = {0};

	/* curl takes "name;" for a header without a value. */
	if (value.len)
		buf_printf(&line, "%.*s: %.*s", STR_ARG(name), STR_ARG(value));
	else
		buf_printf(&line, "%.*s;", STR_ARG(name));
	buf_char(&line, '\0');
	if (!line.failed)
		add_header_line(call, line.ptr);
	buf_deinit(&line);
}

static void add_config_headers(struct client_call *call)
{
	const struct net_client_config *config = &call->client->config;

	for (size_t i = 0; i < config->header_count; i++)
		add_header(call, config->headers[i].name, config->headers[i].value);
	/* Waiting for "100 Continue" costs a second with servers that do not know it. */
	add_header_line(call, "Expect:");
}

static void set_tls_options(struct net_client *client)
{
	const struct net_client_config *config = &client->config;

	if (!client->endpoint.tls)
		return;
	if (config->ca_file)
		curl_easy_setopt(client->easy, CURLOPT_CAINFO, config->ca_file);
	if (config->cert_file)
		curl_easy_setopt(client->easy, CURLOPT_SSLCERT, config->cert_file);
	if (config->key_file)
		curl_easy_setopt(client->easy, CURLOPT_SSLKEY, config->key_file);
	curl_easy_setopt(client->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (config->insecure_skip_verify) {
		curl_easy_setopt(client->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(client->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static long http_version(const struct client_call *call)
{
	if (call->client->endpoint.tls)
		return CURL_HTTP_VERSION_2TLS;
	if (call->kind == CLIENT_HTTP)
		return CURL_HTTP_VERSION_1_1;
	return call->reuse_only ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static curl_socket_t open_no_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct client_call *call = user;

	(void)purpose;
	(void)address;
	call->wanted_socket = true;
	return CURL_SOCKET_BAD;
}

static void set_callbacks(struct client_call *call)
{
	CURL *easy = call->client->easy;

	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, client_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, client_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
}

static void set_options(struct client_call *call, const char *url)
{
	struct net_client *client = call->client;
	CURL *easy = client->easy;
	long timeout_ms = (long)(client->config.timeout_ns / NS_PER_MS);

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, http_version(call));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? timeout_ms : 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT,
			 client->config.user_agent ? client->config.user_agent
						   : "cresset/" CRESSET_VERSION);
	if (client->endpoint.unix_path)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->endpoint.unix_path);
	if (client->endpoint.is_loopback)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	if (call->reuse_only) {
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_no_socket);
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	}
	set_tls_options(client);
	set_callbacks(call);
}

static int failure(const struct client_call *call, CURLcode result, struct err *err)
{
	const struct net_client *client = call->client;
	const char *why = call->error[0] ? call->error : curl_easy_strerror(result);

	if (call->too_large)
		return err_set(err, ERR_LIMIT, "%s: the answer is larger than %zu bytes",
			       client->config.endpoint, client->config.reply_bytes);
	if (result == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ERR_TIMEOUT, "%s: %s", client->config.endpoint, why);
	if (result == CURLE_OUT_OF_MEMORY)
		return err_set(err, ERR_NOMEM, "%s: %s", client->config.endpoint, why);
	return err_set(err, ERR_IO, "%s: %s", client->config.endpoint, why);
}

/* Until the transfer is over, or cancelled. */
static int drive(struct client_call *call, CURLM *multi, struct err *err)
{
	struct net_client *client = call->client;
	int running = 1;

	while (curl_multi_perform(multi, &running) == CURLM_OK && running) {
		if (atomic_load(&client->cancelled))
			return err_set(err, ERR_CANCELLED, "%s: the call was cancelled",
				       client->config.endpoint);
		if (curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			break;
	}
	int left;
	CURLMsg *message = curl_multi_info_read(multi, &left);
	if (!message || message->msg != CURLMSG_DONE)
		return err_set(err, ERR_IO, "%s: the transfer broke off", client->config.endpoint);
	return message->data.result ? failure(call, message->data.result, err) : 0;
}

static int perform(struct client_call *call, struct err *err)
{
	struct net_client *client = call->client;
	CURLM *multi = client->multis[call->kind];
	struct curl_slist *connect_to = NULL;
	struct client_signal held;
	long status = 0;

	if (atomic_load(&client->cancelled))
		return err_set(err, ERR_CANCELLED, "%s: the call was cancelled",
			       client->config.endpoint);
	if (client->endpoint.connect_to)
		connect_to = curl_slist_append(NULL, client->endpoint.connect_to);
	curl_easy_setopt(client->easy, CURLOPT_CONNECT_TO, connect_to);
	curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, call->headers);
	client_signal_hold(&held);
	if (curl_multi_add_handle(multi, client->easy) != CURLM_OK) {
		client_signal_release(&held);
		curl_slist_free_all(connect_to);
		return err_set(err, ERR_NOMEM, "client: no memory");
	}
	int code = drive(call, multi, err);
	curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
	call->reply->http_status = (int)status;
	curl_multi_remove_handle(multi, client->easy);
	/* Keeps the connections, forgets the options, which point into this call. */
	curl_easy_reset(client->easy);
	client_signal_release(&held);
	curl_slist_free_all(connect_to);
	return code;
}

static void begin(struct client_call *call, struct net_client *client, enum client_kind kind,
		  struct net_reply *reply)
{
	*reply = (struct net_reply){.grpc_status = -1, .retry_after_ms = -1};
	buf_init(&reply->body, client->config.reply_bytes);
	*call = (struct client_call){.client = client, .kind = kind, .reply = reply};
	add_config_headers(call);
}

static void end(struct client_call *call)
{
	curl_slist_free_all(call->headers);
	buf_deinit(&call->details);
}

static void set_body(struct net_client *client, struct str body)
{
	curl_easy_setopt(client->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, body.ptr ? body.ptr : "");
}

/* After a timeout curl keeps the connection and would use it again: one that may be dead, and that
 * prior knowledge fails on in any case (see post_grpc()). */
static int post_once(struct client_call *call, const char *url, struct str body, struct err *err)
{
	set_options(call, url);
	if (!call->reuse_only && (!call->client->connected || !call->client->endpoint.tls))
		curl_easy_setopt(call->client->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(call->client->easy, CURLOPT_POST, 1L);
	set_body(call->client, body);
	return perform(call, err);
}

/* curl 7.88 fails every second request of a clear-text HTTP/2 connection when asked for prior
 * knowledge again, and works when asked for HTTP/2; but on a new connection that would begin with
 * HTTP/1.1. So where a connection should be there, one call is tried that may not open a socket;
 * when curl wants one, nothing was sent yet (or curl itself saw that the connection had died
 * before an answer, and would have sent it again), and the call starts over. */
static int post_grpc(struct client_call *call, const char *url, struct str body, struct err *err)
{
	struct net_client *client = call->client;
	int code;

	call->reuse_only = client->connected && !client->endpoint.tls;
	code = post_once(call, url, body, err);
	if (code && call->wanted_socket && !atomic_load(&client->cancelled)) {
		call->reuse_only = false;
		code = post_once(call, url, body, err);
	}
	client->connected = code == 0;
	return code;
}

static int make_url(const struct net_client *client, const char *path, struct buf *ret,
		    struct err *err)
{
	buf_printf(ret, "%s%s%s", client->endpoint.url, path[0] == '/' ? "" : "/", path);
	buf_char(ret, '\0');
	return buf_check(ret, "URL", err);
}

static int frame(struct str message, bool gzip, struct buf *ret, struct err *err)
{
	size_t start = 5;

	buf_append(ret, "\0\0\0\0\0", start);
	if (gzip) {
		int code = zip_gzip(message, GZIP_LEVEL, ret, err);
		if (code)
			return code;
	} else {
		buf_str(ret, message);
	}
	int code = buf_check(ret, "gRPC message", err);
	if (code)
		return code;
	size_t len = ret->len - start;
	if (len > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "gRPC message: larger than 4 GiB");
	for (size_t i = 0; i < 4; i++)
		ret->ptr[1 + i] = (char)(len >> (24 - 8 * i));
	ret->ptr[0] = gzip;
	return 0;
}

static void add_grpc_headers(struct client_call *call, bool gzip)
{
	char timeout[48];
	uint64_t ms = call->client->config.timeout_ns / NS_PER_MS;

	add_header_line(call, "content-type: application/grpc");
	add_header_line(call, "te: trailers");
	add_header_line(call, "grpc-accept-encoding: identity,gzip");
	if (gzip)
		add_header_line(call, "grpc-encoding: gzip");
	/* PROTOCOL-HTTP2.md: at most eight digits. */
	if (ms > 0 && ms < 100000000) {
		snprintf(timeout, sizeof(timeout), "grpc-timeout: %um", (unsigned)ms);
		add_header_line(call, timeout);
	}
}

int net_client_grpc(struct net_client *client, const char *method, struct str message, bool gzip,
		    struct net_reply *reply, struct err *err)
{
	struct client_call call;
	struct buf body = {0}, url = {0};

	begin(&call, client, CLIENT_GRPC, reply);
	add_grpc_headers(&call, gzip);
	int code = frame(message, gzip, &body, err);
	if (!code)
		code = make_url(client, method, &url, err);
	if (!code)
		code = post_grpc(&call, url.ptr, buf_text(&body), err);
	if (!code)
		code = client_finish_grpc(&call, err);
	end(&call);
	buf_deinit(&body);
	buf_deinit(&url);
	return code;
}

static void set_method(struct net_client *client, const char *method, struct str body)
{
	struct str name = str_of(method);

	if (str_equal(name, STR("GET")) && body.len == 0) {
		curl_easy_setopt(client->easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	if (str_equal(name, STR("HEAD"))) {
		curl_easy_setopt(client->easy, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(client->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(client->easy, CURLOPT_CUSTOMREQUEST, method);
	set_body(client, body);
}

int net_client_send(struct net_client *client, const struct net_client_request *request,
		    struct net_reply *reply, struct err *err)
{
	struct client_call call;
	struct buf url = {0};

	begin(&call, client, CLIENT_HTTP, reply);
	for (size_t i = 0; i < request->header_count; i++)
		add_header(&call, request->headers[i].name, request->headers[i].value);
	int code = make_url(client, request->path, &url, err);
	if (!code) {
		set_options(&call, url.ptr);
		curl_easy_setopt(client->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
		set_method(client, request->method, request->body);
		code = perform(&call, err);
	}
	end(&call);
	buf_deinit(&url);
	return code;
}

int net_client_http(struct net_client *client, const char *method, const char *path,
		    const char *content_type, struct str body, struct net_reply *reply,
		    struct err *err)
{
	const struct net_header type = {STR("content-type"),
					str_of(content_type ? content_type : "")};
	const struct net_client_request request = {
		.method = method,
		.path = path,
		.headers = &type,
		.header_count = content_type ? 1 : 0,
		.body = body,
	};
	return net_client_send(client, &request, reply, err);
}
