/* What every sending exporter needs: a bounded queue of requests, threads that
 * send them, retry with growing pauses, one last try at the stop. Semantics and
 * defaults of the Collector's exporterhelper (sending_queue, retry_on_failure).
 *
 * Push from any thread. send() runs on the queue's threads, each with its own
 * connection number below num_consumers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

struct retry_config {
	bool enabled;
	int64_t initial_interval_ns, max_interval_ns, max_elapsed_ns; /* max_elapsed 0: for ever */
	double randomization_factor, multiplier;
};

enum queue_sizer { SIZER_REQUESTS, SIZER_ITEMS, SIZER_BYTES };

struct queue_config {
	bool enabled;
	uint32_t num_consumers;
	uint64_t queue_size;
	int sizer; /* enum queue_sizer */
};

extern const struct config_schema retry_schema; /* struct retry_config */
extern const struct config_schema queue_schema; /* struct queue_config */

enum send_verdict { SEND_DONE, SEND_RETRY, SEND_REFUSED };

struct send_outcome {
	enum send_verdict verdict;
	int64_t retry_after_ms; /* the peer's wish, or -1 */
	struct err why;		/* unless DONE; with DONE a warning of the peer, or code 0 */
};

struct export_queue_config {
	const char *name; /* for logs: "otlp_grpc/primary" */
	struct queue_config queue;
	struct retry_config retry;
	size_t max_bytes; /* whatever the sizer: no more than this is ever held */
	void (*send)(void *self, uint32_t connection, struct str payload, struct send_outcome *ret);
	void *self;
};

struct export_queue;

MUST_USE int export_queue_create(const struct export_queue_config *config,
				 struct export_queue **ret, struct err *err);
/* Takes over the bytes of payload (empty after it). ERR_LIMIT: full, nothing taken, counted. */
MUST_USE int export_queue_push(struct export_queue *queue, struct buf *payload, uint64_t items,
			       struct err *err);
/* Each request that waits is tried once more, until one finds nobody; the rest is dropped and counted.
 * Ends the threads and frees all. NULL is fine. */
void export_queue_destroy(struct export_queue *queue);
