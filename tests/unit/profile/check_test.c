#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile/profile.h"

/* A good profile of one sample over rows that a test can break. */
struct fixture {
	struct arena arena;
	struct profile_dict dict;
	struct profile_mapping mappings[2];
	struct profile_function functions[2];
	struct profile_line line;
	struct profile_location locations[2];
	struct profile_attribute attributes[2];
	struct profile_link link;
	struct profile_stack stacks[2];
	uint32_t stack_locations[1], attrs[1];
	int64_t value;
	uint64_t time_ns;
	struct profile_sample sample;
	struct profile profile;
};

static void link_rows(struct fixture *f)
{
	f->line = (struct profile_line){.function = 1, .line = 3};
	f->stack_locations[0] = 1;
	f->attrs[0] = 1;
	f->locations[1] = (struct profile_location){.mapping = 1,
						    .line_count = 1,
						    .lines = &f->line,
						    .attr_count = 1,
						    .attrs = f->attrs};
	f->stacks[1] = (struct profile_stack){1, f->stack_locations};
	f->mappings[1] = (struct profile_mapping){.filename = 1};
	f->functions[1] = (struct profile_function){.name = 1, .system_name = 1, .filename = 1};
	f->attributes[1] = (struct profile_attribute){.key = 1};
	f->dict = (struct profile_dict){.strings = f->dict.strings,
					.mappings = f->mappings,
					.locations = f->locations,
					.functions = f->functions,
					.links = &f->link,
					.attributes = f->attributes,
					.stacks = f->stacks,
					.mapping_count = 2,
					.location_count = 2,
					.function_count = 2,
					.link_count = 1,
					.attribute_count = 2,
					.stack_count = 2};
	f->sample = (struct profile_sample){.stack = 1,
					    .attr_count = 1,
					    .attrs = f->attrs,
					    .time_count = 1,
					    .times_ns = &f->time_ns,
					    .values = &f->value};
	f->profile =
		(struct profile){.sample_type = {1, 1}, .samples = &f->sample, .sample_count = 1};
}

static int setup(void **state)
{
	static struct fixture f;
	uint32_t at;

	f = (struct fixture){0};
	arena_init(&f.arena, 0);
	if (strtab_create(&f.arena, 10, &f.dict.strings, NULL) ||
	    strtab_intern(f.dict.strings, STR("text"), &at, NULL))
		return -1;
	link_rows(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	arena_deinit(&((struct fixture *)*state)->arena);
	return 0;
}

static void a_good_profile_passes(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(profile_check(&f->dict, &f->profile, &err), 0);
}

/* A checker over the same rows must agree, the second time (when it remembers) too. */
static void assert_refused(struct fixture *f, const char *why)
{
	struct profile_checker *checker;
	struct err err = {0};

	assert_int_equal(profile_check(&f->dict, &f->profile, &err), ERR_INVALID);
	if (str_find(str_of(err.text), str_of(why)) < 0)
		fail_msg("expected '%s' in '%s'", why, err.text);
	assert_int_equal(profile_checker_create(&f->arena, &f->dict, &checker, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(profile_checker_run(checker, &f->profile, NULL), ERR_INVALID);
}

static void every_index_outside_its_table_is_refused(void **state)
{
	struct fixture *f = *state;
	struct row {
		uint32_t *index;
		const char *why;
	} rows[] = {
		{&f->sample.stack, "sample 0: stack index"},
		{&f->sample.link, "link index"},
		{&f->attrs[0], "attribute index"},
		{&f->stack_locations[0], "stack 1: location index"},
		{&f->locations[1].mapping, "mapping index"},
		{&f->line.function, "function index"},
		{&f->mappings[1].filename, "string index"},
		{&f->functions[1].name, "string index"},
		{&f->functions[1].system_name, "string index"},
		{&f->functions[1].filename, "string index"},
		{&f->attributes[1].key, "string index"},
		{&f->attributes[1].unit, "string index"},
		{&f->profile.sample_type.type, "string index"},
		{&f->profile.sample_type.unit, "string index"},
		{&f->profile.period_type.type, "string index"},
		{&f->profile.period_type.unit, "string index"},
	};
	const uint32_t bad[] = {2, 1000, INT32_MAX, UINT32_MAX};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < 4; k++) {
			uint32_t good = *rows[i].index;
			*rows[i].index = bad[k];
			assert_refused(f, rows[i].why);
			*rows[i].index = good;
		}
	assert_int_equal(profile_check(&f->dict, &f->profile, NULL), 0);
}

static void an_attribute_without_a_key_is_refused(void **state)
{
	struct fixture *f = *state;

	f->attributes[1].key = 0;
	assert_refused(f, "attribute 1 has no key");
}

static void a_sample_without_values_and_timestamps_is_refused(void **state)
{
	struct fixture *f = *state;

	f->sample.time_count = 0;
	assert_refused(f, "neither values nor timestamps");
}

static void values_and_timestamps_of_different_length_are_refused(void **state)
{
	struct fixture *f = *state;

	f->sample.value_count = 2;
	assert_refused(f, "2 values but 1 timestamps");
}

static void empty_tables_refuse_even_index_0(void **state)
{
	struct fixture *f = *state;

	f->dict.stack_count = 0;
	assert_refused(f, "stack index 1");
}

static void totals_count_values_or_timestamps(void **state)
{
	int64_t values[] = {5, -2, 10};
	struct profile_sample samples[] = {
		{.time_count = 4},
		{.value_count = 3, .values = values},
		{.value_count = 1, .values = values, .time_count = 1},
	};
	struct profile profile = {.samples = samples, .sample_count = 3};
	uint64_t events = 0;

	(void)state;
	assert_int_equal(profile_total(&profile, &events), 4 + 13 + 5);
	assert_int_equal(events, 4 + 3 + 1);
	assert_int_equal(profile_total(&profile, NULL), 22);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(a_good_profile_passes),
		WITH_FIXTURE(every_index_outside_its_table_is_refused),
		WITH_FIXTURE(an_attribute_without_a_key_is_refused),
		WITH_FIXTURE(a_sample_without_values_and_timestamps_is_refused),
		WITH_FIXTURE(values_and_timestamps_of_different_length_are_refused),
		WITH_FIXTURE(empty_tables_refuse_even_index_0),
		cmocka_unit_test(totals_count_values_or_timestamps),
	};
	return cmocka_run_group_tests_name("profile/check", tests, NULL, NULL);
}
