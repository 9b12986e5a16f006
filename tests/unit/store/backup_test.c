/* Copies of a store: of one at rest, of one in use while others write; whole
 * or not there; and the control socket behind them. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "help.h"
#include "store/embedded/control.h"

#define NOW_NS (1763800000ull * 1000000000)

struct fixture {
	char path[64]; /* of everything; the store is in STORE, its copy in COPY/store */
	char store[80], copy[80], copied_store[96], partial[96];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	snprintf(f->store, sizeof(f->store), "%s/data", f->path);
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->path);
	snprintf(f->copied_store, sizeof(f->copied_store), "%s/store", f->copy);
	snprintf(f->partial, sizeof(f->partial), "%s.partial", f->copy);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	remove_directory(f->path);
	free(f);
	return 0;
}

static void write_some(struct store *store, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, i, NOW_NS);
		must(store_write(store, &tiny.batch, &err), &err);
	}
}

static struct store_copy copy_of(const struct fixture *f)
{
	return (struct store_copy){.from = f->store, .to = f->copy, .within = "store"};
}

static int64_t total_at(const char *path)
{
	struct store *store = open_store(path);
	int64_t total = total_of(store);
	store_close(store);
	return total;
}

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static unsigned mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static unsigned checkpoints_of(const char *store)
{
	char path[128];
	unsigned count = 0;
	snprintf(path, sizeof(path), "%s/checkpoints", store);
	DIR *directory = opendir(path);
	for (struct dirent *e = directory ? readdir(directory) : NULL; e; e = readdir(directory))
		count += e->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return count;
}

/* The owner notices in its own time that a connection is gone. */
static void wait_no_checkpoints(const char *store)
{
	uint64_t deadline_ns = clock_mono_ns() + 10ull * NS_PER_S;
	while (checkpoints_of(store)) {
		assert_true(clock_mono_ns() < deadline_ns);
		clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
	}
}

/* ---- copies ---- */

static void a_store_at_rest_is_copied_whole_and_left_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct store_copied copied = {0};
	struct err err;
	struct store *store = open_store(f->store);
	write_some(store, 0, 30);
	store_close(store);
	must(store_copy(&options, &copied, &err), &err);
	assert_true(copied.files > 3 && copied.bytes > 1000);
	assert_int_equal(mode_of(f->copy), 0700);
	assert_int_equal(mode_of(f->copied_store), 0700);
	assert_false(is_there(f->partial));
	assert_int_equal(total_at(f->copied_store), 120);
	assert_int_equal(total_at(f->store), 120);
}

enum { NUMBERS_MAX = 100000 };

struct writers {
	struct store *store;
	atomic_uint next, count;
	atomic_bool acknowledged[NUMBERS_MAX], stop;
};

static void *write_on(void *arg)
{
	struct writers *w = arg;
	while (!w->stop) {
		unsigned number = atomic_fetch_add(&w->next, 1);
		assert_true(number < NUMBERS_MAX);
		write_some(w->store, number, 1);
		w->acknowledged[number] = true;
		atomic_fetch_add(&w->count, 1);
	}
	return NULL;
}

/* Every batch is there whole or not at all, and those of `wanted` are. */
static void check_batches(const char *path, const bool *wanted, unsigned count)
{
	struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	bool *there = calloc(NUMBERS_MAX, sizeof(*there));
	struct store *store = open_store(path);
	struct arena arena = {0};
	struct err err;
	struct str *numbers;
	size_t number_count;
	must(store_label_values(store, &all, STR("batch"), &arena, &numbers, &number_count, &err),
	     &err);
	for (size_t i = 0; i < number_count; i++)
		there[strtoul(numbers[i].ptr, NULL, 10)] = true;
	for (unsigned i = 0; i < count; i++)
		assert_true(there[i] || !wanted[i]);
	assert_int_equal(total_of(store), 4 * number_count);
	arena_deinit(&arena);
	store_close(store);
	free(there);
}

static void back_up_once(struct fixture *f, struct writers *w)
{
	const struct store_copy backup = copy_of(f);
	bool *wanted = calloc(NUMBERS_MAX, sizeof(*wanted));
	char restored[96];
	struct store_copied copied;
	struct err err;
	unsigned count = w->next;
	for (unsigned i = 0; i < count; i++)
		wanted[i] = w->acknowledged[i];
	must(store_copy(&backup, &copied, &err), &err);
	verify_clean(f->copied_store);
	snprintf(restored, sizeof(restored), "%s/restored/store", f->path);
	const struct store_copy restore = {.from = f->copied_store, .to = restored, .within = ""};
	must(store_copy(&restore, &copied, &err), &err);
	check_batches(restored, wanted, count);
	verify_clean(restored);
	remove_directory(restored);
	remove_directory(f->copy);
	free(wanted);
}

static void a_store_in_use_is_copied_with_all_that_was_acknowledged(void **state)
{
	enum { THREADS = 3 };
	struct fixture *f = *state;
	struct writers *w = calloc(1, sizeof(*w));
	pthread_t threads[THREADS];
	w->store = open_store(f->store);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_on, w), 0);
	for (unsigned round = 0; round < 3; round++) {
		unsigned before = w->count;
		while (w->count < before + 50)
			clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS);
		back_up_once(f, w);
	}
	verify_clean(f->store); /* by a checkpoint, while they write */
	w->stop = true;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	wait_no_checkpoints(f->store);
	assert_int_equal(total_of(w->store), w->count * 4);
	store_close(w->store);
	verify_clean(f->store);
	free(w);
}

static void a_copy_of_a_copy_brings_everything_back(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct store_copied copied;
	struct err err;
	char back[96];
	snprintf(back, sizeof(back), "%s/new/place/store", f->path);
	struct store *store = open_store(f->store);
	write_some(store, 0, 10);
	must(store_copy(&options, &copied, &err), &err);
	write_some(store, 10, 10);
	store_close(store);
	options = (struct store_copy){.from = f->copied_store, .to = back, .within = ""};
	must(store_copy(&options, &copied, &err), &err);
	store = open_store(back);
	assert_int_equal(total_of(store), 40);
	/* The same hash seed: a client's retry is still known. */
	write_some(store, 0, 10);
	assert_int_equal(total_of(store), 40);
	store_close(store);
}

/* ---- refusals ---- */

static void expect_refusal(const struct store_copy *options, int code, const char *text)
{
	struct store_copied copied = {.bytes = 77};
	struct err err;
	int rc = store_copy(options, &copied, &err);
	if (rc != code || !strstr(err.text, text))
		fail_msg("%d \"%s\" instead of %d \"%s\"", rc, rc ? err.text : "", code, text);
	assert_int_equal(copied.bytes, 77);
}

static void a_place_that_is_taken_and_a_store_that_is_not_there_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	expect_refusal(&options, ERR_NOT_FOUND, "there is no store in");
	struct store *store = open_store(f->store);
	store_close(store);
	assert_int_equal(mkdir(f->copy, 0700), 0);
	expect_refusal(&options, ERR_EXISTS, "is there already");
	assert_false(is_there(f->partial));
}

static void a_newer_format_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	char path[128];
	store_close(open_store(f->store));
	snprintf(path, sizeof(path), "%s/FORMAT", f->store);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("cresset-store 99\n", file);
	fclose(file);
	expect_refusal(&options, ERR_UNSUPPORTED, "has format 99");
	assert_false(is_there(f->copy));
	assert_false(is_there(f->partial));
}

struct stopper {
	_Atomic int cancelled;
	unsigned calls;
	struct store *close;
};

static void stop_copy(void *user, uint64_t done_bytes, uint64_t all_bytes)
{
	struct stopper *stopper = user;
	assert_true(done_bytes <= all_bytes);
	if (++stopper->calls != 2)
		return;
	store_close(stopper->close);
	stopper->cancelled = stopper->close == NULL;
}

static void an_interrupted_copy_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct stopper stopper = {0};
	struct store_copy options = copy_of(f);
	struct store_copied copied;
	struct err err;
	struct store *store = open_store(f->store);
	write_some(store, 0, 10);
	options.cancelled = &stopper.cancelled;
	options.progress = stop_copy;
	options.user = &stopper;
	expect_refusal(&options, ERR_CANCELLED, "cancelled");
	assert_false(is_there(f->copy));
	assert_false(is_there(f->partial));
	wait_no_checkpoints(f->store);
	stopper = (struct stopper){.calls = 2};
	must(store_copy(&options, &copied, &err), &err);
	store_close(store);
	assert_int_equal(total_at(f->copied_store), 40);
}

static void what_a_killed_copy_left_is_taken_away_by_the_next(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct store_copied copied;
	struct err err;
	char path[160];
	struct store *store = open_store(f->store);
	write_some(store, 0, 10);
	store_close(store);
	assert_int_equal(mkdir(f->partial, 0700), 0);
	snprintf(path, sizeof(path), "%s/store", f->partial);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/store/db", f->partial);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/store/db/000004.sst", f->partial);
	fclose(fopen(path, "w"));
	must(store_copy(&options, &copied, &err), &err);
	snprintf(path, sizeof(path), "%s/db/000004.sst", f->copied_store);
	assert_int_equal(total_at(f->copied_store), 40);
	assert_false(is_there(f->partial));
}

static void a_second_copy_to_the_same_place_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct err err;
	char path[160];
	int fd = -1;
	store_close(open_store(f->store));
	assert_int_equal(mkdir(f->partial, 0700), 0);
	snprintf(path, sizeof(path), "%s/store", f->partial);
	assert_int_equal(mkdir(path, 0700), 0);
	must(directory_lock(path, &fd, &err), &err);
	expect_refusal(&options, ERR_BUSY, "another copy to");
	assert_true(is_there(path));
	close(fd);
}

static void a_store_that_is_closed_meanwhile_says_so(void **state)
{
	struct fixture *f = *state;
	struct stopper stopper = {.close = open_store(f->store)};
	struct store_copy options = copy_of(f);
	write_some(stopper.close, 0, 10);
	options.progress = stop_copy;
	options.user = &stopper;
	expect_refusal(&options, ERR_BUSY, "stopped meanwhile");
	assert_false(is_there(f->copy));
	assert_false(is_there(f->partial));
}

static void a_store_whose_owner_does_not_listen_is_busy(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct err err;
	int fd = -1;
	store_close(open_store(f->store));
	must(directory_lock(f->store, &fd, &err), &err);
	expect_refusal(&options, ERR_BUSY, "cannot be asked for a checkpoint");
	close(fd);
}

static void a_copy_short_of_memory_says_so_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_copy options = copy_of(f);
	struct store_copied copied;
	struct err err;
	int rc = ERR_NOMEM;
	struct store *store = open_store(f->store);
	write_some(store, 0, 10);
	store_close(store);
	for (uint64_t nth = 1; rc && nth < 100; nth++) {
		mem_fail_nth(nth);
		rc = store_copy(&options, &copied, &err);
		mem_fail_nth(0);
		if (rc) {
			assert_int_equal(rc, ERR_NOMEM);
			assert_false(is_there(f->copy));
			assert_false(is_there(f->partial));
		}
	}
	assert_int_equal(rc, 0);
	assert_int_equal(total_at(f->copied_store), 40);
}

/* ---- the socket ---- */

static void ask(int fd, const char *line, char answer[512])
{
	size_t len = 0;
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	while (len < 511 && (len == 0 || answer[len - 1] != '\n')) {
		ssize_t got = read(fd, answer + len, 511 - len);
		assert_true(got > 0);
		len += (size_t)got;
	}
	answer[len] = 0;
}

static int connect_to(const char *directory)
{
	struct err err;
	int fd = -1;
	must(control_connect(directory, &fd, &err), &err);
	return fd;
}

static void the_socket_answers_a_line_with_a_line(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{"checkpoint one\n", "ok checkpoints/one\n"},
		{"checkpoint one\n", "error "},
		{"release two\n", "error this connection holds no checkpoint \"two\""},
		{"release one\n", "ok\n"},
		{"release one\n", "error "},
		{"release \n", "error "},
		{"release\n", "error "},
		{"checkpoint ../up\n", "error \"../up\" is no name"},
		{"checkpoint .hidden\n", "error "},
		{"checkpoint \n", "error "},
		{"\n", "error there is no request"},
		{"drop everything\n", "error there is no request"},
	};
	struct fixture *f = *state;
	char answer[512], path[128];
	struct store *store = open_store(f->store);
	write_some(store, 0, 3);
	snprintf(path, sizeof(path), "%s/control", f->store);
	assert_int_equal(mode_of(path), 0600);
	int fd = connect_to(f->store);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(fd, rows[i].line, answer);
		if (strncmp(answer, rows[i].answer, strlen(rows[i].answer)) != 0)
			fail_msg("%s -> %s", rows[i].line, answer);
	}
	assert_int_equal(checkpoints_of(f->store), 0);
	close(fd);
	store_close(store);
	assert_false(is_there(path));
}

static void a_checkpoint_lives_as_long_as_its_connection(void **state)
{
	struct fixture *f = *state;
	char answer[512], name[32], path[160];
	struct store *store = open_store(f->store);
	write_some(store, 0, 3);
	int fd = connect_to(f->store);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "checkpoint c%u\n", i);
		ask(fd, name, answer);
		assert_int_equal(strncmp(answer, "ok", 2), 0);
	}
	ask(fd, "checkpoint more\n", answer);
	assert_non_null(strstr(answer, "may hold 4"));
	assert_int_equal(checkpoints_of(f->store), 4);
	snprintf(path, sizeof(path), "%s/checkpoints/c1", f->store);
	assert_int_equal(mode_of(path), 0700);
	close(fd);
	wait_no_checkpoints(f->store);
	/* Held while the store is closed: gone too. */
	fd = connect_to(f->store);
	ask(fd, "checkpoint last\n", answer);
	store_close(store);
	assert_int_equal(checkpoints_of(f->store), 0);
	close(fd);
}

static void a_line_without_an_end_is_hung_up_on(void **state)
{
	struct fixture *f = *state;
	char text[1000], byte;
	struct store *store = open_store(f->store);
	int fd = connect_to(f->store);
	memset(text, 'x', sizeof(text));
	(void)!send(fd, text, sizeof(text), MSG_NOSIGNAL);
	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
	int many[12];
	for (size_t i = 0; i < 12; i++)
		many[i] = connect_to(f->store);
	/* More than there is room for: the last ones are hung up on, the first are served. */
	assert_true(read(many[11], &byte, 1) <= 0);
	char answer[512];
	ask(many[0], "checkpoint a\n", answer);
	assert_string_equal(answer, "ok checkpoints/a\n");
	for (size_t i = 0; i < 12; i++)
		close(many[i]);
	wait_no_checkpoints(f->store);
	store_close(store);
}

static void a_checkpoint_that_a_killed_process_left_goes_at_the_next_start(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct store *store = open_store(f->store);
	write_some(store, 0, 5);
	must(store_checkpoint(store, "left", &err), &err);
	assert_int_equal(store_checkpoint(store, "left", &err), ERR_EXISTS);
	write_some(store, 5, 5);
	store_close(store);
	char path[160];
	snprintf(path, sizeof(path), "%s/checkpoints/left", f->store);
	assert_int_equal(total_at(path), 20);
	store = open_store(f->store);
	assert_int_equal(checkpoints_of(f->store), 0);
	assert_int_equal(store_checkpoint_drop(store, "left", &err), ERR_NOT_FOUND);
	store_close(store);
}

static void a_path_too_long_for_a_socket_address_works(void **state)
{
	struct fixture *f = *state;
	struct store_copied copied;
	struct err err;
	char path[320];
	snprintf(path, sizeof(path), "%s/%0120d/data", f->path, 7);
	struct store *store = open_store(path);
	write_some(store, 0, 5);
	struct store_copy options = {.from = path, .to = f->copy, .within = ""};
	must(store_copy(&options, &copied, &err), &err);
	assert_int_equal(total_at(f->copy), 20);
	store_close(store);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_store_at_rest_is_copied_whole_and_left_as_it_is),
		TEST(a_store_in_use_is_copied_with_all_that_was_acknowledged),
		TEST(a_copy_of_a_copy_brings_everything_back),
		TEST(a_place_that_is_taken_and_a_store_that_is_not_there_are_refused),
		TEST(a_newer_format_is_refused),
		TEST(an_interrupted_copy_leaves_nothing),
		TEST(what_a_killed_copy_left_is_taken_away_by_the_next),
		TEST(a_second_copy_to_the_same_place_is_refused),
		TEST(a_store_that_is_closed_meanwhile_says_so),
		TEST(a_store_whose_owner_does_not_listen_is_busy),
		TEST(a_copy_short_of_memory_says_so_and_leaves_nothing),
		TEST(the_socket_answers_a_line_with_a_line),
		TEST(a_checkpoint_lives_as_long_as_its_connection),
		TEST(a_line_without_an_end_is_hung_up_on),
		TEST(a_checkpoint_that_a_killed_process_left_goes_at_the_next_start),
		TEST(a_path_too_long_for_a_socket_address_works),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
