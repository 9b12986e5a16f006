#include "agent/symbolize.h"

#include <string.h>

#include "base/clock.h"

enum {
	KERNEL_FILE = FILES_MAX, /* beside the ids of files */
	ADDRESS_BITS = 48,
};

/* Where the address space of a process ends at most (x86-64 with 5 levels, arm64: 2^56 and less). */
static const uint64_t user_limit = 1ULL << 56;

/* A location that may get lines. */
struct symbolizer_wish {
	uint32_t location, file;
	uint64_t address;
	bool named; /* by a symbol table */
};

void symbolizer_deinit(struct symbolizer *symbolizer)
{
	lines_destroy(symbolizer->lines);
	jit_destroy(symbolizer->jit);
	map_deinit(&symbolizer->locations);
	map_deinit(&symbolizer->mappings);
}

static int text_attr(struct profile_batch *batch, struct str key, struct str text, uint32_t *ret,
		     struct err *err)
{
	struct value value = {.kind = VALUE_STRING, .text = text};
	return profile_attribute(batch, key, &value, STR(""), ret, err);
}

int symbolizer_begin(struct symbolizer *symbolizer, struct profile_batch *batch, struct err *err)
{
	symbolizer->batch = batch;
	symbolizer->wishes = NULL; /* they were in the arena of the batch before */
	symbolizer->wish_count = symbolizer->wish_cap = 0;
	map_clear(&symbolizer->locations);
	map_clear(&symbolizer->mappings);
	if (symbolizer->jit)
		jit_expire(symbolizer->jit, clock_mono_ns());
	struct str key = STR("profile.frame.type");
	int rc = text_attr(batch, key, STR("native"), &symbolizer->native_attr, err);
	if (rc == 0)
		rc = text_attr(batch, key, STR("kernel"), &symbolizer->kernel_attr, err);
	return rc;
}

/* ---- mappings ---- */

static int add_mapping(struct symbolizer *symbolizer, uint64_t key, struct profile_mapping *row,
		       struct str name, struct str build_id, struct str htlhash, uint32_t *ret,
		       struct err *err)
{
	uint32_t attrs[2], count = 0;
	int rc = profile_string(symbolizer->batch, name, &row->filename, err);
	if (rc == 0 && build_id.len > 0)
		rc = text_attr(symbolizer->batch, STR("process.executable.build_id.gnu"), build_id,
			       &attrs[count++], err);
	if (rc == 0 && htlhash.len > 0)
		rc = text_attr(symbolizer->batch, STR("process.executable.build_id.htlhash"),
			       htlhash, &attrs[count++], err);
	row->attrs = attrs;
	row->attr_count = count;
	if (rc == 0)
		rc = profile_mapping(symbolizer->batch, row, ret, err);
	row->attrs = NULL;
	return rc ? rc : map_put(&symbolizer->mappings, key, *ret, err);
}

/* File names may be any bytes, the strings of a profile are UTF-8. */
static void clean_name(struct str name, char *ret, size_t cap)
{
	str_copy(ret, cap, name);
	for (size_t i = 0; !str_is_utf8(str_of(ret)) && ret[i]; i++)
		ret[i] = (unsigned char)ret[i] < 0x80 ? ret[i] : '?';
}

static int file_mapping(struct symbolizer *symbolizer, uint32_t file, uint32_t *ret,
			struct err *err)
{
	const uint64_t *known = map_get(&symbolizer->mappings, file);
	if (known) {
		*ret = (uint32_t)*known;
		return 0;
	}
	struct file_info info;
	files_get_info(symbolizer->files, file, &info);
	struct profile_mapping row = {.memory_start = info.text_start,
				      .memory_limit = info.text_limit};
	if (row.memory_limit == 0)
		row.memory_limit = user_limit;
	char name[256];
	clean_name(info.name, name, sizeof(name));
	return add_mapping(symbolizer, file, &row, str_of(name), info.build_id, info.htlhash, ret,
			   err);
}

static int module_mapping(struct symbolizer *symbolizer, const struct kernel_module *module,
			  uint32_t *ret, struct err *err)
{
	static const struct kernel_module unknown = {.name = {"vmlinux", 7}, .build_id = ""};
	if (!module)
		module = &unknown;
	const uint64_t *known = map_get(&symbolizer->mappings, (uintptr_t)module);
	if (known) {
		*ret = (uint32_t)*known;
		return 0;
	}
	struct profile_mapping row = {.memory_limit = module->size ? module->size : UINT64_MAX};
	return add_mapping(symbolizer, (uintptr_t)module, &row, module->name,
			   str_of(module->build_id), STR(""), ret, err);
}

/* ---- locations ---- */

struct name {
	struct str display, system; /* empty: no name */
};

static int add_location(struct symbolizer *symbolizer, uint32_t mapping, uint64_t address,
			const struct name *name, uint32_t type_attr, uint32_t *ret, struct err *err)
{
	struct profile_function function = {0};
	struct profile_line line = {0};
	struct profile_location row = {.mapping = mapping, .address = address};
	int rc = 0;
	if (name->display.len > 0) {
		rc = profile_string(symbolizer->batch, name->display, &function.name, err);
		if (rc == 0)
			rc = profile_string(symbolizer->batch, name->system, &function.system_name,
					    err);
		if (rc == 0)
			rc = profile_function(symbolizer->batch, &function, &line.function, err);
		row.lines = &line;
		row.line_count = 1;
	}
	if (type_attr) {
		row.attrs = &type_attr;
		row.attr_count = 1;
	}
	return rc ? rc : profile_location(symbolizer->batch, &row, ret, err);
}

static bool find_location(const struct symbolizer *symbolizer, uint32_t file, uint64_t address,
			  uint32_t *ret)
{
	const uint64_t *known =
		map_get(&symbolizer->locations, (uint64_t)file << ADDRESS_BITS | address);
	if (address >> ADDRESS_BITS || !known)
		return false;
	*ret = (uint32_t)*known;
	return true;
}

static int keep_location(struct symbolizer *symbolizer, uint32_t file, uint64_t address,
			 uint32_t location, struct err *err)
{
	if (address >> ADDRESS_BITS)
		return 0;
	return map_put(&symbolizer->locations, (uint64_t)file << ADDRESS_BITS | address, location,
		       err);
}

/* The top bits of kernel addresses are all ones, so the low 48 say it all. */
static uint64_t short_kernel_address(uint64_t address)
{
	return address & ((1ULL << ADDRESS_BITS) - 1);
}

int symbolizer_kernel(struct symbolizer *symbolizer, uint64_t address, bool leaf, uint32_t *ret,
		      struct err *err)
{
	address -= leaf ? 0 : 1;
	uint64_t key = short_kernel_address(address);
	if (find_location(symbolizer, KERNEL_FILE, key, ret))
		return 0;
	struct kernel_symbol symbol = {0};
	struct name name = {0};
	if (symbolizer->kernel && kallsyms_find(symbolizer->kernel, address, &symbol)) {
		name.display = name.system = symbol.name;
		address -= symbol.module->start;
	}
	uint32_t mapping;
	int rc = module_mapping(symbolizer, symbol.module, &mapping, err);
	if (rc == 0)
		rc = add_location(symbolizer, mapping, address, &name, symbolizer->kernel_attr, ret,
				  err);
	return rc ? rc : keep_location(symbolizer, KERNEL_FILE, key, *ret, err);
}

static const struct lines_options lines_options;

/* Without memory there are no lines; the names are there. */
static void wish_lines(struct symbolizer *symbolizer, const struct symbolizer_wish *wish,
		       const struct file_place *place)
{
	struct profile_batch *batch = symbolizer->batch;
	if (!symbolizer->lines &&
	    lines_create(symbolizer->files, &lines_options, &symbolizer->lines, NULL))
		return;
	struct symbolizer_wish *wishes =
		arena_grow(batch->arena, symbolizer->wishes, &symbolizer->wish_cap,
			   symbolizer->wish_count + 1, sizeof(*wishes));
	if (!wishes)
		return;
	symbolizer->wishes = wishes;
	wishes[symbolizer->wish_count++] = *wish;
	lines_want(symbolizer->lines, wish->file, place, wish->address);
}

static int file_location(struct symbolizer *symbolizer, uint32_t file,
			 const struct file_place *place, uint64_t offset, uint32_t *ret,
			 struct err *err)
{
	uint64_t address = offset;
	bool known_place = files_vaddr(symbolizer->files, file, offset, &address);
	if (find_location(symbolizer, file, address, ret))
		return 0;
	struct symbol_found found;
	struct name name = {0};
	if (known_place && files_symbol(symbolizer->files, file, place, address, &found)) {
		name = (struct name){found.name, found.system_name};
		symbolizer->named++;
	} else {
		symbolizer->unnamed++;
	}
	uint32_t mapping;
	int rc = file_mapping(symbolizer, file, &mapping, err);
	if (rc == 0)
		rc = add_location(symbolizer, mapping, address, &name, symbolizer->native_attr, ret,
				  err);
	const struct symbolizer_wish wish = {*ret, file, address, name.display.len > 0};
	if (rc == 0 && known_place)
		wish_lines(symbolizer, &wish, place);
	return rc ? rc : keep_location(symbolizer, file, address, *ret, err);
}

/* Each process has its own code at an address, so these are kept for none. Without a name the memory's
 * own stands for it, or every address would be a function to those who look at it. */
static int memory_location(struct symbolizer *symbolizer, const struct process *process,
			   uint32_t file, uint64_t address, uint32_t *ret, struct err *err)
{
	struct symbol_found found;
	struct file_info info;
	struct name name;
	uint32_t mapping;
	char text[256];
	bool ready =
		symbolizer->jit || jit_create(symbolizer->files, 0, &symbolizer->jit, NULL) == 0;
	if (ready && jit_symbol(symbolizer->jit, process, address, &found)) {
		name = (struct name){found.name, found.system_name};
		symbolizer->named++;
	} else {
		files_get_info(symbolizer->files, file, &info);
		clean_name(info.name, text, sizeof(text));
		name = (struct name){str_of(text), str_of(text)};
		symbolizer->unnamed++;
	}
	int rc = file_mapping(symbolizer, file, &mapping, err);
	return rc ? rc
		  : add_location(symbolizer, mapping, address, &name, symbolizer->native_attr, ret,
				 err);
}

int symbolizer_user(struct symbolizer *symbolizer, struct process *process, uint64_t address,
		    bool leaf, bool *ret_mapped, uint32_t *ret, struct err *err)
{
	address -= leaf ? 0 : 1;
	const struct mapping *found = processes_mapping(symbolizer->processes, process, address);
	*ret_mapped = found != NULL;
	if (!found) {
		static const struct name none;
		return add_location(symbolizer, 0, address, &none, symbolizer->native_attr, ret,
				    err);
	}
	struct mapping mapping = *found;
	struct file_place place = {process->look_pid, mapping.start, mapping.end};
	uint32_t file = files_resolve(symbolizer->files, mapping.file, &place);
	if (files_is_code(symbolizer->files, file))
		return memory_location(symbolizer, process, file, address, ret, err);
	return file_location(symbolizer, file, &place, address - mapping.start + mapping.offset,
			     ret, err);
}

int symbolizer_note(struct symbolizer *symbolizer, const char *text, uint32_t *ret, struct err *err)
{
	struct name name = {str_of(text), str_of(text)};
	return add_location(symbolizer, 0, 0, &name, symbolizer->native_attr, ret, err);
}

/* ---- lines ---- */

/* The function of a row; by the symbol table's name (of the location so far) where there is one. */
static int row_function(struct symbolizer *symbolizer, const struct dwarf_row *row,
			const struct profile_line *known, uint32_t *ret, struct err *err)
{
	struct profile_batch *batch = symbolizer->batch;
	struct profile_function function = {.start_line = row->start_line};
	int rc = profile_string(batch, row->file, &function.filename, err);
	if (known) {
		function.name = batch->dict.functions[known->function].name;
		function.system_name = batch->dict.functions[known->function].system_name;
	} else {
		rc = rc ? rc : profile_string(batch, row->name, &function.name, err);
		rc = rc ? rc : profile_string(batch, row->system_name, &function.system_name, err);
	}
	return rc ? rc : profile_function(batch, &function, ret, err);
}

/* An inlined function without a name says nothing that its caller's row does not. */
static int fill_lines(struct symbolizer *symbolizer, const struct dwarf_row *rows, uint32_t count,
		      const struct profile_line *known, struct profile_line *lines,
		      uint32_t *ret_count, struct err *err)
{
	int rc = 0;
	*ret_count = 0;
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		bool last = i + 1 == count;
		if (!last && rows[i].name.len == 0)
			continue;
		struct profile_line *line = &lines[(*ret_count)++];
		*line = (struct profile_line){.line = rows[i].line, .column = rows[i].column};
		rc = row_function(symbolizer, &rows[i], last ? known : NULL, &line->function, err);
	}
	return rc;
}

static int grant(struct symbolizer *symbolizer, const struct symbolizer_wish *wish, struct err *err)
{
	struct profile_batch *batch = symbolizer->batch;
	struct profile_line lines[DWARF_ROWS_MAX], before = {0};
	const struct dwarf_row *rows;
	uint32_t count;
	bool whole;
	if (!lines_find(symbolizer->lines, wish->file, wish->address, &rows, &count, &whole))
		return 0;
	if (wish->named)
		before = batch->dict.locations[wish->location].lines[0];
	bool use_symbol = wish->named && (!whole || rows[count - 1].name.len == 0);
	bool newly_named = !wish->named && rows[count - 1].name.len > 0;
	int rc = fill_lines(symbolizer, rows, count, use_symbol ? &before : NULL, lines, &count,
			    err);
	symbolizer->named += newly_named;
	symbolizer->unnamed -= newly_named;
	return rc ? rc : profile_location_lines(batch, wish->location, lines, count, err);
}

uint32_t symbolizer_wait(struct symbolizer *symbolizer, uint64_t until_ns)
{
	return symbolizer->lines ? lines_wait(symbolizer->lines, until_ns) : 0;
}

int symbolizer_fd(const struct symbolizer *symbolizer)
{
	return symbolizer->lines ? lines_fd(symbolizer->lines) : -1;
}

void symbolizer_finish(struct symbolizer *symbolizer)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < symbolizer->wish_count; i++)
		rc = grant(symbolizer, &symbolizer->wishes[i], NULL);
	if (symbolizer->wish_count > 0)
		lines_tell(symbolizer->lines);
	symbolizer->wish_count = 0;
}
