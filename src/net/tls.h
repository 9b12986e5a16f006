/* Private to net: TLS of the server (OpenSSL over memory BIOs): bytes of the
 * wire in and out on one side, clear bytes on the other. */
#pragma once

#include "net.h"

struct tls_context;
struct tls;

MUST_USE int tls_context_create(const struct net_tls_config *config, struct tls_context **ret,
				struct err *err);
void tls_context_destroy(struct tls_context *context);

struct tls *tls_create(struct tls_context *context); /* NULL: no memory */
void tls_destroy(struct tls *tls);

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_ENDED, TLS_FAILED };

enum tls_state tls_state(const struct tls *tls);
/* ALPN chose h2; h1; or nothing was offered. Known once TLS_OPEN. */
enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_H1, TLS_ALPN_H2 };
enum tls_alpn tls_alpn(const struct tls *tls);
/* Bytes from the wire; false: no memory. */
bool tls_feed(struct tls *tls, const char *ptr, size_t len);
/* Clear bytes into out; how many, 0: no more for now (see tls_state). Does the handshake. */
size_t tls_read(struct tls *tls, char *out, size_t cap);
/* Encrypts; false: failed. */
bool tls_write(struct tls *tls, const char *ptr, size_t len);
/* Appends what is to go on the wire. */
void tls_drain(struct tls *tls, struct buf *out);
void tls_close_notify(struct tls *tls);
