/* Private to unwind/: the functions of a section of call frame information, by
 * address. Sections are in the order of object files, not of addresses. */
#pragma once

#include "base/map.h"
#include "unwind/cfi.h"

enum { TEXT_RANGES_MAX = 16 /* the loader takes more, but linkers make one or two */ };

/* Executable memory of a file: what is outside is no function. */
struct text_ranges {
	uint64_t base; /* of the lowest; 4 GiB from here on are what a table can hold */
	uint32_t count;
	struct {
		uint64_t start, size;
	} ranges[TEXT_RANGES_MAX];
};

struct text_ranges text_ranges_of(const struct elf_file *file);
/* Is all of [start, start + size) executable? size > 0. */
bool text_ranges_have(const struct text_ranges *text, uint64_t start, uint64_t size);

struct cfi_function {
	uint64_t start;
	uint32_t size;
	uint32_t cie; /* index */
	uint32_t program, program_len;
};

struct cfi_index {
	const struct cfi_section *section;
	const struct cfi_machine *machine;
	const struct text_ranges *text;
	struct cfi_function *functions;
	size_t count, cap;
	struct cfi_cie *cies;
	size_t cie_count, cie_cap, cie_bytes;
	struct map cie_by_offset; /* of the section -> index, or CIE_BAD */
	uint64_t last_offset, last_cie;
	uint32_t skipped;
	bool sorted;
};

/* Reads all entries. Damaged ones are counted in skipped. ERR_LIMIT, ERR_NOMEM; in any case it is to
 * be deinited. */
MUST_USE int cfi_index_init(struct cfi_index *index, const struct cfi_section *section,
			    const struct cfi_machine *machine, const struct text_ranges *text,
			    struct err *err);
void cfi_index_deinit(struct cfi_index *index);
