/* Damage of blocks, totals and marks, made by hand in a sound store, and the
 * sentence that the verification has for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "help.h"
#include "records.h"
#include "store/embedded/block.h"
#include "store/embedded/mark.h"
#include "store/embedded/tenant.h"

static struct key block_key(struct rocks *rocks, uint32_t series, struct str *ret_value)
{
	struct key from = key_samples_series(TENANT, DAY, series, 0);
	return record_first(rocks, FAMILY_SAMPLES, &from, ret_value);
}

/* ---- blocks ---- */

/* The nth number of the head behind the version: present, count, span of time, sum. */
static void change_head(struct rocks *rocks, unsigned nth, unsigned change)
{
	struct str value;
	struct key key = block_key(rocks, 1, &value);
	char *at = (char *)value.ptr + 1;
	for (; nth; at++)
		nth -= !(*at & 0x80);
	*at = (char)(*at ^ (char)change);
	record_put(rocks, FAMILY_SAMPLES, &key, value);
	free((char *)value.ptr);
}

static void flip_sum(struct rocks *rocks)
{
	change_head(rocks, 3, 2);
}

static void raise_count(struct rocks *rocks)
{
	change_head(rocks, 1, 1);
}

static void change_span_of_time(struct rocks *rocks)
{
	change_head(rocks, 2, 1);
}

static void cut_block(struct rocks *rocks)
{
	struct str value;
	struct key key = block_key(rocks, 1, &value);
	record_put(rocks, FAMILY_SAMPLES, &key, str_sub(value, 0, value.len - 1));
	free((char *)value.ptr);
}

static void newer_block(struct rocks *rocks)
{
	struct str value;
	struct key key = block_key(rocks, 1, &value);
	*(char *)value.ptr = 2;
	record_put(rocks, FAMILY_SAMPLES, &key, value);
	free((char *)value.ptr);
}

/* A second block of series 1, whose first row is given column by column; the other row is sound. */
static void put_block(struct rocks *rocks, const struct sample_key *at, const int64_t (*columns)[2])
{
	struct buf out = {0};
	static const struct store_span span = {{1}, {2}};
	struct block_rows rows = {.count = 2, .spans = &span, .span_count = 1};
	struct key key = key_samples(at);
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
		rows.columns[c] = columns[c];
	block_encode(&out, &rows);
	record_put(rocks, FAMILY_SAMPLES, &key, buf_text(&out));
	buf_deinit(&out);
}

static const struct sample_key at_now = {TENANT, DAY, 1, NOW_NS, 1};

static void put_changed(struct rocks *rocks, enum block_column column, int64_t value)
{
	int64_t columns[BLOCK_COLUMNS][2] =
		{[BLOCK_NODE] = {1, 1}, [BLOCK_VALUE] = {1, 1}, [BLOCK_TIME] = {0, 1}};
	columns[column][0] = value;
	put_block(rocks, &at_now, columns);
}

static void unknown_node(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_NODE, 3);
}

static void negative_node(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_NODE, -1);
}

static void unknown_thread_name(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_THREAD_NAME, 77);
}

static void large_pid(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_PID, 1ll << 32);
}

static void large_cpu(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_CPU, 1 << 21);
}

static void unknown_span(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_SPAN, 2);
}

static void late_start(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_TIME, 1);
}

static void block_over_an_hour(struct rocks *rocks)
{
	put_changed(rocks, BLOCK_TIME, (int64_t)HOUR_NS);
}

static void move_block(struct rocks *rocks, const struct sample_key *at)
{
	static const int64_t columns[BLOCK_COLUMNS][2] =
		{[BLOCK_NODE] = {1, 1}, [BLOCK_VALUE] = {1, 1}};
	put_block(rocks, at, columns);
}

static void block_of_another_day(struct rocks *rocks)
{
	move_block(rocks, &(struct sample_key){TENANT, DAY, 1, NOW_NS + 24 * HOUR_NS, 1});
}

static void block_with_a_later_number(struct rocks *rocks)
{
	move_block(rocks, &(struct sample_key){TENANT, DAY, 1, NOW_NS, 99});
}

static void block_of_no_series(struct rocks *rocks)
{
	move_block(rocks, &(struct sample_key){TENANT, DAY, 9, NOW_NS, 1});
}

static void block_key_too_short(struct rocks *rocks)
{
	struct key key = key_samples_series(TENANT, DAY, 1, NOW_NS);
	record_put(rocks, FAMILY_SAMPLES, &key, STR("x"));
}

/* ---- totals and marks ---- */

static void change_total(struct rocks *rocks, unsigned nth)
{
	struct key key = key_meta_day(TENANT, DAY);
	struct str value = record_get(rocks, FAMILY_META, &key);
	struct day_stats day = {0};
	struct err err;
	must(day_decode(value, &day, &err), &err);
	uint64_t numbers[] = {day.samples, day.blocks, day.bytes, day.oldest_ns, day.newest_ns};
	numbers[nth]++;
	put_numbers(rocks, FAMILY_META, &key, true, numbers, 5);
	free((char *)value.ptr);
}

static void wrong_samples(struct rocks *rocks)
{
	change_total(rocks, 0);
}

static void wrong_blocks(struct rocks *rocks)
{
	change_total(rocks, 1);
}

static void wrong_bytes(struct rocks *rocks)
{
	change_total(rocks, 2);
}

static void wrong_oldest(struct rocks *rocks)
{
	change_total(rocks, 3);
}

static void wrong_newest(struct rocks *rocks)
{
	change_total(rocks, 4);
}

static void no_total(struct rocks *rocks)
{
	struct key key = key_meta_day(TENANT, DAY);
	record_delete(rocks, FAMILY_META, &key);
}

static void malformed_total(struct rocks *rocks)
{
	struct key key = key_meta_day(TENANT, DAY);
	record_put(rocks, FAMILY_META, &key, STR("\1\2"));
}

static void total_of_an_empty_day(struct rocks *rocks)
{
	struct key key = key_meta_day(TENANT, DAY + 1);
	put_numbers(rocks, FAMILY_META, &key, true, (const uint64_t[]){1, 1, 1, 1, 1}, 5);
}

static void put_mark(struct rocks *rocks, uint32_t day, uint32_t series, struct mark mark)
{
	struct key key = key_kind_u32x2(TENANT, KEY_DAY, day, series);
	struct buf out = {0};
	mark_encode(&out, &mark);
	record_put(rocks, FAMILY_SERIES, &key, buf_text(&out));
	buf_deinit(&out);
}

static void mark_without_blocks(struct rocks *rocks)
{
	put_mark(rocks, DAY + 1, 1, (struct mark){.columns = 7, .pending = 1});
}

static void mark_without_blocks_in_between(struct rocks *rocks)
{
	put_mark(rocks, DAY - 1, 3, (struct mark){.columns = 7, .pending = 1});
}

static void blocks_without_mark(struct rocks *rocks)
{
	struct key key = key_kind_u32x2(TENANT, KEY_DAY, DAY, 2);
	record_delete(rocks, FAMILY_SERIES, &key);
}

static void mark_with_other_columns(struct rocks *rocks)
{
	put_mark(rocks, DAY, 1, (struct mark){.columns = 3, .pending = 1 << 5});
}

static void mark_with_sums_of_an_empty_hour(struct rocks *rocks)
{
	put_mark(rocks, DAY, 1, (struct mark){.columns = 23, .pending = 1 << 5, .hour = 1 << 6});
}

static void malformed_mark(struct rocks *rocks)
{
	struct key key = key_kind_u32x2(TENANT, KEY_DAY, DAY, 1);
	record_put(rocks, FAMILY_SERIES, &key, STR("\x80"));
}

static void mark_key_too_short(struct rocks *rocks)
{
	struct key key = key_kind_u32(TENANT, KEY_DAY, DAY);
	record_put(rocks, FAMILY_SERIES, &key, STR("\7"));
}

static const struct damage damages[] = {
	{flip_sum, 1,
	 "tenant \"t\": series 1: block of 2025-11-18 05:00:00.000000000 (number 1): its head "
	 "says that its values add up to 5, they add up to 4"},
	{raise_count, 0, "does not decode"},
	{change_span_of_time, 0, "its head says that its samples span"},
	{cut_block, 0, "sample block: length does not fit its columns"},
	{newer_block, 0, "sample block: version 2 is not 1"},
	{unknown_node, 0, "row 0 has node 3, which is not in the dictionary"},
	{negative_node, 0, "row 0 has node -1, which is not in the dictionary"},
	{unknown_thread_name, 0,
	 "row 0 has string 77 as thread name, which is not in the dictionary"},
	{large_pid, 0, "row 0 has process 4294967296, above 4294967295"},
	{large_cpu, 0, "row 0 has CPU + 1 2097152, above 1048577"},
	{unknown_span, 0, "row 0 has span 2, above 1"},
	{late_start, 0, "its earliest sample lies 1 ns from the time in its key"},
	{block_over_an_hour, 0, "it crosses an hour"},
	{block_of_another_day, 0, "it stands on day 20410, but its time is of day 20411"},
	{block_with_a_later_number, 0, "(number 99): the next number is to be 5"},
	{block_of_no_series, 0, "there are samples of series 9 on day 20410, which is not there"},
	{block_key_too_short, 1, "a block of samples has a malformed key"},
	{wrong_samples, 1, "day 20410: the total says 17 samples, there are 16"},
	{wrong_blocks, 1, "day 20410: the total says 5 blocks, there are 4"},
	{wrong_bytes, 1, "bytes of blocks, there are"},
	{wrong_oldest, 1, "ns as the oldest time, there are"},
	{wrong_newest, 1, "ns as the newest time, there are"},
	{no_total, 1, "day 20410 has blocks, but no totals"},
	{malformed_total, 0, "day 20410: totals of a day: cut short"},
	{total_of_an_empty_day, 1, "day 20411 has totals, but no blocks"},
	{mark_without_blocks, 1, "series 1 is marked on day 20411, but has no blocks there"},
	{mark_without_blocks_in_between, 1,
	 "series 3 is marked on day 20409, but has no blocks there"},
	{blocks_without_mark, 1,
	 "series 2 has blocks on day 20410, but no mark, so queries miss them"},
	{mark_with_other_columns, 1, "the mark says columns 0x3, its blocks have 0x17"},
	{mark_with_sums_of_an_empty_hour, 0,
	 "the mark says sums of the hours 0x40, which have no blocks"},
	{malformed_mark, 1, "series 1 on day 20410: mark of a day: malformed"},
	{mark_key_too_short, 1, "a mark of a day has a malformed key"},
};

static void every_damage_has_its_sentence(void **state)
{
	(void)state;
	play_damages(damages, sizeof(damages) / sizeof(damages[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_damage_has_its_sentence)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
