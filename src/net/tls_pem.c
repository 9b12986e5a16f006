/* Certificates, keys and authorities, from files or from text. */
#include "tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/fd.h"

enum { PEM_MAX_BYTES = 4 * 1024 * 1024 };

/* OpenSSL's own words, the first of its queue; the rest is dropped. */
static int tls_error(struct err *err, const char *what, const char *name)
{
	unsigned long code = ERR_get_error();
	char text[256] = "there is none in it";

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_INVALID, "TLS: %s %s: %s", what, name, text);
}

/* What a pair of file and text names, as memory. */
struct source {
	struct buf bytes;
	BIO *bio;
	const char *name;
};

static int open_source(const char *file, const char *text, struct source *ret, struct err *err)
{
	struct str bytes = str_of(text);
	int rc = 0;

	*ret = (struct source){.name = file ? file : "given as text"};
	if (file) {
		rc = fd_read_file(file, PEM_MAX_BYTES, &ret->bytes, err);
		bytes = buf_text(&ret->bytes);
	}
	if (rc)
		return err_wrap(err, "TLS");
	ret->bio = BIO_new_mem_buf(bytes.len ? bytes.ptr : "", (int)bytes.len);
	return ret->bio ? 0 : err_set(err, ERR_NOMEM, "TLS: no memory");
}

static void close_source(struct source *source)
{
	BIO_free(source->bio);
	if (source->bytes.ptr)
		OPENSSL_cleanse(source->bytes.ptr, source->bytes.len);
	buf_deinit(&source->bytes);
}

/* A PEM file ends where nothing more begins. */
static X509 *next_certificate(BIO *bio)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	if (!cert && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	return cert;
}

/* The server's own first, then those between it and an authority. */
static bool use_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool fine = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (fine && (cert = next_certificate(bio))) {
		fine = SSL_CTX_add1_chain_cert(ctx, cert) == 1;
		X509_free(cert);
	}
	return fine && ERR_peek_error() == 0;
}

static int no_passphrase(char *buf, int size, int writing, void *user)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static bool use_key(SSL_CTX *ctx, BIO *bio)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	bool fine = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	return fine;
}

int tls_load_identity(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err)
{
	struct source cert = {0}, key = {0};

	if (!(config->cert_file || config->cert_text) || !(config->key_file || config->key_text))
		return err_set(err, ERR_INVALID, "TLS: both a certificate and a key are needed");
	int rc = open_source(config->cert_file, config->cert_text, &cert, err);
	rc = rc ? rc : open_source(config->key_file, config->key_text, &key, err);
	if (rc == 0 && !use_chain(ctx, cert.bio))
		rc = tls_error(err, "certificate", cert.name);
	if (rc == 0 && !use_key(ctx, key.bio))
		rc = tls_error(err, "key", key.name);
	if (rc == 0 && SSL_CTX_check_private_key(ctx) != 1)
		rc = tls_error(err, "key does not belong to the certificate:", key.name);
	close_source(&cert);
	close_source(&key);
	return rc;
}

/* Clients are told the names of the authorities, to choose a certificate by. */
static bool add_authority(SSL_CTX *ctx, X509 *cert)
{
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 &&
	       SSL_CTX_add_client_CA(ctx, cert) == 1;
}

static bool use_authorities(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert;
	size_t count = 0;
	bool fine = true;

	while (fine && (cert = next_certificate(bio))) {
		fine = add_authority(ctx, cert);
		count++;
		X509_free(cert);
	}
	return fine && count > 0 && ERR_peek_error() == 0;
}

int tls_load_client_ca(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err)
{
	struct source source;
	int rc = open_source(config->client_ca_file, config->client_ca_text, &source, err);

	if (rc == 0 && !use_authorities(ctx, source.bio))
		rc = tls_error(err, "client CA", source.name);
	close_source(&source);
	return rc;
}
