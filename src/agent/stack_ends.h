/* How user stacks end: what people read of it at the root of a stack, and how
 * often each, for the host and for each executable. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "unwind/unwind.h"

/* "[truncated: ...]", "[broken: ...]"; NULL: the stack is whole. */
const char *stack_end_note(enum unwind_end end);
/* "root", "no_row", ... for metrics and logs. */
const char *stack_end_name(enum unwind_end end);

enum { STACK_ENDS_EXECUTABLES = 64, STACK_ENDS_NAME_MAX = 47 };

struct stack_ends_row {
	char name[STACK_ENDS_NAME_MAX + 1]; /* of the executable; "": the rest */
	uint64_t all;
	uint64_t ends[UNWIND_ENDS];
};

/* A few executables by name; when there are more, the one with the fewest broken stacks has to leave and is
 * counted under "". */
struct stack_ends {
	uint64_t ends[UNWIND_ENDS]; /* of all */
	struct stack_ends_row rest;
	struct stack_ends_row rows[STACK_ENDS_EXECUTABLES];
	size_t count;
};

void stack_ends_count(struct stack_ends *ends, struct str executable, enum unwind_end end);
/* Stacks that are not whole. */
uint64_t stack_ends_broken(const struct stack_ends_row *row);
