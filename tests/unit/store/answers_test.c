/* Answers that are kept: they come again while they hold, and not longer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "help.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

#define DAY_NS (20000ull * NS_PER_DAY)

struct fixture {
	char path[64];
	struct store *store;
	struct arena arena;
	int64_t hits, misses;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	f->store = open_store(f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	remove_directory(f->path);
	arena_deinit(&f->arena);
	free(f);
	return 0;
}

static void write_tiny(struct fixture *f, unsigned number, uint64_t time_ns)
{
	struct tiny_batch tiny;
	struct err err;
	tiny_batch(&tiny, number, time_ns);
	must(store_write(f->store, &tiny.batch, &err), &err);
}

static struct store_selection range(uint64_t start_ns, uint64_t end_ns)
{
	return (struct store_selection){.tenant = STR("t"), .start_ns = start_ns, .end_ns = end_ns};
}

static struct store_tree merge(struct fixture *f, uint64_t start_ns, uint64_t end_ns)
{
	struct store_selection selection = range(start_ns, end_ns);
	struct store_tree tree;
	struct err err;
	f->hits = metric_get(&store_answer_hits_total);
	f->misses = metric_get(&store_answer_misses_total);
	must(store_merge(f->store, &selection, &f->arena, &tree, &err), &err);
	f->hits = metric_get(&store_answer_hits_total) - f->hits;
	f->misses = metric_get(&store_answer_misses_total) - f->misses;
	return tree;
}

static int64_t total(struct fixture *f, uint64_t start_ns, uint64_t end_ns)
{
	struct store_tree tree = merge(f, start_ns, end_ns);
	int64_t sum = 0;
	for (uint32_t i = 0; i < tree.node_count; i++)
		sum += tree.self[i];
	return sum;
}

static void the_second_time_it_is_the_same_and_was_kept(void **state)
{
	struct fixture *f = *state;
	write_tiny(f, 1, DAY_NS);
	struct store_tree first = merge(f, DAY_NS, DAY_NS + NS_PER_DAY);
	assert_int_equal(f->misses, 1);
	struct store_tree second = merge(f, DAY_NS, DAY_NS + NS_PER_DAY);
	assert_int_equal(f->hits, 1);
	assert_int_equal(first.node_count, second.node_count);
	assert_int_equal(first.frame_count, second.frame_count);
	assert_memory_equal(first.self, second.self, first.node_count * sizeof(int64_t));
	assert_memory_equal(first.parent, second.parent, first.node_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < first.frame_count; i++) {
		assert_true(str_equal(first.frames[i].name, second.frames[i].name));
		assert_true(str_equal(first.frames[i].kind, second.frames[i].kind));
		assert_ptr_not_equal(first.frames[i].name.ptr, second.frames[i].name.ptr);
	}
}

static void late_data_in_its_hours_is_seen(void **state)
{
	struct fixture *f = *state;
	const uint64_t hour = NS_PER_HOUR;
	write_tiny(f, 1, DAY_NS);
	assert_int_equal(total(f, DAY_NS, DAY_NS + 4 * hour), 4);
	write_tiny(f, 2, DAY_NS + 6 * hour); /* elsewhere */
	assert_int_equal(total(f, DAY_NS, DAY_NS + 4 * hour), 4);
	assert_int_equal(f->hits, 1);
	write_tiny(f, 3, DAY_NS + 3 * hour);
	assert_int_equal(total(f, DAY_NS, DAY_NS + 4 * hour), 8);
	assert_int_equal(f->misses, 1);
	assert_int_equal(total(f, DAY_NS, DAY_NS + 4 * hour), 8);
	assert_int_equal(f->hits, 1);
}

static void a_long_range_is_forgotten_with_any_commit(void **state)
{
	struct fixture *f = *state;
	write_tiny(f, 1, DAY_NS);
	assert_int_equal(total(f, 0, DAY_NS + NS_PER_DAY), 4);
	assert_int_equal(total(f, 0, DAY_NS + NS_PER_DAY), 4);
	assert_int_equal(f->hits, 1);
	write_tiny(f, 2, DAY_NS + NS_PER_HOUR);
	assert_int_equal(total(f, 0, DAY_NS + NS_PER_DAY), 8);
}

static void an_open_range_is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t now_ns = clock_real_ns();
	for (unsigned i = 0; i < 2; i++) {
		merge(f, now_ns - NS_PER_HOUR, now_ns);
		assert_int_equal(f->hits + f->misses, 0);
		merge(f, now_ns - NS_PER_HOUR, UINT64_MAX);
		assert_int_equal(f->hits + f->misses, 0);
	}
}

static void what_the_retention_drops_is_not_answered(void **state)
{
	struct fixture *f = *state;
	struct err err;
	write_tiny(f, 1, DAY_NS);
	assert_int_equal(total(f, DAY_NS, DAY_NS + NS_PER_DAY), 4);
	must(store_set_retention(f->store, &(struct store_retention){.age_ns = NS_PER_DAY}, &err),
	     &err);
	must(store_maintain(f->store, DAY_NS + 3 * NS_PER_DAY, &err), &err);
	assert_int_equal(total(f, DAY_NS, DAY_NS + NS_PER_DAY), 0);
}

static void what_was_asked_otherwise_is_another_question(void **state)
{
	struct fixture *f = *state;
	struct store_matcher matchers[2] = {{MATCH_EQUAL, STR("batch"), STR("1")},
					    {MATCH_NOT_EQUAL, STR("batch"), STR("1")}};
	struct err err;
	write_tiny(f, 1, DAY_NS);
	write_tiny(f, 2, DAY_NS);
	write_tiny(f, 3, DAY_NS);
	for (unsigned i = 0; i < 4; i++) {
		struct store_selection selection = range(DAY_NS, DAY_NS + NS_PER_HOUR);
		struct store_top top;
		selection.matchers = &matchers[i % 2];
		selection.matcher_count = 1;
		const struct store_top_options options = {.limit = i / 2 + 1};
		must(store_top(f->store, &selection, &options, &f->arena, &top, &err), &err);
		assert_int_equal(top.total, i % 2 ? 8 : 4);
		assert_int_equal(top.count, i / 2 + 1);
	}
}

static void points_tops_and_heatmaps_come_back_whole(void **state)
{
	struct fixture *f = *state;
	struct store_selection selection = range(DAY_NS, DAY_NS + NS_PER_HOUR);
	struct str by = STR("batch");
	struct err err;
	const struct store_points_options points = {.step_ns = NS_PER_HOUR,
						    .group_by = &by,
						    .group_count = 1};
	const struct store_heatmap_options cells = {.step_ns = NS_PER_HOUR,
						    .group_by = &by,
						    .group_count = 1};
	const struct store_top_options order = {.order = STORE_BY_TOTAL};
	write_tiny(f, 1, DAY_NS + 1);
	write_tiny(f, 2, DAY_NS + 1);
	for (unsigned i = 0; i < 2; i++) {
		struct store_points *list;
		struct store_heatmap heatmap;
		struct store_top top;
		size_t count;
		f->hits = metric_get(&store_answer_hits_total);
		must(store_points(f->store, &selection, &points, &f->arena, &list, &count, &err),
		     &err);
		must(store_heatmap(f->store, &selection, &cells, &f->arena, &heatmap, &err), &err);
		must(store_top(f->store, &selection, &order, &f->arena, &top, &err), &err);
		assert_int_equal(metric_get(&store_answer_hits_total) - f->hits, i * 3);
		assert_int_equal(count, 2);
		assert_true(str_equal(list[1].labels[0].value, STR("2")));
		assert_true(list[1].points[0].value == 4.0);
		assert_int_equal(heatmap.group_count, 2);
		assert_true(str_equal(heatmap.groups[0].labels[0].name, by));
		assert_int_equal(heatmap.groups[0].slots[0].counts[0], 4);
		assert_int_equal(top.count, 2);
		assert_true(str_equal(top.functions[0].name, STR("main")));
		assert_int_equal(top.functions[0].total, 8);
	}
}

static void only_so_much_is_kept(void **state)
{
	struct fixture *f = *state;
	size_t limit = f->store->plan.answer_cache_bytes;
	write_tiny(f, 1, DAY_NS);
	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(total(f, DAY_NS, DAY_NS + 1000000000 + i), 4);
		assert_true(budget_used(&f->store->answer_memory) <= limit);
		arena_reset(&f->arena);
	}
	assert_true(budget_used(&f->store->answer_memory) > limit / 4);
	assert_int_equal(total(f, DAY_NS, DAY_NS + 1000000000 + 3999), 4);
	assert_int_equal(f->hits, 1);
	answers_forget(f->store);
	assert_int_equal(budget_used(&f->store->answer_memory), 0);
}

/* ---- while others write ---- */

struct race {
	struct fixture *f;
	_Atomic int64_t acknowledged;
	_Atomic int failed, done;
};

static void *ask_again_and_again(void *arg)
{
	struct race *race = arg;
	struct store_selection selection = range(DAY_NS, DAY_NS + NS_PER_DAY);
	struct arena arena = {0};
	while (!race->done && !race->failed) {
		struct store_tree tree;
		struct err err;
		int64_t least = race->acknowledged, sum = 0;
		if (store_merge(race->f->store, &selection, &arena, &tree, &err))
			race->failed = 1;
		for (uint32_t i = 0; !race->failed && i < tree.node_count; i++)
			sum += tree.self[i];
		if (sum < least)
			race->failed = 1;
		arena_reset(&arena);
	}
	arena_deinit(&arena);
	return NULL;
}

static void what_was_acknowledged_is_in_every_later_answer(void **state)
{
	struct race race = {.f = *state};
	pthread_t threads[3];
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, &race), 0);
	for (unsigned i = 0; i < 150 && !race.failed; i++) {
		write_tiny(race.f, i % 5, DAY_NS + i * 1000000000ull);
		race.acknowledged += 4;
	}
	race.done = 1;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_false(race.failed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_second_time_it_is_the_same_and_was_kept),
		TEST(late_data_in_its_hours_is_seen),
		TEST(a_long_range_is_forgotten_with_any_commit),
		TEST(an_open_range_is_not_kept),
		TEST(what_the_retention_drops_is_not_answered),
		TEST(what_was_asked_otherwise_is_another_question),
		TEST(points_tops_and_heatmaps_come_back_whole),
		TEST(only_so_much_is_kept),
		TEST(what_was_acknowledged_is_in_every_later_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
