/* Private to net: a write to a connection that the peer has closed raises SIGPIPE, which libcurl
 * with CURLOPT_NOSIGNAL leaves to its user; a library must not end its process, nor change how
 * the process takes the signal. */
#pragma once

#include <signal.h>
#include <stdbool.h>

struct client_signal {
	sigset_t before;
	bool was_pending;
};

/* Between the two no SIGPIPE reaches this thread. */
void client_signal_hold(struct client_signal *held);
void client_signal_release(const struct client_signal *held);
