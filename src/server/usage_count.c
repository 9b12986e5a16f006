/* The counters of usage groups. A metric lives as long as the process, so there
 * is one list of them for all generations of the settings, with a limit; what
 * comes beyond it is counted as "other". */
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "server/pbjson.h"
#include "server/usage_private.h"

enum { COUNTERS_MAX = 5000, BUCKETS = 1024, RESOLVED_MAX = 200, LABELS_MAX = 1200 };

/* ---- the counters ---- */

struct counter {
	struct metric stored, discarded;
	struct counter *next; /* of its bucket */
	char labels[];
};

static struct {
	pthread_mutex_t lock;
	struct counter *buckets[BUCKETS];
	size_t count;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A quoted value of the text format: the same escapes as JSON's for what may stand in it. */
static void put_labels(struct str tenant, struct str group, char ret[LABELS_MAX])
{
	struct buf text = {0};

	buf_cstr(&text, "tenant=");
	pbjson_text(tenant, &text);
	buf_cstr(&text, ",usage_group=");
	pbjson_text(group, &text);
	str_copy(ret, LABELS_MAX, buf_text(&text));
	buf_deinit(&text);
}

static struct counter *make(const char *labels, struct counter **bucket)
{
	size_t len = strlen(labels) + 1;
	struct counter *counter = mem_zalloc(1, sizeof(*counter) + len);

	if (!counter)
		return NULL;
	memcpy(counter->labels, labels, len);
	counter->stored =
		(struct metric)METRIC_COUNTER_INIT("cresset_usage_group_samples_total",
						   counter->labels,
						   "Samples stored of the series of a usage group");
	counter->discarded = (struct metric)
		METRIC_COUNTER_INIT("cresset_usage_group_discarded_samples_total", counter->labels,
				    "Samples of the series of a usage group that were not stored");
	counter->next = *bucket;
	*bucket = counter;
	all.count++;
	return counter;
}

static struct counter *find(const char *labels)
{
	struct counter **bucket = &all.buckets[str_hash(str_of(labels)) % BUCKETS];
	struct counter *counter;

	for (counter = *bucket; counter; counter = counter->next)
		if (strcmp(counter->labels, labels) == 0)
			return counter;
	return all.count < COUNTERS_MAX ? make(labels, bucket) : NULL;
}

static void count(struct str tenant, struct str group, uint64_t stored, uint64_t discarded)
{
	char labels[LABELS_MAX];
	struct counter *counter;

	put_labels(tenant, group, labels);
	pthread_mutex_lock(&all.lock);
	counter = find(labels);
	pthread_mutex_unlock(&all.lock);
	if (!counter)
		return;
	metric_add(&counter->stored, (int64_t)stored);
	metric_add(&counter->discarded, (int64_t)discarded);
}

/* ---- what one request brought ---- */

struct sum {
	uint64_t stored, discarded;
};

/* Groups whose names depend on labels are counted as they come; they are few. */
struct resolved {
	struct str name;
	struct sum sum;
};

struct usage_tally {
	const struct usage_groups *groups;
	struct arena *arena;
	struct sum fixed[USAGE_GROUPS_MAX], other;
	struct resolved resolved[RESOLVED_MAX];
	size_t resolved_count;
};

int usage_tally_create(const struct usage_groups *groups, struct arena *arena,
		       struct usage_tally **ret, struct err *err)
{
	*ret = NULL;
	if (!groups)
		return 0;
	*ret = arena_zalloc(arena, 1, sizeof(**ret));
	if (!*ret)
		return err_set(err, ERR_NOMEM, "no memory to count usage groups");
	(*ret)->groups = groups;
	(*ret)->arena = arena;
	return 0;
}

static struct sum *resolve(struct usage_tally *tally, const struct usage_group *group,
			   const struct relabel_labels *labels)
{
	struct str value = str_sub(usage_label(labels, group->label), 0, USAGE_NAME_MAX);
	struct str name = arena_printf(tally->arena, "%.*s%.*s%.*s", STR_ARG(group->before),
				       STR_ARG(value), STR_ARG(group->after));

	for (size_t i = 0; i < tally->resolved_count; i++)
		if (str_equal(tally->resolved[i].name, name))
			return &tally->resolved[i].sum;
	if (!name.ptr || tally->resolved_count == RESOLVED_MAX)
		return &tally->other;
	struct resolved *row = &tally->resolved[tally->resolved_count++];
	*row = (struct resolved){.name = name};
	return &row->sum;
}

static void add(struct sum *sum, uint64_t stored, uint64_t discarded)
{
	sum->stored += stored;
	sum->discarded += discarded;
}

void usage_tally_add(struct usage_tally *tally, uint64_t matched,
		     const struct relabel_labels *labels, uint64_t stored, uint64_t discarded)
{
	if (!tally)
		return;
	if (matched == 0)
		add(&tally->other, stored, discarded);
	for (size_t i = 0; i < tally->groups->count; i++) {
		const struct usage_group *group = &tally->groups->items[i];
		if (!(matched >> i & 1))
			continue;
		add(group->label.len > 0 ? resolve(tally, group, labels) : &tally->fixed[i], stored,
		    discarded);
	}
}

void usage_tally_count(const struct usage_tally *tally, struct str tenant)
{
	if (!tally)
		return;
	for (size_t i = 0; i < tally->groups->count; i++)
		if (tally->groups->items[i].label.len == 0)
			count(tenant, tally->groups->items[i].name, tally->fixed[i].stored,
			      tally->fixed[i].discarded);
	for (size_t i = 0; i < tally->resolved_count; i++)
		count(tenant, tally->resolved[i].name, tally->resolved[i].sum.stored,
		      tally->resolved[i].sum.discarded);
	count(tenant, STR(USAGE_OTHER), tally->other.stored, tally->other.discarded);
}
