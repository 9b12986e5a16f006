/* How long a row of each column encoding takes to write and to read back, over blocks as the writer makes
 * them (500 rows) and as settling leaves them (16,384). */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/embedded/column.h"
#include "store_measure.h"

enum { ROWS_MAX = 16384, COLUMNS = 16, RUN_NS = 60 * 1000 * 1000 };

typedef int64_t next_value(uint64_t *state, int64_t last, size_t row);

static int64_t constant(uint64_t *state, int64_t last, size_t row)
{
	(void)state;
	(void)last;
	(void)row;
	return 10309278;
}

static int64_t in_runs(uint64_t *state, int64_t last, size_t row)
{
	return row == 0 || random_next(state) % 32 == 0 ? (int64_t)(random_next(state) % 5000)
							: last;
}

/* Ids of stacks in rising order: one byte or two each. */
static int64_t rising(uint64_t *state, int64_t last, size_t row)
{
	(void)row;
	return last + (int64_t)(random_next(state) % (random_next(state) % 4 ? 100 : 2000));
}

static int64_t up_and_down(uint64_t *state, int64_t last, size_t row)
{
	(void)row;
	return last + (int64_t)(random_next(state) % 400) - 200;
}

/* Log-uniform, as bytes allocated are. */
static int64_t sizes(uint64_t *state, int64_t last, size_t row)
{
	(void)last;
	(void)row;
	uint64_t bits = 4 + random_next(state) % 24;
	return (int64_t)(16 + (random_next(state) & ((1ull << bits) - 1)));
}

static int64_t few(uint64_t *state, int64_t last, size_t row)
{
	(void)last;
	(void)row;
	return 100000 + (int64_t)(random_next(state) % 8) * 7919;
}

/* Ticks of a 97 Hz timer within a minute, some microseconds off, by stack and so in no order. */
static int64_t ticks(uint64_t *state, int64_t last, size_t row)
{
	(void)last;
	(void)row;
	return (int64_t)(random_next(state) % 5820 * 10309278 + random_next(state) % 16384);
}

static int64_t noise(uint64_t *state, int64_t last, size_t row)
{
	(void)last;
	(void)row;
	return (int64_t)(random_next(state) >> 30);
}

static void run(const struct params *params, const char *name, next_value *next, size_t rows)
{
	static int64_t values[COLUMNS][ROWS_MAX], back[ROWS_MAX];
	struct buf encoded[COLUMNS] = {0};
	uint64_t state = params->seed, rounds = 0;
	char text[64];
	size_t bytes = 0;
	for (unsigned c = 0; c < COLUMNS; c++)
		for (size_t i = 0; i < rows; i++)
			values[c][i] = next(&state, i ? values[c][i - 1] : 0, i);
	uint64_t start_ns = clock_thread_cpu_ns(), took_ns = 0;
	for (; took_ns < RUN_NS; took_ns = clock_thread_cpu_ns() - start_ns, rounds++)
		for (unsigned c = 0; c < COLUMNS; c++) {
			buf_clear(&encoded[c]);
			column_encode(&encoded[c], values[c], rows);
		}
	snprintf(text, sizeof(text), "column.encode.%s.%zu", name, rows);
	bench(params, text, (double)took_ns / (double)(rounds * COLUMNS * rows), "ns");
	start_ns = clock_thread_cpu_ns();
	for (rounds = 0, took_ns = 0; took_ns < RUN_NS;
	     took_ns = clock_thread_cpu_ns() - start_ns, rounds++)
		for (unsigned c = 0; c < COLUMNS; c++)
			if (!column_decode(buf_text(&encoded[c]), rows, back))
				fail("a column does not decode");
	snprintf(text, sizeof(text), "column.decode.%s.%zu", name, rows);
	bench(params, text, (double)took_ns / (double)(rounds * COLUMNS * rows), "ns");
	unsigned encoding = (unsigned char)*encoded[0].ptr;
	for (unsigned c = 0; c < COLUMNS; c++) {
		bytes += encoded[c].len;
		buf_deinit(&encoded[c]);
	}
	printf("# %s: %.2f B a row, encoding %u\n", name, (double)bytes / (double)(COLUMNS * rows),
	       encoding);
}

void columns_run(const struct params *params)
{
	static const struct {
		const char *name;
		next_value *next;
	} kinds[] = {
		{"constant", constant}, {"runs", in_runs}, {"rising", rising},
		{"delta", up_and_down}, {"sizes", sizes},  {"few", few},
		{"ticks", ticks},	{"noise", noise},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		run(params, kinds[i].name, kinds[i].next, 500);
		run(params, kinds[i].name, kinds[i].next, ROWS_MAX);
	}
}
