/* A store that the program of format 1 wrote (tests/data) is taken over: all
 * is there, writing goes on, and from then on it is format 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "settle_help.h"

#define HOUR_NS (3600ull * 1000000000)

static void unpack(const char *path)
{
	char command[512];
	const char *data = getenv("CRESSET_TEST_DATA");
	assert_non_null(data);
	snprintf(command, sizeof(command), "tar -C '%s' -xzf '%s/store-format-1.tar.gz'", path,
		 data);
	assert_int_equal(system(command), 0);
}

static void read_format(const char *path, char text[32])
{
	char name[96];
	snprintf(name, sizeof(name), "%s/FORMAT", path);
	FILE *file = fopen(name, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, 32, file));
	fclose(file);
}

static void a_store_of_format_1_is_taken_over_whole(void **state)
{
	(void)state;
	char path[64], text[32];
	struct tiny_batch tiny;
	struct err err;
	temp_directory(path);
	unpack(path);
	read_format(path, text);
	assert_string_equal(text, "cresset-store 1\n");
	verify_clean(path); /* which changes nothing: */
	read_format(path, text);
	assert_string_equal(text, "cresset-store 1\n");
	struct store *store = open_store(path);
	read_format(path, text);
	assert_string_equal(text, "cresset-store 2\n");
	assert_int_equal(total_of(store), 5 * 4);
	/* The same hour as its third batch: the mark of format 1 is read and written anew. */
	tiny_batch(&tiny, 3, (20000ull * 24 + 21) * HOUR_NS + HOUR_NS / 2);
	must(store_write(store, &tiny.batch, &err), &err);
	assert_int_equal(total_of(store), 6 * 4);
	store_close(store);
	store = open_store(path);
	assert_int_equal(total_of(store), 6 * 4);
	store_close(store);
	verify_clean(path);
	remove_directory(path);
}

/* In its marks every hour waits, also those without blocks. */
static void a_store_of_format_1_is_settled(void **state)
{
	(void)state;
	char path[64];
	struct rows before;
	struct err err;
	temp_directory(path);
	unpack(path);
	struct store *store = open_store(path);
	read_rows(store, &before);
	assert_true(check_settled(store, true) >= 24);
	must(store_maintain(store, DAY_START(10), &err), &err);
	same_samples(store, &before);
	assert_int_equal(check_settled(store, true), 0);
	assert_int_equal(total_of(store), 5 * 4);
	free_rows(&before);
	store_close(store);
	remove_directory(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_of_format_1_is_taken_over_whole),
		cmocka_unit_test(a_store_of_format_1_is_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
