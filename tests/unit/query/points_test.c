/* Against the real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "query/query.h"

struct fixture {
	char path[64];
	struct store *store;
	struct arena arena;
	struct err err;
};

#define TYPE "memory:inuse_space:bytes:space:bytes"

/* One value of one pod, at seconds after T0. */
static void put(struct fixture *f, const char *pod, double after_s, int64_t value)
{
	const struct store_label labels[] = {
		{STR("__name__"), STR("memory")},
		{STR("__profile_type__"), STR(TYPE)},
		{STR("pod"), str_of(pod)},
	};
	const struct str strings[] = {STR("")};
	const struct store_frame frames[] = {{.name = STR("f")}};
	const struct store_node nodes[] = {{0, 0}, {0, 0}};
	const struct store_sample sample = {.time_ns = (uint64_t)1700000000 * NS_PER_S +
						       (uint64_t)(after_s * 1e9),
					    .value = value,
					    .node = 1,
					    .cpu = -1};
	const struct store_series series = {labels, 3, &sample, 1};
	const struct store_batch batch = {.tenant = STR("anonymous"),
					  .strings = strings,
					  .string_count = 1,
					  .frames = frames,
					  .frame_count = 1,
					  .nodes = nodes,
					  .node_count = 2,
					  .series = &series,
					  .series_count = 1};
	if (store_write(f->store, &batch, &f->err))
		fail_msg("%s", f->err.text);
}

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.path, sizeof(f.path), "/tmp/cresset-points-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	const struct store_options options = {.path = f.path};
	if (store_open(&options, &f.store, &f.err))
		fail_msg("%s", f.err.text);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	store_close(f->store);
	arena_deinit(&f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

struct answer {
	struct store_points *series;
	size_t count;
};

/* From 10 s to 40 s after T0. */
static struct answer ask(struct fixture *f, struct query_points points)
{
	struct query_type type;
	struct answer answer;
	struct query_range range = {.tenant = STR("anonymous"),
				    .type = &type,
				    .start_ms = 1700000010000,
				    .end_ms = 1700000040000};
	assert_int_equal(query_parse_type(STR(TYPE), &type, NULL), 0);
	if (query_series(f->store, &range, &points, &f->arena, &answer.series, &answer.count,
			 &f->err))
		fail_msg("%s", f->err.text);
	return answer;
}

static void assert_point(const struct store_points *series, size_t i, int after_s, double value)
{
	assert_true(i < series->point_count);
	assert_int_equal(series->points[i].time_ns,
			 ((uint64_t)1700000000 + (uint64_t)after_s) * NS_PER_S);
	assert_true(series->points[i].value == value);
}

static void a_point_covers_the_step_before_it(void **state)
{
	struct fixture *f = *state;
	put(f, "a", 0, 1);	/* just outside the first step */
	put(f, "a", 0.5, 2);	/* (0, 10] */
	put(f, "a", 10, 4);	/* (0, 10] */
	put(f, "a", 10.001, 8); /* (10, 20] */
	put(f, "a", 35, 16);	/* (30, 40] */
	put(f, "a", 40, 32);	/* (30, 40] */
	put(f, "a", 40.5, 64);	/* outside */
	struct answer got = ask(f, (struct query_points){.step_s = 10});
	assert_int_equal(got.count, 1);
	assert_int_equal(got.series[0].label_count, 0);
	assert_int_equal(got.series[0].point_count, 3);
	assert_point(&got.series[0], 0, 10, 6);
	assert_point(&got.series[0], 1, 20, 8);
	assert_point(&got.series[0], 2, 40, 48);
}

/* The first step may reach into the day before, where a series ended. */
static void the_first_step_sees_yesterday(void **state)
{
	enum { MIDNIGHT = 1700006400 };
	struct fixture *f = *state;
	struct query_type type;
	struct query_range range = {.tenant = STR("anonymous"),
				    .type = &type,
				    .start_ms = (MIDNIGHT + 2) * 1000LL,
				    .end_ms = (MIDNIGHT + 22) * 1000LL};
	const struct query_points points = {.step_s = 10};
	struct store_points *series;
	size_t count;

	put(f, "a", MIDNIGHT - 1700000000 - 1, 7);
	assert_int_equal(query_parse_type(STR(TYPE), &type, NULL), 0);
	assert_int_equal(query_series(f->store, &range, &points, &f->arena, &series, &count,
				      &f->err),
			 0);
	assert_int_equal(count, 1);
	assert_true(series[0].points[0].value == 7);
}

static void groups_and_limit_by_sum(void **state)
{
	static const struct str by[] = {STR("pod")};
	struct fixture *f = *state;
	put(f, "c", 15, 5);
	put(f, "a", 15, 3);
	put(f, "b", 15, 4);
	struct query_points points = {.step_s = 10, .group_by = by, .group_count = 1};
	struct answer got = ask(f, points);
	assert_int_equal(got.count, 3);
	assert_true(str_equal(got.series[0].labels[0].value, STR("a")));
	points.limit = 2;
	got = ask(f, points);
	assert_int_equal(got.count, 2);
	assert_true(str_equal(got.series[0].labels[0].value, STR("b")));
	assert_true(str_equal(got.series[1].labels[0].value, STR("c")));
	assert_point(&got.series[1], 0, 20, 5);
}

static void an_average_is_the_mean_of_what_was_read(void **state)
{
	struct fixture *f = *state;
	put(f, "a", 0, 1000); /* outside */
	put(f, "a", 2, 10);
	put(f, "a", 7, 20);
	put(f, "a", 10, 60);
	put(f, "a", 12, 7);
	put(f, "a", 41, 1000); /* outside */
	struct query_points points = {.step_s = 10, .aggregation = STORE_AVERAGE};
	struct answer got = ask(f, points);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.series[0].point_count, 2);
	assert_point(&got.series[0], 0, 10, 30);
	assert_point(&got.series[0], 1, 20, 7);
}

static void a_step_must_make_sense(void **state)
{
	static const double steps[] = {0, -1, 0.0001, 1e300, 0.0 / 0.0};
	struct fixture *f = *state;
	struct query_range range = {.tenant = STR("anonymous"), .start_ms = 1, .end_ms = 2};
	struct store_points *series;
	size_t count;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct query_points points = {.step_s = steps[i]};
		assert_int_equal(query_series(f->store, &range, &points, &f->arena, &series, &count,
					      &f->err),
				 ERR_INVALID);
	}
	range.end_ms = 10000000;
	struct query_points fine = {.step_s = 0.001};
	assert_int_equal(query_series(f->store, &range, &fine, &f->arena, &series, &count, &f->err),
			 ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_point_covers_the_step_before_it),
		TEST(the_first_step_sees_yesterday),
		TEST(groups_and_limit_by_sum),
		TEST(an_average_is_the_mean_of_what_was_read),
		TEST(a_step_must_make_sense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
