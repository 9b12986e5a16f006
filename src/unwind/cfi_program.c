/* Call frame instructions: DWARF 5 section 6.4.2, values in 7.24; what GNU, MIPS
 * and ARM added. Only three columns are kept: CFA, frame pointer, return
 * address. Of the first few other registers is known whether they are saved;
 * else opcodes about them are read over. */
#include "unwind/cfi.h"

#include <elf.h>

enum {
	/* The upper two bits; the lower six are an operand. */
	DW_CFA_ADVANCE_LOC = 0x40,
	DW_CFA_OFFSET = 0x80,
	DW_CFA_RESTORE = 0xc0,
	HIGH_BITS = 0xc0,
	LOW_BITS = 0x3f,

	DW_CFA_NOP = 0x00,
	DW_CFA_SET_LOC = 0x01,
	DW_CFA_ADVANCE_LOC1 = 0x02,
	DW_CFA_ADVANCE_LOC2 = 0x03,
	DW_CFA_ADVANCE_LOC4 = 0x04,
	DW_CFA_OFFSET_EXTENDED = 0x05,
	DW_CFA_RESTORE_EXTENDED = 0x06,
	DW_CFA_UNDEFINED = 0x07,
	DW_CFA_SAME_VALUE = 0x08,
	DW_CFA_REGISTER = 0x09,
	DW_CFA_REMEMBER_STATE = 0x0a,
	DW_CFA_RESTORE_STATE = 0x0b,
	DW_CFA_DEF_CFA = 0x0c,
	DW_CFA_DEF_CFA_REGISTER = 0x0d,
	DW_CFA_DEF_CFA_OFFSET = 0x0e,
	DW_CFA_DEF_CFA_EXPRESSION = 0x0f,
	DW_CFA_EXPRESSION = 0x10,
	DW_CFA_OFFSET_EXTENDED_SF = 0x11,
	DW_CFA_DEF_CFA_SF = 0x12,
	DW_CFA_DEF_CFA_OFFSET_SF = 0x13,
	DW_CFA_VAL_OFFSET = 0x14,
	DW_CFA_VAL_OFFSET_SF = 0x15,
	DW_CFA_VAL_EXPRESSION = 0x16,
	DW_CFA_MIPS_ADVANCE_LOC8 = 0x1d,
	DW_CFA_AARCH64_NEGATE_RA_STATE_WITH_PC = 0x2c,
	DW_CFA_AARCH64_NEGATE_RA_STATE = 0x2d, /* elsewhere GNU_window_save, of SPARC */
	DW_CFA_GNU_ARGS_SIZE = 0x2e,
	DW_CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

enum { SAVED_REGISTERS = 8 }; /* bits of cfi_state.saved */

/* Nearly all operands are one byte, and there are ten million of them in a large file. */
static inline uint64_t operand(struct cur *c)
{
	if (!c->bad && c->pos < c->end && *c->pos < 0x80)
		return *c->pos++;
	return cur_uleb(c);
}

static int64_t scaled(const struct cfi_run *run, int64_t factored)
{
	return (int64_t)((uint64_t)factored * (uint64_t)run->cie->data_align);
}

static uint32_t register_number(struct cur *c)
{
	uint64_t reg = operand(c);

	return reg < UINT32_MAX ? (uint32_t)reg : UINT32_MAX - 1;
}

/* The column, or NULL: not one of ours. */
static struct cfi_reg *column(const struct cfi_run *run, struct cfi_state *state, uint64_t reg)
{
	if (reg == run->machine->fp)
		return &state->fp;
	return reg == run->cie->ra ? &state->ra : NULL;
}

static void set_saved(struct cfi_state *state, uint64_t reg, bool saved)
{
	if (reg < SAVED_REGISTERS)
		state->saved = (uint8_t)((state->saved & ~(1U << reg)) | (uint32_t)saved << reg);
}

static void set_column(struct cfi_run *run, uint64_t reg, enum cfi_where where, int64_t offset)
{
	struct cfi_reg *col = column(run, &run->state, reg);

	if (!col) {
		set_saved(&run->state, reg, where == CFI_AT_CFA);
		return;
	}
	*col = (struct cfi_reg){.where = where, .offset = offset};
	if (where == CFI_IN_REG)
		*col = (struct cfi_reg){.where = where, .reg = (uint32_t)offset};
}

static void restore_column(struct cfi_run *run, uint64_t reg)
{
	if (reg == run->machine->fp)
		run->state.fp = run->cie->initial.fp;
	else if (reg == run->cie->ra)
		run->state.ra = run->cie->initial.ra;
	else if (reg < SAVED_REGISTERS)
		set_saved(&run->state, reg, run->cie->initial.saved >> reg & 1);
}

static struct str parse_block(struct cur *c)
{
	return cur_bytes(c, (size_t)cur_uleb(c));
}

/* ---- opcodes, by what they are about ----------------------------------- */

static bool remember(struct cfi_run *run)
{
	if (run->remembered == CFI_STATES_MAX)
		return false;
	run->states[run->remembered++] = run->state;
	return true;
}

static bool recall(struct cfi_run *run)
{
	if (run->remembered == 0)
		return false;
	run->state = run->states[--run->remembered];
	return true;
}

static bool run_state_op(struct cfi_run *run, uint8_t op)
{
	switch (op) {
	case DW_CFA_NOP:
		return true;
	case DW_CFA_REMEMBER_STATE:
		return remember(run);
	case DW_CFA_RESTORE_STATE:
		return recall(run);
	case DW_CFA_GNU_ARGS_SIZE: /* for landing pads only */
		(void)operand(&run->ops);
		return true;
	case DW_CFA_AARCH64_NEGATE_RA_STATE: /* whoever reads a signed address strips it */
	case DW_CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
		return run->machine->machine == EM_AARCH64;
	default:
		return false;
	}
}

/* An offset alone, or a register alone, goes on from a register and offset. */
static bool change_cfa(struct cfi_run *run, bool new_reg, bool new_offset, int64_t offset,
		       uint32_t reg)
{
	struct cfi_state *state = &run->state;

	if (!(new_reg && new_offset) && state->cfa != CFI_CFA_REGISTER)
		return false;
	state->cfa = CFI_CFA_REGISTER;
	if (new_reg)
		state->cfa_reg = reg;
	if (new_offset)
		state->cfa_offset = offset;
	return true;
}

static bool run_cfa_op(struct cfi_run *run, uint8_t op)
{
	struct cur *c = &run->ops;
	uint32_t reg;

	switch (op) {
	case DW_CFA_DEF_CFA:
		reg = register_number(c);
		return change_cfa(run, true, true, (int64_t)operand(c), reg);
	case DW_CFA_DEF_CFA_SF:
		reg = register_number(c);
		return change_cfa(run, true, true, scaled(run, cur_sleb(c)), reg);
	case DW_CFA_DEF_CFA_REGISTER:
		return change_cfa(run, true, false, 0, register_number(c));
	case DW_CFA_DEF_CFA_OFFSET:
		return change_cfa(run, false, true, (int64_t)operand(c), 0);
	case DW_CFA_DEF_CFA_OFFSET_SF:
		return change_cfa(run, false, true, scaled(run, cur_sleb(c)), 0);
	case DW_CFA_DEF_CFA_EXPRESSION:
		cfi_expression_cfa(parse_block(c), &run->state);
		return true;
	default:
		return run_state_op(run, op);
	}
}

static void run_expression(struct cfi_run *run, uint64_t reg)
{
	struct str ops = parse_block(&run->ops);
	struct cfi_reg *col = column(run, &run->state, reg);

	if (col)
		*col = cfi_expression_place(ops);
}

static bool run_column_op(struct cfi_run *run, uint8_t op)
{
	struct cur *c = &run->ops;
	uint64_t reg;

	if (op < DW_CFA_OFFSET_EXTENDED || (op > DW_CFA_REGISTER && op < DW_CFA_EXPRESSION) ||
	    (op > DW_CFA_VAL_EXPRESSION && op != DW_CFA_GNU_NEGATIVE_OFFSET_EXTENDED) ||
	    op == DW_CFA_DEF_CFA_SF || op == DW_CFA_DEF_CFA_OFFSET_SF)
		return run_cfa_op(run, op);
	reg = operand(c);
	switch (op) {
	case DW_CFA_OFFSET_EXTENDED:
		set_column(run, reg, CFI_AT_CFA, scaled(run, (int64_t)operand(c)));
		break;
	case DW_CFA_OFFSET_EXTENDED_SF:
		set_column(run, reg, CFI_AT_CFA, scaled(run, cur_sleb(c)));
		break;
	case DW_CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		set_column(run, reg, CFI_AT_CFA,
			   (int64_t) - (uint64_t)scaled(run, (int64_t)operand(c)));
		break;
	case DW_CFA_RESTORE_EXTENDED:
		restore_column(run, reg);
		break;
	case DW_CFA_UNDEFINED:
		set_column(run, reg, CFI_UNDEFINED, 0);
		break;
	case DW_CFA_SAME_VALUE:
		set_column(run, reg, CFI_SAME, 0);
		break;
	case DW_CFA_EXPRESSION:
		run_expression(run, reg);
		break;
	case DW_CFA_VAL_EXPRESSION:
		(void)parse_block(c);
		set_column(run, reg, CFI_ELSEWHERE, 0);
		break;
	case DW_CFA_REGISTER:
		set_column(run, reg, CFI_IN_REG, (int64_t)operand(c));
		break;
	default: /* VAL_OFFSET, VAL_OFFSET_SF: one operand of no interest */
		(void)cur_sleb(c);
		set_column(run, reg, CFI_ELSEWHERE, 0);
	}
	return true;
}

static bool advance(struct cfi_run *run, uint64_t delta, uint64_t *ret_vaddr)
{
	uint64_t bytes;

	return !__builtin_mul_overflow(delta, run->cie->code_align, &bytes) &&
	       !__builtin_add_overflow(run->vaddr, bytes, ret_vaddr) && cur_ok(&run->ops);
}

/* True when op ends the range; *ret_ok says whether it could be read. */
static bool run_location_op(struct cfi_run *run, uint8_t op, uint64_t *ret_vaddr, bool *ret_ok)
{
	struct cur *c = &run->ops;

	switch (op) {
	case DW_CFA_ADVANCE_LOC1:
		*ret_ok = advance(run, cur_u8(c), ret_vaddr);
		return true;
	case DW_CFA_ADVANCE_LOC2:
		*ret_ok = advance(run, cur_u16le(c), ret_vaddr);
		return true;
	case DW_CFA_ADVANCE_LOC4:
		*ret_ok = advance(run, cur_u32le(c), ret_vaddr);
		return true;
	case DW_CFA_MIPS_ADVANCE_LOC8:
		*ret_ok = advance(run, cur_u64le(c), ret_vaddr);
		return true;
	case DW_CFA_SET_LOC:
		*ret_vaddr = cfi_pointer_parse(run->section, c, run->cie->encoding);
		*ret_ok = cur_ok(c) && *ret_vaddr >= run->vaddr;
		return true;
	default:
		return false;
	}
}

void cfi_run_start(struct cfi_run *run, const struct cfi_section *section,
		   const struct cfi_machine *machine, const struct cfi_cie *cie,
		   const struct cfi_fde *fde)
{
	run->section = section;
	run->machine = machine;
	run->cie = cie;
	run->ops = cur_make(fde->program.ptr, fde->program.len);
	run->vaddr = fde->start;
	run->state = cie->initial;
	run->remembered = 0;
}

static bool run_packed_op(struct cfi_run *run, uint8_t op)
{
	if ((op & HIGH_BITS) == DW_CFA_OFFSET)
		set_column(run, op & LOW_BITS, CFI_AT_CFA,
			   scaled(run, (int64_t)operand(&run->ops)));
	else
		restore_column(run, op & LOW_BITS);
	return true;
}

enum cfi_step cfi_run_next(struct cfi_run *run, uint64_t *ret_vaddr)
{
	struct cur *c = &run->ops;
	bool ok = true;

	while (c->pos < c->end) {
		uint8_t op = *c->pos++;
		if ((op & HIGH_BITS) == DW_CFA_ADVANCE_LOC)
			return advance(run, op & LOW_BITS, ret_vaddr) ? CFI_MORE : CFI_BAD;
		if (run_location_op(run, op, ret_vaddr, &ok))
			return ok ? CFI_MORE : CFI_BAD;
		ok = (op & HIGH_BITS) ? run_packed_op(run, op) : run_column_op(run, op);
		if (!ok || !cur_ok(c))
			return CFI_BAD;
	}
	return CFI_END;
}
