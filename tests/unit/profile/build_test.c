#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "profile/profile.h"

enum { SAMPLES = 300, EVENTS = 20 };

static int fill_sample(struct profile_batch *batch, struct profile_sample *sample, uint32_t seed,
		       struct err *err)
{
	int rc = 0;

	sample->stack = seed;
	for (uint32_t i = 0; i < EVENTS && !rc; i++) {
		rc = profile_sample_time(batch, sample, seed + i, err);
		rc = rc ? rc : profile_sample_value(batch, sample, (int64_t)i, err);
		rc = rc ? rc : profile_sample_attr(batch, sample, i, err);
	}
	return rc;
}

static int fill_batch(struct arena *arena, struct profile_batch **ret, struct err *err)
{
	const struct value value = {.kind = VALUE_STRING, .text = STR("demo")};
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	struct profile_sample *sample;
	int rc = profile_batch_create(arena, ret, err);

	rc = rc ? rc : profile_resource_add(*ret, &resource, err);
	rc = rc ? rc : profile_resource_attr(*ret, resource, STR("service.name"), &value, err);
	rc = rc ? rc : profile_scope_add(*ret, resource, &scope, err);
	rc = rc ? rc : profile_scope_attr(*ret, scope, STR("scope.key"), &value, err);
	rc = rc ? rc : profile_add(*ret, scope, &profile, err);
	for (uint32_t i = 0; i < SAMPLES && !rc; i++) {
		rc = profile_sample_add(*ret, profile, &sample, err);
		rc = rc ? rc : fill_sample(*ret, sample, i, err);
	}
	return rc;
}

static void everything_appended_is_there_in_order(void **state)
{
	struct arena arena;
	struct profile_batch *batch;
	struct err err;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(fill_batch(&arena, &batch, &err), 0);
	assert_int_equal(batch->resource_count, 1);
	const struct profile_scope *scope = &batch->resources[0].scopes[0];
	assert_true(str_equal(scope->attrs[0].key, STR("scope.key")));
	const struct profile *profile = &scope->profiles[0];
	assert_int_equal(profile->sample_count, SAMPLES);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		assert_int_equal(sample->stack, i);
		assert_int_equal(sample->time_count, EVENTS);
		assert_int_equal(sample->value_count, EVENTS);
		assert_int_equal(sample->attr_count, EVENTS);
		for (uint32_t k = 0; k < EVENTS; k++) {
			assert_int_equal(sample->times_ns[k], i + k);
			assert_int_equal(sample->values[k], k);
			assert_int_equal(sample->attrs[k], k);
		}
	}
	arena_deinit(&arena);
}

static void a_new_row_is_all_zero(void **state)
{
	struct arena arena;
	struct profile_batch *batch;
	struct profile_resource *first, *second;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, NULL), 0);
	assert_int_equal(profile_resource_add(batch, &first, NULL), 0);
	first->schema_url = STR("x");
	assert_int_equal(profile_resource_add(batch, &second, NULL), 0);
	assert_int_equal(second->schema_url.len, 0);
	assert_int_equal(second->scope_count, 0);
	arena_deinit(&arena);
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct arena arena;
	struct profile_batch *batch;
	struct err err = {0};
	int rc = -1;

	(void)state;
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		arena_init(&arena, 0);
		mem_fail_nth(nth);
		rc = fill_batch(&arena, &batch, &err);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
		arena_deinit(&arena);
	}
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_appended_is_there_in_order),
		cmocka_unit_test(a_new_row_is_all_zero),
		cmocka_unit_test(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("profile/build", tests, NULL, NULL);
}
