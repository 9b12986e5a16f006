/* Private to the embedded engine: the calendar of its keys, in UTC. A day is
 * what retention drops; an hour is what a block never crosses, so that a scan
 * from the start of an hour sees every block that reaches into it. */
#pragma once

#include <stdint.h>

#define NS_PER_HOUR (3600ull * 1000 * 1000 * 1000)
#define NS_PER_DAY  (24 * NS_PER_HOUR)

static inline uint32_t day_of(uint64_t time_ns)
{
	return (uint32_t)(time_ns / NS_PER_DAY);
}

static inline uint32_t hour_of(uint64_t time_ns)
{
	return (uint32_t)(time_ns / NS_PER_HOUR);
}
