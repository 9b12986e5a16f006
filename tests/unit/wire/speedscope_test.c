/* speedscope files. */
#include "intake_fixture.h"

#include "wire/speedscope.h"

#define HEAD                                                                       \
	"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","     \
	"\"shared\":{\"frames\":[{\"name\":\"main\",\"file\":\"m.c\",\"line\":7}," \
	"{\"name\":\"work\"},{\"name\":\"idle\"}]},\"profiles\":["
#define SAMPLED                                                                       \
	"{\"type\":\"sampled\",\"name\":\"one\",\"unit\":\"bytes\",\"startValue\":0," \
	"\"endValue\":9,\"samples\":[[0,1],[0],[]],\"weights\":[5,4,1]}"
#define EVENTED(unit)                                                                    \
	"{\"type\":\"evented\",\"name\":\"two\",\"unit\":\"" unit "\",\"startValue\":1," \
	"\"endValue\":9,\"events\":[{\"type\":\"O\",\"frame\":0,\"at\":1},"              \
	"{\"type\":\"O\",\"frame\":1,\"at\":1.5},{\"type\":\"C\",\"frame\":1,\"at\":3}," \
	"{\"type\":\"O\",\"frame\":2,\"at\":3},{\"type\":\"C\",\"frame\":2,\"at\":4},"   \
	"{\"type\":\"C\",\"frame\":0,\"at\":6}]}"
#define TAIL "]}"

static struct speedscope_profile *list;
static size_t count;

static int decode(const char *text)
{
	return wire_speedscope(str_of(text), &f.sink, &f.scope, &list, &count, &f.err);
}

static void several_profiles_are_read(void **state)
{
	(void)state;
	must(decode(HEAD SAMPLED "," EVENTED("microseconds") TAIL));
	assert_int_equal(count, 2);
	assert_int_equal(list[0].unit, SPEEDSCOPE_BYTES);
	assert_int_equal(list[1].unit, SPEEDSCOPE_TIME);
	assert_true(str_equal(list[1].name, STR("two")));
	assert_string_equal(folded(&f.scope.profiles[list[0].profile]), "main;work 5\nmain 4\n");
	assert_string_equal(folded(&f.scope.profiles[list[1].profile]),
			    "main 500\nmain;work 1500\nmain;idle 1000\nmain 2000\n");
}

static void units_of_time_become_nanoseconds(void **state)
{
	static const struct {
		const char *text, *folded;
	} rows[] = {
		{HEAD EVENTED("milliseconds") TAIL,
		 "main 500000\nmain;work 1500000\nmain;idle 1000000\nmain 2000000\n"},
		{HEAD EVENTED("seconds") TAIL,
		 "main 500000000\nmain;work 1500000000\nmain;idle 1000000000\nmain 2000000000\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		renew(state);
		must(decode(rows[i].text));
		assert_string_equal(folded(&f.scope.profiles[0]), rows[i].folded);
	}
}

static void frames_keep_file_and_line(void **state)
{
	(void)state;
	must(decode(HEAD SAMPLED TAIL));
	const struct profile_sample *sample = &f.scope.profiles[0].samples[1];
	const struct profile_location *row =
		&f.batch->dict.locations[f.batch->dict.stacks[sample->stack].locations[0]];
	assert_int_equal(row->lines[0].line, 7);
	assert_true(str_equal(string(f.batch->dict.functions[row->lines[0].function].filename),
			      STR("m.c")));
}

static void what_is_wrong_is_named_and_adds_nothing(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"[", "JSON, line 1"},
		{"{}", "$schema is not"},
		{HEAD TAIL, "no profiles"},
		{HEAD "{\"type\":\"sampled\",\"unit\":\"cows\"}" TAIL, "unit \"cows\""},
		{HEAD "{\"type\":\"x\",\"unit\":\"none\"}" TAIL, "type \"x\" is not known"},
		{HEAD SAMPLED
		 ",{\"type\":\"sampled\",\"unit\":\"none\",\"samples\":[[0]],\"weights\":[]}" TAIL,
		 "profile 1: 1 samples and 0 weights"},
		{HEAD
		 "{\"type\":\"sampled\",\"unit\":\"none\",\"samples\":[[3]],\"weights\":[1]}" TAIL,
		 "frame 3 is outside the list of 3"},
		{HEAD
		 "{\"type\":\"sampled\",\"unit\":\"none\",\"samples\":[[0]],\"weights\":[-1]}" TAIL,
		 "negative"},
		{HEAD "{\"type\":\"evented\",\"unit\":\"none\",\"startValue\":5,\"events\":"
		      "[{\"type\":\"O\",\"frame\":0,\"at\":4}]}" TAIL,
		 "event 0: is at 4"},
		{HEAD "{\"type\":\"evented\",\"unit\":\"none\",\"startValue\":0,\"events\":"
		      "[{\"type\":\"C\",\"frame\":0,\"at\":4}]}" TAIL,
		 "closes and is not the innermost"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		renew(state);
		assert_int_equal(decode(rows[i].text), ERR_INVALID);
		if (!strstr(f.err.text, rows[i].why))
			fail_msg("\"%s\" without \"%s\"", f.err.text, rows[i].why);
		assert_int_equal(f.scope.profile_count, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(several_profiles_are_read),
		TEST(units_of_time_become_nanoseconds),
		TEST(frames_keep_file_and_line),
		TEST(what_is_wrong_is_named_and_adds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
