/* Every call fails in turn: a store with a log to read back is opened, written
 * to by several threads, asked, maintained and closed, and the nth call on its
 * files fails, once or from then on for a while. No crash, a sentence for
 * every refusal, nothing acknowledged lost, nothing doubled; and when the fault
 * is over the store goes on by itself.
 *
 * Debian's RocksDB has its assertions on and ends the process at some failures
 * that it did not expect. That is a crash, and what was acknowledged has to be
 * there after the next start; these ends are counted and printed.
 *
 * CRESSET_FAULTS sets how many calls are tried, spread evenly; 0: each. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "load.h"
#include "shim.h"
#include "store/embedded/embedded.h"

#if defined(__SANITIZE_ADDRESS__)
enum { FAULTS = 20, READS_STEP = 9 };
#else
enum { FAULTS = 180, READS_STEP = 3 };
#endif
enum { WORKERS = 4, BATCHES = 24, BATCHES_BEFORE = 40, PATHS = 96, ENDS_MAX = 32, TEXT_MAX = 200 };

#define RECORD_BYTES ((size_t)256 << 20)
#define LASTS_NS     (150ull * NS_PER_MS)

enum { WRITING = 1 << SHIM_WRITE | 1 << SHIM_CREATE | 1 << SHIM_RESIZE | 1 << SHIM_SYNC };

static const struct kind {
	const char *name;
	struct shim_plan plan;
	unsigned share; /* of all tries */
} kinds[] = {
	{"a call fails once", {.calls = SHIM_ALL, .error = EIO}, 6},
	{"calls fail for a while", {.calls = SHIM_ALL, .error = EIO, .lasting = true}, 3},
	{"no space, once", {.calls = WRITING, .error = ENOSPC, .torn = true}, 4},
	{"no space for a while",
	 {.calls = WRITING, .error = ENOSPC, .torn = true, .lasting = true},
	 3},
	{"a write is torn", {.calls = 1 << SHIM_WRITE, .error = EIO, .torn = true}, 3},
	{"a sync fails", {.calls = 1 << SHIM_SYNC, .error = EIO}, 3},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), SHARES = 22 };

/* One way in which a process ended by itself. */
struct end {
	char text[TEXT_MAX], first[TEXT_MAX];
	unsigned count;
};

struct tries {
	_Atomic uint32_t next, done;
	uint32_t counts[KINDS]; /* calls of the kind in a run without faults */
	uint32_t limit;
	pthread_mutex_t lock;
	struct end ends[ENDS_MAX];
	unsigned end_count;
	_Atomic uint32_t refused, hit, slowest_ms;
	char problem[PROBLEM_MAX * 4];
	_Atomic bool failed;
};

struct worker {
	char path[64], store_path[PATHS];
	struct ledger *ledger;
	struct shim_plan plan;
};

static char model_path[64]; /* a store that was killed, copied for every try */
static struct ledger *model_ledger;
static struct tries *tries;

/* ---- the process that meets the fault ---- */

static void *run_healer(void *argument)
{
	_Atomic bool *over = argument;
	while (!atomic_load(over) && !shim_failed())
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	clock_sleep_until_ns(clock_mono_ns() + LASTS_NS);
	shim_release();
	return NULL;
}

static struct store *open_in_spite(struct worker *worker)
{
	struct store_options options = {.path = worker->store_path, .memory_bytes = 8 << 20};
	uint64_t deadline_ns = clock_mono_ns() + 20ull * NS_PER_S;
	struct store *store;
	struct err err = {0};
	int code;
	while ((code = store_open(&options, &store, &err)) != 0) {
		ledger_check_sentence(worker->ledger, code, &err);
		atomic_fetch_add(&worker->ledger->refused, 1);
		if (!shim_failed() || clock_mono_ns() > deadline_ns) {
			ledger_problem(worker->ledger, "it does not open: %s", err.text);
			return NULL;
		}
		clock_sleep_until_ns(clock_mono_ns() + 20 * NS_PER_MS);
	}
	return store;
}

static void run_faulty(void *argument)
{
	struct worker *worker = argument;
	struct load load = {.ledger = worker->ledger, .batches = BATCHES, .refusals = true};
	_Atomic bool over = false;
	struct err err = {0};
	pthread_t healer;
	int code;
	ledger_begin(worker->ledger);
	if (pthread_create(&healer, NULL, run_healer, &over))
		abort();
	load.store = open_in_spite(worker);
	if (!load.store)
		_exit(0);
	load_run(&load);
	atomic_store(&over, true);
	pthread_join(healer, NULL);
	/* A fault behind the last write is noticed and mended by the next. */
	atomic_store(&load.taken, BATCHES - 1);
	load_run(&load);
	ledger_when = "after the fault: ";
	if (!ledger_check(worker->ledger, load.store, worker->ledger, &code, &err) && code)
		ledger_problem(worker->ledger, "it cannot be read after the fault: %s", err.text);
	store_close(load.store);
}

/* And one that looks afterwards. */
static void run_look(void *argument)
{
	struct worker *worker = argument;
	struct load load = {.ledger = worker->ledger, .batches = 4};
	struct err err = {0};
	int code;
	ledger_begin(worker->ledger);
	ledger_when = "after the next start: ";
	load.store = open_timed(worker->ledger, worker->store_path);
	if (!load.store)
		return;
	if (!ledger_check(worker->ledger, load.store, NULL, &code, &err) && code)
		ledger_problem(worker->ledger, "it cannot be read: %s", err.text);
	load_run(&load);
	store_close(load.store);
}

/* ---- one try ---- */

static void prepare(struct worker *worker)
{
	char command[PATHS * 4];
	snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s/store' '%s'",
		 worker->store_path, model_path, worker->store_path);
	if (system(command))
		abort();
	memcpy(worker->ledger, model_ledger, sizeof(*model_ledger));
}

/* The line that says why. */
static void why_ended(const struct ending *ending, char ret[TEXT_MAX])
{
	const char *at = strstr(ending->said, "Assertion");
	if (!at)
		at = strstr(ending->said, "terminate");
	if (!at)
		at = ending->said;
	snprintf(ret, TEXT_MAX, "signal %d: %.*s", ending->status, (int)strcspn(at, "\n"), at);
}

static void note_end(const struct ending *ending)
{
	char text[TEXT_MAX];
	unsigned i = 0;
	why_ended(ending, text);
	pthread_mutex_lock(&tries->lock);
	while (i < tries->end_count && strcmp(tries->ends[i].text, text) != 0)
		i++;
	if (i < ENDS_MAX) {
		struct end *end = &tries->ends[i];
		if (i == tries->end_count) {
			tries->end_count++;
			snprintf(end->text, sizeof(end->text), "%s", text);
			snprintf(end->first, sizeof(end->first), "%s", shim_first());
		}
		end->count++;
	}
	pthread_mutex_unlock(&tries->lock);
}

static bool died(const struct ending *ending)
{
	return !ending->exited || ending->status;
}

static void judge(struct worker *worker, const struct kind *kind, const struct ending *faulty,
		  const struct ending *look)
{
	struct ledger *ledger = worker->ledger;
	/* An assertion of RocksDB is a crash; one of ours, a hang, a bad access are not to happen. */
	bool excused = !faulty->exited && faulty->status == SIGABRT &&
		       !strstr(faulty->said, "src/store") && !strstr(faulty->said, "Sanitizer");
	atomic_fetch_add(&tries->refused, atomic_load(&ledger->refused));
	if ((!died(faulty) || excused) && !died(look) && !atomic_load(&ledger->problems))
		return;
	shim_print(worker->path);
	if (!atomic_exchange(&tries->failed, true))
		snprintf(tries->problem, sizeof(tries->problem),
			 "%s, call %u (%s) in %s: %s; ended with %d/%d: %.300s %.300s", kind->name,
			 worker->plan.fail_at, shim_first(), worker->store_path, ledger->problem,
			 faulty->status, look->status, faulty->said, look->said);
}

static void try_one(struct worker *worker, const struct kind *kind, uint32_t fail_at)
{
	struct ending faulty, look = {.exited = true};
	uint64_t start_ns = clock_mono_ns();
	prepare(worker);
	shim_stop();
	shim_start(worker->path, RECORD_BYTES);
	worker->plan = kind->plan;
	worker->plan.fail_at = fail_at;
	worker->plan.lazy_sync = true;
	shim_plan(&worker->plan);
	run_process(run_faulty, worker, NULL, &faulty);
	if (shim_failed())
		atomic_fetch_add(&tries->hit, 1);
	if (!faulty.exited)
		note_end(&faulty);
	shim_release();
	if (!atomic_load(&worker->ledger->problems))
		run_process(run_look, worker, NULL, &look);
	judge(worker, kind, &faulty, &look);
	uint32_t took_ms = (uint32_t)((clock_mono_ns() - start_ns) / NS_PER_MS);
	if (took_ms > atomic_load(&tries->slowest_ms))
		atomic_store(&tries->slowest_ms, took_ms);
	atomic_fetch_add(&tries->done, 1);
}

/* ---- all tries ---- */

/* Which kind and which call the nth try is; false behind the last. */
static bool pick(uint32_t number, const struct kind **ret, uint32_t *ret_call)
{
	for (unsigned i = 0; i < KINDS; i++) {
		uint32_t count = tries->counts[i];
		uint32_t here = tries->limit ? tries->limit * kinds[i].share / SHARES : count;
		if (here > count)
			here = count;
		if (number < here) {
			*ret = &kinds[i];
			*ret_call = 1 + (uint32_t)((uint64_t)number * count / here);
			return true;
		}
		number -= here;
	}
	return false;
}

static void begin(struct worker *worker)
{
	temp_directory(worker->path);
	snprintf(worker->store_path, PATHS, "%s/store", worker->path);
	worker->ledger = ledger_create();
	shim_start(worker->path, 0);
}

static void end(struct worker *worker)
{
	shim_stop();
	ledger_destroy(worker->ledger);
	if (!tries || !atomic_load(&tries->failed))
		remove_directory(worker->path);
}

static void run_worker(void *argument)
{
	struct worker worker;
	const struct kind *kind;
	uint32_t call;
	(void)argument;
	begin(&worker);
	while (!atomic_load(&tries->failed) &&
	       pick(atomic_fetch_add(&tries->next, 1), &kind, &call))
		try_one(&worker, kind, call);
	end(&worker);
}

/* A store with tables and a log, as a killed process leaves it. */
static void run_model(void *argument)
{
	struct load load = {.ledger = model_ledger, .batches = BATCHES_BEFORE};
	char path[PATHS];
	(void)argument;
	snprintf(path, sizeof(path), "%s/store", model_path);
	load.store = open_timed(model_ledger, path);
	load_run(&load);
	store_close(load.store);
	load.store = open_timed(model_ledger, path);
	atomic_store(&load.taken, 0);
	load.writers_only = true;
	load_run(&load);
	kill(getpid(), SIGKILL);
}

static void make_model(void)
{
	struct ending ending;
	temp_directory(model_path);
	model_ledger = ledger_create();
	run_process(run_model, NULL, NULL, &ending);
	assert_true(ending.killed);
	if (atomic_load(&model_ledger->problems))
		fail_msg("%s", model_ledger->problem);
}

static void drop_model(void)
{
	remove_directory(model_path);
	ledger_destroy(model_ledger);
}

static void run_without_fault(struct worker *worker)
{
	struct ending ending;
	shim_plan(&worker->plan);
	run_process(run_faulty, worker, NULL, &ending);
	if (died(&ending) || atomic_load(&worker->ledger->problems))
		fail_msg("without a fault: %s %s", worker->ledger->problem, ending.said);
}

/* How many calls there are when none fails. */
static void count_calls(void)
{
	struct worker worker;
	begin(&worker);
	for (unsigned i = 0; i < KINDS; i++) {
		prepare(&worker);
		worker.plan = kinds[i].plan;
		worker.plan.lazy_sync = true;
		run_without_fault(&worker);
		tries->counts[i] = shim_counted();
	}
	end(&worker);
}

static void short_writes_are_no_failure(void **state)
{
	struct worker worker;
	(void)state;
	make_model();
	begin(&worker);
	for (uint32_t every = 1; every <= 3; every++) {
		prepare(&worker);
		worker.plan = (struct shim_plan){.short_every = every, .lazy_sync = true};
		run_without_fault(&worker);
		assert_int_equal(atomic_load(&worker.ledger->refused), 0);
	}
	end(&worker);
	drop_model();
}

/* Opened anew, so that nothing is in memory; then the nth read of one question fails. */
static void run_question(void *argument)
{
	struct worker *worker = argument;
	struct store *store = open_timed(worker->ledger, worker->store_path);
	struct err err = {0};
	int code;
	if (!store)
		return;
	shim_plan(&worker->plan);
	if (!ledger_check(worker->ledger, store, NULL, &code, &err) && code)
		ledger_check_sentence(worker->ledger, code, &err);
	shim_release();
	store_close(store);
}

/* The nth read of a compaction of everything fails; whatever becomes of it, nothing is missing then. */
static void run_compaction(void *argument)
{
	struct worker *worker = argument;
	struct store *store = open_timed(worker->ledger, worker->store_path);
	struct err err = {0};
	int code;
	if (!store)
		return;
	shim_plan(&worker->plan);
	for (unsigned i = 0; i < FAMILY_COUNT; i++)
		rocksdb_compact_range_cf(store->rocks->db, store->rocks->family[i], NULL, 0, NULL,
					 0);
	shim_release();
	if (!ledger_check(worker->ledger, store, NULL, &code, &err) && code)
		ledger_problem(worker->ledger, "it cannot be read: %s", err.text);
	store_close(store);
}

/* Until a run has fewer reads than that; afresh: from a new copy of the store each time. */
static void fail_each_read(void (*function)(void *), bool afresh)
{
	struct worker worker;
	struct ending ending;
	uint32_t reads = 1, step = afresh ? READS_STEP : 1, runs = 0;
	make_model();
	begin(&worker);
	prepare(&worker);
	for (bool met = true; met; met = shim_failed() > 0, reads += step, runs++) {
		worker.plan = (struct shim_plan){.calls = 1 << SHIM_READ | 1 << SHIM_OPEN,
						 .fail_at = reads,
						 .error = EIO};
		if (afresh)
			prepare(&worker);
		run_process(function, &worker, NULL, &ending);
		if (afresh && !died(&ending))
			run_process(run_look, &worker, NULL, &ending);
		if (died(&ending) || atomic_load(&worker.ledger->problems))
			fail_msg("read %u (%s): %s %s", reads, shim_first(), worker.ledger->problem,
				 ending.said);
	}
	print_message("%u of about %u reads\n", runs - 1, reads - step);
	assert_true(runs > 3);
	end(&worker);
	drop_model();
}

static void a_question_whose_read_fails_gives_no_wrong_answer(void **state)
{
	(void)state;
	fail_each_read(run_question, false);
}

static void a_compaction_whose_read_fails_loses_nothing(void **state)
{
	(void)state;
	fail_each_read(run_compaction, true);
}

static void set_up_tries(void)
{
	pthread_mutexattr_t attr;
	tries = mmap(NULL, sizeof(*tries), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_true(tries != MAP_FAILED);
	tries->limit = env_number("CRESSET_FAULTS", FAULTS);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&tries->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void run_workers(void)
{
	pid_t children[WORKERS];
	fflush(NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			run_worker(NULL);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
}

static void print_summary(void)
{
	print_message("calls:");
	for (unsigned i = 0; i < KINDS; i++)
		print_message(" %u", tries->counts[i]);
	print_message("; %u tries, %u met their fault, %u refusals with a sentence, slowest %u "
		      "ms\n",
		      atomic_load(&tries->done), atomic_load(&tries->hit),
		      atomic_load(&tries->refused), atomic_load(&tries->slowest_ms));
	for (unsigned i = 0; i < tries->end_count; i++)
		print_message("the database ended the process %u times (first: %s): %s\n",
			      tries->ends[i].count, tries->ends[i].first, tries->ends[i].text);
}

static void every_call_may_fail(void **state)
{
	(void)state;
	set_up_tries();
	make_model();
	count_calls();
	run_workers();
	print_summary();
	if (atomic_load(&tries->failed))
		fail_msg("%s", tries->problem);
	/* How many calls there are depends on how the threads meet. */
	assert_true(atomic_load(&tries->hit) * 2 >= atomic_load(&tries->done));
	drop_model();
	munmap(tries, sizeof(*tries));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_writes_are_no_failure),
		cmocka_unit_test(a_question_whose_read_fails_gives_no_wrong_answer),
		cmocka_unit_test(a_compaction_whose_read_fails_loses_nothing),
		cmocka_unit_test(every_call_may_fail),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
