/* Queries and what they may take: memory, threads, time after a cancellation. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "help.h"
#include "store/embedded/gauges.h"
#include "store/embedded/scan.h"
#include "store/embedded/times.h"

#define DAY_NS (20000ull * NS_PER_DAY)

enum { NODES = 60000, THREADS = 8, ROUNDS = 6 };

struct fixture {
	char path[64];
	struct store *store;
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
	free(f);
	return 0;
}

/* So many different stacks, in hours of one day. */
static void write_stacks(struct store *store)
{
	struct store_label label = {STR("service_name"), STR("s")};
	struct store_frame frames[50] = {0};
	char names[50][8];
	struct store_node *nodes = calloc(NODES, sizeof(*nodes));
	struct store_sample *samples = calloc(NODES, sizeof(*samples));
	struct str strings[1] = {STR("")};
	struct err err;
	assert_true(nodes && samples);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(names[i], sizeof(names[i]), "f%u", i);
		frames[i].name = str_of(names[i]);
	}
	for (uint32_t i = 1; i < NODES; i++)
		nodes[i] = (struct store_node){(i - 1) / 50, i % 50};
	for (uint32_t i = 0; i < NODES; i++)
		samples[i] = (struct store_sample){.time_ns = DAY_NS + i % 24 * NS_PER_HOUR,
						   .value = 1,
						   .node = i,
						   .cpu = -1};
	struct store_series series = {&label, 1, samples, NODES};
	struct store_batch batch = {.tenant = STR("t"),
				    .strings = strings,
				    .string_count = 1,
				    .frames = frames,
				    .frame_count = 50,
				    .nodes = nodes,
				    .node_count = NODES,
				    .series = &series,
				    .series_count = 1};
	must(store_write(store, &batch, &err), &err);
	free(nodes);
	free(samples);
}

struct asker {
	pthread_t thread;
	struct store *store;
	unsigned number, answered, refused, wrong;
};

static void ask_once(struct asker *asker, unsigned round)
{
	/* No two ask the same, so that nothing comes out of the kept answers. */
	struct store_selection all = {.tenant = STR("t"),
				      .end_ns = UINT64_MAX - asker->number * ROUNDS - round};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	int64_t total = 0;
	int rc = store_merge(asker->store, &all, &arena, &tree, &err);
	for (uint32_t i = 0; !rc && i < tree.node_count; i++)
		total += tree.self[i];
	if (!rc)
		asker->answered += total == NODES;
	else if (rc == ERR_LIMIT && strstr(err.text, "all queries together"))
		asker->refused++;
	else
		asker->wrong++;
	arena_deinit(&arena);
}

static void *ask_often(void *arg)
{
	for (unsigned round = 0; round < ROUNDS; round++)
		ask_once(arg, round);
	return NULL;
}

static void many_queries_at_once_share_the_memory(void **state)
{
	struct fixture *f = *state;
	struct asker askers[THREADS] = {0};
	unsigned answered = 0, refused = 0;
	write_stacks(f->store);
	f->store->readers.limit_bytes = 5 << 20; /* two of them, hardly three */
	for (unsigned i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){.store = f->store, .number = i};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
		answered += askers[i].answered;
		refused += askers[i].refused;
	}
	assert_int_equal(answered + refused, THREADS * ROUNDS);
	assert_true(answered > 0);
	assert_int_equal(budget_used(&f->store->queries), 0);
	assert_int_equal(budget_used(&f->store->readers), budget_used(&f->store->page_memory));
	/* As if another query had nearly all of it. */
	struct asker last = {.store = f->store, .number = THREADS};
	assert_true(budget_take(&f->store->queries, 9 << 19));
	ask_once(&last, 0);
	assert_int_equal(last.refused, 1);
	budget_give(&f->store->queries, 9 << 19);
	ask_once(&last, 1);
	assert_int_equal(last.answered, 1);
}

static void one_query_stays_within_its_own_limit(void **state)
{
	struct fixture *f = *state;
	struct store_selection all = {.tenant = STR("t"),
				      .end_ns = UINT64_MAX,
				      .memory_limit_bytes = 512 * 1024};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	write_stacks(f->store);
	for (unsigned helpers = 0; helpers < 4; helpers++) {
		f->store->helper_after_ns = 0;
		f->store->helpers_max = helpers;
		assert_int_equal(store_merge(f->store, &all, &arena, &tree, &err), ERR_LIMIT);
		assert_non_null(strstr(err.text, "512 KiB"));
		assert_int_equal(budget_used(&f->store->queries), 0);
	}
	arena_deinit(&arena);
}

/* ---- cancellation ---- */

struct stopped {
	_Atomic int cancelled;
	_Atomic unsigned blocks;
};

static int cancel_at_once(struct scan *scan, void *context, struct err *err)
{
	struct stopped *stopped = context;
	(void)scan;
	(void)err;
	stopped->blocks++;
	stopped->cancelled = 1;
	return 0;
}

static int share(const void *context, struct query *query, void **ret, struct err *err)
{
	(void)query;
	(void)err;
	*ret = (void *)(uintptr_t)context;
	return 0;
}

static int absorb_nothing(void *context, void *forked, struct err *err)
{
	(void)context;
	(void)forked;
	(void)err;
	return 0;
}

static void nobody_reads_another_block_once_the_query_is_cancelled(void **state)
{
	struct fixture *f = *state;
	enum { HELPERS = 3 };
	write_stacks(f->store);
	f->store->helper_after_ns = 0;
	f->store->helpers_max = HELPERS;
	for (unsigned i = 0; i < 20; i++) {
		struct stopped stopped = {0};
		struct store_selection all = {.tenant = STR("t"),
					      .end_ns = UINT64_MAX,
					      .cancelled = &stopped.cancelled};
		struct scan_job job = {.borders = {0, UINT64_MAX, 0, 0},
				       .visit = cancel_at_once,
				       .context = &stopped,
				       .fork = share,
				       .absorb = absorb_nothing};
		struct query query;
		struct err err;
		roaring_bitmap_t *series;
		must(query_open(f->store, &all, &query, &err), &err);
		must(select_series(&query, &series, &err), &err);
		assert_int_equal(scan_series(&query, series, &job, &err), ERR_CANCELLED);
		assert_in_range(stopped.blocks, 1, 1 + HELPERS);
		roaring_bitmap_free(series);
		query_close(&query);
	}
	assert_int_equal(f->store->helpers_busy, 0);
}

static int fail_in_helpers(struct scan *scan, void *context, struct err *err)
{
	struct stopped *stopped = context;
	stopped->blocks++;
	if (scan->query->budget != &scan->query->own_budget)
		return err_set(err, ERR_CORRUPT, "a helper met a bad block");
	return 0;
}

static void what_a_helper_meets_is_what_the_query_says(void **state)
{
	struct fixture *f = *state;
	struct stopped stopped = {0};
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct scan_job job = {.borders = {0, UINT64_MAX, 0, 0},
			       .visit = fail_in_helpers,
			       .context = &stopped,
			       .fork = share,
			       .absorb = absorb_nothing};
	struct query query;
	struct err err;
	roaring_bitmap_t *series;
	int rc = 0;
	write_stacks(f->store);
	f->store->helper_after_ns = 0;
	f->store->helpers_max = 2;
	must(query_open(f->store, &all, &query, &err), &err);
	must(select_series(&query, &series, &err), &err);
	/* A helper may come too late to get any work. */
	uint64_t until_ns = clock_mono_ns() + 20ull * NS_PER_S;
	while (!rc && clock_mono_ns() < until_ns)
		rc = scan_series(&query, series, &job, &err);
	assert_int_equal(rc, ERR_CORRUPT);
	assert_string_equal(err.text, "a helper met a bad block");
	roaring_bitmap_free(series);
	query_close(&query);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(many_queries_at_once_share_the_memory),
		TEST(one_query_stays_within_its_own_limit),
		TEST(nobody_reads_another_block_once_the_query_is_cancelled),
		TEST(what_a_helper_meets_is_what_the_query_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
