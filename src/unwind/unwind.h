/* The door of unwind/: how to leave each function of a file, for stacks without
 * frame pointers.
 *
 *	struct unwind_rows	call frame information of one file, compiled; private memory
 *	struct unwind_space	the memory that BPF reads: allocates, publishes, takes back
 *	unwind_walk()		the sampler's own unwinder, run in user space over a copied stack
 *
 * Formats: DWARF 5 section 6.4 (call frame information), LSB 5.0 Core, chapter
 * 10.6 (.eh_frame), System V ABI x86-64 (DWARF register numbers, PLT), aadwarf64
 * for arm64. The result's layout is bpf/unwind.h. Every byte of a file is hostile. */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bpf/unwind.h"

struct elf_file;

/* ---- compiling --------------------------------------------------------- */

struct unwind_limits {
	size_t rows;	  /* 0: a default that no real file reaches */
	size_t bytes;	  /* of call frame information read from the file; 0: a default */
	bool tables_only; /* do not read instructions where no table says anything */
};

struct unwind_rows; /* immutable, any thread */

struct unwind_rows_info {
	uint32_t rows, rules, pages, functions;
	uint32_t ranges;  /* in the file, each with its rule; equal neighbours became one row */
	uint32_t odd;	  /* places whose rule is UNWIND_CFA_UNKNOWN */
	uint32_t skipped; /* entries left out since they are damaged */
	size_t bytes;	  /* that its table takes in a space */
	bool from_go;	  /* from .gopclntab's stack sizes */
};

/* From a Go program's .gopclntab, .eh_frame (found without section headers, too), .debug_frame: each
 * fills the gaps of those before. `debug` may be a second file that holds .debug_frame for it, or
 * NULL. Added are what needs no call frame information to be known: the entry of a program, what ends a
 * signal handler, where a coroutine of glibc begins, and x86-64 functions whose instructions say all, in
 * files that have information for most of the others. Damaged entries cost only themselves, and work
 * and memory are bounded by the limits. ERR_NOT_FOUND: the file has nothing of it (walk it by frame
 * pointer); ERR_CORRUPT, ERR_LIMIT, ERR_IO, ERR_NOMEM. */
MUST_USE int unwind_compile(const struct elf_file *file, const struct elf_file *debug,
			    const struct unwind_limits *limits, struct unwind_rows **ret,
			    struct err *err);
void unwind_rows_free(struct unwind_rows *rows); /* NULL is fine */
void unwind_rows_get_info(const struct unwind_rows *rows, struct unwind_rows_info *ret);
/* The rule at an ELF virtual address, for tests and tools. Rule UNWIND_CFA_NONE outside. */
struct unwind_rule unwind_rows_find(const struct unwind_rows *rows, uint64_t vaddr);

/* ---- the space --------------------------------------------------------- */

struct unwind_space; /* one thread writes, BPF programs and unwind_walk() read */

/* memory is chunks * UNWIND_CHUNK_BYTES, zeroed, 8-byte aligned, and outlives the space. */
MUST_USE int unwind_space_create(void *memory, uint32_t chunks, struct unwind_space **ret,
				 struct err *err);
void unwind_space_destroy(struct unwind_space *space); /* NULL is fine; not the memory */
/* Writes a table. ERR_LIMIT: not enough room (drop something, collect, try again). */
MUST_USE int unwind_space_add_table(struct unwind_space *space, const struct unwind_rows *rows,
				    uint32_t *ret_place, struct err *err);
/* Writes sorted mappings that do not overlap; count > 0. */
MUST_USE int unwind_space_add_mappings(struct unwind_space *space,
				       const struct unwind_mapping *rows, uint32_t count,
				       uint32_t *ret_place, struct err *err);
/* Nothing names the place any more from now on: its memory is used again after unwind_space_collect()
 * with a time that is later by UNWIND_GRACE_NS. */
enum { UNWIND_GRACE_NS = 50 * 1000 * 1000 };
void unwind_space_drop_table(struct unwind_space *space, uint32_t place, uint64_t now_ns);
void unwind_space_drop_mappings(struct unwind_space *space, uint32_t place, uint64_t now_ns);
void unwind_space_collect(struct unwind_space *space, uint64_t now_ns);
size_t unwind_space_used_bytes(const struct unwind_space *space);
size_t unwind_space_dropped_bytes(const struct unwind_space *space); /* waiting for their grace */
size_t unwind_space_bytes(const struct unwind_space *space);

/* ---- walking in user space --------------------------------------------- */

/* Where a walk is. Addresses of the process. */
struct unwind_state {
	uint64_t pc, sp, fp;
	uint64_t lr; /* arm64 */
	bool exact;  /* pc is a point of execution, not a return address */
	bool no_fp;  /* what the frame keeps in fp is not known */
};

/* What the walk may read. stack are the bytes at [stack_start, stack_start + stack_len). read_code, which
 * may be NULL, copies up to len bytes of the process's code (for prologues where only the frame pointer
 * helps) and returns how many. */
struct unwind_target {
	const struct unwind_space *space;
	uint32_t mappings, mapping_count; /* a place in the space */
	uint16_t machine;		  /* EM_X86_64, EM_AARCH64 */
	const void *stack;
	uint64_t stack_start;
	size_t stack_len;
	size_t (*read_code)(void *ctx, uint64_t address, void *dst, size_t len);
	void *ctx;
	uint64_t pac_mask; /* arm64: what of a return address is signature; 0: bits 48 and up */
};

/* Leaves frames from *state on until the root or a reason to stop, which it returns. Writes the callers'
 * addresses (state's own pc is not written) to frames, at most cap: UNWIND_END_TRUNCATED. *state is
 * the last frame (its pc is the last address written), so that a walk can go on once a table is there.
 * UNWIND_END_NO_MAPPING: state's pc is in no mapping, so it is no frame, unless it is exact. The
 * registers that rare prologues (UNWIND_CFA_REGISTER) need are not known here: UNWIND_END_RULE. */
enum unwind_end unwind_walk(const struct unwind_target *target, struct unwind_state *state,
			    uint64_t *frames, size_t cap, size_t *ret_count);
