/* Sets of CPUs as the kernel and users write them: "0-3,8". Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { CPUS_MAX = 4096 };

struct cpu_set {
	uint64_t words[CPUS_MAX / 64];
};

static inline bool cpu_set_has(const struct cpu_set *set, uint32_t cpu)
{
	return cpu < CPUS_MAX && (set->words[cpu / 64] >> (cpu % 64) & 1);
}

uint32_t cpu_set_count(const struct cpu_set *set);
/* Highest member + 1; 0 when empty. */
uint32_t cpu_set_end(const struct cpu_set *set);
/* ERR_INVALID says which part is wrong. Blank text is the empty set. */
MUST_USE int cpu_set_parse(struct str text, struct cpu_set *ret, struct err *err);
/* From /sys/devices/system/cpu/online. */
MUST_USE int cpu_set_online(struct cpu_set *ret, struct err *err);
