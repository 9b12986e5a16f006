/* x86-64 (AMD64 supplement, "Procedure Linkage Table"; Intel SDM for the opcodes):
 *
 *	[f3 0f 1e fa] [f2] ff 25 disp32	jmp through the GOT slot at the next
 *					instruction + disp32: .plt .plt.sec .plt.got
 *	[f3 0f 1e fa] 68 imm32		push of an index into .rela.plt: the lazy
 *					half of a stub whose jump is in .plt.sec
 *
 * aarch64 (AArch64 supplement, "Procedure Linkage Table"; Arm ARM, C6.2, for
 * the encodings): the page of the slot and its offset there,
 *
 *	[bti c] adrp x16, page; ldr x17, [x16, offset]; add x16, ...; br x17 [nop]
 *
 * where pointer authentication puts an autia1716 before the br. */
#include "elf/plt_stub.h"

#include <elf.h>

#include "base/cursor.h"

enum {
	X86_STUB_BYTES = 16,
	X86_SMALL_STUB_BYTES = 8,
	INSTRUCTION_BYTES = 4,
	ARM_TAIL_MAX = 3, /* instructions behind the ldr that still belong to the stub */
};

static bool decode_x86(struct str bytes, uint64_t addr, struct plt_stub *ret)
{
	static const struct str endbr64 = {"\xf3\x0f\x1e\xfa", 4};
	struct cur c = cur_make(bytes.ptr, bytes.len);

	if (str_starts_with(bytes, endbr64))
		cur_skip(&c, endbr64.len);
	uint8_t opcode = cur_u8(&c);
	if (opcode == 0x68) {
		ret->by_index = true;
		ret->index = cur_u32le(&c);
		return cur_ok(&c);
	}
	if (opcode == 0xf2)
		opcode = cur_u8(&c);
	if (opcode != 0xff || cur_u8(&c) != 0x25)
		return false;
	int64_t disp = (int32_t)cur_u32le(&c);
	ret->slot = addr + cur_offset(&c) + (uint64_t)disp;
	return cur_ok(&c);
}

/* adrp x16: op 1, immlo, 10000, immhi, Rd 16; the immediate counts pages of 4 KiB. */
static bool is_adrp_x16(uint32_t instruction, uint64_t addr, uint64_t *ret_page)
{
	if ((instruction & 0x9f00001f) != 0x90000010)
		return false;
	uint64_t pages = (uint64_t)((instruction >> 5 & 0x7ffff) << 2 | (instruction >> 29 & 3));
	/* 21 bits with a sign. */
	pages = (pages ^ 0x100000) - 0x100000;
	*ret_page = (addr & ~UINT64_C(0xfff)) + (pages << 12);
	return true;
}

/* ldr x17, [x16, #imm12 * 8] */
static bool is_ldr_x17(uint32_t instruction, uint64_t *ret_offset)
{
	*ret_offset = (uint64_t)(instruction >> 10 & 0xfff) * 8;
	return (instruction & 0xffc003ff) == 0xf9400211;
}

/* Up to the br x17, and a nop that fills up. */
static size_t tail_bytes(struct cur c)
{
	enum { BR_X17 = (int)0xd61f0220, NOP = (int)0xd503201f };

	for (size_t i = 1; i <= ARM_TAIL_MAX; i++) {
		if (cur_u32le(&c) != (uint32_t)BR_X17)
			continue;
		bool filled = cur_left(&c) >= INSTRUCTION_BYTES && cur_u32le(&c) == (uint32_t)NOP;
		return (i + filled) * INSTRUCTION_BYTES;
	}
	return 0;
}

static bool decode_arm(struct str bytes, uint64_t addr, struct plt_stub *ret)
{
	static const uint32_t bti_c = 0xd503245f;
	struct cur c = cur_make(bytes.ptr, bytes.len);
	uint64_t page, offset;

	uint32_t instruction = cur_u32le(&c);
	if (instruction == bti_c) {
		addr += INSTRUCTION_BYTES;
		instruction = cur_u32le(&c);
	}
	if (!is_adrp_x16(instruction, addr, &page) || !is_ldr_x17(cur_u32le(&c), &offset) ||
	    !cur_ok(&c))
		return false;
	ret->slot = page + offset;
	ret->size = cur_offset(&c) + tail_bytes(c);
	return true;
}

bool plt_stub_decode(uint16_t machine, uint64_t entry_size, struct str bytes, uint64_t addr,
		     struct plt_stub *ret)
{
	*ret = (struct plt_stub){.size = INSTRUCTION_BYTES};
	if (machine == EM_X86_64)
		ret->size =
			entry_size == X86_SMALL_STUB_BYTES ? X86_SMALL_STUB_BYTES : X86_STUB_BYTES;
	if (ret->size > bytes.len)
		ret->size = bytes.len;
	if (machine == EM_AARCH64)
		return decode_arm(bytes, addr, ret);
	return decode_x86(str_sub(bytes, 0, ret->size), addr, ret);
}
