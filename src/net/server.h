/* Private to net: a running server. The loop's thread owns everything but what
 * `lock` guards. */
#pragma once

#include <pthread.h>
#include <uv.h>

#include "addr.h"
#include "conn.h"
#include "pool.h"
#include "tls.h"

struct link;
struct listener;

enum { SERVER_READ_BYTES = 64 * 1024, SERVER_TICK_MS = 100 };

struct net_server {
	struct conn_host host;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t timer;
	pthread_t thread;
	struct tls_context *tls; /* NULL: clear text */
	bool has_tls;		 /* the same, for other threads */
	struct pool *pool;
	struct link *links;
	struct link *marked; /* to be pumped before this callback of the loop ends */
	uint32_t link_count;
	uint32_t calls_out; /* dispatched to workers, not back yet */
	struct listener *listeners;
	struct buf plain; /* scratch: clear bytes on their way into TLS */
	bool stopping, aborted, closing;
	uint64_t stop_deadline_ns;
	char address[ADDR_TEXT_MAX];

	pthread_mutex_t lock;
	pthread_cond_t adopted;
	bool stop_asked;
	struct tls_context *next_tls; /* to take the place of tls */
	struct listener *incoming;    /* asked for by net_server_listen() */

	char read_bytes[SERVER_READ_BYTES];
};

/* Timeouts are looked at from now on, while there are connections. */
void server_start_ticking(struct net_server *server);

/* listener.c */
/* Takes over the descriptor. */
MUST_USE int listener_create(struct net_server *server, const struct addr_listener *addr,
			     struct listener **ret, struct err *err);
void listener_destroy(struct listener *listener); /* one that was never adopted */
/* On the loop: starts accepting. Returns 0 or a libuv code; either way it is the loop's now. */
int listener_adopt(struct listener *listener);
void listener_close_all(struct net_server *server);
/* Lets the waiting net_server_listen() calls go. */
void listener_adopt_incoming(struct net_server *server);
