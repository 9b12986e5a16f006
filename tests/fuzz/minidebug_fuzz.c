/* Any bytes in .gnu_debugdata. The first byte chooses: 0 as they are; else they are packed first, so
 * that what unpacks is as hostile as the packed form. */
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#include "../elf_image.h"
#include "elf/elf.h"

enum { IMAGE_MAX_BYTES = 1 << 20 };

static void load(const uint8_t *bytes, size_t len)
{
	static uint8_t image[IMAGE_MAX_BYTES];
	const struct image_section section = {".gnu_debugdata", SHT_PROGBITS, 0, bytes, len};
	size_t size = elf_image(image, sizeof(image), EM_X86_64, &section, 1);
	struct elf_symbols *symbols;
	struct elf_file *file;

	if (size == 0)
		return;
	if (elf_open_memory(image, size, &file, NULL))
		abort();
	if (elf_symbols_load(file, 1 << 22, &symbols, NULL) == 0) {
		if (elf_symbols_count(symbols) == 0)
			abort();
		elf_symbols_free(symbols);
	}
	elf_close(file);
}

/* An xz stream of one block that is stored and not compressed: making one that is compressed would take
 * most of the time. */
static size_t pack(const uint8_t *bytes, size_t len, uint8_t *ret, size_t cap)
{
	lzma_options_lzma options = {.dict_size = LZMA_DICT_SIZE_MIN};
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	lzma_block block = {.check = LZMA_CHECK_NONE, .filters = filters};
	lzma_stream_flags flags = {.check = LZMA_CHECK_NONE};
	lzma_index *index = lzma_index_init(NULL);
	size_t at = LZMA_STREAM_HEADER_SIZE;

	if (!index || lzma_stream_header_encode(&flags, ret) ||
	    lzma_block_uncomp_encode(&block, bytes, len, ret, &at, cap) ||
	    lzma_index_append(index, NULL, lzma_block_unpadded_size(&block), len) ||
	    lzma_index_buffer_encode(index, ret, &at, cap - LZMA_STREAM_HEADER_SIZE))
		abort();
	flags.backward_size = lzma_index_size(index);
	if (lzma_stream_footer_encode(&flags, ret + at))
		abort();
	lzma_index_end(index, NULL);
	return at + LZMA_STREAM_HEADER_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packed[IMAGE_MAX_BYTES / 2];

	if (size < 2 || size > sizeof(packed) / 2)
		return 0;
	if (data[0] == 0)
		load(data + 1, size - 1);
	else
		load(packed, pack(data + 1, size - 1, packed, sizeof(packed)));
	return 0;
}
