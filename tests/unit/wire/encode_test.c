#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "random_batch.h"
#include "wire/wire.h"

static struct wire_limits limits;
static struct wire_report report;

static int setup_limits(void **state)
{
	(void)state;
	wire_limits_default(&limits);
	return 0;
}

static struct profile_batch *decode(struct arena *arena, struct str bytes)
{
	struct profile_batch *batch = NULL;
	struct err err = {0};

	if (wire_otlp_decode(bytes, arena, &limits, &batch, &report, &err))
		fail_msg("%s", err.text);
	if (report.rejected_profiles)
		fail_msg("%s", report.reason);
	return batch;
}

static void assert_same(const struct digest *a, const struct digest *b)
{
	assert_int_equal(a->events, b->events);
	assert_int_equal(a->total, b->total);
	assert_int_equal(a->content, b->content);
}

static void what_is_encoded_is_decoded_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct arena arena;
		struct buf buf;
		arena_init(&arena, 0);
		buf_init(&buf, 0);
		struct profile_batch *batch =
			random_batch(&arena, seed, 1 + (uint32_t)seed * 3, (int)(seed % 4));
		struct digest sent = digest_batch(batch);
		assert_int_equal(wire_otlp_encode(batch, &buf, NULL), 0);
		struct digest got = digest_batch(decode(&arena, buf_text(&buf)));
		assert_same(&sent, &got);
		assert_int_equal(sent.profiles, got.profiles);
		assert_int_equal(report.samples, 1 + seed * 3);
		buf_deinit(&buf);
		arena_deinit(&arena);
	}
}

struct sum {
	struct digest digest;
	size_t limit_bytes;
	uint64_t requests, samples, events;
	int fail_at;
};

static int take_request(void *user, const struct wire_request *request, struct err *err)
{
	struct sum *sum = user;
	struct arena arena;

	if (sum->fail_at && (int)sum->requests + 1 == sum->fail_at)
		return err_set(err, ERR_BUSY, "queue full");
	assert_true(request->bytes.len <= sum->limit_bytes);
	arena_init(&arena, 0);
	struct digest got = digest_batch(decode(&arena, request->bytes));
	assert_int_equal(got.events, request->events);
	sum->digest.content += got.content;
	sum->digest.events += got.events;
	sum->digest.total += got.total;
	sum->requests++;
	sum->events += request->events;
	sum->samples += request->samples;
	arena_deinit(&arena);
	return 0;
}

static void a_batch_is_cut_into_requests_below_the_limit(void **state)
{
	static const size_t byte_limits[] = {4096, 10000, 100000, 4 << 20};

	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++)
		for (size_t i = 0; i < 4; i++) {
			struct arena arena;
			struct sum sum = {.limit_bytes = byte_limits[i]};
			uint64_t dropped = 9;
			arena_init(&arena, 0);
			struct profile_batch *batch = random_batch(&arena, seed, 300, 3);
			struct digest whole = digest_batch(batch);
			assert_int_equal(wire_otlp_split(batch, byte_limits[i], take_request, &sum,
							 &dropped, NULL),
					 0);
			assert_int_equal(sum.events + dropped, whole.events);
			if (dropped == 0)
				assert_same(&sum.digest, &whole);
			assert_true(i == 3 ? sum.requests == 1 : sum.requests > 1);
			arena_deinit(&arena);
		}
}

static struct profile_batch *one_sample_batch(struct arena *arena, uint32_t events)
{
	struct profile_batch *batch = random_batch(arena, 5, 1, 1);
	struct profile *profile = &batch->resources[0].scopes[0].profiles[0];
	struct profile_sample *sample = &profile->samples[0];

	sample->value_count = 0;
	for (uint32_t i = 0; i < events; i++)
		assert_int_equal(profile_sample_time(batch, sample, 1000 + i, NULL), 0);
	return batch;
}

static void a_sample_of_many_events_is_cut_between_events(void **state)
{
	struct arena arena;
	struct sum sum = {.limit_bytes = 64 * 1024};
	uint64_t dropped = 9;

	(void)state;
	arena_init(&arena, 0);
	struct profile_batch *batch = one_sample_batch(&arena, 50000);
	struct digest whole = digest_batch(batch);
	assert_int_equal(wire_otlp_split(batch, sum.limit_bytes, take_request, &sum, &dropped,
					 NULL),
			 0);
	assert_int_equal(dropped, 0);
	assert_same(&sum.digest, &whole);
	assert_true(sum.requests >= 7);
	arena_deinit(&arena);
}

static void an_event_that_never_fits_is_counted(void **state)
{
	struct arena arena;
	struct sum sum = {.limit_bytes = 100};
	uint64_t dropped = 0;

	(void)state;
	arena_init(&arena, 0);
	struct profile_batch *batch = one_sample_batch(&arena, 5);
	assert_int_equal(wire_otlp_split(batch, sum.limit_bytes, take_request, &sum, &dropped,
					 NULL),
			 0);
	assert_int_equal(dropped, 5);
	assert_int_equal(sum.events, 0);
	arena_deinit(&arena);
}

static void the_dictionary_holds_only_what_is_referred_to(void **state)
{
	struct arena arena;
	struct buf buf;
	uint32_t at;

	(void)state;
	arena_init(&arena, 0);
	buf_init(&buf, 0);
	struct profile_batch *batch = one_sample_batch(&arena, 1);
	assert_int_equal(profile_string(batch, STR("nobody refers to me"), &at, NULL), 0);
	assert_int_equal(wire_otlp_encode(batch, &buf, NULL), 0);
	assert_true(str_find(buf_text(&buf), STR("nobody refers")) < 0);
	assert_true(str_find(buf_text(&buf), STR("func_")) >= 0);
	buf_deinit(&buf);
	arena_deinit(&arena);
}

static void the_callers_refusal_ends_the_encoding(void **state)
{
	struct arena arena;
	struct sum sum = {.limit_bytes = 4096, .fail_at = 2};
	uint64_t dropped;
	struct err err;

	(void)state;
	arena_init(&arena, 0);
	struct profile_batch *batch = random_batch(&arena, 3, 300, 0);
	assert_int_equal(wire_otlp_split(batch, 4096, take_request, &sum, &dropped, &err),
			 ERR_BUSY);
	assert_string_equal(err.text, "queue full");
	assert_int_equal(sum.requests, 1);
	arena_deinit(&arena);
}

static void an_empty_batch_is_an_empty_request(void **state)
{
	struct arena arena;
	struct buf buf;
	struct profile_batch *batch;
	struct sum sum = {0};
	uint64_t dropped;

	(void)state;
	arena_init(&arena, 0);
	buf_init(&buf, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, NULL), 0);
	assert_int_equal(wire_otlp_encode(batch, &buf, NULL), 0);
	assert_int_equal(decode(&arena, buf_text(&buf))->resource_count, 0);
	assert_int_equal(wire_otlp_split(batch, 4096, take_request, &sum, &dropped, NULL), 0);
	assert_int_equal(sum.requests, 0);
	buf_deinit(&buf);
	arena_deinit(&arena);
}

static void empty_resources_scopes_and_profiles_survive(void **state)
{
	struct arena arena;
	struct buf buf;
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;

	(void)state;
	arena_init(&arena, 0);
	buf_init(&buf, 0);
	assert_int_equal(profile_batch_create(&arena, &batch, NULL), 0);
	assert_int_equal(profile_resource_add(batch, &resource, NULL), 0);
	assert_int_equal(profile_resource_add(batch, &resource, NULL), 0);
	assert_int_equal(profile_scope_add(batch, resource, &scope, NULL), 0);
	assert_int_equal(profile_scope_add(batch, resource, &scope, NULL), 0);
	assert_int_equal(profile_add(batch, scope, &profile, NULL), 0);
	profile->time_ns = 77;
	assert_int_equal(wire_otlp_encode(batch, &buf, NULL), 0);
	const struct profile_batch *got = decode(&arena, buf_text(&buf));
	assert_int_equal(got->resource_count, 2);
	assert_int_equal(got->resources[0].scope_count, 0);
	assert_int_equal(got->resources[1].scope_count, 2);
	assert_int_equal(got->resources[1].scopes[1].profiles[0].time_ns, 77);
	buf_deinit(&buf);
	arena_deinit(&arena);
}

static int ignore_request(void *user, const struct wire_request *request, struct err *err)
{
	(void)user;
	(void)request;
	(void)err;
	return 0;
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct arena arena;
	uint64_t dropped;
	struct err err;
	int rc = -1;

	(void)state;
	arena_init(&arena, 0);
	struct profile_batch *batch = random_batch(&arena, 9, 100, 3);
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		mem_fail_nth(nth);
		rc = wire_otlp_split(batch, 20000, ignore_request, NULL, &dropped, &err);
		mem_fail_nth(0);
		if (rc)
			assert_int_equal(rc, ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_is_decoded_the_same),
		cmocka_unit_test(a_batch_is_cut_into_requests_below_the_limit),
		cmocka_unit_test(a_sample_of_many_events_is_cut_between_events),
		cmocka_unit_test(an_event_that_never_fits_is_counted),
		cmocka_unit_test(the_dictionary_holds_only_what_is_referred_to),
		cmocka_unit_test(the_callers_refusal_ends_the_encoding),
		cmocka_unit_test(an_empty_batch_is_an_empty_request),
		cmocka_unit_test(empty_resources_scopes_and_profiles_survive),
		cmocka_unit_test(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests_name("wire/encode", tests, setup_limits, NULL);
}
