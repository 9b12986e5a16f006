/* Private to collect*.c: one collection of one tenant. */
#pragma once

#include "base/arena.h"
#include "store/embedded/embedded.h"
#include "store/embedded/used.h"

struct collection {
	struct store *store;
	uint32_t tenant;
	uint64_t reopens; /* of the store's database, when it began */
	struct used used;
	struct arena arena; /* of one chunk */
	struct buf scratch;
	rocksdb_writebatch_t *batch;
	uint64_t seen, gone[USED_KINDS]; /* entries */
};

/* What is to be removed from the family ids: the key, and the same in the writer's cache. */
struct victim {
	uint32_t id;
	bool listed; /* under that key stands this id, and not another */
	struct key key;
	struct id_key cached;
};

/* ERR_CANCELLED: end early, with nothing half done. */
MUST_USE int collect_check(const struct collection *c, struct err *err);
/* A view of now, between the commits. */
MUST_USE int collect_look(struct collection *c, struct rocks_view *ret, struct err *err);
void collect_look_end(struct collection *c, struct rocks_view *view);
/* Keeps the writer out, so that nothing is found in the meantime; the batch is empty. After an error: it does
 * not. */
MUST_USE int collect_begin(struct collection *c, struct err *err);
/* Into the batch, and out of the writer's memory. */
void collect_remove(struct collection *c, const struct victim *victim);
/* Writes the batch, unless rc is an error already, and lets the writer in. count entries were removed. */
MUST_USE int collect_end(struct collection *c, enum used_kind kind, uint64_t count, int rc,
			 struct err *err);
/* By hash: which id stands under the victim's key? */
MUST_USE int collect_look_up(const struct rocks_view *view, struct victim *victim, struct err *err);

/* collect_mark.c: everything that the samples in the view refer to. */
MUST_USE int collect_mark(struct collection *c, const struct rocks_view *view, struct err *err);
/* collect_series.c, collect_pages.c. In this order: what remains of one kind marks what it refers to. */
MUST_USE int collect_series(struct collection *c, struct err *err);
MUST_USE int collect_nodes(struct collection *c, struct err *err);
MUST_USE int collect_frames(struct collection *c, struct err *err);
MUST_USE int collect_strings(struct collection *c, struct err *err);

/* How many entries of a tenant were ever removed: its record. */
MUST_USE int gone_decode(struct str bytes, uint64_t ret[USED_KINDS], struct err *err);
