#include "walk_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

const struct unwind_rule by_sp_24 = {.cfa = UNWIND_CFA_SP, .cfa_offset = 24, .ra_offset = -8};
const struct unwind_rule by_fp = {.cfa = UNWIND_CFA_FP,
				  .cfa_offset = 16,
				  .fp = UNWIND_FP_AT_CFA,
				  .fp_offset = -16,
				  .ra_offset = -8};
const struct unwind_rule at_end = {.cfa = UNWIND_CFA_END};
const struct unwind_rule x86_signal = {.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 40};

uint32_t put(struct world *w, const void *bytes, size_t len)
{
	uint32_t place = w->next;
	memcpy(w->memory + (size_t)place * UNWIND_UNIT_BYTES, bytes, len);
	w->next += (uint32_t)((len + 7) / 8 * 2);
	return place;
}

static size_t read_code(void *ctx, uint64_t address, void *dst, size_t len)
{
	const struct world *w = ctx;
	if (address < w->code_at || address - w->code_at > CODE_BYTES - len)
		return 0;
	memcpy(dst, w->code + (address - w->code_at), len);
	return len;
}

uint32_t put_table(struct world *w, const struct unwind_row *rows, uint32_t row_count,
		   const struct unwind_rule *rules, uint32_t rule_count)
{
	uint8_t head[sizeof(struct unwind_table) + sizeof(struct unwind_page) +
		     16 * sizeof(struct unwind_rule)];
	const struct unwind_table table = {.vaddr = TEXT,
					   .page_count = 1,
					   .rule_count = rule_count};
	const struct unwind_page page = {put(w, rows, row_count * sizeof(*rows)), row_count};
	assert_true(rule_count <= 16);
	memcpy(head, &table, sizeof(table));
	memcpy(head + sizeof(table), &page, sizeof(page));
	memcpy(head + sizeof(table) + sizeof(page), rules, rule_count * sizeof(*rules));
	return put(w, head, sizeof(table) + sizeof(page) + rule_count * sizeof(*rules));
}

void use_mappings(struct world *w, const struct unwind_mapping *mappings, uint32_t count)
{
	w->target.mappings = put(w, mappings, count * sizeof(*mappings));
	w->target.mapping_count = count;
}

struct world *make_world(const struct unwind_rule *rules, uint32_t rule_count)
{
	struct world *w = calloc(1, sizeof(*w));
	struct unwind_row rows[16];
	assert_non_null(w);
	w->memory = calloc(CHUNKS, UNWIND_CHUNK_BYTES);
	assert_non_null(w->memory);
	assert_int_equal(unwind_space_create(w->memory, CHUNKS, &w->space, NULL), 0);
	w->next = 2;
	for (uint32_t i = 0; i < rule_count; i++)
		rows[i] = (struct unwind_row){(uint16_t)(0x100 * i), (uint16_t)i};
	const struct unwind_mapping mappings[] = {
		{TEXT, TEXT + TEXT_BYTES, TEXT, put_table(w, rows, rule_count, rules, rule_count),
		 UNWIND_BY_TABLE},
		{JIT, JIT + JIT_BYTES, 0, 0, UNWIND_BY_FRAME_POINTER},
	};
	use_mappings(w, mappings, 2);
	w->target.space = w->space;
	w->target.machine = EM_X86_64;
	w->target.stack = w->stack;
	w->target.stack_start = STACK;
	w->target.stack_len = sizeof(w->stack);
	w->target.read_code = read_code;
	w->target.ctx = w;
	w->state = (struct unwind_state){.pc = TEXT + 0x10, .sp = STACK, .exact = true};
	return w;
}

void free_world(struct world *w)
{
	unwind_space_destroy(w->space);
	free(w->memory);
	free(w);
}

enum unwind_end walk(struct world *w)
{
	return unwind_walk(&w->target, &w->state, w->frames, FRAMES_MAX, &w->count);
}

uint64_t in_rule(uint32_t rule)
{
	return TEXT + 0x100 * rule + 0x20;
}
