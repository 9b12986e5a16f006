/* Functions that a stripped program still tells of: where it is entered, and in
 * x86-64 programs of glibc main(), whose address the code there loads. They are
 * at the root of nearly every stack. A name reaches as far as the unwind
 * information says: .eh_frame_hdr has a table of {start, entry in .eh_frame}
 * in order of the starts, both relative to itself (Linux Standard Base, Core,
 * "Exception Frames"). */
#include "elf/symtab.h"

#include <elf.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
	HEADER_BYTES = 12,
	HEADER_ENCODINGS = 0x3b031b01, /* version 1; pcrel sdata4, udata4, datarel sdata4 */
	ROW_BYTES = 8,
	FDE_BYTES = 16,
	CODE_BYTES = 48,
	SIZE_UNKNOWN = 32, /* of _start without unwind information: a few instructions */
};

/* The names, as a pool. */
static const char names[] = "\0_start\0main\0_init\0_fini";
enum { NAME_START = 1, NAME_MAIN = 8, NAME_INIT = 13, NAME_FINI = 19 };

static int32_t row_start(const uint8_t row[ROW_BYTES])
{
	struct cur c = cur_make(row, ROW_BYTES);

	return (int32_t)cur_u32le(&c);
}

static bool read_row(const struct elf_file *file, uint64_t table, uint32_t i,
		     uint8_t ret[ROW_BYTES])
{
	return elf_read(file, table + (uint64_t)i * ROW_BYTES, ret, ROW_BYTES, NULL) == 0;
}

/* The row whose function starts there; false when none does. */
static bool find_row(const struct elf_file *file, uint64_t table, uint32_t count, int64_t start,
		     uint8_t ret[ROW_BYTES])
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (!read_row(file, table, mid, ret))
			return false;
		if (row_start(ret) == start)
			return true;
		if (row_start(ret) < start)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* 0: not known. */
static uint32_t size_by_unwind_information(const struct elf_file *file, uint64_t start)
{
	uint64_t header = file->info.eh_frame_hdr, at;
	uint8_t bytes[FDE_BYTES], row[ROW_BYTES];

	if (header == 0 || !elf_offset_of_vaddr(file, header, &at) ||
	    elf_read(file, at, bytes, HEADER_BYTES, NULL))
		return 0;
	struct cur c = cur_make(bytes, HEADER_BYTES);
	uint32_t encodings = cur_u32le(&c);
	cur_skip(&c, 4); /* where .eh_frame is */
	uint32_t count = cur_u32le(&c);
	if (encodings != HEADER_ENCODINGS ||
	    !find_row(file, at + HEADER_BYTES, count, (int64_t)(start - header), row))
		return 0;
	c = cur_make(row, ROW_BYTES);
	cur_skip(&c, 4);
	uint64_t entry = header + (uint64_t)(int32_t)cur_u32le(&c);
	if (!elf_offset_of_vaddr(file, entry, &at) || elf_read(file, at, bytes, FDE_BYTES, NULL))
		return 0;
	c = cur_make(bytes, FDE_BYTES);
	cur_skip(&c, FDE_BYTES - 4); /* length, its CIE, and the start as sdata4 */
	return cur_u32le(&c);
}

static bool is_known(const struct symbol_set *set, uint64_t addr)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->symbols[i].addr == addr)
			return true;
	return false;
}

static int add(struct symbol_set *set, uint64_t addr, uint64_t size, uint32_t name, struct err *err)
{
	struct raw_symbol s = {
		.addr = addr,
		.size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX,
		.name = name,
		.pool = POOL_ENTRY,
		.kind = KIND_LABEL,
		.bind = STB_LOCAL,
	};

	if (size == 0 || !symbol_set_range(set, addr) || is_known(set, addr))
		return 0;
	return symbol_set_add(set, s, err);
}

/* glibc's _start (sysdeps/x86_64/start.S) gives main as the first argument to __libc_start_main:
 * lea disp32(%rip), %rdi or mov $imm32, %rdi. 0: it is another start. */
static uint64_t find_main(uint64_t start, const uint8_t *code, size_t len)
{
	static const uint8_t begin[] = {0x31, 0xed, 0x49, 0x89, 0xd1, 0x5e, 0x48, 0x89, 0xe2};
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	size_t at = memcmp(code, endbr64, sizeof(endbr64)) == 0 ? sizeof(endbr64) : 0;

	if (memcmp(code + at, begin, sizeof(begin)) != 0)
		return 0;
	for (at += sizeof(begin); at + 7 <= len; at++) {
		struct cur c = cur_make(code + at + 3, 4);
		uint64_t number = (uint64_t)(int32_t)cur_u32le(&c);
		if (memcmp(code + at, "\x48\x8d\x3d", 3) == 0)
			return start + at + 7 + number;
		if (memcmp(code + at, "\x48\xc7\xc7", 3) == 0)
			return number;
	}
	return 0;
}

static int add_main(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	uint64_t start = file->info.entry, at;
	uint8_t code[CODE_BYTES];

	if (file->info.machine != EM_X86_64 || !elf_offset_of_vaddr(file, start, &at) ||
	    elf_read(file, at, code, sizeof(code), NULL))
		return 0;
	uint64_t found = find_main(start, code, sizeof(code));
	return found ? add(set, found, size_by_unwind_information(file, found), NAME_MAIN, err) : 0;
}

static int add_start(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	uint64_t start = file->info.entry;
	uint32_t size = size_by_unwind_information(file, start);

	/* Go has its own, which .gopclntab names. */
	if (start == 0 || file->info.is_go)
		return 0;
	int rc = add(set, start, size ? size : SIZE_UNKNOWN, NAME_START, err);
	return rc ? rc : add_main(set, file, err);
}

static int add_section(struct symbol_set *set, const struct elf_file *file, const char *section,
		       uint32_t name, struct err *err)
{
	const struct elf_section *s = elf_section_named(file, section);

	return s && (s->flags & SHF_EXECINSTR) ? add(set, s->addr, s->size, name, err) : 0;
}

int entry_collect(struct symbol_set *set, const struct elf_file *file, struct err *err)
{
	if (file->info.has_symtab)
		return 0;
	char *pool = mem_alloc(sizeof(names));
	if (!pool)
		return err_set(err, ERR_NOMEM, "no memory for names of a program's start");
	memcpy(pool, names, sizeof(names));
	set->pools[POOL_ENTRY] = str_make(pool, sizeof(names));
	int rc = add_start(set, file, err);
	if (!rc)
		rc = add_section(set, file, ".init", NAME_INIT, err);
	if (!rc)
		rc = add_section(set, file, ".fini", NAME_FINI, err);
	return rc == ERR_LIMIT ? 0 : rc;
}
