/* Go's own tables of a program, .gopclntab: names, files, lines, inlined calls
 * and stack sizes, there even when the program is stripped. The runtime needs
 * them to grow stacks, so every Go program carries them, and they are exact.
 *
 *	go_lines_open	finds, checks and copies the table of a file
 *	go_lines_find	address -> the function and those inlined into it
 *	go_stack_*	how large a function's frame is, address by address
 *
 * Served: Go 1.16 to 1.27 (magic fffffffa, fffffff0, fffffff1), x86-64 and arm64, as a program
 * or a shared library, whichever linker made it. The table is found by the section's name, or,
 * where names or all sections are gone, by a search for its header. Inline trees of Go 1.18 and
 * later lie outside of it, in a place that only runtime.firstmoduledata tells, which is found by
 * its pointer to the table; without it there are no inlined functions, and all else works.
 *
 * Facts are from Go's sources, 1.16 to 1.27: src/runtime/symtab.go (pcHeader, moduledata, pcvalue,
 * step, funcdata), src/runtime/symtabinl.go (inlinedCall, inlineUnwinder; until 1.20 symtab.go),
 * src/runtime/runtime2.go (_func), src/internal/abi/symtab.go (magics, table indices, flags),
 * src/cmd/link/internal/ld/pcln.go (order of the parts), src/debug/gosym/pclntab.go.
 *
 * Every byte is hostile: offsets are checked at each use, the steps of a look-up are counted, and
 * a table that lies gives wrong names, nothing worse. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct elf_file;

struct go_lines; /* unchanged once open: any number of threads; needs the file no more */

enum {
	GO_LINES_ROWS_MAX = 64, /* of one address; deeper inlining is cut in the middle */
	GO_LINES_TEXT_MAX = 4096,
};

/* One function at an address. Texts live as long as the go_lines, are valid UTF-8 without control
 * characters (a text that is not, is "?") and at most GO_LINES_TEXT_MAX long. */
struct go_line {
	struct str system_name; /* as the linker wrote it: main.Map[go.shape.int] */
	struct str file;	/* as the compiler saw it; "" when unknown */
	uint32_t line;		/* 1-based; 0: unknown */
	uint32_t start_line;	/* of the func keyword; Go 1.20 and later, else 0 */
	bool wrapper;		/* made by the compiler (method values, interfaces): Go hides it */
};

/* Takes at most limit_bytes (0: 128 MiB) at any time, and 256 KiB to look for things. A copy of the
 * table and of the inline trees stays: esbuild 3.4 MB, tsgo 8.7 MB. Opening takes about a microsecond
 * of CPU a function, a look-up 2 to 5 of them; a table made to hurt some milliseconds. ERR_NOT_FOUND:
 * no Go table in the file. ERR_LIMIT, ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
MUST_USE int go_lines_open(const struct elf_file *file, size_t limit_bytes, struct go_lines **ret,
			   struct err *err);
void go_lines_free(struct go_lines *lines); /* NULL is fine */
size_t go_lines_bytes(const struct go_lines *lines);

/* The functions at an ELF virtual address, innermost first; the last row is the one that has the
 * code. For a return address ask for the byte before it. False when no Go function is there. cap > 0. */
bool go_lines_find(const struct go_lines *lines, uint64_t vaddr, struct go_line *rows, size_t cap,
		   size_t *ret_count);

/* What people read, as symbol_display_name: type arguments become "[...]", as in Go's own stack
 * traces. The text itself, or text in scratch (cleared first). */
struct str go_display_name(struct str system_name, struct buf *scratch);

/* ---- functions and their frames ---------------------------------------- */

enum go_function_flags {
	GO_FUNCTION_TOP = 1 << 0,      /* the outermost function of its stack */
	GO_FUNCTION_SP_WRITE = 1 << 1, /* moves to another stack */
	GO_FUNCTION_ASM = 1 << 2,
	GO_FUNCTION_FRAME_TABLE = 1 << 3, /* go_stack_start() finds sizes for it */
};

struct go_function {
	struct str name;
	uint64_t start, end; /* end is where the next one starts, so padding is in it */
	uint32_t flags;
};

/* By address; what the table says there may be damaged (then start >= end). */
uint32_t go_function_count(const struct go_lines *lines);
struct go_function go_function_at(const struct go_lines *lines, uint32_t i);
/* The Go version's generation: 116, 118 or 120. From 120 on systemstack and the like *may* have
 * frames of their own; look at the code. */
uint32_t go_lines_generation(const struct go_lines *lines);

/* Walks the sizes of a function's frame: while go_stack_next(), [start, end) has size_bytes on top of
 * the return address. Ranges ascend and lie within the function. */
struct go_stack {
	uint64_t start, end;
	int32_t size_bytes;
	/* inside */
	const uint8_t *pos, *limit;
	uint64_t function_end;
	uint32_t quantum;
	bool first;
};

void go_stack_start(const struct go_lines *lines, uint32_t function, struct go_stack *stack);
bool go_stack_next(struct go_stack *stack);
