/* TLS of a server as its configuration asks for it, seen by curl and openssl. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"

struct fixture {
	struct harness harness; /* makes a certificate that is its own authority */
	struct net_tls_config tls;
	struct net_server *server;
	char out[8192];
	char other_cert[96], other_key[96];
};

static struct fixture f;

static int set_up(void **state)
{
	(void)state;
	f = (struct fixture){0};
	harness_start(&f.harness, NULL, true);
	f.tls.cert_file = f.harness.cert_file;
	f.tls.key_file = f.harness.key_file;
	snprintf(f.other_cert, sizeof(f.other_cert), "%s.other", f.harness.cert_file);
	snprintf(f.other_key, sizeof(f.other_key), "%s.other", f.harness.key_file);
	return harness_run(f.out, sizeof(f.out),
			   "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other "
			   "-keyout %s -out %s 2>/dev/null",
			   f.other_key, f.other_cert);
}

static int tear_down(void **state)
{
	(void)state;
	net_server_stop(f.server);
	remove(f.other_cert);
	remove(f.other_key);
	harness_stop(&f.harness);
	return 0;
}

static void start(void)
{
	const struct net_server_config config = {.listen = "127.0.0.1:0", .tls = &f.tls};
	struct err err;

	net_server_stop(f.server);
	f.server = NULL;
	if (net_server_start(&config, &f.server, &err))
		fail_msg("%s", err.text);
}

/* There are no routes: 404 is an answer. */
static bool answers(const char *options)
{
	int rc = harness_run(f.out, sizeof(f.out),
			     "curl -sS -k -o /dev/null -w '%%{http_code}' %s https://%s/", options,
			     net_server_address(f.server));
	return rc == 0 && strcmp(f.out, "404") == 0;
}

static void each_client_auth_type_asks_for_what_it_says(void **state)
{
	static const struct {
		enum net_client_auth auth;
		bool none, known, unknown; /* a certificate of the client: is it let in? */
	} rows[] = {
		{NET_CLIENT_CERT_DEFAULT, true, true, false}, /* since there is a CA */
		{NET_CLIENT_CERT_NONE, true, true, true},
		{NET_CLIENT_CERT_REQUEST, true, true, true},
		{NET_CLIENT_CERT_REQUIRE_ANY, false, true, true},
		{NET_CLIENT_CERT_VERIFY_IF_GIVEN, true, true, false},
		{NET_CLIENT_CERT_REQUIRE_VERIFY, false, true, false},
	};
	char known[256], unknown[256];

	(void)state;
	snprintf(known, sizeof(known), "--cert %s --key %s", f.harness.cert_file,
		 f.harness.key_file);
	snprintf(unknown, sizeof(unknown), "--cert %s --key %s", f.other_cert, f.other_key);
	f.tls.client_ca_file = f.harness.cert_file;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.tls.client_auth = rows[i].auth;
		start();
		if (answers("") != rows[i].none || answers(known) != rows[i].known ||
		    answers(unknown) != rows[i].unknown)
			fail_msg("row %zu: %s", i, f.out);
	}
}

static void certificates_may_be_given_as_text(void **state)
{
	struct buf cert = {0}, key = {0};
	struct err err;

	(void)state;
	assert_int_equal(fd_read_file(f.harness.cert_file, 1 << 20, &cert, &err), 0);
	assert_int_equal(fd_read_file(f.harness.key_file, 1 << 20, &key, &err), 0);
	buf_char(&cert, '\0');
	buf_char(&key, '\0');
	f.tls = (struct net_tls_config){.cert_text = cert.ptr,
					.key_text = key.ptr,
					.client_ca_text = cert.ptr,
					.client_auth = NET_CLIENT_CERT_REQUIRE_VERIFY};
	start();
	assert_false(answers(""));
	buf_deinit(&cert);
	buf_deinit(&key);
	char known[256];
	snprintf(known, sizeof(known), "--cert %s --key %s", f.harness.cert_file,
		 f.harness.key_file);
	assert_true(answers(known));
}

static void versions_and_ciphers_are_those_of_the_configuration(void **state)
{
	(void)state;
	f.tls.min_version = 0x0304;
	start();
	assert_false(answers("--tls-max 1.2"));
	assert_true(answers("--tlsv1.3"));
	f.tls.min_version = 0;
	f.tls.cipher_suites = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
			      "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_AES_256_GCM_SHA384";
	start();
	assert_true(answers("--tls-max 1.2 --ciphers ECDHE-RSA-AES256-GCM-SHA384:"
			    "ECDHE-ECDSA-AES256-GCM-SHA384"));
	assert_false(answers("--tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256:"
			     "ECDHE-ECDSA-AES128-GCM-SHA256"));
	assert_true(answers("--tls13-ciphers TLS_AES_256_GCM_SHA384"));
	assert_false(answers("--tlsv1.3 --tls13-ciphers TLS_AES_128_GCM_SHA256"));
}

static void what_cannot_be_is_said(void **state)
{
	struct err err;
	struct net_tls_config tls = f.tls;

	(void)state;
	tls.cipher_suites = "TLS_NO_SUCH_SUITE";
	assert_int_equal(net_tls_check(&tls, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "\"TLS_NO_SUCH_SUITE\""));
	tls = f.tls;
	tls.client_auth = NET_CLIENT_CERT_VERIFY_IF_GIVEN;
	assert_int_equal(net_tls_check(&tls, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "no client CA"));
	tls.client_ca_file = "/dev/null";
	assert_int_equal(net_tls_check(&tls, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "/dev/null"));
	tls = f.tls;
	tls.key_file = f.other_key;
	assert_int_equal(net_tls_check(&tls, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, f.other_key));
	tls.key_file = "/dev/null";
	assert_int_equal(net_tls_check(&tls, &err), ERR_INVALID);
	assert_int_equal(net_tls_check(&f.tls, &err), 0);
}

static bool serves(const char *name)
{
	harness_run(f.out, sizeof(f.out),
		    "openssl s_client -connect %s </dev/null 2>/dev/null | "
		    "openssl x509 -noout -subject",
		    net_server_address(f.server));
	return strstr(f.out, name) != NULL;
}

static void certificates_are_exchanged_while_it_runs(void **state)
{
	struct net_tls_config next = f.tls;
	struct err err;

	(void)state;
	start();
	assert_false(serves("other"));
	next.cert_file = f.other_cert;
	next.key_file = f.other_key;
	assert_int_equal(net_server_set_tls(f.server, &next, &err), 0);
	/* The loop takes it at its next turn. */
	for (int i = 0; i < 50 && !serves("other"); i++)
		;
	assert_true(serves("other"));
	next.cert_file = "/nonexistent";
	assert_int_equal(net_server_set_tls(f.server, &next, &err), ERR_NOT_FOUND);
	assert_true(serves("other"));
}

static void a_server_in_clear_text_stays_so(void **state)
{
	struct net_server_config config = {.listen = "127.0.0.1:0"};
	struct err err;

	(void)state;
	assert_int_equal(net_server_start(&config, &f.server, &err), 0);
	assert_int_equal(net_server_set_tls(f.server, &f.tls, &err), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_client_auth_type_asks_for_what_it_says),
		TEST(certificates_may_be_given_as_text),
		TEST(versions_and_ciphers_are_those_of_the_configuration),
		TEST(what_cannot_be_is_said),
		TEST(certificates_are_exchanged_while_it_runs),
		TEST(a_server_in_clear_text_stays_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
