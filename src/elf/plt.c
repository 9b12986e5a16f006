/* Names for PLT stubs, the little jumps through which a file calls functions
 * of others; a leaf frame is often one.
 *
 * Nothing is guessed from positions: each stub is decoded (plt_stub.h), and its
 * name is that of the relocation of what it uses (System V ABI, AMD64 and AArch64
 * supplements, "Relocation Types"). A slot that a resolver fills has the name of
 * the function whose address is the resolver's (STT_GNU_IFUNC). What belongs to
 * no function, as the first stub of .plt, has the name of its section. */
#include "elf/plt_stub.h"
#include "elf/symtab.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"

enum {
	STUBS_MAX_BYTES = 4 << 20,
	RELOCATIONS_MAX_BYTES = 64 << 20,
	SLOTS_MAX = 1 << 17,
	PIECE_RELOCATIONS = 2048,
	/* Symbols looked at for the sake of resolvers, of which a file has a few dozen. */
	RESOLVER_LOOKS_MAX = 16 << 20,
};

struct got_slot {
	uint64_t addr;
	const char *name; /* in a pool of the set; NULL: none */
};

struct plt {
	struct got_slot *slots; /* sorted by address before use */
	size_t slot_count, slot_cap;
	const char **lazy; /* names in the order of .rela.plt */
	size_t lazy_count, lazy_cap;
	uint8_t *dynsym;
	uint64_t dynsym_count;
	uint64_t looks;
	struct buf text; /* becomes the pool of names */
};

static void plt_deinit(struct plt *plt)
{
	mem_free(plt->slots);
	mem_free(plt->lazy);
	mem_free(plt->dynsym);
	buf_deinit(&plt->text);
}

static int compare_slots(const void *a, const void *b)
{
	const struct got_slot *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int load_dynsym(struct plt *plt, const struct symbol_set *set, const struct elf_file *file,
		       uint32_t index, struct err *err)
{
	void *bytes;

	/* A static program has relocations without symbols. */
	if (index >= file->section_count || file->sections[index].type != SHT_DYNSYM ||
	    !set->pools[POOL_DYNSYM].ptr)
		return 0;
	const struct elf_section *s = &file->sections[index];
	int rc = elf_read_alloc(file, s->offset, s->size, set->limit_bytes, &bytes, err);
	if (rc)
		return rc;
	plt->dynsym = bytes;
	plt->dynsym_count = s->size / ELF64_SYM_BYTES;
	return 0;
}

static const char *dynamic_name(const struct plt *plt, const struct symbol_set *set,
				uint32_t symbol)
{
	if (symbol >= plt->dynsym_count)
		return NULL;
	struct cur c = cur_make(plt->dynsym + (size_t)symbol * ELF64_SYM_BYTES, ELF64_SYM_BYTES);
	uint32_t name = cur_u32le(&c);
	bool known = name > 0 && name < set->pools[POOL_DYNSYM].len;
	return known ? set->pools[POOL_DYNSYM].ptr + name : NULL;
}

static bool is_better_name(const char *a, const char *b)
{
	size_t under_a = strspn(a, "_"), under_b = strspn(b, "_");

	return under_a != under_b ? under_a < under_b
				  : strnlen(a, NAME_MAX_BYTES) < strnlen(b, NAME_MAX_BYTES);
}

static const char *resolver_name(struct plt *plt, const struct symbol_set *set, uint64_t resolver)
{
	const char *best = NULL;

	for (size_t i = 0; i < set->count && plt->looks < RESOLVER_LOOKS_MAX; i++, plt->looks++) {
		const struct raw_symbol *s = &set->symbols[i];
		const char *name = set->pools[s->pool].ptr + s->name;
		if (s->addr == resolver && (!best || is_better_name(name, best)))
			best = name;
	}
	return best;
}

static const char *relocation_name(struct plt *plt, const struct symbol_set *set, uint64_t info,
				   uint64_t addend)
{
	switch (ELF64_R_TYPE(info)) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
	case R_AARCH64_JUMP_SLOT:
	case R_AARCH64_GLOB_DAT:
		return dynamic_name(plt, set, (uint32_t)ELF64_R_SYM(info));
	case R_X86_64_IRELATIVE:
	case R_AARCH64_IRELATIVE:
		return resolver_name(plt, set, addend);
	default:
		return NULL;
	}
}

static int add_slot(struct plt *plt, struct got_slot slot, struct err *err)
{
	if (!slot.name || plt->slot_count >= SLOTS_MAX)
		return 0;
	struct got_slot *grown =
		mem_grow(plt->slots, &plt->slot_cap, plt->slot_count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for PLT slots");
	plt->slots = grown;
	plt->slots[plt->slot_count++] = slot;
	return 0;
}

static int add_lazy(struct plt *plt, const char *name, struct err *err)
{
	if (plt->lazy_count >= SLOTS_MAX)
		return 0;
	const char **grown =
		mem_grow(plt->lazy, &plt->lazy_cap, plt->lazy_count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for PLT relocations");
	plt->lazy = grown;
	plt->lazy[plt->lazy_count++] = name;
	return 0;
}

static int take_relocations(struct plt *plt, const struct symbol_set *set, const uint8_t *bytes,
			    size_t count, bool lazy, struct err *err)
{
	struct cur c = cur_make(bytes, count * ELF64_RELA_BYTES);

	for (size_t i = 0; i < count; i++) {
		uint64_t addr = cur_u64le(&c);
		uint64_t info = cur_u64le(&c);
		const char *name = relocation_name(plt, set, info, cur_u64le(&c));
		int rc = add_slot(plt, (struct got_slot){addr, name}, err);
		if (!rc && lazy)
			rc = add_lazy(plt, name, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_relocations(struct plt *plt, const struct symbol_set *set,
			    const struct elf_file *file, const struct elf_section *s,
			    struct err *err)
{
	uint8_t *piece = mem_alloc(PIECE_RELOCATIONS * ELF64_RELA_BYTES);
	uint64_t size = s->size < RELOCATIONS_MAX_BYTES ? s->size : RELOCATIONS_MAX_BYTES;
	uint64_t left = size / ELF64_RELA_BYTES, offset = s->offset;
	bool lazy = str_equal(s->name, STR(".rela.plt"));
	int rc = 0;

	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read relocations");
	while (left > 0 && !rc) {
		size_t count = left < PIECE_RELOCATIONS ? (size_t)left : PIECE_RELOCATIONS;
		rc = elf_read(file, offset, piece, count * ELF64_RELA_BYTES, err);
		if (!rc)
			rc = take_relocations(plt, set, piece, count, lazy, err);
		offset += count * ELF64_RELA_BYTES;
		left -= count;
	}
	mem_free(piece);
	return rc;
}

static int load_relocations(struct plt *plt, const struct symbol_set *set,
			    const struct elf_file *file, struct err *err)
{
	static const char *const names[] = {".rela.plt", ".rela.dyn"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		int rc = 0;
		if (!s || s->type != SHT_RELA)
			continue;
		if (!plt->dynsym)
			rc = load_dynsym(plt, set, file, s->link, err);
		if (!rc)
			rc = read_relocations(plt, set, file, s, err);
		if (rc)
			return rc;
	}
	if (plt->slot_count > 0)
		qsort(plt->slots, plt->slot_count, sizeof(*plt->slots), compare_slots);
	return 0;
}

static const char *name_of_slot(const struct plt *plt, uint64_t addr)
{
	struct got_slot key = {.addr = addr};
	const struct got_slot *slot =
		plt->slot_count > 0
			? bsearch(&key, plt->slots, plt->slot_count, sizeof(key), compare_slots)
			: NULL;

	return slot ? slot->name : NULL;
}

static const char *name_of_stub(const struct plt *plt, const struct plt_stub *stub)
{
	if (stub->by_index)
		return stub->index < plt->lazy_count ? plt->lazy[stub->index] : NULL;
	return name_of_slot(plt, stub->slot);
}

static int add_stub(struct plt *plt, struct symbol_set *set, uint64_t addr, uint64_t size,
		    struct str name, const char *suffix, struct err *err)
{
	struct raw_symbol s = {
		.addr = addr,
		.size = (uint32_t)size,
		.name = (uint32_t)plt->text.len,
		.pool = POOL_PLT,
		.kind = KIND_PLT,
		.bind = STB_LOCAL,
	};

	if (!symbol_set_range(set, addr))
		return 0;
	buf_str(&plt->text, name);
	buf_append(&plt->text, suffix, strlen(suffix) + 1);
	int rc = buf_check(&plt->text, "names of PLT stubs", err);
	return rc ? rc : symbol_set_add(set, s, err);
}

/* The stub at the start of bytes; *ret_size is how far it reaches. */
static int take_stub(struct plt *plt, struct symbol_set *set, const struct elf_file *file,
		     const struct elf_section *s, struct str bytes, uint64_t addr, size_t *ret_size,
		     struct err *err)
{
	struct plt_stub stub;
	bool known = plt_stub_decode(file->info.machine, s->entry_size, bytes, addr, &stub);
	const char *name = known ? name_of_stub(plt, &stub) : NULL;

	*ret_size = stub.size;
	if (!name)
		return add_stub(plt, set, addr, stub.size, s->name, "", err);
	struct str text = str_make(name, strnlen(name, NAME_MAX_BYTES - sizeof("@plt")));
	return add_stub(plt, set, addr, stub.size, name_without_version(text), "@plt", err);
}

static int read_stubs(struct plt *plt, struct symbol_set *set, const struct elf_file *file,
		      const struct elf_section *s, struct err *err)
{
	size_t size = 0;
	void *bytes;

	int rc = elf_read_alloc(file, s->offset, s->size, STUBS_MAX_BYTES, &bytes, err);
	if (rc)
		return rc;
	for (size_t at = 0; !rc && at < s->size; at += size)
		rc = take_stub(plt, set, file, s, str_make((char *)bytes + at, s->size - at),
			       s->addr + at, &size, err);
	mem_free(bytes);
	return rc;
}

static int collect(struct plt *plt, struct symbol_set *set, const struct elf_file *file,
		   struct err *err)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got"};

	int rc = load_relocations(plt, set, file, err);
	for (size_t i = 0; !rc && i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		if (s && (s->flags & SHF_EXECINSTR))
			rc = read_stubs(plt, set, file, s, err);
	}
	return rc;
}

/* The names move from the builder to the set, which frees them. */
static void give_text(struct plt *plt, struct symbol_set *set)
{
	set->pools[POOL_PLT] = buf_text(&plt->text);
	if (!plt->text.ptr)
		set->pools[POOL_PLT] = (struct str){NULL, 0};
	buf_init(&plt->text, 0);
}

int plt_collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	struct plt plt = {0};

	buf_init(&plt.text, set->limit_bytes);
	int rc = collect(&plt, set, file, err);
	give_text(&plt, set);
	plt_deinit(&plt);
	return rc == ERR_CORRUPT || rc == ERR_LIMIT ? 0 : rc;
}
