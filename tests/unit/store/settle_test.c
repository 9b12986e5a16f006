/* Settling: the rows stay, the sums are theirs, and what comes in between is
 * neither lost nor summed up wrongly. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "settle_help.h"
#include "store/embedded/gauges.h"
#include "store/embedded/times.h"

#define CLOSED_NS  (300 * (uint64_t)NS_PER_S)
#define LONG_AFTER (DAY_START(10))

struct fixture {
	char path[64];
	struct store *store;
	struct random random;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	f->store = open_store(f->path);
	f->random.state = 7;
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

static void maintain(struct fixture *f, uint64_t now_ns)
{
	struct err err;
	must(store_maintain(f->store, now_ns, &err), &err);
}

/* batches of count samples of a series in that part of time. */
static void write_some(struct fixture *f, const char *tenant, unsigned series, uint64_t start_ns,
		       uint64_t end_ns, unsigned batches, unsigned count)
{
	for (unsigned i = 0; i < batches; i++)
		write_random(f->store, &f->random, tenant, series, start_ns, end_ns, count);
}

/* ---- does it ---- */

static void settled_blocks_hold_the_same_rows_and_the_sums_are_theirs(void **state)
{
	struct fixture *f = *state;
	struct rows before, after;
	for (unsigned series = 0; series < 3; series++) {
		write_some(f, "one", series, DAY_START(0), DAY_START(2), 5, 300);
		write_some(f, "two", series, DAY_START(0) + 5 * NS_PER_HOUR,
			   DAY_START(0) + 7 * NS_PER_HOUR, 40, 20);
	}
	read_rows(f->store, &before);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	read_rows(f->store, &after);
	assert_true(after.blocks < before.blocks / 2);
	/* 3 series of one tenant on 2 days of 24 hours, of the other in 2 hours. */
	assert_int_equal(after.blocks, 3 * 2 * 24 + 3 * 2);
	free_rows(&before);
	free_rows(&after);
}

static void the_same_is_true_after_a_restart_and_in_small_steps(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	write_some(f, "t", 1, DAY_START(0), DAY_START(1), 10, 200);
	read_rows(f->store, &before);
	for (unsigned i = 0; i < 12; i++) {
		maintain(f, DAY_START(0) + random_u64(&f->random) % (2 * NS_PER_DAY));
		store_close(f->store);
		f->store = open_store(f->path);
		same_samples(f->store, &before);
		check_settled(f->store, true);
	}
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

static void an_hour_is_closed_five_minutes_after_its_end(void **state)
{
	struct fixture *f = *state;
	uint64_t end_ns = DAY_START(0) + 8 * NS_PER_HOUR;
	write_some(f, "t", 1, end_ns - NS_PER_HOUR, end_ns, 4, 20);
	maintain(f, end_ns + CLOSED_NS - 1);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 1u << 7);
	maintain(f, end_ns + CLOSED_NS);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 0);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_UNTRIED);
	maintain(f, DAY_START(1) + CLOSED_NS - 1);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_UNTRIED);
	maintain(f, DAY_START(1) + CLOSED_NS);
	assert_int_not_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_UNTRIED);
	check_settled(f->store, true);
}

static void nothing_is_read_when_nothing_is_due(void **state)
{
	struct fixture *f = *state;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 4, 20);
	maintain(f, LONG_AFTER);
	assert_int_equal(f->store->writer.txn.unsettled.day_count, 0);
	assert_false(f->store->writer.txn.unsettled.incomplete);
	int64_t rows = metric_get(&store_settled_rows_total);
	maintain(f, LONG_AFTER);
	assert_int_equal(metric_get(&store_settled_rows_total), rows);
	assert_int_equal(metric_get(&store_unsettled_hours), 0);
}

static void late_samples_make_an_hour_wait_again(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	uint64_t start_ns = DAY_START(0) + 3 * NS_PER_HOUR;
	write_some(f, "t", 1, start_ns, start_ns + NS_PER_HOUR, 30, 50);
	maintain(f, LONG_AFTER);
	for (unsigned i = 0; i < 4; i++) {
		write_some(f, "t", 1, start_ns, start_ns + NS_PER_HOUR, 1, 10);
		assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 1u << 3);
		read_rows(f->store, &before);
		maintain(f, LONG_AFTER);
		assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 0);
		same_samples(f->store, &before);
		check_settled(f->store, true);
		free_rows(&before);
	}
}

/* 40,000 rows of 1,000 batches, under the smallest memory: more than one batch, several blocks. */
static void a_busy_hour_takes_several_batches(void **state)
{
	struct fixture *f = *state;
	struct rows before, after;
	for (unsigned i = 0; i < 400; i++)
		write_some(f, "t", 1, DAY_START(0) + i * 9 * (uint64_t)NS_PER_S,
			   DAY_START(0) + (i + 1) * 9 * (uint64_t)NS_PER_S, 1, 100);
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 1, 12000);
	read_rows(f->store, &before);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	read_rows(f->store, &after);
	assert_in_range(after.blocks, 4, 6); /* the large one is left alone */
	free_rows(&before);
	free_rows(&after);
}

static void merged_blocks_give_their_space_back(void **state)
{
	struct fixture *f = *state;
	struct store_sizes before, after;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 250, 800);
	store_close(f->store); /* into a file */
	f->store = open_store(f->path);
	must(store_sizes(f->store, &before, &err), &err);
	maintain(f, LONG_AFTER);
	must(store_sizes(f->store, &after, &err), &err);
	assert_in_range(after.samples_bytes, 1, before.samples_bytes);
}

/* ---- step by step ---- */

static void open_settler(struct fixture *f, struct settler *s, uint32_t tenant)
{
	struct err err;
	must(settler_open(f->store, LONG_AFTER, s, &err), &err);
	settler_enter(s, tenant, FIRST_DAY, MARK_ALL_HOURS, false);
}

static void prepare(struct settler *s)
{
	struct err err;
	must(settle_begin(s, &err), &err);
	must(settle_prepare(s, &err), &err);
	settle_end(s);
}

/* All sums in an array of 40 rows, batches of 1,500 bytes: every path of a job that does not fit. */
static void a_tiny_memory_gives_the_same_result(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	unsigned batches = 0;
	for (unsigned series = 0; series < 4; series++)
		write_some(f, "t", series, DAY_START(0), DAY_START(0) + 3 * NS_PER_HOUR, 60, 30);
	read_rows(f->store, &before);
	for (unsigned whole = 0; whole < 2; whole++) {
		open_settler(f, &s, 1);
		s.sums_max = 40;
		s.rows_max = 200;
		s.batch_bytes = 1500;
		settler_enter(&s, 1, FIRST_DAY, MARK_ALL_HOURS, whole);
		for (; !s.done; batches++) {
			prepare(&s);
			must(settle_commit(&s, &err), &err);
			same_samples(f->store, &before);
			check_settled(f->store, false);
		}
		settler_close(&s);
	}
	assert_true(batches > 20);
	assert_int_equal(check_settled(f->store, false), 0);
	for (unsigned series = 1; series <= 4; series++)
		assert_int_not_equal(mark_of(f->store, 1, FIRST_DAY, series).whole, WHOLE_UNTRIED);
	free_rows(&before);
}

static void late_samples_take_the_sum_of_their_day_away(void **state)
{
	struct fixture *f = *state;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(1), 10, 300);
	maintain(f, LONG_AFTER);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_SUMMED);
	write_some(f, "t", 1, DAY_START(0) + 9 * NS_PER_HOUR, DAY_START(0) + 10 * NS_PER_HOUR, 1,
		   20);
	open_settler(f, &s, 1);
	prepare(&s);
	must(settle_commit(&s, &err), &err);
	settler_close(&s);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_UNTRIED);
	assert_int_equal(check_settled(f->store, true), 0);
	maintain(f, LONG_AFTER);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).whole, WHOLE_SUMMED);
	assert_int_equal(check_settled(f->store, true), 0);
}

static void a_block_between_snapshot_and_commit_throws_the_result_away(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	int64_t thrown = metric_get(&store_settle_thrown_away_total);
	for (unsigned series = 0; series < 3; series++)
		write_some(f, "t", series, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 20, 20);
	open_settler(f, &s, 1);
	prepare(&s);
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 1, 20);
	read_rows(f->store, &before);
	must(settle_commit(&s, &err), &err);
	assert_int_equal(s.left & 1, 1);
	settler_close(&s);
	assert_int_equal(metric_get(&store_settle_thrown_away_total), thrown + 1);
	same_samples(f->store, &before);
	check_settled(f->store, true);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 0);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 2).pending, 1);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 3).pending, 0);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

static void a_block_of_another_hour_in_between_stays_pending(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 20, 20);
	open_settler(f, &s, 1);
	settler_enter(&s, 1, FIRST_DAY, 1, false);
	prepare(&s);
	write_some(f, "t", 1, DAY_START(0) + 5 * NS_PER_HOUR, DAY_START(0) + 6 * NS_PER_HOUR, 1,
		   20);
	read_rows(f->store, &before);
	must(settle_commit(&s, &err), &err);
	settler_close(&s);
	same_samples(f->store, &before);
	check_settled(f->store, true);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 1u << 5);
	maintain(f, LONG_AFTER);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

/* A job of several batches is noted from its first snapshot on. */
static void a_block_between_two_batches_of_an_hour_gives_it_up(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 60, 30);
	open_settler(f, &s, 1);
	s.batch_bytes = 1500;
	s.rows_max = 200;
	s.sums_max = 40;
	prepare(&s);
	must(settle_commit(&s, &err), &err);
	assert_true(s.job.active);
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 1, 20);
	read_rows(f->store, &before);
	while (!s.done) {
		prepare(&s);
		must(settle_commit(&s, &err), &err);
	}
	assert_int_equal(s.left, 1);
	settler_close(&s);
	same_samples(f->store, &before);
	check_settled(f->store, false);
	assert_int_equal(mark_of(f->store, 1, FIRST_DAY, 1).pending, 1);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

/* ---- time runs out ---- */

static void a_round_without_time_goes_on_in_the_next(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct err err;
	unsigned rounds = 0, last = 999;
	for (unsigned series = 0; series < 5; series++) {
		write_some(f, "one", series, DAY_START(0), DAY_START(1), 2, 50);
		write_some(f, "two", series, DAY_START(0), DAY_START(1), 2, 50);
	}
	read_rows(f->store, &before);
	for (; last && rounds < 100; rounds++) {
		f->store->maintenance.deadline_ns = 1;
		must(settle_run(f->store, LONG_AFTER, &err), &err);
		unsigned pending = check_settled(f->store, true);
		assert_true(pending <= last);
		last = pending;
	}
	assert_in_range(rounds, 10, 99); /* a series each, and then its day */
	same_samples(f->store, &before);
	for (; f->store->writer.txn.unsettled.day_count && rounds < 100; rounds++)
		must(settle_run(f->store, LONG_AFTER, &err), &err);
	assert_in_range(rounds, 20, 40);
	assert_int_not_equal(mark_of(f->store, 2, FIRST_DAY, 5).whole, WHOLE_UNTRIED);
	free_rows(&before);
}

static void a_store_that_closes_leaves_nothing_half_done(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 60, 30);
	read_rows(f->store, &before);
	open_settler(f, &s, 1);
	s.batch_bytes = 1500;
	s.rows_max = 200;
	s.sums_max = 40;
	prepare(&s);
	must(settle_commit(&s, &err), &err);
	assert_true(s.job.active);
	must(settle_begin(&s, &err), &err);
	f->store->maintenance.stop = true;
	assert_int_equal(settle_prepare(&s, &err), ERR_CANCELLED);
	settle_end(&s);
	settler_close(&s);
	must(settle_run(f->store, LONG_AFTER, &err), &err);
	store_close(f->store);
	f->store = open_store(f->path);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, false), 1);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

/* ---- failures ---- */

static void a_database_that_was_opened_anew_throws_the_result_away(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 20, 20);
	read_rows(f->store, &before);
	open_settler(f, &s, 1);
	prepare(&s);
	pthread_mutex_lock(&f->store->writer.commit_lock);
	must(recover(f->store, ERR_IO, &err), &err);
	pthread_mutex_unlock(&f->store->writer.commit_lock);
	assert_int_equal(settle_commit(&s, &err), ERR_BUSY);
	settler_close(&s);
	assert_int_equal(check_settled(f->store, true), 1);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

/* No file may grow: the log refuses the write. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_write_leaves_everything_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + 3 * NS_PER_HOUR, 20, 20);
	read_rows(f->store, &before);
	open_settler(f, &s, 1);
	prepare(&s);
	limit_files(16);
	int rc = settle_commit(&s, &err);
	limit_files(RLIM_INFINITY);
	assert_int_equal(rc, ERR_IO);
	assert_int_equal(f->store->writer.broken, ERR_IO);
	settler_close(&s);
	maintain(f, LONG_AFTER);
	same_samples(f->store, &before);
	assert_int_equal(check_settled(f->store, true), 0);
	/* The writer's counters are right too. */
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + 3 * NS_PER_HOUR, 20, 20);
	maintain(f, LONG_AFTER);
	assert_int_equal(check_settled(f->store, true), 0);
	free_rows(&before);
}

static void a_settler_without_memory_leaves_everything_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct rows before;
	unsigned failures = 0;
	for (unsigned series = 0; series < 2; series++)
		write_some(f, "t", series, DAY_START(0), DAY_START(0) + 2 * NS_PER_HOUR, 10, 20);
	for (uint64_t nth = 1;; nth++) {
		struct err err;
		write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 1, 20);
		read_rows(f->store, &before);
		mem_fail_nth(nth);
		int rc = settle_run(f->store, LONG_AFTER, &err);
		uint64_t used = mem_fail_nth(0);
		failures += rc == ERR_NOMEM;
		same_samples(f->store, &before);
		check_settled(f->store, true);
		free_rows(&before);
		if (used < nth)
			break;
		/* The table of days may have suffered, and must know that. */
		assert_true(f->store->writer.txn.unsettled.day_count ||
			    f->store->writer.txn.unsettled.incomplete ||
			    check_settled(f->store, true) == 0);
	}
	assert_true(failures > 10);
	maintain(f, LONG_AFTER);
	assert_int_equal(check_settled(f->store, true), 0);
}

/* Notes of the writer that found no memory: the settler trusts nothing then. */
static void a_writer_without_memory_for_a_note_throws_the_result_away(void **state)
{
	struct fixture *f = *state;
	struct settler s;
	struct err err;
	write_some(f, "t", 1, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 20, 20);
	open_settler(f, &s, 1);
	prepare(&s);
	mem_fail_nth(1);
	unsettled_note(&f->store->writer.txn.unsettled, 77, 1);
	mem_fail_nth(0);
	assert_int_equal(settle_commit(&s, &err), ERR_BUSY);
	settler_close(&s);
	maintain(f, LONG_AFTER);
	assert_int_equal(check_settled(f->store, true), 0);
}

static void spoil_a_block(struct fixture *f, uint32_t series)
{
	struct sample_key sample = {1, FIRST_DAY, series, DAY_START(0) + 5, 1u << 20};
	struct key key = key_samples(&sample);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	struct err err;
	rocks_put(f->store->rocks, batch, FAMILY_SAMPLES, key_str(&key), STR("\x01nonsense"));
	must(rocks_write(f->store->rocks, batch, &err), &err);
	rocksdb_writebatch_destroy(batch);
}

static void a_damaged_block_costs_only_its_series(void **state)
{
	struct fixture *f = *state;
	struct err err;
	for (unsigned series = 0; series < 5; series++)
		write_some(f, "t", series, DAY_START(0), DAY_START(0) + NS_PER_HOUR, 5, 20);
	spoil_a_block(f, 3);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(store_maintain(f->store, LONG_AFTER, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.text, "sample block"));
	}
	for (uint32_t series = 1; series <= 5; series++)
		assert_int_equal(mark_of(f->store, 1, FIRST_DAY, series).pending, series == 3);
}

/* ---- all at once ---- */

struct stream {
	struct store *store;
	_Atomic bool stop;
};

static void *write_on(void *arg)
{
	struct stream *stream = arg;
	struct random random = {99};
	for (unsigned i = 0; i < 150; i++)
		write_random(stream->store, &random, i % 3 ? "one" : "two", i % 5, DAY_START(0),
			     DAY_START(0) + 4 * NS_PER_HOUR, 40);
	stream->stop = true;
	return NULL;
}

static void writing_and_settling_at_once_lose_nothing(void **state)
{
	struct fixture *f = *state;
	struct stream stream = {.store = f->store};
	struct rows rows;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, write_on, &stream), 0);
	while (!stream.stop)
		maintain(f, LONG_AFTER);
	pthread_join(thread, NULL);
	maintain(f, LONG_AFTER);
	assert_int_equal(check_settled(f->store, true), 0);
	read_rows(f->store, &rows);
	size_t raw = 0;
	for (size_t i = 0; i < rows.count; i++)
		raw += rows.list[i].level == LEVEL_RAW;
	assert_int_equal(raw, 150 * 40);
	free_rows(&rows);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(settled_blocks_hold_the_same_rows_and_the_sums_are_theirs),
		TEST(the_same_is_true_after_a_restart_and_in_small_steps),
		TEST(an_hour_is_closed_five_minutes_after_its_end),
		TEST(nothing_is_read_when_nothing_is_due),
		TEST(late_samples_make_an_hour_wait_again),
		TEST(a_busy_hour_takes_several_batches),
		TEST(merged_blocks_give_their_space_back),
		TEST(a_tiny_memory_gives_the_same_result),
		TEST(late_samples_take_the_sum_of_their_day_away),
		TEST(a_block_between_snapshot_and_commit_throws_the_result_away),
		TEST(a_block_of_another_hour_in_between_stays_pending),
		TEST(a_block_between_two_batches_of_an_hour_gives_it_up),
		TEST(a_round_without_time_goes_on_in_the_next),
		TEST(a_store_that_closes_leaves_nothing_half_done),
		TEST(a_database_that_was_opened_anew_throws_the_result_away),
		TEST(a_failed_write_leaves_everything_as_it_was),
		TEST(a_settler_without_memory_leaves_everything_as_it_was),
		TEST(a_writer_without_memory_for_a_note_throws_the_result_away),
		TEST(a_damaged_block_costs_only_its_series),
		TEST(writing_and_settling_at_once_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
