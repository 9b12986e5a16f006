/* Private to elf/: the namespaces and types of a unit, which the names of the functions in them lack.
 * Found while the unit's functions are. */
#pragma once

#include <elfutils/libdw.h>

#include "base/arena.h"
#include "base/err.h"
#include "elf/dwarf_range.h"

enum { DWARF_SPACES_DEPTH = 64 };

struct dwarf_space {
	uint64_t start, end; /* offsets of its DIE, and of the one behind all that is in it */
	uint32_t parent;     /* index + 1, 0: none */
};

struct dwarf_spaces {
	struct dwarf_space *rows; /* by start */
	size_t count, cap;
};

void dwarf_spaces_deinit(struct dwarf_spaces *spaces); /* a zeroed one is fine */
/* Walks the unit's DIEs but for what is inside of functions: adds the address ranges of functions (item:
 * offset of the DIE) and the spaces. Ends early where the unit is damaged or memory is short. */
void dwarf_spaces_walk(Dwarf_Die *unit, struct dwarf_ranges *functions,
		       struct dwarf_spaces *spaces);
/* The name with the names of the spaces that its DIE is in: "a::B<int>::name". */
struct str dwarf_spaces_qualify(const struct dwarf_spaces *spaces, Dwarf_Die *die, struct str name,
				struct arena *arena);
