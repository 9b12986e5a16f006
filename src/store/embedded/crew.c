/* Shares a plan out over threads. The caller's thread begins alone; when the
 * scan turns out to take longer than starting threads costs, helpers join, as
 * many as the store has to spare. Everyone takes the next segments from one
 * counter, fewer at a time towards the end, so that all finish together. */
#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded/gauges.h"
#include "store/embedded/scan.h"

enum {
	SEGMENTS_MAX = 64, /* taken at a time */
	SPLIT_WANTED =
		96, /* a plan of few long segments is cut, so that there is something to share */
};

struct crew;

struct helper {
	struct crew *crew;
	pthread_t thread;
	struct query query;
	void *context;
	bool forked;
};

struct crew {
	struct query *query;
	const struct scan_job *job;
	struct plan plan;
	_Atomic size_t next; /* segment that nobody has taken */
	_Atomic int stop;
	pthread_mutex_t lock; /* of the first failure */
	int rc;
	struct err err;
	uint64_t started_ns;
	bool grown;
	struct helper *helpers;
	unsigned helper_count;
};

static void fail_all(struct crew *crew, int rc, const struct err *err)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->rc) {
		crew->rc = rc;
		crew->err = *err;
	}
	pthread_mutex_unlock(&crew->lock);
	atomic_store_explicit(&crew->stop, 1, memory_order_relaxed);
}

static size_t segments_left(struct crew *crew)
{
	size_t next = atomic_load_explicit(&crew->next, memory_order_relaxed);
	return next < crew->plan.count ? crew->plan.count - next : 0;
}

static bool take(struct crew *crew, size_t *from, size_t *to)
{
	size_t next = atomic_load_explicit(&crew->next, memory_order_relaxed), count;
	do {
		if (next >= crew->plan.count)
			return false;
		count = (crew->plan.count - next) / 8;
		count = count < 1 ? 1 : count > SEGMENTS_MAX ? SEGMENTS_MAX : count;
	} while (!atomic_compare_exchange_weak_explicit(&crew->next, &next, next + count,
							memory_order_relaxed,
							memory_order_relaxed));
	*from = next;
	*to = next + count;
	return true;
}

/* ---- helpers ---- */

static int work(struct crew *crew, struct query *query, void *context, bool may_grow,
		struct err *err);

static void *run_helper(void *arg)
{
	struct helper *helper = arg;
	struct crew *crew = helper->crew;
	struct err err;
	int rc = query_fork(crew->query, &helper->query, &err);
	if (!rc) {
		helper->query.stop = &crew->stop;
		rc = crew->job->fork(crew->job->context, &helper->query, &helper->context, &err);
		helper->forked = !rc;
	}
	rc = rc ? rc : work(crew, &helper->query, helper->context, false, &err);
	if (rc)
		fail_all(crew, rc, &err);
	return NULL;
}

/* How many of the store's helpers are free for this query; they are its own then. */
static unsigned hire(struct store *store)
{
	unsigned busy = atomic_load(&store->helpers_busy);
	while (busy < store->helpers_max &&
	       !atomic_compare_exchange_weak(&store->helpers_busy, &busy, store->helpers_max))
		;
	return busy < store->helpers_max ? store->helpers_max - busy : 0;
}

/* Without helpers it only takes longer, so nothing here is an error. */
static void grow(struct crew *crew)
{
	struct store *store = crew->query->store;
	if (crew->grown || segments_left(crew) < 2 ||
	    clock_mono_ns() - crew->started_ns < store->helper_after_ns)
		return;
	crew->grown = true;
	unsigned hired = hire(store);
	crew->helpers = hired ? mem_zalloc(hired, sizeof(*crew->helpers)) : NULL;
	while (crew->helpers && crew->helper_count < hired) {
		struct helper *helper = &crew->helpers[crew->helper_count];
		helper->crew = crew;
		if (pthread_create(&helper->thread, NULL, run_helper, helper))
			break;
		crew->helper_count++;
	}
	atomic_fetch_sub(&store->helpers_busy, hired - crew->helper_count);
	metric_add(&store_query_helpers_total, crew->helper_count);
}

static void wait_for_all(struct crew *crew)
{
	for (unsigned i = 0; i < crew->helper_count; i++)
		pthread_join(crew->helpers[i].thread, NULL);
	for (unsigned i = 0; i < crew->helper_count; i++) {
		struct helper *helper = &crew->helpers[i];
		struct err err;
		int rc = crew->rc || !helper->forked
				 ? 0
				 : crew->job->absorb(crew->job->context, helper->context, &err);
		if (rc)
			fail_all(crew, rc, &err);
		if (helper->forked && crew->job->release)
			crew->job->release(helper->context);
		query_join(&helper->query);
	}
	atomic_fetch_sub(&crew->query->store->helpers_busy, crew->helper_count);
	mem_free(crew->helpers);
}

/* ---- everyone ---- */

static int work(struct crew *crew, struct query *query, void *context, bool may_grow,
		struct err *err)
{
	struct walk walk;
	size_t at, to;
	int rc = walk_open(&walk, query, crew->job, context, err);
	while (!rc && take(crew, &at, &to))
		for (; !rc && at < to; at++) {
			rc = walk_segment(&walk, &crew->plan.list[at], err);
			if (!rc && may_grow)
				grow(crew);
		}
	walk_close(&walk);
	return rc;
}

int scan_series(struct query *query, const roaring_bitmap_t *series, const struct scan_job *job,
		struct err *err)
{
	struct crew crew = {.query = query, .job = job, .started_ns = clock_mono_ns()};
	bool raw = job->raw || has_field_matchers(query);
	int rc = plan_make(query, series, &job->borders, raw, &crew.plan, err);
	rc = rc ? rc : plan_split(query, &crew.plan, SPLIT_WANTED, err);
	if (rc || crew.plan.count == 0)
		return rc;
	pthread_mutex_init(&crew.lock, NULL);
	query->stop = &crew.stop;
	struct err why;
	rc = work(&crew, query, job->context, true, &why);
	if (rc)
		fail_all(&crew, rc, &why);
	wait_for_all(&crew);
	query->stop = NULL;
	pthread_mutex_destroy(&crew.lock);
	return crew.rc ? err_set(err, crew.rc, "%s", crew.err.text) : 0;
}
