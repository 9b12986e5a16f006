/* Symbols as assembler files have them. Offsets from asm_base are what the tests expect.
 * Each instruction is a one-byte nop. */
	.text
	.globl asm_base
	.type asm_base, @function
asm_base:			/* 0: a function of 16 bytes with a label inside */
	.fill 8, 1, 0x90
inner_label:			/* 8: untyped, no size, inside asm_base: no function */
	.fill 8, 1, 0x90
	.size asm_base, 16

	.fill 16, 1, 0x90	/* 16: nobody's */

	.globl untyped_function
untyped_function:		/* 32: reaches to the next symbol at 40 */
	.fill 8, 1, 0x90

	.globl outer_function
	.type outer_function, @function
outer_function:			/* 40: 32 bytes, with a function of 8 inside */
	.fill 8, 1, 0x90
	.globl nested_function
	.type nested_function, @function
nested_function:		/* 48 */
	.fill 8, 1, 0x90
	.size nested_function, 8
	.fill 16, 1, 0x90
	.size outer_function, 32

	.globl last_function
	.type last_function, @function
last_function:			/* 72: no size, reaches to the end of the section at 80 */
	.fill 8, 1, 0x90

	.data
	.globl data_object
	.type data_object, @function
data_object:			/* a function only by its type: not in code */
	.quad 0
	.section .note.GNU-stack, "", @progbits
