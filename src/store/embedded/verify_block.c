#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded/verify.h"

enum { CPU_MAX = 1 << 20, NAME_MAX_BYTES = 128 };

static const char *const level_names[LEVEL_COUNT] = {"block", "minute sums", "hour sums",
						     "day sums"};

void verify_block_name(const struct verify_block *block, char *ret, size_t cap)
{
	char text[64];
	struct tm tm = {0};
	time_t seconds = (time_t)(block->key.time_ns / NS_PER_S);
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(ret, cap, "series %u: %s of %s.%09llu (number %llu)", block->key.series,
		 level_names[block->level], text,
		 (unsigned long long)(block->key.time_ns % NS_PER_S),
		 (unsigned long long)block->key.sequence);
}

#define FOUND(format, ...)                                                        \
	do {                                                                      \
		char name_[NAME_MAX_BYTES];                                       \
		verify_block_name(block, name_, sizeof(name_));                   \
		verify_tenant_found(tenant, "%s: " format, name_, ##__VA_ARGS__); \
	} while (0)

/* ---- columns ---- */

typedef void check_column(struct verify_tenant *tenant, struct verify_block *block,
			  const int64_t *values);

static void check_times(struct verify_tenant *tenant, struct verify_block *block,
			const int64_t *values)
{
	const struct block *head = &block->head;
	uint64_t least = UINT64_MAX, most = 0;
	bool coarse = true;
	for (size_t i = 0; i < head->count; i++) {
		uint64_t after_ns = (uint64_t)values[i], time_ns = head->min_time_ns + after_ns;
		least = after_ns < least ? after_ns : least;
		most = after_ns > most ? after_ns : most;
		coarse = coarse && level_time(block->level, time_ns) == time_ns;
	}
	if (least)
		FOUND("its earliest sample lies %llu ns from the time in its key",
		      (unsigned long long)least);
	if (head->min_time_ns + most != head->max_time_ns)
		FOUND("its head says that its samples span %llu ns, they span %llu ns",
		      (unsigned long long)(head->max_time_ns - head->min_time_ns),
		      (unsigned long long)most);
	if (hour_of(head->min_time_ns) != hour_of(head->max_time_ns))
		FOUND("it crosses an hour");
	if (!coarse)
		FOUND("a sum has a time that no sum of its level has");
}

static void check_nodes(struct verify_tenant *tenant, struct verify_block *block,
			const int64_t *values)
{
	int64_t last = 0;
	for (size_t i = 0; i < block->head.count; i++) {
		if (values[i] == last)
			continue; /* equal ones stand together */
		last = values[i];
		if (last < 0 || last > UINT32_MAX ||
		    !verify_has(tenant, VERIFY_NODES, (uint32_t)last)) {
			FOUND("row %zu has node %lld, which is not in the dictionary", i,
			      (long long)last);
			return;
		}
	}
}

static void check_values(struct verify_tenant *tenant, struct verify_block *block,
			 const int64_t *values)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < block->head.count; i++)
		sum += (uint64_t)values[i];
	if ((int64_t)sum != block->head.sum)
		FOUND("its head says that its values add up to %lld, they add up to %lld",
		      (long long)block->head.sum, (long long)sum);
}

static void check_thread_names(struct verify_tenant *tenant, struct verify_block *block,
			       const int64_t *values)
{
	int64_t last = 0;
	for (size_t i = 0; i < block->head.count; i++) {
		if (values[i] == last)
			continue;
		last = values[i];
		if (last < 0 || last > UINT32_MAX ||
		    !verify_has(tenant, VERIFY_STRINGS, (uint32_t)last)) {
			FOUND("row %zu has string %lld as thread name, which is not in the "
			      "dictionary",
			      i, (long long)last);
			return;
		}
	}
}

static void check_range(struct verify_tenant *tenant, struct verify_block *block,
			const int64_t *values, int64_t max, const char *what)
{
	for (size_t i = 0; i < block->head.count; i++)
		if (values[i] < 0 || values[i] > max) {
			FOUND("row %zu has %s %lld, above %lld", i, what, (long long)values[i],
			      (long long)max);
			return;
		}
}

static void check_pids(struct verify_tenant *tenant, struct verify_block *block,
		       const int64_t *values)
{
	check_range(tenant, block, values, UINT32_MAX, "process");
}

static void check_tids(struct verify_tenant *tenant, struct verify_block *block,
		       const int64_t *values)
{
	check_range(tenant, block, values, UINT32_MAX, "thread");
}

static void check_cpus(struct verify_tenant *tenant, struct verify_block *block,
		       const int64_t *values)
{
	check_range(tenant, block, values, CPU_MAX + 1, "CPU + 1");
}

static void check_span_indices(struct verify_tenant *tenant, struct verify_block *block,
			       const int64_t *values)
{
	check_range(tenant, block, values, (int64_t)block->head.span_count, "span");
}

/* One row a column of a block. */
static check_column *const checks[BLOCK_COLUMNS] = {
	[BLOCK_TIME] = check_times,   [BLOCK_NODE] = check_nodes,
	[BLOCK_VALUE] = check_values, [BLOCK_PID] = check_pids,
	[BLOCK_TID] = check_tids,     [BLOCK_THREAD_NAME] = check_thread_names,
	[BLOCK_CPU] = check_cpus,     [BLOCK_SPAN] = check_span_indices,
};

/* Columns that are absent are all 0, which the checks of times and values have to see too. */
static bool is_checked(const struct verify_block *block, unsigned column)
{
	return block->head.columns[column].ptr || column == BLOCK_TIME || column == BLOCK_VALUE;
}

static void check_columns(struct verify_tenant *tenant, struct verify_block *block)
{
	int64_t *values = tenant->verify->columns[0];
	struct err why;
	for (unsigned c = 0; c < BLOCK_COLUMNS; c++) {
		block->columns |= block->head.columns[c].ptr ? 1u << c : 0;
		if (!is_checked(block, c))
			continue;
		if (block_column(&block->head, (enum block_column)c, values, &why)) {
			FOUND("%s", why.text);
			block->sound = false;
		} else {
			checks[c](tenant, block, values);
		}
	}
}

/* ---- the block ---- */

static int check_spans(struct verify_tenant *tenant, struct verify_block *block, struct err *err)
{
	struct err why;
	if (block->head.span_count == 0)
		return 0;
	struct store_span *spans = mem_alloc(block->head.span_count * sizeof(*spans));
	if (!spans)
		return err_set(err, ERR_NOMEM, "spans of a block: no memory");
	if (block_spans(&block->head, tenant->verify->columns[0], spans, &why))
		FOUND("%s", why.text);
	mem_free(spans);
	return 0;
}

static void check_key(struct verify_tenant *tenant, struct verify_block *block)
{
	const struct sample_key *key = &block->key;
	const uint32_t of_sums = 1u << BLOCK_TIME | 1u << BLOCK_NODE | 1u << BLOCK_VALUE;
	if (key->day != day_of(key->time_ns))
		FOUND("it stands on day %u, but its time is of day %u", key->day,
		      day_of(key->time_ns));
	if (key->sequence >= tenant->next.sequence)
		FOUND("the next number is to be %llu", (unsigned long long)tenant->next.sequence);
	if (block->head.max_time_ns > INT64_MAX)
		FOUND("its time is past the year 2262");
	if (block->level != LEVEL_RAW && block->columns & ~of_sums)
		FOUND("sums have the columns 0x%x, more than time, node and value", block->columns);
}

int verify_block(struct verify_tenant *tenant, enum level level, const struct sample_key *key,
		 struct str value, struct verify_block *ret, struct err *err)
{
	struct verify_block *block = ret;
	struct err why;
	*block = (struct verify_block){.key = *key, .level = level, .sound = true};
	int rc = block_open(value, key->time_ns, &block->head, &why);
	if (rc) {
		FOUND("%s", why.text);
		block->sound = false;
		return 0;
	}
	check_columns(tenant, block);
	check_key(tenant, block);
	return check_spans(tenant, block, err);
}
