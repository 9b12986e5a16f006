/* Private to net: a connection's socket, with its TLS layer if there is one. The
 * loop's thread. */
#pragma once

#include "server.h"

struct link;

/* A connection waits at the listener; over the limit it is closed at once. */
void link_accept(struct net_server *server, uv_stream_t *listener, bool is_unix);
/* Sends what there is to send, ends the connection when it is done. After anything happened. */
void link_pump(struct link *link);
/* The same, once for all that happened, in link_pump_marked(). */
void link_mark(struct link *link);
void link_pump_marked(struct net_server *server);
struct link *link_of(struct conn *conn);
void link_tick_all(struct net_server *server, uint64_t now_ns);
void link_drain_all(struct net_server *server);
void link_abort_all(struct net_server *server);
