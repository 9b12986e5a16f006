/* CIEs and FDEs: DWARF 5 section 6.4.1 and LSB 5.0 Core chapter 10.6.1. */
#include <elf.h>
#include <string.h>

#include "unwind/cfi.h"

/* Encodings of pointers: LSB 5.0 Core, 10.5.1. */
enum {
	DW_EH_PE_ABSPTR = 0x00,
	DW_EH_PE_ULEB128 = 0x01,
	DW_EH_PE_UDATA2 = 0x02,
	DW_EH_PE_UDATA4 = 0x03,
	DW_EH_PE_UDATA8 = 0x04,
	DW_EH_PE_SLEB128 = 0x09,
	DW_EH_PE_SDATA2 = 0x0a,
	DW_EH_PE_SDATA4 = 0x0b,
	DW_EH_PE_SDATA8 = 0x0c,
	DW_EH_PE_FORM = 0x0f,
	DW_EH_PE_PCREL = 0x10,
	DW_EH_PE_ALIGNED = 0x50,
	DW_EH_PE_BASE = 0x70,
	DW_EH_PE_INDIRECT = 0x80,
	DW_EH_PE_OMIT = 0xff,
};

enum { LENGTH_IS_64 = 0xffffffffu, POINTER_BYTES = 8 };

struct cfi_machine cfi_machine_of(uint16_t elf_machine)
{
	if (elf_machine == EM_AARCH64)
		return (struct cfi_machine){EM_AARCH64, 31, 29};
	return (struct cfi_machine){EM_X86_64, 7, 6};
}

static struct cur section_cursor(const struct cfi_section *section, size_t from, size_t to)
{
	struct cur c = cur_make(section->bytes, to);

	cur_seek(&c, from);
	return c;
}

/* .eh_frame says how far back the CIE is from the field itself, .debug_frame where it is; a CIE has 0
 * there, or all ones. */
static void parse_id(const struct cfi_section *section, struct cur *c, struct cfi_entry *entry)
{
	size_t at = cur_offset(c);
	/* In .eh_frame the field has 4 bytes whatever the length's size (as all readers take it). */
	bool wide = entry->is_64 && !section->eh;
	uint64_t id = wide ? cur_u64le(c) : cur_u32le(c);

	if (section->eh) {
		entry->is_cie = id == 0;
		entry->cie_offset = id <= at ? at - (size_t)id : SIZE_MAX;
	} else {
		entry->is_cie = id == (wide ? UINT64_MAX : UINT32_MAX);
		entry->cie_offset = (size_t)id;
	}
	entry->body = cur_offset(c);
}

static enum cfi_step entry_at(const struct cfi_section *section, size_t offset,
			      struct cfi_entry *ret)
{
	struct cur c = section_cursor(section, offset, section->len);
	uint64_t len = cur_u32le(&c);

	*ret = (struct cfi_entry){.offset = offset, .is_64 = len == LENGTH_IS_64};
	if (ret->is_64)
		len = cur_u64le(&c);
	if (!cur_ok(&c) || len > cur_left(&c))
		return CFI_BAD;
	ret->end = cur_offset(&c) + (size_t)len;
	if (len == 0) {
		ret->body = ret->end;
		return CFI_END;
	}
	parse_id(section, &c, ret);
	return cur_ok(&c) && ret->body <= ret->end ? CFI_MORE : CFI_BAD;
}

enum cfi_step cfi_entry_next(const struct cfi_section *section, size_t *offset,
			     struct cfi_entry *ret)
{
	/* Padding, and ends of what a linker put together. */
	while (section->len - *offset >= sizeof(uint32_t)) {
		enum cfi_step step = entry_at(section, *offset, ret);
		if (step == CFI_END && section->to_zero)
			return CFI_END;
		if (step == CFI_BAD)
			return CFI_BAD;
		*offset = ret->end;
		if (step == CFI_MORE)
			return CFI_MORE;
	}
	return CFI_END;
}

/* ---- pointers ---------------------------------------------------------- */

static uint64_t parse_form(struct cur *c, uint8_t form)
{
	switch (form) {
	case DW_EH_PE_ULEB128:
		return cur_uleb(c);
	case DW_EH_PE_SLEB128:
		return (uint64_t)cur_sleb(c);
	case DW_EH_PE_UDATA2:
		return cur_u16le(c);
	case DW_EH_PE_SDATA2:
		return (uint64_t)(int16_t)cur_u16le(c);
	case DW_EH_PE_UDATA4:
		return cur_u32le(c);
	case DW_EH_PE_SDATA4:
		return (uint64_t)(int32_t)cur_u32le(c);
	case DW_EH_PE_ABSPTR:
	case DW_EH_PE_UDATA8:
	case DW_EH_PE_SDATA8:
		return cur_u64le(c);
	default:
		c->bad = true;
		return 0;
	}
}

/* Of what is read next; c may be over any part of the section. */
static uint64_t vaddr_of(const struct cfi_section *section, const struct cur *c)
{
	return section->vaddr + (uint64_t)(c->pos - section->bytes);
}

static void align_pointer(const struct cfi_section *section, struct cur *c)
{
	cur_skip(c, (size_t)(-vaddr_of(section, c) % POINTER_BYTES));
}

uint64_t cfi_pointer_parse(const struct cfi_section *section, struct cur *c, uint8_t encoding)
{
	uint64_t base = 0;

	switch (encoding & (DW_EH_PE_BASE | DW_EH_PE_INDIRECT)) {
	case 0:
		break;
	case DW_EH_PE_PCREL:
		base = vaddr_of(section, c);
		break;
	case DW_EH_PE_ALIGNED:
		align_pointer(section, c);
		break;
	default:
		c->bad = true;
	}
	return base + parse_form(c, encoding & DW_EH_PE_FORM);
}

static void skip_pointer(const struct cfi_section *section, struct cur *c, uint8_t encoding)
{
	if (encoding == DW_EH_PE_OMIT)
		return;
	if ((encoding & DW_EH_PE_BASE) == DW_EH_PE_ALIGNED)
		align_pointer(section, c);
	(void)parse_form(c, encoding & DW_EH_PE_FORM);
}

/* ---- CIE --------------------------------------------------------------- */

/* Letters of an augmentation: LSB 10.6.1.1.1; S and B as gcc and binutils have them. */
static bool parse_augmentation(const struct cfi_section *section, struct str letters, struct cur *c,
			       struct cfi_cie *cie)
{
	cie->augmented = letters.len > 0 && letters.ptr[0] == 'z';
	if (letters.len == 0)
		return true;
	if (!cie->augmented)
		return false; /* of unknown length */
	struct cur data = cur_sub(c, (size_t)cur_uleb(c));
	for (size_t i = 1; i < letters.len; i++) {
		switch (letters.ptr[i]) {
		case 'R':
			cie->encoding = cur_u8(&data);
			break;
		case 'P':
			skip_pointer(section, &data, cur_u8(&data));
			break;
		case 'L':
			(void)cur_u8(&data);
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B': /* arm64: return addresses are signed with the B key */
		case 'G': /* arm64: tagged stack memory */
			break;
		default:
			return cur_ok(&data); /* the rest has data that we do not know */
		}
	}
	return cur_ok(&data);
}

/* Fields between augmentation and instructions. */
static bool parse_cie_head(const struct cfi_section *section, struct cur *c, struct cfi_cie *cie)
{
	uint8_t version = cur_u8(c);
	struct str letters = cur_cstr(c);

	if (version != 1 && version != 3 && (version != 4 || section->eh))
		return false;
	if (version == 4) {
		uint8_t address_bytes = cur_u8(c), selector_bytes = cur_u8(c);
		if (address_bytes != POINTER_BYTES || selector_bytes != 0)
			return false;
	}
	cie->code_align = cur_uleb(c);
	cie->data_align = cur_sleb(c);
	uint64_t ra = version == 1 ? cur_u8(c) : cur_uleb(c);
	cie->ra = ra <= UINT8_MAX ? (uint32_t)ra : UINT32_MAX;
	cie->encoding = DW_EH_PE_ABSPTR;
	return cur_ok(c) && parse_augmentation(section, letters, c, cie) && cur_ok(c);
}

bool cfi_cie_parse(const struct cfi_section *section, const struct cfi_machine *machine,
		   size_t offset, struct cfi_cie *ret)
{
	struct cfi_entry entry;
	struct cfi_run run;
	uint64_t vaddr;

	*ret = (struct cfi_cie){0};
	if (offset >= section->len || entry_at(section, offset, &entry) != CFI_MORE ||
	    !entry.is_cie)
		return false;
	ret->len = entry.end - offset;
	struct cur c = section_cursor(section, entry.body, entry.end);
	if (!parse_cie_head(section, &c, ret))
		return false;
	struct cfi_fde self = {.size = UINT64_MAX, .program = str_make(c.pos, cur_left(&c))};
	ret->initial.cfa = CFI_CFA_OTHER; /* nothing is said yet */
	cfi_run_start(&run, section, machine, ret, &self);
	if (cfi_run_next(&run, &vaddr) != CFI_END)
		return false;
	ret->initial = run.state;
	return true;
}

/* ---- FDE --------------------------------------------------------------- */

bool cfi_fde_parse(const struct cfi_section *section, const struct cfi_cie *cie,
		   const struct cfi_entry *entry, struct cfi_fde *ret)
{
	struct cur c = section_cursor(section, entry->body, entry->end);

	ret->start = cfi_pointer_parse(section, &c, cie->encoding);
	ret->size = parse_form(&c, cie->encoding & DW_EH_PE_FORM);
	if (cie->augmented)
		cur_skip(&c, (size_t)cur_uleb(&c));
	ret->program = str_make(c.pos, cur_left(&c));
	return cur_ok(&c);
}
