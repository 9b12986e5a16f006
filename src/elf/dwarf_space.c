#include "elf/dwarf_space.h"

#include <dwarf.h>

#include "base/mem.h"
#include "elf/dwarf.h"
#include "elf/dwarf_unit.h"

enum {
	DIES_MAX = 1 << 24, /* of one unit; the largest seen have some million */
	SPACES_MAX = 1 << 22,
};

void dwarf_spaces_deinit(struct dwarf_spaces *spaces)
{
	mem_free(spaces->rows);
	*spaces = (struct dwarf_spaces){0};
}

/* ---- walking ---- */

struct walk {
	struct dwarf_spaces *spaces;
	int depth;
	Dwarf_Die dies[DWARF_SPACES_DEPTH];	 /* where we are, by depth */
	uint32_t opened[DWARF_SPACES_DEPTH + 1]; /* the space whose children they are: index + 1 */
};

static bool is_space(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

static bool add_space(struct walk *walk, uint64_t start)
{
	struct dwarf_spaces *spaces = walk->spaces;
	struct dwarf_space *rows =
		spaces->count < SPACES_MAX
			? mem_grow(spaces->rows, &spaces->cap, spaces->count + 1, sizeof(*rows))
			: NULL;

	if (!rows)
		return false;
	spaces->rows = rows;
	rows[spaces->count++] = (struct dwarf_space){start, UINT64_MAX, walk->opened[walk->depth]};
	walk->opened[walk->depth + 1] = (uint32_t)spaces->count;
	return true;
}

static bool enter(struct walk *walk)
{
	Dwarf_Die *die = &walk->dies[walk->depth];

	if (!is_space(dwarf_tag(die)) || walk->depth + 1 == DWARF_SPACES_DEPTH ||
	    dwarf_child(die, die + 1) || !add_space(walk, dwarf_dieoffset(die)))
		return false;
	walk->depth++;
	return true;
}

/* To the DIE behind this one and all in it; what we leave on the way up ends there. */
static bool pass(struct walk *walk)
{
	for (int left = walk->depth; walk->depth >= 0; walk->depth--) {
		Dwarf_Die *die = &walk->dies[walk->depth];
		/* Onto itself is what libdw allows. */
		if (dwarf_siblingof(die, die))
			continue;
		for (int depth = walk->depth + 1; depth <= left; depth++)
			walk->spaces->rows[walk->opened[depth] - 1].end = dwarf_dieoffset(die);
		return true;
	}
	return false;
}

void dwarf_spaces_walk(Dwarf_Die *unit, struct dwarf_ranges *functions, struct dwarf_spaces *spaces)
{
	struct walk walk = {.spaces = spaces};

	if (dwarf_child(unit, &walk.dies[0]))
		return;
	for (uint32_t i = 0; i < DIES_MAX; i++) {
		Dwarf_Die *die = &walk.dies[walk.depth];
		if (dwarf_tag(die) == DW_TAG_subprogram &&
		    dwarf_die_ranges(die, dwarf_dieoffset(die), functions, NULL))
			return;
		if (!enter(&walk) && !pass(&walk))
			return;
	}
}

/* ---- names ---- */

/* The innermost space around an offset: index + 1, or 0. */
static uint32_t find_space(const struct dwarf_spaces *spaces, uint64_t offset)
{
	size_t low = 0, high = spaces->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (spaces->rows[middle].start < offset)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t at = (uint32_t)low;
	while (at > 0 && offset >= spaces->rows[at - 1].end)
		at = spaces->rows[at - 1].parent;
	return at;
}

static struct str space_name(Dwarf *dwarf, uint64_t offset)
{
	Dwarf_Attribute attr;
	Dwarf_Die die;

	if (!dwarf_offdie(dwarf, offset, &die))
		return STR("");
	const char *name = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_name, &attr));
	if (name)
		return str_make(name, strnlen(name, DWARF_TEXT_MAX));
	/* As demanglers write it. */
	return dwarf_tag(&die) == DW_TAG_namespace ? STR("(anonymous namespace)") : STR("");
}

struct str dwarf_spaces_qualify(const struct dwarf_spaces *spaces, Dwarf_Die *die, struct str name,
				struct arena *arena)
{
	Dwarf *dwarf = dwarf_cu_getdwarf(die->cu);
	uint32_t at = find_space(spaces, dwarf_dieoffset(die));

	while (at > 0 && name.len < DWARF_TEXT_MAX) {
		struct str space = space_name(dwarf, spaces->rows[at - 1].start);
		struct str longer =
			arena_printf(arena, "%.*s::%.*s", STR_ARG(space), STR_ARG(name));
		if (longer.ptr && space.len > 0)
			name = longer;
		at = spaces->rows[at - 1].parent;
	}
	return name;
}
