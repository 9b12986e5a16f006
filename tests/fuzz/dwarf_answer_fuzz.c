/* Any bytes as an answer of the DWARF worker, which a crafted file may have taken over. */
#include <stdint.h>
#include <stdlib.h>

#include "elf/dwarf_message.h"

static void check_text(struct str text)
{
	if (text.len > DWARF_TEXT_MAX || !str_is_utf8(text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur message = cur_make(data, size);
	struct dwarf_row rows[DWARF_ROWS_MAX];
	struct dwarf_answer answer;
	uint32_t index, count;

	if (!dwarf_answer_read(&message, &answer))
		return 0;
	check_text(answer.why);
	while (dwarf_answer_next(&message, &index, rows, &count)) {
		if (index >= DWARF_REQUEST_MAX || count > DWARF_ROWS_MAX)
			abort();
		for (uint32_t i = 0; i < count; i++) {
			check_text(rows[i].name);
			check_text(rows[i].system_name);
			check_text(rows[i].file);
		}
	}
	return 0;
}
