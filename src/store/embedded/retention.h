/* Private to the embedded engine: how long things stay, and the dropping of
 * days. The limits may be changed by any thread; the rest belongs to whoever
 * does the maintenance. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/engine.h"

struct retention {
	pthread_mutex_t lock;	       /* of limits */
	struct store_retention limits; /* the overrides and their names are ours */
	bool crowded;		       /* it was said that there is nothing left to drop */
	bool unfinished; /* dropped days still take space: a query was looking at them */
};

void retention_init(struct retention *retention);
void retention_deinit(struct retention *retention);
MUST_USE int retention_set(struct retention *retention, const struct store_retention *limits,
			   struct err *err);
/* Limits of one tenant. */
struct store_override retention_of(struct retention *retention, struct str tenant);
/* Those of the whole store; without the overrides. */
struct store_retention retention_whole(struct retention *retention);

/* Every day of the tenant before that one goes. */
struct drop {
	uint32_t tenant, before;
};

struct drops {
	struct drop *list;
	size_t count, cap;
};

MUST_USE int drops_add(struct drops *drops, uint32_t tenant, uint32_t before, struct err *err);
void drops_deinit(struct drops *drops);
/* Drops them in one batch, then gives their space back; *ret_days of them had samples. Whoever reads
 * a view that was taken before still finds all of it. */
MUST_USE int drops_run(struct store *store, const struct drops *drops, uint32_t *ret_days,
		       struct err *err);
/* Gives back the space of days that are gone already. */
MUST_USE int drops_finish(struct store *store, struct err *err);

/* Room on the file system that holds the store, and how little of it makes writes being refused. */
struct disk_room {
	uint64_t size_bytes, left_bytes, reserve_bytes;
};

/* recover.c. False: it cannot be known. */
bool disk_room(const struct store *store, struct disk_room *ret);

/* retention_size.c: drops days while the store is too large, or the disk too full. */
MUST_USE int retention_by_size(struct store *store, uint64_t now_ns, uint32_t *ret_days,
			       struct err *err);
