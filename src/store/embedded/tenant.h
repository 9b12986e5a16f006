/* Private to the embedded engine: what the writer's thread knows of each
 * tenant: its counters, what the running commit has added to its dictionary,
 * and what it has on each day. Read from the database when a tenant first
 * writes; thrown away whole after a failed commit. One thread. */
#pragma once

#include "store/embedded/rocks.h"
#include "store/embedded/run.h"

struct counters {
	uint32_t string, frame, node, series; /* the next ids */
	uint64_t sequence;		      /* of blocks */
};

struct day_stats {
	uint32_t day;
	bool dirty;
	uint64_t samples, blocks, bytes, oldest_ns, newest_ns;
};

struct tenant {
	uint32_t id;
	char *name;
	bool fresh; /* made by the running commit */
	struct counters next, written;
	/* Entries with ids written.x ... next.x - 1; strings point into the requests. */
	struct str *strings;
	struct frame_row *frames;
	struct node_row *nodes;
	size_t string_cap, frame_cap, node_cap;
	struct day_stats *days;
	size_t day_count, day_cap;
};

struct tenants {
	struct tenant **list;
	size_t count, cap;
};

enum { TENANT_NAME_MAX = 256 };

void tenants_clear(struct tenants *tenants);
/* Finds, loads or makes the tenant; a new one is put into the batch. */
MUST_USE int tenants_get(struct tenants *tenants, struct rocks *rocks, rocksdb_writebatch_t *batch,
			 struct str name, struct tenant **ret, struct err *err);
/* The tenant's id for a query: 0 when it never wrote. */
MUST_USE int tenant_find(const struct rocks_view *view, struct str name, uint32_t *ret,
			 struct err *err);
/* All there are, in the order of their names. */
typedef int tenants_visit(void *context, uint32_t tenant, struct str name, struct err *err);
MUST_USE int tenants_each(const struct rocks_view *view, tenants_visit *visit, void *context,
			  struct err *err);
MUST_USE int tenant_counters(const struct rocks_view *view, uint32_t tenant, struct counters *ret,
			     struct err *err);
MUST_USE int tenant_day(struct tenant *tenant, struct rocks *rocks, uint32_t day,
			struct day_stats **ret, struct err *err);
void tenant_forget_days(struct tenant *tenant, uint32_t before);
/* Puts counters, days and new dictionary entries into the batch. */
MUST_USE int tenant_put(struct tenant *tenant, struct rocks *rocks, rocksdb_writebatch_t *batch,
			struct err *err);
/* After the batch is written. */
void tenant_written(struct tenant *tenant);

MUST_USE int counters_decode(struct str bytes, struct counters *ret, struct err *err);
MUST_USE int day_decode(struct str bytes, struct day_stats *ret, struct err *err);
