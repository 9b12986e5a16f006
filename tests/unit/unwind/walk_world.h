/* A stack, a table and code made by hand, to be walked. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "unwind/unwind.h"

enum {
	CHUNKS = 2,
	STACK_WORDS = 512,
	FRAMES_MAX = 64,
	TEXT = 0x400000, /* where the one file's text is mapped; its vaddr is the same */
	TEXT_BYTES = 0x40000,
	JIT = 0x700000, /* a mapping without a table */
	JIT_BYTES = 0x10000,
	CODE_BYTES = 64,
};

#define STACK 0x7ffc00000000ULL

struct world {
	uint8_t *memory;
	struct unwind_space *space;
	uint32_t next; /* unit */
	uint64_t stack[STACK_WORDS];
	uint8_t code[CODE_BYTES]; /* at code_at */
	uint64_t code_at;
	struct unwind_target target;
	struct unwind_state state;
	uint64_t frames[FRAMES_MAX];
	size_t count;
};

struct row {
	uint64_t vaddr;
	uint16_t rule;
};

uint32_t put(struct world *w, const void *bytes, size_t len);
/* A table of one page from TEXT on. */
uint32_t put_table(struct world *w, const struct unwind_row *rows, uint32_t row_count,
		   const struct unwind_rule *rules, uint32_t rule_count);
void use_mappings(struct world *w, const struct unwind_mapping *mappings, uint32_t count);
/* Rule i holds in [TEXT + 0x100 * i, + 0x100); behind it in JIT there is code without a table. */
struct world *make_world(const struct unwind_rule *rules, uint32_t rule_count);
void free_world(struct world *w);
enum unwind_end walk(struct world *w);
/* A return address into the function of that rule. */
uint64_t in_rule(uint32_t rule);

extern const struct unwind_rule by_sp_24;
extern const struct unwind_rule by_fp;
extern const struct unwind_rule at_end;
extern const struct unwind_rule x86_signal;
