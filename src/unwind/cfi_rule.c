/* From what call frame information says to what the sampler can follow. */
#include <elf.h>
#include <string.h>

#include "unwind/cfi.h"

enum {
	/* struct sigcontext of x86-64 starts with r8; rsp is the 16th of its 8-byte fields. */
	X86_SIGCONTEXT_RSP = 15 * 8,
	X86_REGISTERS = 16,
	/* Of x86-64's first registers those that a call may change (rax, rdx, rcx, rsi, rdi), and those in which
	 * an unwinder hands the exception to a handler: __builtin_eh_return_data_regno(0) and (1). */
	X86_SCRATCH = 0x37,
	X86_EH_RETURN_DATA = 0x03,
	/* arm64: struct rt_sigframe is siginfo (128) and ucontext, whose mcontext is at 176. */
	ARM64_SIGCONTEXT = 128 + 176,
};

static bool fits_s16(int64_t value)
{
	return value == (int16_t)value;
}

static bool fits_s32(int64_t value)
{
	return value == (int32_t)value;
}

static struct unwind_rule plain_rule(enum unwind_cfa cfa)
{
	return (struct unwind_rule){.cfa = (uint8_t)cfa};
}

static bool set_cfa_register(const struct cfi_machine *machine, const struct cfi_state *state,
			     struct unwind_rule *rule)
{
	if (state->cfa_reg == machine->sp) {
		rule->cfa = UNWIND_CFA_SP;
	} else if (state->cfa_reg == machine->fp) {
		rule->cfa = UNWIND_CFA_FP;
	} else {
		rule->cfa = UNWIND_CFA_REGISTER;
		rule->reg = (uint8_t)state->cfa_reg;
	}
	return state->cfa_reg <= UINT8_MAX;
}

static bool set_cfa_deref(const struct cfi_machine *machine, const struct cfi_state *state,
			  struct unwind_rule *rule)
{
	if (state->cfa_reg != machine->sp && state->cfa_reg != machine->fp)
		return false;
	rule->cfa = state->cfa_reg == machine->sp ? UNWIND_CFA_SP_DEREF : UNWIND_CFA_FP_DEREF;
	rule->cfa_add = (int32_t)state->cfa_add;
	return fits_s32(state->cfa_add);
}

static bool set_cfa(const struct cfi_machine *machine, const struct cfi_state *state,
		    struct unwind_rule *rule)
{
	rule->cfa_offset = (int32_t)state->cfa_offset;
	if (!fits_s32(state->cfa_offset))
		return false;
	switch (state->cfa) {
	case CFI_CFA_REGISTER:
		return set_cfa_register(machine, state, rule);
	case CFI_CFA_DEREF:
		return set_cfa_deref(machine, state, rule);
	case CFI_CFA_PLT:
		rule->cfa = UNWIND_CFA_PLT;
		return machine->machine == EM_X86_64;
	case CFI_CFA_OTHER:
		return false;
	}
	return false;
}

/* A place relative to the register that the CFA is relative to is one relative to the CFA. */
static struct cfi_reg relative_to_cfa(const struct cfi_state *state, struct cfi_reg reg)
{
	if (reg.where == CFI_AT_REG && state->cfa == CFI_CFA_REGISTER &&
	    reg.reg == state->cfa_reg && fits_s32(reg.offset) && fits_s32(state->cfa_offset))
		return (struct cfi_reg){.where = CFI_AT_CFA,
					.offset = reg.offset - state->cfa_offset};
	return reg;
}

/* Only a function with __builtin_eh_return() saves these two alone: for the handler that it ends in. When its
 * CFA is in another register it has arrived there. arm64 keeps return addresses anywhere in a frame, so
 * that the handler's could not be told from where one is. */
static bool ends_in_handler(const struct cfi_machine *machine, const struct cfi_state *state,
			    const struct unwind_rule *rule)
{
	return (state->saved & X86_SCRATCH) == X86_EH_RETURN_DATA &&
	       machine->machine == EM_X86_64 &&
	       (rule->cfa == UNWIND_CFA_FP || rule->cfa == UNWIND_CFA_SP);
}

static bool set_ra(const struct cfi_machine *machine, const struct cfi_state *state,
		   struct unwind_rule *rule)
{
	struct cfi_reg ra = relative_to_cfa(state, state->ra);

	if (ra.where == CFI_SAME && machine->machine == EM_AARCH64) {
		rule->ra = UNWIND_RA_REGISTER;
		return true;
	}
	if (ra.where == CFI_IN_REG && machine->machine == EM_X86_64) { /* vfork */
		rule->ra = UNWIND_RA_REGISTER;
		rule->reg = (uint8_t)ra.reg;
		return ra.reg < X86_REGISTERS && rule->cfa != UNWIND_CFA_REGISTER;
	}
	rule->ra = ends_in_handler(machine, state, rule) ? UNWIND_RA_HANDLER : UNWIND_RA_AT_CFA;
	rule->ra_offset = (int16_t)ra.offset;
	return ra.where == CFI_AT_CFA && fits_s16(ra.offset);
}

static void set_fp(const struct cfi_machine *machine, const struct cfi_state *state,
		   struct unwind_rule *rule)
{
	struct cfi_reg fp = relative_to_cfa(state, state->fp);

	rule->fp = UNWIND_FP_LOST;
	if (fp.where == CFI_SAME) {
		rule->fp = UNWIND_FP_SAME;
	} else if (fp.where == CFI_AT_CFA && fits_s16(fp.offset)) {
		rule->fp = UNWIND_FP_AT_CFA;
		rule->fp_offset = (int16_t)fp.offset;
	} else if (fp.where == CFI_AT_REG && fp.reg == machine->fp && fits_s16(fp.offset)) {
		rule->fp = UNWIND_FP_AT_FP;
		rule->fp_offset = (int16_t)fp.offset;
	}
}

/* What the kernel pushed for a signal handler is known, only where it is differs. */
static bool set_signal(const struct cfi_machine *machine, const struct cfi_state *state,
		       struct unwind_rule *rule)
{
	*rule = plain_rule(UNWIND_CFA_SIGNAL);
	if (machine->machine == EM_AARCH64) {
		rule->cfa_offset = ARM64_SIGCONTEXT;
		return true;
	}
	rule->cfa_offset = (int32_t)state->cfa_offset - X86_SIGCONTEXT_RSP;
	return state->cfa == CFI_CFA_DEREF && state->cfa_reg == machine->sp &&
	       state->cfa_add == 0 && state->cfa_offset >= X86_SIGCONTEXT_RSP &&
	       state->cfa_offset <= INT16_MAX;
}

struct unwind_rule cfi_rule(const struct cfi_machine *machine, const struct cfi_cie *cie,
			    const struct cfi_state *state)
{
	struct unwind_rule rule = {0};

	if (cie->signal && set_signal(machine, state, &rule))
		return rule;
	if (state->ra.where == CFI_UNDEFINED)
		return plain_rule(UNWIND_CFA_END);
	rule = plain_rule(UNWIND_CFA_SP);
	if (!set_cfa(machine, state, &rule) || !set_ra(machine, state, &rule))
		return plain_rule(UNWIND_CFA_UNKNOWN);
	set_fp(machine, state, &rule);
	return rule;
}
