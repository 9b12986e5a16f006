/* Names as Go's crypto/tls has them, since Pyroscope's configuration takes those. */
#include "server/tls_config.h"

int server_client_auth(struct str name, enum net_client_auth *ret, struct err *err)
{
	static const struct {
		const char *name;
		enum net_client_auth auth;
	} rows[] = {
		{"", NET_CLIENT_CERT_DEFAULT},
		{"NoClientCert", NET_CLIENT_CERT_NONE},
		{"RequestClientCert", NET_CLIENT_CERT_REQUEST},
		{"RequireAnyClientCert", NET_CLIENT_CERT_REQUIRE_ANY},
		{"RequireClientCert", NET_CLIENT_CERT_REQUIRE_ANY},
		{"VerifyClientCertIfGiven", NET_CLIENT_CERT_VERIFY_IF_GIVEN},
		{"RequireAndVerifyClientCert", NET_CLIENT_CERT_REQUIRE_VERIFY},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal(name, str_of(rows[i].name))) {
			*ret = rows[i].auth;
			return 0;
		}
	return err_set(err, ERR_INVALID,
		       "client_auth_type \"%.*s\" is none of NoClientCert, RequestClientCert, "
		       "RequireAnyClientCert, VerifyClientCertIfGiven and "
		       "RequireAndVerifyClientCert",
		       STR_ARG(name));
}

int server_tls_version(struct str name, int *ret, struct err *err)
{
	static const char *const names[] = {"VersionTLS10", "VersionTLS11", "VersionTLS12",
					    "VersionTLS13"};
	enum { TLS_1_0 = 0x0301 };
	*ret = 0;
	if (name.len == 0)
		return 0;
	for (int i = 0; i < 4; i++)
		if (str_equal(name, str_of(names[i]))) {
			*ret = TLS_1_0 + i;
			return 0;
		}
	return err_set(err, ERR_INVALID,
		       "tls_min_version \"%.*s\" is none of VersionTLS10, VersionTLS11, "
		       "VersionTLS12 and VersionTLS13",
		       STR_ARG(name));
}

static const char *optional(struct str text)
{
	return text.len > 0 ? text.ptr : NULL;
}

int server_tls_net(const struct server_http *http, struct net_tls_config *ret, bool *ret_on,
		   struct err *err)
{
	const struct server_tls *tls = &http->tls;
	*ret = (struct net_tls_config){
		.cert_file = optional(tls->cert_file),
		.key_file = optional(tls->key_file),
		.client_ca_file = optional(tls->client_ca_file),
		.cert_text = optional(tls->cert),
		.key_text = optional(tls->key),
		.client_ca_text = optional(tls->client_ca),
		.cipher_suites = optional(http->tls_cipher_suites),
	};
	*ret_on = ret->cert_file || ret->cert_text;
	int rc = server_client_auth(tls->client_auth_type, &ret->client_auth, err);
	return rc ? rc : server_tls_version(http->tls_min_version, &ret->min_version, err);
}
