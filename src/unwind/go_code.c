/* Looks at instructions that Go's assembler makes in one way only: encodings
 * are from the Intel SDM, volume 2; the sequences from Go's
 * src/cmd/internal/obj/x86/obj6.go (preprocess: the prologue) and
 * src/runtime/asm_amd64.s (functions that change stacks). */
#include "unwind/go_code.h"

#include <string.h>

#include "elf/elf.h"

static const struct elf_segment *segment_of(const struct elf_file *file, uint64_t vaddr)
{
	for (uint32_t i = 0; i < elf_segment_count(file); i++) {
		const struct elf_segment *s = elf_segment_at(file, i);
		if (s->exec && vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size)
			return s;
	}
	return NULL;
}

static bool fill(struct go_code *code, uint64_t vaddr)
{
	const struct elf_segment *s = segment_of(code->file, vaddr);

	code->len = 0;
	if (!s)
		return false;
	uint64_t skip = vaddr - s->vaddr, size = elf_size_bytes(code->file);
	uint64_t len = s->file_size - skip;
	if (s->offset >= size || skip >= size - s->offset)
		return false;
	if (len > size - s->offset - skip)
		len = size - s->offset - skip;
	if (len > sizeof(code->bytes))
		len = sizeof(code->bytes);
	if (elf_read(code->file, s->offset + skip, code->bytes, (size_t)len, NULL))
		return false;
	code->vaddr = vaddr;
	code->len = (size_t)len;
	return true;
}

static bool holds(const struct go_code *code, uint64_t vaddr, size_t len)
{
	return vaddr >= code->vaddr && len <= code->len && vaddr - code->vaddr <= code->len - len;
}

const uint8_t *go_code_at(struct go_code *code, uint64_t vaddr, size_t len)
{
	if (!holds(code, vaddr, len) && !(fill(code, vaddr) && holds(code, vaddr, len)))
		return NULL;
	return code->bytes + (vaddr - code->vaddr);
}

/* mov %rbp, disp(%rsp): 48 89 6c 24 disp8, 48 89 ac 24 disp32. Returns its length, or 0. */
static unsigned store_of_fp(const uint8_t *p, int32_t *ret_disp)
{
	if (p[0] != 0x48 || p[1] != 0x89 || p[3] != 0x24)
		return 0;
	if (p[2] == 0x6c) {
		*ret_disp = p[4] < 0x80 ? p[4] : p[4] - 0x100;
		return 5;
	}
	if (p[2] == 0xac) {
		memcpy(ret_disp, p + 4, sizeof(*ret_disp));
		return 8;
	}
	/* A disp of 0 has a form of its own, which Go's assembler takes: 48 89 2c 24. */
	*ret_disp = 0;
	return p[2] == 0x2c ? 4 : 0;
}

bool go_code_saves_fp(struct go_code *code, uint64_t vaddr, int32_t size_bytes, uint64_t *ret)
{
	enum { STORE_MAX_BYTES = 8 };
	int32_t disp;
	const uint8_t *before = go_code_at(code, vaddr - 1, 1 + STORE_MAX_BYTES);

	if (!before)
		return false;
	if (size_bytes == 8 && before[0] == 0x55) { /* push %rbp: Go 1.21 and later */
		*ret = vaddr;
		return true;
	}
	unsigned len = store_of_fp(before + 1, &disp);
	*ret = vaddr + len;
	return len > 0 && disp == size_bytes - 8;
}

/* The length of a memory operand's bytes from ModRM on. */
static unsigned operand_bytes(const uint8_t *modrm)
{
	unsigned mod = modrm[0] >> 6, rm = modrm[0] & 7, len = 1 + (rm == 4);

	if (mod == 1)
		return len + 1;
	if (mod == 2 || (mod == 0 && rm == 5) || (mod == 0 && rm == 4 && (modrm[1] & 7) == 5))
		return len + 4;
	return len;
}

static enum go_code_switch switch_at(const uint8_t *p, unsigned *ret_len)
{
	unsigned reg = p[2] >> 3 & 7, rm = p[2] & 7, mod = p[2] >> 6;

	if (p[0] == 0x48 && p[1] == 0x83 && p[2] == 0xe4) { /* and $imm8, %rsp */
		*ret_len = 4;
		return GO_CODE_ALIGN;
	}
	if (p[0] == 0x48 && p[1] == 0x81 && p[2] == 0xe4) { /* and $imm32, %rsp */
		*ret_len = 7;
		return GO_CODE_ALIGN;
	}
	if ((p[0] == 0x48 || p[0] == 0x4c) && p[1] == 0x89 && mod == 3 && rm == 4) {
		*ret_len = 3; /* mov reg, %rsp */
		return GO_CODE_SWITCH;
	}
	if ((p[0] == 0x48 || p[0] == 0x49) && p[1] == 0x8b && reg == 4) {
		*ret_len = 2 + (mod == 3 ? 1 : operand_bytes(p + 2)); /* mov mem, %rsp */
		return GO_CODE_SWITCH;
	}
	return GO_CODE_NO_SWITCH;
}

enum go_code_switch go_code_next_switch(struct go_code *code, uint64_t vaddr, uint64_t end,
					uint64_t *ret_end)
{
	enum { NEEDED_BYTES = 4 };

	for (; vaddr < end && end - vaddr >= NEEDED_BYTES; vaddr++) {
		const uint8_t *p = go_code_at(code, vaddr, NEEDED_BYTES);
		unsigned len;
		if (!p)
			break;
		enum go_code_switch kind = switch_at(p, &len);
		if (kind != GO_CODE_NO_SWITCH) {
			*ret_end = vaddr + len;
			return kind;
		}
	}
	return GO_CODE_NO_SWITCH;
}
