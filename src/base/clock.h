/* Time in nanoseconds. Any thread. */
#pragma once

#include <stdint.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC, what BPF's ktime_get_ns gives */
uint64_t clock_real_ns(void); /* CLOCK_REALTIME, since 1970 */
uint64_t clock_thread_cpu_ns(void);
/* realtime - monotonic, measured between two monotonic reads, the tightest of a few. */
int64_t clock_real_offset_ns(void);
/* Sleeps until the monotonic deadline, through signals. */
void clock_sleep_until_ns(uint64_t mono_deadline_ns);
