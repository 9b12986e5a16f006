/* Writing: what was acknowledged is there, once; what was refused left nothing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "help.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"

#define NOW_NS (1763800000ull * 1000000000)

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

static void write_tiny(struct store *store, unsigned number)
{
	struct tiny_batch tiny;
	struct err err;
	tiny_batch(&tiny, number, NOW_NS);
	must(store_write(store, &tiny.batch, &err), &err);
}

static void an_empty_store_answers_with_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_stats stats;
	struct err err;
	assert_int_equal(total_of(f->store), 0);
	must(store_stats(f->store, &stats, &err), &err);
	assert_int_equal(stats.samples, 0);
	assert_int_equal(stats.oldest_ns, 0);
}

static void what_is_written_is_seen_at_once_and_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct store_stats stats;
	struct err err;
	for (unsigned i = 0; i < 10; i++) {
		write_tiny(f->store, i);
		assert_int_equal(total_of(f->store), 4 * (i + 1));
	}
	store_close(f->store);
	f->store = open_store(f->path);
	assert_int_equal(total_of(f->store), 40);
	must(store_stats(f->store, &stats, &err), &err);
	assert_int_equal(stats.samples, 40);
	assert_int_equal(stats.series, 10);
	assert_int_equal(stats.frames, 2);
	assert_int_equal(stats.nodes, 2);
	assert_int_equal(stats.oldest_ns, NOW_NS);
	assert_int_equal(stats.newest_ns, NOW_NS + 3000000);
	assert_true(stats.disk_bytes > 0);
}

static void a_retry_is_acknowledged_and_not_counted_twice(void **state)
{
	struct fixture *f = *state;
	int64_t before = metric_get(&store_duplicates_total);
	write_tiny(f->store, 1);
	write_tiny(f->store, 1);
	store_close(f->store);
	f->store = open_store(f->path);
	write_tiny(f->store, 1);
	assert_int_equal(total_of(f->store), 4);
	assert_int_equal(metric_get(&store_duplicates_total), before + 2);
	write_tiny(f->store, 2);
	assert_int_equal(total_of(f->store), 8);
}

static void equal_samples_of_two_senders_are_both_kept(void **state)
{
	struct fixture *f = *state;
	struct tiny_batch tiny;
	struct err err;
	for (unsigned i = 0; i < 4; i++) {
		tiny_batch(&tiny, 1, NOW_NS);
		tiny.batch.identity = i % 2 ? STR("profile id of one") : STR("of the other");
		must(store_write(f->store, &tiny.batch, &err), &err);
	}
	assert_int_equal(total_of(f->store), 8);
}

/* ---- refused ---- */

static void spoil(struct tiny_batch *tiny, unsigned how)
{
	switch (how) {
	case 0:
		tiny->samples[2].node = 3;
		break;
	case 1:
		tiny->nodes[1].parent = 1;
		break;
	case 2:
		tiny->nodes[2].frame = 2;
		break;
	case 3:
		tiny->labels[1].name = STR("batch");
		break;
	case 4:
		tiny->labels[0].name = STR("zzz");
		break;
	case 5:
		tiny->labels[0].name = STR("");
		break;
	case 6:
		tiny->samples[0].thread_name = 1;
		break;
	case 7:
		tiny->samples[0].span = 1;
		break;
	case 8:
		tiny->samples[0].cpu = -2;
		break;
	case 9:
		tiny->samples[0].time_ns = UINT64_MAX;
		break;
	case 10:
		tiny->batch.tenant = STR("");
		break;
	default:
		tiny->strings[0] = STR("not empty");
		break;
	}
}

static void an_invalid_batch_costs_only_itself(void **state)
{
	struct fixture *f = *state;
	for (unsigned how = 0; how < 12; how++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, how, NOW_NS);
		spoil(&tiny, how);
		assert_int_equal(store_write(f->store, &tiny.batch, &err), ERR_INVALID);
		assert_non_null(strstr(err.text, "profile batch: "));
	}
	assert_int_equal(total_of(f->store), 0);
	write_tiny(f->store, 0);
	assert_int_equal(total_of(f->store), 4);
}

static void a_directory_in_use_names_the_process(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.path = f->path};
	struct store *second = NULL;
	struct err err;
	char pid[32];
	assert_int_equal(store_open(&options, &second, &err), ERR_BUSY);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, "in use"));
}

static void put_format(const char *directory, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/FORMAT", directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_newer_format_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.path = f->path};
	struct store *store = NULL;
	struct err err;
	write_tiny(f->store, 1);
	store_close(f->store);
	put_format(f->path, "cresset-store 3\n");
	assert_int_equal(store_open(&options, &store, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "format 3"));
	put_format(f->path, "something else\n");
	assert_int_equal(store_open(&options, &store, &err), ERR_CORRUPT);
	put_format(f->path, "cresset-store 2\n");
	f->store = open_store(f->path);
	assert_int_equal(total_of(f->store), 4);
}

static void a_cancelled_query_stops(void **state)
{
	struct fixture *f = *state;
	_Atomic int cancelled = 1;
	struct store_selection all = {.tenant = STR("t"),
				      .end_ns = UINT64_MAX,
				      .cancelled = &cancelled};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	write_tiny(f->store, 1);
	assert_int_equal(store_merge(f->store, &all, &arena, &tree, &err), ERR_CANCELLED);
	arena_deinit(&arena);
}

static void a_query_beyond_its_memory_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_selection all = {.tenant = STR("t"),
				      .end_ns = UINT64_MAX,
				      .memory_limit_bytes = 16 * 1024};
	struct store_tree tree;
	struct arena arena = {0};
	struct err err;
	write_tiny(f->store, 1);
	assert_int_equal(store_merge(f->store, &all, &arena, &tree, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "memory"));
	all.memory_limit_bytes = 0;
	must(store_merge(f->store, &all, &arena, &tree, &err), &err);
	struct arena small;
	arena_init(&small, 64);
	assert_int_equal(store_merge(f->store, &all, &small, &tree, &err), ERR_LIMIT);
	arena_deinit(&small);
	arena_deinit(&arena);
}

static void a_hopeless_regular_expression_is_stopped(void **state)
{
	struct fixture *f = *state;
	struct store_matcher matcher = {MATCH_REGEX, STR("service_name"), STR("((a+)+)+[bd]")};
	struct store_selection selection = {.tenant = STR("t"),
					    .matchers = &matcher,
					    .matcher_count = 1,
					    .end_ns = UINT64_MAX};
	struct tiny_batch tiny;
	struct arena arena = {0};
	struct str *names;
	size_t count;
	struct err err;
	tiny_batch(&tiny, 1, NOW_NS);
	tiny.labels[1].value = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac");
	must(store_write(f->store, &tiny.batch, &err), &err);
	assert_int_equal(store_label_names(f->store, &selection, &arena, &names, &count, &err),
			 ERR_LIMIT);
	matcher.value = STR("a(");
	assert_int_equal(store_label_names(f->store, &selection, &arena, &names, &count, &err),
			 ERR_INVALID);
	assert_non_null(strstr(err.text, "a("));
	arena_deinit(&arena);
}

/* ---- runs short ---- */

static void a_query_without_memory_fails_and_the_next_one_works(void **state)
{
	struct fixture *f = *state;
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	unsigned failures = 0;
	write_tiny(f->store, 1);
	for (uint64_t nth = 1;; nth++) {
		struct store_tree tree;
		struct arena arena = {0};
		mem_fail_nth(nth);
		int rc = store_merge(f->store, &all, &arena, &tree, NULL);
		uint64_t used = mem_fail_nth(0);
		arena_deinit(&arena);
		failures += rc != 0;
		if (used < nth)
			break;
	}
	assert_true(failures > 3);
	assert_int_equal(total_of(f->store), 4);
}

/* The commit runs here, in this thread, so that its allocations can be made to fail. */
static void a_commit_without_memory_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct txn *txn = &f->store->writer.txn;
	int64_t expected = 0;
	for (uint64_t nth = 1;; nth++) {
		struct tiny_batch tiny;
		struct err err;
		bool duplicate;
		size_t bytes;
		tiny_batch(&tiny, 1000 + (unsigned)nth, NOW_NS);
		snprintf(tiny.value, sizeof(tiny.value), "%u", (unsigned)nth);
		tiny.labels[0].value = str_of(tiny.value);
		tiny.frames[1].name = str_of(tiny.value);
		struct hash128 hash = {nth, 1};
		mem_fail_nth(nth);
		int rc = txn_add(txn, &tiny.batch, hash, 1, &duplicate, &err);
		int commit = txn_commit(txn, &bytes, &err);
		uint64_t used = mem_fail_nth(0);
		if (commit)
			txn_abort(txn);
		expected += !rc && !commit ? 4 : 0;
		assert_int_equal(total_of(f->store), expected);
		if (used < nth)
			break;
	}
	assert_true(expected > 0);
	write_tiny(f->store, 1);
	store_close(f->store);
	f->store = open_store(f->path);
	assert_int_equal(total_of(f->store), expected + 4);
}

static void after_a_failed_write_the_store_opens_anew_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct tiny_batch tiny;
	struct err err;
	bool duplicate;
	write_tiny(f->store, 1);
	/* As after a failed sync: ids were given out for content that is not on disk. */
	pthread_mutex_lock(&f->store->writer.commit_lock);
	tiny_batch(&tiny, 2, NOW_NS);
	tiny.frames[1].name = STR("never written");
	must(txn_add(&f->store->writer.txn, &tiny.batch, (struct hash128){1, 2}, 1, &duplicate,
		     &err),
	     &err);
	txn_abort(&f->store->writer.txn);
	f->store->writer.broken = ERR_IO;
	pthread_mutex_unlock(&f->store->writer.commit_lock);
	int64_t before = metric_get(&store_reopens_total);
	for (unsigned i = 2; i < 6; i++)
		write_tiny(f->store, i);
	assert_int_equal(metric_get(&store_reopens_total), before + 1);
	assert_int_equal(total_of(f->store), 20);
	struct store_stats stats;
	must(store_stats(f->store, &stats, &err), &err);
	assert_int_equal(stats.frames, 2);
}

/* ---- threads ---- */

enum { WRITERS = 4, BATCHES = 40 };

struct crowd {
	struct store *store;
	unsigned first;
};

static void *write_many(void *arg)
{
	struct crowd *crowd = arg;
	for (unsigned i = 0; i < BATCHES; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, crowd->first + i, NOW_NS + i * 3600ull * 1000000000);
		if (store_write(crowd->store, &tiny.batch, &err))
			return arg;
	}
	return NULL;
}

static void *ask_many(void *arg)
{
	struct store *store = arg;
	int64_t last = 0;
	while (last < WRITERS * BATCHES * 4) {
		struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
		struct store_tree tree;
		struct arena arena = {0};
		struct err err;
		int64_t total = 0;
		if (store_merge(store, &all, &arena, &tree, &err))
			return arg;
		for (uint32_t i = 0; i < tree.node_count; i++)
			total += tree.self[i];
		arena_deinit(&arena);
		/* Whole batches only, and never fewer than before. */
		if (total % 4 || total < last)
			return arg;
		last = total;
	}
	return NULL;
}

static void many_threads_write_and_ask_at_once(void **state)
{
	struct fixture *f = *state;
	pthread_t writers[WRITERS], asker;
	struct crowd crowds[WRITERS];
	assert_int_equal(pthread_create(&asker, NULL, ask_many, f->store), 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		crowds[i] = (struct crowd){f->store, i * BATCHES};
		assert_int_equal(pthread_create(&writers[i], NULL, write_many, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		void *failed;
		pthread_join(writers[i], &failed);
		assert_null(failed);
	}
	void *failed;
	pthread_join(asker, &failed);
	assert_null(failed);
	assert_int_equal(total_of(f->store), WRITERS * BATCHES * 4);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static void sizes_say_where_the_bytes_are_once_they_left_the_log(void **state)
{
	struct fixture *f = *state;
	struct store_sizes sizes;
	struct err err;
	for (unsigned i = 0; i < 10; i++)
		write_tiny(f->store, i);
	must(store_sizes(f->store, &sizes, &err), &err);
	assert_int_equal(sizes.samples_bytes, 0);
	store_close(f->store);
	f->store = open_store(f->path);
	must(store_sizes(f->store, &sizes, &err), &err);
	assert_true(sizes.samples_bytes > 0);
	assert_true(sizes.dictionary_bytes > 0);
	assert_true(sizes.ids_bytes > 0);
	assert_true(sizes.series_bytes > 0);
	assert_true(sizes.other_bytes > 0);
	assert_int_equal(sizes.rollups_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_answers_with_nothing),
		TEST(what_is_written_is_seen_at_once_and_after_a_restart),
		TEST(sizes_say_where_the_bytes_are_once_they_left_the_log),
		TEST(a_retry_is_acknowledged_and_not_counted_twice),
		TEST(equal_samples_of_two_senders_are_both_kept),
		TEST(an_invalid_batch_costs_only_itself),
		TEST(a_directory_in_use_names_the_process),
		TEST(a_newer_format_is_refused_and_left_alone),
		TEST(a_cancelled_query_stops),
		TEST(a_query_beyond_its_memory_is_refused),
		TEST(a_hopeless_regular_expression_is_stopped),
		TEST(a_query_without_memory_fails_and_the_next_one_works),
		TEST(a_commit_without_memory_leaves_no_trace),
		TEST(after_a_failed_write_the_store_opens_anew_and_goes_on),
		TEST(many_threads_write_and_ask_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
