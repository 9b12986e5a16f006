/* What compilers do not write. */
	.text

/* Without call frame information, with a frame pointer. */
	.globl asm_frame_pointer
	.type asm_frame_pointer, @function
asm_frame_pointer:
	push %rbp
	mov %rsp, %rbp
	mov %rdi, %rax
	mov %rsi, %rdi
	call *%rax
	pop %rbp
	ret
	.size asm_frame_pointer, . - asm_frame_pointer

/* With it, for every instruction: the stack pointer never rests. */
	.globl asm_pushes
	.type asm_pushes, @function
	.p2align 4
asm_pushes:
	.cfi_startproc
	mov $20000, %ecx
1:	push %rax
	.cfi_adjust_cfa_offset 8
	push %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	xor %ebp, %ebp
	sub $40, %rsp
	.cfi_adjust_cfa_offset 40
	imul $7, %rax, %rax
	add $40, %rsp
	.cfi_adjust_cfa_offset -40
	pop %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	pop %rax
	.cfi_adjust_cfa_offset -8
	dec %ecx
	jnz 1b
	ret
	.cfi_endproc
	.size asm_pushes, . - asm_pushes

/* Without any, and nothing on the stack but the return address. */
	.globl asm_leaf
	.type asm_leaf, @function
	.p2align 4
asm_leaf:
	mov $50000, %ecx
1:	imul $7, %rax, %rax
	dec %ecx
	jnz 1b
	ret
	.size asm_leaf, . - asm_leaf

	.section .note.GNU-stack, "", @progbits
