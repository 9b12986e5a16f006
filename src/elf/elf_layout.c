/* The three tables that describe an ELF file: header, segments, sections
 * (System V gABI, chapter 4 "ELF Header" and "Sections", chapter 5 "Program
 * Header"). Numbers are read field by field from copied bytes. */
#include "elf/elf_file.h"

#include <elf.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
	/* The kernel itself refuses more than 64 KiB of program headers. */
	SEGMENTS_MAX = 65536 / ELF64_PHDR_BYTES,
	SECTIONS_MAX = 65536,
	SECTION_NAMES_MAX_BYTES = 4 << 20,
};

/* Sizes above this are lies: it is more than x86-64 and aarch64 can address. */
#define ADDRESSABLE_MAX (UINT64_C(1) << 56)

static int check_ident(const uint8_t *ident, struct err *err)
{
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, ERR_INVALID, "not an ELF file: no magic number");
	if (ident[EI_CLASS] == ELFCLASS32)
		return err_set(err, ERR_UNSUPPORTED,
			       "a 32-bit ELF file; only 64-bit ones are read");
	if (ident[EI_CLASS] != ELFCLASS64)
		return err_set(err, ERR_CORRUPT, "ELF class %u is none", ident[EI_CLASS]);
	if (ident[EI_DATA] == ELFDATA2MSB)
		return err_set(err, ERR_UNSUPPORTED, "a big-endian ELF file");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return err_set(err, ERR_CORRUPT, "ELF data encoding %u is none", ident[EI_DATA]);
	return 0;
}

static int check_kind(const struct elf_header *h, struct err *err)
{
	if (h->machine != EM_X86_64 && h->machine != EM_AARCH64)
		return err_set(err, ERR_UNSUPPORTED,
			       "an ELF file for machine %u; only x86-64 and aarch64 are read",
			       h->machine);
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return err_set(err, ERR_UNSUPPORTED,
			       "an ELF file of type %u; only programs and shared objects are read",
			       h->type);
	if (h->phnum > 0 && h->phentsize != ELF64_PHDR_BYTES)
		return err_set(err, ERR_CORRUPT, "program headers of %u bytes", h->phentsize);
	if (h->phnum > SEGMENTS_MAX)
		return err_set(err, ERR_CORRUPT, "%u program headers", h->phnum);
	return 0;
}

int elf_header_parse(const uint8_t bytes[ELF64_HEADER_BYTES], struct elf_header *ret,
		     struct err *err)
{
	struct cur c = cur_make(bytes, ELF64_HEADER_BYTES);
	struct elf_header h = {0};
	int rc = check_ident(bytes, err);

	if (rc)
		return rc;
	cur_skip(&c, EI_NIDENT);
	h.type = cur_u16le(&c);
	h.machine = cur_u16le(&c);
	(void)cur_u32le(&c); /* e_version */
	h.entry = cur_u64le(&c);
	h.phoff = cur_u64le(&c);
	h.shoff = cur_u64le(&c);
	(void)cur_u32le(&c); /* e_flags */
	(void)cur_u16le(&c); /* e_ehsize */
	h.phentsize = cur_u16le(&c);
	h.phnum = cur_u16le(&c);
	h.shentsize = cur_u16le(&c);
	h.shnum = cur_u16le(&c);
	h.shstrndx = cur_u16le(&c);
	rc = cur_check(&c, "ELF header", err);
	if (!rc)
		rc = check_kind(&h, err);
	if (!rc)
		*ret = h;
	return rc;
}

/* Keeps a PT_LOAD that can be true; the loader would not map any other. */
static void take_segment(struct elf_file *file, struct cur *c)
{
	struct elf_segment s = {0};
	uint32_t type = cur_u32le(c);
	uint32_t flags = cur_u32le(c);

	s.offset = cur_u64le(c);
	s.vaddr = cur_u64le(c);
	(void)cur_u64le(c); /* p_paddr */
	s.file_size = cur_u64le(c);
	s.mem_size = cur_u64le(c);
	(void)cur_u64le(c); /* p_align */
	s.exec = (flags & PF_X) != 0;
	if (type == PT_INTERP)
		file->info.has_interp = true;
	if (type == PT_GNU_EH_FRAME)
		file->info.eh_frame_hdr = s.vaddr;
	if (type == PT_DYNAMIC) {
		file->dynamic_offset = s.offset;
		file->dynamic_size = s.file_size;
	}
	if (type != PT_LOAD || s.offset > ADDRESSABLE_MAX || s.file_size > ADDRESSABLE_MAX ||
	    s.mem_size > ADDRESSABLE_MAX || s.vaddr > UINT64_MAX - s.mem_size)
		return;
	file->segments[file->segment_count++] = s;
}

int elf_segments_load(struct elf_file *file, const struct elf_header *header, struct err *err)
{
	size_t size = (size_t)header->phnum * ELF64_PHDR_BYTES;
	void *bytes;

	int rc = elf_read_alloc(file, header->phoff, size, 65536, &bytes, err);
	if (rc) {
		(void)err_wrap(err, "program headers");
		return rc;
	}
	file->segments = mem_zalloc(header->phnum, sizeof(*file->segments));
	if (!file->segments) {
		mem_free(bytes);
		return err_set(err, ERR_NOMEM, "no memory for %u segments", header->phnum);
	}
	struct cur c = cur_make(bytes, size);
	for (uint32_t i = 0; i < header->phnum; i++)
		take_segment(file, &c);
	mem_free(bytes);
	return 0;
}

static struct elf_section parse_section(struct cur *c, uint32_t *ret_name)
{
	struct elf_section s = {.name = STR("")};

	*ret_name = cur_u32le(c);
	s.type = cur_u32le(c);
	s.flags = cur_u64le(c);
	s.addr = cur_u64le(c);
	s.offset = cur_u64le(c);
	s.size = cur_u64le(c);
	s.link = cur_u32le(c);
	s.info = cur_u32le(c);
	(void)cur_u64le(c); /* sh_addralign */
	s.entry_size = cur_u64le(c);
	return s;
}

/* More than 0xff00 sections: the true numbers are in section 0 (gABI, "ELF Header", e_shnum). */
static int section_numbers(struct elf_file *file, const struct elf_header *header,
			   uint64_t *ret_count, uint32_t *ret_names, struct err *err)
{
	uint8_t bytes[ELF64_SHDR_BYTES];
	uint32_t name;

	*ret_count = header->shnum;
	*ret_names = header->shstrndx;
	if (header->shnum != 0 && header->shstrndx != SHN_XINDEX)
		return 0;
	int rc = elf_read(file, header->shoff, bytes, sizeof(bytes), err);
	if (rc)
		return rc;
	struct cur c = cur_make(bytes, sizeof(bytes));
	struct elf_section first = parse_section(&c, &name);
	if (header->shnum == 0)
		*ret_count = first.size;
	if (header->shstrndx == SHN_XINDEX)
		*ret_names = first.link;
	return 0;
}

static int load_section_names(struct elf_file *file, uint32_t index, uint64_t *ret_size,
			      struct err *err)
{
	void *bytes;

	if (index >= file->section_count || file->sections[index].type != SHT_STRTAB)
		return err_set(err, ERR_CORRUPT, "section %u holds no names", index);
	const struct elf_section *s = &file->sections[index];
	int rc = elf_read_alloc(file, s->offset, s->size, SECTION_NAMES_MAX_BYTES, &bytes, err);
	if (rc)
		return rc;
	file->section_names = bytes;
	*ret_size = s->size;
	return 0;
}

static int parse_sections(struct elf_file *file, const uint8_t *bytes, uint32_t count,
			  uint32_t names_index, struct err *err)
{
	uint32_t *name_offsets = mem_zalloc(count, sizeof(*name_offsets));
	struct cur c = cur_make(bytes, (size_t)count * ELF64_SHDR_BYTES);
	uint64_t names_size = 0;

	file->sections = mem_zalloc(count, sizeof(*file->sections));
	if (!file->sections || !name_offsets) {
		mem_free(name_offsets);
		return err_set(err, ERR_NOMEM, "no memory for %u sections", count);
	}
	for (uint32_t i = 0; i < count; i++)
		file->sections[i] = parse_section(&c, &name_offsets[i]);
	file->section_count = count;
	int rc = load_section_names(file, names_index, &names_size, err);
	for (uint32_t i = 0; !rc && i < count; i++)
		if (name_offsets[i] < names_size)
			file->sections[i].name = str_of(file->section_names + name_offsets[i]);
	mem_free(name_offsets);
	return rc;
}

static int load_sections(struct elf_file *file, const struct elf_header *header, struct err *err)
{
	uint64_t count;
	uint32_t names_index;
	void *bytes;

	int rc = section_numbers(file, header, &count, &names_index, err);
	if (rc)
		return rc;
	if (count > SECTIONS_MAX || header->shentsize != ELF64_SHDR_BYTES)
		return err_set(err, ERR_CORRUPT, "%llu sections of %u bytes",
			       (unsigned long long)count, header->shentsize);
	rc = elf_read_alloc(file, header->shoff, count * ELF64_SHDR_BYTES,
			    SECTIONS_MAX * ELF64_SHDR_BYTES, &bytes, err);
	if (rc)
		return rc;
	rc = parse_sections(file, bytes, (uint32_t)count, names_index, err);
	mem_free(bytes);
	return rc;
}

int elf_sections_load(struct elf_file *file, const struct elf_header *header, struct err *err)
{
	if (header->shoff == 0)
		return 0;
	int rc = load_sections(file, header, err);
	if (rc != ERR_CORRUPT && rc != ERR_LIMIT)
		return rc;
	elf_forget_sections(file);
	return 0;
}
