#include "tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/mem.h"
#include "tls_state.h"

struct tls *tls_create(struct tls_context *context)
{
	struct tls *tls = mem_zalloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->ssl = SSL_new(context->ctx);
	tls->wire_in = BIO_new(BIO_s_mem());
	tls->wire_out = BIO_new(BIO_s_mem());
	if (!tls->ssl || !tls->wire_in || !tls->wire_out) {
		BIO_free(tls->wire_in);
		BIO_free(tls->wire_out);
		SSL_free(tls->ssl);
		mem_free(tls);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(tls->ssl, tls->wire_in, tls->wire_out);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void tls_destroy(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	mem_free(tls);
}

enum tls_state tls_state(const struct tls *tls)
{
	return tls->state;
}

enum tls_alpn tls_alpn(const struct tls *tls)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(tls->ssl, &name, &len);
	if (len == 2 && memcmp(name, "h2", 2) == 0)
		return TLS_ALPN_H2;
	return len ? TLS_ALPN_H1 : TLS_ALPN_NONE;
}

bool tls_feed(struct tls *tls, const char *ptr, size_t len)
{
	return len <= INT_MAX && BIO_write(tls->wire_in, ptr, (int)len) == (int)len;
}

/* What a call of the SSL object that did not succeed means. */
static void take_result(struct tls *tls, int result)
{
	int why = SSL_get_error(tls->ssl, result);

	if (why == SSL_ERROR_ZERO_RETURN)
		tls->state = TLS_ENDED;
	else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		tls->state = TLS_FAILED;
	ERR_clear_error();
}

size_t tls_read(struct tls *tls, char *out, size_t cap)
{
	if (tls->state == TLS_HANDSHAKE) {
		int result = SSL_do_handshake(tls->ssl);
		if (result != 1) {
			take_result(tls, result);
			return 0;
		}
		tls->state = TLS_OPEN;
	}
	if (tls->state != TLS_OPEN)
		return 0;
	int len = SSL_read(tls->ssl, out, cap > INT_MAX ? INT_MAX : (int)cap);
	if (len > 0)
		return (size_t)len;
	take_result(tls, len);
	return 0;
}

bool tls_write(struct tls *tls, const char *ptr, size_t len)
{
	if ((tls->state != TLS_OPEN && tls->state != TLS_ENDED) || len > INT_MAX)
		return false;
	if (len == 0 || SSL_write(tls->ssl, ptr, (int)len) == (int)len)
		return true;
	ERR_clear_error();
	tls->state = TLS_FAILED;
	return false;
}

void tls_drain(struct tls *tls, struct buf *out)
{
	char *ptr;
	long len = BIO_get_mem_data(tls->wire_out, &ptr);

	if (len > 0) {
		buf_append(out, ptr, (size_t)len);
		(void)BIO_reset(tls->wire_out);
	}
}

void tls_close_notify(struct tls *tls)
{
	if (tls->state == TLS_OPEN || tls->state == TLS_ENDED)
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
}
