/* Private to the embedded engine: a running query: a snapshot, the compiled
 * matchers, the dictionary pages it uses, and memory with a cap. Belongs to one
 * thread; threads that help it have one each, forked from it. Its parts: query.c
 * (open, close, labels of a series), select.c (matchers to series), plan.c
 * (series to stretches of blocks), crew.c (shares them out), scan.c and filter.c
 * (blocks to rows). */
#pragma once

#include <roaring/roaring.h>

#include "base/arena.h"
#include "base/map.h"
#include "store/embedded/embedded.h"
#include "store/embedded/match.h"

struct label_name {
	uint32_t id;
	struct str text;
};

/* Which labels a wanted name may mean, in the order in which they count: the one spelled so first. */
struct wanted {
	struct str name;
	enum sample_field field;
	uint32_t *ids;
	size_t count;
};

struct query {
	struct store *store;
	const struct store_selection *selection;
	struct rocks_view view;
	uint32_t tenant; /* 0: it never wrote, and every answer is empty */
	struct counters counters;
	struct pages pages;
	struct budget *budget;	  /* of the query and those that help it */
	struct budget own_budget; /* what budget points to, unless it is forked */
	const _Atomic int *stop;  /* of those who work together: one has failed; or NULL */
	struct arena work;
	struct matcher *matchers;
	size_t matcher_count;
	struct label_name *names; /* of all labels of the tenant, by text */
	size_t name_count;
};

/* Series = pairs of string ids: name, value. */
struct series_labels {
	uint32_t *ids;
	size_t count, cap;
};

MUST_USE int query_open(struct store *store, const struct store_selection *selection,
			struct query *ret, struct err *err);
void query_close(struct query *query);
/* The same for another thread, which ends it before the other is closed. */
MUST_USE int query_fork(const struct query *query, struct query *ret, struct err *err);
void query_join(struct query *forked); /* a zeroed one is fine */
/* ERR_LIMIT: so many bytes more are too many for the query, or for all of them together. */
int query_full(const struct query *query, size_t bytes, struct err *err);
/* Zeroed. NULL and ERR_LIMIT in err when the query's memory is used up. */
void *query_alloc(struct query *query, size_t count, size_t size_bytes, struct err *err);
/* ERR_CANCELLED once the caller has gone, ERR_TIMEOUT when its time has. */
MUST_USE int query_check(const struct query *query, struct err *err);
/* What to say when the caller's arena is full. */
int query_no_room(const struct arena *arena, struct err *err);

MUST_USE int query_wanted(struct query *query, struct str name, struct wanted *ret,
			  struct err *err);
MUST_USE int query_labels(struct query *query, uint32_t series, struct series_labels *ret,
			  struct err *err);
/* The id of the label's value, or 0. */
uint32_t wanted_value(const struct wanted *wanted, const struct series_labels *labels);
/* A string of the dictionary, copied. */
MUST_USE int query_text(struct query *query, uint32_t id, struct arena *arena, struct str *ret,
			struct err *err);

/* select.c: those whose labels satisfy every matcher that is not about a sample field. */
MUST_USE int select_series(struct query *query, roaring_bitmap_t **ret, struct err *err);
/* Those of them that have samples on the days of the selection (and, with matchers on sample fields,
 * samples that match). *ret_columns: the fields that they have. */
MUST_USE int select_active(struct query *query, roaring_bitmap_t **ret, unsigned *ret_columns,
			   struct err *err);

/* Matchers on sample fields, or ids of profiles: only samples can tell. */
bool has_field_matchers(const struct query *query);
