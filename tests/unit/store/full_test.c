/* A disk that fills up: ingest is refused with a sentence, queries go on, and
 * when there is room again ingest goes on by itself. On a small tmpfs, so it
 * needs root; without it the test is skipped and says so. And the same at
 * each call of a commit, by the shim. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "load.h"
#include "shim.h"
#include "store/embedded/embedded.h"

enum { SAMPLES = 3000 };

#define NOW_NS (1763800000ull * 1000000000)

struct small_disk {
	char path[64], store_path[80], ballast[80];
};

static bool make_disk(struct small_disk *disk)
{
	temp_directory(disk->path);
	snprintf(disk->store_path, sizeof(disk->store_path), "%s/store", disk->path);
	snprintf(disk->ballast, sizeof(disk->ballast), "%s/ballast", disk->path);
	if (mount("tmpfs", disk->path, "tmpfs", 0, "size=24m")) {
		remove_directory(disk->path);
		return false;
	}
	return true;
}

static void drop_disk(struct small_disk *disk)
{
	assert_int_equal(umount(disk->path), 0);
	rmdir(disk->path);
}

/* Takes all but left_bytes of the disk. */
static void fill_disk(struct small_disk *disk, off_t left_bytes)
{
	static char block[65536];
	int fd = open(disk->ballast, O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (write(fd, block, 1024) > 0)
		;
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(ftruncate(fd, size > left_bytes ? size - left_bytes : 0), 0);
	close(fd);
}

static int write_big(struct store *store, unsigned number, struct err *err)
{
	static struct store_sample samples[SAMPLES];
	struct random random = {number};
	struct tiny_batch tiny;
	tiny_batch(&tiny, number, NOW_NS);
	for (unsigned i = 0; i < SAMPLES; i++)
		samples[i] =
			(struct store_sample){.time_ns = NOW_NS + random_u64(&random) % 1000000000,
					      .value = 1,
					      .node = 1 + i % 2,
					      .tid = random_below(&random, UINT32_MAX),
					      .cpu = -1};
	tiny.series.samples = samples;
	tiny.series.sample_count = SAMPLES;
	return store_write(store, &tiny.batch, err);
}

/* Batches written until one is refused. */
static unsigned write_until_refused(struct store *store, unsigned first, int *ret_code,
				    struct err *err)
{
	unsigned number = first;
	for (*ret_code = 0; !*ret_code && number < first + 5000; number++)
		*ret_code = write_big(store, number, err);
	return number - first - (*ret_code != 0);
}

/* Maintenance and compactions, which need room as well. */
static void *run_maintenance(void *argument)
{
	struct load *load = argument;
	while (!atomic_load(&load->done)) {
		load_maintain(load);
		clock_sleep_until_ns(clock_mono_ns() + 10 * NS_PER_MS);
	}
	return NULL;
}

static void check_recovery(struct small_disk *disk, off_t left_bytes, bool no_reserve,
			   bool maintain)
{
	struct store *store = open_store(disk->store_path);
	struct load load = {.ledger = ledger_create(), .store = store, .refusals = true};
	pthread_t maintenance;
	struct err err;
	int code;
	int64_t before = total_of(store);
	store->ignore_reserve = no_reserve;
	if (maintain)
		assert_int_equal(pthread_create(&maintenance, NULL, run_maintenance, &load), 0);
	fill_disk(disk, left_bytes);
	unsigned written =
		write_until_refused(store, 1000u * (unsigned)(1 + before % 977), &code, &err);
	if (code != ERR_LIMIT)
		fail_msg("refused with %d: %s", code, err.text);
	print_message("refused after %u batches: %s\n", written, err.text);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(total_of(store), before + (int64_t)written * SAMPLES);
		/* Opening anew may free a little: whatever is acknowledged must be there. */
		code = write_big(store, 900000 + i, &err);
		assert_true(code == 0 || code == ERR_LIMIT);
		written += code == 0;
		struct timespec pause = {0, no_reserve ? 200000000 : 0};
		nanosleep(&pause, NULL);
	}
	assert_int_equal(unlink(disk->ballast), 0);
	uint64_t start_ns = clock_mono_ns();
	unsigned tries = 0;
	while (write_big(store, 800000, &err)) {
		struct timespec pause = {0, 100000000};
		if (++tries > 100)
			fail_msg("still refused with room: %s", err.text);
		nanosleep(&pause, NULL);
	}
	print_message("recovered after %.0f ms\n", (double)(clock_mono_ns() - start_ns) / 1e6);
	atomic_store(&load.done, true);
	if (maintain)
		pthread_join(maintenance, NULL);
	assert_int_equal(atomic_load(&load.ledger->problems), 0);
	ledger_destroy(load.ledger);
	assert_int_equal(total_of(store), before + ((int64_t)written + 1) * SAMPLES);
	store_close(store);
	store = open_store(disk->store_path);
	assert_int_equal(total_of(store), before + ((int64_t)written + 1) * SAMPLES);
	store_close(store);
}

static void a_disk_without_its_reserve_refuses_ingest_and_recovers(void **state)
{
	(void)state;
	struct small_disk disk;
	if (!make_disk(&disk)) {
		print_message("skipped: mounting a tmpfs needs root\n");
		skip();
	}
	check_recovery(&disk, 2 << 20, false, false);
	drop_disk(&disk);
}

/* Somebody else may take the reserve: then the database itself meets the full disk. */
static void a_disk_that_is_full_to_the_last_byte_refuses_ingest_and_recovers(void **state)
{
	(void)state;
	struct small_disk disk;
	if (!make_disk(&disk)) {
		print_message("skipped: mounting a tmpfs needs root\n");
		skip();
	}
	check_recovery(&disk, 300 << 10, true, false);
	drop_disk(&disk);
}

static void a_disk_that_fills_up_under_maintenance_refuses_ingest_and_recovers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct small_disk disk;
		if (!make_disk(&disk)) {
			print_message("skipped: mounting a tmpfs needs root\n");
			skip();
		}
		check_recovery(&disk, i ? 1 << 20 : 2 << 20, i, true);
		drop_disk(&disk);
	}
}

/* ---- at each call of a commit ---- */

static void write_numbered(struct load *load)
{
	atomic_store(&load->taken, 0);
	load_run(load);
	if (atomic_load(&load->ledger->problems))
		fail_msg("%s", load->ledger->problem);
}

static void check_numbered(struct load *load)
{
	struct err err = {0};
	int code;
	if (!ledger_check(load->ledger, load->store, load->ledger, &code, &err))
		fail_msg("%s %s", load->ledger->problem, code ? err.text : "");
}

/* While there is no room: refused as a full disk is, with a sentence, and questions are answered. */
static void write_in_vain(struct load *load)
{
	struct numbered *numbered = numbered_create();
	uint32_t number = ledger_take(load->ledger);
	for (unsigned i = 0; i < 5; i++) {
		struct err err = {0};
		int code = store_write(load->store, numbered_batch(numbered, number), &err);
		if (code == 0)
			ledger_acknowledge(load->ledger, number);
		if (shim_failed() && code && code != ERR_LIMIT)
			fail_msg("refused with %d: %s", code, err.text);
		check_numbered(load);
		clock_sleep_until_ns(clock_mono_ns() + 5 * NS_PER_MS);
	}
	numbered_destroy(numbered);
}

static void fill_at(uint32_t call, bool lasting)
{
	char path[64];
	struct load load = {.batches = 6, .writers_only = true, .refusals = true};
	struct shim_plan plan = {
		.calls = 1 << SHIM_WRITE | 1 << SHIM_SYNC | 1 << SHIM_CREATE | 1 << SHIM_RESIZE,
		.fail_at = call,
		.lasting = lasting,
		.error = ENOSPC,
		.torn = true,
	};
	temp_directory(path);
	shim_start(path, 0);
	load.ledger = ledger_create();
	load.store = open_store(path);
	write_numbered(&load);
	shim_plan(&plan);
	write_in_vain(&load);
	shim_release();
	ledger_begin(load.ledger);
	write_numbered(&load);
	check_numbered(&load);
	store_close(load.store);
	load.store = open_store(path);
	check_numbered(&load);
	store_close(load.store);
	ledger_destroy(load.ledger);
	shim_stop();
	remove_directory(path);
}

static void no_room_in_the_middle_of_a_commit_refuses_it_and_nothing_else(void **state)
{
	(void)state;
	for (uint32_t call = 1; call <= 8; call++) {
		fill_at(call, false);
		fill_at(call, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_without_its_reserve_refuses_ingest_and_recovers),
		cmocka_unit_test(a_disk_that_is_full_to_the_last_byte_refuses_ingest_and_recovers),
		cmocka_unit_test(
			a_disk_that_fills_up_under_maintenance_refuses_ingest_and_recovers),
		cmocka_unit_test(no_room_in_the_middle_of_a_commit_refuses_it_and_nothing_else),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
