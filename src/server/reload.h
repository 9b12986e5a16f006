/* Private to server: bringing new settings in while the server runs, from a
 * configuration read anew (SIGHUP) and from the runtime file, which a thread of
 * its own looks at every runtime_config.period. */
#pragma once

#include <pthread.h>

#include "net/net.h"
#include "server/settings.h"
#include "store/engine.h"

struct reload {
	struct settings_box *settings;
	struct store *store;
	struct net_server *net; /* set once it listens */
	const struct server_config *first;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;	  /* guarded by lock */
	char failed[512]; /* what the last look failed with, "" if nothing; the thread's */
};

/* The parts must outlive it. */
MUST_USE int reload_start(struct reload *reload, struct err *err);
void reload_stop(struct reload *reload); /* one that was never started is fine */
/* server_reload() */
MUST_USE int reload_config(struct reload *reload, struct arena *arena,
			   const struct server_config *config, struct buf *report, struct err *err);
