/* Private to unwind/: what the machine code of Go functions tells that their
 * table of stack sizes does not. x86-64. */
#pragma once

#include "unwind/unwind.h"

enum { GO_CODE_WINDOW_BYTES = 64 << 10 };

/* A file's bytes by vaddr, read forward through a window. */
struct go_code {
	const struct elf_file *file;
	uint64_t vaddr;
	size_t len;
	uint8_t bytes[GO_CODE_WINDOW_BYTES];
};

/* len bytes at vaddr, until the next call; NULL: the file has none there. len <= the window. */
const uint8_t *go_code_at(struct go_code *code, uint64_t vaddr, size_t len);

/* How a function treats its caller's frame pointer, seen where its frame begins to be on the stack:
 * *ret is from where on the saved one is at CFA - 16. False: it leaves the register alone. */
bool go_code_saves_fp(struct go_code *code, uint64_t vaddr, int32_t size_bytes, uint64_t *ret);

/* The next instruction in [vaddr, end) that puts another stack into sp, or aligns sp. */
enum go_code_switch {
	GO_CODE_NO_SWITCH,
	GO_CODE_SWITCH, /* sp is set: to another stack, or back */
	GO_CODE_ALIGN,	/* sp is rounded down: what it was is elsewhere */
};

/* *ret_end: behind that instruction. */
enum go_code_switch go_code_next_switch(struct go_code *code, uint64_t vaddr, uint64_t end,
					uint64_t *ret_end);
