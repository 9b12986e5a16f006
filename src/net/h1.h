/* Private to net: HTTP/1.0 and 1.1 (RFC 9112) for a connection. */
#pragma once

#include "conn.h"

extern const struct conn_protocol h1_protocol;
