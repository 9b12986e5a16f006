/* How deep the stack is at each instruction, found by reading a function from its
 * start: what it pushes, pops, and takes off sp. That is enough for C libraries
 * that are built without call frame information (musl), for start-up code, and
 * for main() of Rust programs that abort on a panic.
 *
 * A function starts at a multiple of 16 bytes behind padding, or where the range
 * does. Code behind a jump or a return is another part of the same function as
 * long as a branch forward leads to it or beyond, and has the depth of that
 * branch; behind a jump through a table it has the depth of the jump.
 *
 * Each return is a proof: sp must be at the return address there. A function in
 * which it is not, or in which anything is not understood, gets no rules at all:
 * better no frame than a wrong one. */
#include "unwind/depths.h"

#include <string.h>

#include "unwind/x86_code.h"

enum {
	WORD = 8,
	ALIGN = 16,
	DEPTH_MAX = 30000, /* fits unwind_rule's fp_offset */
	BRANCHES_MAX = 64,
	ROWS_MAX = 256, /* of a function */
};

/* Before an instruction. */
struct depth {
	bool by_fp;   /* fp is at CFA - fp */
	bool sp_lost; /* by_fp, and sp is anywhere below */
	int32_t sp;   /* CFA - sp */
	int32_t fp;
	int32_t saved; /* the caller's fp is at CFA - saved; 0: still in its register */
};

struct branch {
	size_t target;
	struct depth depth;
};

struct row {
	size_t start, end;
	struct unwind_rule rule;
};

struct reader {
	const uint8_t *code;
	size_t len, at;
	uint64_t vaddr;
	struct unwind_builder *builder;
	/* of the function */
	bool known;
	struct depth depth, deepest;
	struct branch branches[BRANCHES_MAX]; /* forward, not reached yet */
	struct row rows[ROWS_MAX];
	size_t branch_count, row_count;
};

/* ---- rules ---- */

static struct unwind_rule rule_of(const struct depth *depth)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_SP,
				   .cfa_offset = depth->sp,
				   .ra = UNWIND_RA_AT_CFA,
				   .ra_offset = -WORD};

	if (depth->by_fp) {
		rule.cfa = UNWIND_CFA_FP;
		rule.cfa_offset = depth->fp;
	}
	if (depth->saved) {
		rule.fp = UNWIND_FP_AT_CFA;
		rule.fp_offset = (__s16)-depth->saved;
	}
	return rule;
}

static void note_row(struct reader *r, size_t len)
{
	const struct unwind_rule rule = rule_of(&r->depth);
	struct row *last = r->row_count ? &r->rows[r->row_count - 1] : NULL;

	if (last && last->end == r->at && !memcmp(&last->rule, &rule, sizeof(rule)))
		last->end += len;
	else if (r->row_count < ROWS_MAX)
		r->rows[r->row_count++] = (struct row){r->at, r->at + len, rule};
	else
		r->known = false;
}

static int add_rows(struct reader *r, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; r->known && rc == 0 && i < r->row_count; i++)
		rc = unwind_builder_add(r->builder, r->vaddr + r->rows[i].start,
					r->vaddr + r->rows[i].end, &r->rows[i].rule, err);
	return rc;
}

/* ---- depths ---- */

static void push(struct reader *r, uint8_t reg)
{
	struct depth *depth = &r->depth;

	depth->sp += WORD;
	if (reg == X86_FP && !depth->saved && !depth->sp_lost)
		depth->saved = depth->sp;
}

static void pop(struct reader *r, uint8_t reg)
{
	struct depth *depth = &r->depth;

	if (reg == X86_FP) {
		r->known &= !depth->sp_lost && depth->saved == depth->sp;
		depth->by_fp = false;
		depth->saved = 0;
	}
	depth->sp -= WORD;
}

/* Through fp: where sp is, is known again. */
static void sp_from_fp(struct reader *r, int32_t value)
{
	r->known &= r->depth.by_fp;
	r->depth.sp_lost = false;
	r->depth.sp = r->depth.fp - value;
}

static void set_fp(struct reader *r)
{
	r->known &= r->depth.saved != 0 && !r->depth.sp_lost;
	r->depth.by_fp = true;
	r->depth.fp = r->depth.sp;
}

static void apply(struct reader *r, const struct x86_code *code)
{
	r->known &= code->value >= -DEPTH_MAX && code->value <= DEPTH_MAX;
	if (!r->known)
		return;
	if (code->kind == X86_PUSH)
		push(r, code->reg);
	if (code->kind == X86_POP)
		pop(r, code->reg);
	if (code->kind == X86_MOVE_SP)
		r->depth.sp -= code->value;
	if (code->kind == X86_SET_FP)
		set_fp(r);
	if (code->kind == X86_SP_IS_FP || code->kind == X86_LEAVE)
		sp_from_fp(r, code->value);
	if (code->kind == X86_LEAVE)
		pop(r, X86_FP);
	if (code->kind == X86_LOSE_SP) {
		r->known &= r->depth.by_fp;
		r->depth.sp_lost = true;
	}
	r->known &= r->depth.sp_lost || (r->depth.sp >= WORD && r->depth.sp <= DEPTH_MAX);
	if (r->depth.sp_lost)
		r->depth.sp = r->depth.fp;
	if (r->depth.sp > r->deepest.sp || r->depth.sp_lost)
		r->deepest = r->depth;
}

/* ---- where code goes on ---- */

static void note_branch(struct reader *r, int64_t distance)
{
	uint64_t target = (uint64_t)((int64_t)r->at + distance);

	if (distance <= 0 || target >= r->len)
		return;
	if (r->branch_count < BRANCHES_MAX)
		r->branches[r->branch_count++] = (struct branch){target, r->depth};
	else
		r->known = false;
}

/* The depth of a branch to here; forgets those that are passed. */
static bool take_branches(struct reader *r, struct depth *ret)
{
	bool found = false;
	size_t kept = 0;

	for (size_t i = 0; i < r->branch_count; i++) {
		if (r->branches[i].target == r->at) {
			*ret = r->branches[i].depth;
			found = true;
		}
		if (r->branches[i].target > r->at)
			r->branches[kept++] = r->branches[i];
	}
	r->branch_count = kept;
	return found;
}

static bool is_aligned(const struct reader *r)
{
	return (r->vaddr + r->at) % ALIGN == 0;
}

static size_t padding_at(const struct reader *r, size_t at)
{
	size_t start = at;

	while (at < r->len) {
		struct x86_code code = x86_decode(r->code + at, r->len - at);
		if (code.kind != X86_PADDING)
			break;
		at += code.len;
	}
	return at - start;
}

static int start_function(struct reader *r, bool known, struct err *err)
{
	int rc = add_rows(r, err);

	r->known = known;
	r->depth = r->deepest = (struct depth){.sp = WORD};
	r->branch_count = r->row_count = 0;
	return rc;
}

static bool ends(enum x86_kind kind)
{
	return kind == X86_RETURN || kind == X86_STOP || kind == X86_JUMP ||
	       kind == X86_JUMP_ANYWHERE;
}

/* Behind an instruction that does not go on to the next one. */
static int find_next_part(struct reader *r, enum x86_kind kind, struct err *err)
{
	r->at += padding_at(r, r->at);
	if (take_branches(r, &r->depth) || r->branch_count > 0 || kind == X86_JUMP_ANYWHERE)
		return 0;
	return start_function(r, is_aligned(r), err);
}

/* A call that does not return: padding up to a start, and no branch leads on. */
static bool is_last_call(const struct reader *r, enum x86_kind kind)
{
	/* Padding is looked at once, behind calls only: else a long run of it would be, at each step in it. */
	if (kind != X86_CALL || r->branch_count > 0)
		return false;
	size_t padding = padding_at(r, r->at);
	return padding > 0 && (r->vaddr + r->at + padding) % ALIGN == 0;
}

static int follow(struct reader *r, const struct x86_code *code, struct err *err)
{
	struct depth branched = {0};

	if (code->kind == X86_BRANCH || code->kind == X86_JUMP)
		note_branch(r, code->target);
	if (code->kind == X86_RETURN) {
		r->known &= !r->depth.sp_lost && r->depth.sp == WORD && !r->depth.saved;
		r->depth = r->deepest;
	}
	r->at += code->len;
	if (ends(code->kind) || is_last_call(r, code->kind))
		return find_next_part(r, code->kind, err);
	apply(r, code);
	if (take_branches(r, &branched) && !r->depth.sp_lost)
		r->known &= branched.sp_lost || branched.sp == r->depth.sp;
	return 0;
}

/* What is not understood has no part in the function any more; instructions are read on to its end. */
static int step(struct reader *r, struct err *err)
{
	struct x86_code code = x86_decode(r->code + r->at, r->len - r->at);

	if (code.kind == X86_BAD) {
		r->known = false;
		r->at++;
		return 0;
	}
	if (r->known)
		note_row(r, code.len);
	return follow(r, &code, err);
}

int unwind_depths_compile(const uint8_t *code, size_t len, uint64_t vaddr,
			  struct unwind_builder *builder, struct err *err)
{
	struct reader r = {.code = code, .len = len, .vaddr = vaddr, .builder = builder};

	r.at = padding_at(&r, 0);
	int rc = start_function(&r, is_aligned(&r), err);
	while (rc == 0 && r.at < len)
		rc = step(&r, err);
	return rc ? rc : start_function(&r, false, err);
}
