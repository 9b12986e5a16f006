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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packed[IMAGE_MAX_BYTES / 2];
	/* The smallest dictionary, or most of the time goes into clearing it. */
	lzma_options_lzma options;
	const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t len = 0;

	if (size == 0)
		return 0;
	if (data[0] == 0) {
		load(data + 1, size - 1);
		return 0;
	}
	if (lzma_lzma_preset(&options, 0))
		abort();
	options.dict_size = LZMA_DICT_SIZE_MIN;
	if (lzma_stream_buffer_encode((lzma_filter *)(uintptr_t)filters, LZMA_CHECK_CRC32, NULL,
				      data + 1, size - 1, packed, &len, sizeof(packed)) == LZMA_OK)
		load(packed, len);
	return 0;
}
