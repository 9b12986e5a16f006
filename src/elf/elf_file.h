/* Private to elf/: the file handle from inside. */
#pragma once

#include "elf/elf.h"

enum {
	ELF64_HEADER_BYTES = 64,
	ELF64_PHDR_BYTES = 56,
	ELF64_SHDR_BYTES = 64,
	ELF64_SYM_BYTES = 24,
	ELF64_RELA_BYTES = 24,
};

/* Where the bytes are: a descriptor, or (image not NULL) memory. */
struct elf_source {
	int fd;
	const uint8_t *image;
	uint64_t size;
};

struct elf_file {
	struct elf_source source;
	struct elf_info info;
	struct elf_segment *segments; /* PT_LOAD only */
	uint32_t segment_count;
	uint64_t dynamic_offset, dynamic_size; /* PT_DYNAMIC; size 0: none */
	struct elf_section *sections;
	uint32_t section_count;
	char *section_names; /* NUL at the end */
	void *own_image;     /* the vDSO's copy, freed with the handle */
};

/* As elf_read into fresh memory (mem_free); ERR_LIMIT above limit_bytes, which keeps a size field
 * from being an allocation order. One spare NUL byte follows. */
MUST_USE int elf_read_alloc(const struct elf_file *file, uint64_t offset, uint64_t len,
			    size_t limit_bytes, void **ret, struct err *err);

/* Where the file has the byte that is loaded at vaddr; false when no PT_LOAD has it. */
bool elf_offset_of_vaddr(const struct elf_file *file, uint64_t vaddr, uint64_t *ret);

/* The parts of elf_open, each fills in its fields. */
struct elf_header {
	uint64_t entry, phoff, shoff;
	uint16_t type, machine, phentsize, phnum, shentsize, shnum, shstrndx;
};

MUST_USE int elf_header_parse(const uint8_t bytes[ELF64_HEADER_BYTES], struct elf_header *ret,
			      struct err *err);
MUST_USE int elf_segments_load(struct elf_file *file, const struct elf_header *header,
			       struct err *err);
/* A damaged table leaves the file without sections; only ERR_NOMEM and ERR_IO are returned. */
MUST_USE int elf_sections_load(struct elf_file *file, const struct elf_header *header,
			       struct err *err);

/* Notes. align is 4 or 8. Finds the first note of that owner and type. */
bool notes_find(struct str notes, uint64_t align, struct str owner, uint32_t type, struct str *ret);
/* Fills build_id and go_build_id from a block of notes, where they are still empty. */
void notes_fill_info(struct str notes, uint64_t align, struct elf_info *info);
