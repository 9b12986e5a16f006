/* Keeps parts of a program at given shares of its CPU time, whatever the speed of
 * the machine: always runs a piece of the part that is furthest behind. Pieces are of
 * random length, since a program that takes turns like a clock can keep step with the
 * sampler's clock, and is then always caught at the same part. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct part {
	const char *name;
	double share;	   /* of 1 */
	void (*run)(void); /* some 100 microseconds */
	uint64_t spent_ns;
};

static inline uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline int random_number(void)
{
	static uint64_t state = 88172645463325252;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int)(state >> 40);
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
		for (int i = random_number() % 16; i >= 0; i--)
			part->run();
		part->spent_ns += cpu_ns() - start;
	}
}
