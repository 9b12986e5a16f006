#include "unwind/sections.h"

#include <elf.h>
#include <libdeflate.h>

#include "base/mem.h"
#include "elf/elf.h"

enum {
	HDR_BYTES = 12,		 /* of .eh_frame_hdr, up to what we read */
	HDR_VERSION = 1,	 /* LSB 5.0 Core, 10.6.2 */
	HDR_PCREL_SDATA4 = 0x1b, /* what every linker writes */
	HDR_POINTER_OFFSET = 4,
	CHDR_BYTES = 24, /* Elf64_Chdr: type, reserved, size, alignment */
	INFLATE_MAX_RATIO = 1032,
};

void cfi_section_free(struct cfi_section *section)
{
	mem_free((void *)(uintptr_t)section->bytes);
	section->bytes = NULL;
}

static int read_bytes(const struct elf_file *file, uint64_t offset, uint64_t len,
		      size_t limit_bytes, struct cfi_section *ret, struct err *err)
{
	if (len > limit_bytes)
		return err_set(err, ERR_LIMIT,
			       "%llu bytes of call frame information, the limit is %zu",
			       (unsigned long long)len, limit_bytes);
	if (len > elf_size_bytes(file)) /* before memory is asked for */
		return err_set(err, ERR_CORRUPT, "call frame information past the file's end");
	uint8_t *bytes = mem_alloc((size_t)len);
	if (!bytes)
		return err_set(err, ERR_NOMEM, "no memory for %llu bytes of call frame information",
			       (unsigned long long)len);
	int rc = elf_read(file, offset, bytes, (size_t)len, err);
	if (rc) {
		mem_free(bytes);
		return rc;
	}
	ret->bytes = bytes;
	ret->len = (size_t)len;
	return 0;
}

static const struct elf_section *section_with_bytes(const struct elf_file *file, const char *name)
{
	const struct elf_section *s = elf_section_named(file, name);

	return s && s->type != SHT_NOBITS && s->size > 0 ? s : NULL;
}

/* ---- without section headers ------------------------------------------- */

/* Where the segment that holds vaddr has it in the file, and how many bytes follow. */
static bool find_in_segments(const struct elf_file *file, uint64_t vaddr, uint64_t *ret_offset,
			     uint64_t *ret_left)
{
	for (uint32_t i = 0; i < elf_segment_count(file); i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_size)
			continue;
		*ret_offset = s->offset + (vaddr - s->vaddr);
		*ret_left = s->file_size - (vaddr - s->vaddr);
		return true;
	}
	return false;
}

static int parse_header(const struct elf_file *file, uint64_t *ret_vaddr, struct err *err)
{
	uint64_t hdr = elf_info(file)->eh_frame_hdr;
	uint64_t offset, left;
	uint8_t bytes[HDR_BYTES];

	if (hdr == 0)
		return err_set(err, ERR_NOT_FOUND, "no .eh_frame");
	if (!find_in_segments(file, hdr, &offset, &left))
		return err_set(err, ERR_CORRUPT, ".eh_frame_hdr is in no segment");
	int rc = elf_read(file, offset, bytes, sizeof(bytes), err);
	if (rc)
		return rc;
	struct cur c = cur_make(bytes, sizeof(bytes));
	uint8_t version = cur_u8(&c), encoding = cur_u8(&c);
	if (version != HDR_VERSION || encoding != HDR_PCREL_SDATA4)
		return err_set(err, ERR_CORRUPT, ".eh_frame_hdr of version %u, encoding %#x",
			       version, encoding);
	cur_seek(&c, HDR_POINTER_OFFSET);
	*ret_vaddr = hdr + HDR_POINTER_OFFSET + (uint64_t)(int32_t)cur_u32le(&c);
	return 0;
}

/* Its length is not known: at most to the segment's end, where entries stop by themselves. */
static int read_by_header(const struct elf_file *file, size_t limit_bytes, struct cfi_section *ret,
			  struct err *err)
{
	uint64_t offset, left;
	int rc = parse_header(file, &ret->vaddr, err);

	if (rc)
		return rc;
	if (!find_in_segments(file, ret->vaddr, &offset, &left))
		return err_set(err, ERR_CORRUPT, ".eh_frame is in no segment");
	ret->to_zero = true;
	return read_bytes(file, offset, left < limit_bytes ? left : limit_bytes, limit_bytes, ret,
			  err);
}

int cfi_read_eh_frame(const struct elf_file *file, size_t limit_bytes, struct cfi_section *ret,
		      struct err *err)
{
	const struct elf_section *s = section_with_bytes(file, ".eh_frame");

	*ret = (struct cfi_section){.eh = true};
	if (!s)
		return read_by_header(file, limit_bytes, ret, err);
	ret->vaddr = s->addr;
	return read_bytes(file, s->offset, s->size, limit_bytes, ret, err);
}

/* ---- .debug_frame ------------------------------------------------------ */

static int inflate(const struct cfi_section *packed, uint8_t *plain, size_t len, struct err *err)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();

	if (!d)
		return err_set(err, ERR_NOMEM, "no memory to inflate .debug_frame");
	enum libdeflate_result result =
		libdeflate_zlib_decompress(d, packed->bytes + CHDR_BYTES, packed->len - CHDR_BYTES,
					   plain, len, NULL);
	libdeflate_free_decompressor(d);
	if (result != LIBDEFLATE_SUCCESS)
		return err_set(err, ERR_CORRUPT, "compressed .debug_frame: broken");
	return 0;
}

/* gABI, "Section compression". Takes the packed bytes over. */
static int unpack(struct cfi_section *section, size_t limit_bytes, struct err *err)
{
	struct cur c = cur_make(section->bytes, section->len);
	uint32_t type = cur_u32le(&c);
	cur_skip(&c, sizeof(uint32_t));
	uint64_t len = cur_u64le(&c);

	if (section->len < CHDR_BYTES || type != ELFCOMPRESS_ZLIB)
		return err_set(err, ERR_UNSUPPORTED, "compressed .debug_frame: type %u", type);
	if (len > limit_bytes || len / INFLATE_MAX_RATIO > section->len)
		return err_set(err, ERR_LIMIT, "compressed .debug_frame: %llu bytes",
			       (unsigned long long)len);
	uint8_t *plain = mem_alloc((size_t)len);
	if (!plain)
		return err_set(err, ERR_NOMEM, "no memory for .debug_frame");
	int rc = inflate(section, plain, (size_t)len, err);
	if (rc) {
		mem_free(plain);
		return rc;
	}
	cfi_section_free(section);
	section->bytes = plain;
	section->len = (size_t)len;
	return 0;
}

int cfi_read_debug_frame(const struct elf_file *file, size_t limit_bytes, struct cfi_section *ret,
			 struct err *err)
{
	const struct elf_section *s = section_with_bytes(file, ".debug_frame");

	*ret = (struct cfi_section){0};
	if (!s)
		return err_set(err, ERR_NOT_FOUND, "no .debug_frame");
	int rc = read_bytes(file, s->offset, s->size, limit_bytes, ret, err);
	if (rc || !(s->flags & SHF_COMPRESSED))
		return rc;
	rc = unpack(ret, limit_bytes, err);
	if (rc)
		cfi_section_free(ret);
	return rc;
}
