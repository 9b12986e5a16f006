/* Private to the embedded engine: settling. Small raw blocks of a closed hour
 * are merged into few big ones, and sums by minute, hour and day are laid beside
 * them. No answer changes by it. What the bytes mean: docs/formats/embedded-store.md,
 * "Sums" and "Day marks".
 *
 * A round goes through the days that may have something to settle, in batches of
 * many series:
 *	begin	under commit_lock: snapshot, and the writer is watched from here on
 *	prepare	without it: reads blocks, builds blocks, in bounded memory
 *	end	gives the snapshot back
 *	commit	under commit_lock: one write. A series to which the writer added a block
 *		in between is left as it is; its hour waits for the next round.
 * An hour or day that does not fit a batch goes on in the next one: the blocks merged so
 * far replace theirs, and sums lie there unused until the mark is changed by the last.
 *
 * A settler belongs to one thread. Only one may be at work. */
#pragma once

#include "store/embedded/build.h"
#include "store/embedded/embedded.h"
#include "store/embedded/level.h"
#include "store/embedded/mark.h"

/* ---- a batch: what is to be written (settle_batch.c) ---- */

struct settle_op {
	uint64_t time_ns;
	uint64_t place; /* of a block that goes: its sequence; of a new one: where in bytes */
	uint32_t len, change;
	uint8_t level;
	bool gone;
};

/* Of one series on the day. */
struct settle_change {
	uint32_t series;
	uint32_t watched;      /* holds only if these hours got no block meanwhile */
	uint32_t settled;      /* hours that are not pending any more */
	uint32_t touched;      /* hours whose sums are as minute and hour say */
	uint32_t minute, hour; /* sets of hours */
	bool retry_whole, set_whole;
	enum mark_whole whole;
	bool thrown;
	struct mark mark; /* as in the snapshot; after the commit as written */
	uint64_t blocks_in, blocks_out, bytes_in, bytes_out, rows, sum_rows;
};

struct settle_batch {
	struct buf bytes;
	struct settle_op *ops;
	size_t op_count, op_cap;
	struct settle_change *changes;
	size_t change_count, change_cap;
};

/* ---- sums (settle_sum.c) ---- */

enum summing_fate { SUMMING_OPEN, SUMMING_KEPT, SUMMING_GIVEN_UP };

/* Rows of one level on their way: order is bucket << 33 | not on the border << 32 | node. */
struct summing {
	enum level level;
	enum summing_fate fate; /* decided when rows first leave the memory */
	uint64_t base_ns;
	struct sort_row *rows;
	size_t count;
	uint64_t kept_rows;
};

/* ---- the work ---- */

/* An hour, or a whole day, of one series. */
struct settle_job {
	bool active;
	bool whole;
	uint32_t series;
	unsigned hour, hour_end;
	struct mark mark;
	struct sample_key at; /* the next key to look at */
	uint64_t
		own_from; /* blocks with this sequence and later are of the job's earlier batches */
	uint64_t rows;
	struct summing sums[2]; /* minute and hour; or day */
	unsigned sum_count;
};

struct settle_held {
	uint64_t time_ns, sequence;
};

struct settler {
	struct store *store;
	uint64_t now_ns, deadline_ns; /* monotonic; UINT64_MAX: none */
	/* memory */
	struct arena arena;
	size_t batch_bytes, rows_max, sums_max;
	struct builder builder;
	struct sort_row *sums[2], *spare;
	struct str *names; /* of tenants, by id */
	uint32_t name_count;
	/* rows of small blocks that are being merged, and those blocks */
	struct store_sample *rows;
	size_t row_count, row_cap;
	struct settle_held *held;
	size_t held_count, held_cap;
	uint64_t held_bytes;
	struct store_span *spans;
	size_t span_count, span_cap;
	int64_t *scratch;
	size_t scratch_cap;
	/* where it is */
	uint32_t tenant, day;
	uint32_t hours; /* those to settle, */
	bool whole;	/* or days to be summed up */
	uint32_t next_series;
	uint64_t sequence; /* of the tenant's next block, when the batch began */
	bool full, done, late;
	uint32_t left; /* what could not be settled, as in struct unsettled_day */
	unsigned failures;
	int failed; /* the first that cost only one series */
	struct err why;
	/* of one batch */
	struct rocks_view view;
	struct rocks_iter iters[LEVEL_COUNT];
	bool iter_open[LEVEL_COUNT];
	struct settle_batch batch;
	struct settle_job job;
};

/* settle.c: the task. */
MUST_USE int settle_run(struct store *store, uint64_t now_ns, struct err *err);
/* settler.c */
MUST_USE int settler_open(struct store *store, uint64_t now_ns, struct settler *ret,
			  struct err *err);
void settler_close(struct settler *s);
/* To the first series of a day: its hours (a set), or its sums of the whole day. */
void settler_enter(struct settler *s, uint32_t tenant, uint32_t day, uint32_t hours, bool whole);

/* settle_batch.c. begin: ERR_LIMIT, the disk is nearly full. commit: ERR_BUSY, the database was opened
 * anew in between, and nothing was written. */
MUST_USE int settle_begin(struct settler *s, struct err *err);
void settle_end(struct settler *s);
MUST_USE int settle_commit(struct settler *s, struct err *err);
size_t settle_batch_size(const struct settler *s);
/* The change of a series, a new one if it is not the last. NULL: no memory. */
struct settle_change *settle_change_of(struct settler *s, uint32_t series, const struct mark *mark);
/* To the last change: the block at offset in the batch's bytes is new; that block is gone. */
MUST_USE int settle_put(struct settler *s, enum level level, uint64_t time_ns, size_t offset,
			struct err *err);
MUST_USE int settle_delete(struct settler *s, enum level level, uint64_t time_ns, uint64_t sequence,
			   struct err *err);

/* settle_job.c: from next_series on, until the batch is full, the time is up or the day is done.
 * ERR_CANCELLED: the store closes, or the database is being opened anew. */
MUST_USE int settle_prepare(struct settler *s, struct err *err);

/* settle_rows.c: a block of the running job. */
MUST_USE int settle_take(struct settler *s, const struct sample_key *key, struct str value,
			 enum level level, struct err *err);
/* Merges the blocks that were held back. */
MUST_USE int settle_merge(struct settler *s, struct err *err);
void settle_forget_rows(struct settler *s);

/* settle_sum.c */
void settle_sums_start(struct settler *s, const enum level *levels, unsigned count,
		       uint64_t base_ns);
MUST_USE int settle_sum_rows(struct settler *s, const struct store_sample *rows, size_t count,
			     struct err *err);
MUST_USE int settle_sums_finish(struct settler *s, struct err *err);
