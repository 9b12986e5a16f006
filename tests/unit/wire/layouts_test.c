/* Whatever layout a batch travels in, the same arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "layout_encode.h"
#include "random_batch.h"
#include "wire/wire.h"

enum { SEEDS = 12, SHAPES = 4, SAMPLES = 60 };

static struct wire_limits limits;
static struct wire_report report;

static struct profile_batch *decode(struct arena *arena, struct str bytes)
{
	struct profile_batch *batch;
	struct err err;

	if (wire_otlp_decode(bytes, arena, &limits, &batch, &report, &err))
		fail_msg("%s", err.text);
	return batch;
}

static void assert_same(struct digest got, struct digest sent, enum wire_layout layout,
			uint64_t seed)
{
	if (got.content != sent.content || got.total != sent.total || got.events != sent.events ||
	    got.profiles != sent.profiles)
		fail_msg("layout %s, seed %llu: not the same content (%llu events of %llu)",
			 wire_layout_name(layout), (unsigned long long)seed,
			 (unsigned long long)got.events, (unsigned long long)sent.events);
}

static void round_trip(uint64_t seed, int shape, enum wire_layout layout)
{
	struct arena arena;

	arena_init(&arena, 0);
	struct profile_batch *batch = random_batch(&arena, seed, SAMPLES, shape);
	struct buf bytes = layout_encode(batch, layout);
	struct profile_batch *got = decode(&arena, buf_text(&bytes));
	assert_int_equal(report.rejected_profiles, 0);
	assert_same(digest_batch(got), digest_batch(batch), layout, seed);
	/* 1.8 and 1.9 differ only in fields that most profiles do not have. */
	if (layout != WIRE_LAYOUT_E1 || report.layout != WIRE_LAYOUT_E2)
		assert_int_equal(report.layout, layout);
	buf_deinit(&bytes);
	arena_deinit(&arena);
}

static void a_batch_arrives_the_same_in_every_layout(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (int shape = 0; shape < SHAPES; shape++)
			for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_F; layout++)
				round_trip(seed * SHAPES + (uint64_t)shape, shape,
					   (enum wire_layout)layout);
}

static void bytes_cut_short_or_changed_do_no_harm(void **state)
{
	struct random random = {7};

	(void)state;
	for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_D; layout++) {
		struct arena arena;
		arena_init(&arena, 0);
		struct profile_batch *batch = random_batch(&arena, 3, 3, 3);
		struct buf bytes = layout_encode(batch, (enum wire_layout)layout);
		for (int i = 0; i < 3000; i++) {
			size_t at = random_below(&random, (uint32_t)bytes.len);
			char kept = bytes.ptr[at];
			struct profile_batch *got;
			struct arena one;
			struct err err;
			arena_init(&one, 0);
			bytes.ptr[at] = (char)random_next(&random);
			int rc = wire_otlp_decode(str_sub(buf_text(&bytes), 0,
							  i % 2 ? bytes.len : at),
						  &one, &limits, &got, &report, &err);
			assert_true(rc == 0 || rc == ERR_INVALID || rc == ERR_LIMIT);
			if (rc)
				assert_true(err.text[0] != '\0');
			bytes.ptr[at] = kept;
			arena_deinit(&one);
		}
		buf_deinit(&bytes);
		arena_deinit(&arena);
	}
}

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	(void)state;
	for (int layout = WIRE_LAYOUT_A; layout <= WIRE_LAYOUT_D; layout++) {
		struct arena arena;
		arena_init(&arena, 0);
		struct profile_batch *batch = random_batch(&arena, 3, 4, 3);
		struct buf bytes = layout_encode(batch, (enum wire_layout)layout);
		int rc = ERR_NOMEM;
		for (int nth = 1; rc == ERR_NOMEM; nth++) {
			struct profile_batch *got;
			struct arena one;
			arena_init(&one, 0);
			mem_fail_nth((uint64_t)nth);
			rc = wire_otlp_decode(buf_text(&bytes), &one, &limits, &got, &report, NULL);
			mem_fail_nth(0);
			arena_deinit(&one);
		}
		assert_int_equal(rc, 0);
		buf_deinit(&bytes);
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_arrives_the_same_in_every_layout),
		cmocka_unit_test(bytes_cut_short_or_changed_do_no_harm),
		cmocka_unit_test(running_out_of_memory_is_an_error_at_every_point),
	};
	wire_limits_default(&limits);
	return cmocka_run_group_tests_name("wire/layouts", tests, NULL, NULL);
}
