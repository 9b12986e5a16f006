/* Private to net: threads that run handlers, and a bounded queue in front of
 * them. The loop puts calls in and takes finished ones out; wake() is called on
 * a worker's thread when there is one to take. */
#pragma once

#include "call.h"

struct pool;

MUST_USE int pool_create(uint32_t workers, uint32_t queue_max, void (*wake)(void *user), void *user,
			 struct pool **ret, struct err *err);
/* Runs what is queued (without the handler, where the client is gone), waits for it, joins. */
void pool_destroy(struct pool *pool);
/* False: the queue is full. */
bool pool_put(struct pool *pool, struct call *call);
/* All finished calls, chained by queue_next, oldest first; NULL: none. */
struct call *pool_take(struct pool *pool);
