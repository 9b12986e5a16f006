/* Private to elf/: one compilation unit: its line table and where its functions are. Read when an
 * address of it is asked for the first time. */
#pragma once

#include <elfutils/libdw.h>

#include "elf/dwarf_range.h"
#include "elf/dwarf_space.h"

struct dwarf_unit {
	Dwarf_Die die;
	bool lines_read, functions_read;
	Dwarf_Lines *lines;
	size_t line_count;
	Dwarf_Files *files; /* what DW_AT_call_file and DW_AT_decl_file count */
	const char *dir;    /* where the compiler ran, or NULL */
	struct dwarf_spaces spaces;
	struct dwarf_ranges functions; /* item: offset of the DIE */
};

struct dwarf_place {
	const char *file; /* or NULL */
	int line, column;
};

void dwarf_unit_deinit(struct dwarf_unit *unit);
/* Where the machine code at vaddr comes from; all empty when the table does not say. */
struct dwarf_place dwarf_unit_line(struct dwarf_unit *unit, uint64_t vaddr);
/* A row of the table of files; NULL when there is none. */
const char *dwarf_unit_file(struct dwarf_unit *unit, Dwarf_Word index);
/* The function whose machine code is at vaddr. */
bool dwarf_unit_function(struct dwarf_unit *unit, uint64_t vaddr, Dwarf_Die *ret);
/* The name of a function of this unit with the namespaces and types around it. */
struct str dwarf_unit_qualify(struct dwarf_unit *unit, Dwarf_Die *die, struct str name,
			      struct arena *arena);
/* Adds the address ranges of a DIE. */
MUST_USE int dwarf_die_ranges(Dwarf_Die *die, uint64_t item, struct dwarf_ranges *ranges,
			      struct err *err);
