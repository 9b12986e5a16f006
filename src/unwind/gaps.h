/* Private to unwind/: what is known about code without call frame information. */
#pragma once

#include "unwind/builder.h"
#include "unwind/rows.h"

/* Adds rules for the program's entry (outermost: musl's _start says nothing) and for the code that
 * ends signal handlers, recognised by its instructions, where rows has none. */
MUST_USE int unwind_gaps_compile(const struct elf_file *file, const struct unwind_rows *rows,
				 struct unwind_builder *builder, struct err *err);
/* Adds rules for whole functions where rows has none, by their instructions (x86-64; see depths.h). Not
 * where most of the file is so: that keeps frame pointers then, or has no such thing as functions. */
MUST_USE int unwind_gaps_read(const struct elf_file *file, const struct unwind_rows *rows,
			      struct unwind_builder *builder, struct err *err);
