/* The server as a whole: its limits over all connections, TLS, start and stop. */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness.h"

static void a_connection_over_the_limit_is_closed_at_once(void **state)
{
	struct net_limits limits = {.connections = 3};
	struct harness harness;
	char answer[4096];
	int fds[4];
	bool ended;

	(void)state;
	harness_start(&harness, &limits, false);
	for (int i = 0; i < 4; i++) {
		fds[i] = harness_connect(&harness);
		if (i < 3) {
			harness_send_text(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
			harness_read_for(fds[i], answer, sizeof(answer), "hello\n");
		} else {
			harness_read(fds[i], answer, sizeof(answer), 3000, &ended);
			assert_true(ended);
		}
	}
	close(fds[0]);
	usleep(200000);
	close(fds[3]);
	fds[3] = harness_connect(&harness);
	harness_send_text(fds[3], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	harness_read_for(fds[3], answer, sizeof(answer), "hello\n");
	for (int i = 1; i < 4; i++)
		close(fds[i]);
	harness_stop(&harness);
}

static void a_full_queue_answers_503_and_the_loop_goes_on(void **state)
{
	struct net_limits limits = {.workers = 1, .queue = 2};
	struct harness harness;
	char answer[4096];
	int fds[3];

	(void)state;
	harness_start(&harness, &limits, false);
	for (int i = 0; i < 3; i++) {
		fds[i] = harness_connect(&harness);
		harness_send_text(fds[i], "GET /slow?ms=600 HTTP/1.1\r\nHost: x\r\nConnection: "
					  "close\r\n\r\n");
		usleep(100000);
	}
	harness_exchange(&harness,
			 "GET /slow?ms=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
			 sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 503"));
	assert_non_null(strstr(answer, "retry-after: 1\r\n"));
	/* Handlers on the loop need no worker. */
	harness_exchange(&harness, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			 answer, sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	for (int i = 0; i < 3; i++) {
		harness_read(fds[i], answer, sizeof(answer), 5000, NULL);
		assert_non_null(strstr(answer, "HTTP/1.1 200"));
		close(fds[i]);
	}
	harness_stop(&harness);
}

static void bodies_over_the_memory_for_all_answer_503(void **state)
{
	struct net_limits limits = {.buffered_bytes = 100000, .body_bytes = 80000};
	struct harness harness;
	static char answer[100000], body[70000];
	int first;

	(void)state;
	harness_start(&harness, &limits, false);
	memset(body, 'x', sizeof(body));
	first = harness_connect(&harness);
	harness_send_text(first, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70001\r\n"
				 "Connection: close\r\n\r\n");
	harness_send(first, body, sizeof(body));
	usleep(200000);
	int second = harness_connect(&harness);
	harness_send_text(second,
			  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
	harness_send(second, body, sizeof(body));
	harness_read(second, answer, sizeof(answer), 2000, NULL);
	assert_non_null(strstr(answer, "HTTP/1.1 503"));
	close(second);
	harness_send(first, "y", 1);
	harness_read(first, answer, sizeof(answer), 2000, NULL);
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	close(first);
	/* What was charged has been given back. */
	usleep(100000);
	second = harness_connect(&harness);
	harness_send_text(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
				  "70000\r\nConnection: close\r\n\r\n");
	harness_send(second, body, sizeof(body));
	harness_read(second, answer, sizeof(answer), 2000, NULL);
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	close(second);
	harness_stop(&harness);
}

static void tls_offers_both_protocols_by_alpn(void **state)
{
	struct harness harness;
	char out[8192];

	(void)state;
	harness_start(&harness, NULL, true);
	assert_int_equal(harness_run(out, sizeof(out),
				     "for v in --http2 --http1.1 --no-alpn; do curl -sS -k $v "
				     "--max-time 5 -d body -w ' %%{http_version}\\n' "
				     "https://127.0.0.1:%d/echo; done",
				     harness.port),
			 0);
	assert_string_equal(out, "body 2\nbody 1.1\nbody 1.1\n");
	harness_run(out, sizeof(out),
		    "timeout 10 h2load -n 500 -c 4 -m 10 https://127.0.0.1:%d/hello", harness.port);
	assert_non_null(strstr(out, "500 succeeded, 0 failed"));
	assert_int_equal(harness_run(out, sizeof(out),
				     "curl -sS -k --max-time 9 "
				     "'https://127.0.0.1:%d/large?bytes=5000000' | wc -c",
				     harness.port),
			 0);
	assert_string_equal(out, "5000000\n");
	harness_stop(&harness);
}

static void clear_text_and_rubbish_at_a_tls_port_are_refused(void **state)
{
	const char *metric = "cresset_net_refused_total{reason=\"tls\"}";
	struct net_limits limits = {.header_timeout_ns = (uint64_t)300 * NS_PER_MS};
	struct harness harness;
	char out[4096];
	bool ended;

	(void)state;
	harness_start(&harness, &limits, true);
	int64_t before = harness_metric(metric);
	int fd = harness_connect(&harness);
	harness_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	harness_read(fd, out, sizeof(out), 2000, &ended);
	assert_true(ended);
	assert_null(strstr(out, "hello"));
	close(fd);
	/* A handshake that stops in the middle. */
	fd = harness_connect(&harness);
	harness_send(fd, "\x16\x03\x01\x02", 4);
	harness_read(fd, out, sizeof(out), 2000, &ended);
	assert_true(ended);
	close(fd);
	assert_int_equal(harness_metric(metric), before + 2);
	assert_int_not_equal(harness_run(out, sizeof(out),
					 "curl -sS -k --tls-max 1.1 https://127.0.0.1:%d/hello",
					 harness.port),
			     0);
	harness_stop(&harness);
}

static void a_required_client_certificate_is_required(void **state)
{
	struct harness harness;
	struct net_tls_config tls = {.client_auth = NET_CLIENT_CERT_REQUIRE_VERIFY};
	struct net_server_config config = {.listen = "127.0.0.1:0", .tls = &tls};
	struct net_server *server;
	struct err err = {0};
	char out[4096];

	(void)state;
	harness_start(&harness, NULL, true); /* makes the certificate */
	tls.cert_file = tls.client_ca_file = harness.cert_file;
	tls.key_file = harness.key_file;
	assert_int_equal(net_server_start(&config, &server, &err), 0);
	assert_int_not_equal(harness_run(out, sizeof(out), "curl -sS -k https://%s/hello",
					 net_server_address(server)),
			     0);
	assert_int_equal(harness_run(out, sizeof(out),
				     "curl -sS -k --cert %s --key %s -o /dev/null -w "
				     "'%%{http_code}' https://%s/hello",
				     harness.cert_file, harness.key_file,
				     net_server_address(server)),
			 0);
	assert_string_equal(out, "404");
	net_server_stop(server);
	harness_stop(&harness);
}

static void tls_files_that_do_not_fit_are_named(void **state)
{
	struct net_tls_config tls = {.cert_file = "/nonexistent.crt", .key_file = "/dev/null"};
	struct net_server_config config = {.listen = "127.0.0.1:0", .tls = &tls};
	struct net_server *server;
	struct err err = {0};

	(void)state;
	assert_int_equal(net_server_start(&config, &server, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "/nonexistent.crt"));
	tls.cert_file = NULL;
	assert_int_equal(net_server_start(&config, &server, &err), ERR_INVALID);
}

static void addresses_that_cannot_be_had_are_explained(void **state)
{
	static const char *const wrong[] = {"127.0.0.1",       "127.0.0.1:x",
					    "127.0.0.1:70000", "::1:80",
					    "unix:",	       "unix:/nonexistent/dir/x.sock",
					    "192.0.2.1:4040"};
	struct net_server_config config = {0};
	struct harness harness;
	struct net_server *server;
	struct err err = {0};
	char taken[64];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		config.listen = wrong[i];
		assert_true(net_server_start(&config, &server, &err) < 0);
		assert_true(err.text[0] != '\0');
	}
	harness_start(&harness, NULL, false);
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", harness.port);
	config.listen = taken;
	assert_int_equal(net_server_start(&config, &server, &err), ERR_EXISTS);
	assert_non_null(strstr(err.text, taken));
	assert_int_equal(net_server_listen(harness.server, taken, &err), ERR_EXISTS);
	harness_stop(&harness);
}

static void every_kind_of_address_is_listened_on(void **state)
{
	static const char *const kinds[] = {":0", "[::1]:0", "localhost:0", "0.0.0.0:0"};
	struct net_server *server;
	struct err err = {0};
	char out[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct net_server_config config = {.listen = kinds[i]};
		if (net_server_start(&config, &server, &err)) {
			print_message("%s\n", err.text);
			assert_int_equal(i, 1); /* a host without IPv6 */
			continue;
		}
		struct str address = str_of(net_server_address(server));
		struct str port = str_sub(address, (size_t)str_rfind_char(address, ':') + 1, 8);
		assert_int_equal(harness_run(out, sizeof(out),
					     "curl -sS -o /dev/null -w '%%{http_code}' "
					     "http://%s:%.*s/",
					     i == 1 ? "[::1]" : "127.0.0.1", STR_ARG(port)),
				 0);
		assert_string_equal(out, "404");
		net_server_stop(server);
	}
}

static void a_socket_file_left_behind_is_replaced_and_a_live_one_is_not(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct net_server_config config = {0};
	struct net_server *server, *second;
	struct err err = {0};
	char listen[128], out[1024];

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/cresset-net-stale-%d.sock",
		 (int)getpid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	snprintf(listen, sizeof(listen), "unix:%s", addr.sun_path);
	config.listen = listen;
	if (net_server_start(&config, &server, &err))
		fail_msg("%s", err.text);
	assert_string_equal(net_server_address(server), listen);
	assert_int_equal(net_server_start(&config, &second, &err), ERR_EXISTS);
	assert_int_equal(harness_run(out, sizeof(out),
				     "curl -sS -o /dev/null -w '%%{http_code}' --unix-socket %s "
				     "http://x/; stat -c ' %%a' %s",
				     addr.sun_path, addr.sun_path),
			 0);
	assert_string_equal(out, "404 660\n");
	net_server_stop(server);
	assert_int_not_equal(access(addr.sun_path, F_OK), 0);
}

static void a_server_that_stops_ends_what_is_running_first(void **state)
{
	struct harness harness;
	char answer[4096], idle_answer[16];
	bool ended;

	(void)state;
	harness_start(&harness, NULL, false);
	int busy = harness_connect(&harness);
	int idle = harness_connect(&harness);
	harness_send_text(busy, "GET /slow?ms=700 HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(200000);
	uint64_t start_ns = clock_mono_ns();
	harness_stop(&harness);
	uint64_t took_ns = clock_mono_ns() - start_ns;
	assert_true(took_ns > (uint64_t)300 * NS_PER_MS && took_ns < (uint64_t)4 * NS_PER_S);
	harness_read(busy, answer, sizeof(answer), 1000, &ended);
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	assert_non_null(strstr(answer, "connection: close"));
	assert_true(ended);
	assert_int_equal(harness_read(idle, idle_answer, sizeof(idle_answer), 1000, &ended), 0);
	assert_true(ended);
	assert_int_equal(harness_cancelled(), 0);
	close(busy);
	close(idle);
}

static void http_2_clients_are_told_before_the_server_goes(void **state)
{
	struct harness harness;
	char out[4096];
	int pid = (int)getpid();

	(void)state;
	harness_start(&harness, NULL, false);
	harness_run(out, sizeof(out),
		    "timeout 5 nghttp -v 'http://127.0.0.1:%d/slow?ms=900' > "
		    "/tmp/cresset-net-%d.out "
		    "2>&1 & sleep 0.3",
		    harness.port, pid);
	harness_stop(&harness);
	harness_run(out, sizeof(out),
		    "sleep 0.5; grep -c 'recv GOAWAY' /tmp/cresset-net-%d.out; grep -c ':status: "
		    "200' "
		    "/tmp/cresset-net-%d.out; rm /tmp/cresset-net-%d.out",
		    pid, pid, pid);
	assert_string_equal(out, "1\n1\n");
}

static void what_runs_on_after_the_grace_is_cancelled(void **state)
{
	struct net_limits limits = {.graceful_ns = (uint64_t)200 * NS_PER_MS};
	struct harness harness;

	(void)state;
	harness_start(&harness, &limits, false);
	int busy = harness_connect(&harness);
	harness_send_text(busy, "GET /slow?ms=30000 HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(200000);
	uint64_t start_ns = clock_mono_ns();
	harness_stop(&harness);
	assert_true(clock_mono_ns() - start_ns < (uint64_t)3 * NS_PER_S);
	assert_int_equal(harness_cancelled(), 1);
	close(busy);
}

static void *call_over_and_over(void *user)
{
	struct net_client_config config = {.endpoint = user};
	struct net_client *client;
	struct net_reply reply;

	if (net_client_create(&config, &client, NULL))
		return user;
	for (int i = 0; i < 100; i++) {
		int code = net_client_grpc(client, "/test.Echo/Call", STR("message"), i % 2, &reply,
					   NULL);
		bool good = !code && reply.grpc_status == 0 &&
			    str_equal(buf_text(&reply.body), STR("message"));
		net_reply_deinit(&reply);
		if (!good)
			break;
		if (i == 99)
			user = NULL;
	}
	net_client_destroy(client);
	return user;
}

static void many_threads_are_served_at_once(void **state)
{
	struct harness harness;
	pthread_t threads[8];
	char endpoint[64];
	void *failed;

	(void)state;
	harness_start(&harness, NULL, false);
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", harness.port);
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, call_over_and_over, endpoint);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	harness_stop(&harness);
}

#define TLS_SCHEME "https://"

/* A place that the next server can have, too: a socket file, or the first free port behind the harness's. */
static void listen_on(struct harness *harness, bool tls, char *endpoint, size_t cap)
{
	enum { TRIES = 100 };
	int rc = ERR_EXISTS;
	for (int i = 1; rc && i <= TRIES; i++) {
		if (tls)
			snprintf(endpoint, cap, TLS_SCHEME "127.0.0.1:%d", harness->port + i);
		else
			snprintf(endpoint, cap, "unix:/tmp/cresset-net-again-%d.sock",
				 (int)getpid());
		rc = net_server_listen(harness->server, endpoint + (tls ? strlen(TLS_SCHEME) : 0),
				       NULL);
	}
	assert_int_equal(rc, 0);
}

static void check_restarts(bool tls)
{
	struct harness harness;
	struct net_client *client;
	struct net_reply reply;
	struct err err = {0};
	char endpoint[64];
	struct net_client_config config = {.endpoint = endpoint};

	config.insecure_skip_verify = true;
	harness_start(&harness, NULL, tls);
	listen_on(&harness, tls, endpoint, sizeof(endpoint));
	struct str listen = str_of(endpoint);
	if (tls)
		listen = str_sub(listen, strlen(TLS_SCHEME), listen.len);
	assert_int_equal(net_client_create(&config, &client, NULL), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2; i++) {
			if (net_client_grpc(client, "/test.Echo/Call", STR("x"), false, &reply,
					    &err))
				fail_msg("round %d: %s", round, err.text);
			assert_int_equal(reply.grpc_status, 0);
			net_reply_deinit(&reply);
		}
		harness_stop(&harness);
		assert_int_equal(net_client_grpc(client, "/test.Echo/Call", STR("x"), false, &reply,
						 &err),
				 ERR_IO);
		net_reply_deinit(&reply);
		harness_start(&harness, NULL, tls);
		assert_int_equal(net_server_listen(harness.server, listen.ptr, NULL), 0);
	}
	harness_stop(&harness);
	net_client_destroy(client);
}

/* With TLS a write to the dead connection raises SIGPIPE, which must not end this process. */
static void a_client_finds_the_server_again_after_a_restart(void **state)
{
	(void)state;
	check_restarts(false);
	check_restarts(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_over_the_limit_is_closed_at_once),
		cmocka_unit_test(a_full_queue_answers_503_and_the_loop_goes_on),
		cmocka_unit_test(bodies_over_the_memory_for_all_answer_503),
		cmocka_unit_test(tls_offers_both_protocols_by_alpn),
		cmocka_unit_test(clear_text_and_rubbish_at_a_tls_port_are_refused),
		cmocka_unit_test(a_required_client_certificate_is_required),
		cmocka_unit_test(tls_files_that_do_not_fit_are_named),
		cmocka_unit_test(addresses_that_cannot_be_had_are_explained),
		cmocka_unit_test(every_kind_of_address_is_listened_on),
		cmocka_unit_test(a_socket_file_left_behind_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_server_that_stops_ends_what_is_running_first),
		cmocka_unit_test(http_2_clients_are_told_before_the_server_goes),
		cmocka_unit_test(what_runs_on_after_the_grace_is_cancelled),
		cmocka_unit_test(many_threads_are_served_at_once),
		cmocka_unit_test(a_client_finds_the_server_again_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
