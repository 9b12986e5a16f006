/* Keeps parts of a program at given shares of its CPU time, whatever the speed of
 * the machine: always runs a piece of the part that is furthest behind. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct part {
	const char *name;
	double share;	   /* of 1 */
	void (*run)(void); /* about a millisecond */
	uint64_t spent_ns;
};

static inline uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline struct part *most_behind(struct part *parts, size_t count)
{
	struct part *best = &parts[0];
	for (size_t i = 1; i < count; i++) {
		if ((double)parts[i].spent_ns / parts[i].share <
		    (double)best->spent_ns / best->share)
			best = &parts[i];
	}
	return best;
}

static inline void balance(struct part *parts, size_t count, uint64_t total_ns)
{
	while (cpu_ns() < total_ns) {
		struct part *part = most_behind(parts, count);
		uint64_t start = cpu_ns();
		part->run();
		part->spent_ns += cpu_ns() - start;
	}
}
