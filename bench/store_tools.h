/* What every part of bench-store needs: giving up with a sentence, looking at this
 * process and its files, and times in buckets. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store_params.h"

struct store;

enum { CLIENTS_MAX = 64 };

void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Ends the program when rc is not 0. */
void check(int rc, const struct err *err);
void *need(void *memory);

/* splitmix64 */
uint64_t random_next(uint64_t *state);
double random_unit(uint64_t *state); /* [0, 1) */

/* ---- this process ---- */

uint64_t rss_bytes(void);
uint64_t rss_peak_bytes(void); /* since rss_peak_reset() */
void rss_peak_reset(void);
uint64_t written_bytes(void); /* to block devices, by this process: /proc/self/io */
uint64_t cpu_ns(void);	      /* of all threads */

/* ---- files of a store ---- */

/* In the soak the store's own clock stands still: the bench says when it is time for maintenance. */
struct store *store_at(const struct params *params, const char *path);
/* What its files take. */
uint64_t disk_bytes(const char *path);
/* Writes what is dirty and forgets what is cached of them. */
void drop_cached(const char *path);
void remove_tree(const char *path);

/* ---- times ---- */

/* Any thread adds. Buckets are 1/32 of a power of two wide. */
enum { LATENCY_BUCKETS = 64 * 32 };

struct latency {
	_Atomic uint64_t buckets[LATENCY_BUCKETS];
	_Atomic uint64_t count;
};

void latency_add(struct latency *latency, uint64_t ns);
/* The value below which this part of them lies, in milliseconds; 0 without any. */
double latency_ms(const struct latency *latency, double part);
/* Adds from to ret and makes it empty. */
void latency_move(struct latency *from, struct latency *ret);

/* "bench [PRESET.]NAME VALUE UNIT" */
void bench(const struct params *params, const char *name, double value, const char *unit);
