/* The list of cases. */
#include <stddef.h>

#include "cases.h"

const struct chain_case chain_cases[] = {
	{"plain", case_plain},
	{"deep10", case_deep10},
	{"deep100", case_deep100},
	{"deep1000", case_deep1000},
	{"tail", case_tail},
	{"callbacks", case_callbacks},
	{"alloca", case_alloca},
	{"realign", case_realign},
	{"cold", case_cold},
	{"prologue", case_prologue},
	{"library", case_library},
	{"inline", case_inline},
	{"signal", case_signal},
	{"altstack", case_altstack},
	{"nested", case_nested},
	{"timer", case_timer},
	{"vfork", case_vfork},
	{"threads", case_threads},
	{"memfd", case_memfd},
	{"clock", case_clock},
	{"kernel", case_kernel},
	{"faults", case_faults},
	{"storm", case_storm},
	{"jit", case_jit},
#ifndef CHAINS_MUSL
	{"coroutine", case_coroutine},
#endif
#ifdef CHAINS_LIBRARIES
	{"dlopen", case_dlopen},
#endif
#ifdef CHAINS_ASM
	{"asm", case_asm},
#endif
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	int rc = chain_main(argc, argv);
	NO_TAIL_CALL();
	return rc;
}
