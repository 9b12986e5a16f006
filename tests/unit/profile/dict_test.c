#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "profile/profile.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static struct profile_batch *new_batch(void)
{
	struct profile_batch *batch = NULL;
	struct err err;

	assert_int_equal(profile_batch_create(&arena, &batch, &err), 0);
	return batch;
}

static void an_empty_batch_holds_the_zero_rows(void **state)
{
	const struct profile_dict *dict = &new_batch()->dict;

	(void)state;
	assert_int_equal(dict->mapping_count, 1);
	assert_int_equal(dict->location_count, 1);
	assert_int_equal(dict->function_count, 1);
	assert_int_equal(dict->link_count, 1);
	assert_int_equal(dict->attribute_count, 1);
	assert_int_equal(dict->stack_count, 1);
	assert_int_equal(strtab_count(dict->strings), 1);
	assert_int_equal(dict->stacks[0].count, 0);
}

static void zero_content_is_index_0(void **state)
{
	struct profile_batch *batch = new_batch();
	uint32_t at = 9;

	(void)state;
	assert_int_equal(profile_stack(batch, NULL, 0, &at, NULL), 0);
	assert_int_equal(at, 0);
	at = 9;
	assert_int_equal(profile_link(batch, &(struct profile_link){0}, &at, NULL), 0);
	assert_int_equal(at, 0);
	at = 9;
	assert_int_equal(profile_location(batch, &(struct profile_location){0}, &at, NULL), 0);
	assert_int_equal(at, 0);
}

static void the_same_content_has_the_same_index(void **state)
{
	struct profile_batch *batch = new_batch();
	struct profile_line lines[2] = {{1, 10, 2}, {2, 20, 3}};
	uint32_t attrs[] = {3, 4};
	struct profile_location row = {.address = 0x1000,
				       .line_count = 2,
				       .lines = lines,
				       .attr_count = 2,
				       .attrs = attrs};
	uint32_t first, second, other;

	(void)state;
	assert_int_equal(profile_location(batch, &row, &first, NULL), 0);
	struct profile_line copy[2] = {{1, 10, 2}, {2, 20, 3}};
	row.lines = copy;
	assert_int_equal(profile_location(batch, &row, &second, NULL), 0);
	assert_int_equal(first, second);
	copy[1].column++;
	assert_int_equal(profile_location(batch, &row, &other, NULL), 0);
	assert_int_not_equal(first, other);
	assert_int_equal(batch->dict.location_count, 3);
}

static void rows_are_copies(void **state)
{
	struct profile_batch *batch = new_batch();
	uint32_t locations[] = {5, 6, 7};
	char text[] = "gnu";
	uint32_t stack, attr;

	(void)state;
	assert_int_equal(profile_stack(batch, locations, 3, &stack, NULL), 0);
	locations[1] = 99;
	assert_int_equal(batch->dict.stacks[stack].locations[1], 6);
	struct value value = {.kind = VALUE_STRING, .text = str_of(text)};
	assert_int_equal(profile_attribute(batch, STR("id"), &value, STR("1"), &attr, NULL), 0);
	text[0] = 'x';
	assert_true(str_equal(batch->dict.attributes[attr].value.text, STR("gnu")));
	assert_true(
		str_equal(profile_str(&batch->dict, batch->dict.attributes[attr].unit), STR("1")));
}

static void attributes_differ_by_kind_and_value(void **state)
{
	struct profile_batch *batch = new_batch();
	const struct value values[] = {
		{.kind = VALUE_NONE},
		{.kind = VALUE_INT, .number = 1},
		{.kind = VALUE_INT, .number = 2},
		{.kind = VALUE_BOOL, .number = 1},
		{.kind = VALUE_DOUBLE, .real = 1},
		{.kind = VALUE_STRING, .text = STR("1")},
		{.kind = VALUE_BYTES, .text = STR("1")},
	};
	enum { VALUES = sizeof(values) / sizeof(values[0]) };
	uint32_t at, again;

	(void)state;
	for (uint32_t i = 0; i < VALUES; i++) {
		assert_int_equal(profile_attribute(batch, STR("k"), &values[i], STR(""), &at, NULL),
				 0);
		assert_int_equal(at, i + 1);
	}
	for (uint32_t i = 0; i < VALUES; i++) {
		assert_int_equal(profile_attribute(batch, STR("k"), &values[i], STR(""), &again,
						   NULL),
				 0);
		assert_int_equal(again, i + 1);
	}
}

static void many_stacks_keep_their_indices_while_the_table_grows(void **state)
{
	struct profile_batch *batch = new_batch();
	enum { STACKS = 20000 };
	uint32_t at;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < STACKS; i++) {
			uint32_t locations[] = {i, i / 7, 3};
			assert_int_equal(profile_stack(batch, locations, 3, &at, NULL), 0);
			assert_int_equal(at, i + 1);
		}
	assert_int_equal(batch->dict.stack_count, STACKS + 1);
}

static void functions_and_mappings_are_interned(void **state)
{
	struct profile_batch *batch = new_batch();
	struct profile_function function = {.name = 1, .start_line = 7};
	struct profile_mapping mapping = {.memory_start = 1, .memory_limit = 2, .filename = 3};
	uint32_t a, b, c;

	(void)state;
	assert_int_equal(profile_function(batch, &function, &a, NULL), 0);
	assert_int_equal(profile_function(batch, &function, &b, NULL), 0);
	function.system_name = 2;
	assert_int_equal(profile_function(batch, &function, &c, NULL), 0);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(profile_mapping(batch, &mapping, &a, NULL), 0);
	assert_int_equal(profile_mapping(batch, &mapping, &b, NULL), 0);
	mapping.file_offset = 4096;
	assert_int_equal(profile_mapping(batch, &mapping, &c, NULL), 0);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
}

static void interning_goes_on_behind_an_adopted_dictionary(void **state)
{
	struct profile_batch *batch = new_batch();
	static const uint32_t locations[] = {4, 5};
	/* A sender's table, a double row included: indices stay what its samples say. */
	static const struct profile_stack stacks[] = {{0, NULL},
						      {2, locations},
						      {2, locations},
						      {1, locations}};
	struct profile_dict dict = batch->dict;
	uint32_t at;

	(void)state;
	dict.stacks = stacks;
	dict.stack_count = 4;
	profile_dict_adopt(batch, &dict);
	assert_int_equal(profile_stack(batch, (uint32_t[]){4}, 1, &at, NULL), 0);
	assert_int_equal(at, 3);
	assert_int_equal(profile_stack(batch, (uint32_t[]){4, 5}, 2, &at, NULL), 0);
	assert_int_equal(at, 1);
	assert_int_equal(profile_stack(batch, (uint32_t[]){8}, 1, &at, NULL), 0);
	assert_int_equal(at, 4);
	assert_int_equal(batch->dict.stacks[2].count, 2);
}

/* Everything that a batch can do once, so that each of its allocations can fail. */
static int build_all(struct arena *memory, struct err *err)
{
	struct profile_batch *batch = NULL;
	struct value value = {.kind = VALUE_STRING, .text = STR("v")};
	uint32_t at;
	int rc = profile_batch_create(memory, &batch, err);

	for (uint32_t i = 0; i < 200 && !rc; i++) {
		struct profile_line line = {.function = i};
		rc = profile_stack(batch, (uint32_t[]){i, 1}, 2, &at, err);
		rc = rc ? rc
			: profile_location(batch,
					   &(struct profile_location){.address = i,
								      .line_count = 1,
								      .lines = &line},
					   &at, err);
		rc = rc ? rc
			: profile_mapping(batch, &(struct profile_mapping){.memory_start = i}, &at,
					  err);
		rc = rc ? rc
			: profile_function(batch, &(struct profile_function){.start_line = i}, &at,
					   err);
		value.number = i;
		rc = rc ? rc : profile_attribute(batch, STR("key"), &value, STR("u"), &at, err);
		rc = rc ? rc
			: profile_link(batch, &(struct profile_link){.span_id = {(uint8_t)i}}, &at,
				       err);
	}
	return rc;
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct err err = {0};
	int rc = -1;

	(void)state;
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		arena_deinit(&arena);
		mem_fail_nth(nth);
		rc = build_all(&arena, &err);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
}

static void at_the_arena_limit_the_batch_stays_usable(void **state)
{
	struct profile_batch *batch;
	uint32_t at = 0, count = 0;
	struct err err;
	int rc = 0;

	(void)state;
	arena.limit_bytes = 64 * 1024;
	batch = new_batch();
	while (!rc) {
		uint32_t locations[] = {count, 2, 3, 4, 5, 6, 7, 8};
		rc = profile_stack(batch, locations, 8, &at, &err);
		count += !rc;
	}
	assert_int_equal(rc, ERR_NOMEM);
	assert_int_equal(batch->dict.stack_count, count + 1);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(batch->dict.stacks[i + 1].locations[0], i);
}

static void a_location_keeps_its_index_when_its_lines_change(void **state)
{
	struct profile_batch *batch = new_batch();
	const struct profile_line before = {.line = 1};
	struct profile_line after[2] = {{.line = 2, .column = 3}, {.line = 4}};
	struct profile_location row = {.address = 7, .lines = &before, .line_count = 1};
	uint32_t first, again, other;

	(void)state;
	assert_int_equal(profile_location(batch, &row, &first, NULL), 0);
	assert_int_equal(profile_location_lines(batch, first, after, 2, NULL), 0);
	after[0].line = 99; /* it has a copy */
	const struct profile_location *found = &batch->dict.locations[first];
	assert_int_equal(found->line_count, 2);
	assert_int_equal(found->lines[0].line, 2);
	assert_int_equal(found->lines[0].column, 3);
	assert_int_equal(found->lines[1].line, 4);
	assert_int_equal(found->address, 7);
	/* What it was is another location now; and the table goes on growing. */
	assert_int_equal(profile_location(batch, &row, &again, NULL), 0);
	assert_int_not_equal(again, first);
	for (uint64_t i = 0; i < 1000; i++) {
		struct profile_location more = {.address = 1000 + i};
		assert_int_equal(profile_location(batch, &more, &other, NULL), 0);
	}
	assert_int_equal(batch->dict.locations[first].lines[1].line, 4);
	assert_int_equal(profile_location_lines(batch, first, NULL, 0, NULL), 0);
	assert_int_equal(batch->dict.locations[first].line_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_batch_holds_the_zero_rows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(zero_content_is_index_0, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_content_has_the_same_index, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rows_are_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(attributes_differ_by_kind_and_value, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			many_stacks_keep_their_indices_while_the_table_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(functions_and_mappings_are_interned, setup,
						teardown),
		cmocka_unit_test_setup_teardown(interning_goes_on_behind_an_adopted_dictionary,
						setup, teardown),
		cmocka_unit_test_setup_teardown(running_out_of_memory_is_an_error_at_every_point,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_location_keeps_its_index_when_its_lines_change,
						setup, teardown),
		cmocka_unit_test_setup_teardown(at_the_arena_limit_the_batch_stays_usable, setup,
						teardown),
	};
	return cmocka_run_group_tests_name("profile/dict", tests, NULL, NULL);
}
