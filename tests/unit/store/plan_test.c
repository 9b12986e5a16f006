/* What a question reads: sums where they are complete and no border cuts them,
 * samples elsewhere; and the answer is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "store/embedded/gauges.h"
#include "store/embedded/plan.h"
#include "store/embedded/times.h"
#include "sums_help.h"

#define FIRST_DAY 20000ull
#define MINUTE	  (NS_PER_HOUR / 60)

enum { BATCHES = 40, QUESTIONS = 1500 };

/* ---- borders ---- */

static void a_border_inside_a_bucket_rules_its_level_out(void **state)
{
	(void)state;
	const uint64_t at = FIRST_DAY * NS_PER_DAY, hour = NS_PER_HOUR;
	const struct {
		struct borders borders;
		bool minute, hour, day; /* may they stand for the day's first hour, and the day? */
	} rows[] = {
		{{0, UINT64_MAX, 0, 0}, true, true, true},
		{{at, at + NS_PER_DAY, 0, 0}, true, true, true},
		{{at + 1, at + NS_PER_DAY + 1, 0, 0}, true, true, true},
		{{at + 2, at + NS_PER_DAY, 0, 0}, false, false, false},
		{{at + MINUTE, UINT64_MAX, 0, 0}, true, false, false},
		{{at + MINUTE + 1, UINT64_MAX, 0, 0}, true, false, false},
		{{at + MINUTE - 1, UINT64_MAX, 0, 0}, false, false, false},
		{{at + hour, UINT64_MAX, 0, 0}, true, true, false},
		{{0, at + hour + 7, 0, 0}, true, true, false},
		{{0, UINT64_MAX, 1, hour}, true, true, false},
		{{0, UINT64_MAX, 1, NS_PER_DAY}, true, true, true},
		{{0, UINT64_MAX, 1 + 15 * MINUTE, hour}, true, false, false},
		{{0, UINT64_MAX, 1, MINUTE}, true, false, false},
		{{0, UINT64_MAX, 1, 15 * NS_PER_HOUR / 3600}, false, false, false},
		{{0, UINT64_MAX, at + hour + 5, NS_PER_DAY}, true, true, false},
		{{0, UINT64_MAX, 5, UINT64_MAX}, true, true, true},
		{{0, at, at + 5, 7}, true, true, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct borders *b = &rows[i].borders;
		if (borders_respect(b, at, at + hour, LEVEL_MINUTE) != rows[i].minute ||
		    borders_respect(b, at, at + hour, LEVEL_HOUR) != rows[i].hour ||
		    borders_respect(b, at, at + NS_PER_DAY, LEVEL_DAY) != rows[i].day)
			fail_msg("row %zu", i);
	}
}

/* ---- segments ---- */

struct fixture {
	char path[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	remove_directory(f->path);
	free(f);
	return 0;
}

static void write_tiny(struct store *store, unsigned number, uint64_t time_ns)
{
	struct tiny_batch tiny;
	struct err err;
	tiny_batch(&tiny, number, time_ns);
	must(store_write(store, &tiny.batch, &err), &err);
}

/* The plan as text: level and hours of each segment. */
static void plan_text(struct store *store, uint64_t start_ns, uint64_t end_ns, bool raw, char *ret)
{
	struct store_selection selection = {.tenant = STR("t"),
					    .start_ns = start_ns,
					    .end_ns = end_ns};
	struct borders borders = {start_ns, end_ns, 0, 0};
	struct query query;
	struct plan plan;
	roaring_bitmap_t *series;
	struct err err;
	*ret = 0;
	must(query_open(store, &selection, &query, &err), &err);
	must(select_series(&query, &series, &err), &err);
	must(plan_make(&query, series, &borders, raw, &plan, &err), &err);
	for (size_t i = 0; i < plan.count; i++)
		ret += sprintf(ret, "%c%u-%u ", "rmhd"[plan.list[i].level], plan.list[i].from,
			       plan.list[i].to);
	roaring_bitmap_free(series);
	query_close(&query);
}

static void check_plan(struct store *store, uint64_t start_ns, uint64_t end_ns, const char *wanted)
{
	char text[512];
	plan_text(store, start_ns, end_ns, false, text);
	assert_string_equal(text, wanted);
}

static void the_coarsest_level_that_fits_is_read(void **state)
{
	struct fixture *f = *state;
	const uint64_t at = FIRST_DAY * NS_PER_DAY, hour = NS_PER_HOUR;
	char text[512];
	struct store *store = open_store(f->path);
	write_tiny(store, 1, at + 5 * hour);
	check_plan(store, at, at + NS_PER_DAY, "r0-24 ");
	store_close(store);
	sum_all_by_hand(f->path, false);
	store = open_store(f->path);
	check_plan(store, 0, UINT64_MAX, "d0-24 ");
	check_plan(store, at, at + NS_PER_DAY, "d0-24 ");
	check_plan(store, at + hour, at + NS_PER_DAY, "h1-24 ");
	check_plan(store, at + hour + MINUTE, at + 9 * hour + 1, "m1-2 h2-10 ");
	check_plan(store, at + hour + 7, at + 9 * hour + 7 * MINUTE, "r1-2 h2-9 m9-10 ");
	check_plan(store, at + hour + 7, at + hour + 8, "r1-2 ");
	check_plan(store, at - NS_PER_DAY, at, "");
	plan_text(store, 0, UINT64_MAX, true, text);
	assert_string_equal(text, "r0-24 ");
	/* Late data: its hour, and so its day, is read from the samples again. */
	write_tiny(store, 1, at + 7 * hour);
	check_plan(store, 0, UINT64_MAX, "h0-7 r7-8 h8-24 ");
	store_close(store);
}

static void without_the_samples_the_sums_answer(void **state)
{
	struct fixture *f = *state;
	const uint64_t at = FIRST_DAY * NS_PER_DAY;
	struct store *store = open_store(f->path);
	for (unsigned i = 0; i < 60; i++)
		write_tiny(store, i % 7, at + i * 17 * MINUTE);
	store_close(store);
	sum_all_by_hand(f->path, true);
	store = open_store(f->path);
	assert_int_equal(total_of(store), 60 * 4);
	store_close(store);
}

/* ---- the same answers as without sums ---- */

struct pair {
	char paths[2][64];
	struct store *stores[2]; /* without sums, with */
	struct random random;
	struct arena arenas[2];
};

static void write_both(struct pair *p, struct model_batch *batch)
{
	struct err err;
	model_random_batch(&p->random, batch);
	for (unsigned i = 0; i < 2; i++)
		must(store_write(p->stores[i], &batch->batch, &err), &err);
}

static void sum_second(struct pair *p)
{
	store_close(p->stores[1]);
	sum_by_hand(p->paths[1], &p->random);
	p->stores[1] = open_store(p->paths[1]);
}

/* Times close to where levels could go wrong. */
static uint64_t random_border(struct random *random)
{
	static const uint64_t units[] = {MINUTE, NS_PER_HOUR / 2, NS_PER_HOUR, NS_PER_DAY, 1};
	uint64_t unit = units[random_below(random, 5)];
	uint64_t at = FIRST_DAY * NS_PER_DAY + random_u64(random) % (3 * NS_PER_DAY);
	return at - at % unit + random_below(random, 3) - 1;
}

static void random_range(struct random *random, struct store_selection *ret)
{
	uint64_t a = random_border(random), b = random_border(random);
	*ret = (struct store_selection){.tenant = model_tenants[random_below(random, 5) == 0],
					.start_ns = a < b ? a : b,
					.end_ns = a < b ? b : a};
}

static void compare_trees(struct pair *p)
{
	struct store_selection selection;
	struct store_tree trees[2];
	struct err err;
	random_range(&p->random, &selection);
	for (unsigned i = 0; i < 2; i++)
		must(store_merge(p->stores[i], &selection, &p->arenas[i], &trees[i], &err), &err);
	assert_int_equal(trees[0].node_count, trees[1].node_count);
	assert_int_equal(trees[0].frame_count, trees[1].frame_count);
	size_t count = trees[0].node_count;
	assert_memory_equal(trees[0].parent, trees[1].parent, count * sizeof(uint32_t));
	assert_memory_equal(trees[0].frame, trees[1].frame, count * sizeof(uint32_t));
	assert_memory_equal(trees[0].self, trees[1].self, count * sizeof(int64_t));
}

static uint64_t random_step(struct random *random)
{
	static const uint64_t units[] = {MINUTE, NS_PER_HOUR, NS_PER_DAY, 7 * MINUTE + 1};
	return units[random_below(random, 4)] * (1 + random_below(random, 5));
}

static void compare_points(struct pair *p)
{
	static const struct str names[] = {{"service_name", 12}, {"thread.name", 11}, {"zone", 4}};
	struct store_selection selection;
	struct store_points *points[2];
	size_t counts[2];
	struct err err;
	random_range(&p->random, &selection);
	const struct store_points_options options = {
		.step_ns = random_step(&p->random),
		.aggregation = random_below(&p->random, 4) ? STORE_SUM : STORE_AVERAGE,
		.group_by = &names[random_below(&p->random, 3)],
		.group_count = random_below(&p->random, 2),
		.limit = random_below(&p->random, 4),
	};
	for (unsigned i = 0; i < 2; i++)
		must(store_points(p->stores[i], &selection, &options, &p->arenas[i], &points[i],
				  &counts[i], &err),
		     &err);
	assert_int_equal(counts[0], counts[1]);
	for (size_t i = 0; i < counts[0]; i++) {
		assert_int_equal(points[0][i].point_count, points[1][i].point_count);
		assert_memory_equal(points[0][i].points, points[1][i].points,
				    points[0][i].point_count * sizeof(struct store_point));
	}
}

static void compare_all(struct pair *p)
{
	for (unsigned i = 0; i < QUESTIONS / 3; i++) {
		if (random_below(&p->random, 2))
			compare_trees(p);
		else
			compare_points(p);
		arena_reset(&p->arenas[0]);
		arena_reset(&p->arenas[1]);
	}
}

static void sums_change_no_answer(void **state)
{
	struct pair p = {.random = {env_number("CRESSET_MODEL_SEED", 1)}};
	struct model_batch *batch = calloc(1, sizeof(*batch));
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		temp_directory(p.paths[i]);
		p.stores[i] = open_store(p.paths[i]);
	}
	for (unsigned i = 0; i < BATCHES; i++)
		write_both(&p, batch);
	sum_second(&p);
	compare_all(&p);
	for (unsigned i = 0; i < 5; i++) /* late data makes hours pending again */
		write_both(&p, batch);
	compare_all(&p);
	for (unsigned i = 0; i < 2; i++) /* other threads come in at once */
		p.stores[i]->helper_after_ns = 0;
	p.stores[0]->helpers_max = 0;
	p.stores[1]->helpers_max = 3;
	compare_all(&p);
	assert_true(metric_get(&store_query_helpers_total) > QUESTIONS / 3);
	for (unsigned i = 0; i < 2; i++) {
		store_close(p.stores[i]);
		remove_directory(p.paths[i]);
		arena_deinit(&p.arenas[i]);
	}
	free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_border_inside_a_bucket_rules_its_level_out),
		cmocka_unit_test_setup_teardown(the_coarsest_level_that_fits_is_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_the_samples_the_sums_answer, setup,
						teardown),
		cmocka_unit_test(sums_change_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
