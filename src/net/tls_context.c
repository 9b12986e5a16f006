#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "tls_pem.h"
#include "tls_state.h"

/* RFC 7301; in the order that we prefer. */
static const unsigned char protocols[] = "\x02h2\x08http/1.1";

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			   const unsigned char *offered, unsigned offered_len, void *user)
{
	unsigned char *chosen;

	(void)ssl;
	(void)user;
	if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof(protocols) - 1, offered,
				  offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- client certificates ---- */

static int accept_any(int fine, X509_STORE_CTX *store)
{
	(void)fine;
	(void)store;
	return 1;
}

static int set_client_auth(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err)
{
	bool has_ca = config->client_ca_file || config->client_ca_text;
	enum net_client_auth auth = config->client_auth;
	int mode = SSL_VERIFY_PEER;

	if (auth == NET_CLIENT_CERT_DEFAULT)
		auth = has_ca ? NET_CLIENT_CERT_VERIFY_IF_GIVEN : NET_CLIENT_CERT_NONE;
	if (auth == NET_CLIENT_CERT_NONE)
		return 0;
	bool verified =
		auth == NET_CLIENT_CERT_VERIFY_IF_GIVEN || auth == NET_CLIENT_CERT_REQUIRE_VERIFY;
	if (verified && !has_ca)
		return err_set(err, ERR_INVALID,
			       "TLS: client certificates are to be verified, but no client CA is "
			       "set");
	if (auth == NET_CLIENT_CERT_REQUIRE_ANY || auth == NET_CLIENT_CERT_REQUIRE_VERIFY)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, verified ? NULL : accept_any);
	return has_ca ? tls_load_client_ca(ctx, config, err) : 0;
}

/* ---- versions and ciphers ---- */

/* Suites of TLS 1.3 have their standard names in OpenSSL too, those before it do not. */
static int add_cipher(struct str name, struct buf *tls12, struct buf *tls13, struct err *err)
{
	char text[128];
	const char *known;

	str_copy(text, sizeof(text), name);
	known = OPENSSL_cipher_name(text);
	if (!known || strcmp(known, "(NONE)") == 0)
		return err_set(err, ERR_INVALID, "TLS: \"%s\" is not the name of a cipher suite",
			       text);
	bool is_13 = str_starts_with(str_of(known), STR("TLS_"));
	struct buf *list = is_13 ? tls13 : tls12;
	if (list->len > 0)
		buf_char(list, ':');
	buf_cstr(list, known);
	return 0;
}

static int use_ciphers(SSL_CTX *ctx, struct buf *tls12, struct buf *tls13, struct err *err)
{
	buf_char(tls12, '\0');
	buf_char(tls13, '\0');
	int rc = buf_check(tls12, "TLS: the cipher suites", err);
	rc = rc ? rc : buf_check(tls13, "TLS: the cipher suites", err);
	if (rc == 0 && ((tls12->len > 1 && SSL_CTX_set_cipher_list(ctx, tls12->ptr) != 1) ||
			(tls13->len > 1 && SSL_CTX_set_ciphersuites(ctx, tls13->ptr) != 1)))
		rc = err_set(err, ERR_INVALID, "TLS: OpenSSL offers none of the cipher suites");
	ERR_clear_error();
	return rc;
}

static int set_ciphers(SSL_CTX *ctx, const char *suites, struct err *err)
{
	struct buf tls12 = {0}, tls13 = {0};
	struct str rest = str_of(suites), name;
	int rc = 0;

	while (rc == 0 && str_next(&rest, ',', &name)) {
		name = str_trim(name);
		if (name.len > 0)
			rc = add_cipher(name, &tls12, &tls13, err);
	}
	rc = rc ? rc : use_ciphers(ctx, &tls12, &tls13, err);
	buf_deinit(&tls12);
	buf_deinit(&tls13);
	return rc;
}

static void set_options(SSL_CTX *ctx, const struct net_tls_config *config)
{
	static const unsigned char session_scope[] = "cresset";

	SSL_CTX_set_min_proto_version(ctx,
				      config->min_version ? config->min_version : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_id_context(ctx, session_scope, sizeof(session_scope) - 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
}

int tls_context_create(const struct net_tls_config *config, struct tls_context **ret,
		       struct err *err)
{
	struct tls_context *context = mem_zalloc(1, sizeof(*context));
	int code;

	if (!context)
		return err_set(err, ERR_NOMEM, "TLS: no memory");
	context->ctx = SSL_CTX_new(TLS_server_method());
	if (!context->ctx) {
		tls_context_destroy(context);
		return err_set(err, ERR_NOMEM, "TLS: no memory");
	}
	set_options(context->ctx, config);
	code = tls_load_identity(context->ctx, config, err);
	code = code ? code : set_client_auth(context->ctx, config, err);
	if (!code && config->cipher_suites)
		code = set_ciphers(context->ctx, config->cipher_suites, err);
	if (code) {
		tls_context_destroy(context);
		return code;
	}
	*ret = context;
	return 0;
}

void tls_context_destroy(struct tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ctx);
	mem_free(context);
}

int net_tls_check(const struct net_tls_config *tls, struct err *err)
{
	struct tls_context *context = NULL;
	int code = tls_context_create(tls, &context, err);

	if (!code)
		tls_context_destroy(context);
	return code;
}
