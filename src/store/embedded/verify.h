/* Private to the embedded engine: `cresset store verify`: every byte of a store
 * that holds still is read and every rule of docs/formats/embedded-store.md
 * that ties records together is checked. A breach is a finding, one sentence;
 * the check goes on. Memory is bounded by the options and one bit an id.
 *
 *	meta     format, tenants, counters, totals of days        verify_meta.c
 *	dict     runs of strings, frames, nodes                   verify_dict.c
 *	         late symbols                             verify_symbols.c
 *	series   labels, postings                                 verify_series.c
 *	ids      content -> id, against dict and series           verify_ids.c
 *	samples  blocks, marks, totals                            verify_samples.c
 *	rollups  sums, against marks and, by sample, blocks       verify_rollups.c, verify_sums.c
 *
 * One thread. Functions return an error only when the check cannot go on (no
 * memory, cancelled). */
#pragma once

#include <roaring/roaring.h>

#include "store/embedded/mark.h"
#include "store/embedded/page.h"
#include "store/embedded/block.h"
#include "store/embedded/rocks.h"
#include "store/embedded/tally.h"
#include "store/embedded/tenant.h"
#include "store/engine.h"

enum verify_kind { VERIFY_STRINGS, VERIFY_FRAMES, VERIFY_NODES, VERIFY_SERIES, VERIFY_KINDS };

enum {
	VERIFY_SENTENCES_MAX = 128, /* kinds of findings that are told apart */
	VERIFY_SAID_MAX = 20,	    /* findings of one kind that are said; the others are counted */
};

/* What stands in the family ids for an entry: 16 bytes of hash, or a node's two ids. */
struct verify_key {
	size_t len;
	char bytes[16];
};

static inline struct str verify_key_str(const struct verify_key *key)
{
	return (struct str){key->bytes, key->len};
}

struct verify {
	const struct store_verify *options;
	struct store_verified done;
	uint64_t next_progress_ns;
	unsigned ticks;
	struct rocks *rocks;
	struct rocks_view view;
	struct page_cache *page_cache;
	size_t pages_bytes, table_bytes;
	uint64_t seed;
	int64_t columns[3][BLOCK_ROWS_MAX]; /* of the block at hand */
	struct sentence {
		const char *format;
		uint64_t count;
	} sentences[VERIFY_SENTENCES_MAX];
	struct verify_tenant *tenants; /* by id */
	size_t tenant_count, tenant_cap;
};

/* What is known of one tenant; of only one at a time all of it. */
struct verify_tenant {
	struct verify *verify;
	uint32_t id;
	char name[64]; /* for sentences */
	struct counters next;
	struct pages pages; /* texts by id */
	struct buf scratch;
	struct verify_ids {
		roaring_bitmap_t *there;  /* or may be: */
		roaring_bitmap_t *unsure; /* what it says could not be read */
		bool cut;		  /* nor which there are: none is missed */
		struct tally tally;	  /* content against the family ids */
	} kinds[VERIFY_KINDS];
	struct tally postings; /* labels against postings */
};

/* verify.c. The format says which kind of finding it is: so it must be a literal. */
void verify_found(struct verify *verify, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same with `tenant "x": ` in front. */
void verify_tenant_found(struct verify_tenant *tenant, const char *format, ...) PRINTF_LIKE(2, 3);
/* Once for each entry: ERR_CANCELLED, progress. */
MUST_USE int verify_tick(struct verify *verify, struct err *err);
/* An error that the stored bytes are to blame for? */
bool verify_blames(int rc);

typedef int verify_entry(void *context, struct str key, struct str value, struct err *err);
/* Every entry from `from` up to `to`. *ret_cut: the database could not read on, which is a finding. */
MUST_USE int verify_each(struct verify *verify, enum rocks_family family, const struct key *from,
			 const struct key *to, verify_entry *visit, void *context, bool *ret_cut,
			 struct err *err);
/* Everything of a kind that a tenant has in a family. */
MUST_USE int verify_each_kind(struct verify_tenant *tenant, enum rocks_family family,
			      enum key_kind kind, verify_entry *visit, void *context, bool *ret_cut,
			      struct err *err);

/* Is it there, or may it be? Id 0 always is. */
bool verify_has(const struct verify_tenant *tenant, enum verify_kind kind, uint32_t id);
/* An entry of that kind: it is there, and the family ids should have it under key (unknown: not told). */
MUST_USE int verify_add(struct verify_tenant *tenant, enum verify_kind kind, uint32_t id,
			const struct verify_key *key, bool known, struct err *err);
/* Entries from ... to - 1 could not be read. */
void verify_add_unsure(struct verify_tenant *tenant, enum verify_kind kind, uint64_t from,
		       uint64_t to);
/* "string", "frame" ... */
const char *verify_kind_name(enum verify_kind kind);

/* A tenant's parts, in this order. */
MUST_USE int verify_meta(struct verify *verify, struct err *err);
MUST_USE int verify_dict(struct verify_tenant *tenant, struct err *err);
MUST_USE int verify_symbols(struct verify_tenant *tenant, struct err *err);
MUST_USE int verify_series(struct verify_tenant *tenant, struct err *err);
MUST_USE int verify_id_family(struct verify_tenant *tenant, struct err *err);
MUST_USE int verify_samples(struct verify_tenant *tenant, struct err *err);
MUST_USE int verify_rollups(struct verify_tenant *tenant, struct err *err);

/* verify_key.c. */
struct verify_key verify_key_node(const struct node_row *row);
struct verify_key verify_key_string(const struct verify_tenant *tenant, struct str text);
/* *ret_known: all of its texts could be read. */
MUST_USE int verify_key_frame(struct verify_tenant *tenant, const struct frame_row *row,
			      struct verify_key *ret, bool *ret_known, struct err *err);
MUST_USE int verify_key_series(struct verify_tenant *tenant, const uint32_t *ids, size_t count,
			       struct verify_key *ret, bool *ret_known, struct err *err);
/* Of any entry, by id. */
MUST_USE int verify_key_of(struct verify_tenant *tenant, enum verify_kind kind, uint32_t id,
			   struct verify_key *ret, bool *ret_known, struct err *err);

/* verify_ids.c: is value, of that family, this id? */
bool verify_id_is(struct str value, uint32_t id);

/* verify_series.c: pairs of string ids. ERR_CORRUPT. *ret grows. */
struct verify_labels {
	uint32_t *ids;
	size_t count, cap;
};
void verify_labels_deinit(struct verify_labels *labels);
MUST_USE int verify_labels_decode(struct str bytes, struct verify_labels *ret, struct err *err);
MUST_USE int verify_labels_read(struct verify_tenant *tenant, uint32_t series,
				struct verify_labels *ret, bool *ret_found, struct err *err);

/* verify_block.c: one block, of samples or (level) of sums. */
struct verify_block {
	struct sample_key key;
	enum level level;
	struct block head;
	uint32_t columns; /* bit set of those present */
	bool sound;	  /* its rows may be used */
};
MUST_USE int verify_block(struct verify_tenant *tenant, enum level level,
			  const struct sample_key *key, struct str value, struct verify_block *ret,
			  struct err *err);
/* "series 5: block of 2026-11-22 08:00:00.000000001 (number 77)" */
void verify_block_name(const struct verify_block *block, char *ret, size_t cap);

/* verify_sums.c: the sums that the mark vouches for, against the blocks, which are sound. */
MUST_USE int verify_sums(struct verify_tenant *tenant, uint32_t day, uint32_t series,
			 const struct mark *mark, struct err *err);
