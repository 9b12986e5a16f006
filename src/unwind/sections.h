/* Private to unwind/: finds and reads call frame information. */
#pragma once

#include "unwind/cfi.h"

/* .eh_frame, through PT_GNU_EH_FRAME when the section headers are gone. To be freed below.
 * ERR_NOT_FOUND; ERR_CORRUPT, ERR_LIMIT (more than limit_bytes), ERR_IO, ERR_NOMEM. */
MUST_USE int cfi_read_eh_frame(const struct elf_file *file, size_t limit_bytes,
			       struct cfi_section *ret, struct err *err);
/* .debug_frame, inflated when it is compressed. The same. */
MUST_USE int cfi_read_debug_frame(const struct elf_file *file, size_t limit_bytes,
				  struct cfi_section *ret, struct err *err);
void cfi_section_free(struct cfi_section *section);
