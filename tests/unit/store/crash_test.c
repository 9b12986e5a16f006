/* A writer that is killed at a random moment: what it had acknowledged is
 * there, exactly once; what it was about to write is there whole or not at
 * all. CRESSET_KILL_ROUNDS sets how often. */
#include <fcntl.h>
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
#include "help.h"

enum { ROUNDS = 20, SEEN_MAX = 200000 };

#define NOW_NS (1763800000ull * 1000000000)

/* In the child: writes batches from `first` on, for ever, saying which are acknowledged. Each is sent
 * twice at times, as a client does that did not get its answer. */
static void write_for_ever(const char *path, unsigned first, int pipe_fd)
{
	struct store_options options = {.path = path, .memory_bytes = 8 << 20};
	struct store *store;
	struct err err;
	if (store_open(&options, &store, &err))
		_exit(2);
	for (unsigned number = first;; number++) {
		struct tiny_batch tiny;
		tiny_batch(&tiny, number, NOW_NS);
		if (store_write(store, &tiny.batch, &err) ||
		    (number % 5 == 0 && store_write(store, &tiny.batch, &err)))
			_exit(3);
		if (write(pipe_fd, &number, sizeof(number)) != sizeof(number))
			_exit(4);
	}
}

/* The last acknowledged number, or first - 1. */
static unsigned run_and_kill(const char *path, unsigned first, unsigned wait_us)
{
	int fds[2], status;
	unsigned last = first - 1, number;
	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(fds[0]);
		write_for_ever(path, first, fds[1]);
	}
	close(fds[1]);
	struct timespec wait = {wait_us / 1000000, (long)(wait_us % 1000000) * 1000};
	nanosleep(&wait, NULL);
	kill(child, SIGKILL);
	while (read(fds[0], &number, sizeof(number)) == sizeof(number)) {
		assert_int_equal(number, last + 1);
		last = number;
	}
	close(fds[0]);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	return last;
}

/* How often each batch is in the store: 0 or 1, counted by its samples. */
static unsigned check_all(struct store *store, unsigned last_acknowledged)
{
	struct store_selection all = {.tenant = STR("t"),
				      .start_ns = NOW_NS,
				      .end_ns = NOW_NS + 3600ull * NS_PER_S};
	struct str by = STR("batch");
	struct store_points *points;
	struct arena arena = {0};
	struct err err;
	size_t count;
	unsigned highest = 0;
	uint8_t *seen = calloc(SEEN_MAX, 1);
	must(store_points(store, &all, 3600ull * NS_PER_S, &by, 1, &arena, &points, &count, &err),
	     &err);
	for (size_t i = 0; i < count; i++) {
		unsigned number = (unsigned)strtoul(points[i].labels[0].value.ptr, NULL, 10);
		double total = 0;
		for (size_t p = 0; p < points[i].point_count; p++)
			total += points[i].points[p].value;
		assert_true(number < SEEN_MAX && !seen[number]);
		if (total != 4.0)
			fail_msg("batch %u: %g samples instead of 4", number, total);
		seen[number] = 1;
		highest = number > highest ? number : highest;
	}
	for (unsigned i = 1; i <= last_acknowledged; i++)
		if (!seen[i])
			fail_msg("batch %u was acknowledged and is lost (last %u)", i,
				 last_acknowledged);
	assert_true(highest <= last_acknowledged + 1);
	free(seen);
	arena_deinit(&arena);
	return highest;
}

static void nothing_acknowledged_is_lost_and_nothing_counts_twice(void **state)
{
	(void)state;
	char path[64];
	struct random random = {(uint64_t)getpid()};
	unsigned rounds = env_number("CRESSET_KILL_ROUNDS", ROUNDS), last = 0;
	uint64_t slowest_ns = 0;
	temp_directory(path);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned acknowledged =
			run_and_kill(path, last + 1, 20000 + random_below(&random, 250000));
		uint64_t start_ns = clock_mono_ns();
		struct store *store = open_store(path);
		uint64_t took_ns = clock_mono_ns() - start_ns;
		slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
		/* A batch that was written but not acknowledged counts as done from here on. */
		unsigned highest = check_all(store, acknowledged);
		last = highest > acknowledged ? highest : acknowledged;
		store_close(store);
	}
	print_message("%u kills, %u batches, slowest start %.0f ms\n", rounds, last,
		      (double)slowest_ns / 1e6);
	assert_true(last > rounds);
	verify_clean(path);
	remove_directory(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_counts_twice)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
