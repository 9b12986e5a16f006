/* Any bytes as a Go program: its table, look-ups, frame sizes, and rows for the unwinder. */
#include <stdint.h>
#include <stdlib.h>

#include "elf/elf.h"
#include "elf/gopcln.h"
#include "unwind/unwind.h"

enum { LIMIT_BYTES = 1 << 20, LOOKUPS_MAX = 64, STEPS_MAX = 4096 };

static void check_text(struct str text)
{
	if (text.len > GO_LINES_TEXT_MAX || !str_is_utf8(text))
		abort();
}

static void look_up(const struct go_lines *lines, uint64_t vaddr)
{
	struct go_line rows[GO_LINES_ROWS_MAX];
	struct buf scratch;
	size_t count;

	if (!go_lines_find(lines, vaddr, rows, GO_LINES_ROWS_MAX, &count))
		return;
	if (count == 0 || count > GO_LINES_ROWS_MAX)
		abort();
	buf_init(&scratch, 0);
	for (size_t i = 0; i < count; i++) {
		check_text(rows[i].system_name);
		check_text(rows[i].file);
		check_text(go_display_name(rows[i].system_name, &scratch));
	}
	buf_deinit(&scratch);
}

/* Ranges ascend and stay inside the function. */
static void walk_sizes(const struct go_lines *lines, uint32_t i, const struct go_function *f)
{
	struct go_stack stack;
	uint64_t last = f->start;

	go_stack_start(lines, i, &stack);
	for (unsigned n = 0; n < STEPS_MAX && go_stack_next(&stack); n++) {
		if (stack.start < last || stack.end <= stack.start || stack.end > f->end)
			abort();
		last = stack.end;
	}
}

static void look_everywhere(const struct go_lines *lines)
{
	uint32_t count = go_function_count(lines);

	for (uint32_t i = 0; i < count && i < LOOKUPS_MAX; i++) {
		struct go_function f = go_function_at(lines, i);
		check_text(f.name);
		look_up(lines, f.start);
		look_up(lines, f.start + (f.end - f.start) / 2);
		look_up(lines, f.end - 1);
		walk_sizes(lines, i, &f);
	}
	look_up(lines, 0);
	look_up(lines, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unwind_limits limits = {.rows = 1 << 16, .bytes = LIMIT_BYTES};
	struct unwind_rows *rows;
	struct go_lines *lines;
	struct elf_file *file;
	struct err err;

	if (elf_open_memory(data, size, &file, &err))
		return 0;
	if (go_lines_open(file, LIMIT_BYTES, &lines, &err) == 0) {
		if (go_lines_bytes(lines) > LIMIT_BYTES + 4096)
			abort();
		look_everywhere(lines);
		go_lines_free(lines);
		if (unwind_compile(file, NULL, &limits, &rows, &err) == 0) {
			(void)unwind_rows_find(rows, elf_info(file)->entry);
			unwind_rows_free(rows);
		}
	}
	elf_close(file);
	return 0;
}
