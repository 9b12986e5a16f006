/* Private to server: how long and how much the store keeps. Pure functions. */
#pragma once

#include "server/server.h"
#include "store/engine.h"

/* What the configuration says; names are its own, the rest is in the arena. ERR_INVALID, ERR_NOMEM. */
MUST_USE int server_retention(const struct server_config *config, struct arena *arena,
			      struct store_retention *ret, struct err *err);
/* The same with the tenants of the runtime configuration. */
struct settings;
MUST_USE int server_retention_of(const struct settings *settings, struct arena *arena,
				 struct store_retention *ret, struct err *err);
