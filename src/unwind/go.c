/* Rows of Go functions. The runtime moves stacks, so for each address it must
 * know how large the frame is, exactly: .gopclntab has it (_func.pcsp), also for
 * the assembly of the runtime, and no Go program has other call frame
 * information of its Go part.
 *
 *	CFA = sp + size + 8, the return address at CFA - 8
 *
 * On top of its frame a function keeps the caller's frame pointer (CFA - 16)
 * when it has one of its own; the code tells. Frame pointers matter where the
 * walk leaves Go, and where it leaves a stack:
 *
 * Some functions of the runtime move to another stack and call on it
 * (systemstack, asmcgocall, cgocallback, the vDSO's callers). The table counts
 * as if they had not. The frame pointer is still the one from before, so behind
 * the instruction that sets sp the rule is UNWIND_CFA_FRAME, until the one that
 * sets it back. Until Go 1.20 systemstack and asmcgocall have no frame pointer of
 * their own, so the walk goes on with their caller's caller. mcall, morestack, gogo
 * and clone never come back: the walk ends there, as do Go's profiles.
 *
 * A stack's outermost function is flagged as such (goexit, mstart, rt0_go). So is
 * sigtramp, since Go's own walks end there; the kernel calls it, and what it
 * returns to, sigreturn, is where the interrupted code's registers are.
 *
 * Sources: Go 1.16 to 1.27, src/runtime/traceback.go, asm_amd64.s,
 * sys_linux_amd64.s, symtab.go. */
#include <elf.h>
#include <string.h>

#include "base/mem.h"
#include "elf/elf.h"
#include "elf/gopcln.h"
#include "unwind/builder.h"
#include "unwind/go_code.h"

enum {
	TABLE_MAX_BYTES = 512 << 20,
	SWITCH_FUNCTION_MAX_BYTES = 64 << 10, /* the runtime's have some hundred */
	STEPS_MAX = 64 << 20,		      /* ranges in all; tsgo has 150 thousand */
	X86_SIGCONTEXT = 40, /* from sp: uc_mcontext in struct ucontext, asm-generic/ucontext.h */
};

enum role {
	ROLE_PLAIN,
	ROLE_TOP,	/* outermost */
	ROLE_SIGRETURN, /* what a signal handler returns to */
	ROLE_SWITCH,	/* calls on another stack */
	ROLE_NO_RETURN, /* goes on on another stack */
};

struct compile {
	const struct go_lines *lines;
	struct unwind_builder *builder;
	uint32_t steps;
	struct go_code code;
};

/* ---- which function is what -------------------------------------------- */

struct named_role {
	struct str name;
	enum role role;
};

/* Versions differ in flags and ids, but not in names. */
static const struct named_role known[] = {
	{STR("runtime.asmcgocall"), ROLE_SWITCH},
	{STR("runtime.cgocallback"), ROLE_SWITCH},
	{STR("runtime.systemstack"), ROLE_SWITCH},
	{STR("runtime.nanotime1"), ROLE_SWITCH},
	{STR("runtime.walltime1"), ROLE_SWITCH}, /* Go 1.16 */
	{STR("time.now"), ROLE_SWITCH},
	{STR("runtime.clone"), ROLE_NO_RETURN}, /* behind it is the new thread's start */
	{STR("runtime.mcall"), ROLE_NO_RETURN},
	{STR("runtime.morestack"), ROLE_NO_RETURN},
	{STR("runtime.gogo"), ROLE_NO_RETURN},
	{STR("gogo"), ROLE_NO_RETURN},
	{STR("runtime.goexit"), ROLE_TOP},
	{STR("runtime.mstart"), ROLE_TOP},
	{STR("runtime.rt0_go"), ROLE_TOP},
	{STR("_rt0_amd64"), ROLE_TOP},
	{STR("_rt0_amd64_linux"), ROLE_TOP},
	{STR("runtime.sigtramp"), ROLE_PLAIN},
	{STR("runtime.cgoSigtramp"), ROLE_PLAIN},
	{STR("runtime.sigreturn"), ROLE_SIGRETURN},
	{STR("runtime.sigreturn__sigaction"), ROLE_SIGRETURN}, /* Go 1.20 */
};

static enum role role_of(const struct go_function *f)
{
	/* The symbol's ABI may be in the name: runtime.mcall.abi0. */
	struct str name = f->name;
	if (str_ends_with(name, STR(".abi0")))
		name.len -= 5;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_equal(name, known[i].name))
			return known[i].role;
	if (f->flags & GO_FUNCTION_TOP)
		return ROLE_TOP;
	return f->flags & GO_FUNCTION_SP_WRITE ? ROLE_SWITCH : ROLE_PLAIN;
}

/* ---- rules ------------------------------------------------------------- */

static int add_kind(struct compile *c, uint64_t start, uint64_t end, enum unwind_cfa cfa,
		    struct err *err)
{
	struct unwind_rule rule = {.cfa = (uint8_t)cfa};

	if (cfa == UNWIND_CFA_SIGNAL)
		rule.cfa_offset = X86_SIGCONTEXT;
	return unwind_builder_add(c->builder, start, end, &rule, err);
}

static int add_frame(struct compile *c, uint64_t start, uint64_t end, int32_t size_bytes,
		     bool fp_saved, struct err *err)
{
	struct unwind_rule rule = {
		.cfa = UNWIND_CFA_SP,
		.cfa_offset = size_bytes + 8,
		.ra = UNWIND_RA_AT_CFA,
		.ra_offset = -8,
		.fp = fp_saved ? UNWIND_FP_AT_CFA : UNWIND_FP_SAME,
		.fp_offset = fp_saved ? -16 : 0,
	};

	return unwind_builder_add(c->builder, start, end, &rule, err);
}

/* ---- functions --------------------------------------------------------- */

/* A range of one size, as far as the caller's frame pointer is in one place. */
static int add_size(struct compile *c, uint64_t start, uint64_t end, int32_t size_bytes,
		    uint64_t fp_saved_from, struct err *err)
{
	if (size_bytes < 0 || size_bytes % 8 != 0 || size_bytes > INT32_MAX - 8)
		return add_kind(c, start, end, UNWIND_CFA_UNKNOWN, err);
	if (size_bytes == 0 || fp_saved_from >= end)
		return add_frame(c, start, end, size_bytes, false, err);
	if (fp_saved_from > start) {
		int rc = add_frame(c, start, fp_saved_from, size_bytes, false, err);
		if (rc)
			return rc;
		start = fp_saved_from;
	}
	return add_frame(c, start, end, size_bytes, true, err);
}

/* Where a function is in another state than its table says. */
struct away {
	enum unwind_cfa cfa; /* the rule there */
	uint64_t next;	     /* from here on the other state holds */
	uint64_t end;	     /* of what is looked at */
	bool now;
};

/* Moves to the state from `next` on, and finds where that one ends. */
static void away_turn(struct compile *c, struct away *away, bool now)
{
	uint64_t from = away->next, end;
	enum go_code_switch kind;

	away->now = now;
	/* Aligning is no change where the state is that already. */
	do {
		kind = go_code_next_switch(&c->code, from, away->end, &end);
		from = end;
	} while (kind == GO_CODE_ALIGN && now);
	away->next = kind == GO_CODE_NO_SWITCH ? UINT64_MAX : end;
}

static struct away away_start(struct compile *c, const struct go_function *f, enum role role)
{
	struct away away = {
		.cfa = role == ROLE_NO_RETURN ? UNWIND_CFA_END : UNWIND_CFA_FRAME,
		.next = UINT64_MAX,
		.end = f->end,
	};

	if ((role == ROLE_SWITCH || role == ROLE_NO_RETURN) &&
	    f->end - f->start <= SWITCH_FUNCTION_MAX_BYTES) {
		away.next = f->start;
		away_turn(c, &away, false);
	}
	return away;
}

/* [start, end) has one size; in it the function may move to another stack and back. */
static int add_range(struct compile *c, struct away *away, const struct go_stack *range,
		     uint64_t end, uint64_t fp_saved_from, struct err *err)
{
	uint64_t start = range->start;
	int rc = 0;

	while (start < end && !rc) {
		uint64_t stop = away->next < end ? away->next : end;
		if (stop > start)
			rc = away->now ? add_kind(c, start, stop, away->cfa, err)
				       : add_size(c, start, stop, range->size_bytes, fp_saved_from,
						  err);
		if (stop == away->next)
			away_turn(c, away, !away->now);
		start = stop > start ? stop : start;
	}
	return rc;
}

/* By its table of sizes, up to end. */
static int add_by_sizes(struct compile *c, uint32_t i, const struct go_function *f, uint64_t end,
			enum role role, struct err *err)
{
	struct away away = away_start(c, f, role);
	uint64_t fp_saved_from = UINT64_MAX;
	struct go_stack range;
	bool seen = false;
	int rc = 0;

	go_stack_start(c->lines, i, &range);
	while (!rc && go_stack_next(&range) && range.start < end) {
		if (c->steps++ == STEPS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d stack sizes", STEPS_MAX);
		if (!seen && range.size_bytes > 0) {
			seen = true;
			if (!go_code_saves_fp(&c->code, range.start, range.size_bytes,
					      &fp_saved_from))
				fp_saved_from = UINT64_MAX;
		}
		rc = add_range(c, &away, &range, range.end < end ? range.end : end, fp_saved_from,
			       err);
	}
	return rc;
}

/* end: where the function's rules must end. */
static int add_function(struct compile *c, uint32_t i, const struct go_function *f, uint64_t end,
			struct err *err)
{
	enum role role = role_of(f);

	unwind_builder_count_function(c->builder);
	if (role == ROLE_TOP)
		return add_kind(c, f->start, end, UNWIND_CFA_END, err);
	if (role == ROLE_SIGRETURN) /* a return address is looked up at the byte before it */
		return add_kind(c, f->start - 1, end, UNWIND_CFA_SIGNAL, err);
	if (!(f->flags & GO_FUNCTION_FRAME_TABLE))
		return add_kind(c, f->start, end, UNWIND_CFA_FRAME, err);
	return add_by_sizes(c, i, f, end, role, err);
}

static int add_functions(struct compile *c, struct err *err)
{
	uint32_t count = go_function_count(c->lines);
	struct go_function f = go_function_at(c->lines, 0);
	uint64_t last = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct go_function next = {.start = f.end};
		if (i + 1 < count)
			next = go_function_at(c->lines, i + 1);
		uint64_t end = role_of(&next) == ROLE_SIGRETURN ? f.end - 1 : f.end;
		if (f.start < last || f.start >= end) {
			unwind_builder_count_skipped(c->builder);
		} else {
			int rc = add_function(c, i, &f, end, err);
			if (rc)
				return rc;
			last = f.start;
		}
		f = next;
	}
	return 0;
}

int unwind_go_compile(const struct elf_file *file, struct unwind_builder *builder, struct err *err)
{
	struct go_lines *lines;

	/* On arm64 a frame's record of frame pointer and return address is below it, every function
	 * but a leaf has one, and so frame pointers alone lead to the root. */
	if (elf_info(file)->machine != EM_X86_64)
		return err_set(err, ERR_NOT_FOUND, "Go's stack sizes are used on x86-64 only");
	int rc = go_lines_open(file, TABLE_MAX_BYTES, &lines, err);
	if (rc)
		return rc;
	struct compile *c = mem_zalloc(1, sizeof(*c));
	if (c) {
		c->lines = lines;
		c->builder = builder;
		c->code.file = file;
		rc = add_functions(c, err);
	} else {
		rc = err_set(err, ERR_NOMEM, "no memory to compile Go's stack sizes");
	}
	mem_free(c);
	go_lines_free(lines);
	return rc;
}
