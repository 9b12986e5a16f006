/* Any text as a mangled name: the answer is bounded text. */
#include <stdint.h>
#include <stdlib.h>

#include "elf/elf.h"

static void check(struct str name, struct str shown)
{
	if (!str_is_utf8(shown))
		abort();
	if (shown.ptr != name.ptr && shown.len > SYMBOL_DISPLAY_MAX + 3 + name.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str name = str_make(data, size);
	struct buf scratch;

	/* As the symbol table gives names. */
	if (!str_is_utf8(name) || (size > 0 && memchr(data, 0, size)))
		return 0;
	buf_init(&scratch, 0);
	check(name, symbol_display_name(name, &scratch));
	check(name, symbol_full_name(name, &scratch));
	buf_deinit(&scratch);
	return 0;
}
