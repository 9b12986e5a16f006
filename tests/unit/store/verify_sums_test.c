/* Sums by minute, hour and day, made by hand beside the samples: right ones pass,
 * and every way to be wrong has its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "help.h"
#include "records.h"
#include "store/embedded/block.h"
#include "store/embedded/mark.h"

enum { NODES = 12, ROWS = 3000, ROWS_MAX = 80000, SUMS_NUMBER = 50 };

#define MINUTE_NS (60ull * 1000000000)
#define DAY_NS	  (24 * HOUR_NS)
#define START_NS  (DAY * DAY_NS)

struct row {
	uint64_t time_ns;
	int64_t value;
	uint32_t node;
};

/* The samples of a store with one series, and the sums that are put beside them. */
struct sums {
	char path[64];
	struct rocks *rocks;
	struct row *samples, *rows;
	size_t sample_count, count;
};

/* ---- samples ---- */

static void write_samples(struct sums *s, unsigned nodes)
{
	struct store_sample *samples = calloc(s->sample_count, sizeof(*samples));
	struct store_node *tree = calloc(nodes + 1, sizeof(*tree));
	struct tiny_batch tiny;
	struct err err;
	tiny_batch(&tiny, 0, NOW_NS);
	/* A chain, so that the dictionary gives each the number that it has here. */
	for (unsigned i = 1; i <= nodes; i++)
		tree[i] = (struct store_node){i - 1, i % 2};
	for (size_t i = 0; i < s->sample_count; i++)
		samples[i] = (struct store_sample){.time_ns = s->samples[i].time_ns,
						   .value = s->samples[i].value,
						   .node = s->samples[i].node,
						   .tid = (uint32_t)i % 7,
						   .cpu = -1};
	tiny.series.samples = samples;
	tiny.series.sample_count = s->sample_count;
	tiny.batch.nodes = tree;
	tiny.batch.node_count = nodes + 1;
	struct store *store = open_store(s->path);
	must(store_write(store, &tiny.batch, &err), &err);
	store_close(store);
	free(samples);
	free(tree);
}

/* Hours 5, 6 and 9; some samples on the very border of a minute and an hour, some values that cancel out. */
static struct row random_row(struct random *random)
{
	static const unsigned hours[] = {5, 6, 9};
	struct row row = {.node = 1 + random_below(random, NODES)};
	row.time_ns = START_NS + hours[random_below(random, 3)] * HOUR_NS;
	if (random_below(random, 10))
		row.time_ns += random_below(random, 60) * MINUTE_NS;
	if (random_below(random, 5))
		row.time_ns += random_u64(random) % MINUTE_NS;
	row.value = (int64_t)random_below(random, 7) - 3;
	return row;
}

static void begin(struct sums *s)
{
	const uint64_t counters[] = {100, 100, 100000, 100, 100};
	struct random random = {7};
	struct key key = key_meta_tenant(META_COUNTERS, TENANT);
	*s = (struct sums){.sample_count = ROWS};
	s->samples = calloc(ROWS_MAX, sizeof(*s->samples));
	s->rows = calloc(ROWS_MAX, sizeof(*s->rows));
	temp_directory(s->path);
	for (size_t i = 0; i < ROWS; i++)
		s->samples[i] = random_row(&random);
	write_samples(s, NODES);
	s->rocks = records_open(s->path);
	put_numbers(s->rocks, FAMILY_META, &key, true, counters, 5);
}

static void end(struct sums *s)
{
	remove_directory(s->path);
	free(s->samples);
	free(s->rows);
}

/* ---- sums ---- */

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* Written down from the rule, not shared: a sample on the border keeps its time, the others of the
 * bucket have its begin + 1. */
static uint64_t coarse(uint64_t time_ns, uint64_t bucket_ns)
{
	return time_ns % bucket_ns ? time_ns / bucket_ns * bucket_ns + 1 : time_ns;
}

static void add_up(struct sums *s, uint64_t bucket_ns, uint64_t from_ns, uint64_t to_ns)
{
	size_t count = 0, kept = 0;
	for (size_t i = 0; i < s->sample_count; i++) {
		if (s->samples[i].time_ns < from_ns || s->samples[i].time_ns >= to_ns)
			continue;
		s->rows[count] = s->samples[i];
		s->rows[count].time_ns = coarse(s->rows[count].time_ns, bucket_ns);
		count++;
	}
	assert_true(count > 0);
	qsort(s->rows, count, sizeof(*s->rows), compare_rows);
	for (size_t i = 1; i < count; i++)
		if (compare_rows(&s->rows[kept], &s->rows[i]) == 0)
			s->rows[kept].value += s->rows[i].value;
		else
			s->rows[++kept] = s->rows[i];
	s->count = kept + 1;
}

static void put_rows(struct sums *s, enum level level, const struct row *rows, size_t count,
		     uint64_t sequence)
{
	struct sample_key at = {TENANT, DAY, 1, UINT64_MAX, sequence};
	struct block_rows block = {.count = count};
	int64_t *columns[3];
	struct buf out = {0};
	for (size_t i = 0; i < count; i++)
		at.time_ns = rows[i].time_ns < at.time_ns ? rows[i].time_ns : at.time_ns;
	for (size_t c = 0; c < 3; c++)
		block.columns[c] = columns[c] = calloc(count, sizeof(int64_t));
	for (size_t i = 0; i < count; i++) {
		columns[BLOCK_TIME][i] = (int64_t)(rows[i].time_ns - at.time_ns);
		columns[BLOCK_NODE][i] = rows[i].node;
		columns[BLOCK_VALUE][i] = rows[i].value;
	}
	block_encode(&out, &block);
	struct key key = key_sums((uint8_t)level, &at);
	record_put(s->rocks, FAMILY_ROLLUPS, &key, buf_text(&out));
	buf_deinit(&out);
	for (size_t c = 0; c < 3; c++)
		free(columns[c]);
}

/* In two blocks, which share a row between them. */
static void put_sums(struct sums *s, enum level level, uint64_t sequence)
{
	size_t half = s->count / 2;
	if (s->count < 2) {
		put_rows(s, level, s->rows, s->count, sequence);
		return;
	}
	struct row shared = s->rows[half];
	s->rows[half].value = 1000;
	put_rows(s, level, s->rows, half + 1, sequence);
	s->rows[half].value = shared.value - 1000;
	put_rows(s, level, s->rows + half, s->count - half, sequence + 1);
	s->rows[half] = shared;
}

static void put_mark(struct sums *s, struct mark mark)
{
	struct key key = key_kind_u32x2(TENANT, KEY_DAY, DAY, 1);
	struct buf out = {0};
	mark.columns = 0x17;
	mark_encode(&out, &mark);
	record_put(s->rocks, FAMILY_SERIES, &key, buf_text(&out));
	buf_deinit(&out);
}

static void sum_hour(struct sums *s, enum level level, unsigned hour)
{
	uint64_t from_ns = START_NS + hour * HOUR_NS;
	add_up(s, level == LEVEL_MINUTE ? MINUTE_NS : HOUR_NS, from_ns, from_ns + HOUR_NS);
}

static void sum_day(struct sums *s)
{
	add_up(s, DAY_NS, START_NS, START_NS + DAY_NS);
}

enum { HOURS_5_6_9 = 1 << 5 | 1 << 6 | 1 << 9 };

/* Everything settled, every level there. */
static void put_all(struct sums *s)
{
	static const unsigned hours[] = {5, 6, 9};
	for (size_t i = 0; i < 3; i++)
		for (enum level level = LEVEL_MINUTE; level <= LEVEL_HOUR; level++) {
			sum_hour(s, level, hours[i]);
			put_sums(s, level, SUMS_NUMBER);
		}
	sum_day(s);
	put_sums(s, LEVEL_DAY, SUMS_NUMBER);
	put_mark(s,
		 (struct mark){.minute = HOURS_5_6_9, .hour = HOURS_5_6_9, .whole = WHOLE_SUMMED});
}

static void close_records(struct sums *s)
{
	rocks_close(s->rocks);
	s->rocks = NULL;
}

/* ---- right ---- */

static void sums_of_every_level_that_are_right_pass(void **state)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	struct sums s;
	(void)state;
	begin(&s);
	put_all(&s);
	close_records(&s);
	expect_no_finding(s.path);
	findings_of(s.path, findings);
	assert_int_equal(findings->verified.sums, 3 * 2 + 1);
	assert_int_equal(findings->verified.sum_blocks, 2 * (3 * 2 + 1));
	free(findings);
	end(&s);
}

static void sums_that_new_samples_have_overtaken_are_not_judged(void **state)
{
	struct sums s;
	(void)state;
	begin(&s);
	put_all(&s);
	s.rows[0].value += 5;
	s.count = 3;
	put_sums(&s, LEVEL_DAY, SUMS_NUMBER);
	sum_hour(&s, LEVEL_MINUTE, 6);
	s.rows[4].value++;
	put_sums(&s, LEVEL_MINUTE, SUMS_NUMBER);
	put_mark(&s, (struct mark){.pending = 1 << 6,
				   .minute = HOURS_5_6_9,
				   .hour = HOURS_5_6_9,
				   .whole = WHOLE_SUMMED});
	close_records(&s);
	expect_no_finding(s.path);
	end(&s);
}

/* ---- wrong ---- */

static void another_value(struct sums *s)
{
	s->rows[1].value += 1;
}

/* A sum that is 0 tells that the stack was seen. */
static void row_of_zero_missing(struct sums *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].value == 0) {
			s->rows[i] = s->rows[--s->count];
			return;
		}
	fail_msg("no sum is 0");
}

static bool has_row(const struct sums *s, const struct row *row)
{
	for (size_t i = 0; i < s->count; i++)
		if (compare_rows(&s->rows[i], row) == 0)
			return true;
	return false;
}

static void row_of_zero_too_much(struct sums *s)
{
	struct row row = {.time_ns = START_NS + 6 * HOUR_NS, .node = 1};
	while (has_row(s, &row))
		row.time_ns += MINUTE_NS;
	assert_true(row.time_ns < START_NS + 7 * HOUR_NS);
	s->rows[s->count++] = row;
}

static void two_rows_exchanged(struct sums *s)
{
	size_t other = 1;
	while (s->rows[other].value == s->rows[0].value)
		other++;
	int64_t value = s->rows[0].value;
	s->rows[0].value = s->rows[other].value;
	s->rows[other].value = value;
}

static void border_and_inside_as_one(struct sums *s)
{
	for (size_t i = 0; i + 1 < s->count; i++)
		if (s->rows[i].node == s->rows[i + 1].node &&
		    s->rows[i].time_ns + 1 == s->rows[i + 1].time_ns) {
			s->rows[i + 1].value += s->rows[i].value;
			memmove(s->rows + i, s->rows + i + 1,
				(s->count - i - 1) * sizeof(*s->rows));
			s->count--;
			return;
		}
	fail_msg("no sample on a border");
}

static void no_rows_but_one(struct sums *s)
{
	s->count = 1;
}

static const struct wrong {
	void (*change)(struct sums *s);
	enum level level;
	const char *sentence;
} wrongs[] = {
	{another_value, LEVEL_MINUTE, "has another sum (difference 1)"},
	{another_value, LEVEL_HOUR, "the sums by hour are not those of the samples"},
	{row_of_zero_missing, LEVEL_MINUTE, "is not in the sums"},
	{row_of_zero_too_much, LEVEL_MINUTE, "is in no sample (difference 0)"},
	{two_rows_exchanged, LEVEL_MINUTE, "has another sum"},
	{two_rows_exchanged, LEVEL_HOUR, "has another sum"},
	{border_and_inside_as_one, LEVEL_MINUTE, "is not in the sums"},
	{border_and_inside_as_one, LEVEL_HOUR, "is not in the sums"},
	{no_rows_but_one, LEVEL_HOUR, "series 1 on day 20410: the sums by hour are not those"},
};

static void sums_that_are_wrong_in_one_row_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		const struct wrong *wrong = &wrongs[i];
		bool minute = wrong->level == LEVEL_MINUTE;
		struct sums s;
		begin(&s);
		sum_hour(&s, wrong->level, 6);
		wrong->change(&s);
		put_sums(&s, wrong->level, SUMS_NUMBER);
		put_mark(&s,
			 (struct mark){.minute = minute ? 1 << 6 : 0, .hour = minute ? 0 : 1 << 6});
		close_records(&s);
		expect_finding(s.path, 1, wrong->sentence);
		end(&s);
	}
}

static void a_wrong_sum_of_a_day_is_found(void **state)
{
	struct sums s;
	(void)state;
	begin(&s);
	put_all(&s);
	s.rows[3].value -= 9;
	put_sums(&s, LEVEL_DAY, SUMS_NUMBER);
	close_records(&s);
	expect_finding(s.path, 1, "the sums by day are not those of the samples");
	end(&s);
}

static void a_mark_that_promises_sums_which_are_not_there_is_found(void **state)
{
	struct sums s;
	(void)state;
	begin(&s);
	put_mark(&s, (struct mark){.hour = 1 << 9});
	close_records(&s);
	expect_finding(s.path, 1, "the sums by hour are not those of the samples");
	end(&s);
}

/* What the writer would break if it forgot to say that an hour has new blocks. */
static void samples_that_came_after_the_sums_are_found(void **state)
{
	struct tiny_batch tiny;
	struct sums s;
	struct err err;
	(void)state;
	begin(&s);
	put_all(&s);
	close_records(&s);
	struct store *store = open_store(s.path);
	tiny_batch(&tiny, 0, START_NS + 6 * HOUR_NS + 77 * MINUTE_NS / 10);
	must(store_write(store, &tiny.batch, &err), &err);
	store_close(store);
	expect_no_finding(s.path);
	s.rocks = records_open(s.path);
	put_mark(&s,
		 (struct mark){.minute = HOURS_5_6_9, .hour = HOURS_5_6_9, .whole = WHOLE_SUMMED});
	close_records(&s);
	expect_finding(s.path, 3, "the sums by minute are not those of the samples");
	end(&s);
}

/* ---- sums that nobody knows, and malformed ones ---- */

static void expect_with(void (*change)(struct sums *s), unsigned count, const char *sentence)
{
	struct sums s;
	begin(&s);
	put_all(&s);
	change(&s);
	close_records(&s);
	expect_finding(s.path, count, sentence);
	end(&s);
}

static void unmarked_hour(struct sums *s)
{
	put_mark(s, (struct mark){.minute = HOURS_5_6_9, .hour = 1 << 5, .whole = WHOLE_SUMMED});
}

static void unmarked_day(struct sums *s)
{
	put_mark(s, (struct mark){.minute = HOURS_5_6_9,
				  .hour = HOURS_5_6_9,
				  .whole = WHOLE_NOT_WORTH});
}

static void unmarked_series(struct sums *s)
{
	struct key key = key_sums(LEVEL_HOUR,
				  &(struct sample_key){TENANT, DAY, 2, START_NS + 5 * HOUR_NS, 1});
	struct key from = key_sums_series(TENANT, LEVEL_HOUR, DAY, 1, 0);
	struct str value;
	record_first(s->rocks, FAMILY_ROLLUPS, &from, &value);
	record_put(s->rocks, FAMILY_ROLLUPS, &key, value);
	free((char *)value.ptr);
}

static void fine_time(struct sums *s)
{
	const struct row row = {START_NS + 9 * HOUR_NS + 5, 0, 1};
	put_rows(s, LEVEL_MINUTE, &row, 1, SUMS_NUMBER + 5);
}

static void unknown_level(struct sums *s)
{
	struct key key = key_sums(9, &(struct sample_key){TENANT, DAY, 1, START_NS, 1});
	record_put(s->rocks, FAMILY_ROLLUPS, &key, STR("x"));
}

static void short_key(struct sums *s)
{
	struct key key = key_sums_day(TENANT, LEVEL_HOUR, DAY);
	record_put(s->rocks, FAMILY_ROLLUPS, &key, STR("x"));
}

static void more_columns(struct sums *s)
{
	const int64_t zero[1] = {0}, one[1] = {1};
	struct block_rows rows = {.count = 1, .columns = {zero, one, zero, [BLOCK_TID] = one}};
	struct key key = key_sums(LEVEL_HOUR,
				  &(struct sample_key){TENANT, DAY, 1, START_NS + 5 * HOUR_NS, 3});
	struct buf out = {0};
	block_encode(&out, &rows);
	record_put(s->rocks, FAMILY_ROLLUPS, &key, buf_text(&out));
	buf_deinit(&out);
}

static void damaged(struct sums *s)
{
	struct key from = key_sums_series(TENANT, LEVEL_MINUTE, DAY, 1, 0);
	struct str value;
	struct key key = record_first(s->rocks, FAMILY_ROLLUPS, &from, &value);
	record_put(s->rocks, FAMILY_ROLLUPS, &key, str_sub(value, 0, value.len / 2));
	free((char *)value.ptr);
}

static void sums_that_nobody_knows_and_malformed_ones_are_found(void **state)
{
	(void)state;
	expect_with(unmarked_hour, 4, "number 50): no mark knows of them");
	expect_with(unmarked_day, 2, "day sums of 2025-11-18");
	expect_with(unmarked_series, 1, "series 2: hour sums of 2025-11-18 05:00:00.000000000");
	expect_with(fine_time, 0, "a sum has a time that no sum of its level has");
	expect_with(unknown_level, 1,
		    "there are sums of level 9, which this cresset does not know");
	expect_with(short_key, 1, "a block of sums has a malformed key");
	expect_with(more_columns, 0, "more than time, node and value");
	expect_with(damaged, 1, "minute sums of");
}

/* ---- more sums than the table has room for ---- */

static void make_many(struct sums *s, unsigned nodes)
{
	const uint64_t counters[] = {100, 100, 100000, 100, 100};
	struct key key = key_meta_tenant(META_COUNTERS, TENANT);
	*s = (struct sums){0};
	s->samples = calloc(ROWS_MAX, sizeof(*s->samples));
	s->rows = calloc(ROWS_MAX, sizeof(*s->rows));
	temp_directory(s->path);
	for (unsigned node = 1; node <= nodes; node++)
		for (unsigned minute = 0; minute < 60; minute++)
			s->samples[s->sample_count++] =
				(struct row){START_NS + 3 * HOUR_NS + minute * MINUTE_NS + node,
					     (int64_t)node * minute, node};
	write_samples(s, nodes);
	s->rocks = records_open(s->path);
	put_numbers(s->rocks, FAMILY_META, &key, true, counters, 5);
	sum_hour(s, LEVEL_MINUTE, 3);
	put_mark(s, (struct mark){.minute = 1 << 3});
}

/* The verification has 2 MiB for its table here. */
static void sums_too_many_for_the_table_are_checked_in_rounds(void **state)
{
	struct sums s;
	(void)state;
	make_many(&s, 1000);
	put_sums(&s, LEVEL_MINUTE, SUMS_NUMBER);
	close_records(&s);
	expect_no_finding(s.path);
	s.rocks = records_open(s.path);
	s.rows[s.count - 77].value++;
	put_sums(&s, LEVEL_MINUTE, SUMS_NUMBER);
	close_records(&s);
	expect_finding(s.path, 1, "has another sum (difference 1)");
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_of_every_level_that_are_right_pass),
		cmocka_unit_test(sums_that_new_samples_have_overtaken_are_not_judged),
		cmocka_unit_test(sums_that_are_wrong_in_one_row_are_found),
		cmocka_unit_test(a_wrong_sum_of_a_day_is_found),
		cmocka_unit_test(a_mark_that_promises_sums_which_are_not_there_is_found),
		cmocka_unit_test(samples_that_came_after_the_sums_are_found),
		cmocka_unit_test(sums_that_nobody_knows_and_malformed_ones_are_found),
		cmocka_unit_test(sums_too_many_for_the_table_are_checked_in_rounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
