/* Private to unwind/: functions at which a stack begins although their call
 * frame information names a return address. */
#pragma once

#include "unwind/cfi_index.h"

struct roots {
	const struct elf_file *file;
	uint32_t left; /* functions that may still be looked at */
};

struct roots roots_of(const struct elf_file *file);
/* True for glibc's __start_context, to which a coroutine's first function (makecontext) returns. */
bool roots_have(struct roots *roots, const struct cfi_function *function, struct str program);
