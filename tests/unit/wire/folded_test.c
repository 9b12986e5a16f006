/* Folded text, trie and tree. */
#include "intake_fixture.h"

#include "wire/folded.h"
#include "wire/proto.h"

typedef int decoder_fn(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
		       struct profile **ret, struct err *err);

static struct profile *profile;

static int decode(decoder_fn *decoder, struct str bytes)
{
	return decoder(bytes, &f.sink, &f.scope, &profile, &f.err);
}

static void groups_have_a_number_behind_the_last_space(void **state)
{
	(void)state;
	must(decode(wire_folded_groups, STR("main;do work 12\r\n\nmain;idle 3\nmain 1")));
	assert_string_equal(folded(profile), "main;do work 12\nmain;idle 3\nmain 1\n");
}

static void lines_count_one_each(void **state)
{
	(void)state;
	must(decode(wire_folded_lines, STR("a;b;c\na;b\na;b;c\n")));
	assert_string_equal(folded(profile), "a;b;c 1\na;b 1\na;b;c 1\n");
}

static void a_bad_line_is_named(void **state)
{
	(void)state;
	assert_int_equal(decode(wire_folded_groups, STR("a;b 1\na;b one\n")), ERR_INVALID);
	assert_string_equal(f.err.text, "folded stacks, line 2: \"one\" is no number");
	assert_int_equal(decode(wire_folded_groups, STR("word")), ERR_INVALID);
	assert_int_equal(f.scope.profile_count, 0);
}

static void bytes_that_are_no_text_are_marked(void **state)
{
	(void)state;
	must(decode(wire_folded_lines, STR("a\xff;b")));
	assert_string_equal(folded(profile), "a\xef\xbf\xbd;b 1\n");
}

/* The root "", below it "main;" with "w" 1 and "work" as "ork" 2 below it, and "idle" 3. */
static void a_trie_is_split_anywhere(void **state)
{
	(void)state;
	must(decode(wire_folded_trie, STR("\x00\x00\x01"
					  "\x05"
					  "main;"
					  "\x00\x02"
					  "\x01"
					  "w"
					  "\x01\x01"
					  "\x03"
					  "ork"
					  "\x02\x00"
					  "\x04"
					  "idle"
					  "\x03\x00")));
	assert_string_equal(folded(profile), "main;w 1\nmain;work 2\nmain;idle 3\n");
}

static void a_tree_has_a_frame_a_node(void **state)
{
	(void)state;
	must(decode(wire_folded_tree, STR("\x00\x00\x02"
					  "\x04"
					  "main"
					  "\x05\x02"
					  "\x04"
					  "work"
					  "\xac\x02\x00"
					  "\x03"
					  "a;b"
					  "\x02\x00"
					  "\x04"
					  "idle"
					  "\x03\x00")));
	assert_string_equal(folded(profile), "main 5\nmain;work 300\nmain;a;b 2\nidle 3\n");
}

static void what_is_cut_short_is_refused(void **state)
{
	static const char whole[] = "\x00\x00\x01\x04main\x05\x01\x04work\x02\x00";
	decoder_fn *const decoders[] = {wire_folded_trie, wire_folded_tree};

	for (size_t i = 0; i < 2; i++)
		for (size_t len = 1; len < sizeof(whole) - 1; len++) {
			renew(state);
			assert_int_equal(decode(decoders[i], str_make(whole, len)), ERR_INVALID);
			assert_int_equal(f.scope.profile_count, 0);
		}
}

static void promised_children_must_fit(void **state)
{
	(void)state;
	assert_int_equal(decode(wire_folded_tree, STR("\x00\x00\xff\xff\xff\xff\x0f")),
			 ERR_INVALID);
	assert_int_equal(decode(wire_folded_trie, STR("\x00\x00\xff\xff\xff\xff\x0f")),
			 ERR_INVALID);
}

/* Each node of a chain with a value: stacks of quadratic size in all. */
static void a_chain_meets_the_limit(void **state)
{
	struct buf chain;

	(void)state;
	buf_init(&chain, 0);
	for (int i = 0; i < 200000; i++)
		buf_str(&chain, STR("\x02;a\x01\x01"));
	buf_str(&chain, STR("\x02;a\x01\x00"));
	f.limits.rows = 1 << 20;
	assert_int_equal(decode(wire_folded_tree, buf_text(&chain)), ERR_LIMIT);
	f.sink.rows = 0;
	assert_int_equal(decode(wire_folded_trie, buf_text(&chain)), ERR_LIMIT);
	assert_true(f.arena.used_bytes < 256 << 20);
	buf_deinit(&chain);
}

static void a_value_beyond_63_bits_is_the_largest(void **state)
{
	(void)state;
	must(decode(wire_folded_tree, STR("\x01"
					  "a"
					  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00")));
	assert_string_equal(folded(profile), "a 9223372036854775807\n");
}

static void every_failed_allocation_is_an_error(void **state)
{
	static const struct {
		decoder_fn *decoder;
		struct str bytes;
	} rows[] = {
		{wire_folded_groups, STR("main;work 12\nmain;idle 3\n")},
		{wire_folded_trie, STR("\x01m\x01\x01\x02;n\x01\x00")},
		{wire_folded_tree, STR("\x01m\x01\x01\x01n\x01\x00")},
	};

	for (size_t i = 0; i < 3; i++) {
		int rc = ERR_NOMEM;
		for (uint64_t nth = 1; rc && nth < 200; nth++) {
			renew(state);
			mem_fail_nth(nth);
			rc = decode(rows[i].decoder, rows[i].bytes);
			mem_fail_nth(0);
			if (rc)
				assert_int_equal(rc, ERR_NOMEM);
		}
		assert_int_equal(rc, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(groups_have_a_number_behind_the_last_space),
		TEST(lines_count_one_each),
		TEST(a_bad_line_is_named),
		TEST(bytes_that_are_no_text_are_marked),
		TEST(a_trie_is_split_anywhere),
		TEST(a_tree_has_a_frame_a_node),
		TEST(what_is_cut_short_is_refused),
		TEST(promised_children_must_fit),
		TEST(a_chain_meets_the_limit),
		TEST(a_value_beyond_63_bits_is_the_largest),
		TEST(every_failed_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
