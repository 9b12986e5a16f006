/* Private to the embedded engine: what the writer and the settler tell each
 * other, all of it under the writer's commit_lock.
 *
 * The table of days says where closed hours may wait to be settled, so that no
 * mark has to be read to know that there is nothing to do. The watch says what
 * the writer commits to the place that is being settled: what was computed from
 * a snapshot holds only if nothing came after it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "store/embedded/idmap.h"
#include "store/embedded/mark.h"

enum {
	UNSETTLED_WHOLE = 1 << 24,    /* in hours: the day's sum is due, once the day is closed */
	WATCH_MARK_CHANGED = 1 << 24, /* in what was noted: the mark was written anew */
};

struct unsettled_day {
	uint32_t day, tenant;
	uint32_t hours;	     /* with marks in which they may be pending */
	uint32_t taken;	     /* those of them that a pass over the day's series is settling */
	uint64_t dead_bytes; /* of blocks that merged ones took the place of; 0: reclaimed */
	unsigned reclaims;   /* how often that was asked for */
};

struct unsettled {
	struct unsettled_day *days; /* sorted: oldest day first, then by tenant */
	size_t day_count, day_cap;
	bool incomplete; /* the table may lack days: after opening, and when memory was short */

	bool watching;
	_Atomic bool
		lost; /* the database was opened anew, or there was no memory to note something */
	uint32_t tenant, day, hours;
	struct idmap noted; /* (day, series) -> hours that got blocks, WATCH_MARK_CHANGED */
};

void unsettled_deinit(struct unsettled *unsettled);
/* Hours of a day may be pending from now on. Without memory for it the table becomes incomplete. */
void unsettled_add(struct unsettled *unsettled, uint32_t tenant, uint32_t day, uint32_t hours);
/* The first entry at or after (day, tenant); NULL: none. */
struct unsettled_day *unsettled_find(const struct unsettled *unsettled, uint32_t day,
				     uint32_t tenant);
struct unsettled_day *unsettled_entry(const struct unsettled *unsettled, uint32_t day,
				      uint32_t tenant); /* NULL: there is none */
/* Removes entries with nothing to do. */
void unsettled_sweep(struct unsettled *unsettled);

/* From now on blocks in those hours are noted. keep: with what was noted before. */
void unsettled_watch(struct unsettled *unsettled, uint32_t tenant, uint32_t day, uint32_t hours,
		     bool keep);
void unsettled_unwatch(struct unsettled *unsettled);
/* Of a series on the watched day. */
uint32_t unsettled_noted(const struct unsettled *unsettled, uint32_t series);
void unsettled_note(struct unsettled *unsettled, uint32_t series, uint32_t bits);

/* By the writer, for each block: hour is a bit. */
static inline void unsettled_block(struct unsettled *unsettled, uint32_t tenant, uint32_t day,
				   uint32_t series, uint32_t hour)
{
	if (unsettled->watching && unsettled->day == day && unsettled->tenant == tenant &&
	    (unsettled->hours & hour))
		unsettled_note(unsettled, series, hour);
}

/* By the writer, when it puts a mark. */
static inline void unsettled_mark(struct unsettled *unsettled, uint32_t tenant, uint32_t day,
				  uint32_t series)
{
	if (unsettled->watching && unsettled->day == day && unsettled->tenant == tenant)
		unsettled_note(unsettled, series, WATCH_MARK_CHANGED);
}
