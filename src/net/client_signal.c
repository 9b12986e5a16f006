#include "client_signal.h"

#include <time.h>

static void only_sigpipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void client_signal_hold(struct client_signal *held)
{
	sigset_t pending, set;

	sigpending(&pending);
	held->was_pending = sigismember(&pending, SIGPIPE) == 1;
	only_sigpipe(&set);
	pthread_sigmask(SIG_BLOCK, &set, &held->before);
}

/* One that came meanwhile is ours: it is taken away before the old mask is back. */
void client_signal_release(const struct client_signal *held)
{
	const struct timespec no_wait = {0};
	sigset_t set;

	only_sigpipe(&set);
	if (!held->was_pending)
		(void)sigtimedwait(&set, NULL, &no_wait);
	pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
