#include "shot.h"

struct shot shot;
uint64_t shot_stack_end;

__attribute__((noinline, no_sanitize("address"))) static void copy_stack(void)
{
	const volatile uint64_t *from = (const volatile uint64_t *)(uintptr_t)shot.state.sp;
	uint64_t bytes = shot_stack_end - shot.state.sp;
	shot.len = (uint32_t)(bytes < SHOT_STACK_BYTES ? bytes : SHOT_STACK_BYTES);
	for (uint32_t i = 0; i < shot.len / 8; i++)
		shot.stack[i] = from[i];
}

__attribute__((noinline)) static void leaf(void)
{
	asm volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
		     : "=r"(shot.state.pc), "=r"(shot.state.sp), "=r"(shot.state.fp));
	shot.state.exact = true;
	shot.leaf = shot.state.pc | UNWIND_FRAME_EXACT;
	shot.returns[0] = (uintptr_t)__builtin_return_address(0);
	copy_stack();
	asm volatile("" ::: "memory"); /* no tail call */
}

__attribute__((noinline)) static void middle(void)
{
	shot.returns[1] = (uintptr_t)__builtin_return_address(0);
	leaf();
	asm volatile("" ::: "memory");
}

__attribute__((noinline)) void shot_take(void)
{
	shot.returns[2] = (uintptr_t)__builtin_return_address(0);
	middle();
	asm volatile("" ::: "memory");
}
