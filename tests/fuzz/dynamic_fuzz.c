/* Any bytes as what PT_DYNAMIC leads to: an image of one segment, whose dynamic section is the first
 * 256 bytes of the input. Addresses are offsets, so what the bytes say is mostly inside. */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf.h"

enum { IMAGE_MAX_BYTES = 64 << 10, DYNAMIC_BYTES = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t image[IMAGE_MAX_BYTES];
	Elf64_Ehdr header = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	size_t at = sizeof(header) + 2 * sizeof(Elf64_Phdr), len = at + size;
	const Elf64_Phdr segments[2] = {
		{.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = len, .p_memsz = len},
		{.p_type = PT_DYNAMIC, .p_offset = at, .p_filesz = DYNAMIC_BYTES},
	};
	struct elf_symbols *symbols;
	struct elf_file *file;

	if (len > sizeof(image) || size < DYNAMIC_BYTES)
		return 0;
	memcpy(image, &header, sizeof(header));
	memcpy(image + sizeof(header), segments, sizeof(segments));
	memcpy(image + at, data, size);
	if (elf_open_memory(image, len, &file, NULL))
		abort();
	if (elf_symbols_load(file, 1 << 20, &symbols, NULL) == 0) {
		for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
			if (!str_is_utf8(elf_symbols_at(symbols, i).name))
				abort();
		elf_symbols_free(symbols);
	}
	elf_close(file);
	return 0;
}
