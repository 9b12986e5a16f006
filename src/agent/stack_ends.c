#include "agent/stack_ends.h"

#include <string.h>

static const struct {
	const char *name, *note;
} words[UNWIND_ENDS] = {
	[UNWIND_END_ROOT] = {"root", NULL},
	[UNWIND_END_TRUNCATED] = {"truncated", "[truncated: depth]"},
	[UNWIND_END_NO_PROCESS] = {"no_process", "[broken: process unknown]"},
	[UNWIND_END_NO_MAPPING] = {"no_mapping", "[broken: outside of all mappings]"},
	[UNWIND_END_NOT_READY] = {"not_ready", "[broken: unwind table not ready]"},
	[UNWIND_END_NO_ROW] = {"no_row", "[broken: no unwind information]"},
	[UNWIND_END_RULE] = {"rule", "[broken: unwind rule not understood]"},
	[UNWIND_END_UNREADABLE] = {"unreadable", "[broken: stack not readable]"},
	[UNWIND_END_NO_PROGRESS] = {"no_progress", "[broken: frames in a circle]"},
	[UNWIND_END_32BIT] = {"32bit", "[32-bit process]"},
	[UNWIND_END_NO_REGISTERS] = {"no_registers", "[broken: registers unknown]"},
	[UNWIND_END_CUT] = {"cut", "[truncated: copy of the stack]"},
};

const char *stack_end_note(enum unwind_end end)
{
	return words[end].note;
}

const char *stack_end_name(enum unwind_end end)
{
	return words[end].name;
}

uint64_t stack_ends_broken(const struct stack_ends_row *row)
{
	return row->all - row->ends[UNWIND_END_ROOT];
}

static void add_row(struct stack_ends_row *to, const struct stack_ends_row *from)
{
	to->all += from->all;
	for (int i = 0; i < UNWIND_ENDS; i++)
		to->ends[i] += from->ends[i];
}

static struct stack_ends_row *take_row(struct stack_ends *ends)
{
	if (ends->count < STACK_ENDS_EXECUTABLES)
		return &ends->rows[ends->count++];
	struct stack_ends_row *least = &ends->rows[0];
	for (size_t i = 1; i < ends->count; i++) {
		if (stack_ends_broken(&ends->rows[i]) < stack_ends_broken(least))
			least = &ends->rows[i];
	}
	add_row(&ends->rest, least);
	return least;
}

static struct stack_ends_row *find_row(struct stack_ends *ends, struct str executable)
{
	char name[STACK_ENDS_NAME_MAX + 1];
	str_copy(name, sizeof(name), executable);
	for (size_t i = 0; i < ends->count; i++) {
		if (!strcmp(ends->rows[i].name, name))
			return &ends->rows[i];
	}
	struct stack_ends_row *row = take_row(ends);
	*row = (struct stack_ends_row){0};
	memcpy(row->name, name, sizeof(name));
	return row;
}

void stack_ends_count(struct stack_ends *ends, struct str executable, enum unwind_end end)
{
	struct stack_ends_row *row = find_row(ends, executable);
	ends->ends[end]++;
	row->all++;
	row->ends[end]++;
}
