/* Private to server: small files that belong to a tenant, beside the store:
 * settings, recording rules, uploaded profiles. Each is replaced whole and
 * synced, so it is as before or as after. Any thread; who reads, changes and
 * writes holds the lock meanwhile. */
#pragma once

#include <pthread.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct store;

struct tenant_files {
	struct str root;     /* "" : there is no place, and every write is refused */
	struct store *store; /* whose disk must have room for what is written; NULL: nobody asks */
	pthread_mutex_t lock;
};

void tenant_files_init(struct tenant_files *files, struct str root);
void tenant_files_deinit(struct tenant_files *files);

/* Names are ours, or checked: letters, digits and ".-_", and one '/' at most. Appends to ret; a file that
 * is not there is ERR_NOT_FOUND. */
MUST_USE int tenant_file_read(const struct tenant_files *files, struct str tenant, const char *name,
			      size_t limit_bytes, struct buf *ret, struct err *err);
/* ERR_LIMIT: the disk is nearly full, or too many tenants keep something here (10,000). */
MUST_USE int tenant_file_write(const struct tenant_files *files, struct str tenant,
			       const char *name, struct str bytes, struct err *err);
MUST_USE int tenant_file_remove(const struct tenant_files *files, struct str tenant,
				const char *name, struct err *err);
/* Names in a directory of the tenant's ("." files left out), in no order; none when it is not there. */
MUST_USE int tenant_files_list(const struct tenant_files *files, struct str tenant,
			       const char *name, struct arena *arena, struct str **ret,
			       size_t *ret_count, struct err *err);
