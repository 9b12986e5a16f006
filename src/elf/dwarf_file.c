/* An address leads to its unit by the ranges that the units' DIEs say (all
 * compilers write them; .debug_aranges only some, so it is the second choice),
 * in the unit to the function, and below that from one inlined call to the next. */
#include "elf/dwarf_file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "elf/dwarf_path.h"
#include "elf/dwarf_unit.h"
#include "elf/elf.h"

enum {
	UNITS_MAX = 1 << 20,
	TEXTS_BYTES = 4 << 20, /* of one answer */
	SCOPES_MAX = 1024,     /* blocks and inlined calls, one in the other */
	SIBLINGS_MAX = 1 << 20,
	ORIGINS_MAX = 4, /* an instance of a definition of a declaration */
};

struct dwarf_file {
	Elf *elf, *alt_elf;
	Dwarf *dwarf, *alt;
	struct dwarf_unit *units;
	size_t unit_count, unit_cap;
	struct dwarf_ranges ranges; /* item: index of the unit */
	struct arena texts;
	struct buf scratch;
};

/* ---- opening ---- */

static int read_unit(struct dwarf_file *file, const Dwarf_Die *die, struct err *err)
{
	struct dwarf_unit *units =
		mem_grow(file->units, &file->unit_cap, file->unit_count + 1, sizeof(*units));
	if (!units)
		return err_set(err, ERR_NOMEM, "DWARF: no memory for a unit");
	file->units = units;
	struct dwarf_unit *unit = &units[file->unit_count];
	*unit = (struct dwarf_unit){.die = *die};
	return dwarf_die_ranges(&unit->die, file->unit_count++, &file->ranges, err);
}

/* Split units (.dwo) are not looked for: what is here has the lines. */
static int read_units(struct dwarf_file *file, struct err *err)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int rc = 0;

	while (rc == 0 && dwarf_get_units(file->dwarf, cu, &cu, NULL, &type, &die, NULL) == 0) {
		if (file->unit_count == UNITS_MAX)
			return err_set(err, ERR_LIMIT, "DWARF: more than %d units", UNITS_MAX);
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			rc = read_unit(file, &die, err);
	}
	if (rc == 0 && file->unit_count == 0)
		rc = err_set(err, ERR_NOT_FOUND, "DWARF: there is none in the file");
	return rc;
}

/* libdw's own way out is exit(), which would run what the agent has to do at its end. */
static __attribute__((noreturn)) void out_of_memory(void)
{
	_exit(EXIT_FAILURE);
}

static int open_dwarf(Elf *elf, Dwarf **ret, struct err *err)
{
	*ret = elf ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
	if (!*ret)
		return err_set(err, ERR_NOT_FOUND, "DWARF: %s", dwarf_errmsg(-1));
	(void)dwarf_new_oom_handler(*ret, out_of_memory);
	return 0;
}

static int fill_file(struct dwarf_file *file, struct err *err)
{
	int rc = open_dwarf(file->elf, &file->dwarf, err);

	if (rc)
		return rc;
	if (file->alt_elf && open_dwarf(file->alt_elf, &file->alt, NULL) == 0)
		dwarf_setalt(file->dwarf, file->alt);
	return read_units(file, err);
}

static int create_file(Elf *elf, Elf *alt_elf, struct dwarf_file **ret, struct err *err)
{
	struct dwarf_file *file = mem_zalloc(1, sizeof(*file));

	if (!file) {
		elf_end(elf);
		elf_end(alt_elf);
		return err_set(err, ERR_NOMEM, "DWARF: no memory");
	}
	*file = (struct dwarf_file){.elf = elf, .alt_elf = alt_elf};
	arena_init(&file->texts, TEXTS_BYTES);
	buf_init(&file->scratch, 0);
	int rc = fill_file(file, err);
	if (rc)
		dwarf_file_close(file);
	else
		*ret = file;
	return rc;
}

int dwarf_file_open(const struct dwarf_fds *fds, struct dwarf_file **ret, struct err *err)
{
	(void)elf_version(EV_CURRENT);
	return create_file(elf_begin(fds->debug, ELF_C_READ_MMAP, NULL),
			   fds->alt < 0 ? NULL : elf_begin(fds->alt, ELF_C_READ_MMAP, NULL), ret,
			   err);
}

int dwarf_file_open_memory(char *image, size_t len, struct dwarf_file **ret, struct err *err)
{
	(void)elf_version(EV_CURRENT);
	return create_file(elf_memory(image, len), NULL, ret, err);
}

void dwarf_file_close(struct dwarf_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->unit_count; i++)
		dwarf_unit_deinit(&file->units[i]);
	mem_free(file->units);
	dwarf_ranges_deinit(&file->ranges);
	(void)dwarf_end(file->dwarf);
	(void)dwarf_end(file->alt);
	elf_end(file->elf);
	elf_end(file->alt_elf);
	arena_deinit(&file->texts);
	buf_deinit(&file->scratch);
	mem_free(file);
}

/* ---- from an address to the functions there ---- */

/* The unit whose DIE is at the offset; units are in the order of their offsets. */
static struct dwarf_unit *unit_at(struct dwarf_file *file, Dwarf_Off offset)
{
	for (size_t low = 0, high = file->unit_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		Dwarf_Off there = dwarf_dieoffset(&file->units[middle].die);
		if (there == offset)
			return &file->units[middle];
		if (there < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* By .debug_aranges, for units that do not say their ranges themselves. */
static struct dwarf_unit *unit_by_aranges(struct dwarf_file *file, uint64_t vaddr)
{
	Dwarf_Aranges *aranges;
	Dwarf_Off offset;
	size_t count;

	if (dwarf_getaranges(file->dwarf, &aranges, &count) ||
	    dwarf_getarangeinfo(dwarf_getarange_addr(aranges, vaddr), NULL, NULL, &offset))
		return NULL;
	return unit_at(file, offset);
}

static struct dwarf_unit *find_unit(struct dwarf_file *file, uint64_t vaddr)
{
	const struct dwarf_range *found = dwarf_ranges_find(&file->ranges, vaddr);

	return found ? &file->units[found->item] : unit_by_aranges(file, vaddr);
}

static bool is_scope(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* The child of a scope that holds the address. */
static bool inner_scope(Dwarf_Die *die, uint64_t vaddr, Dwarf_Die *ret)
{
	if (dwarf_child(die, ret))
		return false;
	for (uint32_t i = 0; i < SIBLINGS_MAX; i++) {
		if (is_scope(dwarf_tag(ret)) && dwarf_haspc(ret, vaddr) > 0)
			return true;
		if (dwarf_siblingof(ret, ret))
			return false;
	}
	return false;
}

/* The function and the calls inlined into it at the address, outermost first. */
static uint32_t find_calls(struct dwarf_unit *unit, uint64_t vaddr, Dwarf_Die *calls)
{
	uint32_t count = 0;
	Dwarf_Die die, next;

	if (!dwarf_unit_function(unit, vaddr, &die))
		return 0;
	calls[count++] = die;
	for (uint32_t i = 0; i < SCOPES_MAX && count < DWARF_ROWS_MAX; i++) {
		if (!inner_scope(&die, vaddr, &next))
			break;
		die = next;
		if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
			calls[count++] = die;
	}
	return count;
}

/* ---- rows ---- */

/* Also of what the DIE is an instance of (DW_AT_abstract_origin, DW_AT_specification). */
static struct str die_text(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	const char *text = dwarf_formstring(dwarf_attr_integrate(die, name, &attr));

	return text ? str_make(text, strnlen(text, DWARF_TEXT_MAX)) : STR("");
}

static Dwarf_Word die_number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &attr), &value) ? 0 : value;
}

/* The DIE that an instance or a definition is of, where the function was declared. */
static Dwarf_Die declaration_of(Dwarf_Die die)
{
	static const unsigned int names[] = {DW_AT_abstract_origin, DW_AT_specification};
	Dwarf_Attribute attr;
	Dwarf_Die next;

	for (size_t step = 0; step < 2 * ORIGINS_MAX; step++) {
		if (dwarf_formref_die(dwarf_attr(&die, names[step % 2], &attr), &next))
			die = next;
	}
	return die;
}

/* What has no linkage name, since no other file can mean it, has no namespace in its name. */
static struct str qualified_name(struct dwarf_file *file, Dwarf_Die *die, struct str name)
{
	Dwarf_Die declaration = declaration_of(*die), unit_die;
	struct dwarf_unit *unit = NULL;

	if (dwarf_cu_die(declaration.cu, &unit_die, NULL, NULL, NULL, NULL, NULL, NULL))
		unit = unit_at(file, dwarf_dieoffset(&unit_die));
	return unit ? dwarf_unit_qualify(unit, &declaration, name, &file->texts) : name;
}

static void name_row(struct dwarf_file *file, Dwarf_Die *die, struct dwarf_row *row)
{
	struct str linkage = die_text(die, DW_AT_linkage_name);

	if (linkage.len == 0)
		linkage = die_text(die, DW_AT_MIPS_linkage_name);
	if (linkage.len == 0) {
		row->system_name = die_text(die, DW_AT_name);
		row->name = qualified_name(file, die, row->system_name);
		return;
	}
	row->system_name = linkage;
	struct str display = symbol_display_name(linkage, &file->scratch);
	if (display.ptr == file->scratch.ptr)
		display = arena_str(&file->texts, display);
	row->name = display.ptr ? display : linkage;
}

static uint32_t small_number(Dwarf_Word value)
{
	return value > INT32_MAX ? 0 : (uint32_t)value;
}

static void place_row(struct dwarf_file *file, const struct dwarf_unit *unit,
		      const struct dwarf_place *place, struct dwarf_row *row)
{
	row->file = dwarf_path_clean(&file->texts, unit->dir, place->file);
	row->line = place->line > 0 ? (uint32_t)place->line : 0;
	row->column = place->column > 0 ? (uint32_t)place->column : 0;
}

/* libdw's own way takes 0 for "none", which it is before DWARF 5 only (section 6.2.4: files count from 0). */
static const char *declared_file(struct dwarf_unit *unit, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word index;

	if (!dwarf_attr_integrate(die, DW_AT_decl_file, &attr) || dwarf_formudata(&attr, &index))
		return NULL;
	return attr.cu == unit->die.cu ? dwarf_unit_file(unit, index) : dwarf_decl_file(die);
}

/* A function can reach into another file (#include, #line); its start then says nothing there. */
static void start_row(struct dwarf_file *file, struct dwarf_unit *unit, Dwarf_Die *die,
		      struct dwarf_row *row)
{
	struct str declared = dwarf_path_clean(&file->texts, unit->dir, declared_file(unit, die));
	int line;

	if (row->file.len > 0 && str_equal(declared, row->file) &&
	    dwarf_decl_line(die, &line) == 0 && line > 0)
		row->start_line = (uint32_t)line;
}

static struct dwarf_place call_place(struct dwarf_unit *unit, Dwarf_Die *call)
{
	return (struct dwarf_place){
		.file = dwarf_unit_file(unit, die_number(call, DW_AT_call_file)),
		.line = (int)small_number(die_number(call, DW_AT_call_line)),
		.column = (int)small_number(die_number(call, DW_AT_call_column)),
	};
}

uint32_t dwarf_file_find(struct dwarf_file *file, uint64_t vaddr, struct dwarf_row *rows)
{
	Dwarf_Die calls[DWARF_ROWS_MAX];
	struct dwarf_unit *unit = find_unit(file, vaddr);

	arena_reset(&file->texts);
	if (!unit)
		return 0;
	struct dwarf_place place = dwarf_unit_line(unit, vaddr);
	uint32_t count = find_calls(unit, vaddr, calls);
	for (uint32_t i = 0; i < count; i++) {
		Dwarf_Die *die = &calls[count - 1 - i];
		rows[i] = (struct dwarf_row){.name = STR(""), .system_name = STR("")};
		name_row(file, die, &rows[i]);
		place_row(file, unit, &place, &rows[i]);
		start_row(file, unit, die, &rows[i]);
		place = call_place(unit, die);
	}
	if (count > 0 || !place.file)
		return count;
	/* Code that no function claims, of an assembler file perhaps. */
	rows[0] = (struct dwarf_row){.name = STR(""), .system_name = STR("")};
	place_row(file, unit, &place, &rows[0]);
	return 1;
}
