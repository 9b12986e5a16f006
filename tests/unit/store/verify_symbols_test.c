/* Damage of late symbols, made by hand in a sound store: the one sentence that
 * the verification has for it, and that doing what the sentence says mends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "records.h"
#include "store/embedded/symbols.h"

enum { FUNCTIONS = 600, START = 0x10000, APART = 64, SIZE = 16 };

/* Runs of 256, 256 and 88 ranges. */
static uint64_t start_of_run(unsigned run)
{
	return START + (uint64_t)run * SYMBOLS_PER_RUN * APART;
}

static void put(struct store *store, const char *build_id, const struct store_symbol *symbols,
		size_t count)
{
	struct err err;
	must(store_symbols_put(store, STR("t"), str_of(build_id), STR("upload"), symbols, count,
			       NULL, &err),
	     &err);
}

static void put_many(struct store *store, uint64_t start)
{
	static struct store_symbol symbols[FUNCTIONS];
	static char names[FUNCTIONS][16];
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		snprintf(names[i], sizeof(names[i]), "f%u", i);
		symbols[i] = (struct store_symbol){.start = start + (uint64_t)i * APART,
						   .size = SIZE,
						   .name = str_of(names[i])};
	}
	put(store, "aa", symbols, FUNCTIONS);
}

/* Frames of build id aa; symbols of it and of two that no frame has: functions within functions make more
 * ranges than functions, functions in one place fewer. */
static void make_symbols(const char *path)
{
	const struct store_symbol nested[] = {
		{0x100, 0x100, STR("a"), STR("_a"), STR("a.c")},
		{0x110, 0x10, STR("b"), STR(""), STR("")},
		{0x130, 0x10, STR("c"), STR(""), STR("")},
	};
	const struct store_symbol same[] = {
		{0x100, 8, STR("a"), STR(""), STR("")},
		{0x100, 8, STR("b"), STR(""), STR("")},
		{0x100, 8, STR("c"), STR(""), STR("")},
	};
	struct tiny_batch tiny;
	struct err err;
	struct store *store = open_store(path);
	tiny_batch(&tiny, 0, NOW_NS);
	tiny.frames[1] = (struct store_frame){.kind = STR("native"),
					      .build_id = STR("aa"),
					      .address = START};
	must(store_write(store, &tiny.batch, &err), &err);
	put_many(store, START);
	put(store, "bb", nested, 3);
	put(store, "cc", same, 3);
	store_close(store);
}

/* ---- places ---- */

static struct symbols_place place_of(struct rocks *rocks, const char *build_id)
{
	struct key key = key_meta(META_FORMAT);
	struct str format = record_get(rocks, FAMILY_META, &key);
	uint64_t seed = 0;
	for (size_t i = 4; i < 12; i++)
		seed = seed << 8 | (unsigned char)format.ptr[i];
	free((char *)format.ptr);
	return (struct symbols_place){TENANT, dict_hash(seed, str_of(build_id))};
}

static struct key record_key(struct rocks *rocks)
{
	struct symbols_place place = place_of(rocks, "aa");
	return symbols_record_key(&place);
}

static struct key run_key(struct rocks *rocks, uint64_t start)
{
	return key_symbol(TENANT, place_of(rocks, "aa").hash, start);
}

static void cut(struct rocks *rocks, const struct key *key)
{
	struct str value = record_get(rocks, FAMILY_DICT, key);
	record_put(rocks, FAMILY_DICT, key, str_sub(value, 0, value.len - 1));
	free((char *)value.ptr);
}

static void raise_version(struct rocks *rocks, const struct key *key)
{
	struct str value = record_get(rocks, FAMILY_DICT, key);
	*(char *)(uintptr_t)value.ptr = SYMBOLS_VERSION + 1;
	record_put(rocks, FAMILY_DICT, key, value);
	free((char *)value.ptr);
}

static void copy_run(struct rocks *rocks, uint64_t start, uint64_t to)
{
	struct key from_key = run_key(rocks, start), to_key = run_key(rocks, to);
	struct str value = record_get(rocks, FAMILY_DICT, &from_key);
	record_put(rocks, FAMILY_DICT, &to_key, value);
	free((char *)value.ptr);
}

static void put_ranges(struct rocks *rocks, const struct key *key,
		       const struct symbol_range *ranges, size_t count)
{
	struct buf out = {0};
	symbols_run_put(&out, ranges, count);
	record_put(rocks, FAMILY_DICT, key, buf_text(&out));
	buf_deinit(&out);
}

/* ---- runs ---- */

static void run_cut(struct rocks *rocks)
{
	struct key key = run_key(rocks, start_of_run(1));
	cut(rocks, &key);
}

static void run_of_no_frame_cut(struct rocks *rocks)
{
	struct key key = key_symbol(TENANT, place_of(rocks, "bb").hash, 0x100);
	cut(rocks, &key);
}

static void run_of_another_version(struct rocks *rocks)
{
	struct key key = run_key(rocks, start_of_run(1));
	raise_version(rocks, &key);
}

static void run_with_an_overlap(struct rocks *rocks)
{
	const struct symbol_range ranges[] = {
		{.start = START, .end = START + 8, .name = STR("f")},
		{.start = START + 7, .end = START + 9, .name = STR("g")},
	};
	struct key key = run_key(rocks, START);
	put_ranges(rocks, &key, ranges, 2);
}

static void run_without_a_name(struct rocks *rocks)
{
	const struct symbol_range range = {.start = START, .end = START + 8};
	struct key key = run_key(rocks, START);
	put_ranges(rocks, &key, &range, 1);
}

static void run_under_another_start(struct rocks *rocks)
{
	struct key key = run_key(rocks, start_of_run(1));
	copy_run(rocks, start_of_run(1), start_of_run(1) - APART + SIZE - 1);
	record_delete(rocks, FAMILY_DICT, &key);
}

static void run_twice(struct rocks *rocks)
{
	copy_run(rocks, start_of_run(0), start_of_run(50));
}

static void run_gone(struct rocks *rocks)
{
	struct key key = run_key(rocks, start_of_run(1));
	record_delete(rocks, FAMILY_DICT, &key);
}

static void all_runs_gone(struct rocks *rocks)
{
	for (unsigned i = 0; i < 3; i++) {
		struct key key = run_key(rocks, start_of_run(i));
		record_delete(rocks, FAMILY_DICT, &key);
	}
}

static void run_key_too_short(struct rocks *rocks)
{
	struct key key = run_key(rocks, start_of_run(1));
	key.len--;
	record_put(rocks, FAMILY_DICT, &key, STR("x"));
}

static void run_of_a_strange_build_id(struct rocks *rocks)
{
	const struct symbol_range range = {.start = START, .end = START + 8, .name = STR("f")};
	struct key key = key_symbol(TENANT, (struct hash128){0xfe, 7}, START);
	put_ranges(rocks, &key, &range, 1);
}

/* ---- records ---- */

static void record_gone(struct rocks *rocks)
{
	struct key key = record_key(rocks);
	record_delete(rocks, FAMILY_DICT, &key);
}

static void record_cut(struct rocks *rocks)
{
	struct key key = record_key(rocks);
	cut(rocks, &key);
}

static void record_of_another_version(struct rocks *rocks)
{
	struct key key = record_key(rocks);
	raise_version(rocks, &key);
}

static void change_record(struct rocks *rocks, const char *build_id, uint64_t functions,
			  uint64_t more_bytes)
{
	struct key key = record_key(rocks);
	struct str value = record_get(rocks, FAMILY_DICT, &key);
	struct store_symbols record;
	struct buf out = {0};
	struct err err;
	must(symbols_record_get(value, &record, &err), &err);
	record.build_id = str_of(build_id);
	record.functions = functions;
	record.size_bytes += more_bytes;
	symbols_record_put(&out, &record);
	record_put(rocks, FAMILY_DICT, &key, buf_text(&out));
	buf_deinit(&out);
	free((char *)value.ptr);
}

static void record_with_more_bytes(struct rocks *rocks)
{
	change_record(rocks, "aa", FUNCTIONS, 1);
}

static void record_with_too_few_functions(struct rocks *rocks)
{
	change_record(rocks, "aa", FUNCTIONS / 2 - 1, 0);
}

static void record_with_too_many_functions(struct rocks *rocks)
{
	change_record(rocks, "aa", STORE_SYMBOLS_MAX + 1, 0);
}

static void record_of_another_build_id(struct rocks *rocks)
{
	change_record(rocks, "zz", FUNCTIONS, 0);
}

static void record_key_too_short(struct rocks *rocks)
{
	struct key key = key_kind(TENANT, KEY_SYMBOLS);
	key_u64(&key, 7);
	record_put(rocks, FAMILY_DICT, &key, STR("x"));
}

/* ---- all ---- */

/* Each is exactly one finding. */
static const struct symbols_damage {
	void (*make)(struct rocks *rocks);
	bool stays; /* an upload of the same build id is no help */
	const char *sentence;
} damages[] = {
	{run_cut, false,
	 "tenant \"t\": late symbols of build id aa from address 14000 on: run of symbols: "
	 "malformed; upload its symbols again\n"},
	{run_of_no_frame_cut, true, "build id bb from address 100 on: run of symbols: malformed"},
	{run_of_another_version, false,
	 "build id aa from address 14000 on: run of symbols: version 2 is not 1"},
	{run_with_an_overlap, false,
	 "build id aa from address 10000 on: run of symbols: malformed"},
	{run_without_a_name, false, "build id aa from address 10000 on: run of symbols: malformed"},
	{run_under_another_start, false,
	 "build id aa: the run from address 13fcf on overlaps the one before, which ends at 13fd0; "
	 "upload its symbols again\n"},
	{run_twice, false, "late symbols of build id aa: the record says "},
	{run_gone, false, "late symbols of build id aa: the record says "},
	{all_runs_gone, false,
	 "late symbols of build id aa: the record says 600 functions, but none is there; upload "
	 "its "
	 "symbols again\n"},
	{run_key_too_short, false, "late symbols: the key has 28 bytes instead of 29"},
	{run_of_a_strange_build_id, true,
	 "late symbols of build id with hash 00000000000000fe0000000000000007 (no frame has it): 1 "
	 "runs have no record, so they name nothing; upload its symbols again\n"},
	{record_gone, false,
	 "late symbols of build id aa: 3 runs have no record, so they name nothing; upload its "
	 "symbols again\n"},
	{record_cut, false,
	 "late symbols of build id aa: record of symbols: cut short or malformed at byte 22; "
	 "upload"},
	{record_of_another_version, true,
	 "late symbols of build id aa: record of symbols: version 2 is not 1; a newer cresset "
	 "wrote it\n"},
	{record_with_more_bytes, false, "late symbols of build id aa: the record says "},
	{record_with_too_few_functions, false,
	 "build id aa: the record says 299 functions, which the 600 address ranges of the runs "
	 "cannot come from; upload its symbols again\n"},
	{record_with_too_many_functions, false, "build id aa: the record says 4000001 functions"},
	{record_of_another_build_id, false,
	 "late symbols of build id aa: the record there is that of zz; upload its symbols again\n"},
	{record_key_too_short, true, "record of late symbols: the key has 13 bytes instead of 21"},
};

/* None of the new runs stands where an old one does. */
static void mend(const char *path)
{
	struct store *store = open_store(path);
	put_many(store, START + APART / 2);
	store_close(store);
}

static void play(const struct symbols_damage *damage)
{
	char path[64];
	temp_directory(path);
	make_symbols(path);
	expect_no_finding(path);
	struct rocks *rocks = records_open(path);
	damage->make(rocks);
	rocks_close(rocks);
	expect_finding(path, 1, damage->sentence);
	if (!damage->stays) {
		mend(path);
		expect_no_finding(path);
	}
	remove_directory(path);
}

static void every_damage_has_its_sentence_and_an_upload_mends_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		play(&damages[i]);
}

static void ignore(void *user, const char *sentence)
{
	(void)user;
	(void)sentence;
}

/* With a finding that needs texts of the dictionary. */
static void short_of_memory_it_says_so(void **state)
{
	char path[64];
	const struct store_verify options = {.path = path, .memory_bytes = 1, .found = ignore};
	struct store_verified verified = {0};
	struct err err;
	int rc = ERR_NOMEM;
	uint64_t nth = 1;
	(void)state;
	temp_directory(path);
	make_symbols(path);
	struct rocks *rocks = records_open(path);
	record_gone(rocks);
	rocks_close(rocks);
	for (; rc && nth < 1000; nth++) {
		mem_fail_nth(nth);
		rc = store_verify(&options, &verified, &err);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(verified.findings, 1);
	remove_directory(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_damage_has_its_sentence_and_an_upload_mends_it),
		cmocka_unit_test(short_of_memory_it_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
