/* ELF images made in memory, for tests and fuzzers of what is inside a section. */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	IMAGE_TEXT = 0x1000,
	IMAGE_TEXT_BYTES = 0x10000,
	IMAGE_SECTIONS_MAX = 8,
};

struct image_section {
	const char *name;
	uint32_t type, link; /* link counts from 2: the first section given */
	const void *bytes;
	size_t len;
};

/* Writes a shared object with a .text that is promised only and these sections; returns its size, 0
 * when cap is too small. */
static inline size_t elf_image(uint8_t *image, size_t cap, uint16_t machine,
			       const struct image_section *given, size_t count)
{
	char names[256] = "\0.text";
	size_t names_len = sizeof("\0.text"), shnum = count + 3;
	Elf64_Shdr headers[IMAGE_SECTIONS_MAX + 3] = {{0}};
	size_t at = sizeof(Elf64_Ehdr) + shnum * sizeof(Elf64_Shdr);

	headers[1] = (Elf64_Shdr){.sh_name = 1,
				  .sh_type = SHT_PROGBITS,
				  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				  .sh_addr = IMAGE_TEXT,
				  .sh_size = IMAGE_TEXT_BYTES};
	for (size_t i = 0; i < count; i++) {
		size_t name_len = strlen(given[i].name) + 1;
		if (given[i].len > cap || at > cap - given[i].len)
			return 0;
		headers[2 + i] = (Elf64_Shdr){.sh_name = (Elf64_Word)names_len,
					      .sh_type = given[i].type,
					      .sh_link = given[i].link,
					      .sh_offset = at,
					      .sh_size = given[i].len};
		memcpy(names + names_len, given[i].name, name_len);
		names_len += name_len;
		if (given[i].len > 0)
			memcpy(image + at, given[i].bytes, given[i].len);
		at += given[i].len;
	}
	if (names_len > cap - at)
		return 0;
	headers[shnum - 1] =
		(Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = names_len};
	memcpy(image + at, names, names_len);
	Elf64_Ehdr header = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_shoff = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (Elf64_Half)shnum,
		.e_shstrndx = (Elf64_Half)(shnum - 1),
	};
	memcpy(image, &header, sizeof(header));
	memcpy(image + sizeof(header), headers, shnum * sizeof(*headers));
	return at + names_len;
}
