/* glibc's __start_context for x86-64 (sysdeps/unix/sysv/linux/x86_64/
 * __start_context.S) has the plain information of any leaf, so that unwinders
 * take the pointer to the next context, which is on the stack there, for a
 * return address. It has no exported name; what it does first is its own:
 *
 *	mov %rbx, %rsp; mov (%rsp), %rdi; test %rdi, %rdi; je
 *
 * Only functions that look like it in their call frame information are read:
 * short, and nothing changes in them. */
#include "unwind/roots.h"

#include <elf.h>
#include <string.h>

#include "elf/elf.h"

enum { SIZE_MIN = 20, SIZE_MAX_BYTES = 96, LOOKS_MAX = 512 };

struct roots roots_of(const struct elf_file *file)
{
	bool x86 = elf_info(file)->machine == EM_X86_64;

	return (struct roots){.file = file, .left = x86 ? LOOKS_MAX : 0};
}

static bool is_empty(struct str program)
{
	for (size_t i = 0; i < program.len; i++)
		if (program.ptr[i] != 0) /* DW_CFA_nop */
			return false;
	return true;
}

static bool read_code(const struct elf_file *file, uint64_t vaddr, uint8_t *dst, size_t len)
{
	for (uint32_t i = 0; i < elf_segment_count(file); i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		if (s->exec && vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size)
			return elf_read(file, s->offset + (vaddr - s->vaddr), dst, len, NULL) == 0;
	}
	return false;
}

bool roots_have(struct roots *roots, const struct cfi_function *function, struct str program)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	static const uint8_t first[] = {0x48, 0x89, 0xdc, 0x48, 0x8b, 0x3c,
					0x24, 0x48, 0x85, 0xff, 0x74};
	uint8_t code[sizeof(endbr64) + sizeof(first)];

	if (roots->left == 0 || function->size < SIZE_MIN || function->size > SIZE_MAX_BYTES ||
	    !is_empty(program))
		return false;
	roots->left--;
	if (!read_code(roots->file, function->start, code, sizeof(code)))
		return false;
	bool marked = memcmp(code, endbr64, sizeof(endbr64)) == 0;
	return memcmp(code + (marked ? sizeof(endbr64) : 0), first, sizeof(first)) == 0;
}
