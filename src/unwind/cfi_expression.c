/* The few DWARF expressions (DWARF 5 section 2.5) that compilers, linkers and C
 * libraries write into call frame information, recognised and not evaluated:
 *
 *	bregN off						a register with an offset
 *	bregN off, deref [, plus_uconst n | litN plus]		a realigned stack, a signal frame
 *	breg7 8, breg16 0, lit15, and, litN, ge, lit3, shl, plus	lazy PLT stubs of x86-64 */
#include <string.h>

#include "unwind/cfi.h"

enum {
	DW_OP_DEREF = 0x06,
	DW_OP_PLUS = 0x22,
	DW_OP_PLUS_UCONST = 0x23,
	DW_OP_LIT0 = 0x30,
	DW_OP_LIT31 = 0x4f,
	DW_OP_BREG0 = 0x70,
	DW_OP_BREG31 = 0x8f,
	DW_OP_BREGX = 0x92,
};

/* Pushes register + offset. */
static bool parse_breg(struct cur *c, uint32_t *ret_reg, int64_t *ret_offset)
{
	uint8_t op = cur_u8(c);

	if (op == DW_OP_BREGX) {
		uint64_t reg = cur_uleb(c);
		*ret_reg = reg <= UINT8_MAX ? (uint32_t)reg : UINT32_MAX - 1;
	} else if (op >= DW_OP_BREG0 && op <= DW_OP_BREG31) {
		*ret_reg = op - DW_OP_BREG0;
	} else {
		return false;
	}
	*ret_offset = cur_sleb(c);
	return cur_ok(c);
}

/* Behind the deref: nothing, or a constant that is added. */
static bool parse_add(struct cur *c, int64_t *ret_add)
{
	*ret_add = 0;
	if (cur_left(c) == 0)
		return cur_ok(c);
	uint8_t op = cur_u8(c);
	if (op == DW_OP_PLUS_UCONST) {
		*ret_add = (int64_t)cur_uleb(c);
	} else if (op >= DW_OP_LIT0 && op <= DW_OP_LIT31) {
		*ret_add = op - DW_OP_LIT0;
		if (cur_u8(c) != DW_OP_PLUS)
			return false;
	} else {
		return false;
	}
	return cur_ok(c) && cur_left(c) == 0;
}

static bool is_plt(struct str ops, int64_t *ret_push)
{
	static const uint8_t before[] = {0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a};
	static const uint8_t after[] = {0x2a, 0x33, 0x24, 0x22};
	const uint8_t *p = (const uint8_t *)ops.ptr;

	if (ops.len != sizeof(before) + 1 + sizeof(after) ||
	    memcmp(p, before, sizeof(before)) != 0 ||
	    memcmp(p + sizeof(before) + 1, after, sizeof(after)) != 0)
		return false;
	*ret_push = p[sizeof(before)] - DW_OP_LIT0;
	return *ret_push >= 0 && *ret_push < 16;
}

void cfi_expression_cfa(struct str ops, struct cfi_state *state)
{
	struct cur c = cur_make(ops.ptr, ops.len);

	state->cfa = CFI_CFA_OTHER;
	if (is_plt(ops, &state->cfa_offset)) {
		state->cfa = CFI_CFA_PLT;
		return;
	}
	if (!parse_breg(&c, &state->cfa_reg, &state->cfa_offset))
		return;
	if (cur_left(&c) == 0)
		state->cfa = CFI_CFA_REGISTER;
	else if (cur_u8(&c) == DW_OP_DEREF && parse_add(&c, &state->cfa_add))
		state->cfa = CFI_CFA_DEREF;
}

struct cfi_reg cfi_expression_place(struct str ops)
{
	struct cur c = cur_make(ops.ptr, ops.len);
	struct cfi_reg at = {.where = CFI_AT_REG};

	if (!parse_breg(&c, &at.reg, &at.offset) || cur_left(&c) != 0)
		return (struct cfi_reg){.where = CFI_ELSEWHERE};
	return at;
}
