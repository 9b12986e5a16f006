/* Private to unwind/: call frame information as it is in a file. Three layers,
 * each knowing only the one before:
 *
 *	cfi_entry.c	bytes of a section -> CIE and FDE (which function, which program)
 *	cfi_program.c	a program's opcodes -> state (where CFA, frame pointer, return address are)
 *	cfi_rule.c	state -> struct unwind_rule
 *
 * Nothing here takes memory; all of it reads hostile bytes through cursors. */
#pragma once

#include "base/cursor.h"
#include "unwind/unwind.h"

struct cfi_section {
	const uint8_t *bytes;
	size_t len; /* below 4 GiB */
	uint64_t vaddr;
	bool eh;      /* .eh_frame; else .debug_frame */
	bool to_zero; /* the section headers are gone: an entry of length 0 is the end */
};

/* The registers that matter, by DWARF number (x86-64 psABI figure 3.36, aadwarf64 4.1). */
struct cfi_machine {
	uint16_t machine; /* EM_X86_64, EM_AARCH64 */
	uint8_t sp, fp;
};

struct cfi_machine cfi_machine_of(uint16_t elf_machine);

/* ---- states ------------------------------------------------------------ */

enum cfi_cfa {
	CFI_CFA_REGISTER, /* reg + offset */
	CFI_CFA_DEREF,	  /* *(reg + offset) + add */
	CFI_CFA_PLT,	  /* offset: where in the 16 bytes of a stub the push is done */
	CFI_CFA_OTHER,
};

enum cfi_where {
	CFI_SAME, /* or nothing is said */
	CFI_UNDEFINED,
	CFI_AT_CFA, /* *(CFA + offset) */
	CFI_AT_REG, /* *(reg + offset) */
	CFI_IN_REG, /* reg */
	CFI_ELSEWHERE,
};

struct cfi_reg {
	enum cfi_where where;
	uint32_t reg;
	int64_t offset;
};

struct cfi_state {
	enum cfi_cfa cfa;
	uint32_t cfa_reg;
	int64_t cfa_offset, cfa_add;
	struct cfi_reg fp, ra;
	uint8_t saved; /* bit N: the caller's register N is at a place below the CFA; fp and ra have no bit */
};

/* DWARF expressions that call frame information is known to use; anything else is CFI_CFA_OTHER,
 * CFI_ELSEWHERE. */
void cfi_expression_cfa(struct str ops, struct cfi_state *state);
struct cfi_reg cfi_expression_place(struct str ops);

/* ---- entries ----------------------------------------------------------- */

struct cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint32_t ra;	  /* register number of the return address's column */
	uint8_t encoding; /* DW_EH_PE_* of an FDE's addresses */
	bool augmented;	  /* an FDE has augmentation data, with their length in front */
	bool signal;
	struct cfi_state initial; /* after its own instructions */
	size_t len;		  /* bytes in the section, also of a damaged one */
};

struct cfi_fde {
	uint64_t start, size;
	struct str program;
};

/* An address in the section, by its DW_EH_PE_*. An indirect one, or one relative to a base that is not
 * known here, is bad. */
uint64_t cfi_pointer_parse(const struct cfi_section *section, struct cur *c, uint8_t encoding);

/* The frame of an entry: CIE or FDE. */
struct cfi_entry {
	size_t offset; /* in the section; of the entry's length field */
	size_t body;   /* behind the id */
	size_t end;
	size_t cie_offset; /* FDE: of its CIE */
	bool is_cie, is_64;
};

enum cfi_step { CFI_MORE, CFI_END, CFI_BAD };

/* The entry at *offset, which moves behind it. CFI_BAD: what follows cannot be found either. */
enum cfi_step cfi_entry_next(const struct cfi_section *section, size_t *offset,
			     struct cfi_entry *ret);
/* False: damaged, or of a kind that we do not know. */
bool cfi_cie_parse(const struct cfi_section *section, const struct cfi_machine *machine,
		   size_t offset, struct cfi_cie *ret);
bool cfi_fde_parse(const struct cfi_section *section, const struct cfi_cie *cie,
		   const struct cfi_entry *entry, struct cfi_fde *ret);

/* ---- programs ---------------------------------------------------------- */

enum { CFI_STATES_MAX = 8 /* remembered at once; compilers need one or two */ };

struct cfi_run {
	const struct cfi_section *section;
	const struct cfi_machine *machine;
	const struct cfi_cie *cie;
	struct cur ops;
	uint64_t vaddr; /* from where on the state holds */
	struct cfi_state state;
	uint32_t remembered;
	struct cfi_state states[CFI_STATES_MAX];
};

/* To run the program of an FDE; ops, vaddr, state are set by it. */
void cfi_run_start(struct cfi_run *run, const struct cfi_section *section,
		   const struct cfi_machine *machine, const struct cfi_cie *cie,
		   const struct cfi_fde *fde);
/* Runs to where the state is to hold until *ret_vaddr (CFI_MORE) or to the end of the function
 * (CFI_END). CFI_BAD: the rest cannot be known. */
enum cfi_step cfi_run_next(struct cfi_run *run, uint64_t *ret_vaddr);

/* ---- rules ------------------------------------------------------------- */

struct unwind_rule cfi_rule(const struct cfi_machine *machine, const struct cfi_cie *cie,
			    const struct cfi_state *state);
