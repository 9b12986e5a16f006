/* Private to tls*.c. */
#pragma once

#include <openssl/ssl.h>

#include "tls.h"

struct tls_context {
	SSL_CTX *ctx;
};

struct tls {
	SSL *ssl;
	BIO *wire_in, *wire_out; /* the SSL object's */
	enum tls_state state;
};
