/* A process that writes from several threads, asks and maintains its store is
 * killed at a random moment, again and again: what it had acknowledged is there,
 * exactly once; what it was about to write is there whole or not at all.
 * CRESSET_KILL_ROUNDS sets how often. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "help.h"
#include "load.h"

#if defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 12 };
#else
enum { ROUNDS = 100 };
#endif
/* A fresh store now and then: what is checked must not grow for ever, and an answer of one group for each
 * batch has to fit into a query's memory, however many batches a fast machine writes between two kills. */
enum { ROUNDS_A_STORE = 40, BATCHES_A_STORE = 2500, WAIT_MAX_MS = 150 };

struct crash {
	char path[64];
	struct ledger *ledger;
	struct random random;
	uint32_t batches, questions, refused;
	double slowest_ms;
	unsigned rounds; /* of this store */
};

static void run_load(void *argument)
{
	struct crash *crash = argument;
	struct load load = {.ledger = crash->ledger};
	ledger_begin(crash->ledger);
	load.store = open_timed(crash->ledger, crash->path);
	if (load.store)
		load_run(&load);
}

/* Looks at what is there, and dies as well, or closes the store. */
static void run_check(void *argument)
{
	struct crash *crash = argument;
	struct store *store = open_timed(crash->ledger, crash->path);
	struct err err = {0};
	int code;
	if (!store)
		return;
	if (!ledger_check(crash->ledger, store, crash->ledger, &code, &err) && code)
		ledger_problem(crash->ledger, "it cannot be read: %s", err.text);
	if (random_below(&crash->random, 2))
		_exit(0);
	store_close(store);
}

static void kill_once(struct crash *crash, unsigned round)
{
	struct killing killing = {&crash->ledger->next,
				  (1 + random_below(&crash->random, WAIT_MAX_MS)) * NS_PER_MS};
	struct ending killed, checked;
	/* One of four may die while it opens. */
	if (random_below(&crash->random, 4) == 0)
		killing.begun = NULL;
	run_process(run_load, crash, &killing, &killed);
	if (!killed.killed)
		fail_msg("round %u: it ended before it was killed: %s %s", round,
			 crash->ledger->problem, killed.said);
	run_process(run_check, crash, NULL, &checked);
	if (!checked.exited || checked.status || atomic_load(&crash->ledger->problems))
		fail_msg("round %u, store %s: %s %s", round, crash->path, crash->ledger->problem,
			 checked.said);
}

/* In a process of its own: one that has opened RocksDB must not be forked, since its threads are not. */
static void run_verify(void *argument)
{
	verify_clean(((struct crash *)argument)->path);
}

static void begin_store(struct crash *crash)
{
	temp_directory(crash->path);
	crash->ledger = ledger_create();
	crash->rounds = 0;
}

static void end_store(struct crash *crash)
{
	double slowest_ms = (double)atomic_load(&crash->ledger->slowest_ns) / 1e6;
	crash->batches += atomic_load(&crash->ledger->next) - 1;
	crash->questions += atomic_load(&crash->ledger->queries);
	if (slowest_ms > crash->slowest_ms)
		crash->slowest_ms = slowest_ms;
	ledger_destroy(crash->ledger);
	struct ending verified;
	run_process(run_verify, crash, NULL, &verified);
	if (!verified.exited || verified.status)
		fail_msg("store %s: %s", crash->path, verified.said);
	remove_directory(crash->path);
}

static bool is_full(const struct crash *crash)
{
	return crash->rounds >= ROUNDS_A_STORE ||
	       atomic_load(&crash->ledger->next) > BATCHES_A_STORE;
}

static void nothing_acknowledged_is_lost_and_nothing_counts_twice(void **state)
{
	struct crash crash = {.random = {(uint64_t)getpid()}};
	unsigned rounds = env_number("CRESSET_KILL_ROUNDS", ROUNDS);
	(void)state;
	begin_store(&crash);
	for (unsigned round = 0; round < rounds; round++) {
		if (is_full(&crash)) {
			end_store(&crash);
			begin_store(&crash);
		}
		kill_once(&crash, round);
		crash.rounds++;
	}
	end_store(&crash);
	print_message("%u kills, %u batches, %u answers checked, slowest start %.0f ms\n", rounds,
		      crash.batches, crash.questions, crash.slowest_ms);
	assert_true(crash.batches > rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_counts_twice)};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
