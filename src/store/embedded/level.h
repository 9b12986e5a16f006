/* Private to the embedded engine: sums of samples by minute, hour and day, and
 * the time that such a sum is stored under.
 *
 * Ranges of time are half-open on either side: a merge asks for [start, end), a
 * point covers (t - step, t]. Both are exact on sums when a sample that lies on
 * the very border of a bucket can be told from the others of the bucket. So it
 * keeps its time, and all others of the bucket [b, b + B) are summed up under
 * b + 1 ns. Sums are then ordinary samples with a coarse time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/embedded/times.h"

/* Stored in keys: never renumber. */
enum level { LEVEL_RAW = 0, LEVEL_MINUTE = 1, LEVEL_HOUR = 2, LEVEL_DAY = 3, LEVEL_COUNT = 4 };

/* Length of a bucket; 1 for LEVEL_RAW. */
static inline uint64_t level_bucket_ns(enum level level)
{
	static const uint64_t lengths[LEVEL_COUNT] = {1, NS_PER_HOUR / 60, NS_PER_HOUR, NS_PER_DAY};
	return lengths[level];
}

/* The time under which the sums of the level hold a sample of that time. */
static inline uint64_t level_time(enum level level, uint64_t time_ns)
{
	uint64_t rest = time_ns % level_bucket_ns(level);
	return rest ? time_ns - rest + 1 : time_ns;
}

/* Does a range that starts or ends (exclusively) at border_ns cut no sum of the level in two? */
static inline bool level_respects(enum level level, uint64_t border_ns)
{
	return border_ns % level_bucket_ns(level) <= 1;
}

/* Is a level worth having, with so many rows in place of those of the next finer level there is? */
static inline bool level_pays(enum level level, uint64_t rows, uint64_t finer_rows)
{
	return rows <= finer_rows / (level == LEVEL_MINUTE ? 4 : 2);
}
