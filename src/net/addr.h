/* Private to net: listen addresses, and sockets bound to them. Blocks only in
 * name resolution, so it runs on the caller's thread, never on the loop. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { ADDR_TEXT_MAX = 192 };

struct addr_listener {
	int fd; /* listening, not blocking */
	bool is_unix;
	char text[ADDR_TEXT_MAX]; /* "127.0.0.1:4040" with the real port, "unix:/run/x.sock" */
};

/* A stale Unix socket is replaced, a live one is not. The error names address and remedy. */
MUST_USE int addr_listen(const char *listen, struct addr_listener *ret, struct err *err);
/* The path of "unix:/run/x.sock" or "unix:///run/x.sock", else {NULL, 0}. */
struct str addr_unix_path(struct str text);
/* Splits "host:port", "[::1]:port", ":port" (host ""). ERR_INVALID. */
MUST_USE int addr_split(struct str text, struct str *ret_host, struct str *ret_port,
			struct err *err);
