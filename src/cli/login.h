/* The headers that say to a server who we are and for which tenant we ask. */
#pragma once

#include "base/arena.h"
#include "net/net.h"

struct login {
	struct net_header headers[2];
	size_t count;
};

/* A token from the file (may be NULL), else from the environment's CRESSET_TOKEN, else name and password from its
 * CRESSET_USER (NAME:PASSWORD), else none. tenant may be NULL. Texts are in the arena, or the tenant's own. */
MUST_USE int cli_login(const char *token_file, const char *tenant, struct arena *arena,
		       struct login *ret, struct err *err);
