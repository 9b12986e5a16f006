/* Names for PLT stubs, the little jumps through which a file calls functions
 * of others; a leaf frame is often one.
 *
 * Nothing is guessed from positions: each stub is decoded, and its name is that
 * of the relocation of what it uses (System V ABI, AMD64 supplement, "Procedure
 * Linkage Table" and "Relocation Types"; Intel SDM for the opcodes):
 *
 *	[f3 0f 1e fa] [f2] ff 25 disp32	jmp through the GOT slot at the next
 *					instruction + disp32: .plt .plt.sec .plt.got
 *	[f3 0f 1e fa] 68 imm32		push of an index into .rela.plt: the lazy
 *					half of a stub whose jump is in .plt.sec
 *
 * The first stub of .plt, which belongs to no function, matches neither. */
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
	STUB_BYTES = 16,
	PIECE_RELOCATIONS = 2048,
};

struct got_slot {
	uint64_t addr;
	uint32_t name; /* offset in .dynstr */
};

struct plt {
	struct got_slot *slots; /* sorted by address before use */
	size_t slot_count, slot_cap;
	uint32_t *lazy; /* names in the order of .rela.plt; 0: none */
	size_t lazy_count, lazy_cap;
	uint8_t *dynsym;
	uint64_t dynsym_count;
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

	if (index >= file->section_count || file->sections[index].type != SHT_DYNSYM)
		return err_set(err, ERR_CORRUPT, "relocations without symbols");
	const struct elf_section *s = &file->sections[index];
	int rc = elf_read_alloc(file, s->offset, s->size, set->limit_bytes, &bytes, err);
	if (rc)
		return rc;
	plt->dynsym = bytes;
	plt->dynsym_count = s->size / ELF64_SYM_BYTES;
	return 0;
}

/* Offset of the symbol's name in .dynstr, 0 when it has none. */
static uint32_t dynamic_name(const struct plt *plt, const struct symbol_set *set, uint32_t symbol)
{
	if (symbol >= plt->dynsym_count)
		return 0;
	struct cur c = cur_make(plt->dynsym + (size_t)symbol * ELF64_SYM_BYTES, ELF64_SYM_BYTES);
	uint32_t name = cur_u32le(&c);
	return name < set->pools[POOL_DYNSYM].len ? name : 0;
}

static int add_slot(struct plt *plt, struct got_slot slot, struct err *err)
{
	if (slot.name == 0 || plt->slot_count >= SLOTS_MAX)
		return 0;
	struct got_slot *grown =
		mem_grow(plt->slots, &plt->slot_cap, plt->slot_count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "no memory for PLT slots");
	plt->slots = grown;
	plt->slots[plt->slot_count++] = slot;
	return 0;
}

static int add_lazy(struct plt *plt, uint32_t name, struct err *err)
{
	if (plt->lazy_count >= SLOTS_MAX)
		return 0;
	uint32_t *grown = mem_grow(plt->lazy, &plt->lazy_cap, plt->lazy_count + 1, sizeof(*grown));
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
		(void)cur_u64le(&c); /* r_addend */
		uint32_t type = (uint32_t)ELF64_R_TYPE(info), name = 0;
		if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT)
			name = dynamic_name(plt, set, (uint32_t)ELF64_R_SYM(info));
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

static uint32_t name_of_slot(const struct plt *plt, uint64_t addr)
{
	struct got_slot key = {.addr = addr};
	const struct got_slot *slot =
		plt->slot_count > 0
			? bsearch(&key, plt->slots, plt->slot_count, sizeof(key), compare_slots)
			: NULL;

	return slot ? slot->name : 0;
}

/* The name (offset in .dynstr) that the stub at addr stands for, or 0. */
static uint32_t decode_stub(const struct plt *plt, const uint8_t *stub, size_t len, uint64_t addr)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct cur c = cur_make(stub, len);

	if (len >= sizeof(endbr64) && memcmp(stub, endbr64, sizeof(endbr64)) == 0)
		cur_skip(&c, sizeof(endbr64));
	uint8_t opcode = cur_u8(&c);
	if (opcode == 0x68) {
		uint32_t index = cur_u32le(&c);
		return cur_ok(&c) && index < plt->lazy_count ? plt->lazy[index] : 0;
	}
	if (opcode == 0xf2)
		opcode = cur_u8(&c);
	if (opcode != 0xff || cur_u8(&c) != 0x25)
		return 0;
	int64_t disp = (int32_t)cur_u32le(&c);
	if (!cur_ok(&c))
		return 0;
	return name_of_slot(plt, addr + cur_offset(&c) + (uint64_t)disp);
}

static int add_stub(struct plt *plt, struct symbol_set *set, uint64_t addr, uint64_t size,
		    uint32_t name, struct err *err)
{
	const char *text = set->pools[POOL_DYNSYM].ptr + name;
	struct raw_symbol s = {
		.addr = addr,
		.size = size,
		.name = (uint32_t)plt->text.len,
		.pool = POOL_PLT,
		.kind = KIND_PLT,
		.bind = STB_LOCAL,
	};

	if (!symbol_set_range(set, addr))
		return 0;
	buf_str(&plt->text, str_make(text, strnlen(text, NAME_MAX_BYTES - sizeof("@plt"))));
	buf_append(&plt->text, "@plt", sizeof("@plt"));
	int rc = buf_check(&plt->text, "names of PLT stubs", err);
	return rc ? rc : symbol_set_add(set, s, err);
}

static int read_stubs(struct plt *plt, struct symbol_set *set, const struct elf_file *file,
		      const struct elf_section *s, struct err *err)
{
	size_t step = s->entry_size == 8 ? 8 : STUB_BYTES;
	void *bytes;

	int rc = elf_read_alloc(file, s->offset, s->size, STUBS_MAX_BYTES, &bytes, err);
	if (rc)
		return rc;
	for (size_t at = 0; !rc && at + step <= s->size; at += step) {
		uint32_t name = decode_stub(plt, (const uint8_t *)bytes + at, step, s->addr + at);
		if (name)
			rc = add_stub(plt, set, s->addr + at, step, name, err);
	}
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

	if (file->info.machine != EM_X86_64 || !set->pools[POOL_DYNSYM].ptr)
		return 0;
	buf_init(&plt.text, set->limit_bytes);
	int rc = collect(&plt, set, file, err);
	give_text(&plt, set);
	plt_deinit(&plt);
	return rc == ERR_CORRUPT || rc == ERR_LIMIT ? 0 : rc;
}
