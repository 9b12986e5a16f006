/* Walks over stacks and tables made by hand: every end, the searches, arm64, and numbers
 * that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "walk_world.h"

/* ---- ends ---- */

static void an_address_outside_of_all_mappings_is_left_to_the_caller(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->stack[2] = 0x123456;
	assert_int_equal(walk(w), UNWIND_END_NO_MAPPING);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->state.pc, 0x123456);
	assert_int_equal(w->state.sp, STACK + 24);
	w->target.mapping_count = 0;
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_MAPPING);
	assert_int_equal(w->count, 0);
	free_world(w);
}

static void a_walk_goes_on_when_the_table_is_there(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	const uint32_t place = w->target.mappings;
	struct unwind_mapping *mapping = (void *)(w->memory + (size_t)place * UNWIND_UNIT_BYTES);
	(void)state;
	w->stack[2] = in_rule(1);
	mapping->kind = UNWIND_NOT_READY;
	assert_int_equal(walk(w), UNWIND_END_NOT_READY);
	assert_int_equal(w->count, 0);
	assert_int_equal(w->state.pc, TEXT + 0x10);
	assert_true(w->state.exact);
	mapping->kind = UNWIND_BY_TABLE;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 1);
	free_world(w);
}

static void a_walk_goes_on_when_there_is_room(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	size_t count;
	(void)state;
	w->stack[2] = w->stack[5] = in_rule(0);
	w->stack[8] = in_rule(1);
	assert_int_equal(unwind_walk(&w->target, &w->state, w->frames, 2, &count),
			 UNWIND_END_TRUNCATED);
	assert_int_equal(count, 2);
	assert_int_equal(unwind_walk(&w->target, &w->state, w->frames, 1, &count), UNWIND_END_ROOT);
	assert_int_equal(count, 1);
	assert_int_equal(w->frames[0], in_rule(1));
	free_world(w);
}

static void a_stack_is_read_where_it_was_copied_and_nowhere_else(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24, at_end};
	struct world *w = make_world(rules, 2);
	(void)state;
	w->stack[2] = in_rule(1);
	for (w->target.stack_len = 0; w->target.stack_len < 24; w->target.stack_len++)
		assert_int_equal(walk(w), UNWIND_END_CUT);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK - 64, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_UNREADABLE);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK + 4, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_UNREADABLE);
	w->state = (struct unwind_state){.pc = TEXT, .sp = UINT64_MAX - 23, .exact = true};
	assert_true(walk(w) != UNWIND_END_ROOT);
	free_world(w);
}

static void a_caller_below_its_callee_is_none(void **state)
{
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_SP, .cfa_offset = 0, .ra_offset = 8},
					    by_fp};
	struct world *w = make_world(rules, 2);
	(void)state;
	w->stack[1] = in_rule(0);
	assert_int_equal(walk(w), UNWIND_END_NO_PROGRESS);
	w->state = (struct unwind_state){.pc = in_rule(1), .sp = STACK + 80, .fp = STACK};
	assert_int_equal(walk(w), UNWIND_END_NO_PROGRESS);
	free_world(w);
}

/* ---- searches ---- */

static void every_mapping_is_found_and_no_hole(void **state)
{
	enum { MAPPINGS_MAX = 70 };
	struct unwind_mapping mappings[MAPPINGS_MAX];
	const struct unwind_rule rules[] = {at_end};
	(void)state;
	for (uint32_t count = 1; count <= MAPPINGS_MAX; count++) {
		struct world *w = make_world(rules, 1);
		for (uint32_t i = 0; i < count; i++)
			mappings[i] =
				(struct unwind_mapping){0x1000 * (2 * i + 1), 0x1000 * (2 * i + 2),
							0, 0, UNWIND_BY_FRAME_POINTER};
		use_mappings(w, mappings, count);
		for (uint64_t page = 0; page < 2 * count + 2; page++) {
			for (uint64_t at = 0; at < 0x1000; at += 0xfff) {
				bool inside = page % 2 == 1 && page < 2 * count;
				w->state = (struct unwind_state){.pc = 0x1000 * page + at,
								 .sp = STACK,
								 .exact = true};
				assert_int_equal(walk(w),
						 inside ? UNWIND_END_ROOT : UNWIND_END_NO_MAPPING);
			}
		}
		free_world(w);
	}
}

static void every_row_is_found(void **state)
{
	enum { ROWS_MAX = 130 };
	const struct unwind_rule rules[] = {{.cfa = UNWIND_CFA_UNKNOWN}, at_end};
	struct unwind_row rows[ROWS_MAX];
	(void)state;
	for (uint32_t count = 1; count <= ROWS_MAX; count++) {
		struct world *w = make_world(rules, 2);
		for (uint32_t i = 0; i < count; i++)
			rows[i] = (struct unwind_row){(uint16_t)(4 * i), i % 2};
		const struct unwind_mapping mapping = {TEXT, TEXT + 0x10000, TEXT,
						       put_table(w, rows, count, rules, 2),
						       UNWIND_BY_TABLE};
		use_mappings(w, &mapping, 1);
		for (uint64_t at = 0; at < 4 * count + 4; at++) {
			uint64_t row = at / 4 < count ? at / 4 : count - 1;
			w->state =
				(struct unwind_state){.pc = TEXT + at, .sp = STACK, .exact = true};
			assert_int_equal(walk(w), row % 2 ? UNWIND_END_ROOT : UNWIND_END_RULE);
		}
		free_world(w);
	}
}

static void outside_of_the_pages_and_rules_of_a_table_is_no_row(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24};
	const struct unwind_row bad[] = {{0, 1}};
	struct world *w = make_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = TEXT + 0x10000, .sp = STACK, .fp = 1, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	const struct unwind_mapping mapping = {TEXT, TEXT + 0x10000, TEXT,
					       put_table(w, bad, 1, rules, 1), UNWIND_BY_TABLE};
	use_mappings(w, &mapping, 1);
	w->state = (struct unwind_state){.pc = TEXT, .sp = STACK, .fp = 1, .exact = true};
	assert_int_equal(walk(w), UNWIND_END_NO_ROW);
	free_world(w);
}

/* ---- arm64 ---- */

static const struct unwind_rule arm64_leaf = {.cfa = UNWIND_CFA_SP,
					      .cfa_offset = 0,
					      .ra = UNWIND_RA_REGISTER};
static const struct unwind_rule arm64_pair = {.cfa = UNWIND_CFA_SP,
					      .cfa_offset = 32,
					      .fp = UNWIND_FP_AT_CFA,
					      .fp_offset = -32,
					      .ra_offset = -24};

static struct world *make_arm64_world(const struct unwind_rule *rules, uint32_t rule_count)
{
	struct world *w = make_world(rules, rule_count);
	w->target.machine = EM_AARCH64;
	return w;
}

static void arm64_leaves_have_their_caller_in_the_link_register(void **state)
{
	const struct unwind_rule rules[] = {arm64_leaf, arm64_pair, at_end};
	struct world *w = make_arm64_world(rules, 3);
	(void)state;
	w->state.lr = in_rule(1);
	w->stack[0] = 0x5550;
	w->stack[1] = in_rule(2);
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], in_rule(2));
	assert_int_equal(w->state.fp, 0x5550);
	/* A caller that says the same has lost it: its callee's call overwrote the register. */
	w->state = (struct unwind_state){.pc = in_rule(0), .sp = STACK, .lr = in_rule(1)};
	assert_int_equal(walk(w), UNWIND_END_RULE);
	free_world(w);
}

static void arm64_return_addresses_lose_their_signature(void **state)
{
	const struct unwind_rule rules[] = {arm64_leaf, arm64_pair, at_end};
	struct world *w = make_arm64_world(rules, 3);
	(void)state;
	w->state.lr = in_rule(1) | 0x5a5aULL << 48;
	w->stack[1] = in_rule(2) | 0x0023ULL << 48;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->frames[0], in_rule(1));
	assert_int_equal(w->frames[1], in_rule(2));
	/* 39 bits of address: the signature begins earlier. */
	w->target.pac_mask = ~((1ULL << 39) - 1);
	w->state = (struct unwind_state){.pc = in_rule(0), .sp = STACK, .exact = true};
	w->state.lr = in_rule(1) | 1ULL << 40;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->frames[0], in_rule(1));
	free_world(w);
}

static void arm64_signal_frames_restore_the_link_register(void **state)
{
	const struct unwind_rule rules[] = {arm64_pair,
					    {.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 304},
					    arm64_leaf,
					    at_end};
	struct world *w = make_arm64_world(rules, 4);
	const uint32_t context = 50 + 4 + 304 / 8;
	(void)state;
	w->state.sp = STACK + 8 * 50;
	w->stack[51] = in_rule(1);
	w->stack[context + 30] = 0x7770;       /* x29 */
	w->stack[context + 31] = in_rule(3);   /* x30 */
	w->stack[context + 32] = STACK + 16;   /* sp: below */
	w->stack[context + 33] = TEXT + 0x200; /* pc */
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 3);
	assert_int_equal(w->frames[1], (TEXT + 0x200) | UNWIND_FRAME_EXACT);
	assert_int_equal(w->frames[2], in_rule(3));
	assert_int_equal(w->state.fp, 0x7770);
	assert_int_equal(w->state.sp, STACK + 16);
	free_world(w);
}

static void arm64_code_without_a_table_is_left_by_its_frame_records(void **state)
{
	static const uint8_t stp[] = {0xfd, 0x7b, 0xbe, 0xa9}; /* stp x29, x30, [sp, #-32]! */
	const struct unwind_rule rules[] = {at_end};
	struct world *w = make_arm64_world(rules, 1);
	(void)state;
	w->state = (struct unwind_state){.pc = JIT + 4,
					 .sp = STACK,
					 .fp = STACK + 80,
					 .lr = JIT + 0x100,
					 .exact = true};
	w->code_at = JIT + 4;
	memcpy(w->code, stp, sizeof(stp));
	w->stack[11] = JIT + 0x200;
	assert_int_equal(walk(w), UNWIND_END_ROOT);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->frames[0], JIT + 0x100);
	assert_int_equal(w->frames[1], JIT + 0x200);
	free_world(w);
}

/* ---- numbers that lie ---- */

static uint64_t random_u64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Small numbers and addresses of this world are what leads somewhere. */
static uint64_t likely(uint64_t *seed)
{
	const uint64_t r = random_u64(seed), small = (r >> 8) & 0xffff;
	switch (r % 6) {
	case 0:
		return small;
	case 1:
		return STACK + (small & 0xff8);
	case 2:
		return TEXT + small;
	case 3:
		return JIT + small;
	case 4:
		return (small & 0xf) << 32 | (small >> 4);
	default:
		return random_u64(seed);
	}
}

/* Memory is exactly as large as it is, so that the sanitizer sees a read beyond. */
static void torn_tables_and_stacks_never_lead_outside(void **state)
{
	const struct unwind_rule rules[] = {by_sp_24,
					    by_fp,
					    x86_signal,
					    {.cfa = UNWIND_CFA_NONE},
					    at_end};
	uint64_t seed = 88172645463325252;
	uint32_t ends[UNWIND_ENDS] = {0};
	struct world *w = make_world(rules, 5);
	const uint32_t used = w->next * UNWIND_UNIT_BYTES;
	(void)state;
	for (uint32_t round = 0; round < 30000; round++) {
		for (uint32_t i = 0; i < STACK_WORDS; i++)
			w->stack[i] = likely(&seed);
		for (uint32_t i = 0; i < round % 4; i++) {
			uint64_t value = likely(&seed);
			memcpy(w->memory + random_u64(&seed) % (used / 8) * 8, &value, 8);
		}
		w->target.machine = round % 3 ? EM_X86_64 : EM_AARCH64;
		w->target.stack_len = random_u64(&seed) % sizeof(w->stack);
		w->state = (struct unwind_state){.pc = likely(&seed),
						 .sp = likely(&seed),
						 .fp = likely(&seed),
						 .lr = likely(&seed),
						 .exact = round & 1};
		enum unwind_end end = walk(w);
		assert_true(end < UNWIND_ENDS && w->count <= FRAMES_MAX);
		ends[end]++;
		if (round % 64 == 63) {
			free_world(w);
			w = make_world(rules, 5);
		}
	}
	free_world(w);
	assert_true(ends[UNWIND_END_ROOT] > 0 && ends[UNWIND_END_NO_MAPPING] > 0);
	assert_true(ends[UNWIND_END_NO_PROGRESS] > 0 && ends[UNWIND_END_CUT] > 0);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_outside_of_all_mappings_is_left_to_the_caller),
		cmocka_unit_test(a_walk_goes_on_when_the_table_is_there),
		cmocka_unit_test(a_walk_goes_on_when_there_is_room),
		cmocka_unit_test(a_stack_is_read_where_it_was_copied_and_nowhere_else),
		cmocka_unit_test(a_caller_below_its_callee_is_none),
		cmocka_unit_test(every_mapping_is_found_and_no_hole),
		cmocka_unit_test(every_row_is_found),
		cmocka_unit_test(outside_of_the_pages_and_rules_of_a_table_is_no_row),
		cmocka_unit_test(arm64_leaves_have_their_caller_in_the_link_register),
		cmocka_unit_test(arm64_return_addresses_lose_their_signature),
		cmocka_unit_test(arm64_signal_frames_restore_the_link_register),
		cmocka_unit_test(arm64_code_without_a_table_is_left_by_its_frame_records),
		cmocka_unit_test(torn_tables_and_stacks_never_lead_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
