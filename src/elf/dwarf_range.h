/* Private to elf/: address ranges that name something, searched by address. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct dwarf_range {
	uint64_t start, end; /* [start, end) */
	uint64_t item;
};

struct dwarf_ranges {
	struct dwarf_range *rows;
	size_t count, cap;
	bool sorted;
};

void dwarf_ranges_deinit(struct dwarf_ranges *ranges); /* a zeroed one is fine */
/* Empty ranges, and those that the linker took out (start 0), are passed over. */
MUST_USE int dwarf_ranges_add(struct dwarf_ranges *ranges, uint64_t start, uint64_t end,
			      uint64_t item, struct err *err);
/* The range with the highest start that holds the address, or NULL. */
const struct dwarf_range *dwarf_ranges_find(struct dwarf_ranges *ranges, uint64_t address);
