/* What a cumulative profile counts since the one before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "server/ingest_legacy.h"

static struct arena arena;
static struct profile_batch *batch;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return profile_batch_create(&arena, &batch, NULL);
}

static int teardown(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static void add(struct profile *profile, uint32_t stack, uint32_t attr, int64_t value)
{
	struct profile_sample *sample;

	assert_int_equal(profile_sample_add(batch, profile, &sample, NULL), 0);
	sample->stack = stack;
	assert_int_equal(profile_sample_value(batch, sample, value, NULL), 0);
	if (attr)
		assert_int_equal(profile_sample_attr(batch, sample, attr, NULL), 0);
}

static void stacks_and_attributes_are_compared(void **state)
{
	struct profile now = {0}, before = {0};

	(void)state;
	add(&before, 1, 0, 10);
	add(&before, 1, 7, 5);
	add(&before, 2, 0, 4);
	add(&before, 9, 0, 100);
	add(&now, 1, 0, 13);
	add(&now, 1, 7, 5);
	add(&now, 3, 0, 8);
	add(&now, 2, 0, 6);
	assert_int_equal(legacy_subtract(&arena, &now, &before, NULL), 0);
	assert_int_equal(now.sample_count, 3);
	assert_int_equal(now.samples[0].values[0], 3);
	assert_int_equal(now.samples[1].stack, 3);
	assert_int_equal(now.samples[1].values[0], 8);
	assert_int_equal(now.samples[2].values[0], 2);
}

static void equal_stacks_are_compared_as_a_sum(void **state)
{
	struct profile now = {0}, before = {0};

	(void)state;
	add(&before, 1, 0, 4);
	add(&before, 1, 0, 4);
	add(&now, 1, 0, 5);
	add(&now, 1, 0, 5);
	assert_int_equal(legacy_subtract(&arena, &now, &before, NULL), 0);
	assert_int_equal(now.sample_count, 1);
	assert_int_equal(now.samples[0].values[0], 2);
}

static void what_shrank_is_nothing_and_not_negative(void **state)
{
	struct profile now = {0}, before = {0};

	(void)state;
	add(&before, 1, 0, 10);
	add(&before, 2, 0, INT64_MAX);
	add(&before, 2, 0, INT64_MAX);
	add(&now, 1, 0, 9);
	add(&now, 2, 0, INT64_MAX);
	assert_int_equal(legacy_subtract(&arena, &now, &before, NULL), 0);
	assert_int_equal(now.sample_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(stacks_and_attributes_are_compared),
		TEST(equal_stacks_are_compared_as_a_sum),
		TEST(what_shrank_is_nothing_and_not_negative),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
