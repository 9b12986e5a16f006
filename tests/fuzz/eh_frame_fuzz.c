/* Any bytes as call frame information of an otherwise good file. The first byte
 * says of what kind the file is, the second how many of the last are its code. */
#include <stdint.h>

#include "../unit/unwind/cfi_image.h"
#include "elf/elf.h"
#include "unwind_check.h"

enum { DEBUG_FRAME = 1, NO_SECTIONS = 2, ARM64 = 4, ENTRY = 8, COMPRESSED = 16, HEAD_BYTES = 2 };

static struct cfi_image image_of(const uint8_t *data, size_t size)
{
	size_t text = data[1];

	size -= HEAD_BYTES;
	if (text > size)
		text = size;
	return (struct cfi_image){
		.cfi = data + HEAD_BYTES,
		.cfi_len = size - text,
		.text = data + HEAD_BYTES + size - text,
		.text_len = text,
		.entry = data[0] & ENTRY ? IMAGE_TEXT_VADDR + 0x40 : 0,
		.cfi_flags = data[0] & COMPRESSED ? SHF_COMPRESSED : 0,
		.machine = data[0] & ARM64 ? EM_AARCH64 : EM_X86_64,
		.debug_frame = data[0] & DEBUG_FRAME,
		.no_sections = data[0] & NO_SECTIONS,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unwind_limits limits = {.rows = 1 << 16, .bytes = 1 << 20};
	struct unwind_rows *rows;
	struct elf_file *elf;
	struct buf file = {0};

	if (size < HEAD_BYTES)
		return 0;
	struct cfi_image image = image_of(data, size);
	cfi_image_build(&image, &file);
	if (!file.failed && elf_open_memory(file.ptr, file.len, &elf, NULL) == 0) {
		if (unwind_compile(elf, elf, &limits, &rows, NULL) == 0) {
			check_rows(rows);
			unwind_rows_free(rows);
		}
		elf_close(elf);
	}
	buf_deinit(&file);
	return 0;
}
