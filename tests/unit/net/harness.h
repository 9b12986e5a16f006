/* What the tests of net share: a server with a few routes, and raw sockets. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net.h"

struct harness {
	struct net_server *server;
	char unix_path[64];
	char cert_file[64], key_file[64];
	int port;
};

/* Routes of every harness server:
 *	GET  /hello		"hello\n", on the loop
 *	POST /echo		the body as it came, X-Method and X-Query say what was asked
 *	POST /small		as /echo, at most 1000 bytes
 *	GET  /large?bytes=N	N bytes, 'a' to 'z' over and over
 *	GET  /gzip		4000 bytes, packed when allowed
 *	GET  /slow?ms=N		sleeps in steps, ends early when cancelled
 *	GET  /header		what the request's headers were, a line each
 *	POST /test.Echo/Call	gRPC: the message back
 *	POST /test.Echo/Fail	gRPC: RESOURCE_EXHAUSTED with RetryInfo 1500 ms
 *	POST /test.Echo/Slow	gRPC: answers after 5 s, or when cancelled
 *	POST /test.Echo/Small	gRPC: as Call, at most 1000 bytes
 *	GET  /assets/<any>	the path */
void harness_start(struct harness *harness, const struct net_limits *limits, bool tls);
void harness_stop(struct harness *harness);
/* Slow handlers that saw their client go. */
int harness_cancelled(void);
int harness_handled(void);

/* Connected raw socket. */
int harness_connect(const struct harness *harness);
void harness_send(int fd, const void *ptr, size_t len);
void harness_send_text(int fd, const char *text);
/* Reads until the peer ends, the deadline, or cap - 1 bytes; NUL-terminates. Returns the length;
 * *ret_ended (may be NULL): the peer closed or reset. */
size_t harness_read(int fd, char *out, size_t cap, int timeout_ms, bool *ret_ended);
/* Reads until the text is there, and fails the test when it does not come within 5 s. */
void harness_read_for(int fd, char *out, size_t cap, const char *text);
/* Sends, reads the whole answer up to the close. */
void harness_exchange(const struct harness *harness, const char *text, char *out, size_t cap);

/* Runs a shell command, its stdout and stderr in out; returns the exit status. */
int harness_run(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A metric's value in the text of /metrics, or -1. */
int64_t harness_metric(const char *name_and_labels);
/* Waits up to 5 s for a metric to reach at least value. */
bool harness_metric_reaches(const char *name_and_labels, int64_t value);
