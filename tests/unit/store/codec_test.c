/* Columns, blocks and dictionary runs: what goes in comes out, what is broken
 * is refused, and a shortage of memory says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "help.h"
#include "store/embedded/block.h"
#include "store/embedded/column.h"
#include "store/embedded/run.h"
#include "store/embedded/varint.h"

enum { ROWS_MAX = 2000 };

static void round_trip(const int64_t *values, size_t count, int encoding)
{
	struct buf out = {0};
	int64_t *back = calloc(count, sizeof(*back));
	column_encode(&out, values, count);
	assert_int_equal(out.failed, 0);
	if (encoding >= 0)
		assert_int_equal((unsigned char)out.ptr[0], encoding);
	assert_true(column_decode(buf_text(&out), count, back));
	assert_memory_equal(back, values, count * sizeof(*back));
	/* A byte less or more is not this column. */
	assert_false(column_decode(str_make(out.ptr, out.len - 1), count, back));
	buf_char(&out, 0);
	assert_false(column_decode(buf_text(&out), count, back));
	free(back);
	buf_deinit(&out);
}

static void each_kind_of_column_takes_its_encoding_and_comes_back(void **state)
{
	(void)state;
	int64_t values[ROWS_MAX];
	struct random random = {7};
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = -5;
	round_trip(values, ROWS_MAX, COLUMN_CONST);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = i / 100;
	round_trip(values, ROWS_MAX, COLUMN_RLE);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = 1000000 + 7 * (int64_t)i + random_below(&random, 3);
	round_trip(values, ROWS_MAX, COLUMN_RISING);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = 1000000 + 7 * (int64_t)i + random_below(&random, 30);
	round_trip(values, ROWS_MAX, COLUMN_DELTA);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = (int64_t)(random_u64(&random) >> (30 + random_below(&random, 34)));
	round_trip(values, ROWS_MAX, COLUMN_VARINT);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = (int64_t)(random_u64(&random) >> 47);
	round_trip(values, ROWS_MAX, -1);
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] =
			(int64_t)1000003 * random_below(&random, 100) * random_below(&random, 3);
	round_trip(values, ROWS_MAX, COLUMN_DICT);
}

static void bits_are_packed_where_whole_bytes_waste_them(void **state)
{
	(void)state;
	int64_t values[ROWS_MAX];
	struct random random = {9};
	for (unsigned i = 0; i < ROWS_MAX; i++)
		values[i] = random_below(&random, 2) + 1000000000000ll * (i == 0);
	round_trip(values, ROWS_MAX, -1);
	/* 17 bits take three bytes as varints, which is less than half as much again: no packing;
	 * a single bit takes a byte. */
	for (unsigned i = 0; i < 200; i++)
		values[i] = random_below(&random, 2);
	round_trip(values, 40, -1);
	for (unsigned bits = 1; bits <= 63; bits++) {
		for (unsigned i = 0; i < 300; i++)
			values[i] = (int64_t)(random_u64(&random) >> (64 - bits));
		round_trip(values, 300, -1);
	}
}

static void the_whole_range_of_numbers_survives(void **state)
{
	(void)state;
	const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN, INT64_MAX, 42};
	for (size_t count = 1; count <= 8; count++)
		round_trip(edges, count, -1);
}

static void random_columns_come_back(void **state)
{
	(void)state;
	struct random random = {11};
	int64_t values[ROWS_MAX];
	for (unsigned n = 0; n < 3000; n++) {
		size_t count = 1 + random_below(&random, random_below(&random, 10) ? 40 : ROWS_MAX);
		unsigned shift = random_below(&random, 64);
		int64_t scale = 1 + random_below(&random, 1000),
			base = (int64_t)random_u64(&random);
		for (size_t i = 0; i < count; i++) {
			uint64_t v = (uint64_t)((int64_t)random_u64(&random) >> shift);
			bool again = i && random_below(&random, 3) == 0;
			values[i] = again ? values[i - 1]
					  : (int64_t)((uint64_t)base + v * (uint64_t)scale);
		}
		round_trip(values, count, -1);
	}
}

static void runs_are_the_rows_of_const_and_rle(void **state)
{
	int64_t values[ROWS_MAX], value;
	struct random random = {5};
	struct column_runs runs;
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct buf out = {0};
		size_t count = 40 + random_below(&random, ROWS_MAX - 40), run, at = 0;
		for (size_t i = 0; i < count; i++)
			values[i] =
				i % (1 + round) == 0 ? (int64_t)random_u64(&random) : values[i - 1];
		column_encode(&out, values, count);
		bool made_of_runs = (unsigned char)out.ptr[0] <= COLUMN_RLE;
		assert_int_equal(made_of_runs, column_runs_open(buf_text(&out), count, &runs));
		while (made_of_runs && column_runs_next(&runs, &value, &run))
			for (; run > 0; run--)
				assert_true(values[at++] == value);
		assert_int_equal(at, made_of_runs ? count : 0);
		assert_true(!made_of_runs || column_runs_whole(&runs));
		buf_deinit(&out);
	}
}

static void runs_that_do_not_fit_the_rows_are_broken(void **state)
{
	/* min 0, gcd 1, then (step 2, 3 rows), (step 1, 2 rows); a run of 0 rows; a byte too many. */
	static const char two[] = {COLUMN_RLE, 0, 1, 4, 3, 2, 2};
	static const char none[] = {COLUMN_RLE, 0, 1, 4, 0};
	static const char more[] = {COLUMN_CONST, 0, 0};
	struct column_runs runs;
	int64_t value;
	size_t run;
	(void)state;
	for (size_t count = 4; count <= 6; count++) {
		assert_true(column_runs_open(str_make(two, sizeof(two)), count, &runs));
		while (column_runs_next(&runs, &value, &run))
			;
		assert_int_equal(column_runs_whole(&runs), count == 5);
	}
	assert_true(column_runs_open(str_make(none, sizeof(none)), 1, &runs));
	assert_false(column_runs_next(&runs, &value, &run));
	assert_false(column_runs_whole(&runs));
	assert_true(column_runs_open(str_make(more, sizeof(more)), 1, &runs));
	assert_true(column_runs_next(&runs, &value, &run));
	assert_false(column_runs_whole(&runs));
}

/* Fills bytes with count ulebs, each as long as the dice say within longest. */
static size_t put_numbers(struct random *random, uint64_t *numbers, size_t count, unsigned longest,
			  uint8_t *bytes)
{
	uint8_t *at = bytes;
	for (size_t i = 0; i < count; i++) {
		unsigned bits = 7 * (1 + random_below(random, longest));
		numbers[i] = random_u64(random) >> (bits < 64 ? 64 - bits : 0);
		at = uleb_put(at, numbers[i]);
	}
	return (size_t)(at - bytes);
}

static void many_numbers_read_at_once_are_those_read_one_by_one(void **state)
{
	enum { NUMBERS = 40 };
	struct random random = {11};
	(void)state;
	for (unsigned round = 0; round < 4000; round++) {
		uint64_t numbers[NUMBERS], back[NUMBERS];
		uint8_t written[NUMBERS * ULEB_MAX_BYTES];
		size_t count = 1 + random_below(&random, NUMBERS);
		size_t len =
			put_numbers(&random, numbers, count, 1 + round % ULEB_MAX_BYTES, written);
		/* Of its own, so that a byte read behind it is seen. */
		uint8_t *bytes = malloc(len);
		memcpy(bytes, written, len);
		assert_ptr_equal(uleb_get_many(bytes, bytes + len, count, back), bytes + len);
		assert_memory_equal(back, numbers, count * sizeof(*back));
		assert_null(uleb_get_many(bytes, bytes + random_below(&random, (uint32_t)len),
					  count, back));
		free(bytes);
	}
}

static void numbers_of_more_than_64_bits_are_refused(void **state)
{
	uint8_t bytes[16];
	uint64_t back[2];
	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	bytes[9] = 2;
	assert_null(uleb_get_many(bytes, bytes + sizeof(bytes), 1, back));
	bytes[9] = 1;
	assert_ptr_equal(uleb_get_many(bytes, bytes + sizeof(bytes), 1, back), bytes + 10);
	assert_true(back[0] == UINT64_MAX);
	assert_null(uleb_get_many(NULL, NULL, 1, back));
}

static void broken_columns_are_refused(void **state)
{
	(void)state;
	int64_t out[16];
	static const struct {
		const char *what;
		const char *bytes;
		size_t len;
	} cases[] = {
		{"nothing", "", 0},
		{"an unknown encoding", "\x07\x00\x01", 3},
		{"a constant without its value", "\x00", 1},
		{"a number of eleven bytes", "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		 12},
		{"a run of no rows", "\x01\x00\x01\x02\x00", 5},
		{"a run past the end", "\x01\x00\x01\x02\x11", 5},
		{"packed without bits", "\x04\x00\x01\x00", 4},
		{"packed in 57 bits", "\x04\x00\x01\x39", 4},
		{"packed and cut short", "\x04\x00\x01\x08\x01\x02", 6},
		{"an index behind its dictionary",
		 "\x05\x00\x01\x01\x07\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
		 "\x01",
		 21},
		{"a dictionary of 257", "\x05\x00\x01\x81\x02", 5},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (column_decode(str_make(cases[i].bytes, cases[i].len), 16, out))
			fail_msg("%s was accepted", cases[i].what);
}

/* ---- blocks ---- */

struct rows {
	int64_t columns[BLOCK_COLUMNS][ROWS_MAX];
	struct store_span spans[8];
	struct block_rows rows;
};

static void random_rows(struct random *random, struct rows *r)
{
	memset(r, 0, sizeof(*r));
	r->rows.count = 8 + random_below(random, 300);
	r->rows.spans = r->spans;
	for (unsigned i = 0; i < 8; i++) {
		memset(r->spans[i].trace_id, (int)i / 3, 16);
		memset(r->spans[i].span_id, (int)i, 8);
	}
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
		r->rows.columns[c] = r->columns[c];
		if (random_below(random, 3) == 0)
			continue;
		for (size_t i = 0; i < r->rows.count; i++)
			r->columns[c][i] = random_below(random, 100000);
	}
	r->columns[BLOCK_TIME][0] = 0;
	bool some = random_below(random, 2);
	for (size_t i = 0; i < r->rows.count; i++)
		r->columns[BLOCK_SPAN][i] = some ? random_below(random, 9) : 0;
	r->rows.span_count = some ? 8 : 0;
}

static void check_block(const struct rows *r, const struct block *block)
{
	int64_t values[ROWS_MAX];
	struct store_span spans[8];
	struct err err;
	uint64_t sum = 0, last = 0;
	assert_int_equal(block->count, r->rows.count);
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
		must(block_column(block, (enum block_column)c, values, &err), &err);
		assert_memory_equal(values, r->columns[c], r->rows.count * sizeof(*values));
	}
	for (size_t i = 0; i < r->rows.count; i++) {
		sum += (uint64_t)r->columns[BLOCK_VALUE][i];
		if ((uint64_t)r->columns[BLOCK_TIME][i] > last)
			last = (uint64_t)r->columns[BLOCK_TIME][i];
	}
	assert_int_equal((uint64_t)block->sum, sum);
	assert_int_equal(block->max_time_ns, 1000 + last);
	must(block_spans(block, values, spans, &err), &err);
	if (block->span_count)
		assert_memory_equal(spans, r->spans, sizeof(spans));
}

static void random_blocks_come_back(void **state)
{
	(void)state;
	struct random random = {3};
	struct rows *r = malloc(sizeof(*r));
	for (unsigned n = 0; n < 2000; n++) {
		struct buf out = {0};
		struct block block;
		struct err err;
		random_rows(&random, r);
		block_encode(&out, &r->rows);
		must(buf_check(&out, "block", &err), &err);
		must(block_open(buf_text(&out), 1000, &block, &err), &err);
		/* A column of spans that are all 0 leaves no spans. */
		check_block(r, &block);
		buf_deinit(&out);
	}
	free(r);
}

static void a_changed_or_cut_block_never_reads_outside(void **state)
{
	(void)state;
	struct random random = {5};
	struct rows *r = malloc(sizeof(*r));
	int64_t *values = malloc(BLOCK_ROWS_MAX * sizeof(*values));
	struct store_span *spans = malloc(BLOCK_ROWS_MAX * sizeof(*spans));
	for (unsigned n = 0; n < 3000; n++) {
		struct buf out = {0};
		struct block block;
		random_rows(&random, r);
		block_encode(&out, &r->rows);
		size_t len = random_below(&random, 2) ? out.len
						      : random_below(&random, (uint32_t)out.len);
		char *copy = malloc(len ? len : 1); /* exact, for the sanitizer */
		memcpy(copy, out.ptr, len);
		for (unsigned i = 0; len && i < 3; i++)
			copy[random_below(&random, (uint32_t)len)] ^=
				(char)(1 << random_below(&random, 8));
		if (!block_open(str_make(copy, len), 0, &block, NULL)) {
			for (unsigned c = 0; c < BLOCK_COLUMNS; c++)
				(void)!block_column(&block, (enum block_column)c, values, NULL);
			(void)!block_spans(&block, values, spans, NULL);
		}
		free(copy);
		buf_deinit(&out);
	}
	free(spans);
	free(values);
	free(r);
}

static void a_newer_block_is_refused_by_its_version(void **state)
{
	(void)state;
	struct block block;
	struct err err;
	assert_int_equal(block_open(str_make("\x02\x04\x01\x00\x00\x01", 6), 0, &block, &err),
			 ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "version 2"));
}

static void encoding_without_memory_says_so(void **state)
{
	(void)state;
	struct random random = {1};
	struct rows *r = malloc(sizeof(*r));
	random_rows(&random, r);
	for (size_t i = 0; i < r->rows.count; i++)
		r->columns[BLOCK_SPAN][i] = 1 + (int64_t)i % 8;
	r->rows.span_count = 8;
	unsigned failures = 0;
	for (uint64_t nth = 1;; nth++) {
		struct buf out = {0};
		mem_fail_nth(nth);
		block_encode(&out, &r->rows);
		bool failed = buf_check(&out, "block", NULL) != 0;
		uint64_t used = mem_fail_nth(0);
		buf_deinit(&out);
		failures += failed;
		if (used < nth) {
			assert_false(failed);
			break;
		}
		assert_true(failed);
	}
	assert_true(failures >= 2);
	free(r);
}

/* ---- runs ---- */

static void dictionary_runs_come_back(void **state)
{
	(void)state;
	struct random random = {13};
	for (unsigned n = 0; n < 300; n++) {
		struct node_row nodes[NODES_PER_PAGE], nodes_back[NODES_PER_PAGE];
		struct frame_row frames[FRAMES_PER_PAGE], frames_back[FRAMES_PER_PAGE];
		struct str strings[STRINGS_PER_PAGE], strings_back[STRINGS_PER_PAGE];
		struct buf out = {0};
		struct err err;
		size_t count = 1 + random_below(&random, STRINGS_PER_PAGE), got;
		memset(frames, 0, sizeof(frames));
		memset(frames_back, 0, sizeof(frames_back));
		for (size_t i = 0; i < count; i++) {
			nodes[i].parent = random_below(&random, 5000 + (uint32_t)i);
			nodes[i].frame = random_below(&random, 100000);
			for (unsigned s = 0; s < FRAME_STRINGS; s++)
				frames[i].strings[s] = random_below(&random, 1000);
			frames[i].address = random_u64(&random);
			frames[i].line = (int64_t)random_u64(&random) >> 40;
			strings[i] = str_sub(STR("a rather long text to cut from"), 0,
					     random_below(&random, 30));
		}
		run_put_nodes(&out, nodes, count, 5000);
		must(run_get_nodes(buf_text(&out), 5000, nodes_back, NODES_PER_PAGE, &got, &err),
		     &err);
		assert_int_equal(got, count);
		assert_memory_equal(nodes, nodes_back, count * sizeof(*nodes));
		assert_int_equal(run_get_nodes(buf_text(&out), 5000, nodes_back, count - 1, &got,
					       &err),
				 ERR_CORRUPT);
		buf_clear(&out);
		run_put_frames(&out, frames, count);
		must(run_get_frames(buf_text(&out), frames_back, FRAMES_PER_PAGE, &got, &err),
		     &err);
		assert_int_equal(got, count);
		assert_memory_equal(frames, frames_back, count * sizeof(*frames));
		buf_clear(&out);
		run_put_strings(&out, strings, count);
		must(run_get_strings(buf_text(&out), strings_back, STRINGS_PER_PAGE, &got, &err),
		     &err);
		assert_int_equal(got, count);
		for (size_t i = 0; i < count; i++)
			assert_true(str_equal(strings[i], strings_back[i]));
		buf_deinit(&out);
	}
}

static void a_parent_that_is_not_older_is_refused(void **state)
{
	(void)state;
	const struct node_row row = {.parent = 7, .frame = 1};
	struct node_row back;
	struct buf out = {0};
	struct err err;
	size_t count;
	run_put_nodes(&out, &row, 1, 8);
	must(run_get_nodes(buf_text(&out), 8, &back, 1, &count, &err), &err);
	/* The same bytes under the id 0 would point below the root. */
	assert_int_equal(run_get_nodes(buf_text(&out), 0, &back, 1, &count, &err), ERR_CORRUPT);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_column_takes_its_encoding_and_comes_back),
		cmocka_unit_test(bits_are_packed_where_whole_bytes_waste_them),
		cmocka_unit_test(the_whole_range_of_numbers_survives),
		cmocka_unit_test(random_columns_come_back),
		cmocka_unit_test(runs_are_the_rows_of_const_and_rle),
		cmocka_unit_test(runs_that_do_not_fit_the_rows_are_broken),
		cmocka_unit_test(many_numbers_read_at_once_are_those_read_one_by_one),
		cmocka_unit_test(numbers_of_more_than_64_bits_are_refused),
		cmocka_unit_test(broken_columns_are_refused),
		cmocka_unit_test(random_blocks_come_back),
		cmocka_unit_test(a_changed_or_cut_block_never_reads_outside),
		cmocka_unit_test(a_newer_block_is_refused_by_its_version),
		cmocka_unit_test(encoding_without_memory_says_so),
		cmocka_unit_test(dictionary_runs_come_back),
		cmocka_unit_test(a_parent_that_is_not_older_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
