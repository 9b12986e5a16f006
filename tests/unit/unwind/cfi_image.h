/* An ELF file around call frame information, for tests and fuzzers: as little
 * of one as is asked for. All in one buffer, fields written by hand, so that
 * nothing here can be wrong in the same way as what reads it. */
#pragma once

#include <elf.h>
#include <string.h>

#include "base/buf.h"

enum {
	IMAGE_TEXT_VADDR = 0x100000, /* executable: 16 MiB from here */
	IMAGE_TEXT_BYTES = 0x1000000,
	IMAGE_CFI_VADDR = 0x2000000,
	IMAGE_CFI_OFFSET = 0x200,
	IMAGE_HDR_BYTES = 12, /* .eh_frame_hdr, right before the call frame information */
};

struct cfi_image {
	const void *cfi;
	size_t cfi_len;
	const void *text; /* the file's bytes at IMAGE_TEXT_VADDR */
	size_t text_len;
	uint64_t entry;
	uint64_t cfi_flags; /* of the section */
	uint16_t machine;   /* 0: EM_X86_64 */
	bool debug_frame;   /* the section's name */
	bool no_sections;   /* found by PT_GNU_EH_FRAME */
};

static inline void image_phdr(struct buf *out, uint32_t type, uint32_t flags, uint64_t offset,
			      uint64_t vaddr, uint64_t file_size, uint64_t mem_size)
{
	const Elf64_Phdr phdr = {.p_type = type,
				 .p_flags = flags,
				 .p_offset = offset,
				 .p_vaddr = vaddr,
				 .p_filesz = file_size,
				 .p_memsz = mem_size,
				 .p_align = 16};

	buf_append(out, &phdr, sizeof(phdr));
}

static inline void image_pad(struct buf *out, size_t len)
{
	while (out->len < len && !out->failed)
		buf_char(out, 0);
}

static inline void image_sections(struct buf *out, const struct cfi_image *image, Elf64_Ehdr *ehdr)
{
	static const char names[] = "\0.eh_frame\0.debug_frame\0.shstrtab";
	uint64_t names_at = out->len;

	buf_append(out, names, sizeof(names));
	image_pad(out, (out->len + 7) & ~7ULL);
	ehdr->e_shoff = out->len;
	ehdr->e_shentsize = sizeof(Elf64_Shdr);
	ehdr->e_shnum = 3;
	ehdr->e_shstrndx = 2;
	const Elf64_Shdr sections[3] = {
		{0},
		{.sh_name = image->debug_frame ? 11 : 1,
		 .sh_type = SHT_PROGBITS,
		 .sh_flags = image->cfi_flags,
		 .sh_addr = image->debug_frame ? 0 : IMAGE_CFI_VADDR,
		 .sh_offset = IMAGE_CFI_OFFSET,
		 .sh_size = image->cfi_len},
		{.sh_name = 24,
		 .sh_type = SHT_STRTAB,
		 .sh_offset = names_at,
		 .sh_size = sizeof(names)},
	};
	buf_append(out, sections, sizeof(sections));
}

/* Appends the file to out, which is empty. */
static inline void cfi_image_build(const struct cfi_image *image, struct buf *out)
{
	const uint8_t hdr[IMAGE_HDR_BYTES] = {1, 0x1b, 0xff, 0xff, 8, 0, 0, 0};
	Elf64_Ehdr ehdr = {.e_type = ET_DYN,
			   .e_machine = image->machine ? image->machine : EM_X86_64,
			   .e_version = 1,
			   .e_entry = image->entry,
			   .e_phoff = sizeof(ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = image->no_sections ? 3 : 2,
			   .e_ehsize = sizeof(ehdr)};
	uint64_t text_at = IMAGE_CFI_OFFSET + ((image->cfi_len + 15) & ~15ULL);

	memcpy(ehdr.e_ident,
	       "\x7f"
	       "ELF\2\1\1",
	       7);
	buf_append(out, &ehdr, sizeof(ehdr));
	image_phdr(out, PT_LOAD, PF_R | PF_X, text_at, IMAGE_TEXT_VADDR, image->text_len,
		   IMAGE_TEXT_BYTES);
	image_phdr(out, PT_LOAD, PF_R, IMAGE_CFI_OFFSET - IMAGE_HDR_BYTES,
		   IMAGE_CFI_VADDR - IMAGE_HDR_BYTES, IMAGE_HDR_BYTES + image->cfi_len,
		   IMAGE_HDR_BYTES + image->cfi_len);
	if (image->no_sections)
		image_phdr(out, PT_GNU_EH_FRAME, PF_R, IMAGE_CFI_OFFSET - IMAGE_HDR_BYTES,
			   IMAGE_CFI_VADDR - IMAGE_HDR_BYTES, IMAGE_HDR_BYTES, IMAGE_HDR_BYTES);
	image_pad(out, IMAGE_CFI_OFFSET - IMAGE_HDR_BYTES);
	buf_append(out, hdr, sizeof(hdr));
	buf_append(out, image->cfi, image->cfi_len);
	image_pad(out, text_at);
	buf_append(out, image->text, image->text_len);
	if (!image->no_sections)
		image_sections(out, image, &ehdr);
	if (!out->failed)
		memcpy(out->ptr, &ehdr, sizeof(ehdr));
}
