/* Any bytes as an ELF file: open, notes, segments, symbols, stubs. */
#include <stdint.h>
#include <stdlib.h>

#include "elf/elf.h"

static void check_symbols(const struct elf_symbols *symbols)
{
	struct elf_symbol s, found;
	uint64_t last = 0;

	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		s = elf_symbols_at(symbols, i);
		if (s.name.len == 0 || s.size == 0 || !str_is_utf8(s.name))
			abort();
		if (i > 0 && s.start <= last)
			abort();
		last = s.start;
		if (!elf_symbols_find(symbols, s.start, &found) || found.start != s.start)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_symbols *symbols;
	struct elf_file *file;
	struct err err;
	uint64_t value;

	if (elf_open_memory(data, size, &file, &err))
		return 0;
	for (uint64_t offset = 0; offset < 0x8000; offset += 0x800) {
		(void)elf_bias(file, 0x7f0000000000, offset, &value);
		(void)elf_vaddr_of_offset(file, offset, &value);
	}
	if (elf_symbols_load(file, 1 << 22, &symbols, &err) == 0) {
		check_symbols(symbols);
		elf_symbols_free(symbols);
	}
	elf_close(file);
	return 0;
}
