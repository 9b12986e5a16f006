#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
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

/* OpenSSL's own words, the first of its queue; the rest is dropped. */
static int tls_error(struct err *err, const char *what, const char *file)
{
	unsigned long code = ERR_get_error();
	char text[256];

	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_INVALID, "TLS: %s %s: %s", what, file, text);
}

static int load_identity(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err)
{
	if (!config->cert_file || !config->key_file)
		return err_set(err, ERR_INVALID,
			       "TLS: both a certificate file and a key file are needed");
	if (SSL_CTX_use_certificate_chain_file(ctx, config->cert_file) != 1)
		return tls_error(err, "certificate", config->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, config->key_file, SSL_FILETYPE_PEM) != 1)
		return tls_error(err, "key", config->key_file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_error(err, "key does not belong to the certificate:", config->key_file);
	return 0;
}

static int load_client_ca(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err)
{
	int mode = SSL_VERIFY_PEER;

	if (!config->client_ca_file && !config->client_required)
		return 0;
	if (!config->client_ca_file)
		return err_set(err, ERR_INVALID,
			       "TLS: client certificates are required, but no client CA file is "
			       "set");
	if (SSL_CTX_load_verify_locations(ctx, config->client_ca_file, NULL) != 1)
		return tls_error(err, "client CA", config->client_ca_file);
	if (config->client_required)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(config->client_ca_file));
	return 0;
}

static void set_options(SSL_CTX *ctx)
{
	static const unsigned char session_scope[] = "cresset";

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
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
	set_options(context->ctx);
	code = load_identity(context->ctx, config, err);
	if (!code)
		code = load_client_ca(context->ctx, config, err);
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
