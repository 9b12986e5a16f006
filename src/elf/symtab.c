/* Gathering: executable ranges, then the functions of .symtab and .dynsym
 * (System V gABI, chapter 4, "Symbol Table"). The tables are read in pieces;
 * only functions stay in memory. */
#include "elf/symtab.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
	RANGES_MAX = 4096,
	PIECE_SYMBOLS = 2048,
	/* A kept function takes 12 bytes and a name. */
	LIMIT_PER_SYMBOL_BYTES = 24,
	/* Eleven million symbols. A sparse file costs nothing to make, and hours to read. */
	TABLE_BYTES_MAX = 256 << 20,
};

static int compare_ranges(const void *a, const void *b)
{
	const struct exec_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void add_range(struct symbol_set *set, uint64_t start, uint64_t size)
{
	if (size == 0 || size > UINT64_MAX - start || set->range_count == RANGES_MAX)
		return;
	set->ranges[set->range_count++] = (struct exec_range){start, start + size};
}

static void add_section_ranges(struct symbol_set *set, const struct elf_file *file)
{
	for (uint32_t i = 0; i < file->section_count; i++) {
		const struct elf_section *s = &file->sections[i];
		if ((s->flags & SHF_ALLOC) && (s->flags & SHF_EXECINSTR) && s->type != SHT_NOBITS)
			add_range(set, s->addr, s->size);
	}
}

static void add_segment_ranges(struct symbol_set *set, const struct elf_file *file)
{
	for (uint32_t i = 0; i < file->segment_count; i++)
		if (file->segments[i].exec)
			add_range(set, file->segments[i].vaddr, file->segments[i].mem_size);
}

int symbol_set_init(struct symbol_set *set, const struct elf_file *file, size_t limit_bytes,
		    struct err *err)
{
	*set = (struct symbol_set){
		.limit_bytes = limit_bytes,
		.max = limit_bytes / LIMIT_PER_SYMBOL_BYTES,
	};
	set->ranges = mem_alloc(RANGES_MAX * sizeof(*set->ranges));
	if (!set->ranges)
		return err_set(err, ERR_NOMEM, "no memory for executable ranges");
	add_section_ranges(set, file);
	if (set->range_count == 0 || set->range_count == RANGES_MAX) {
		set->range_count = 0;
		add_segment_ranges(set, file);
	}
	if (set->range_count == 0)
		return err_set(err, ERR_NOT_FOUND, "nothing in the file is executable");
	qsort(set->ranges, set->range_count, sizeof(*set->ranges), compare_ranges);
	return 0;
}

static void drop_pool(struct symbol_set *set, enum name_pool pool)
{
	mem_free((void *)(uintptr_t)set->pools[pool].ptr);
	set->pools[pool] = (struct str){0};
}

void symbol_set_deinit(struct symbol_set *set)
{
	mem_free(set->symbols);
	mem_free(set->ranges);
	for (enum name_pool i = 0; i < POOL_COUNT; i++)
		drop_pool(set, i);
	*set = (struct symbol_set){0};
}

int symbol_set_add(struct symbol_set *set, struct raw_symbol symbol, struct err *err)
{
	if (set->count == set->cap) {
		if (set->count >= set->max)
			return err_set(err, ERR_LIMIT,
				       "more than %zu functions, too many for %zu bytes", set->max,
				       set->limit_bytes);
		struct raw_symbol *grown =
			mem_grow(set->symbols, &set->cap, set->count + 1, sizeof(*grown));
		if (!grown)
			return err_set(err, ERR_NOMEM, "no memory for %zu functions",
				       set->count + 1);
		set->symbols = grown;
	}
	set->symbols[set->count++] = symbol;
	return 0;
}

const struct exec_range *symbol_set_range(const struct symbol_set *set, uint64_t addr)
{
	size_t low = 0, high = set->range_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (set->ranges[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && addr < set->ranges[low - 1].end ? &set->ranges[low - 1] : NULL;
}

struct str symbol_set_name(const struct symbol_set *set, const struct raw_symbol *symbol)
{
	const char *text = set->pools[symbol->pool].ptr + symbol->name;
	/* Bounded: a million symbols may share one name of many megabytes. */
	struct str name = str_make(text, strnlen(text, NAME_MAX_BYTES + 1));

	return name_cut(symbol->pool == POOL_PLT ? name : name_without_version(name));
}

/* Assemblers leave functions untyped; compilers and assemblers leave labels that are no function:
 * aarch64's $x and $d (AAELF64, "Mapping symbols"), .L labels, Fedora's .annobin. */
static bool is_label_name(const char *name)
{
	return name[0] != '$' && name[0] != '.';
}

static bool kind_of(uint8_t type, const char *name, enum symbol_kind *ret)
{
	if (type == STT_FUNC || type == STT_GNU_IFUNC) {
		*ret = KIND_FUNCTION;
		return true;
	}
	*ret = KIND_LABEL;
	return type == STT_NOTYPE && is_label_name(name);
}

static int take_symbol(struct symbol_set *set, enum name_pool pool, struct cur *c, struct err *err)
{
	struct raw_symbol s = {.pool = (uint8_t)pool};
	enum symbol_kind kind;

	s.name = cur_u32le(c);
	uint8_t info = cur_u8(c);
	(void)cur_u8(c); /* st_other */
	uint16_t section = cur_u16le(c);
	s.addr = cur_u64le(c);
	uint64_t size = cur_u64le(c);
	s.size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	if (section == SHN_UNDEF || s.name >= set->pools[pool].len)
		return 0;
	const char *name = set->pools[pool].ptr + s.name;
	if (name[0] == '\0' || !kind_of(ELF64_ST_TYPE(info), name, &kind) ||
	    !symbol_set_range(set, s.addr))
		return 0;
	s.kind = (uint8_t)kind;
	s.bind = ELF64_ST_BIND(info);
	return symbol_set_add(set, s, err);
}

static int take_piece(struct symbol_set *set, enum name_pool pool, const uint8_t *bytes,
		      size_t count, struct err *err)
{
	struct cur c = cur_make(bytes, count * ELF64_SYM_BYTES);

	for (size_t i = 0; i < count; i++) {
		int rc = take_symbol(set, pool, &c, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_table(struct symbol_set *set, const struct elf_file *file, enum name_pool pool,
		      const struct symtab_place *place, struct err *err)
{
	uint8_t *piece = mem_alloc(PIECE_SYMBOLS * ELF64_SYM_BYTES);
	uint64_t left = place->size / ELF64_SYM_BYTES;
	uint64_t offset = place->offset;
	int rc = 0;

	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read symbols");
	while (left > 0 && !rc) {
		size_t count = left < PIECE_SYMBOLS ? (size_t)left : PIECE_SYMBOLS;
		rc = elf_read(file, offset, piece, count * ELF64_SYM_BYTES, err);
		if (!rc)
			rc = take_piece(set, pool, piece, count, err);
		offset += count * ELF64_SYM_BYTES;
		left -= count;
	}
	mem_free(piece);
	return rc;
}

static int load_pool(struct symbol_set *set, const struct elf_file *file, enum name_pool pool,
		     const struct symtab_place *place, struct err *err)
{
	void *bytes;

	if (place->names_size > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "%llu bytes of names",
			       (unsigned long long)place->names_size);
	/* Only the names of functions stay, so the whole may be larger than the table. */
	int rc = elf_read_alloc(file, place->names_offset, place->names_size, 2 * set->limit_bytes,
				&bytes, err);
	if (rc)
		return rc;
	/* Of a table before that gave no functions. */
	drop_pool(set, pool);
	set->pools[pool] = str_make(bytes, (size_t)place->names_size);
	return 0;
}

int symtab_collect_place(struct symbol_set *set, const struct elf_file *file, enum name_pool pool,
			 const struct symtab_place *place, struct err *err)
{
	if (place->size > TABLE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a symbol table of %llu bytes",
			       (unsigned long long)place->size);
	int rc = load_pool(set, file, pool, place, err);
	return rc ? rc : read_table(set, file, pool, place, err);
}

static int collect_section(struct symbol_set *set, const struct elf_file *file, enum name_pool pool,
			   const struct elf_section *table, struct err *err)
{
	if (table->link >= file->section_count || file->sections[table->link].type != SHT_STRTAB)
		return err_set(err, ERR_CORRUPT, "a symbol table without names");
	const struct elf_section *names = &file->sections[table->link];
	const struct symtab_place place = {table->offset, table->size, names->offset, names->size};
	return symtab_collect_place(set, file, pool, &place, err);
}

static int collect_table(struct symbol_set *set, const struct elf_file *file, enum name_pool pool,
			 uint32_t type, struct err *err)
{
	for (uint32_t i = 0; i < file->section_count; i++) {
		if (file->sections[i].type != type)
			continue;
		int rc = collect_section(set, file, pool, &file->sections[i], err);
		return rc == ERR_CORRUPT ? 0 : rc;
	}
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct raw_symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Is every function of the piece in the sorted set already? */
static bool is_piece_known(const struct symbol_set *set, const uint8_t *bytes, size_t count)
{
	struct cur c = cur_make(bytes, count * ELF64_SYM_BYTES);

	for (size_t i = 0; i < count; i++) {
		cur_skip(&c, 4);
		uint8_t type = ELF64_ST_TYPE(cur_u8(&c));
		cur_skip(&c, 1);
		uint16_t section = cur_u16le(&c);
		struct raw_symbol key = {.addr = cur_u64le(&c)};
		cur_skip(&c, 8);
		bool counts = (type == STT_FUNC || type == STT_GNU_IFUNC) && section != SHN_UNDEF;
		if (counts &&
		    !bsearch(&key, set->symbols, set->count, sizeof(key), compare_addresses))
			return false;
	}
	return true;
}

/* .symtab mostly has all that .dynsym has. Then the names of the latter, some megabytes, need not be
 * read. False also when reading fails. */
static bool is_table_known(struct symbol_set *set, const struct elf_file *file,
			   const struct elf_section *table)
{
	uint8_t piece[128 * ELF64_SYM_BYTES];
	const uint64_t step = sizeof(piece) / ELF64_SYM_BYTES;
	uint64_t count = table->size / ELF64_SYM_BYTES;
	bool known = set->count > 0;

	if (known)
		qsort(set->symbols, set->count, sizeof(*set->symbols), compare_addresses);
	for (uint64_t at = 0; known && at < count; at += step) {
		size_t n = (size_t)(count - at < step ? count - at : step);
		known = elf_read(file, table->offset + at * ELF64_SYM_BYTES, piece,
				 n * ELF64_SYM_BYTES, NULL) == 0 &&
			is_piece_known(set, piece, n);
	}
	return known;
}

static int collect_dynsym(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	for (uint32_t i = 0; i < file->section_count; i++)
		if (file->sections[i].type == SHT_DYNSYM)
			return is_table_known(set, file, &file->sections[i])
				       ? 0
				       : collect_table(set, file, POOL_DYNSYM, SHT_DYNSYM, err);
	return 0;
}

int symtab_collect_full(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	return collect_table(set, file, POOL_SYMTAB, SHT_SYMTAB, err);
}

/* The first that has any; each is a part of the one before. */
static int collect_best(struct symbol_set *set, const struct elf_file *file,
			const struct elf_file *debug, struct err *err)
{
	int rc = symtab_collect_full(set, file, err);

	if (!rc && set->count == 0 && debug)
		rc = symtab_collect_full(set, debug, err);
	if (!rc && set->count == 0)
		rc = minidebug_collect(set, file, err);
	return rc;
}

int symtab_collect(struct symbol_set *set, const struct elf_file *file,
		   const struct elf_file *debug, struct err *err)
{
	int rc = collect_best(set, file, debug, err);
	size_t before = set->count;

	if (!rc)
		rc = collect_dynsym(set, file, err);
	if (!rc && set->count == before && before == 0)
		rc = dynamic_collect(set, file, err);
	return rc;
}
