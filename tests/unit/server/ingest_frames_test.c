/* How locations and stacks become frames and nodes. */
#include "ingest_fixture.h"

static void stacks_grow_from_the_root_and_share_their_beginning(void **state)
{
	uint32_t main_at = named_location("main");
	uint32_t a[] = {named_location("a"), main_at};
	uint32_t b[] = {named_location("b"), main_at};

	(void)state;
	add_sample(stack(a, 2));
	add_time(NOW_NS);
	add_sample(stack(b, 2));
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.node_count, 4);
	uint32_t leaf_a = f.rows.series[0].samples[0].node,
		 leaf_b = f.rows.series[0].samples[1].node;
	assert_true(str_equal(frame_of(leaf_a)->name, STR("a")));
	assert_true(str_equal(frame_of(leaf_b)->name, STR("b")));
	assert_int_equal(f.rows.nodes[leaf_a].parent, f.rows.nodes[leaf_b].parent);
	assert_true(str_equal(frame_of(f.rows.nodes[leaf_a].parent)->name, STR("main")));
	assert_int_equal(f.rows.nodes[f.rows.nodes[leaf_a].parent].parent, 0);
	assert_int_equal(frame_of(leaf_a)->line, 7);
	assert_int_equal(frame_of(leaf_a)->address, 0);
}

static void inlined_functions_are_frames_of_their_own(void **state)
{
	struct profile_line lines[] = {{function("inner"), 1, 0}, {function("outer"), 2, 0}};
	struct profile_location row = {.line_count = 2, .lines = lines};
	uint32_t at;

	(void)state;
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	uint32_t leaf = f.rows.series[0].samples[0].node;
	assert_true(str_equal(frame_of(leaf)->name, STR("inner")));
	assert_true(str_equal(frame_of(f.rows.nodes[leaf].parent)->name, STR("outer")));
}

static void a_frame_without_a_name_keeps_mapping_and_address(void **state)
{
	uint32_t attrs[] = {attr("process.executable.build_id.htlhash", string_value("beef")),
			    attr("process.executable.build_id.gnu", string_value("c0ffee"))};
	uint32_t kind = attr("profile.frame.type", string_value("native"));
	struct profile_mapping mapping = {.filename = text("/usr/lib/libc.so.6"),
					  .attr_count = 2,
					  .attrs = attrs};
	struct profile_location row = {.address = 0xabc, .attr_count = 1, .attrs = &kind};
	uint32_t at;

	(void)state;
	must(profile_mapping(f.batch, &mapping, &row.mapping, NULL));
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	const struct store_frame *frame = frame_of(f.rows.series[0].samples[0].node);
	assert_int_equal(frame->name.len, 0);
	assert_int_equal(frame->address, 0xabc);
	assert_true(str_equal(frame->mapping, STR("libc.so.6")));
	assert_true(str_equal(frame->build_id, STR("c0ffee")));
	assert_true(str_equal(frame->kind, STR("native")));
}

static void a_function_without_a_name_goes_by_its_system_name(void **state)
{
	struct profile_function named = {.name = text("f()"),
					 .system_name = text("_Z1fv"),
					 .filename = text("f.cc"),
					 .start_line = 3};
	struct profile_function mangled = {.system_name = text("_Z1gv")};
	struct profile_line lines[2] = {{0}};
	struct profile_location row = {.line_count = 2, .lines = lines};
	uint32_t at;

	(void)state;
	must(profile_function(f.batch, &named, &lines[0].function, NULL));
	must(profile_function(f.batch, &mangled, &lines[1].function, NULL));
	must(profile_location(f.batch, &row, &at, NULL));
	add_sample(stack(&at, 1));
	add_time(NOW_NS);
	convert_checked();
	uint32_t leaf = f.rows.series[0].samples[0].node;
	assert_true(str_equal(frame_of(leaf)->system_name, STR("_Z1fv")));
	assert_true(str_equal(frame_of(leaf)->filename, STR("f.cc")));
	assert_int_equal(frame_of(leaf)->start_line, 3);
	const struct store_frame *outer = frame_of(f.rows.nodes[leaf].parent);
	assert_true(str_equal(outer->name, STR("_Z1gv")));
	assert_int_equal(outer->system_name.len, 0);
}

static void a_stack_that_is_too_deep_keeps_its_leaf(void **state)
{
	uint32_t locations[50];
	char name[16];

	(void)state;
	f.config.stack_depth = 10;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		locations[i] = named_location(name);
	}
	add_sample(stack(locations, 50));
	add_time(NOW_NS);
	convert_checked();
	assert_int_equal(f.rows.node_count, 11);
	assert_true(str_equal(frame_of(f.rows.series[0].samples[0].node)->name, STR("f0")));
	assert_true(str_equal(frame_of(1)->name, STR("f9")));
}

static void long_names_are_cut_between_characters(void **state)
{
	uint32_t location = named_location("abc\xc3\xa9");

	(void)state;
	f.config.symbol_bytes = 4;
	add_sample(stack(&location, 1));
	add_time(NOW_NS);
	convert_checked();
	assert_true(str_equal(frame_of(1)->name, STR("abc")));
}

static void equal_frames_of_different_addresses_are_one(void **state)
{
	struct profile_line line = {.function = function("spin"), .line = 7};
	struct profile_location row = {.address = 1, .line_count = 1, .lines = &line};
	uint32_t at;

	(void)state;
	for (int i = 0; i < 5; i++) {
		row.address++;
		must(profile_location(f.batch, &row, &at, NULL));
		add_sample(stack(&at, 1));
		add_time(NOW_NS);
	}
	convert_checked();
	assert_int_equal(f.rows.frame_count, 1);
	assert_int_equal(f.rows.node_count, 2);
}

static void many_stacks_make_a_tree_without_doubles(void **state)
{
	enum { NAMES = 40, STACKS = 3000, DEPTH = 12 };
	uint32_t names[NAMES], locations[DEPTH];
	uint64_t seed = 1;
	char name[16];

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		names[i] = named_location(name);
	}
	for (int i = 0; i < STACKS; i++) {
		for (int k = 0; k < DEPTH; k++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			locations[k] = names[(seed >> 33) % (k > 8 ? 2 : NAMES)];
		}
		add_sample(stack(locations, DEPTH));
		add_time(NOW_NS);
	}
	convert_checked();
	assert_int_equal(f.rows.frame_count, NAMES);
	for (size_t i = 1; i < f.rows.node_count; i++)
		for (size_t k = i + 1; k < f.rows.node_count && k < i + 50; k++)
			assert_false(f.rows.nodes[i].parent == f.rows.nodes[k].parent &&
				     f.rows.nodes[i].frame == f.rows.nodes[k].frame);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(stacks_grow_from_the_root_and_share_their_beginning),
		TEST(inlined_functions_are_frames_of_their_own),
		TEST(a_frame_without_a_name_keeps_mapping_and_address),
		TEST(a_function_without_a_name_goes_by_its_system_name),
		TEST(a_stack_that_is_too_deep_keeps_its_leaf),
		TEST(long_names_are_cut_between_characters),
		TEST(equal_frames_of_different_addresses_are_one),
		TEST(many_stacks_make_a_tree_without_doubles),
	};
	return cmocka_run_group_tests_name("server/ingest_frames", tests, NULL, NULL);
}
