/* A whole server with users and tokens, asked over real sockets: who gets what,
 * for which tenant, before and after a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/net.h"
#include "server/ingest.h"
#include "server/server.h"

struct fixture {
	char path[64], file[96], flag[128], data[128];
	struct arena arena;
	struct server_config config;
	struct server *server;
	struct net_reply reply;
	struct err err;
	struct buf warnings;
};

#define COMMON "multitenancy_enabled: true\nserver: {http_listen_address: 127.0.0.1, "
#define TOKENS                                                                              \
	"auth:\n  users:\n    root: {password: rootrootroot, roles: [admin]}\n"             \
	"  tokens:\n    pusher: {token: pusher-0123456789, tenants: [a], roles: [write]}\n" \
	"    reader: {token: reader-0123456789, tenants: [a, b], roles: [read]}\n"

static void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

static void write_config(struct fixture *f, const char *text)
{
	must(f, fd_replace_file(f->file, text, strlen(text), &f->err));
}

static int load(struct fixture *f, struct arena *arena, struct server_config *config)
{
	char port[] = "-server.http-listen-port=0";
	char *argv[] = {f->flag, f->data, port};
	return server_config_load(arena, 3, argv, NULL, NULL, config, &f->err);
}

static void start(struct fixture *f, const char *text)
{
	write_config(f, text);
	must(f, load(f, &f->arena, &f->config));
	must(f, server_start(&f->config, &f->server, &f->err));
}

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-access-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	snprintf(f.file, sizeof(f.file), "%s/c.yaml", f.path);
	snprintf(f.flag, sizeof(f.flag), "-config.file=%s", f.file);
	snprintf(f.data, sizeof(f.data), "-pyroscopedb.data-path=%s/data", f.path);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	net_reply_deinit(&f->reply);
	server_stop(f->server);
	buf_deinit(&f->warnings);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

struct asking {
	const char *credential, *tenant, *extra;
};

static struct net_client *client_of(struct fixture *f, const struct asking *who)
{
	struct net_header headers[3];
	size_t count = 0;
	struct net_client *client;
	if (who->credential)
		headers[count++] =
			(struct net_header){STR("authorization"), str_of(who->credential)};
	if (who->tenant)
		headers[count++] = (struct net_header){STR("x-scope-orgid"), str_of(who->tenant)};
	if (who->extra)
		headers[count++] = (struct net_header){STR("sec-fetch-site"), str_of(who->extra)};
	const struct net_client_config config = {.endpoint = server_address(f->server),
						 .insecure = true,
						 .timeout_ns = 20ull * NS_PER_S,
						 .headers = headers,
						 .header_count = count};
	must(f, net_client_create(&config, &client, &f->err));
	return client;
}

static int status_of(struct fixture *f, struct asking who, const char *method, const char *path)
{
	bool post = strcmp(method, "POST") == 0;
	struct net_client *client = client_of(f, &who);
	net_reply_deinit(&f->reply);
	memset(&f->reply, 0, sizeof(f->reply));
	must(f, net_client_http(client, method, path, post ? "application/json" : NULL,
				post ? STR("{}") : STR(""), &f->reply, &f->err));
	net_client_destroy(client);
	return f->reply.http_status;
}

static int grpc_status_of(struct fixture *f, struct asking who, const char *method)
{
	struct net_client *client = client_of(f, &who);
	net_reply_deinit(&f->reply);
	memset(&f->reply, 0, sizeof(f->reply));
	must(f, net_client_grpc(client, method, STR(""), false, &f->reply, &f->err));
	net_client_destroy(client);
	return f->reply.grpc_status;
}

#define NAMES "/querier.v1.QuerierService/LabelNames"
static const struct asking nobody = {NULL, NULL, NULL};
static const struct asking pusher = {"Bearer pusher-0123456789", NULL, NULL};
static const struct asking reader_a = {"Bearer reader-0123456789", "a", NULL};
static const struct asking root = {"Basic cm9vdDpyb290cm9vdHJvb3Q=", NULL, NULL};

static void assert_said(const struct fixture *f, const char *part)
{
	if (str_find(buf_text(&f->reply.body), str_of(part)) < 0)
		fail_msg("%.*s has no %s", STR_ARG(buf_text(&f->reply.body)), part);
}

static void without_credentials_only_ready_is_open(void **state)
{
	struct fixture *f = *state;
	start(f, COMMON "}\n" TOKENS);
	assert_int_equal(status_of(f, nobody, "GET", "/ready"), 200);
	assert_int_equal(status_of(f, nobody, "GET", "/"), 401);
	assert_int_equal(status_of(f, nobody, "GET", "/metrics"), 401);
	assert_int_equal(status_of(f, nobody, "GET", "/nothing"), 401);
	assert_int_equal(status_of(f, nobody, "POST", NAMES), 401);
	assert_said(f, "{\"code\":\"unauthenticated\"");
	assert_int_equal(status_of(f, nobody, "POST", INGEST_HTTP_PATH), 401);
	assert_said(f, "{\"code\":16,\"message\":\"log in"); /* OTLP's, not Connect's */
	assert_int_equal(grpc_status_of(f, nobody, NAMES), 16);
	assert_int_equal(grpc_status_of(f, nobody, INGEST_GRPC_PATH), 16);
}

static void a_role_is_what_it_says(void **state)
{
	struct fixture *f = *state;
	start(f, COMMON "}\n" TOKENS);
	assert_int_equal(grpc_status_of(f, pusher, INGEST_GRPC_PATH), 0);
	assert_int_equal(grpc_status_of(f, pusher, NAMES), 7);
	assert_non_null(strstr(f->reply.grpc_message, "role read or admin"));
	assert_int_equal(status_of(f, pusher, "GET", "/"), 403);
	assert_int_equal(status_of(f, reader_a, "GET", "/"), 200);
	assert_int_equal(status_of(f, reader_a, "POST", NAMES), 200);
	assert_int_equal(grpc_status_of(f, reader_a, NAMES), 0);
	assert_int_equal(grpc_status_of(f, reader_a, INGEST_GRPC_PATH), 7);
	assert_int_equal(status_of(f, reader_a, "GET", "/api/v1/status/config"), 403);
	assert_int_equal(status_of(f, reader_a, "DELETE", "/api/v1/symbols/c0ffee"), 403);
	assert_int_equal(status_of(f, reader_a, "GET", "/nothing"), 404);
	assert_int_equal(status_of(f, root, "GET", "/api/v1/status/config"), 200);
	assert_true(str_find(buf_text(&f->reply.body), STR("0123456789")) < 0);
	assert_true(str_find(buf_text(&f->reply.body), STR("rootroot")) < 0);
	assert_said(f, "[REDACTED]");
}

static void a_tenant_is_that_of_the_credential(void **state)
{
	struct fixture *f = *state;
	start(f, COMMON "}\n" TOKENS);
	/* One tenant: it need not be said. */
	assert_int_equal(grpc_status_of(f, pusher, INGEST_GRPC_PATH), 0);
	struct asking other = pusher;
	other.tenant = "b";
	assert_int_equal(grpc_status_of(f, other, INGEST_GRPC_PATH), 7);
	assert_null(strstr(f->reply.grpc_message, "0123456789"));
	/* Two: which one? */
	struct asking reader = reader_a;
	reader.tenant = NULL;
	assert_int_equal(status_of(f, reader, "POST", NAMES), 401);
	assert_said(f, "X-Scope-OrgID");
	reader.tenant = "b";
	assert_int_equal(status_of(f, reader, "POST", NAMES), 200);
	reader.tenant = "c";
	assert_int_equal(status_of(f, reader, "POST", NAMES), 403);
	struct asking admin = root;
	admin.tenant = "c";
	assert_int_equal(status_of(f, admin, "POST", NAMES), 200);
}

static void other_sites_may_not_write_through_a_browser(void **state)
{
	struct fixture *f = *state;
	start(f, COMMON "}\n" TOKENS);
	struct asking site = reader_a;
	site.extra = "cross-site";
	assert_int_equal(status_of(f, site, "GET", "/"), 200);
	assert_int_equal(status_of(f, site, "POST", NAMES), 403);
	site.extra = "same-origin";
	assert_int_equal(status_of(f, site, "POST", NAMES), 200);
}

/* The answer comes while none of the body was sent. */
static void who_may_not_come_in_need_not_send_a_body(void **state)
{
	static const char request[] = "POST " INGEST_HTTP_PATH " HTTP/1.1\r\nhost: x\r\n"
				      "content-type: application/x-protobuf\r\n"
				      "content-length: 90000000\r\n\r\n";
	struct fixture *f = *state;
	uint64_t port;
	char answer[64] = "";
	start(f, COMMON "}\n" TOKENS);
	assert_true(str_to_u64(str_sub(str_of(server_address(f->server)), strlen("127.0.0.1:"), 9),
			       &port));
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	must(f, fd_write_all(fd, request, sizeof(request) - 1, &f->err));
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_true(read(fd, answer, sizeof(answer) - 1) > 12);
	assert_memory_equal(answer, "HTTP/1.1 401", 12);
	close(fd);
}

static void a_path_prefix_is_in_front_of_everything(void **state)
{
	struct fixture *f = *state;
	start(f, COMMON "http_path_prefix: /prof/}\n");
	assert_int_equal(status_of(f, nobody, "GET", "/prof/ready"), 200);
	assert_int_equal(status_of(f, nobody, "GET", "/prof/"), 200);
	assert_int_equal(status_of(f, nobody, "GET", "/ready"), 404);
	struct asking a = {NULL, "a", NULL};
	assert_int_equal(status_of(f, a, "POST", "/prof" NAMES), 200);
	assert_int_equal(status_of(f, a, "GET", "/prof/nothing"), 404);
}

/* ---- reload ---- */

static int reload(struct fixture *f, const char *text, struct buf *report)
{
	struct server_config next;
	struct arena arena;
	arena_init(&arena, 0);
	write_config(f, text);
	int rc = load(f, &arena, &next);
	rc = rc ? rc : server_reload(f->server, &arena, &next, report, &f->err);
	arena_deinit(&arena);
	return rc;
}

static void a_reload_changes_tokens_and_limits_and_says_what_it_cannot(void **state)
{
	struct fixture *f = *state;
	struct asking fresh = {"Bearer fresh-0123456789a", "a", NULL};
	struct buf report = {0};
	start(f, COMMON "}\n" TOKENS);
	assert_int_equal(status_of(f, fresh, "POST", NAMES), 401);
	must(f, reload(f,
		       COMMON "log_level: warn, http_listen_conn_limit: 7}\n"
			      "auth: {tokens: {fresh: {token: fresh-0123456789a, roles: [read]}}}\n"
			      "limits: {max_query_length: 1h}\n",
		       &report));
	assert_int_equal(status_of(f, fresh, "POST", NAMES), 200);
	assert_int_equal(status_of(f, reader_a, "POST", NAMES), 401);
	buf_char(&report, '\0');
	assert_string_equal(report.ptr, "server.http_listen_conn_limit");
	assert_int_equal(status_of(f, fresh, "GET", "/api/v1/tenant_limits"), 200);
	assert_said(f, "max_query_length: 1h0m0s\n");
	buf_deinit(&report);
	log_set_level(LOG_INFO);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
	static const char *const wrong[] = {
		COMMON "}\nauth: {tokens: {t: {token: short, roles: [read]}}}\n",
		COMMON "}\nlimits: {max_query_lenght: 1h}\n",
		COMMON "}\nruntime_config: {file: /nonexistent.yaml}\n",
		COMMON "http_tls_config: {cert_file: /nonexistent, key_file: /nonexistent}}\n",
	};
	struct fixture *f = *state;
	struct buf report = {0};
	start(f, COMMON "}\n" TOKENS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_not_equal(reload(f, wrong[i], &report), 0);
		assert_int_equal(status_of(f, reader_a, "POST", NAMES), 200);
		assert_int_equal(status_of(f, nobody, "POST", NAMES), 401);
	}
	buf_deinit(&report);
}

static void the_runtime_file_is_seen_without_being_told(void **state)
{
	struct fixture *f = *state;
	char runtime[128], text[512];
	struct asking a = {NULL, "a", NULL};
	snprintf(runtime, sizeof(runtime), "%s/runtime.yaml", f->path);
	must(f, fd_replace_file(runtime, "{}", 2, &f->err));
	snprintf(text, sizeof(text), COMMON "}\nruntime_config: {file: %s, period: 20ms}\n",
		 runtime);
	start(f, text);
	assert_int_equal(status_of(f, a, "GET", "/api/v1/tenant_limits"), 200);
	assert_said(f, "max_query_length: 0s\n");
	must(f, fd_replace_file(runtime, "overrides: {a: {max_query_length: 2h}}", 38, &f->err));
	uint64_t deadline_ns = clock_mono_ns() + 20ull * NS_PER_S;
	do
		status_of(f, a, "GET", "/api/v1/tenant_limits");
	while (str_find(buf_text(&f->reply.body), STR("max_query_length: 2h0m0s")) < 0 &&
	       clock_mono_ns() < deadline_ns);
	assert_said(f, "max_query_length: 2h0m0s\n");
	assert_int_equal(status_of(f, nobody, "GET", "/runtime_config?mode=diff"), 200);
	assert_said(f, "overrides:\n  a:\n    max_query_length: 2h0m0s\n");
	static const char render[] = "/pyroscope/render?query=process_cpu:cpu:nanoseconds:cpu:"
				     "nanoseconds%7B%7D&from=now-3h";
	struct asking b = {NULL, "b", NULL};
	assert_int_equal(status_of(f, a, "GET", render), 400);
	assert_said(f, "limits.max_query_length");
	assert_int_equal(status_of(f, b, "GET", render), 200);
	/* The query itself: more than two hours. */
	struct net_client *client = client_of(f, &a);
	net_reply_deinit(&f->reply);
	memset(&f->reply, 0, sizeof(f->reply));
	must(f, net_client_http(client, "POST", NAMES, "application/json",
				STR("{\"start\":1,\"end\":99999999}"), &f->reply, &f->err));
	net_client_destroy(client);
	assert_int_equal(f->reply.http_status, 400);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(without_credentials_only_ready_is_open),
		TEST(a_role_is_what_it_says),
		TEST(a_tenant_is_that_of_the_credential),
		TEST(other_sites_may_not_write_through_a_browser),
		TEST(who_may_not_come_in_need_not_send_a_body),
		TEST(a_path_prefix_is_in_front_of_everything),
		TEST(a_reload_changes_tokens_and_limits_and_says_what_it_cannot),
		TEST(a_reload_that_fails_changes_nothing),
		TEST(the_runtime_file_is_seen_without_being_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
