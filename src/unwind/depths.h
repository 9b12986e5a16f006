/* Private to unwind/: functions without call frame information, by their instructions. */
#pragma once

#include "unwind/builder.h"

/* Rules for the functions in [vaddr, vaddr + len) of x86-64, whose bytes these are and of which nothing is
 * known but that they are no data. Where it is not sure, nothing is added. ERR_LIMIT, ERR_NOMEM. */
MUST_USE int unwind_depths_compile(const uint8_t *code, size_t len, uint64_t vaddr,
				   struct unwind_builder *builder, struct err *err);
