/* Private to the embedded engine: what its parts share.
 *
 * Threads: callers of store_write check and hash their batch and queue it; one
 * writer thread commits whatever waits. Queries run in their callers' threads
 * on snapshots. The database may be closed and opened again after a failed
 * write (rocks_lock: queries hold it shared, the reopening exclusively). A
 * third thread does the maintenance (maintenance.h). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/budget.h"
#include "store/embedded/collect.h"
#include "store/embedded/page.h"
#include "store/embedded/retention.h"
#include "store/embedded/rocks.h"
#include "store/embedded/txn.h"
#include "store/engine.h"

struct request {
	const struct store_batch *batch;
	struct hash128 hash;
	uint64_t queued_ns;
	size_t samples;
	struct err *err;
	int code;
	bool duplicate, done;
	pthread_cond_t answered;
	struct request *next;
};

struct writer {
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of the queue */
	pthread_cond_t queued;
	struct request *head, **tail;
	size_t waiting;
	bool stop;
	pthread_mutex_t commit_lock; /* held while a commit runs */
	struct txn txn;
	size_t last_group;    /* requests of the last commit */
	int broken;	      /* the code of a failed write: open anew before the next */
	uint64_t retry_at_ns; /* monotonic */
};

struct maintenance {
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	bool asked;	   /* the round is one of store_maintain(): nothing is put off */
	bool woken;	   /* do not wait for the next round */
	uint64_t woken_ns; /* monotonic, the last time */
	uint64_t
		deadline_ns; /* of the running task, monotonic: a long one goes on in the next round */
	pthread_mutex_t lock;	      /* of stop and woken, for the wait */
	pthread_mutex_t running_lock; /* held while tasks run */
	pthread_cond_t wake;
};

/* How the one memory budget is spent. */
struct budget_plan {
	struct rocks_limits rocks;
	size_t limit_bytes; /* all of it */
	size_t id_cache_bytes, page_cache_bytes, settle_bytes, answer_cache_bytes, query_bytes;
};

/* Where the last round of settling ran out of time, in the middle of a pass over a day's series. */
struct settle_place {
	bool set;
	uint32_t day, tenant, series;
};

struct store {
	struct store_options options;
	char *path, *database_path;
	int lock_fd;
	uint64_t seed;
	struct budget_plan plan;
	bool ignore_reserve; /* tests: let the database itself meet the full disk */
	pthread_rwlock_t rocks_lock;
	struct rocks *rocks;
	_Atomic bool reopening; /* somebody waits for rocks_lock to open it anew */
	uint64_t reopens;	/* how often that was done; under rocks_lock */
	uint64_t sweeps;	/* of the database before: see rocks.h */
	struct budget readers;	/* the following together */
	struct budget queries, page_memory, answer_memory;
	struct page_cache *pages;
	struct answers *answers;
	unsigned helpers_max; /* threads that help queries, all queries together */
	_Atomic unsigned helpers_busy;
	uint64_t helper_after_ns; /* a query that takes longer gets help */
	struct writer writer;
	struct maintenance maintenance;
	struct control *control;      /* NULL: no other program can ask us */
	pthread_mutex_t symbols_lock; /* one change of symbols at a time */
	struct retention retention;
	struct collector collector;
	struct settle_place settle_place;
};

/* answers.c */
/* Whoever changes what is stored, or how it is shown, but by a commit of the writer, says so right after:
 * what was answered before may not be answered again. */
void answers_forget(struct store *store);
/* writer.c */
MUST_USE int writer_start(struct store *store, struct err *err);
void writer_stop(struct store *store);
MUST_USE int writer_submit(struct store *store, const struct store_batch *batch, struct err *err);
/* After a failed write: opens the database anew, at most once a second. Under commit_lock. */
MUST_USE int writer_repair(struct store *store, struct err *err);
/* recover.c: the disk has room for another commit, else ERR_LIMIT. */
MUST_USE int disk_check(struct store *store, struct err *err);
/* A view for background work; ERR_IO when the database is not open. Its holder must not ask for
 * commit_lock, whose holder may wait for the view to be closed. */
MUST_USE int store_look(struct store *store, struct rocks_view *ret, struct err *err);
void store_look_end(struct store *store, struct rocks_view *view);
/* The holder of a view should close it soon. */
bool store_interrupted(const struct store *store);
/* The same for work that can wait: several times as much must be left. */
MUST_USE int disk_check_room(struct store *store, unsigned reserves, struct err *err);
/* Opens the database anew after a write failed with that code; falls back to reading only. */
MUST_USE int recover(struct store *store, int why, struct err *err);
/* retention.c */
/* Drops the days that are too old or too much as of now; *ret_days of them. */
MUST_USE int retention_run(struct store *store, uint64_t now_ns, uint32_t *ret_days,
			   struct err *err);
/* stats.c: of the log of the database. */
uint64_t log_bytes(const char *database_path);
/* format.c: the directory's lock and format record. */
MUST_USE int directory_lock(const char *path, int *ret_fd, struct err *err);
MUST_USE int format_check_file(const char *path, struct err *err);
/* The same check of a directory that may not be ours to write to: a missing file is fine. */
MUST_USE int format_read_file(const char *path, struct err *err);
MUST_USE int format_refuse_newer(unsigned long version, const char *path, struct err *err);
MUST_USE int format_copy_file(const char *from, const char *to, struct err *err);
MUST_USE int format_open(struct store *store, struct err *err);
