/* Private to unwind/: rows while they are found. Whoever knows how to leave a
 * function (call frame information, Go's stack sizes) adds ranges in the order
 * of their addresses; the result is in the form of the tables at once, so that
 * nothing is kept twice and nothing is sorted. One thread.
 *
 *	unwind_builder_create ─ add, add, ... ─ finish ─ destroy
 */
#pragma once

#include "unwind/unwind.h"

struct unwind_builder;

enum {
	UNWIND_RULES_MAX = 1 << 16, /* a row has 16 bits for its rule */
	UNWIND_PADDING_BYTES = 16,  /* a gap of fewer bytes is alignment: the rule before goes on */
};

/* limits may be NULL: the defaults. */
MUST_USE int unwind_builder_create(const struct unwind_limits *limits, struct unwind_builder **ret,
				   struct err *err);
void unwind_builder_destroy(struct unwind_builder *builder); /* NULL is fine */

/* In [start, end), ELF virtual addresses, this rule holds. Ascending: what lies below the end of an
 * earlier range is cut off, so the earlier one wins; an empty rest adds nothing. Equal neighbours
 * become one row, gaps of UNWIND_PADDING_BYTES and more become UNWIND_CFA_NONE by themselves. Fields
 * that the rule's kinds do not use must be 0 (else equal rules count as different).
 * ERR_LIMIT (rows, rules, more than 4 GiB of text), ERR_NOMEM: destroy it then. */
MUST_USE int unwind_builder_add(struct unwind_builder *builder, uint64_t start, uint64_t end,
				const struct unwind_rule *rule, struct err *err);
/* For unwind_rows_info: one more function; one more place whose rule is UNWIND_CFA_UNKNOWN; one more
 * entry left out since it is damaged. */
void unwind_builder_count_function(struct unwind_builder *builder);
void unwind_builder_count_odd(struct unwind_builder *builder);
void unwind_builder_count_skipped(struct unwind_builder *builder);
/* The end of the last range, 0 at first: below it nothing can be added any more. */
uint64_t unwind_builder_end(const struct unwind_builder *builder);
/* The rows; the builder is empty then and only good to be destroyed. ERR_NOT_FOUND: nothing was
 * added. */
MUST_USE int unwind_builder_finish(struct unwind_builder *builder, struct unwind_rows **ret,
				   struct err *err);

/* By which rules are found again; here for the test of those that collide. */
uint32_t unwind_rule_hash(const struct unwind_rule *rule);

/* go.c: from .gopclntab. ERR_NOT_FOUND: no Go program, or none that we can read. */
MUST_USE int unwind_go_compile(const struct elf_file *file, struct unwind_builder *builder,
			       struct err *err);
