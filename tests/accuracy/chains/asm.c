/* Functions from an assembler file; see asm_x86_64.S. */
#include "cases.h"

void asm_frame_pointer(void (*work)(const char *), const char *id);
void asm_pushes(void);
void asm_leaf(void);

KEEP void asm_called(const char *id);
KEEP void asm_called(const char *id)
{
	burn_as(id);
	NO_TAIL_CALL();
}

KEEP void case_asm(void)
{
	chain_expect("frame-pointer", "burn;burn_as;asm_called;asm_frame_pointer;case_asm" ROOT);
	chain_expect("pushes", "asm_pushes;case_asm" ROOT);
	chain_expect("leaf", "asm_leaf;case_asm" ROOT);
	while (chain_goes_on()) {
		asm_frame_pointer(asm_called, "frame-pointer");
		window_begin("pushes");
		for (int i = 0; i < 100; i++)
			asm_pushes();
		window_end();
		window_begin("leaf");
		for (int i = 0; i < 100; i++)
			asm_leaf();
		window_end();
	}
}
