/* pprof: golden bytes made field by field, and profiles of a real Go program. */
#include "intake_fixture.h"

#include "base/fd.h"
#include "base/zip.h"
#include "wire/pprof.h"
#include "wire/proto.h"

static struct buf out;
static struct wire_pprof_about about;

static int start(void **state)
{
	buf_init(&out, 0);
	return setup(state);
}

static int end(void **state)
{
	buf_deinit(&out);
	return teardown(state);
}

/* ---- writing ---- */

static void put_strings(const char *const *strings)
{
	for (; *strings; strings++)
		pb_put_bytes(&out, 6, str_of(*strings));
}

static void put_pair(uint32_t field, uint64_t one, uint64_t two)
{
	size_t at = pb_begin(&out, field);
	pb_put_uint(&out, 1, one);
	pb_put_uint(&out, 2, two);
	pb_end(&out, at);
}

static void put_function(uint64_t id, uint64_t name)
{
	put_pair(5, id, name);
}

/* function 0: no line */
static void put_loc(uint64_t id, uint64_t mapping, uint64_t address, uint64_t function)
{
	size_t at = pb_begin(&out, 4);
	pb_put_uint(&out, 1, id);
	pb_put_uint(&out, 2, mapping);
	pb_put_uint(&out, 3, address);
	if (function) {
		size_t line = pb_begin(&out, 4);
		pb_put_uint(&out, 1, function);
		pb_put_uint(&out, 2, 17);
		pb_end(&out, line);
	}
	pb_end(&out, at);
}

static size_t begin_sample(uint64_t location, int64_t one, int64_t two)
{
	size_t at = pb_begin(&out, 2);
	pb_put_uint(&out, 1, location);
	pb_put_bytes(&out, 2, str_make((const char[]){(char)one, (char)two}, 2));
	return at;
}

static void put_label(uint64_t key, uint64_t text, uint64_t number, uint64_t unit)
{
	size_t at = pb_begin(&out, 3);
	pb_put_uint(&out, 1, key);
	pb_put_uint(&out, 2, text);
	pb_put_uint(&out, 3, number);
	pb_put_uint(&out, 4, unit);
	pb_end(&out, at);
}

static const char *const names[] = {"",	    "samples", "count",	  "cpu",      "nanoseconds",
				    "main", "work",    "libc.so", "0bad1dea", "handler",
				    "pay",  "size",    "bytes",	  "note",     NULL};

/* main → work with 3 samples of 30 ns, labelled; main → 0x1234 with none but 7 ns. */
static void put_profile(void)
{
	put_strings(names);
	put_pair(1, 1, 2);
	put_pair(1, 3, 4);
	size_t at = begin_sample(2, 3, 30);
	pb_put_uint(&out, 1, 1);
	put_label(9, 10, 0, 0);
	put_label(11, 0, 64, 12);
	pb_end(&out, at);
	at = begin_sample(3, 0, 7);
	pb_put_uint(&out, 1, 1);
	pb_end(&out, at);
	at = pb_begin(&out, 3);
	pb_put_uint(&out, 1, 1);
	pb_put_uint(&out, 2, UINT64_C(0x7f0000001000));
	pb_put_uint(&out, 3, UINT64_C(0x7f0000009000));
	pb_put_uint(&out, 4, 0x2000);
	pb_put_uint(&out, 5, 7);
	pb_put_uint(&out, 6, 8);
	pb_end(&out, at);
	put_loc(1, 0, 0, 1);
	put_loc(2, 0, 0, 2);
	put_loc(3, 1, UINT64_C(0x7f0000001234), 0);
	put_function(1, 5);
	put_function(2, 6);
	pb_put_uint(&out, 9, UINT64_C(1700000000000000000));
	pb_put_uint(&out, 10, 5000);
	put_pair(11, 3, 4);
	pb_put_uint(&out, 12, 10);
	pb_put_uint(&out, 13, 13);
	pb_put_uint(&out, 14, 3);
	pb_put_uint(&out, 7, 5);
	pb_put_uint(&out, 8, 6);
}

static int decode(struct str bytes)
{
	return wire_pprof_decode(bytes, &f.sink, &f.scope, &about, &f.err);
}

/* ---- reading ---- */

static void each_sample_type_is_a_profile(void **state)
{
	(void)state;
	put_profile();
	must(decode(buf_text(&out)));
	assert_int_equal(f.scope.profile_count, 2);
	assert_string_equal(folded(&f.scope.profiles[0]), "main;work 3\n");
	assert_string_equal(folded(&f.scope.profiles[1]), "main;work 30\nmain;0x2234 7\n");
	assert_true(str_equal(string(f.scope.profiles[0].sample_type.type), STR("samples")));
	assert_true(str_equal(string(f.scope.profiles[1].sample_type.unit), STR("nanoseconds")));
}

static void times_period_and_the_rest_are_kept(void **state)
{
	(void)state;
	put_profile();
	must(decode(buf_text(&out)));
	const struct profile *profile = &f.scope.profiles[0];
	assert_int_equal(profile->time_ns, UINT64_C(1700000000000000000));
	assert_int_equal(profile->duration_ns, 5000);
	assert_int_equal(profile->period, 10);
	assert_true(str_equal(string(profile->period_type.type), STR("cpu")));
	assert_true(str_equal(about.default_sample_type, STR("cpu")));
	assert_true(str_equal(about.drop_frames, STR("main")));
	assert_true(str_equal(about.keep_frames, STR("work")));
	assert_int_equal(about.comment_count, 1);
	assert_true(str_equal(about.comments[0], STR("note")));
	assert_int_equal(about.samples, 2);
}

static void labels_are_attributes_and_numbers_keep_their_unit(void **state)
{
	(void)state;
	put_profile();
	must(decode(buf_text(&out)));
	const struct profile_sample *sample = &f.scope.profiles[0].samples[0];
	assert_int_equal(sample->attr_count, 2);
	const struct profile_attribute *text = &f.batch->dict.attributes[sample->attrs[0]];
	const struct profile_attribute *number = &f.batch->dict.attributes[sample->attrs[1]];
	assert_true(str_equal(string(text->key), STR("handler")));
	assert_true(str_equal(text->value.text, STR("pay")));
	assert_int_equal(number->value.kind, VALUE_INT);
	assert_int_equal(number->value.number, 64);
	assert_true(str_equal(string(number->unit), STR("bytes")));
}

static void a_mapping_has_its_build_id(void **state)
{
	(void)state;
	put_profile();
	must(decode(buf_text(&out)));
	const struct profile_sample *sample = &f.scope.profiles[1].samples[1];
	const struct profile_stack *stack = &f.batch->dict.stacks[sample->stack];
	const struct profile_location *leaf = &f.batch->dict.locations[stack->locations[0]];
	const struct profile_mapping *mapping = &f.batch->dict.mappings[leaf->mapping];
	const struct value *id =
		profile_find_index(&f.batch->dict, mapping->attrs, mapping->attr_count,
				   STR("process.executable.build_id.gnu"));
	assert_true(str_equal(string(mapping->filename), STR("libc.so")));
	assert_non_null(id);
	assert_true(str_equal(id->text, STR("0bad1dea")));
}

static void gzip_is_unpacked_within_the_limit(void **state)
{
	struct buf packed;

	(void)state;
	buf_init(&packed, 0);
	put_profile();
	must(zip_gzip(buf_text(&out), 6, &packed, &f.err));
	must(decode(buf_text(&packed)));
	assert_int_equal(f.scope.profile_count, 2);
	f.limits.message_bytes = out.len - 1;
	assert_int_equal(decode(buf_text(&packed)), ERR_LIMIT);
	buf_deinit(&packed);
}

static void equal_rows_of_two_profiles_are_there_once(void **state)
{
	(void)state;
	put_profile();
	must(decode(buf_text(&out)));
	uint32_t stacks = f.batch->dict.stack_count, functions = f.batch->dict.function_count;
	must(decode(buf_text(&out)));
	assert_int_equal(f.scope.profile_count, 4);
	assert_int_equal(f.batch->dict.stack_count, stacks);
	assert_int_equal(f.batch->dict.function_count, functions);
}

static void a_time_of_1970_is_none(void **state)
{
	(void)state;
	put_profile();
	pb_put_uint(&out, 9, UINT64_C(1700000000000000)); /* microseconds */
	must(decode(buf_text(&out)));
	assert_int_equal(f.scope.profiles[0].time_ns, 0);
}

static void functions_without_ids_go_by_their_locations(void **state)
{
	static const char *const strings[] = {"", "cpu", "main", "work", NULL};

	(void)state;
	put_strings(strings);
	put_pair(1, 1, 1);
	put_pair(5, 0, 2);
	put_pair(5, 0, 3);
	put_loc(7, 0, 0, 7);
	put_loc(9, 0, 0, 9);
	size_t at = pb_begin(&out, 2);
	pb_put_bytes(&out, 1, STR("\x09\x07"));
	pb_put_uint(&out, 2, 5);
	pb_end(&out, at);
	must(decode(buf_text(&out)));
	assert_string_equal(folded(&f.scope.profiles[0]), "main;work 5\n");
}

static void ids_may_be_any_numbers(void **state)
{
	static const char *const strings[] = {"", "cpu", "main", NULL};

	(void)state;
	put_strings(strings);
	put_pair(1, 1, 1);
	put_function(UINT64_MAX, 2);
	put_loc(UINT64_C(1) << 60, 0, 0, UINT64_MAX);
	size_t at = pb_begin(&out, 2);
	pb_put_uint(&out, 1, UINT64_C(1) << 60);
	pb_put_uint(&out, 2, 5);
	pb_end(&out, at);
	must(decode(buf_text(&out)));
	assert_string_equal(folded(&f.scope.profiles[0]), "main 5\n");
}

/* ---- refusing ---- */

static void put_bad_location(void)
{
	pb_end(&out, begin_sample(99, 1, 1));
}

static void put_few_values(void)
{
	size_t at = pb_begin(&out, 2);
	pb_put_uint(&out, 1, 1);
	pb_put_uint(&out, 2, 1);
	pb_end(&out, at);
}

static void put_bad_string(void)
{
	put_function(3, 99);
}

static void put_bad_function(void)
{
	put_loc(4, 0, 0, 99);
}

static void put_bad_mapping(void)
{
	put_loc(4, 99, 0, 1);
}

static void put_twice(void)
{
	put_function(1, 5);
}

static void put_id_0(void)
{
	put_loc(0, 0, 0, 1);
}

static void put_wrong_type(void)
{
	pb_put_uint(&out, 2, 1);
}

static void put_cut(void)
{
	buf_str(&out, STR("\x12\x7f"));
}

static void what_is_wrong_is_named_and_adds_nothing(void **state)
{
	static const struct {
		void (*put)(void);
		const char *why;
	} rows[] = {
		{put_bad_location, "no location with id 99"},
		{put_few_values, "has 1 values for 2 types"},
		{put_bad_string, "string 99 is outside the table of 14"},
		{put_bad_function, "no function with id 99"},
		{put_bad_mapping, "no mapping with id 99"},
		{put_twice, "function id 1 is there twice"},
		{put_id_0, "location id 0 is not allowed"},
		{put_wrong_type, "field 2 has wire type 0"},
		{put_cut, "malformed Profile"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		end(state);
		start(state);
		put_profile();
		rows[i].put();
		assert_int_equal(decode(buf_text(&out)), ERR_INVALID);
		if (!strstr(f.err.text, rows[i].why))
			fail_msg("\"%s\" without \"%s\"", f.err.text, rows[i].why);
		assert_int_equal(f.scope.profile_count, 0);
	}
}

static void a_profile_without_types_is_none(void **state)
{
	(void)state;
	assert_int_equal(decode(STR("")), ERR_INVALID);
	put_strings(names);
	assert_int_equal(decode(buf_text(&out)), ERR_INVALID);
	assert_non_null(strstr(f.err.text, "no sample_type"));
}

static void limits_hold_over_several_profiles(void **state)
{
	(void)state;
	put_profile();
	f.limits.samples = 4; /* one has 3 */
	must(decode(buf_text(&out)));
	assert_int_equal(decode(buf_text(&out)), ERR_LIMIT);
	assert_int_equal(f.scope.profile_count, 2);
	f.limits.rows = 10;
	assert_int_equal(decode(buf_text(&out)), ERR_LIMIT);
}

/* As many types as samples: a table of their product is not made. */
static void promises_of_values_do_not_take_memory(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		pb_put_bytes(&out, 1, STR(""));
		pb_put_bytes(&out, 2, STR(""));
	}
	assert_int_equal(decode(buf_text(&out)), ERR_INVALID);
	assert_true(f.arena.used_bytes < 8 << 20);
}

static void every_failed_allocation_is_an_error(void **state)
{
	int rc = ERR_NOMEM;

	put_profile();
	for (uint64_t nth = 1; rc && nth < 300; nth++) {
		teardown(state);
		setup(state);
		mem_fail_nth(nth);
		rc = decode(buf_text(&out));
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
}

/* ---- of a real program ---- */

static void read_file(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), TEST_DATA "/pprof/%s", name);
	must(fd_read_file(path, 1 << 20, &out, &f.err));
}

static void a_real_cpu_profile_is_whole(void **state)
{
	uint64_t events;

	(void)state;
	read_file("go-cpu.pprof");
	must(decode(buf_text(&out)));
	assert_int_equal(f.scope.profile_count, 2);
	assert_int_equal(profile_total(&f.scope.profiles[0], &events), 48);
	assert_int_equal(profile_total(&f.scope.profiles[1], &events), 480000000);
	assert_int_equal(events, 7);
	assert_non_null(strstr(folded(&f.scope.profiles[1]),
			       "runtime.main;main.main;runtime/pprof.Do;main.main.func1;"
			       "main.spin 230000000\n"));
}

static void a_real_heap_profile_is_whole(void **state)
{
	static const char *const types[] = {"alloc_objects", "alloc_space", "inuse_objects",
					    "inuse_space"};

	(void)state;
	read_file("go-heap.pprof");
	must(decode(buf_text(&out)));
	assert_int_equal(f.scope.profile_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(
			str_equal(string(f.scope.profiles[i].sample_type.type), str_of(types[i])));
	assert_non_null(strstr(folded(&f.scope.profiles[3]),
			       "runtime.main;main.main;main.allocate 3938764\n"));
	assert_int_equal(f.scope.profiles[3].period, 16384);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(each_sample_type_is_a_profile),
		TEST(times_period_and_the_rest_are_kept),
		TEST(labels_are_attributes_and_numbers_keep_their_unit),
		TEST(a_mapping_has_its_build_id),
		TEST(gzip_is_unpacked_within_the_limit),
		TEST(equal_rows_of_two_profiles_are_there_once),
		TEST(a_time_of_1970_is_none),
		TEST(functions_without_ids_go_by_their_locations),
		TEST(ids_may_be_any_numbers),
		TEST(what_is_wrong_is_named_and_adds_nothing),
		TEST(a_profile_without_types_is_none),
		TEST(limits_hold_over_several_profiles),
		TEST(promises_of_values_do_not_take_memory),
		TEST(every_failed_allocation_is_an_error),
		TEST(a_real_cpu_profile_is_whole),
		TEST(a_real_heap_profile_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
