/* Group commit. While one commit syncs, requests queue up; the next commit
 * takes all of them. Waiting for company (group_commit_ns) starts only when the
 * last commit had company: a lone client would but wait for nobody. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "store/embedded/check.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"

enum {
	GROUP_MAX_REQUESTS = 256,
	GROUP_MAX_SAMPLES = 1000 * 1000,
	RETRY_NS = NS_PER_S, /* between attempts to open the database anew */
};

static uint32_t minute_now(void)
{
	return (uint32_t)(clock_real_ns() / (60ull * NS_PER_S));
}

/* ---- one group ---- */

static void fail_all(struct request *group, int code, const struct err *why)
{
	for (struct request *r = group; r; r = r->next)
		if (!r->code) {
			r->code = code;
			err_set(r->err, code, "%s", why->text);
		}
}

int writer_repair(struct store *store, struct err *err)
{
	struct writer *writer = &store->writer;
	if (!writer->broken)
		return 0;
	if (clock_mono_ns() < writer->retry_at_ns)
		return err_set(err, writer->broken,
			       "the store recovers from a failed write (%s); try again",
			       err_info(writer->broken)->name);
	writer->retry_at_ns = clock_mono_ns() + RETRY_NS;
	writer->broken = recover(store, writer->broken, err);
	return writer->broken;
}

static void add_requests(struct store *store, struct request *group)
{
	struct txn *txn = &store->writer.txn;
	uint32_t minute = minute_now();
	for (struct request *r = group; r; r = r->next)
		r->code = txn_add(txn, r->batch, r->hash, minute, &r->duplicate, r->err);
}

static int write_group(struct store *store, struct err *err)
{
	struct writer *writer = &store->writer;
	size_t bytes;
	uint64_t start_ns = clock_mono_ns();
	int rc = txn_commit(&writer->txn, &bytes, err);
	histogram_observe_ns(&store_sync_seconds, clock_mono_ns() - start_ns);
	if (!rc) {
		metric_add(&store_commits_total, 1);
		metric_add(&store_commit_bytes_total, (int64_t)bytes);
		metric_set(&store_id_cache_bytes, (int64_t)idcache_bytes(&writer->txn.cache));
		return 0;
	}
	metric_add(&store_commit_failures_total, 1);
	txn_abort(&writer->txn);
	writer->broken = rc;
	writer->retry_at_ns = 0;
	return rc;
}

static void count_written(const struct request *group)
{
	for (const struct request *r = group; r; r = r->next)
		if (!r->code)
			metric_add(r->duplicate ? &store_duplicates_total : &store_samples_total,
				   r->duplicate ? 1 : (int64_t)r->samples);
}

/* A duplicate of a request in the same group is only as durable as that request: both fail. */
static void commit_group(struct store *store, struct request *group)
{
	struct err err;
	int rc = disk_check(store, &err);
	rc = rc ? rc : writer_repair(store, &err);
	if (!rc) {
		add_requests(store, group);
		rc = write_group(store, &err);
	}
	if (rc)
		fail_all(group, rc, &err);
	else
		count_written(group);
}

/* ---- the queue ---- */

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t mono_ns)
{
	struct timespec at = {.tv_sec = (time_t)(mono_ns / NS_PER_S),
			      .tv_nsec = (long)(mono_ns % NS_PER_S)};
	(void)pthread_cond_timedwait(cond, lock, &at);
}

/* With the lock held. */
static void wait_for_company(struct store *store)
{
	struct writer *writer = &store->writer;
	uint64_t until_ns = writer->head->queued_ns + store->options.group_commit_ns;
	if (writer->last_group < 2)
		return;
	while (!writer->stop && writer->waiting < writer->last_group &&
	       writer->waiting < GROUP_MAX_REQUESTS && clock_mono_ns() < until_ns)
		wait_until(&writer->queued, &writer->lock, until_ns);
}

static struct request *take_group(struct writer *writer)
{
	struct request *group = writer->head, **last = &writer->head;
	size_t samples = 0, count = 0;
	while (*last && count < GROUP_MAX_REQUESTS &&
	       (count == 0 || samples + (*last)->samples <= GROUP_MAX_SAMPLES)) {
		samples += (*last)->samples;
		count++;
		last = &(*last)->next;
	}
	writer->head = *last;
	*last = NULL;
	if (!writer->head)
		writer->tail = &writer->head;
	writer->waiting -= count;
	writer->last_group = count;
	metric_set(&store_queue_requests, (int64_t)writer->waiting);
	return group;
}

static void answer(struct request *group)
{
	/* A request is its caller's again, and gone, the moment it is done. */
	for (struct request *r = group, *next; r; r = next) {
		next = r->next;
		r->done = true;
		pthread_cond_signal(&r->answered);
	}
}

static void *run(void *arg)
{
	struct store *store = arg;
	struct writer *writer = &store->writer;
	pthread_mutex_lock(&writer->lock);
	for (;;) {
		while (!writer->stop && !writer->head)
			pthread_cond_wait(&writer->queued, &writer->lock);
		if (!writer->head)
			break;
		wait_for_company(store);
		struct request *group = take_group(writer);
		pthread_mutex_unlock(&writer->lock);
		pthread_mutex_lock(&writer->commit_lock);
		commit_group(store, group);
		pthread_mutex_unlock(&writer->commit_lock);
		pthread_mutex_lock(&writer->lock);
		answer(group);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int writer_start(struct store *store, struct err *err)
{
	struct writer *writer = &store->writer;
	writer->tail = &writer->head;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_mutex_init(&writer->commit_lock, NULL);
	cond_init(&writer->queued);
	int rc = txn_init(&writer->txn, store->rocks, store->seed, store->plan.id_cache_bytes, err);
	if (rc)
		return rc;
	writer->txn.answers = store->answers;
	int failed = pthread_create(&writer->thread, NULL, run, store);
	if (failed)
		return err_set_errno(err, failed, "starting the writer's thread");
	writer->running = true;
	return 0;
}

void writer_stop(struct store *store)
{
	struct writer *writer = &store->writer;
	if (writer->running) {
		pthread_mutex_lock(&writer->lock);
		writer->stop = true;
		pthread_cond_signal(&writer->queued);
		pthread_mutex_unlock(&writer->lock);
		pthread_join(writer->thread, NULL);
		writer->running = false;
	}
	txn_deinit(&writer->txn);
}

/* ---- callers ---- */

static void enqueue(struct writer *writer, struct request *request)
{
	*writer->tail = request;
	writer->tail = &request->next;
	writer->waiting++;
	metric_set(&store_queue_requests, (int64_t)writer->waiting);
	pthread_cond_signal(&writer->queued);
}

int writer_submit(struct store *store, const struct store_batch *batch, struct err *err)
{
	struct writer *writer = &store->writer;
	struct request request = {.batch = batch, .err = err, .queued_ns = clock_mono_ns()};
	metric_add(&store_requests_total, 1);
	request.code = batch_check(batch, err);
	if (!request.code)
		request.code = batch_hash(batch, store->seed, &request.hash, err);
	if (!request.code) {
		request.samples = batch_sample_count(batch);
		pthread_cond_init(&request.answered, NULL);
		pthread_mutex_lock(&writer->lock);
		enqueue(writer, &request);
		while (!request.done)
			pthread_cond_wait(&request.answered, &writer->lock);
		pthread_mutex_unlock(&writer->lock);
		pthread_cond_destroy(&request.answered);
	}
	if (request.code)
		metric_add(&store_refused_total, 1);
	histogram_observe_ns(&store_ack_seconds, clock_mono_ns() - request.queued_ns);
	return request.code;
}
