#include "pool.h"

#include <pthread.h>
#include <signal.h>

#include "base/mem.h"
#include "stats.h"

struct queue {
	struct call *first, *last;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct queue waiting, finished;
	uint32_t waiting_count, queue_max;
	bool ending;
	void (*wake)(void *user);
	void *user;
	uint32_t thread_count;
	pthread_t threads[];
};

static void push(struct queue *queue, struct call *call)
{
	call->queue_next = NULL;
	if (queue->last)
		queue->last->queue_next = call;
	else
		queue->first = call;
	queue->last = call;
}

static struct call *pop(struct queue *queue)
{
	struct call *call = queue->first;

	if (!call)
		return NULL;
	queue->first = call->queue_next;
	if (!queue->first)
		queue->last = NULL;
	call->queue_next = NULL;
	return call;
}

static struct call *wait_for_call(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (!pool->waiting.first && !pool->ending)
		pthread_cond_wait(&pool->filled, &pool->lock);
	struct call *call = pop(&pool->waiting);
	if (call)
		pool->waiting_count--;
	pthread_mutex_unlock(&pool->lock);
	return call;
}

static void run(struct call *call)
{
	stats_waiting(-1);
	if (atomic_load(&call->cancelled) == CALL_GONE)
		return;
	stats_running(1);
	call_run(call);
	stats_running(-1);
}

static void *work(void *user)
{
	struct pool *pool = user;

	for (;;) {
		struct call *call = wait_for_call(pool);
		if (!call)
			return NULL;
		run(call);
		pthread_mutex_lock(&pool->lock);
		push(&pool->finished, call);
		/* Under the lock: a call that is taken may be the last, and the loop ends. */
		pool->wake(pool->user);
		pthread_mutex_unlock(&pool->lock);
	}
}

/* Signals are for the program's main thread. */
static int start_thread(struct pool *pool)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&pool->threads[pool->thread_count], NULL, work, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!code)
		pool->thread_count++;
	return code;
}

int pool_create(uint32_t workers, uint32_t queue_max, void (*wake)(void *user), void *user,
		struct pool **ret, struct err *err)
{
	struct pool *pool = mem_zalloc(1, sizeof(*pool) + workers * sizeof(pthread_t));

	if (!pool)
		return err_set(err, ERR_NOMEM, "workers: no memory");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->filled, NULL);
	pool->queue_max = queue_max;
	pool->wake = wake;
	pool->user = user;
	for (uint32_t i = 0; i < workers; i++) {
		int code = start_thread(pool);
		if (code) {
			pool_destroy(pool);
			return err_set_errno(err, code, "workers: starting thread %u", i + 1);
		}
	}
	*ret = pool;
	return 0;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
	for (uint32_t i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->filled);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool);
}

bool pool_put(struct pool *pool, struct call *call)
{
	pthread_mutex_lock(&pool->lock);
	bool fits = pool->waiting_count < pool->queue_max;
	if (fits) {
		stats_waiting(1);
		push(&pool->waiting, call);
		pool->waiting_count++;
		pthread_cond_signal(&pool->filled);
	}
	pthread_mutex_unlock(&pool->lock);
	return fits;
}

struct call *pool_take(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct call *all = pool->finished.first;
	pool->finished = (struct queue){NULL, NULL};
	pthread_mutex_unlock(&pool->lock);
	return all;
}
