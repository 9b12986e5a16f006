/* Private to server: the TLS keys of the configuration, as net wants them. */
#pragma once

#include "net/net.h"
#include "server/server.h"

/* "RequireAndVerifyClientCert" ..., Go's names. ERR_INVALID. */
MUST_USE int server_client_auth(struct str name, enum net_client_auth *ret, struct err *err);
/* "VersionTLS12" ..., or "" (0). ERR_INVALID. */
MUST_USE int server_tls_version(struct str name, int *ret, struct err *err);
/* *ret_on: a certificate is configured. Views into the configuration. */
MUST_USE int server_tls_net(const struct server_http *http, struct net_tls_config *ret,
			    bool *ret_on, struct err *err);
