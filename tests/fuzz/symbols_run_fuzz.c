/* Runs and records of late symbols as the store has them: whatever the bytes,
 * what decodes is in order, is found again, and encodes and decodes to the same.
 * The first eight bytes are where the run begins. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/symbols_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

static int same(const struct symbol_range *a, const struct symbol_range *b)
{
	return a->start == b->start && a->end == b->end && str_equal(a->name, b->name) &&
	       str_equal(a->system_name, b->system_name) && str_equal(a->filename, b->filename);
}

static void check_run(const struct symbol_range *ranges, size_t count)
{
	static struct symbol_range again[SYMBOLS_PER_RUN];
	struct buf out = {0};
	size_t got;
	for (size_t i = 0; i < count; i++) {
		need(ranges[i].start < ranges[i].end && ranges[i].name.len > 0);
		need(i == 0 || ranges[i].start >= ranges[i - 1].end);
		need(symbols_run_find(ranges, count, ranges[i].start) == &ranges[i]);
		need(symbols_run_find(ranges, count, ranges[i].end - 1) == &ranges[i]);
	}
	symbols_run_put(&out, ranges, count);
	if (!out.failed) {
		need(symbols_run_get(buf_text(&out), ranges[0].start, again, &got, NULL) == 0);
		need(got == count);
		for (size_t i = 0; i < count; i++)
			need(same(&ranges[i], &again[i]));
	}
	buf_deinit(&out);
}

static void try_record(struct str bytes)
{
	struct store_symbols record, again;
	struct buf out = {0};
	if (symbols_record_get(bytes, &record, NULL))
		return;
	symbols_record_put(&out, &record);
	if (!out.failed) {
		need(symbols_record_get(buf_text(&out), &again, NULL) == 0);
		need(str_equal(record.build_id, again.build_id));
		need(str_equal(record.source, again.source));
		need(record.time_ns == again.time_ns && record.functions == again.functions &&
		     record.size_bytes == again.size_bytes);
	}
	buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct symbol_range ranges[SYMBOLS_PER_RUN];
	uint64_t start;
	size_t count;
	if (size < sizeof(start))
		return 0;
	memcpy(&start, data, sizeof(start));
	struct str bytes = str_make(data + sizeof(start), size - sizeof(start));
	if (symbols_run_get(bytes, start, ranges, &count, NULL) == 0)
		check_run(ranges, count);
	try_record(bytes);
	return 0;
}
