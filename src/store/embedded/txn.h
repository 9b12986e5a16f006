/* Private to the embedded engine: one commit in the making: many requests, one
 * write batch, one sync. Belongs to the writer's thread.
 *
 * A request is added in two steps: first everything that can fail (dictionary
 * ids, encoding of blocks), which changes only memory; then its puts, which
 * cannot. So a request that fails leaves at most unused dictionary entries in
 * the commit, and the others go on. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "store/embedded/idmap.h"
#include "store/embedded/retention.h"
#include "store/embedded/tenant.h"
#include "store/embedded/used.h"
#include "store/embedded/unsettled.h"
#include "store/engine.h"

struct txn_block {
	struct sample_key key;
	size_t offset, len; /* in encoded */
	size_t samples;
	uint64_t newest_ns;
};

struct txn {
	struct rocks *rocks;
	uint64_t seed;
	rocksdb_writebatch_t *batch;
	struct idcache cache;  /* what is on disk */
	struct idmap pending;  /* what this commit adds */
	struct idmap requests; /* hashes of the requests in this commit */
	struct tenants tenants;
	struct used *used; /* while a collection runs: what is found is in use. Under commit_lock */
	struct unsettled unsettled; /* outlives an abort */
	struct answers *answers;    /* that a commit may make untrue; NULL: none */
	struct map touched;	    /* (tenant, hour) that this commit adds to */

	/* of the request being added */
	struct arena arena;
	struct buf encoded, scratch;
	struct txn_block *blocks;
	size_t block_count, block_cap;
};

MUST_USE int txn_init(struct txn *txn, struct rocks *rocks, uint64_t seed, size_t cache_bytes,
		      struct err *err);
void txn_deinit(struct txn *txn);
/* Forgets everything that may not be on disk. */
void txn_abort(struct txn *txn);
/* Forgets the tenant's days before that one; between commits. */
void txn_forget_days(struct txn *txn, uint32_t tenant, uint32_t before);
/* An id that content was found under stays, whatever the running collection thinks of it. */
static inline void txn_found(struct txn *txn, const struct tenant *tenant, enum used_kind kind,
			     uint32_t id)
{
	if (txn->used && txn->used->tenant == tenant->id)
		used_add(txn->used, kind, id);
}
/* Adds one checked batch. *ret_duplicate: it was written in the last minutes, or stands in this
 * commit already, and nothing was added. */
MUST_USE int txn_add(struct txn *txn, const struct store_batch *batch, struct hash128 hash,
		     uint32_t minute, bool *ret_duplicate, struct err *err);
/* Writes and syncs it all, *ret_bytes before compression; on failure the caller aborts. */
MUST_USE int txn_commit(struct txn *txn, size_t *ret_bytes, struct err *err);

/* dict.c: ids of content, new ones added. */
MUST_USE int dict_string(struct txn *txn, struct tenant *tenant, struct str text, uint32_t *ret,
			 struct err *err);
MUST_USE int dict_frame(struct txn *txn, struct tenant *tenant, const struct store_frame *frame,
			uint32_t *ret, struct err *err);
MUST_USE int dict_node(struct txn *txn, struct tenant *tenant, uint32_t parent, uint32_t frame,
		       uint32_t *ret, struct err *err);
struct hash128 dict_hash(uint64_t seed, struct str bytes);
MUST_USE int dict_frame_hash(uint64_t seed, struct buf *scratch, const struct store_frame *frame,
			     struct hash128 *ret, struct err *err);
/* The id stored under key, or 0. */
MUST_USE int dict_read_id(struct rocks *rocks, const struct rocks_view *view, const struct key *key,
			  uint32_t *ret, struct err *err);
MUST_USE int series_hash(uint64_t seed, struct buf *scratch, const struct store_series *series,
			 struct hash128 *ret, struct err *err);
/* series.c: the id of a label set; its mark on the day of a block that begins at time_ns. */
MUST_USE int series_id(struct txn *txn, struct tenant *tenant, const struct store_series *series,
		       uint32_t *ret, struct err *err);
MUST_USE int series_mark(struct txn *txn, struct tenant *tenant, uint32_t series, uint64_t time_ns,
			 unsigned columns, struct err *err);
/* lookahead.c: brings the places of the request's nodes in the cache near; frames: their ids. */
void lookahead_nodes(struct txn *txn, const struct tenant *tenant, const struct store_batch *batch,
		     const uint32_t *frames);
/* The mark as it is on disk; all 0 when there is none. */
MUST_USE int series_read_mark(struct txn *txn, const struct key *key, struct mark *ret,
			      struct err *err);
/* The mark was written by somebody else: what is remembered of it is replaced. */
void series_remember_mark(struct txn *txn, uint32_t tenant, uint32_t day, uint32_t series,
			  const struct mark *mark);
/* samples.c: encodes the request's samples into txn->blocks. */
MUST_USE int samples_encode(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
			    struct err *err);
