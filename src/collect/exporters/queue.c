/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "collect/exporters/queue.h"

#define RETRY(name) CONFIG_FIELD(retry_config, name)
#define QUEUE(name) CONFIG_FIELD(queue_config, name)

static const struct config_row retry_rows[] = {
	{.key = "enabled",
	 .type = CONFIG_BOOL,
	 RETRY(enabled),
	 .fallback = "true",
	 .help = "try again when sending failed for the moment"},
	{.key = "initial_interval",
	 .type = CONFIG_DURATION,
	 RETRY(initial_interval_ns),
	 .fallback = "5s",
	 .min = 0,
	 .max = 86400,
	 .help = "pause before the second try"},
	{.key = "randomization_factor",
	 .type = CONFIG_FLOAT,
	 RETRY(randomization_factor),
	 .fallback = "0.5",
	 .min = 0,
	 .max = 1,
	 .help = "each pause varies by +- this part"},
	{.key = "multiplier",
	 .type = CONFIG_FLOAT,
	 RETRY(multiplier),
	 .fallback = "1.5",
	 .min = 1,
	 .max = 100,
	 .help = "each pause is this much longer than the one before"},
	{.key = "max_interval",
	 .type = CONFIG_DURATION,
	 RETRY(max_interval_ns),
	 .fallback = "30s",
	 .min = 0,
	 .max = 86400,
	 .help = "longest pause"},
	{.key = "max_elapsed_time",
	 .type = CONFIG_DURATION,
	 RETRY(max_elapsed_ns),
	 .fallback = "5m",
	 .min = 0,
	 .max = 864000,
	 .help = "then the request is dropped; 0: never"},
};

const struct config_schema retry_schema =
	CONFIG_SCHEMA("retry_on_failure", retry_config, retry_rows, .help = "trying again");

static const char *const sizers[] = {"requests", "items", "bytes", NULL};

static const struct config_row queue_rows[] = {
	{.key = "enabled",
	 .type = CONFIG_BOOL,
	 QUEUE(enabled),
	 .fallback = "true",
	 .help = "off: nothing waits, and what finds num_consumers requests under way is "
		 "dropped"},
	{.key = "num_consumers",
	 .type = CONFIG_UINT,
	 QUEUE(num_consumers),
	 .fallback = "10",
	 .min = 1,
	 .max = 64,
	 .help = "requests under way at once, at the most"},
	{.key = "queue_size",
	 .type = CONFIG_UINT,
	 QUEUE(queue_size),
	 .fallback = "1000",
	 .min = 1,
	 .max = 1e12,
	 .help = "what may wait, in units of sizer"},
	{.key = "sizer",
	 .type = CONFIG_ENUM,
	 QUEUE(sizer),
	 .fallback = "requests",
	 .choices = sizers,
	 .help = "what queue_size counts"},
};

const struct config_schema queue_schema =
	CONFIG_SCHEMA("sending_queue", queue_config, queue_rows, .help = "what waits for sending");

static struct metric sent = METRIC_COUNTER_INIT("otelcol_exporter_sent_profile_samples", NULL,
						"Samples that a peer took.");
static struct metric send_failed =
	METRIC_COUNTER_INIT("otelcol_exporter_send_failed_profile_samples", NULL,
			    "Samples dropped because sending failed for good.");
static struct metric enqueue_failed =
	METRIC_COUNTER_INIT("otelcol_exporter_enqueue_failed_profile_samples", NULL,
			    "Samples dropped because the sending queue was full.");
static struct metric queue_length =
	METRIC_GAUGE_INIT("otelcol_exporter_queue_size", NULL, "Requests that wait for sending.");

struct item {
	struct item *next;
	struct buf payload;
	uint64_t items;
};

struct export_queue {
	struct export_queue_config config;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* something was pushed: for idle threads */
	pthread_cond_t stop; /* stopping: for threads in a pause */
	struct item *first, **last;
	uint64_t requests, samples;
	size_t bytes; /* waiting and under way */
	uint32_t threads, idle, under_way;
	bool stopping, peer_away;
	pthread_t thread[64];
};

static int init_sync(struct export_queue *queue, struct err *err)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	int rc = pthread_mutex_init(&queue->lock, NULL);
	if (rc == 0)
		rc = pthread_cond_init(&queue->wake, &attr);
	if (rc == 0)
		rc = pthread_cond_init(&queue->stop, &attr);
	pthread_condattr_destroy(&attr);
	return rc ? err_set_errno(err, rc, "sending queue of %s", queue->config.name) : 0;
}

int export_queue_create(const struct export_queue_config *config, struct export_queue **ret,
			struct err *err)
{
	struct export_queue *queue = mem_zalloc(1, sizeof(*queue));
	if (!queue)
		return err_set(err, ERR_NOMEM, "sending queue of %s: no memory", config->name);
	queue->config = *config;
	queue->last = &queue->first;
	int rc = init_sync(queue, err);
	if (rc) {
		mem_free(queue);
		return rc;
	}
	metric_register(&sent);
	metric_register(&send_failed);
	metric_register(&enqueue_failed);
	metric_register(&queue_length);
	*ret = queue;
	return 0;
}

static void item_destroy(struct item *item)
{
	buf_deinit(&item->payload);
	mem_free(item);
}

/* Until the pause ends or the stop comes. */
static void pause_until(struct export_queue *queue, uint64_t mono_ns)
{
	struct timespec at = {.tv_sec = (time_t)(mono_ns / NS_PER_S),
			      .tv_nsec = (long)(mono_ns % NS_PER_S)};
	pthread_mutex_lock(&queue->lock);
	while (!queue->stopping && clock_mono_ns() < mono_ns)
		pthread_cond_timedwait(&queue->stop, &queue->lock, &at);
	pthread_mutex_unlock(&queue->lock);
}

static bool is_stopping(struct export_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	bool stopping = queue->stopping;
	pthread_mutex_unlock(&queue->lock);
	return stopping;
}

/* interval * (1 +- factor) */
static uint64_t jittered(double interval_ns, double factor, unsigned *seed)
{
	double unit = (double)rand_r(seed) / RAND_MAX * 2 - 1;
	return (uint64_t)(interval_ns * (1 + factor * unit));
}

struct attempt {
	uint64_t started_ns;
	double interval_ns;
	unsigned seed;
};

/* An interval of 0 means at once, not for ever without a pause. */
static double grown(const struct retry_config *retry, double interval_ns)
{
	double next_ns = interval_ns * retry->multiplier;
	if (next_ns > (double)retry->max_interval_ns)
		next_ns = (double)retry->max_interval_ns;
	return next_ns > 0 ? next_ns : 0.1 * NS_PER_S;
}

/* How long to wait before the next try; false when there shall be none. */
static bool next_pause(const struct retry_config *retry, struct attempt *attempt,
		       const struct send_outcome *outcome, uint64_t *ret_ns)
{
	uint64_t pause =
		jittered(attempt->interval_ns, retry->randomization_factor, &attempt->seed);
	uint64_t wish =
		outcome->retry_after_ms > 0 ? (uint64_t)outcome->retry_after_ms * NS_PER_MS : 0;
	if (!retry->enabled || outcome->verdict == SEND_REFUSED)
		return false;
	if (wish > pause)
		pause = wish;
	uint64_t elapsed = clock_mono_ns() - attempt->started_ns + pause;
	if (retry->max_elapsed_ns && elapsed > (uint64_t)retry->max_elapsed_ns)
		return false;
	attempt->interval_ns = grown(retry, attempt->interval_ns);
	*ret_ns = pause;
	return true;
}

static void drop_item(struct export_queue *queue, const struct item *item, const char *why)
{
	metric_add(&send_failed, (int64_t)item->items);
	log_error("collect", "exporting failed, dropping data",
		  "exporter=%s samples=%llu why=" LOG_Q, queue->config.name,
		  (unsigned long long)item->items, LOG_TEXT(why));
}

static void mark_away(struct export_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->peer_away = true;
	pthread_mutex_unlock(&queue->lock);
}

static void send_item(struct export_queue *queue, uint32_t connection, struct item *item)
{
	struct attempt attempt = {.started_ns = clock_mono_ns(),
				  .interval_ns = (double)queue->config.retry.initial_interval_ns,
				  .seed = (unsigned)clock_mono_ns()};
	for (;;) {
		bool last = is_stopping(queue);
		uint64_t pause_ns = 0;
		struct send_outcome outcome = {.retry_after_ms = -1};
		queue->config.send(queue->config.self, connection, buf_text(&item->payload),
				   &outcome);
		if (outcome.verdict == SEND_DONE) {
			metric_add(&sent, (int64_t)item->items);
			if (outcome.why.code)
				log_warn("collect", "the peer took only a part",
					 "exporter=%s why=" LOG_Q, queue->config.name,
					 LOG_TEXT(outcome.why.text));
			return;
		}
		if (last && outcome.verdict == SEND_RETRY)
			mark_away(queue);
		if (last || !next_pause(&queue->config.retry, &attempt, &outcome, &pause_ns)) {
			drop_item(queue, item, outcome.why.text);
			return;
		}
		log_warn("collect", "exporting failed, will try again",
			 "exporter=%s in_ms=%llu why=" LOG_Q, queue->config.name,
			 (unsigned long long)(pause_ns / NS_PER_MS), LOG_TEXT(outcome.why.text));
		pause_until(queue, clock_mono_ns() + pause_ns);
	}
}

/* Under the lock. */
static struct item *pop(struct export_queue *queue)
{
	struct item *item = queue->first;
	queue->first = item->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->requests--;
	queue->under_way++;
	queue->samples -= item->items;
	metric_add(&queue_length, -1);
	return item;
}

static struct item *wait_item(struct export_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->idle++;
	while (!queue->first && !queue->stopping)
		pthread_cond_wait(&queue->wake, &queue->lock);
	queue->idle--;
	struct item *item = queue->first ? pop(queue) : NULL;
	pthread_mutex_unlock(&queue->lock);
	return item;
}

/* True: nobody answers and we are stopping, so trying the rest would only take time. */
static bool give_up(struct export_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	bool away = queue->peer_away;
	pthread_mutex_unlock(&queue->lock);
	return away;
}

struct thread_start {
	struct export_queue *queue;
	uint32_t connection;
};

static void *run_thread(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;
	mem_free(arg);
	for (struct item *item; (item = wait_item(start.queue)) != NULL;) {
		size_t bytes = item->payload.cap;
		if (give_up(start.queue))
			drop_item(start.queue, item, "stopping, and the peer does not answer");
		else
			send_item(start.queue, start.connection, item);
		item_destroy(item);
		pthread_mutex_lock(&start.queue->lock);
		start.queue->bytes -= bytes;
		start.queue->under_way--;
		pthread_mutex_unlock(&start.queue->lock);
	}
	return NULL;
}

/* Under the lock: one more thread when all are busy and more are allowed. */
static int add_thread(struct export_queue *queue, struct err *err)
{
	/* Those that idle have been woken for what waits already. */
	if (queue->idle > queue->requests || queue->threads >= queue->config.queue.num_consumers)
		return 0;
	struct thread_start *start = mem_alloc(sizeof(*start));
	if (!start)
		return queue->threads ? 0 : err_set(err, ERR_NOMEM, "sending queue: no memory");
	*start = (struct thread_start){queue, queue->threads};
	int rc = pthread_create(&queue->thread[queue->threads], NULL, run_thread, start);
	if (rc) {
		mem_free(start);
		return queue->threads ? 0
				      : err_set_errno(err, rc, "sending queue: starting a thread");
	}
	queue->threads++;
	return 0;
}

/* Under the lock. */
static bool has_room(const struct export_queue *queue, size_t bytes, uint64_t items)
{
	uint64_t size = queue->config.queue.queue_size;
	if (queue->bytes + bytes > queue->config.max_bytes)
		return false;
	switch ((enum queue_sizer)queue->config.queue.sizer) {
	case SIZER_ITEMS:
		return queue->samples + items <= size;
	case SIZER_BYTES:
		return queue->bytes + bytes <= size;
	case SIZER_REQUESTS:
		break;
	}
	/* Without a queue nothing waits: what finds every sender busy is refused. */
	if (!queue->config.queue.enabled)
		return queue->requests + queue->under_way < queue->config.queue.num_consumers;
	return queue->requests < size;
}

static void append(struct export_queue *queue, struct item *item)
{
	*queue->last = item;
	queue->last = &item->next;
	queue->requests++;
	queue->samples += item->items;
	queue->bytes += item->payload.cap;
	metric_add(&queue_length, 1);
}

int export_queue_push(struct export_queue *queue, struct buf *payload, uint64_t items,
		      struct err *err)
{
	struct item *item = mem_zalloc(1, sizeof(*item));
	int rc = item ? 0 : err_set(err, ERR_NOMEM, "sending queue: no memory");
	pthread_mutex_lock(&queue->lock);
	if (!rc && !has_room(queue, payload->cap, items))
		rc = err_set(err, ERR_LIMIT,
			     "the sending queue of %s is full (%llu requests, %zu bytes)",
			     queue->config.name, (unsigned long long)queue->requests, queue->bytes);
	if (!rc)
		rc = add_thread(queue, err);
	if (!rc) {
		*item = (struct item){.payload = *payload, .items = items};
		*payload = (struct buf){0};
		append(queue, item);
		pthread_cond_signal(&queue->wake);
	}
	pthread_mutex_unlock(&queue->lock);
	if (rc) {
		metric_add(&enqueue_failed, (int64_t)items);
		mem_free(item);
	}
	return rc;
}

void export_queue_destroy(struct export_queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->stopping = true;
	pthread_cond_broadcast(&queue->wake);
	pthread_cond_broadcast(&queue->stop);
	pthread_mutex_unlock(&queue->lock);
	for (uint32_t i = 0; i < queue->threads; i++)
		pthread_join(queue->thread[i], NULL);
	pthread_cond_destroy(&queue->wake);
	pthread_cond_destroy(&queue->stop);
	pthread_mutex_destroy(&queue->lock);
	mem_free(queue);
}
