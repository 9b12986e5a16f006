#include "base/clock.h"

#include <errno.h>
#include <time.h>

static uint64_t read_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
	return read_clock_ns(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
	return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_real_offset_ns(void)
{
	enum { TRIES = 5 };
	uint64_t best_gap_ns = UINT64_MAX;
	int64_t offset_ns = 0;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before_ns = clock_mono_ns();
		uint64_t real_ns = clock_real_ns();
		uint64_t gap_ns = clock_mono_ns() - before_ns;
		if (gap_ns >= best_gap_ns)
			continue;
		best_gap_ns = gap_ns;
		offset_ns = (int64_t)(real_ns - (before_ns + gap_ns / 2));
	}
	return offset_ns;
}

void clock_sleep_until_ns(uint64_t mono_deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(mono_deadline_ns / NS_PER_S),
		.tv_nsec = (long)(mono_deadline_ns % NS_PER_S),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}
