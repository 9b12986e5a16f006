#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/types.h>

#include "agent/publish.h"
#include "agent/files.h"
#include "base/mem.h"
#include "fixture.h"

enum { MAX = 3 };

/* A BPF side that remembers. */
struct kernel {
	uint32_t place[10]; /* by pid; 0: not published */
	uint32_t calls;
	int fails;
};

static int on_publish(void *ctx, uint32_t pid, uint32_t place, uint32_t count, struct err *err)
{
	struct kernel *kernel = ctx;
	assert_int_not_equal(count, 0);
	kernel->calls++;
	if (kernel->fails)
		return err_set(err, ERR_LIMIT, "full");
	kernel->place[pid] = place;
	return 0;
}

static void on_unpublish(void *ctx, uint32_t pid)
{
	struct kernel *kernel = ctx;
	kernel->calls++;
	kernel->place[pid] = 0;
}

struct world {
	struct kernel kernel;
	struct publisher *publisher;
	struct process processes[10];
	struct rowset a, b;
};

static void open_world(struct world *w)
{
	*w = (struct world){.a = {.place = 100, .count = 2}, .b = {.place = 200, .count = 3}};
	for (uint32_t i = 0; i < 10; i++)
		w->processes[i].pid = i;
	const struct publish_ops ops = {on_publish, on_unpublish, &w->kernel};
	assert_int_equal(publisher_create(&ops, MAX, &w->publisher, NULL), 0);
}

static void close_world(struct world *w)
{
	publisher_destroy(w->publisher);
	assert_int_equal(w->a.users + w->b.users, 0);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(w->kernel.place[i], 0);
		assert_null(w->processes[i].published);
	}
}

static void nothing_is_told_before_it_is_time(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	assert_int_equal(w.kernel.calls, 0);
	assert_int_equal(w.a.users, 1);
	assert_false(w.a.told);
	publisher_flush(w.publisher, 20);
	assert_int_equal(w.kernel.place[7], 100);
	assert_true(w.a.told);
	publisher_flush(w.publisher, 30);
	assert_int_equal(w.kernel.calls, 1);
	close_world(&w);
}

static void a_process_that_ends_in_between_is_never_told_of(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	publisher_withdraw(w.publisher, &w.processes[7]);
	publisher_flush(w.publisher, 20);
	assert_int_equal(w.kernel.calls, 0);
	assert_int_equal(w.a.users, 0);
	close_world(&w);
}

static void newer_rows_take_the_place_of_older_ones(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	publisher_flush(w.publisher, 20);
	publisher_want(w.publisher, &w.processes[7], &w.b, 30);
	assert_int_equal(w.a.users, 1);
	publisher_flush(w.publisher, 40);
	assert_int_equal(w.kernel.place[7], 200);
	assert_int_equal(w.a.users, 0);
	assert_int_equal(w.b.users, 1);
	/* What it is known by already costs nothing. */
	publisher_want(w.publisher, &w.processes[7], &w.b, 50);
	publisher_flush(w.publisher, 60);
	assert_int_equal(w.kernel.calls, 2);
	assert_int_equal(w.b.users, 1);
	close_world(&w);
}

static void what_bpf_forgot_by_itself_is_told_again(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	publisher_flush(w.publisher, 20);
	publisher_unknown(w.publisher, &w.processes[7], 15); /* was taken before it was told */
	publisher_want(w.publisher, &w.processes[7], &w.a, 30);
	publisher_flush(w.publisher, 30);
	assert_int_equal(w.kernel.calls, 1);
	publisher_unknown(w.publisher, &w.processes[7], 35);
	publisher_want(w.publisher, &w.processes[7], &w.a, 40);
	publisher_flush(w.publisher, 40);
	assert_int_equal(w.kernel.calls, 2);
	assert_int_equal(w.a.users, 1);
	close_world(&w);
}

static void processes_share_rows(void **state)
{
	struct world w;
	struct publisher_stats stats;
	(void)state;
	open_world(&w);
	publisher_want(w.publisher, &w.processes[1], &w.a, 10);
	publisher_want(w.publisher, &w.processes[2], &w.a, 10);
	publisher_flush(w.publisher, 20);
	assert_int_equal(w.a.users, 2);
	publisher_withdraw(w.publisher, &w.processes[1]);
	assert_int_equal(w.a.users, 1);
	assert_int_equal(w.kernel.place[1], 0);
	assert_int_equal(w.kernel.place[2], 100);
	publisher_get_stats(w.publisher, &stats);
	assert_int_equal(stats.count, 1);
	close_world(&w);
}

static void who_was_not_sampled_for_longest_leaves(void **state)
{
	struct world w;
	struct publisher_stats stats;
	(void)state;
	open_world(&w);
	for (uint32_t i = 1; i <= MAX; i++)
		publisher_want(w.publisher, &w.processes[i], &w.a, i);
	publisher_flush(w.publisher, 10);
	publisher_touch(w.publisher, &w.processes[1], 11);
	publisher_want(w.publisher, &w.processes[4], &w.b, 12);
	publisher_flush(w.publisher, 13);
	assert_int_equal(w.kernel.place[1], 100);
	assert_int_equal(w.kernel.place[2], 0);
	assert_int_equal(w.kernel.place[4], 200);
	publisher_get_stats(w.publisher, &stats);
	assert_int_equal(stats.count, MAX);
	assert_int_equal(stats.full, 1);

	assert_false(publisher_withdraw_oldest(w.publisher, 3)); /* 3 was sampled at 3 */
	assert_true(publisher_withdraw_oldest(w.publisher, 4));
	assert_int_equal(w.kernel.place[3], 0);
	close_world(&w);
}

static void a_table_takes_all_processes_with_it_that_speak_of_it(void **state)
{
	struct world w;
	struct table table = {0}, other = {0};
	struct table *tables[] = {&other, &table};
	(void)state;
	open_world(&w);
	w.a.tables = tables;
	w.a.table_count = 2;
	publisher_want(w.publisher, &w.processes[1], &w.a, 1);
	publisher_want(w.publisher, &w.processes[2], &w.b, 1);
	publisher_flush(w.publisher, 1);
	publisher_want(w.publisher, &w.processes[2], &w.a, 2); /* not told yet */
	publisher_withdraw_table(w.publisher, &table);
	assert_int_equal(w.a.users + w.b.users, 0);
	assert_int_equal(w.kernel.place[1] + w.kernel.place[2], 0);
	close_world(&w);
}

static void a_refusal_leaves_nothing_behind(void **state)
{
	struct world w;
	(void)state;
	open_world(&w);
	w.kernel.fails = 1;
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	publisher_flush(w.publisher, 20);
	assert_int_equal(w.a.users, 0);
	assert_null(w.processes[7].published);
	mem_fail_nth(1);
	publisher_want(w.publisher, &w.processes[7], &w.a, 10);
	mem_fail_nth(0);
	assert_int_equal(w.a.users, 0);
	assert_null(w.processes[7].published);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_told_before_it_is_time),
		cmocka_unit_test(a_process_that_ends_in_between_is_never_told_of),
		cmocka_unit_test(newer_rows_take_the_place_of_older_ones),
		cmocka_unit_test(what_bpf_forgot_by_itself_is_told_again),
		cmocka_unit_test(processes_share_rows),
		cmocka_unit_test(who_was_not_sampled_for_longest_leaves),
		cmocka_unit_test(a_table_takes_all_processes_with_it_that_speak_of_it),
		cmocka_unit_test(a_refusal_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
