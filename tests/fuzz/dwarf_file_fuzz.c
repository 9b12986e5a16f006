/* Any bytes as an ELF file with DWARF, as the worker reads it, but in this process. libdw is not
 * built with the sanitizers and has faults of its own, which the worker's process contains: what is
 * looked for here are faults of ours, and inputs that the limits of the worker should meet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dwarf_file.h"

enum { FIRST = 0x1000, STEP = 0x10, COUNT = 24 };

static void look_up(struct dwarf_file *file, uint64_t vaddr)
{
	struct dwarf_row rows[DWARF_ROWS_MAX];
	uint32_t count = dwarf_file_find(file, vaddr, rows);
	uint64_t sum = 0;

	if (count > DWARF_ROWS_MAX)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		const struct str texts[] = {rows[i].name, rows[i].system_name, rows[i].file};
		for (size_t k = 0; k < 3; k++)
			sum += str_hash(texts[k]);
	}
	/* So that the texts are read. */
	if (sum == 0x123456789abcdef)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dwarf_file *file;
	char *image = malloc(size ? size : 1);

	if (!image)
		return 0;
	memcpy(image, data, size);
	if (dwarf_file_open_memory(image, size, &file, NULL) == 0) {
		for (uint64_t i = 0; i < COUNT; i++)
			look_up(file, FIRST + i * STEP);
		dwarf_file_close(file);
	}
	free(image);
	return 0;
}
