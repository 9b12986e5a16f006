/* Private to server: what may change while the server runs. Each reload makes a
 * new generation beside the old one and puts it in its place; who works with the
 * old one keeps it until done. Generations are immutable. Any thread. */
#pragma once

#include "server/auth.h"
#include "server/policy.h"
#include "server/server.h"

struct settings;

/* Where the present generation is. */
struct settings_box;

/* Reads secrets, rules and the runtime file of the configuration (which, with its arena, must outlive the box).
 * ERR_INVALID ... name the key or file. */
MUST_USE int settings_open(const struct server_config *config, struct settings_box **ret,
			   struct err *err);
/* Nobody works with it any more. NULL is fine. */
void settings_close(struct settings_box *box);

struct settings *settings_get(struct settings_box *box);
void settings_put(struct settings *settings); /* NULL is fine */

const struct server_config *settings_config(const struct settings *settings);
struct auth *settings_auth(const struct settings *settings);
/* Of a tenant; one that has no limits of its own has everybody's. */
const struct policy *settings_policy(const struct settings *settings, struct str tenant);
/* What is remembered of a tenant; outlives generations. */
struct tenant_state *settings_tenant_state(struct settings_box *box, struct str tenant);
/* Tenants with limits of their own. */
size_t settings_tenants(const struct settings *settings, const struct policy_tenant **ret);

/* A new generation from a configuration read anew; the arena that it lies in is taken over, so *arena is empty
 * then. On an error all is as before, the arena too. */
MUST_USE int settings_reload(struct settings_box *box, struct arena *arena,
			     const struct server_config *config, struct err *err);
/* Looks at the runtime file (runtime_config.file) again. *ret_changed: a new generation is there. An error: the old
 * one goes on. */
MUST_USE int settings_refresh(struct settings_box *box, bool *ret_changed, struct err *err);
