#include "store/embedded/maintenance.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/embedded/gauges.h"
#include "store/embedded/settle.h"

enum {
	TICK_S = 60,
	BUDGET_S = 20,
	WOKEN_EVERY_S = 5, /* a disk that stays full wakes us again and again */
};

static int drop_old(struct store *store, uint64_t now_ns, struct err *err)
{
	uint32_t days;
	return retention_run(store, now_ns, &days, err);
}

static int refresh_gauges(struct store *store, uint64_t now_ns, struct err *err)
{
	(void)now_ns;
	(void)err;
	pthread_rwlock_rdlock(&store->rocks_lock);
	if (store->rocks) {
		metric_set(&store_block_cache_bytes, (int64_t)rocks_cache_bytes(store->rocks));
		metric_set(&store_write_buffer_bytes,
			   (int64_t)rocks_write_buffer_bytes(store->rocks));
	}
	pthread_rwlock_unlock(&store->rocks_lock);
	metric_set(&store_page_cache_bytes, (int64_t)budget_used(&store->page_memory));
	metric_set(&store_query_bytes, (int64_t)budget_used(&store->queries));
	metric_set(&store_answer_cache_bytes, (int64_t)budget_used(&store->answer_memory));
	return 0;
}

static const struct maintenance_task tasks[] = {
	{"retention", drop_old},
	{"collection", collect_run},
	{"settle", settle_run},
	{"gauges", refresh_gauges},
};

bool maintenance_stopping(const struct store *store)
{
	return atomic_load_explicit(&store->maintenance.stop, memory_order_relaxed);
}

/* Asked for, a task takes as long as it takes. */
int maintenance_run(struct store *store, uint64_t now_ns, bool asked, struct err *err)
{
	int first = 0;
	pthread_mutex_lock(&store->maintenance.running_lock);
	store->maintenance.asked = asked;
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		struct err why;
		store->maintenance.deadline_ns =
			asked ? UINT64_MAX : clock_mono_ns() + (uint64_t)BUDGET_S * NS_PER_S;
		int rc = maintenance_stopping(store) ? 0 : tasks[i].run(store, now_ns, &why);
		if (rc)
			log_warn("store", "a background task could not run and tries again",
				 "task=%s path=" LOG_Q " why=" LOG_Q, tasks[i].name, store->path,
				 LOG_TEXT(why.text));
		if (rc && !first)
			first = err_set(err, rc, "%s: %s", tasks[i].name, why.text);
	}
	pthread_mutex_unlock(&store->maintenance.running_lock);
	return first;
}

static void *run(void *arg)
{
	struct store *store = arg;
	struct maintenance *maintenance = &store->maintenance;
	struct timespec at;
	pthread_mutex_lock(&maintenance->lock);
	while (!maintenance->stop) {
		pthread_mutex_unlock(&maintenance->lock);
		struct err logged;
		if (maintenance_run(store, clock_real_ns(), false, &logged))
			metric_add(&store_maintenance_failures_total, 1);
		pthread_mutex_lock(&maintenance->lock);
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_sec += TICK_S;
		while (!maintenance->stop && !maintenance->woken &&
		       !pthread_cond_timedwait(&maintenance->wake, &maintenance->lock, &at))
			;
		maintenance->woken = false;
	}
	pthread_mutex_unlock(&maintenance->lock);
	return NULL;
}

void maintenance_wake(struct store *store)
{
	struct maintenance *maintenance = &store->maintenance;
	uint64_t now_ns = clock_mono_ns();
	pthread_mutex_lock(&maintenance->lock);
	if (now_ns - maintenance->woken_ns >= (uint64_t)WOKEN_EVERY_S * NS_PER_S) {
		maintenance->woken_ns = now_ns;
		maintenance->woken = true;
		pthread_cond_signal(&maintenance->wake);
	}
	pthread_mutex_unlock(&maintenance->lock);
}

/* A compaction does not look at the flag. */
static void stop_compacting(struct store *store)
{
	pthread_rwlock_rdlock(&store->rocks_lock);
	if (store->rocks)
		rocks_stop_compacting(store->rocks);
	pthread_rwlock_unlock(&store->rocks_lock);
}

int maintenance_start(struct store *store, struct err *err)
{
	struct maintenance *maintenance = &store->maintenance;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&maintenance->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&maintenance->lock, NULL);
	pthread_mutex_init(&maintenance->running_lock, NULL);
	if (store->options.manual_maintenance)
		return 0;
	int failed = pthread_create(&maintenance->thread, NULL, run, store);
	if (failed)
		return err_set_errno(err, failed, "starting the maintenance thread");
	maintenance->running = true;
	return 0;
}

void maintenance_stop(struct store *store)
{
	struct maintenance *maintenance = &store->maintenance;
	if (!maintenance->running)
		return;
	pthread_mutex_lock(&maintenance->lock);
	maintenance->stop = true;
	pthread_cond_signal(&maintenance->wake);
	pthread_mutex_unlock(&maintenance->lock);
	stop_compacting(store);
	pthread_join(maintenance->thread, NULL);
	maintenance->running = false;
}
