/* Intel's Software Developer's Manual, volume 2: chapter 2 (format), appendix A
 * (opcode maps). Lengths of what compilers write, and what of it moves sp; all
 * else is X86_BAD. */
#include "unwind/x86_code.h"

#include <stdbool.h>

enum { LEN_MAX = 15, SP = 4 };

enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

struct decoder {
	const uint8_t *bytes;
	size_t len, at;
	bool cut;
	bool wide;	   /* REX.W */
	bool rex_r, rex_b; /* the registers' high bits */
	bool small;	   /* prefix 66 */
	bool vex;
	enum map map;
	uint8_t opcode;
	bool has_modrm;
	uint8_t mod, reg, rm; /* reg and rm without REX */
	bool sib_sp_only;     /* the memory is at sp + displacement */
	int32_t displacement;
	int64_t immediate;
};

/* ---- bytes ---- */

static uint8_t next_byte(struct decoder *d)
{
	if (d->at >= d->len || d->at >= LEN_MAX) {
		d->cut = true;
		return 0;
	}
	return d->bytes[d->at++];
}

static int64_t next_signed(struct decoder *d, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)next_byte(d) << (8 * i);
	if (size == 1)
		return (int8_t)value;
	if (size == 2)
		return (int16_t)value;
	return size == 4 ? (int32_t)value : (int64_t)value;
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 || byte == 0x2e ||
	       byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
}

static void take_rex(struct decoder *d, uint8_t rex)
{
	d->wide = rex & 8;
	d->rex_r = rex & 4;
	d->rex_b = rex & 1;
}

static void take_vex(struct decoder *d, uint8_t first)
{
	uint8_t byte = next_byte(d), map = 1;

	d->vex = true;
	d->rex_r = !(byte & 0x80);
	if (first == 0xc4) {
		map = byte & 31;
		d->rex_b = !(byte & 0x20);
		(void)next_byte(d);
	}
	d->cut |= map < MAP_0F || map > MAP_0F3A;
	d->map = (enum map)map;
	d->opcode = next_byte(d);
}

static void take_opcode(struct decoder *d)
{
	uint8_t byte = next_byte(d);

	while (!d->cut && is_prefix(byte)) {
		d->small |= byte == 0x66;
		byte = next_byte(d);
	}
	if ((byte & 0xf0) == 0x40) {
		take_rex(d, byte);
		byte = next_byte(d);
	}
	if (byte == 0xc4 || byte == 0xc5) {
		take_vex(d, byte);
		return;
	}
	if (byte == 0x0f) {
		d->map = MAP_0F;
		byte = next_byte(d);
		if (byte == 0x38 || byte == 0x3a) {
			d->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = next_byte(d);
		}
	}
	d->opcode = byte;
}

static void take_modrm(struct decoder *d)
{
	uint8_t byte = next_byte(d);

	d->has_modrm = true;
	d->mod = byte >> 6;
	d->reg = byte >> 3 & 7;
	d->rm = byte & 7;
	if (d->mod == 3)
		return;
	unsigned size = d->mod == 1 ? 1 : d->mod == 2 || d->rm == 5 ? 4 : 0;
	if (d->rm == 4) {
		uint8_t sib = next_byte(d);
		d->sib_sp_only = sib == 0x24 && !d->rex_b;
		if (d->mod == 0)
			size = (sib & 7) == 5 ? 4 : 0;
	}
	d->displacement = (int32_t)next_signed(d, size);
}

/* ---- opcode maps ---- */

/* One-byte opcodes: has it a ModRM byte, and how long is the immediate? -1: not known here. */
static int one_byte(const struct decoder *d, bool *ret_modrm)
{
	uint8_t op = d->opcode;
	int full = d->small ? 2 : 4;

	*ret_modrm = (op < 0x40 && (op & 7) < 4) || op == 0x63 || op == 0x69 || op == 0x6b ||
		     (op >= 0x80 && op <= 0x8f && op != 0x82) || (op >= 0xc0 && op <= 0xc1) ||
		     (op >= 0xc6 && op <= 0xc7) || (op >= 0xd0 && op <= 0xd3) ||
		     (op >= 0xd8 && op <= 0xdf) || op == 0xf6 || op == 0xf7 || op >= 0xfe;
	if (op < 0x40)
		return (op & 7) < 4 ? 0 : (op & 7) == 4 ? 1 : (op & 7) == 5 ? full : -1;
	if (op >= 0xb8 && op <= 0xbf)
		return d->wide ? 8 : full;
	if (op == 0x69 || op == 0x81 || op == 0xc7 || op == 0xa9)
		return full;
	if (op == 0x68 || op == 0xe8 || op == 0xe9)
		return 4;
	if (op == 0x6a || op == 0x6b || op == 0x80 || op == 0x83 || op == 0xc0 || op == 0xc1 ||
	    op == 0xc6 || op == 0xa8 || op == 0xcd || op == 0xeb || (op >= 0x70 && op <= 0x7f) ||
	    (op >= 0xb0 && op <= 0xb7) || (op >= 0xe0 && op <= 0xe3))
		return 1;
	if (op == 0xc2)
		return 2;
	if (*ret_modrm || (op >= 0x50 && op <= 0x5f) || (op >= 0x90 && op <= 0x9f && op != 0x9a) ||
	    (op >= 0xa4 && op <= 0xaf) || op == 0xc3 || op == 0xc9 || op == 0xcc || op == 0xf4 ||
	    op == 0xf5 || (op >= 0xf8 && op <= 0xfd))
		return 0;
	return -1;
}

static int two_bytes(const struct decoder *d, bool *ret_modrm)
{
	uint8_t op = d->opcode;

	if (op >= 0x80 && op <= 0x8f && !d->vex)
		return 4;
	if (op == 0x05 || op == 0x0b || op == 0x31 || op == 0x77 || op == 0xa2 ||
	    (op >= 0xc8 && op <= 0xcf))
		return 0;
	*ret_modrm = op <= 0x03 || op == 0x0d || (op >= 0x10 && op <= 0x1f) ||
		     (op >= 0x28 && op <= 0x2f) || (op >= 0x40 && op <= 0x7f) || op >= 0x90;
	if (op == 0xa0 || op == 0xa1 || op == 0xa8 || op == 0xa9 || op == 0xaa)
		return -1;
	if (!*ret_modrm)
		return -1;
	return (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
			       (op >= 0xc4 && op <= 0xc6)
		       ? 1
		       : 0;
}

static int immediate_bytes(const struct decoder *d, bool *ret_modrm)
{
	*ret_modrm = true;
	if (d->map == MAP_ONE)
		return one_byte(d, ret_modrm);
	if (d->map == MAP_0F) {
		*ret_modrm = false;
		return two_bytes(d, ret_modrm);
	}
	return d->map == MAP_0F3A ? 1 : 0;
}

/* test has an immediate, not and neg and the rest of this group have none. */
static int group_three_bytes(const struct decoder *d)
{
	if (d->map != MAP_ONE || (d->opcode & 0xfe) != 0xf6 || d->reg > 1)
		return 0;
	return d->opcode == 0xf6 ? 1 : d->small ? 2 : 4;
}

/* ---- what it does ---- */

static bool rm_is_sp(const struct decoder *d)
{
	return d->has_modrm && d->mod == 3 && d->rm == SP && !d->rex_b;
}

static bool reg_is_sp(const struct decoder *d)
{
	return d->has_modrm && d->reg == SP && !d->rex_r;
}

/* Of the general registers; instructions of vectors name others by the same bits. */
static bool writes_sp(const struct decoder *d)
{
	uint8_t op = d->opcode;

	if (d->map == MAP_0F && !d->vex)
		return (reg_is_sp(d) &&
			((op >= 0x40 && op <= 0x4f) || op == 0xaf || op == 0xb6 || op == 0xb7 ||
			 op == 0xbe || op == 0xbf || op == 0xbc || op == 0xbd || op == 0xb8)) ||
		       (rm_is_sp(d) && (op == 0xb0 || op == 0xb1 || op == 0xc0 || op == 0xc1));
	if (d->map != MAP_ONE)
		return false;
	if (op == 0xbc || op == 0x5c || op == 0x94)
		return !d->rex_b;
	if (op >= 0xd8 && op <= 0xdf)
		return false;
	if (op < 0x38)
		return (op & 2) ? reg_is_sp(d) : rm_is_sp(d);
	if (op == 0x80 || op == 0x81 || op == 0x83)
		return rm_is_sp(d) && d->reg != 7;
	if (op == 0x63 || op == 0x69 || op == 0x6b || op == 0x8b || op == 0x8d)
		return reg_is_sp(d);
	if (op == 0x86 || op == 0x87)
		return rm_is_sp(d) || reg_is_sp(d);
	if (op == 0x89 || op == 0x88 || op == 0x8f || (op >= 0xc0 && op <= 0xc7) ||
	    (op >= 0xd0 && op <= 0xd3))
		return rm_is_sp(d);
	if (op == 0xf6 || op == 0xf7)
		return rm_is_sp(d) && (d->reg == 2 || d->reg == 3);
	return op >= 0xfe && rm_is_sp(d) && d->reg < 2;
}

static struct x86_code make(const struct decoder *d, enum x86_kind kind)
{
	return (struct x86_code){.kind = kind, .len = (uint8_t)d->at, .reg = X86_NO_REGISTER};
}

static struct x86_code with_value(const struct decoder *d, enum x86_kind kind, int64_t value)
{
	struct x86_code code = make(d, kind);

	code.value = (int32_t)value;
	return code;
}

static struct x86_code with_target(const struct decoder *d, enum x86_kind kind)
{
	struct x86_code code = make(d, kind);

	code.target = (int64_t)d->at + d->immediate;
	return code;
}

static struct x86_code stack_of_register(const struct decoder *d, enum x86_kind kind)
{
	struct x86_code code = make(d, d->small ? X86_LOSE_SP : kind);

	code.reg = (uint8_t)((d->opcode & 7) | (d->rex_b ? 8 : 0));
	return code;
}

/* Instructions with a ModRM byte whose destination is sp: those that are followed. */
static struct x86_code moves_sp(const struct decoder *d)
{
	if (!d->wide || d->map != MAP_ONE || !d->has_modrm)
		return make(d, X86_LOSE_SP);
	if ((d->opcode == 0x81 || d->opcode == 0x83) && d->reg == 0)
		return with_value(d, X86_MOVE_SP, d->immediate);
	if ((d->opcode == 0x81 || d->opcode == 0x83) && d->reg == 5)
		return with_value(d, X86_MOVE_SP, -d->immediate);
	if (d->opcode == 0x8d && d->sib_sp_only && (d->mod == 1 || d->mod == 2))
		return with_value(d, X86_MOVE_SP, d->displacement);
	if (d->opcode == 0x8d && d->rm == X86_FP && !d->rex_b && (d->mod == 1 || d->mod == 2))
		return with_value(d, X86_SP_IS_FP, d->displacement);
	if (d->opcode == 0x89 && d->reg == X86_FP && !d->rex_r)
		return with_value(d, X86_SP_IS_FP, 0);
	if (d->opcode == 0x8b && d->mod == 3 && d->rm == X86_FP && !d->rex_b)
		return with_value(d, X86_SP_IS_FP, 0);
	return make(d, X86_LOSE_SP);
}

static bool sets_fp(const struct decoder *d)
{
	if (!d->wide || d->mod != 3 || !d->has_modrm)
		return false;
	return (d->opcode == 0x89 && reg_is_sp(d) && d->rm == X86_FP && !d->rex_b) ||
	       (d->opcode == 0x8b && rm_is_sp(d) && d->reg == X86_FP && !d->rex_r);
}

static struct x86_code group_five(const struct decoder *d)
{
	if (d->opcode == 0xff && d->reg == 6)
		return make(d, X86_PUSH);
	if (d->opcode == 0xff && (d->reg == 2 || d->reg == 3))
		return make(d, X86_CALL);
	if (d->opcode == 0xff && (d->reg == 4 || d->reg == 5))
		return make(d, X86_JUMP_ANYWHERE);
	return make(d, X86_PLAIN);
}

static struct x86_code one_byte_code(const struct decoder *d)
{
	uint8_t op = d->opcode;

	if (op >= 0x50 && op <= 0x5f)
		return stack_of_register(d, op < 0x58 ? X86_PUSH : X86_POP);
	if (op == 0x68 || op == 0x6a || op == 0x9c)
		return make(d, X86_PUSH);
	if (op == 0x9d || op == 0x8f)
		return make(d, X86_POP);
	if ((op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3))
		return with_target(d, X86_BRANCH);
	if (op == 0xe9 || op == 0xeb)
		return with_target(d, X86_JUMP);
	if (op == 0xe8)
		return make(d, X86_CALL);
	if (op == 0xc3 || op == 0xc2)
		return make(d, X86_RETURN);
	if (op == 0xf4)
		return make(d, X86_STOP);
	if (op == 0xc9)
		return make(d, X86_LEAVE);
	if (op == 0x90 || op == 0xcc)
		return make(d, X86_PADDING);
	return op == 0xff ? group_five(d) : make(d, X86_PLAIN);
}

static struct x86_code two_byte_code(const struct decoder *d)
{
	if (d->opcode >= 0x80 && d->opcode <= 0x8f && !d->vex)
		return with_target(d, X86_BRANCH);
	if (d->opcode == 0x0b)
		return make(d, X86_STOP);
	return make(d, d->opcode == 0x1f ? X86_PADDING : X86_PLAIN);
}

struct x86_code x86_decode(const uint8_t *bytes, size_t len)
{
	struct decoder d = {.bytes = bytes, .len = len};
	bool modrm;

	take_opcode(&d);
	int immediate = immediate_bytes(&d, &modrm);
	if (modrm)
		take_modrm(&d);
	if (immediate >= 0)
		d.immediate = next_signed(&d, (unsigned)(immediate + group_three_bytes(&d)));
	if (d.cut || immediate < 0)
		return (struct x86_code){.kind = X86_BAD};
	if (writes_sp(&d))
		return moves_sp(&d);
	if (d.map == MAP_ONE && sets_fp(&d))
		return make(&d, X86_SET_FP);
	if (d.map == MAP_ONE)
		return one_byte_code(&d);
	return d.map == MAP_0F ? two_byte_code(&d) : make(&d, X86_PLAIN);
}
