/* What nothing refers to any more goes, everything else stays: beside a writer,
 * through crashes, and short of memory. CRESSET_COLLECT_ROUNDS sets how often the
 * random ones play. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "collect_help.h"
#include "store/embedded/answer.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/maintenance.h"
#include "store/embedded/times.h"

/* ---- what goes and what stays ---- */

/* Of the names: one thread, one service, run_N and its leaves. Shared: main, native, service_name. */
enum { SERVICE_STRINGS = LEAVES + 3, SHARED_STRINGS = 3 };

static void check_counts(struct store *store, unsigned services)
{
	struct store_stats stats = stats_of(store);
	assert_int_equal(stats.series, services);
	assert_int_equal(stats.nodes, services ? services * (LEAVES + 1) + 1 : 0);
	assert_int_equal(stats.frames, services ? services * (LEAVES + 1) + 1 : 0);
	assert_int_equal(stats.strings, services ? services * SERVICE_STRINGS + SHARED_STRINGS : 0);
	check_dictionary(store);
}

static void a_service_without_days_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < 30; i++)
		write_service(f->store, i, FIRST_NS + (i % 3) * DAY_NS);
	check_counts(f->store, 30);
	assert_int_equal(count_values(f->store, STR("service_name")), 30);
	maintain(f->store, 2); /* day 0 is gone */
	check_counts(f->store, 20);
	maintain(f->store, 3);
	check_counts(f->store, 10);
	assert_int_equal(count_values(f->store, STR("service_name")), 10);
	assert_int_equal(count_values(f->store, STR("thread.name")), 10);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(total_of_service(f->store, i), i % 3 == 2 ? LEAVES : 0);
	store_close(f->store);
	f->store = open_manual(f->path);
	check_counts(f->store, 10);
	maintain(f->store, 9);
	check_counts(f->store, 0);
	assert_int_equal(count_values(f->store, STR("service_name")), 0);
}

static void what_comes_back_gets_a_new_id_and_is_right(void **state)
{
	struct fixture *f = *state;
	write_service(f->store, 1, FIRST_NS);
	write_service(f->store, 2, FIRST_NS + DAY_NS);
	maintain(f->store, 2);
	check_counts(f->store, 1);
	assert_int_equal(total_of_service(f->store, 1), 0);
	write_service(f->store, 1, FIRST_NS + 2 * DAY_NS);
	check_counts(f->store, 2);
	assert_int_equal(total_of_service(f->store, 1), LEAVES);
	assert_int_equal(total_of_service(f->store, 2), LEAVES);
	struct rocks_view view;
	struct counters next;
	struct err err;
	rocks_view_open(f->store->rocks, &view);
	must(tenant_counters(&view, 1, &next, &err), &err);
	rocks_view_close(&view);
	assert_int_equal(next.series, 1 + 3);
	assert_int_equal(next.node, 1 + 1 + 3 * (LEAVES + 1));
	/* Nothing to do the next time. */
	maintain(f->store, 2);
	check_counts(f->store, 2);
}

static void the_frame_that_says_nothing_is_told_from_an_empty_entry(void **state)
{
	struct fixture *f = *state;
	struct service service;
	struct err err;
	for (unsigned i = 0; i < 3; i++) {
		write_service(f->store, i, FIRST_NS);
		make_service(&service, 10 + i, FIRST_NS + 1000 + DAY_NS * (i == 1));
		service.frames[3] = (struct store_frame){0};
		must(store_write(f->store, &service.batch, &err), &err);
	}
	maintain(f->store, 2);
	maintain(f->store, 2);
	struct store_stats stats = stats_of(f->store);
	assert_int_equal(stats.frames, LEAVES + 2);
	assert_int_equal(stats.nodes, LEAVES + 2);
	maintain(f->store, 4);
	stats = stats_of(f->store);
	assert_int_equal(stats.frames, 0);
	assert_int_equal(stats.nodes, 0);
}

static void tenants_are_collected_apart(void **state)
{
	struct fixture *f = *state;
	struct service service;
	struct err err;
	struct store_stats before, after;
	write_service(f->store, 1, FIRST_NS + 5 * DAY_NS);
	make_service(&service, 1, FIRST_NS);
	service.batch.tenant = STR("other");
	must(store_write(f->store, &service.batch, &err), &err);
	before = stats_of(f->store);
	maintain(f->store, 5);
	after = stats_of(f->store);
	assert_int_equal(before.nodes, 2 * after.nodes);
	assert_int_equal(before.strings, 2 * after.strings);
	assert_int_equal(before.series, 2 * after.series);
	assert_int_equal(total_of_service(f->store, 1), LEAVES);
}

static void by_the_clock_it_runs_once_a_day_when_days_were_dropped(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int64_t before = metric_get(&store_collections_total);
	for (unsigned i = 0; i < 6; i++)
		write_service(f->store, i, FIRST_NS + i * DAY_NS);
	must(maintenance_run(f->store, FIRST_NS + DAY_NS, false, &err), &err);
	assert_int_equal(metric_get(&store_collections_total), before);
	must(maintenance_run(f->store, FIRST_NS + 2 * DAY_NS, false, &err), &err);
	assert_int_equal(metric_get(&store_collections_total), before + 1);
	check_counts(f->store, 5);
	write_service(f->store, 0, FIRST_NS);
	must(maintenance_run(f->store, FIRST_NS + 2 * DAY_NS + 1, false, &err), &err);
	assert_int_equal(metric_get(&store_collections_total), before + 1);
	must(maintenance_run(f->store, FIRST_NS + 3 * DAY_NS, false, &err), &err);
	assert_int_equal(metric_get(&store_collections_total), before + 2);
	check_counts(f->store, 4);
}

/* A query from before the collection, in the middle of which others load the pages anew. */
static void an_old_view_finds_what_was_collected_since(void **state)
{
	struct fixture *f = *state;
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct store_tree tree;
	struct arena arena = {0};
	struct query query;
	struct err err;
	for (unsigned i = 0; i < 8; i++)
		write_service(f->store, i, FIRST_NS + (i % 2) * DAY_NS);
	must(query_open(f->store, &all, &query, &err), &err);
	f->store->retention.unfinished = false;
	f->store->maintenance.asked = true;
	uint32_t days;
	f->store->maintenance.stop = true; /* do not wait for the query */
	must(retention_run(f->store, FIRST_NS + 2 * DAY_NS, &days, &err), &err);
	f->store->maintenance.stop = false;
	must(collect_run(f->store, FIRST_NS + 2 * DAY_NS, &err), &err);
	for (unsigned i = 1; i < 8; i += 2)
		assert_int_equal(total_of_service(f->store, i), LEAVES);
	must(answer_merge(&query, &arena, &tree, &err), &err);
	assert_int_equal(tree.node_count, 2 + 8 * (LEAVES + 1));
	int64_t total = 0;
	for (uint32_t i = 0; i < tree.node_count; i++)
		total += tree.self[i];
	assert_int_equal(total, 8 * LEAVES);
	for (uint32_t i = 0; i < tree.frame_count; i++)
		assert_true(i == 0 || tree.frames[i].name.len > 0);
	query_close(&query);
	arena_deinit(&arena);
	check_counts(f->store, 4);
}

/* ---- found while it runs ---- */

/* Between marking and sweeping, the writer comes back to what was dead. */
static void what_is_found_meanwhile_stays(void **state)
{
	struct fixture *f = *state;
	const uint32_t count[USED_KINDS] = {1000, 1000, 1000, 1000};
	struct used used;
	struct err err;
	write_service(f->store, 1, FIRST_NS);
	must(used_init(&used, 1, count, NULL, &err), &err);
	f->store->writer.txn.used = &used;
	write_service(f->store, 1, FIRST_NS + DAY_NS);
	f->store->writer.txn.used = NULL;
	for (uint32_t id = 1; id < 10; id++) {
		assert_true(used_has(&used, USED_NODE, id));
		assert_true(used_has(&used, USED_FRAME, id));
	}
	assert_true(used_has(&used, USED_SERIES, 1));
	assert_false(used_has(&used, USED_SERIES, 2));
	used_deinit(&used);
}

enum { THREADS = 2, ROUND_SERVICES = 200, ROUNDS_MAX = 1000, REPEATS = 16 };

struct ingest {
	struct store *store;
	unsigned thread;
	_Atomic unsigned first; /* of the services that are dying */
	_Atomic bool stop;
	unsigned *written; /* requests by service */
	unsigned requests;
};

/* Gives one service after the other a day that stays, while their old ones are dropped. Each gets some
 * requests, so that most are still to come when they are found to be dead. */
static void *ingest(void *arg)
{
	struct ingest *in = arg;
	struct random random = {in->thread};
	while (!in->stop) {
		unsigned number = in->first + in->requests / REPEATS % ROUND_SERVICES;
		struct service service;
		struct err err;
		uint64_t time_ns = FIRST_NS + 5 * DAY_NS + random_u64(&random) % (DAY_NS / 2);
		make_service(&service, number, time_ns);
		if (store_write(in->store, &service.batch, &err))
			return "a write failed";
		in->written[number]++;
		in->requests++;
	}
	return NULL;
}

static void collect_round_by_round(struct store *store, struct ingest *in, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		unsigned first = round * ROUND_SERVICES;
		for (unsigned i = 0; i < ROUND_SERVICES; i++)
			write_service(store, first + i, FIRST_NS + i);
		for (unsigned i = 0; i < THREADS; i++)
			in[i].first = first;
		maintain(store, 5);
	}
	for (unsigned i = 0; i < THREADS; i++)
		in[i].stop = true;
}

static void ingest_goes_on_beside_it_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	unsigned rounds = env_number("CRESSET_COLLECT_ROUNDS", 10) % ROUNDS_MAX;
	unsigned numbers = rounds * ROUND_SERVICES, requests = 0, services = 0;
	struct ingest *in = calloc(THREADS, sizeof(*in));
	pthread_t threads[THREADS];
	int64_t before = metric_get(&store_collected[USED_NODE]);
	for (unsigned i = 0; i < THREADS; i++) {
		in[i].store = f->store;
		in[i].thread = i;
		in[i].written = calloc(numbers, sizeof(*in[i].written));
		assert_int_equal(pthread_create(&threads[i], NULL, ingest, &in[i]), 0);
	}
	collect_round_by_round(f->store, in, rounds);
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		if (failed)
			fail_msg("%s", (char *)failed);
		requests += in[i].requests;
	}
	for (unsigned s = 0; s < numbers; s++) {
		unsigned written = in[0].written[s] + in[1].written[s];
		services += written > 0;
		assert_int_equal(total_of_service(f->store, s), (int64_t)written * LEAVES);
	}
	check_dictionary(f->store);
	maintain(f->store, 5);
	check_counts(f->store, services);
	print_message("%u requests to %u of %u services beside %u collections that removed %lld "
		      "nodes\n",
		      requests, services, numbers, rounds,
		      (long long)(metric_get(&store_collected[USED_NODE]) - before));
	for (unsigned i = 0; i < THREADS; i++)
		free(in[i].written);
	free(in);
}

/* ---- the database is opened anew in the middle ---- */

static void *break_again_and_again(void *arg)
{
	struct ingest *in = arg;
	const struct timespec pause = {0, 3 * 1000 * 1000};
	while (!in->stop) {
		pthread_mutex_lock(&in->store->writer.commit_lock);
		in->store->writer.broken = ERR_IO;
		in->store->writer.retry_at_ns = 0;
		pthread_mutex_unlock(&in->store->writer.commit_lock);
		struct service service;
		struct err err;
		make_service(&service, 500, FIRST_NS + 5 * DAY_NS + in->requests++);
		if (store_write(in->store, &service.batch, &err))
			return "a write failed";
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void the_database_may_be_opened_anew_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct ingest in = {.store = f->store};
	pthread_t thread;
	struct err err;
	unsigned failures = 0;
	assert_int_equal(pthread_create(&thread, NULL, break_again_and_again, &in), 0);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 20; i++) {
			struct service service;
			make_service(&service, i, FIRST_NS + round);
			while (store_write(f->store, &service.batch, &err))
				assert_true(failures++ < 1000);
		}
		while (store_maintain(f->store, FIRST_NS + 5 * DAY_NS, &err))
			assert_true(failures++ < 1000);
	}
	in.stop = true;
	void *failed;
	pthread_join(thread, &failed);
	if (failed)
		fail_msg("%s", (char *)failed);
	check_dictionary(f->store);
	maintain(f->store, 5);
	check_counts(f->store, 1);
	assert_int_equal(total_of_service(f->store, 500), (int64_t)in.requests * LEAVES);
	print_message("%u times opened anew\n", in.requests);
}

/* ---- short of memory ---- */

static void without_memory_it_stops_and_the_next_one_works(void **state)
{
	struct fixture *f = *state;
	struct err err;
	uint64_t nth = 0, made = 0;
	for (unsigned i = 0; i < 20; i++)
		write_service(f->store, i, FIRST_NS + (i % 2) * DAY_NS);
	/* Not every request that is refused makes it fail: so until there are no more of them. */
	while (made >= nth) {
		write_service(f->store, 100 + (unsigned)nth, FIRST_NS);
		mem_fail_nth(++nth);
		int rc = store_maintain(f->store, FIRST_NS + 2 * DAY_NS, &err);
		made = mem_fail_nth(0);
		if (rc && rc != ERR_NOMEM)
			fail_msg("allocation %ju: %s", (uintmax_t)nth, err.text);
		check_dictionary(f->store);
		assert_int_equal(total_of_service(f->store, 7), LEAVES);
	}
	print_message("%ju allocations\n", (uintmax_t)nth);
	assert_true(nth > 20);
	check_counts(f->store, 10);
}

static void it_refuses_to_take_more_memory_than_the_store_has(void **state)
{
	struct fixture *f = *state;
	struct err err;
	write_service(f->store, 1, FIRST_NS);
	f->store->queries.limit_bytes = 16;
	assert_int_equal(store_maintain(f->store, FIRST_NS + 2 * DAY_NS, &err), ERR_LIMIT);
	assert_true(f->store->collector.due);
	f->store->queries.limit_bytes = 0;
	maintain(f->store, 2);
	check_counts(f->store, 0);
}

/* ---- crashes ---- */

enum { CRASH_SERVICES = 12 };

/* In the child, which is this program again (the database's threads do not live through a fork): days come and go; says which batches of the day that stays are acknowledged. */
static void work_for_ever(const char *path, unsigned first, int pipe_fd)
{
	struct store *store = open_manual(path);
	struct err err;
	for (unsigned number = first;; number++) {
		struct service service;
		make_service(&service, number % CRASH_SERVICES,
			     FIRST_NS + 5 * DAY_NS + number * 1000);
		if (store_write(store, &service.batch, &err))
			_exit(3);
		if (write(pipe_fd, &number, sizeof(number)) != sizeof(number))
			_exit(4);
		make_service(&service, number % 97, FIRST_NS + number);
		if (store_write(store, &service.batch, &err))
			_exit(3);
		if (number % 8 == 0 && store_maintain(store, FIRST_NS + 5 * DAY_NS, &err))
			_exit(5);
	}
}

/* Killed some time after so many batches were acknowledged. */
static unsigned run_and_kill(const char *path, unsigned first, unsigned batches, unsigned wait_us)
{
	int fds[2], status;
	unsigned last = first - 1, number;
	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char number_text[16], fd_text[16];
		snprintf(number_text, sizeof(number_text), "%u", first);
		snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
		close(fds[0]);
		execl("/proc/self/exe", "work", path, number_text, fd_text, NULL);
		_exit(1);
	}
	close(fds[1]);
	while (last < first - 1 + batches && read(fds[0], &number, sizeof(number)) > 0)
		last = number;
	struct timespec wait = {0, (long)wait_us * 1000};
	nanosleep(&wait, NULL);
	kill(child, SIGKILL);
	while (read(fds[0], &number, sizeof(number)) == sizeof(number))
		last = number;
	close(fds[0]);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void a_crash_at_any_moment_leaves_it_whole(void **state)
{
	struct fixture *f = *state;
	struct random random = {(uint64_t)getpid()};
	unsigned rounds = env_number("CRESSET_COLLECT_ROUNDS", 10), next = 1;
	store_close(f->store);
	f->store = NULL;
	for (unsigned round = 0; round < rounds; round++) {
		unsigned last = run_and_kill(f->path, next, 1 + random_below(&random, 12),
					     random_below(&random, 20000));
		struct store *store = open_manual(f->path);
		check_dictionary(store);
		int64_t total = 0;
		for (unsigned i = 0; i < CRASH_SERVICES; i++)
			total += total_of_service(store, i);
		assert_true(total >= (int64_t)last * LEAVES);
		maintain(store, 5);
		check_dictionary(store);
		total = 0;
		for (unsigned i = 0; i < CRASH_SERVICES; i++)
			total += total_of_service(store, i);
		/* One more may have been written and not acknowledged. */
		assert_true(total == (int64_t)last * LEAVES ||
			    total == (int64_t)(last + 1) * LEAVES);
		next = (unsigned)(total / LEAVES) + 1;
		store_close(store);
	}
	print_message("%u kills, %u batches\n", rounds, next - 1);
	assert_true(next > rounds);
	f->store = open_manual(f->path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[0], "work") == 0)
		work_for_ever(argv[1], (unsigned)strtoul(argv[2], NULL, 10), atoi(argv[3]));
	const struct CMUnitTest tests[] = {
		TEST(a_service_without_days_leaves_nothing_behind),
		TEST(what_comes_back_gets_a_new_id_and_is_right),
		TEST(the_frame_that_says_nothing_is_told_from_an_empty_entry),
		TEST(tenants_are_collected_apart),
		TEST(by_the_clock_it_runs_once_a_day_when_days_were_dropped),
		TEST(an_old_view_finds_what_was_collected_since),
		TEST(what_is_found_meanwhile_stays),
		TEST(ingest_goes_on_beside_it_and_nothing_is_lost),
		TEST(the_database_may_be_opened_anew_meanwhile),
		TEST(without_memory_it_stops_and_the_next_one_works),
		TEST(it_refuses_to_take_more_memory_than_the_store_has),
		TEST(a_crash_at_any_moment_leaves_it_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
