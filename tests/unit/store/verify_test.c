/* The verification as a whole: what it counts, what it says and how much of it,
 * what it refuses. Damage of every class: verify_blocks_test.c,
 * verify_dict_test.c, verify_sums_test.c. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "records.h"
#include "store/embedded/run.h"

/* ---- what is no damage ---- */

static void collected(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, KEY_NODE, 3);
	struct buf out = {0};
	/* Ids were taken and given back: no strings, frames and nodes, but entries without content. */
	const struct node_row node = {2, 0};
	const struct frame_row frame = {0};
	const struct str text = STR("");
	const uint64_t counters[] = {100, 100, 100, 100, 100};
	run_put_nodes(&out, &node, 1, 3);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	out.len = 0;
	run_put_frames(&out, &frame, 1);
	key = key_kind_u32(TENANT, KEY_FRAME, 3);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	out.len = 0;
	run_put_strings(&out, &text, 1);
	key = key_kind_u32(TENANT, KEY_STRING, 90);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	buf_deinit(&out);
	key = key_meta_tenant(META_COUNTERS, TENANT);
	put_numbers(rocks, FAMILY_META, &key, true, counters, 5);
}

static void ids_without_content_are_no_damage(void **state)
{
	char path[64];
	(void)state;
	temp_directory(path);
	make_store(path);
	struct rocks *rocks = records_open(path);
	collected(rocks);
	rocks_close(rocks);
	expect_no_finding(path);
	remove_directory(path);
}

static void a_frame_that_says_nothing_is_a_frame(void **state)
{
	char path[64];
	struct tiny_batch tiny;
	struct err err;
	(void)state;
	temp_directory(path);
	struct store *store = open_store(path);
	tiny_batch(&tiny, 0, NOW_NS);
	tiny.frames[1] = (struct store_frame){0};
	must(store_write(store, &tiny.batch, &err), &err);
	store_close(store);
	expect_no_finding(path);
	struct rocks *rocks = records_open(path);
	struct key from = key_kind(TENANT, KEY_FRAME);
	struct str value;
	struct key key = record_first(rocks, FAMILY_IDS, &from, &value);
	record_delete(rocks, FAMILY_IDS, &key);
	free((char *)value.ptr);
	rocks_close(rocks);
	expect_finding(path, 0, "");
	remove_directory(path);
}

/* ---- bounds, refusals ---- */

static void break_sum(struct rocks *rocks)
{
	struct key from = key_samples_series(TENANT, DAY, 1, 0);
	struct str value;
	struct key key = record_first(rocks, FAMILY_SAMPLES, &from, &value);
	char *at = (char *)(uintptr_t)value.ptr + 1;
	for (unsigned left = 3; left; at++) /* columns, count, span of time */
		left -= !(*at & 0x80);
	*at ^= 2;
	record_put(rocks, FAMILY_SAMPLES, &key, value);
	free((char *)value.ptr);
}

static void many_findings_of_a_kind_are_counted_and_some_are_said(void **state)
{
	enum { MANY = 57 };
	struct findings *findings = calloc(1, sizeof(*findings));
	char path[64];
	unsigned lines = 0;
	(void)state;
	temp_directory(path);
	make_store(path);
	struct rocks *rocks = records_open(path);
	for (unsigned i = 0; i < MANY; i++)
		put_id(rocks, KEY_STRING, 1000 + i, 1000 + i);
	put_id(rocks, KEY_SERIES, 7, 500);
	break_sum(rocks);
	rocks_close(rocks);
	findings_of(path, findings);
	for (const char *at = findings->text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(findings->verified.findings, MANY + 2);
	assert_int_equal(findings->verified.findings_said, lines);
	assert_int_equal(lines, 20 + 1);
	assert_non_null(strstr(findings->text, "add up to 5"));
	free(findings);
	remove_directory(path);
}

static void the_summary_counts_what_was_looked_at(void **state)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	const struct store_verified *v = &findings->verified;
	char path[64];
	(void)state;
	temp_directory(path);
	make_store(path);
	findings_of(path, findings);
	assert_int_equal(v->tenants, 1);
	assert_int_equal(v->days, 1);
	assert_int_equal(v->series, HOURS);
	assert_int_equal(v->postings, HOURS * 2);
	assert_int_equal(v->marks, HOURS);
	assert_int_equal(v->blocks, HOURS);
	assert_int_equal(v->samples, HOURS * 4);
	assert_int_equal(v->samples_all, HOURS * 4);
	assert_int_equal(v->entries, 6 + HOURS + 2 + 2);
	assert_int_equal(v->ids, v->entries + HOURS);
	assert_true(v->bytes > 500 && v->took_ns > 0);
	free(findings);
	remove_directory(path);
}

static int try_verify(const char *path, const _Atomic int *cancelled, struct err *err)
{
	struct store_verify options = {.path = path, .cancelled = cancelled};
	struct store_verified verified;
	return store_verify(&options, &verified, err);
}

static void what_is_no_store_or_a_newer_one_is_refused(void **state)
{
	char path[64], file[80];
	struct err err;
	(void)state;
	temp_directory(path);
	assert_int_equal(try_verify(path, NULL, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "there is no store in"));
	make_store(path);
	struct rocks *rocks = records_open(path);
	struct key key = key_meta(META_FORMAT);
	struct key value = {0};
	key_u32(&value, 99);
	key_u64(&value, 1);
	record_put(rocks, FAMILY_META, &key, key_str(&value));
	rocks_close(rocks);
	assert_int_equal(try_verify(path, NULL, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "has format 99"));
	snprintf(file, sizeof(file), "%s/db/CURRENT", path);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(try_verify(path, NULL, &err), ERR_CORRUPT);
	remove_directory(path);
}

static void it_stops_when_it_is_told_to(void **state)
{
	const _Atomic int cancelled = 1;
	char path[64];
	struct err err;
	(void)state;
	temp_directory(path);
	make_store(path);
	struct rocks *rocks = records_open(path);
	for (unsigned i = 0; i < 1000; i++)
		put_id(rocks, KEY_STRING, 1000 + i, 1000 + i);
	rocks_close(rocks);
	assert_int_equal(try_verify(path, &cancelled, &err), ERR_CANCELLED);
	remove_directory(path);
}

static void short_of_memory_it_says_so(void **state)
{
	char path[64];
	struct err err;
	int rc = ERR_NOMEM;
	unsigned nth = 1;
	(void)state;
	temp_directory(path);
	make_store(path);
	for (; rc && nth < 1000; nth++) {
		mem_fail_nth(nth);
		rc = try_verify(path, NULL, &err);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
	assert_true(nth > 10);
	remove_directory(path);
}

/* ---- files ---- */

static void change_largest_table(const char *store_path, off_t at)
{
	char pattern[128], byte = 0;
	const char *largest = NULL;
	off_t most = 0;
	glob_t found;
	snprintf(pattern, sizeof(pattern), "%s/db/*.sst", store_path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct stat st;
		assert_int_equal(stat(found.gl_pathv[i], &st), 0);
		if (st.st_size > most) {
			most = st.st_size;
			largest = found.gl_pathv[i];
		}
	}
	int fd = open(largest, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte = (char)(byte ^ 0x55);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
	globfree(&found);
}

static void a_changed_byte_of_a_table_is_found(void **state)
{
	char path[64];
	(void)state;
	temp_directory(path);
	struct store *store = open_store(path);
	for (unsigned i = 0; i < 300; i++) {
		struct tiny_batch tiny;
		struct err err;
		tiny_batch(&tiny, i, NOW_NS + i * 1000);
		must(store_write(store, &tiny.batch, &err), &err);
	}
	store_close(store);
	change_largest_table(path, 50);
	expect_finding(path, 0, "Corruption: block checksum mismatch");
	expect_finding(path, 0, "what stands behind it there was not checked");
	remove_directory(path);
}

static void a_store_in_use_is_verified_by_a_checkpoint(void **state)
{
	char path[64];
	struct tiny_batch tiny;
	struct err err;
	(void)state;
	temp_directory(path);
	struct store *store = open_store(path);
	tiny_batch(&tiny, 0, NOW_NS);
	must(store_write(store, &tiny.batch, &err), &err);
	expect_no_finding(path);
	tiny_batch(&tiny, 1, NOW_NS);
	must(store_write(store, &tiny.batch, &err), &err);
	assert_int_equal(total_of(store), 8);
	store_close(store);
	expect_no_finding(path);
	remove_directory(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_without_content_are_no_damage),
		cmocka_unit_test(a_frame_that_says_nothing_is_a_frame),
		cmocka_unit_test(many_findings_of_a_kind_are_counted_and_some_are_said),
		cmocka_unit_test(the_summary_counts_what_was_looked_at),
		cmocka_unit_test(what_is_no_store_or_a_newer_one_is_refused),
		cmocka_unit_test(it_stops_when_it_is_told_to),
		cmocka_unit_test(short_of_memory_it_says_so),
		cmocka_unit_test(a_changed_byte_of_a_table_is_found),
		cmocka_unit_test(a_store_in_use_is_verified_by_a_checkpoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
