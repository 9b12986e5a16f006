/* Private to net: HTTP/2 (RFC 9113) for a connection. */
#pragma once

#include "conn.h"

extern const struct conn_protocol h2_protocol;
