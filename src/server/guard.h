/* Private to server: the door of every route. Who comes in is known and may; the
 * handler behind it finds the tenant in X-Scope-OrgID as without authentication. */
#pragma once

#include "net/net.h"
#include "server/settings.h"

struct guard {
	struct settings_box *settings;
	struct str path_prefix; /* "/cresset": taken off before a handler sees a path; or "" */
};

/* Puts the guard before each of the routes, which must outlive the server; memory is the arena's. */
MUST_USE int guard_routes(const struct guard *guard, struct arena *arena, struct net_route *routes,
			  size_t count, struct err *err);
/* For net_server_config: turns away on the loop who can be turned away there; user is the guard. */
net_gate guard_gate;
