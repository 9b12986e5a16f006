/* The table of functions, made for many lookups and little memory: three
 * arrays in address order (start, size, name offset; 12 bytes a function) and
 * one text with all names.
 *
 * Functions may overlap (an assembler function inside another's size, cold
 * parts). parents[i] is the nearest earlier function that covers the start of
 * function i, so a lookup takes the last function that starts at or before the
 * address and climbs until one reaches far enough. The array exists only where
 * anything overlaps. A function deeper than DEPTH_MAX is dropped, which bounds
 * the climb on files made to hurt.
 *
 * While it is made, what was gathered is sorted, and then the functions are put
 * together in the same array: of many names of an address one stays, so the next
 * function is never written over a name that is still to be read. */
#include "elf/symtab.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	DEPTH_MAX = 32,
	/* Names of one address that are compared; a linker that folds equal functions makes hundreds,
	 * of which one is as good as another. */
	ALIASES_MAX = 64,
	DEFAULT_LIMIT_BYTES = 256 << 20,
};

#define NONE UINT32_MAX

struct elf_symbols {
	uint64_t base; /* of starts */
	uint32_t *starts, *sizes, *names;
	uint32_t *parents; /* or NULL */
	uint32_t count;
	char *text; /* each name ends with NUL */
	size_t bytes;
};

/* The functions, one an address, in the array of the set. */
struct functions {
	struct raw_symbol *list;
	size_t count;
	bool overlap;
};

static bool is_mangled(struct str name)
{
	return str_starts_with(name, STR("_Z")) || str_starts_with(name, STR("_R"));
}

static size_t leading_underscores(struct str name)
{
	size_t n = 0;

	if (is_mangled(name))
		return 0;
	while (n < name.len && name.ptr[n] == '_')
		n++;
	return n;
}

/* Which of two names of one address is better known: negative when a is. See elf.h. */
static int compare_fame(const struct symbol_set *set, const struct raw_symbol *a,
			const struct raw_symbol *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if ((a->bind == STB_LOCAL) != (b->bind == STB_LOCAL))
		return a->bind == STB_LOCAL ? 1 : -1;
	struct str x = symbol_set_name(set, a), y = symbol_set_name(set, b);
	size_t ux = leading_underscores(x), uy = leading_underscores(y);
	if (ux != uy)
		return ux < uy ? -1 : 1;
	if ((a->bind == STB_WEAK) != (b->bind == STB_WEAK))
		return a->bind == STB_WEAK ? 1 : -1;
	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	return str_compare(x, y);
}

static int compare_symbols(const void *a, const void *b)
{
	const struct raw_symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static uint32_t cut_size(uint64_t size)
{
	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

/* The names of one address, [first, last) in the sorted set, as one; its size is the largest. */
static struct raw_symbol merge_aliases(const struct symbol_set *set, size_t first, size_t last)
{
	size_t best = first;
	uint32_t size = set->symbols[first].size;

	if (last - first > ALIASES_MAX)
		last = first + ALIASES_MAX;
	for (size_t i = first + 1; i < last; i++) {
		const struct raw_symbol *s = &set->symbols[i];
		/* A PLT stub's size is ours, not the file's. */
		if (s->size > size && s->kind != KIND_PLT)
			size = s->size;
		if (compare_fame(set, s, &set->symbols[best]) < 0)
			best = i;
	}
	struct raw_symbol merged = set->symbols[best];
	/* Ranges were checked when the symbol was taken. */
	uint64_t room = symbol_set_range(set, merged.addr)->end - merged.addr;
	merged.size = size < room ? size : cut_size(room);
	merged.parent = NONE;
	merged.depth = 0;
	return merged;
}

static uint64_t end_of(const struct raw_symbol *f)
{
	return f->addr + f->size;
}

/* A function without a size reaches to the next one, or to the end of its section. */
static void close_open_end(const struct symbol_set *set, struct raw_symbol *f, uint64_t next)
{
	uint64_t end = symbol_set_range(set, f->addr)->end;

	if (f->size == 0)
		f->size = cut_size((next < end ? next : end) - f->addr);
}

/* Puts f behind the others unless it is a label inside a function or nested too deep. */
static void place_function(const struct symbol_set *set, struct functions *functions,
			   struct raw_symbol f)
{
	uint32_t cover = NONE;

	if (functions->count > 0) {
		close_open_end(set, &functions->list[functions->count - 1], f.addr);
		cover = (uint32_t)functions->count - 1;
	}
	while (cover != NONE && end_of(&functions->list[cover]) <= f.addr)
		cover = functions->list[cover].parent;
	if (cover != NONE) {
		f.parent = cover;
		f.depth = (uint8_t)(functions->list[cover].depth + 1);
		if (f.size == 0 || f.kind != KIND_FUNCTION || f.depth > DEPTH_MAX)
			return;
		functions->overlap = true;
	}
	functions->list[functions->count++] = f;
}

/* set is sorted. Offsets are 32 bits: what is 4 GiB above the first function is left out. */
static struct functions put_together(const struct symbol_set *set)
{
	struct functions functions = {.list = set->symbols};
	uint64_t base = set->symbols[0].addr;

	for (size_t first = 0, last; first < set->count; first = last) {
		uint64_t addr = set->symbols[first].addr;
		for (last = first + 1; last < set->count && set->symbols[last].addr == addr;)
			last++;
		if (addr - base <= UINT32_MAX)
			place_function(set, &functions, merge_aliases(set, first, last));
	}
	if (functions.count > 0)
		close_open_end(set, &functions.list[functions.count - 1], UINT64_MAX);
	return functions;
}

/* Stops above the limit. */
static uint64_t text_size(const struct symbol_set *set, const struct functions *functions)
{
	uint64_t size = 0;

	for (size_t i = 0; i < functions->count && size <= set->limit_bytes; i++)
		size += symbol_set_name(set, &functions->list[i]).len + 1;
	return size;
}

static void fill_table(struct elf_symbols *t, const struct symbol_set *set,
		       const struct functions *functions)
{
	uint32_t at = 0;

	t->base = functions->list[0].addr;
	t->count = (uint32_t)functions->count;
	for (size_t i = 0; i < functions->count; i++) {
		const struct raw_symbol *f = &functions->list[i];
		struct str name = symbol_set_name(set, f);
		t->starts[i] = (uint32_t)(f->addr - t->base);
		t->sizes[i] = f->size;
		t->names[i] = at;
		if (t->parents)
			t->parents[i] = f->parent;
		name_copy_clean(t->text + at, name);
		at += (uint32_t)name.len;
		t->text[at++] = '\0';
	}
}

static int make_table(const struct symbol_set *set, const struct functions *functions,
		      struct elf_symbols **ret, struct err *err)
{
	unsigned columns = functions->overlap ? 4 : 3;
	uint64_t text = text_size(set, functions);
	uint64_t bytes =
		sizeof(struct elf_symbols) + functions->count * columns * sizeof(uint32_t) + text;

	if (bytes > set->limit_bytes || text > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "a symbol table of %llu bytes, above %zu",
			       (unsigned long long)bytes, set->limit_bytes);
	struct elf_symbols *t = mem_alloc((size_t)bytes);
	if (!t)
		return err_set(err, ERR_NOMEM, "no memory for a symbol table of %llu bytes",
			       (unsigned long long)bytes);
	*t = (struct elf_symbols){.bytes = (size_t)bytes};
	t->starts = (uint32_t *)(t + 1);
	t->sizes = t->starts + functions->count;
	t->names = t->sizes + functions->count;
	t->parents = functions->overlap ? t->names + functions->count : NULL;
	t->text = (char *)(t->starts + columns * functions->count);
	fill_table(t, set, functions);
	*ret = t;
	return 0;
}

static int table_of_set(struct symbol_set *set, struct elf_symbols **ret, struct err *err)
{
	if (set->count == 0)
		return err_set(err, ERR_NOT_FOUND, "no functions: stripped");
	qsort(set->symbols, set->count, sizeof(*set->symbols), compare_symbols);
	struct functions functions = put_together(set);
	return make_table(set, &functions, ret, err);
}

int elf_symbols_load(const struct elf_file *file, size_t limit_bytes, struct elf_symbols **ret,
		     struct err *err)
{
	return elf_symbols_load_with(file, NULL, limit_bytes, ret, err);
}

int elf_symbols_load_with(const struct elf_file *file, const struct elf_file *debug,
			  size_t limit_bytes, struct elf_symbols **ret, struct err *err)
{
	struct symbol_set set;

	int rc = symbol_set_init(&set, file, limit_bytes ? limit_bytes : DEFAULT_LIMIT_BYTES, err);
	if (!rc)
		rc = symtab_collect(&set, file, debug, err);
	if (!rc)
		rc = plt_collect(&set, file, err);
	if (!rc)
		rc = entry_collect(&set, file, err);
	if (!rc)
		rc = table_of_set(&set, ret, err);
	symbol_set_deinit(&set);
	return rc;
}

void elf_symbols_free(struct elf_symbols *symbols)
{
	mem_free(symbols);
}

struct elf_symbol elf_symbols_at(const struct elf_symbols *symbols, uint32_t i)
{
	return (struct elf_symbol){
		.name = str_of(symbols->text + symbols->names[i]),
		.start = symbols->base + symbols->starts[i],
		.size = symbols->sizes[i],
	};
}

/* The last function that starts at or before offset; NONE when all start later. */
static uint32_t last_start(const struct elf_symbols *symbols, uint32_t offset)
{
	uint32_t low = 0, high = symbols->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (symbols->starts[mid] <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low - 1;
}

bool elf_symbols_find(const struct elf_symbols *symbols, uint64_t vaddr, struct elf_symbol *ret)
{
	if (vaddr < symbols->base || vaddr - symbols->base > UINT32_MAX)
		return false;
	uint32_t offset = (uint32_t)(vaddr - symbols->base);
	uint32_t i = last_start(symbols, offset);
	while (i != NONE && offset - symbols->starts[i] >= symbols->sizes[i])
		i = symbols->parents ? symbols->parents[i] : NONE;
	if (i == NONE)
		return false;
	*ret = elf_symbols_at(symbols, i);
	return true;
}

uint32_t elf_symbols_count(const struct elf_symbols *symbols)
{
	return symbols->count;
}

size_t elf_symbols_bytes(const struct elf_symbols *symbols)
{
	return symbols->bytes;
}
