/* Any bytes as an ELF file whose call frame information is compiled. */
#include <stdint.h>

#include "elf/elf.h"
#include "unwind_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unwind_limits limits = {.rows = 1 << 16, .bytes = 1 << 20};
	struct unwind_rows *rows;
	struct elf_file *elf;

	if (elf_open_memory(data, size, &elf, NULL))
		return 0;
	if (unwind_compile(elf, NULL, &limits, &rows, NULL) == 0) {
		check_rows(rows);
		unwind_rows_free(rows);
	}
	elf_close(elf);
	return 0;
}
