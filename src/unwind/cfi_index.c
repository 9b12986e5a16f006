#include "unwind/cfi_index.h"

#include <stdlib.h>

#include "base/mem.h"
#include "elf/elf.h"

enum {
	FUNCTIONS_MAX = 2 << 20, /* 48 MiB; the largest file seen has 120 thousand */
	CIES_MAX = 1 << 16,	 /* .debug_frame has one for each source file */
	ELF_HEADER_BYTES = 64,
};

#define CIE_BAD UINT64_MAX

/* ---- text -------------------------------------------------------------- */

struct text_ranges text_ranges_of(const struct elf_file *file)
{
	const uint64_t page_bytes = 1ULL << UNWIND_PAGE_BITS;
	struct text_ranges text = {.base = UINT64_MAX};

	for (uint32_t i = 0; i < elf_segment_count(file) && text.count < TEXT_RANGES_MAX; i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		if (!s->exec)
			continue;
		text.ranges[text.count].start = s->vaddr;
		text.ranges[text.count++].size = s->mem_size;
		if (s->vaddr < text.base)
			text.base = s->vaddr;
	}
	text.base &= ~(page_bytes - 1);
	return text;
}

bool text_ranges_have(const struct text_ranges *text, uint64_t start, uint64_t size)
{
	const uint64_t table_bytes = (uint64_t)UNWIND_PAGES_MAX << UNWIND_PAGE_BITS;

	for (uint32_t i = 0; i < text->count; i++) {
		uint64_t at = start - text->ranges[i].start, room = text->ranges[i].size;
		if (at < room && size <= room - at)
			return start - text->base < table_bytes &&
			       size <= table_bytes - (start - text->base);
	}
	return false;
}

/* ---- CIEs -------------------------------------------------------------- */

/* FDEs may name any offset, so CIEs can lie one in the other, made so that each runs the instructions
 * of all: 2,000 of them in 1 MiB took more than a minute. Without that, they have together no more bytes
 * than the section. */
static bool parse_cie(struct cfi_index *index, size_t offset, struct cfi_cie *ret)
{
	if (index->cie_count >= CIES_MAX || index->cie_bytes > index->section->len)
		return false;
	bool ok = cfi_cie_parse(index->section, index->machine, offset, ret);
	index->cie_bytes += ret->len;
	return ok;
}

static int add_cie(struct cfi_index *index, size_t offset, uint64_t *ret, struct err *err)
{
	struct cfi_cie *grown =
		mem_grow(index->cies, &index->cie_cap, index->cie_count + 1, sizeof(*grown));

	if (!grown)
		return err_set(err, ERR_NOMEM, "call frame information: no memory for a CIE");
	index->cies = grown;
	*ret = CIE_BAD;
	if (parse_cie(index, offset, &grown[index->cie_count]))
		*ret = index->cie_count++;
	return map_put(&index->cie_by_offset, offset, *ret, err);
}

/* *ret is CIE_BAD when it is damaged. */
static int find_cie(struct cfi_index *index, size_t offset, uint64_t *ret, struct err *err)
{
	if (index->last_offset != offset) {
		uint64_t *known = map_get(&index->cie_by_offset, offset);
		uint64_t cie = known ? *known : CIE_BAD;
		int rc = known ? 0 : add_cie(index, offset, &cie, err);
		if (rc)
			return rc;
		index->last_offset = offset;
		index->last_cie = cie;
	}
	*ret = index->last_cie;
	return 0;
}

/* ---- FDEs -------------------------------------------------------------- */

static int push_function(struct cfi_index *index, const struct cfi_fde *fde, uint64_t cie,
			 struct err *err)
{
	if (index->count == FUNCTIONS_MAX)
		return err_set(err, ERR_LIMIT, "call frame information: more than %d functions",
			       FUNCTIONS_MAX);
	struct cfi_function *grown =
		mem_grow(index->functions, &index->cap, index->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_NOMEM, "call frame information: no memory for a function");
	index->functions = grown;
	if (index->count > 0 && grown[index->count - 1].start >= fde->start)
		index->sorted = false;
	grown[index->count++] = (struct cfi_function){
		.start = fde->start,
		.size = (uint32_t)fde->size,
		.cie = (uint32_t)cie,
		.program = (uint32_t)((const uint8_t *)fde->program.ptr - index->section->bytes),
		.program_len = (uint32_t)fde->program.len,
	};
	return 0;
}

static int add_fde(struct cfi_index *index, const struct cfi_entry *entry, struct err *err)
{
	struct cfi_fde fde;
	uint64_t cie;

	int rc = find_cie(index, entry->cie_offset, &cie, err);
	if (rc)
		return rc;
	if (cie == CIE_BAD || !cfi_fde_parse(index->section, &index->cies[cie], entry, &fde)) {
		index->skipped++;
		return 0;
	}
	/* What the linker threw away stays in .debug_frame, at 0 or so. */
	if (fde.size == 0 || fde.start < ELF_HEADER_BYTES)
		return 0;
	if (fde.size > UINT32_MAX || !text_ranges_have(index->text, fde.start, fde.size)) {
		index->skipped++;
		return 0;
	}
	return push_function(index, &fde, cie, err);
}

/* By address; of two that start at the same one, the first of the section. */
static int compare_functions(const void *a, const void *b)
{
	const struct cfi_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->program < y->program ? -1 : x->program > y->program;
}

int cfi_index_init(struct cfi_index *index, const struct cfi_section *section,
		   const struct cfi_machine *machine, const struct text_ranges *text,
		   struct err *err)
{
	struct cfi_entry entry;
	enum cfi_step step;
	size_t offset = 0;
	int rc = 0;

	*index = (struct cfi_index){.section = section,
				    .machine = machine,
				    .text = text,
				    .last_offset = UINT64_MAX,
				    .last_cie = CIE_BAD,
				    .sorted = true};
	while (!rc && (step = cfi_entry_next(section, &offset, &entry)) == CFI_MORE)
		if (!entry.is_cie)
			rc = add_fde(index, &entry, err);
	if (!rc && step == CFI_BAD)
		index->skipped++;
	if (!rc && !index->sorted)
		qsort(index->functions, index->count, sizeof(*index->functions), compare_functions);
	return rc;
}

void cfi_index_deinit(struct cfi_index *index)
{
	mem_free(index->functions);
	mem_free(index->cies);
	map_deinit(&index->cie_by_offset);
}
