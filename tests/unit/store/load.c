#include "load.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/embedded/embedded.h"

enum { WRITERS = 4, HANGS_S = 120, PAUSE_NS = 5 * NS_PER_MS };

#define RECOVERED_WITHIN_NS (30ull * NS_PER_S)
#if defined(__SANITIZE_ADDRESS__)
#define START_NS_MAX (6ull * NS_PER_S)
#else
#define START_NS_MAX (2ull * NS_PER_S)
#endif

/* ---- threads ---- */

static void write_one(struct load *load, struct numbered *numbered, uint32_t number)
{
	const struct store_batch *batch = numbered_batch(numbered, number);
	uint64_t deadline_ns = clock_mono_ns() + RECOVERED_WITHIN_NS;
	struct err err = {0};
	int code;
	if (load->sent)
		load->sent(number);
	while ((code = store_write(load->store, batch, &err)) != 0) {
		atomic_fetch_add(&load->ledger->refused, 1);
		if (!load->refusals)
			ledger_problem(load->ledger, "batch %u was refused: %s", number, err.text);
		ledger_check_sentence(load->ledger, code, &err);
		if (clock_mono_ns() > deadline_ns)
			ledger_problem(load->ledger, "batch %u is refused for ever: %s", number,
				       err.text);
		if (atomic_load(&load->ledger->problems))
			return;
		clock_sleep_until_ns(clock_mono_ns() + PAUSE_NS);
	}
	ledger_acknowledge(load->ledger, number);
	if (load->acknowledged)
		load->acknowledged(number);
}

static void *run_writer(void *argument)
{
	struct load *load = argument;
	struct numbered *numbered = numbered_create();
	while (!load->batches || atomic_fetch_add(&load->taken, 1) < load->batches) {
		uint32_t number = ledger_take(load->ledger);
		write_one(load, numbered, number);
		/* As a client does that did not get its answer. */
		if (number % 5 == 0)
			write_one(load, numbered, number);
		if (atomic_load(&load->ledger->problems))
			break;
	}
	numbered_destroy(numbered);
	return NULL;
}

static void *run_questions(void *argument)
{
	struct load *load = argument;
	ledger_when = "a question: ";
	while (!atomic_load(&load->done)) {
		struct err err = {0};
		int code;
		if (!ledger_check(load->ledger, load->store, NULL, &code, &err) && code) {
			ledger_check_sentence(load->ledger, code, &err);
			if (!load->refusals)
				ledger_problem(load->ledger, "a question was refused: %s",
					       err.text);
		}
		clock_sleep_until_ns(clock_mono_ns() + 4 * PAUSE_NS);
	}
	return NULL;
}

static void *run_maintenance(void *argument)
{
	struct load *load = argument;
	while (!atomic_load(&load->done)) {
		load_maintain(load);
		clock_sleep_until_ns(clock_mono_ns() + 4 * PAUSE_NS);
	}
	return NULL;
}

void load_maintain(struct load *load)
{
	struct store *store = load->store;
	struct err err = {0};
	int code = store_maintain(store, clock_real_ns(), &err);
	if (code)
		ledger_check_sentence(load->ledger, code, &err);
	if (code && !load->refusals)
		ledger_problem(load->ledger, "the maintenance failed: %s", err.text);
	pthread_rwlock_rdlock(&store->rocks_lock);
	if (store->rocks && !store->rocks->read_only)
		rocksdb_compact_range_cf(store->rocks->db, store->rocks->family[FAMILY_SAMPLES],
					 NULL, 0, NULL, 0);
	pthread_rwlock_unlock(&store->rocks_lock);
}

static pthread_t start(void *(*function)(void *), struct load *load)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, function, load))
		abort();
	return thread;
}

static void run_writers(struct load *load)
{
	pthread_t writers[WRITERS];
	for (unsigned i = 0; i < WRITERS; i++)
		writers[i] = start(run_writer, load);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
}

void load_run(struct load *load)
{
	if (load->writers_only) {
		run_writers(load);
		return;
	}
	pthread_t questions = start(run_questions, load);
	pthread_t maintenance = start(run_maintenance, load);
	run_writers(load);
	atomic_store(&load->done, true);
	pthread_join(questions, NULL);
	pthread_join(maintenance, NULL);
}

/* ---- processes ---- */

static void read_end(int fd, char *ret, size_t cap)
{
	off_t size = lseek(fd, 0, SEEK_END), from = size - (off_t)cap + 1;
	ssize_t got = pread(fd, ret, cap - 1, from > 0 ? from : 0);
	ret[got > 0 ? got : 0] = 0;
}

static void kill_when(pid_t child, const struct killing *killing, uint32_t before)
{
	siginfo_t info = {0};
	/* Until it has begun, or is gone. */
	while (killing->begun && atomic_load(killing->begun) == before &&
	       !waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid)
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	clock_sleep_until_ns(clock_mono_ns() + killing->after_ns);
	kill(child, SIGKILL);
}

void run_process(void (*function)(void *), void *argument, const struct killing *killing,
		 struct ending *ret)
{
	FILE *said = tmpfile();
	uint32_t before = killing && killing->begun ? atomic_load(killing->begun) : 0;
	int status;
	memset(ret, 0, sizeof(*ret));
	fflush(NULL);
	pid_t child = said ? fork() : -1;
	if (child < 0)
		abort();
	if (child == 0) {
		dup2(fileno(said), STDERR_FILENO);
		alarm(HANGS_S);
		function(argument);
		_exit(0);
	}
	if (killing)
		kill_when(child, killing, before);
	if (waitpid(child, &status, 0) != child)
		abort();
	ret->exited = WIFEXITED(status);
	ret->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	read_end(fileno(said), ret->said, sizeof(ret->said));
	fclose(said);
}

struct store *open_timed(struct ledger *ledger, const char *path)
{
	struct store_options options = {.path = path, .memory_bytes = 8 << 20};
	struct store *store = NULL;
	struct err err;
	uint64_t start_ns = clock_mono_ns();
	if (store_open(&options, &store, &err)) {
		ledger_problem(ledger, "it does not open: %s", err.text);
		return NULL;
	}
	uint64_t took_ns = clock_mono_ns() - start_ns;
	if (took_ns > atomic_load(&ledger->slowest_ns))
		atomic_store(&ledger->slowest_ns, took_ns);
	if (took_ns > START_NS_MAX)
		ledger_problem(ledger, "the start took %.1f s", (double)took_ns / 1e9);
	return store;
}
