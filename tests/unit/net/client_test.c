/* Our client against our server, over TCP, Unix sockets and TLS. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness.h"

static struct net_client *connect_to(const struct harness *harness, const char *scheme,
				     uint64_t timeout_ns)
{
	char endpoint[128];
	struct net_client_config config = {.endpoint = endpoint, .timeout_ns = timeout_ns};
	struct net_client *client = NULL;
	struct err err = {0};

	snprintf(endpoint, sizeof(endpoint), "%s127.0.0.1:%d", scheme, harness->port);
	config.ca_file = harness->cert_file;
	if (net_client_create(&config, &client, &err))
		fail_msg("%s", err.text);
	return client;
}

static void check_http(struct net_client *client)
{
	struct net_reply reply;
	struct err err = {0};

	for (int i = 0; i < 3; i++) {
		if (net_client_http(client, "POST", "/echo?a=b", "text/plain", STR("some bytes"),
				    &reply, &err))
			fail_msg("%s", err.text);
		assert_int_equal(reply.http_status, 200);
		assert_true(str_equal(buf_text(&reply.body), STR("some bytes")));
		net_reply_deinit(&reply);
	}
}

static void check_grpc(struct net_client *client, size_t bytes)
{
	struct net_reply reply;
	struct buf message = {0};
	struct err err = {0};

	for (size_t i = 0; i < bytes; i++)
		buf_char(&message, (char)(i * 7 + i / 251));
	for (int gzip = 0; gzip < 2; gzip++) {
		if (net_client_grpc(client, "/test.Echo/Call", buf_text(&message), gzip, &reply,
				    &err))
			fail_msg("%s", err.text);
		assert_int_equal(reply.http_status, 200);
		assert_int_equal(reply.grpc_status, 0);
		assert_true(str_equal(buf_text(&reply.body), buf_text(&message)));
		net_reply_deinit(&reply);
	}
	buf_deinit(&message);
}

static void a_client_posts_over_http_and_calls_over_grpc(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", 0);
	check_http(client);
	check_grpc(client, 0);
	check_grpc(client, 100);
	check_grpc(client, 5 << 20);
	check_http(client);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void the_same_works_over_tls(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, NULL, true);
	struct net_client *client = connect_to(&harness, "https://", 0);
	check_http(client);
	check_grpc(client, 100);
	check_grpc(client, 3 << 20);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void the_same_works_over_a_unix_socket(void **state)
{
	struct harness harness;
	char text[128];
	struct net_client *client;

	(void)state;
	harness_start(&harness, NULL, false);
	snprintf(text, sizeof(text), "unix:%s", harness.unix_path);
	assert_int_equal(net_server_listen(harness.server, text, NULL), 0);
	assert_int_equal(access(harness.unix_path, F_OK), 0);
	snprintf(text, sizeof(text), "unix://%s", harness.unix_path);
	struct net_client_config config = {.endpoint = text};
	assert_int_equal(net_client_create(&config, &client, NULL), 0);
	check_http(client);
	check_grpc(client, 100000);
	net_client_destroy(client);
	harness_stop(&harness);
	assert_int_not_equal(access(harness.unix_path, F_OK), 0);
}

static void connections_are_kept_between_calls(void **state)
{
	struct harness harness;

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", 0);
	int64_t before = harness_metric("cresset_net_accepted_total");
	check_http(client);
	check_grpc(client, 10);
	check_grpc(client, 10);
	check_http(client);
	assert_int_equal(harness_metric("cresset_net_accepted_total"), before + 2);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void a_grpc_error_carries_status_message_and_retry_delay(void **state)
{
	struct harness harness;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", 0);
	assert_int_equal(net_client_grpc(client, "/test.Echo/Fail", STR("x"), false, &reply, NULL),
			 0);
	assert_int_equal(reply.grpc_status, 8);
	assert_string_equal(reply.grpc_message, "zu viel auf einmal: 100 % schön");
	assert_int_equal(reply.retry_after_ms, 1500);
	net_reply_deinit(&reply);
	if (net_client_grpc(client, "/no.Such/Method", STR("x"), false, &reply, &err))
		fail_msg("%s", err.text);
	assert_int_equal(reply.grpc_status, 12);
	net_reply_deinit(&reply);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void a_call_ends_at_its_timeout(void **state)
{
	struct harness harness;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", (uint64_t)200 * NS_PER_MS);
	uint64_t start_ns = clock_mono_ns();
	assert_int_equal(net_client_http(client, "GET", "/slow?ms=10000", NULL, STR(""), &reply,
					 &err),
			 ERR_TIMEOUT);
	assert_true(clock_mono_ns() - start_ns < (uint64_t)3 * NS_PER_S);
	net_reply_deinit(&reply);
	net_client_destroy(client);
	harness_stop(&harness);
	assert_int_equal(harness_cancelled(), 1);
}

static void a_grpc_call_after_a_timeout_goes_over_a_new_connection(void **state)
{
	struct harness harness;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", (uint64_t)300 * NS_PER_MS);
	check_grpc(client, 10);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(net_client_grpc(client, "/test.Echo/Slow", STR("10000"), false,
						 &reply, &err),
				 ERR_TIMEOUT);
		net_reply_deinit(&reply);
		check_grpc(client, 10);
		check_grpc(client, 10);
	}
	net_client_destroy(client);
	harness_stop(&harness);
}

static void *cancel_soon(void *user)
{
	usleep(200000);
	net_client_cancel(user);
	return NULL;
}

static void another_thread_cancels_a_call(void **state)
{
	struct harness harness;
	struct net_reply reply;
	struct err err = {0};
	pthread_t thread;

	(void)state;
	harness_start(&harness, NULL, false);
	struct net_client *client = connect_to(&harness, "http://", 0);
	uint64_t start_ns = clock_mono_ns();
	pthread_create(&thread, NULL, cancel_soon, client);
	assert_int_equal(net_client_http(client, "GET", "/slow?ms=10000", NULL, STR(""), &reply,
					 &err),
			 ERR_CANCELLED);
	assert_true(clock_mono_ns() - start_ns < (uint64_t)3 * NS_PER_S);
	pthread_join(thread, NULL);
	net_reply_deinit(&reply);
	assert_int_equal(net_client_http(client, "GET", "/hello", NULL, STR(""), &reply, &err),
			 ERR_CANCELLED);
	net_reply_deinit(&reply);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void a_server_that_is_not_there_is_an_io_error_that_names_it(void **state)
{
	struct net_client_config config = {.endpoint = "http://127.0.0.1:1"};
	struct net_client *client;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	assert_int_equal(net_client_create(&config, &client, &err), 0);
	assert_int_equal(net_client_grpc(client, "/a/b", STR(""), false, &reply, &err), ERR_IO);
	assert_non_null(strstr(err.text, "127.0.0.1:1"));
	assert_int_equal(reply.http_status, 0);
	net_reply_deinit(&reply);
	net_client_destroy(client);
}

static void a_certificate_that_nobody_vouches_for_is_refused(void **state)
{
	struct harness harness;
	char endpoint[64];
	struct net_client_config config = {.endpoint = endpoint};
	struct net_client *client;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	harness_start(&harness, NULL, true);
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", harness.port);
	assert_int_equal(net_client_create(&config, &client, &err), 0);
	assert_int_equal(net_client_grpc(client, "/a/b", STR(""), false, &reply, &err), ERR_IO);
	assert_non_null(strstr(err.text, "certificate"));
	net_reply_deinit(&reply);
	net_client_destroy(client);
	config.insecure_skip_verify = true;
	assert_int_equal(net_client_create(&config, &client, &err), 0);
	check_grpc(client, 10);
	net_client_destroy(client);
	config.insecure_skip_verify = false;
	config.ca_file = harness.cert_file;
	config.server_name = "cresset.test";
	assert_int_equal(net_client_create(&config, &client, &err), 0);
	check_grpc(client, 10);
	net_client_destroy(client);
	harness_stop(&harness);
}

static void a_password_in_an_endpoint_is_not_repeated(void **state)
{
	struct net_client_config config = {.endpoint = "https://ana:sesame@host:443/x"};
	struct net_client *client;
	struct err err;

	(void)state;
	assert_int_not_equal(net_client_create(&config, &client, &err), 0);
	assert_null(strstr(err.text, "sesame"));
	assert_non_null(strstr(err.text, "\"...@host:443/x\""));
}

static void a_wrong_endpoint_is_explained(void **state)
{
	static const char *const wrong[] = {"",		  "localhost", "host:port",
					    "host:70000", "::1:80",    "unix:",
					    "http://",	  "a b:1",     "http://u@h:1"};
	struct net_client *client;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct net_client_config config = {.endpoint = wrong[i]};
		struct err err = {0};
		assert_int_equal(net_client_create(&config, &client, &err), ERR_INVALID);
		assert_true(err.text[0] != '\0');
	}
}

static void an_answer_over_the_limit_is_refused(void **state)
{
	struct harness harness;
	char endpoint[64];
	struct net_client_config config = {.endpoint = endpoint, .reply_bytes = 1000};
	struct net_client *client;
	struct net_reply reply;
	struct err err = {0};

	(void)state;
	harness_start(&harness, NULL, false);
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", harness.port);
	assert_int_equal(net_client_create(&config, &client, &err), 0);
	assert_int_equal(net_client_http(client, "GET", "/large?bytes=1001", NULL, STR(""), &reply,
					 &err),
			 ERR_LIMIT);
	net_reply_deinit(&reply);
	/* Packed on the way: 4000 bytes come out of a few. */
	assert_int_equal(net_client_http(client, "GET", "/gzip", NULL, STR(""), &reply, &err),
			 ERR_LIMIT);
	net_reply_deinit(&reply);
	net_client_destroy(client);
	harness_stop(&harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_posts_over_http_and_calls_over_grpc),
		cmocka_unit_test(the_same_works_over_tls),
		cmocka_unit_test(the_same_works_over_a_unix_socket),
		cmocka_unit_test(connections_are_kept_between_calls),
		cmocka_unit_test(a_grpc_error_carries_status_message_and_retry_delay),
		cmocka_unit_test(a_call_ends_at_its_timeout),
		cmocka_unit_test(a_grpc_call_after_a_timeout_goes_over_a_new_connection),
		cmocka_unit_test(another_thread_cancels_a_call),
		cmocka_unit_test(a_server_that_is_not_there_is_an_io_error_that_names_it),
		cmocka_unit_test(a_certificate_that_nobody_vouches_for_is_refused),
		cmocka_unit_test(a_wrong_endpoint_is_explained),
		cmocka_unit_test(a_password_in_an_endpoint_is_not_repeated),
		cmocka_unit_test(an_answer_over_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
