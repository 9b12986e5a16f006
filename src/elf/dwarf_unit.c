#include "elf/dwarf_unit.h"

#include <dwarf.h>
#include <string.h>

enum {
	RANGES_OF_DIE_MAX = 1 << 20,
};

void dwarf_unit_deinit(struct dwarf_unit *unit)
{
	dwarf_ranges_deinit(&unit->functions);
	dwarf_spaces_deinit(&unit->spaces);
}

int dwarf_die_ranges(Dwarf_Die *die, uint64_t item, struct dwarf_ranges *ranges, struct err *err)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < RANGES_OF_DIE_MAX; i++) {
		offset = dwarf_ranges(die, offset, &base, &start, &end);
		if (offset <= 0)
			return 0;
		rc = dwarf_ranges_add(ranges, start, end, item, err);
	}
	return rc;
}

/* ---- lines ---- */

static void read_lines(struct dwarf_unit *unit)
{
	Dwarf_Attribute attr;
	size_t count;

	if (unit->lines_read)
		return;
	unit->lines_read = true;
	unit->dir = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_comp_dir, &attr));
	if (dwarf_getsrclines(&unit->die, &unit->lines, &unit->line_count))
		unit->line_count = 0;
	if (dwarf_getsrcfiles(&unit->die, &unit->files, &count))
		unit->files = NULL;
}

const char *dwarf_unit_file(struct dwarf_unit *unit, Dwarf_Word index)
{
	read_lines(unit);
	const char *name = unit->files ? dwarf_filesrc(unit->files, index, NULL, NULL) : NULL;
	/* What libdw says of row 0 where there is none. */
	return name && strcmp(name, "???") != 0 ? name : NULL;
}

static uint64_t line_address(const struct dwarf_unit *unit, size_t i)
{
	Dwarf_Addr address = 0;

	(void)dwarf_lineaddr(dwarf_onesrcline(unit->lines, i), &address);
	return address;
}

/* The table is sorted; of rows with the same address the last one counts (the others describe no
 * byte), and an end of a sequence comes before what begins there. */
static Dwarf_Line *find_line(const struct dwarf_unit *unit, uint64_t vaddr)
{
	size_t low = 0, high = unit->line_count;
	bool end = true;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (line_address(unit, middle) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	Dwarf_Line *line = dwarf_onesrcline(unit->lines, low - 1);
	return dwarf_lineendsequence(line, &end) || end ? NULL : line;
}

struct dwarf_place dwarf_unit_line(struct dwarf_unit *unit, uint64_t vaddr)
{
	struct dwarf_place place = {0};

	read_lines(unit);
	Dwarf_Line *line = find_line(unit, vaddr);
	if (!line)
		return place;
	place.file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &place.line))
		place.line = 0;
	if (dwarf_linecol(line, &place.column))
		place.column = 0;
	return place;
}

/* ---- functions ---- */

static void read_functions(struct dwarf_unit *unit)
{
	if (!unit->functions_read)
		dwarf_spaces_walk(&unit->die, &unit->functions, &unit->spaces);
	unit->functions_read = true;
}

bool dwarf_unit_function(struct dwarf_unit *unit, uint64_t vaddr, Dwarf_Die *ret)
{
	read_functions(unit);
	const struct dwarf_range *found = dwarf_ranges_find(&unit->functions, vaddr);
	return found && dwarf_offdie(dwarf_cu_getdwarf(unit->die.cu), found->item, ret) != NULL;
}

struct str dwarf_unit_qualify(struct dwarf_unit *unit, Dwarf_Die *die, struct str name,
			      struct arena *arena)
{
	read_functions(unit);
	return dwarf_spaces_qualify(&unit->spaces, die, name, arena);
}
