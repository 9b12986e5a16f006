/* Private to tls*.c: what is read from PEM. */
#pragma once

#include <openssl/ssl.h>

#include "net.h"

/* Certificate, its chain and key. ERR_INVALID, ERR_NOT_FOUND ... name the file. */
MUST_USE int tls_load_identity(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err);
/* Whom client certificates are to be signed by; one of file and text is there. */
MUST_USE int tls_load_client_ca(SSL_CTX *ctx, const struct net_tls_config *config, struct err *err);
