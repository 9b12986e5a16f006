/* For the tests of settling: random samples near borders of time, and all that
 * lies in the database, read block by block without the engine's own readers. */
#pragma once

#include "help.h"
#include "store/embedded/settle.h"

#define FIRST_DAY    20000u
#define DAY_START(n) ((FIRST_DAY + (n)) * NS_PER_DAY)

/* A row of a block of some level. */
struct raw_row {
	uint32_t tenant, level, day, series;
	uint64_t time_ns;
	uint32_t node;
	int64_t value;
	int64_t pid, tid, thread_name, cpu;
	struct store_span span;
};

struct rows {
	struct raw_row *list;
	size_t count, cap;
	size_t blocks, bytes; /* of level 0 */
};

/* Sorted: rows that are the same stand together. */
void read_rows(struct store *store, struct rows *ret);
void free_rows(struct rows *rows);
/* The rows of level 0 are those. */
void same_samples(struct store *store, const struct rows *before);
/* Marks, sums and totals say the truth about the samples. exact: a level is there just when it pays. Returns
 * how many hours of a series are pending. */
unsigned check_settled(struct store *store, bool exact);
struct mark mark_of(struct store *store, uint32_t tenant, uint32_t day, uint32_t series);

/* count samples of series number `series` in [start_ns, end_ns), many of them on borders or next to them. */
void write_random(struct store *store, struct random *random, const char *tenant, unsigned series,
		  uint64_t start_ns, uint64_t end_ns, unsigned count);
