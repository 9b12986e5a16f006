/* Private to server: the runtime configuration (runtime_config.file), which has the
 * limits of single tenants:
 *
 *	overrides:
 *	  team-a:
 *	    ingestion_rate_mb: 10
 *
 * What a tenant's part does not say is as in the main configuration. */
#pragma once

#include "server/server.h"

enum { RUNTIME_TENANTS_MAX = 10000 };

struct runtime_tenant {
	struct str name;
	struct server_limits limits;
};

/* The text of the files, one behind the other with a line between that names the next; "" when none is configured.
 * ERR_NOT_FOUND ... name the file. */
MUST_USE int runtime_read(const struct server_config *config, struct buf *ret, struct err *err);
/* Sorted by name. ERR_INVALID "FILE:LINE: ...". Later files win over earlier ones. */
MUST_USE int runtime_decode(struct arena *arena, const struct server_config *config,
			    struct str text, struct runtime_tenant **ret, size_t *ret_count,
			    struct err *err);
