/* Names for PLT stubs, the little jumps through which a file calls functions
 * of others; a leaf frame is often one.
 *
 * Nothing is guessed from positions: each stub is decoded (plt_stub.h), and its
 * name is that of the relocation of what it uses (System V ABI, AMD64 and AArch64
 * supplements, "Relocation Types"). A slot that a resolver fills has the name of
 * the function whose address is the resolver's (STT_GNU_IFUNC). What belongs to
 * no function, as the first stub of .plt, has the name of its section.
 *
 * The stubs are read first, so that of many relocations only those count that a
 * stub uses, and only their names are read. */
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
	STUBS_MAX = 1 << 18,
	RELOCATIONS_MAX_BYTES = 64 << 20,
	PIECE_RELOCATIONS = 2048,
	/* Most names are shorter than this, so that one read is enough. */
	SHORT_NAME_BYTES = 128,
	/* Symbols looked at for the sake of resolvers, of which a file has a few dozen. */
	RESOLVER_LOOKS_MAX = 16 << 20,
};

/* Tells an index into .rela.plt from the address of a slot. */
#define BY_INDEX (UINT64_C(1) << 63)

struct stub {
	uint64_t uses; /* address of a slot, or BY_INDEX and a number; 0: neither */
	uint64_t addr;
	uint32_t size;
	uint32_t name; /* offset in text */
};

struct plt {
	const struct elf_file *file;
	struct stub *stubs; /* sorted by what they use before relocations are read */
	size_t count, cap;
	const struct elf_section *dynsym; /* NULL: a static program has none */
	uint64_t looks;
	struct buf text; /* becomes the pool of names */
};

static void plt_deinit(struct plt *plt)
{
	mem_free(plt->stubs);
	buf_deinit(&plt->text);
}

/* ---- stubs ---- */

static int add_stub(struct plt *plt, const struct stub *stub, struct err *err)
{
	if (plt->count == STUBS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d PLT stubs", STUBS_MAX);
	struct stub *grown = mem_grow(plt->stubs, &plt->cap, plt->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for PLT stubs");
	plt->stubs = grown;
	grown[plt->count++] = *stub;
	return 0;
}

static uint64_t use_of(const struct plt_stub *stub)
{
	return stub->by_index ? BY_INDEX | stub->index : stub->slot & ~BY_INDEX;
}

static int decode_stubs(struct plt *plt, const struct elf_section *s, const char *bytes,
			uint32_t name, struct err *err)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < s->size;) {
		struct plt_stub decoded;
		struct str rest = str_make(bytes + at, (size_t)s->size - at);
		bool known = plt_stub_decode(plt->file->info.machine, s->entry_size, rest,
					     s->addr + at, &decoded);
		const struct stub stub = {
			.uses = known ? use_of(&decoded) : 0,
			.addr = s->addr + at,
			.size = (uint32_t)decoded.size,
			.name = name,
		};
		rc = add_stub(plt, &stub, err);
		at += decoded.size;
	}
	return rc;
}

/* Until relocations say otherwise the stubs have the section's name. */
static int read_stubs(struct plt *plt, const struct elf_section *s, struct err *err)
{
	uint32_t name = (uint32_t)plt->text.len;
	void *bytes;

	buf_append(&plt->text, s->name.ptr, s->name.len + 1);
	int rc = buf_check(&plt->text, "names of PLT stubs", err);
	if (!rc)
		rc = elf_read_alloc(plt->file, s->offset, s->size, STUBS_MAX_BYTES, &bytes, err);
	if (rc)
		return rc;
	rc = decode_stubs(plt, s, bytes, name, err);
	mem_free(bytes);
	return rc;
}

static int compare_uses(const void *a, const void *b)
{
	const struct stub *x = a, *y = b;

	return x->uses < y->uses ? -1 : x->uses > y->uses;
}

static int read_all_stubs(struct plt *plt, struct err *err)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got"};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(plt->file, names[i]);
		if (s && (s->flags & SHF_EXECINSTR) && s->type != SHT_NOBITS)
			rc = read_stubs(plt, s, err);
	}
	if (plt->count > 0)
		qsort(plt->stubs, plt->count, sizeof(*plt->stubs), compare_uses);
	return rc;
}

/* The first stub that uses this, or NULL. */
static struct stub *first_user(const struct plt *plt, uint64_t use)
{
	size_t low = 0, high = plt->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (plt->stubs[mid].uses < use)
			low = mid + 1;
		else
			high = mid;
	}
	return low < plt->count && plt->stubs[low].uses == use && use ? &plt->stubs[low] : NULL;
}

/* ---- names ---- */

/* Text of at most len bytes; true when it ends within them. */
static bool read_text(const struct elf_file *file, uint64_t offset, uint64_t len, char *text)
{
	if (elf_read(file, offset, text, (size_t)len, NULL))
		len = 0;
	text[len] = '\0';
	return strlen(text) < len;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The name of a dynamic symbol into text; "" when it has none. */
static void dynamic_name(const struct plt *plt, uint32_t symbol, char text[NAME_MAX_BYTES + 1])
{
	const struct elf_file *file = plt->file;
	uint8_t bytes[ELF64_SYM_BYTES];

	if (!plt->dynsym || plt->dynsym->link >= file->section_count ||
	    symbol >= plt->dynsym->size / ELF64_SYM_BYTES ||
	    elf_read(file, plt->dynsym->offset + (uint64_t)symbol * ELF64_SYM_BYTES, bytes,
		     sizeof(bytes), NULL))
		return;
	const struct elf_section *names = &file->sections[plt->dynsym->link];
	struct cur c = cur_make(bytes, sizeof(bytes));
	uint32_t name = cur_u32le(&c);
	if (names->type != SHT_STRTAB || name == 0 || name >= names->size)
		return;
	uint64_t at = names->offset + name, left = names->size - name;
	if (!read_text(file, at, smaller(left, SHORT_NAME_BYTES), text))
		(void)read_text(file, at, smaller(left, NAME_MAX_BYTES), text);
}

static bool is_better_name(const char *a, const char *b)
{
	size_t under_a = strspn(a, "_"), under_b = strspn(b, "_");

	return under_a != under_b ? under_a < under_b
				  : strnlen(a, NAME_MAX_BYTES) < strnlen(b, NAME_MAX_BYTES);
}

static void resolver_name(struct plt *plt, const struct symbol_set *set, uint64_t resolver,
			  char text[NAME_MAX_BYTES + 1])
{
	const char *best = NULL;

	for (size_t i = 0; i < set->count && plt->looks < RESOLVER_LOOKS_MAX; i++, plt->looks++) {
		const struct raw_symbol *s = &set->symbols[i];
		const char *name = set->pools[s->pool].ptr + s->name;
		if (s->addr == resolver && (!best || is_better_name(name, best)))
			best = name;
	}
	str_copy(text, NAME_MAX_BYTES + 1,
		 best ? str_make(best, strnlen(best, NAME_MAX_BYTES)) : STR(""));
}

/* As name@plt into the pool. */
static int add_name(struct plt *plt, const char *name, uint32_t *ret, struct err *err)
{
	static const char suffix[] = "@plt";
	struct str text = name_without_version(str_of(name));

	*ret = (uint32_t)plt->text.len;
	buf_str(&plt->text, str_sub(text, 0, NAME_MAX_BYTES - sizeof(suffix)));
	buf_append(&plt->text, suffix, sizeof(suffix));
	return buf_check(&plt->text, "names of PLT stubs", err);
}

struct relocation {
	uint64_t addr, info, addend;
};

static int name_users(struct plt *plt, const struct symbol_set *set, struct stub *user,
		      const struct relocation *r, struct err *err)
{
	char text[NAME_MAX_BYTES + 1] = "";
	uint32_t name;

	switch (ELF64_R_TYPE(r->info)) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
	case R_AARCH64_JUMP_SLOT:
	case R_AARCH64_GLOB_DAT:
		dynamic_name(plt, (uint32_t)ELF64_R_SYM(r->info), text);
		break;
	case R_X86_64_IRELATIVE:
	case R_AARCH64_IRELATIVE:
		resolver_name(plt, set, r->addend, text);
		break;
	}
	int rc = text[0] ? add_name(plt, text, &name, err) : 0;
	if (rc || !text[0])
		return rc;
	for (uint64_t use = user->uses; user < plt->stubs + plt->count && user->uses == use; user++)
		user->name = name;
	return 0;
}

/* The nth relocation; of .rela.plt, stubs may use the number. */
static int take_relocation(struct plt *plt, const struct symbol_set *set,
			   const struct relocation *r, bool lazy, uint64_t nth, struct err *err)
{
	struct stub *by_slot = first_user(plt, r->addr);
	struct stub *by_index = lazy ? first_user(plt, BY_INDEX | nth) : NULL;
	int rc = by_slot ? name_users(plt, set, by_slot, r, err) : 0;

	if (!rc && by_index)
		rc = name_users(plt, set, by_index, r, err);
	return rc;
}

static int take_piece(struct plt *plt, const struct symbol_set *set, const uint8_t *bytes,
		      size_t count, bool lazy, uint64_t first, struct err *err)
{
	struct cur c = cur_make(bytes, count * ELF64_RELA_BYTES);
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		struct relocation r;
		r.addr = cur_u64le(&c);
		r.info = cur_u64le(&c);
		r.addend = cur_u64le(&c);
		rc = take_relocation(plt, set, &r, lazy, first + i, err);
	}
	return rc;
}

static int read_relocations(struct plt *plt, const struct symbol_set *set,
			    const struct elf_section *s, struct err *err)
{
	uint8_t *piece = mem_alloc(PIECE_RELOCATIONS * ELF64_RELA_BYTES);
	uint64_t size = s->size < RELOCATIONS_MAX_BYTES ? s->size : RELOCATIONS_MAX_BYTES;
	uint64_t count = size / ELF64_RELA_BYTES;
	bool lazy = str_equal(s->name, STR(".rela.plt"));
	int rc = 0;

	if (!piece)
		return err_set(err, ERR_NOMEM, "no memory to read relocations");
	for (uint64_t at = 0; !rc && at < count; at += PIECE_RELOCATIONS) {
		size_t n =
			count - at < PIECE_RELOCATIONS ? (size_t)(count - at) : PIECE_RELOCATIONS;
		rc = elf_read(plt->file, s->offset + at * ELF64_RELA_BYTES, piece,
			      n * ELF64_RELA_BYTES, err);
		if (!rc)
			rc = take_piece(plt, set, piece, n, lazy, at, err);
	}
	mem_free(piece);
	return rc;
}

static int read_names(struct plt *plt, const struct symbol_set *set, struct err *err)
{
	static const char *const names[] = {".rela.plt", ".rela.dyn"};
	const struct elf_file *file = plt->file;
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *s = elf_section_named(file, names[i]);
		if (!s || s->type != SHT_RELA)
			continue;
		bool linked =
			s->link < file->section_count && file->sections[s->link].type == SHT_DYNSYM;
		plt->dynsym = linked ? &file->sections[s->link] : NULL;
		rc = read_relocations(plt, set, s, err);
	}
	return rc;
}

/* ---- all ---- */

static int give_stubs(const struct plt *plt, struct symbol_set *set, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < plt->count; i++) {
		const struct stub *stub = &plt->stubs[i];
		struct raw_symbol s = {
			.addr = stub->addr,
			.size = stub->size,
			.name = stub->name,
			.pool = POOL_PLT,
			.kind = KIND_PLT,
			.bind = STB_LOCAL,
		};
		if (symbol_set_range(set, stub->addr))
			rc = symbol_set_add(set, s, err);
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

static bool is_passing(int rc)
{
	return rc == 0 || rc == ERR_CORRUPT || rc == ERR_LIMIT;
}

int plt_collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	struct plt plt = {.file = file};

	buf_init(&plt.text, set->limit_bytes);
	int rc = read_all_stubs(&plt, err);
	if (is_passing(rc) && plt.count > 0)
		rc = read_names(&plt, set, err);
	if (is_passing(rc))
		rc = give_stubs(&plt, set, err);
	give_text(&plt, set);
	plt_deinit(&plt);
	return is_passing(rc) ? 0 : rc;
}
