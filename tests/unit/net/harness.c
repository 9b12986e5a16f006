#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

static _Atomic int cancelled_count, handled_count;

static void hello(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	(void)request;
	net_answer_text(answer, 200, "hello");
}

static void echo(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	atomic_fetch_add(&handled_count, 1);
	answer->status = 200;
	net_answer_header(answer, STR("x-method"), request->method);
	net_answer_header(answer, STR("x-query"), request->query);
	net_answer_header(answer, STR("x-peer"), request->peer);
	buf_str(&answer->body, request->body);
}

static void large(void *user, const struct net_request *request, struct net_answer *answer)
{
	uint64_t count = 0;

	(void)user;
	if (!str_to_u64(net_query_get(request, STR("bytes")), &count)) {
		net_answer_text(answer, 400, "how many bytes?");
		return;
	}
	answer->status = 200;
	if (!buf_reserve(&answer->body, count))
		return;
	for (uint64_t i = 0; i < count; i++)
		answer->body.ptr[i] = (char)('a' + i % 26);
	answer->body.len = count;
}

static void packed(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	answer->status = 200;
	for (int i = 0; i < 400; i++)
		buf_cstr(&answer->body, "0123456789");
	net_answer_gzip(request, answer);
}

static void slow(void *user, const struct net_request *request, struct net_answer *answer)
{
	uint64_t ms = 0;

	(void)user;
	atomic_fetch_add(&handled_count, 1);
	(void)str_to_u64(net_query_get(request, STR("ms")), &ms);
	uint64_t end_ns = clock_mono_ns() + ms * NS_PER_MS;
	while (clock_mono_ns() < end_ns) {
		if (atomic_load(request->cancelled)) {
			atomic_fetch_add(&cancelled_count, 1);
			break;
		}
		usleep(5000);
	}
	net_answer_text(answer, 200, "slow");
}

static void header(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	answer->status = 200;
	for (size_t i = 0; i < request->header_count; i++)
		buf_printf(&answer->body, "%.*s=%.*s\n", STR_ARG(request->headers[i].name),
			   STR_ARG(request->headers[i].value));
}

static void assets(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	answer->status = 200;
	buf_str(&answer->body, request->path);
}

static void grpc_echo(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct str message;
	struct err err;

	(void)user;
	atomic_fetch_add(&handled_count, 1);
	if (!net_is_grpc(request)) {
		net_answer_text(answer, 415, "gRPC only");
		return;
	}
	if (net_grpc_message(request, 16 << 20, &message, &err))
		net_grpc_error(answer, &err, -1);
	else
		net_grpc_answer(answer, message);
}

static void grpc_fail(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct err err;

	(void)user;
	(void)request;
	err_set(&err, ERR_LIMIT, "zu viel auf einmal: 100 %% schön");
	net_grpc_error(answer, &err, 1500);
}

static void grpc_slow(void *user, const struct net_request *request, struct net_answer *answer)
{
	(void)user;
	for (int i = 0; i < 1000 && !atomic_load(request->cancelled); i++)
		usleep(5000);
	net_grpc_answer(answer, STR("late"));
}

static const struct net_route routes[] = {
	{.method = "GET", .path = "/hello", .handler = hello, .on_loop = true},
	{.method = "POST", .path = "/echo", .handler = echo},
	{.method = "PUT", .path = "/echo", .handler = echo},
	{.method = "POST", .path = "/small", .handler = echo, .body_limit_bytes = 1000},
	{.method = "GET", .path = "/large", .handler = large},
	{.method = "GET", .path = "/gzip", .handler = packed},
	{.method = "GET", .path = "/slow", .handler = slow},
	{.method = "GET", .path = "/header", .handler = header},
	{.method = "POST", .path = "/test.Echo/Call", .handler = grpc_echo},
	{.method = "POST", .path = "/test.Echo/Fail", .handler = grpc_fail},
	{.method = "POST", .path = "/test.Echo/Slow", .handler = grpc_slow},
	{.method = "POST",
	 .path = "/test.Echo/Small",
	 .handler = grpc_echo,
	 .body_limit_bytes = 1000},
	{.method = "GET", .path = "/assets/*", .handler = assets, .on_loop = true},
	/* Wider than "/echo", and does not take what that refuses. */
	{.method = "*", .path = "/ec*", .handler = echo},
};

static void make_certificate(struct harness *harness)
{
	char out[4096];
	int pid = (int)getpid();

	snprintf(harness->cert_file, sizeof(harness->cert_file), "/tmp/cresset-net-%d.crt", pid);
	snprintf(harness->key_file, sizeof(harness->key_file), "/tmp/cresset-net-%d.key", pid);
	assert_int_equal(harness_run(out, sizeof(out),
				     "openssl req -x509 -newkey ec -pkeyopt "
				     "ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "
				     "/CN=localhost -addext "
				     "subjectAltName=DNS:localhost,DNS:cresset."
				     "test,IP:127.0.0.1 -keyout %s -out %s",
				     harness->key_file, harness->cert_file),
			 0);
}

void harness_start(struct harness *harness, const struct net_limits *limits, bool tls)
{
	struct net_tls_config tls_config = {0};
	struct net_server_config config = {
		.listen = "127.0.0.1:0",
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(routes[0]),
	};
	struct err err = {0};

	*harness = (struct harness){0};
	atomic_store(&cancelled_count, 0);
	atomic_store(&handled_count, 0);
	if (limits)
		config.limits = *limits;
	if (tls) {
		make_certificate(harness);
		tls_config.cert_file = harness->cert_file;
		tls_config.key_file = harness->key_file;
		config.tls = &tls_config;
	}
	if (net_server_start(&config, &harness->server, &err))
		fail_msg("%s", err.text);
	struct str address = str_of(net_server_address(harness->server));
	uint64_t port;
	assert_true(
		str_to_u64(str_sub(address, (size_t)str_rfind_char(address, ':') + 1, address.len),
			   &port));
	harness->port = (int)port;
	snprintf(harness->unix_path, sizeof(harness->unix_path), "/tmp/cresset-net-%d.sock",
		 (int)getpid());
}

void harness_stop(struct harness *harness)
{
	net_server_stop(harness->server);
	harness->server = NULL;
	if (harness->cert_file[0]) {
		unlink(harness->cert_file);
		unlink(harness->key_file);
	}
}

int harness_cancelled(void)
{
	return atomic_load(&cancelled_count);
}

int harness_handled(void)
{
	return atomic_load(&handled_count);
}

int harness_connect(const struct harness *harness)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)harness->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* A peer that closed early is a result, not a failure of the test. */
void harness_send(int fd, const void *ptr, size_t len)
{
	const char *at = ptr;

	while (len > 0) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		at += sent;
		len -= (size_t)sent;
	}
}

void harness_send_text(int fd, const char *text)
{
	harness_send(fd, text, strlen(text));
}

size_t harness_read(int fd, char *out, size_t cap, int timeout_ms, bool *ret_ended)
{
	uint64_t end_ns = clock_mono_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	bool ended = false;
	size_t len = 0;

	while (len + 1 < cap && !ended) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		uint64_t now_ns = clock_mono_ns();
		if (now_ns >= end_ns ||
		    poll(&poll_fd, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1) <= 0)
			break;
		ssize_t got = recv(fd, out + len, cap - 1 - len, 0);
		if (got <= 0)
			ended = true;
		else
			len += (size_t)got;
	}
	out[len] = '\0';
	if (ret_ended)
		*ret_ended = ended;
	return len;
}

void harness_read_for(int fd, char *out, size_t cap, const char *text)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	out[0] = '\0';
	while (!strstr(out, text)) {
		if (poll(&poll_fd, 1, 5000) <= 0)
			fail_msg("\"%s\" did not come, but: %s", text, out);
		ssize_t got = recv(fd, out + len, cap - 1 - len, 0);
		if (got <= 0)
			fail_msg("the connection ended before \"%s\": %s", text, out);
		len += (size_t)got;
		out[len] = '\0';
	}
}

void harness_exchange(const struct harness *harness, const char *text, char *out, size_t cap)
{
	int fd = harness_connect(harness);

	harness_send_text(fd, text);
	harness_read(fd, out, cap, 3000, NULL);
	close(fd);
}

int harness_run(char *out, size_t cap, const char *fmt, ...)
{
	char command[4096], line[4200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "{ %s ; } 2>&1", command);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	size_t len = fread(out, 1, cap - 1, pipe);
	out[len] = '\0';
	int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int64_t harness_metric(const char *name_and_labels)
{
	struct buf text = {0};
	int64_t value = -1;

	metrics_render(&text);
	buf_char(&text, '\0');
	char needle[256];
	snprintf(needle, sizeof(needle), "\n%s ", name_and_labels);
	const char *at = strstr(text.ptr, needle);
	if (at)
		value = strtoll(at + strlen(needle), NULL, 10);
	buf_deinit(&text);
	return value;
}

bool harness_metric_reaches(const char *name_and_labels, int64_t value)
{
	for (int i = 0; i < 500; i++) {
		if (harness_metric(name_and_labels) >= value)
			return true;
		usleep(10000);
	}
	return false;
}
