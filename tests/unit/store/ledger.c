#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

enum {
	SAMPLES_MAX = 2000,
	FUNCTIONS = 61, /* batches share their leaf functions */
	HOURS = 40,
	SENTENCE_MIN = 20,
};

#define HOUR_NS	 (3600ull * NS_PER_S)
#define START_NS (1763800000ull / 3600 * HOUR_NS)

_Thread_local const char *ledger_when = "";

/* ---- the ledger ---- */

struct ledger *ledger_create(void)
{
	struct ledger *ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ledger == MAP_FAILED)
		abort();
	atomic_store(&ledger->next, 1);
	ledger_begin(ledger);
	return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
	munmap(ledger, sizeof(*ledger));
}

void ledger_begin(struct ledger *ledger)
{
	atomic_store(&ledger->retry, 1);
	ledger->retry_end = atomic_load(&ledger->next);
}

void ledger_problem(struct ledger *ledger, const char *fmt, ...)
{
	va_list args;
	if (atomic_fetch_add(&ledger->problems, 1))
		return;
	int len = snprintf(ledger->problem, sizeof(ledger->problem), "%s", ledger_when);
	va_start(args, fmt);
	vsnprintf(ledger->problem + len, sizeof(ledger->problem) - (size_t)len, fmt, args);
	va_end(args);
}

uint32_t ledger_take(struct ledger *ledger)
{
	while (atomic_load(&ledger->retry) < ledger->retry_end) {
		uint32_t number = atomic_fetch_add(&ledger->retry, 1);
		if (number < ledger->retry_end && atomic_load(&ledger->state[number]) == BATCH_SENT)
			return number;
	}
	uint32_t number = atomic_fetch_add(&ledger->next, 1);
	if (number >= LEDGER_MAX)
		abort();
	atomic_store(&ledger->state[number], BATCH_SENT);
	return number;
}

void ledger_acknowledge(struct ledger *ledger, uint32_t number)
{
	atomic_store(&ledger->state[number], BATCH_ACKNOWLEDGED);
}

void ledger_check_sentence(struct ledger *ledger, int code, const struct err *err)
{
	size_t len = strnlen(err->text, ERR_TEXT_MAX);
	if (code >= 0 || code == ERR_INTERNAL || code == ERR_INVALID)
		ledger_problem(ledger, "refused with the code %d: %s", code, err->text);
	if (len < SENTENCE_MIN || len == ERR_TEXT_MAX || strchr(err->text, '\n'))
		ledger_problem(ledger, "not a sentence: \"%s\"", err->text);
}

/* ---- numbered batches ---- */

struct numbered {
	struct store_batch batch;
	struct store_label labels[2];
	struct store_frame frames[2];
	struct store_node nodes[3];
	struct store_series series;
	struct str strings[1];
	char number[16], function[16], service[16];
	struct store_sample samples[SAMPLES_MAX];
};

static uint32_t size_of(uint32_t number)
{
	struct random random = {number};
	uint32_t small = 4 + random_below(&random, 36);
	return number % 16 ? small : SAMPLES_MAX / 4 + random_below(&random, SAMPLES_MAX / 4 * 3);
}

struct numbered *numbered_create(void)
{
	struct numbered *numbered = calloc(1, sizeof(*numbered));
	if (!numbered)
		abort();
	return numbered;
}

void numbered_destroy(struct numbered *numbered)
{
	free(numbered);
}

static void fill_samples(struct numbered *n, uint32_t number, uint32_t count)
{
	struct random random = {number * 77ull};
	uint64_t hour_ns = START_NS + number % HOURS * HOUR_NS;
	for (uint32_t i = 0; i < count; i++)
		n->samples[i] = (struct store_sample){
			.time_ns = hour_ns + random_u64(&random) % HOUR_NS,
			.value = 1,
			.node = 1 + i % 2,
			.pid = number,
			.tid = random_below(&random, UINT32_MAX),
			.cpu = (int32_t)(i % 8),
		};
}

const struct store_batch *numbered_batch(struct numbered *n, uint32_t number)
{
	uint32_t count = size_of(number);
	snprintf(n->number, sizeof(n->number), "%u", number);
	snprintf(n->function, sizeof(n->function), "work_%u", number % FUNCTIONS);
	snprintf(n->service, sizeof(n->service), "s%u", number % 5);
	n->frames[0] = (struct store_frame){.name = STR("main"), .kind = STR("native")};
	n->frames[1] = (struct store_frame){.name = str_of(n->function), .kind = STR("native")};
	n->nodes[2] = (struct store_node){.parent = 1, .frame = 1};
	n->labels[0] = (struct store_label){STR("batch"), str_of(n->number)};
	n->labels[1] = (struct store_label){STR("service_name"), str_of(n->service)};
	fill_samples(n, number, count);
	n->strings[0] = STR("");
	n->series = (struct store_series){n->labels, 2, n->samples, count};
	n->batch = (struct store_batch){
		.tenant = STR("t"),
		.strings = n->strings,
		.string_count = 1,
		.frames = n->frames,
		.frame_count = 2,
		.nodes = n->nodes,
		.node_count = 3,
		.series = &n->series,
		.series_count = 1,
	};
	return &n->batch;
}

/* ---- the check ---- */

struct sums {
	int64_t main, work[FUNCTIONS];
	uint32_t batches;
};

static bool check_one(struct ledger *ledger, const struct store_points *group, uint8_t *present)
{
	double total = 0;
	uint32_t number =
		group->label_count ? (uint32_t)strtoul(group->labels[0].value.ptr, NULL, 10) : 0;
	for (size_t i = 0; i < group->point_count; i++)
		total += group->points[i].value;
	if (number == 0 || number >= LEDGER_MAX || present[number]) {
		ledger_problem(ledger, "batch %u is not one of ours, or there twice", number);
		return false;
	}
	present[number] = 1;
	if (total != (double)size_of(number))
		ledger_problem(ledger, "batch %u: %g samples instead of %u", number, total,
			       size_of(number));
	if (atomic_load(&ledger->state[number]) == BATCH_UNSENT)
		ledger_problem(ledger, "batch %u is there and was never sent", number);
	return total == (double)size_of(number);
}

/* What has to be there before the question is asked. */
static uint8_t *must_be_there(struct ledger *ledger)
{
	uint8_t *must = calloc(LEDGER_MAX, 1);
	if (!must)
		abort();
	for (uint32_t i = 1; i < atomic_load(&ledger->next); i++)
		must[i] = atomic_load(&ledger->state[i]) >= BATCH_SEEN;
	return must;
}

static bool check_lost(struct ledger *ledger, const uint8_t *must, const uint8_t *present)
{
	uint32_t lost = 0, first = 0, end = atomic_load(&ledger->next);
	for (uint32_t i = 1; i < end; i++)
		if (must[i] && !present[i] && lost++ == 0)
			first = i;
	if (lost)
		ledger_problem(ledger, "%u batches of %u are lost; the first, %u, was %s", lost,
			       atomic_load(&ledger->next) - 1, first,
			       atomic_load(&ledger->state[first]) == BATCH_SEEN ? "there"
										: "acknowledged");
	return lost == 0;
}

static bool check_batches(struct ledger *ledger, const struct store_points *groups, size_t count,
			  const uint8_t *must, uint8_t *present)
{
	bool ok = true;
	for (size_t i = 0; i < count; i++)
		ok = check_one(ledger, &groups[i], present) && ok;
	return check_lost(ledger, must, present) && ok;
}

static struct store_selection everything(void)
{
	return (struct store_selection){.tenant = STR("t"),
					.start_ns = START_NS,
					.end_ns = START_NS + HOURS * HOUR_NS};
}

static int ask_batches(struct ledger *ledger, struct store *store, const uint8_t *must,
		       uint8_t *present, bool *ret_ok, struct err *err)
{
	struct store_selection all = everything();
	struct str by = STR("batch");
	struct store_points *groups;
	const struct store_points_options whole = {.step_ns = HOURS * HOUR_NS,
						   .group_by = &by,
						   .group_count = 1};
	struct arena arena;
	size_t count;
	arena_init(&arena, 0);
	int rc = store_points(store, &all, &whole, &arena, &groups, &count, err);
	if (!rc)
		*ret_ok = check_batches(ledger, groups, count, must, present);
	arena_deinit(&arena);
	return rc;
}

static void sum_up(const struct store_tree *tree, struct sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (uint32_t i = 1; i < tree->node_count; i++) {
		struct str name = tree->frames[tree->frame[i]].name;
		unsigned function;
		char text[32];
		str_copy(text, sizeof(text), name);
		if (sscanf(text, "work_%u", &function) == 1 && function < FUNCTIONS)
			sums->work[function] += tree->self[i];
		else
			sums->main += tree->self[i];
	}
}

static int ask_sums(struct store *store, struct sums *sums, struct err *err)
{
	struct store_selection all = everything();
	struct store_tree tree;
	struct arena arena;
	arena_init(&arena, 0);
	int rc = store_merge(store, &all, &arena, &tree, err);
	if (!rc)
		sum_up(&tree, sums);
	arena_deinit(&arena);
	return rc;
}

/* Between two questions batches may come and none may go. */
static bool check_sums(struct ledger *ledger, const struct sums *got, const uint8_t *before,
		       const uint8_t *after)
{
	struct sums least = {0}, most = {0};
	uint32_t end = atomic_load(&ledger->next);
	for (uint32_t i = 1; i < end; i++) {
		uint32_t count = before[i] || after[i] ? size_of(i) : 0;
		least.work[i % FUNCTIONS] += before[i] ? count / 2 : 0;
		most.work[i % FUNCTIONS] += count / 2;
		least.main += before[i] ? count - count / 2 : 0;
		most.main += count - count / 2;
	}
	bool ok = got->main >= least.main && got->main <= most.main;
	for (unsigned i = 0; i < FUNCTIONS; i++)
		ok = ok && got->work[i] >= least.work[i] && got->work[i] <= most.work[i];
	if (!ok)
		ledger_problem(ledger,
			       "the stacks' sums are not those of the batches: main %lld, "
			       "should be %lld to %lld",
			       (long long)got->main, (long long)least.main, (long long)most.main);
	return ok;
}

static void mark_seen(struct ledger *seen, const uint8_t *present)
{
	for (uint32_t i = 1; i < LEDGER_MAX; i++)
		if (present[i] && atomic_load(&seen->state[i]) == BATCH_SENT)
			atomic_store(&seen->state[i], BATCH_SEEN);
}

bool ledger_check(struct ledger *ledger, struct store *store, struct ledger *seen, int *ret,
		  struct err *err)
{
	uint8_t *must = must_be_there(ledger);
	uint8_t *before = calloc(LEDGER_MAX, 1), *after = calloc(LEDGER_MAX, 1);
	struct sums sums;
	bool ok = false;
	if (!before || !after)
		abort();
	*ret = ask_batches(ledger, store, must, before, &ok, err);
	if (!*ret)
		*ret = ask_sums(store, &sums, err);
	if (!*ret)
		*ret = ask_batches(ledger, store, before, after, &ok, err);
	ok = !*ret && ok && check_sums(ledger, &sums, before, after);
	if (ok && seen)
		mark_seen(seen, after);
	atomic_fetch_add(&ledger->queries, *ret == 0);
	free(must);
	free(before);
	free(after);
	return ok;
}
