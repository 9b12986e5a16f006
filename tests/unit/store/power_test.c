/* The power is cut: a store is written to by several threads, killed and
 * started again, once in a while a sync fails; everything that it does to its
 * files is recorded (shim.h). Then, for many moments of that record, a disk is
 * made as it might be found after a power cut at that moment (disk.h), and the
 * store that opens it must have every batch that was acknowledged before, no
 * batch twice, and must go on. One of those disks is where the next life
 * begins. CRESSET_POWER_CUTS sets how many cuts, CRESSET_SEED which. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "disk.h"
#include "load.h"
#include "shim.h"

#if defined(__SANITIZE_ADDRESS__)
enum { CUTS = 12 };
#else
enum { CUTS = 108 };
#endif
enum {
	CUTS_A_LIFE = 12,
	SESSIONS = 3,
	NOTE_SENT = 1,
	NOTE_ACKNOWLEDGED = 2,
	RECORD_BYTES = 1 << 30,
	BATCHES_A_STORE = 2500,
	PATHS = 96,
};

struct power {
	char path[64], disk_path[PATHS], cut_path[PATHS], store_path[PATHS], cut_store[PATHS];
	struct random random;
	struct shim_plan plan;
	struct ledger *ledger;	 /* of the life */
	struct ledger *replayed; /* up to the record that is looked at */
	struct ledger *then;	 /* and of the store that is opened after the cut */
	unsigned cuts, kills, failed_syncs, damaged;
};

/* ---- a life ---- */

static void note_sent(uint32_t number)
{
	shim_note(NOTE_SENT, number);
}

static void note_acknowledged(uint32_t number)
{
	shim_note(NOTE_ACKNOWLEDGED, number);
}

static void run_session(void *argument)
{
	struct power *power = argument;
	struct load load = {
		.ledger = power->ledger,
		.batches = 40 + random_below(&power->random, 200),
		.refusals = true,
		.sent = note_sent,
		.acknowledged = note_acknowledged,
	};
	struct store_options options = {.path = power->store_path, .memory_bytes = 8 << 20};
	struct err err;
	ledger_begin(power->ledger);
	while (store_open(&options, &load.store, &err))
		if (!shim_failed()) {
			ledger_problem(power->ledger, "no session: %s", err.text);
			return;
		}
	load_run(&load);
	store_close(load.store);
}

/* Killed at a random change, or ended in order; every third session meets a sync that fails. */
static void live(struct power *power)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		struct ending ending;
		struct shim_plan plan = {.calls = 1u << SHIM_SYNC, .error = EIO, .lazy_sync = true};
		if (random_below(&power->random, 3))
			plan.kill_at = 1 + random_below(&power->random, 1500);
		if (random_below(&power->random, 3) == 0)
			plan.fail_at = 1 + random_below(&power->random, 150);
		(void)random_u64(&power->random);
		shim_plan(&plan);
		run_process(run_session, power, NULL, &ending);
		shim_take_over();
		power->kills += ending.killed;
		power->failed_syncs += shim_failed();
		if (!ending.killed && (!ending.exited || ending.status))
			fail_msg("a session died of %d: %s", ending.status, ending.said);
		if (atomic_load(&power->ledger->problems))
			fail_msg("before any cut, session %u, kill at %u, failed sync %u (%s): %s: "
				 "%s",
				 i, plan.kill_at, plan.fail_at, shim_first(),
				 power->ledger->problem, ending.said);
	}
}

/* ---- the cuts ---- */

static void copy_ledger(struct ledger *to, struct ledger *from)
{
	memcpy(to, from, sizeof(*to));
}

static void take_note(struct ledger *ledger, const struct shim_record *record)
{
	_Atomic uint8_t *state = &ledger->state[record->offset];
	if (record->handle == NOTE_ACKNOWLEDGED)
		atomic_store(state, BATCH_ACKNOWLEDGED);
	else if (atomic_load(state) == BATCH_UNSENT)
		atomic_store(state, BATCH_SENT);
}

/* In a process of its own: the disk is opened, looked at and written to. */
static void run_look(void *argument)
{
	struct power *power = argument;
	struct load load = {.ledger = power->then, .batches = 12};
	struct err err = {0};
	int code;
	load.store = open_timed(power->then, power->cut_store);
	if (!load.store)
		return;
	if (!ledger_check(power->then, load.store, power->then, &code, &err) && code)
		ledger_problem(power->then, "it cannot be read: %s", err.text);
	ledger_begin(power->then);
	load_run(&load);
	if (!ledger_check(power->then, load.store, NULL, &code, &err) && code)
		ledger_problem(power->then, "it cannot be read any more: %s", err.text);
	store_close(load.store);
}

static const char *const names_text[] = {"names in order", "names alone"};
static const char *const data_text[] = {"lost", "whole", "a prefix", "pages", "sectors"};

static void cut_as(struct power *power, const struct disk *disk, size_t at, enum disk_names names,
		   enum disk_data data, struct random *random)
{
	struct ending ending;
	remove_directory(power->cut_path);
	copy_ledger(power->then, power->replayed);
	disk_cut(disk, names, data, random, power->cut_path);
	run_process(run_look, power, NULL, &ending);
	power->cuts++;
	power->damaged += strstr(ending.said, "damaged") != NULL;
	if (ending.exited && !ending.status && !atomic_load(&power->then->problems))
		return;
	shim_print(power->path);
	fail_msg("cut %u, at %zu, %s, data %s, %s: %s (%s)", power->cuts, at, names_text[names],
		 data_text[data], power->cut_path,
		 *power->then->problem ? power->then->problem : "the process died", ending.said);
}

static void cut(struct power *power, const struct disk *disk, size_t at)
{
	enum disk_names names = (enum disk_names)random_below(&power->random, NAMES_KINDS);
	enum disk_data data = (enum disk_data)random_below(&power->random, DATA_KINDS);
	cut_as(power, disk, at, names, data, &power->random);
}

/* Cuts stand at random places, every second one right behind an acknowledgement. */
static size_t next_cut(struct power *power, size_t count, unsigned cuts)
{
	return 1 + random_below(&power->random, (uint32_t)(2 * count / cuts + 1));
}

static size_t count_records(const struct shim_record *record, const void *end)
{
	size_t count = 0;
	for (; (const void *)record < end; record = shim_next(record))
		count++;
	return count;
}

/* What the model says the running system sees has to be what it does see. */
static void check_model(struct power *power, const struct disk *disk)
{
	char command[PATHS * 3 + 32];
	remove_directory(power->cut_path);
	disk_write_live(disk, power->cut_path);
	/* The socket is no file: it is made anew at each start. */
	snprintf(command, sizeof(command), "diff -r --exclude=control '%s' '%s' >&2",
		 power->disk_path, power->cut_path);
	assert_int_equal(system(command), 0);
}

static void replay(struct power *power, struct disk *disk, unsigned cuts)
{
	size_t bytes, at = 0;
	const struct shim_record *record = shim_records(&bytes);
	const void *end = (const char *)record + bytes;
	size_t count = count_records(record, end), next = next_cut(power, count, cuts);
	for (unsigned made = 0; (const void *)record < end; record = shim_next(record)) {
		bool note = record->kind == RECORD_NOTE;
		disk_apply(disk, record);
		if (note)
			take_note(power->replayed, record);
		if (at++ < next || (made % 2 && !(note && record->handle == NOTE_ACKNOWLEDGED)))
			continue;
		cut(power, disk, at);
		made++;
		next = at + next_cut(power, count, cuts);
	}
	check_model(power, disk);
	cut(power, disk, at);
}

static void begin_next(struct power *power)
{
	copy_ledger(power->ledger, power->then);
	remove_directory(power->disk_path);
	assert_int_equal(rename(power->cut_path, power->disk_path), 0);
}

static void one_life(struct power *power)
{
	struct disk *disk = disk_load(power->disk_path, random_u64(&power->random));
	shim_start(power->disk_path, RECORD_BYTES);
	copy_ledger(power->replayed, power->ledger);
	live(power);
	atomic_store(&power->replayed->next, atomic_load(&power->ledger->next));
	replay(power, disk, CUTS_A_LIFE);
	shim_stop();
	disk_destroy(disk);
}

/* An empty store, and nothing that it was told yet. */
static void set_up(struct power *power)
{
	temp_directory(power->path);
	snprintf(power->disk_path, PATHS, "%s/disk", power->path);
	snprintf(power->cut_path, PATHS, "%s/cut", power->path);
	snprintf(power->store_path, PATHS, "%s/disk/store", power->path);
	snprintf(power->cut_store, PATHS, "%s/cut/store", power->path);
	assert_int_equal(mkdir(power->disk_path, 0700), 0);
	power->ledger = ledger_create();
	power->replayed = ledger_create();
	power->then = ledger_create();
}

static void tear_down(struct power *power)
{
	remove_directory(power->path);
	ledger_destroy(power->ledger);
	ledger_destroy(power->replayed);
	ledger_destroy(power->then);
}

/* ---- the worst that can happen, step by step ---- */

static void run_one(struct power *power, const struct shim_plan *plan)
{
	struct load load = {.ledger = power->ledger,
			    .batches = 1,
			    .writers_only = true,
			    .refusals = true,
			    .sent = note_sent,
			    .acknowledged = note_acknowledged};
	load.store = open_timed(power->ledger, power->store_path);
	if (!load.store)
		return;
	if (plan)
		shim_plan(plan);
	load_run(&load);
}

/* Writes one batch after the plan begins, and dies. */
static void run_first(void *argument)
{
	struct power *power = argument;
	run_one(power, &power->plan);
	kill(getpid(), SIGKILL);
}

/* Sends it again if it was not acknowledged, else another one, and dies. */
static void run_second(void *argument)
{
	struct power *power = argument;
	ledger_begin(power->ledger);
	run_one(power, NULL);
	kill(getpid(), SIGKILL);
}

/* Then nothing is on the disk but what has to be. */
static void check_worst(struct power *power, enum disk_names names, struct disk *disk)
{
	size_t bytes;
	const struct shim_record *record = shim_records(&bytes);
	const void *end = (const char *)record + bytes;
	for (; (const void *)record < end; record = shim_next(record)) {
		disk_apply(disk, record);
		if (record->kind == RECORD_NOTE)
			take_note(power->replayed, record);
	}
	cut_as(power, disk, bytes, names, DATA_LOST, NULL);
}

static void play(const struct shim_plan *plan, bool again, uint64_t seed)
{
	struct power power = {0};
	struct ending ending;
	power.random.state = seed;
	set_up(&power);
	power.plan = *plan;
	struct disk *disk = disk_load(power.disk_path, seed);
	shim_start(power.disk_path, RECORD_BYTES);
	run_process(run_first, &power, NULL, &ending);
	assert_true(ending.killed);
	shim_take_over();
	shim_plan(&(struct shim_plan){.lazy_sync = true});
	if (again) {
		run_process(run_second, &power, NULL, &ending);
		assert_true(ending.killed);
	}
	if (atomic_load(&power.ledger->problems))
		fail_msg("before the cut: %s", power.ledger->problem);
	atomic_store(&power.replayed->next, atomic_load(&power.ledger->next));
	check_worst(&power, seed % 2 ? NAMES_ALONE : NAMES_IN_ORDER, disk);
	shim_stop();
	disk_destroy(disk);
	tear_down(&power);
}

static void a_store_that_was_just_made_is_found_after_a_cut(void **state)
{
	(void)state;
	const struct shim_plan plan = {.lazy_sync = true};
	play(&plan, false, 0);
	play(&plan, false, 1);
}

/* Its log is read back from what only the kernel has, and the retry is acknowledged as known. */
static void a_batch_that_a_killed_process_wrote_is_safe_once_it_is_acknowledged(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 10; i++) {
		const struct shim_plan plan = {.kill_at = i, .lazy_sync = true};
		play(&plan, true, i);
	}
}

static void a_batch_whose_sync_failed_is_safe_once_it_is_acknowledged(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		const struct shim_plan plan = {.calls = 1u << SHIM_SYNC,
					       .fail_at = 1 + i % 2,
					       .error = EIO,
					       .lazy_sync = true};
		play(&plan, false, i);
	}
}

/* The process that was told of the failed sync dies, at each step of what it does about it, before it has
 * done it. The next one is told nothing by its own sync of the same log. */
static void what_a_killed_process_was_told_about_its_log_is_not_needed(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 24; i++) {
		const struct shim_plan plan = {.calls = 1u << SHIM_SYNC,
					       .fail_at = 1,
					       .error = EIO,
					       .kill_at = 1 + i,
					       .lazy_sync = true};
		play(&plan, true, i);
	}
}

/* ---- as it comes ---- */

static void nothing_acknowledged_is_lost_when_the_power_is_cut(void **state)
{
	struct power power = {0};
	unsigned cuts = env_number("CRESSET_POWER_CUTS", CUTS);
	unsigned seed = env_number("CRESSET_SEED", (unsigned)getpid());
	(void)state;
	print_message("seed %u\n", seed);
	power.random.state = seed;
	set_up(&power);
	while (power.cuts < cuts) {
		one_life(&power);
		if (atomic_load(&power.then->next) <= BATCHES_A_STORE) {
			begin_next(&power);
			continue;
		}
		/* An answer of one group for each batch has to fit into a query's memory. */
		tear_down(&power);
		set_up(&power);
	}
	print_message("%u cuts, %u kills, %u failed syncs, %u damaged logs, %u batches, slowest "
		      "start %.0f ms\n",
		      power.cuts, power.kills, power.failed_syncs, power.damaged,
		      atomic_load(&power.ledger->next) - 1,
		      (double)atomic_load(&power.ledger->slowest_ns) / 1e6);
	tear_down(&power);
}

int main(void)
{
	const struct CMUnitTest tests[] =
		{cmocka_unit_test(a_store_that_was_just_made_is_found_after_a_cut),
		 cmocka_unit_test(
			 a_batch_that_a_killed_process_wrote_is_safe_once_it_is_acknowledged),
		 cmocka_unit_test(a_batch_whose_sync_failed_is_safe_once_it_is_acknowledged),
		 cmocka_unit_test(what_a_killed_process_was_told_about_its_log_is_not_needed),
		 cmocka_unit_test(nothing_acknowledged_is_lost_when_the_power_is_cut)};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
