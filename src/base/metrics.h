/* Metrics of this process in the Prometheus text format (version 0.0.4).
 *
 * A metric is a static object registered once (by name and label text);
 * updating it is one relaxed atomic and allowed from any thread. Registering
 * takes a lock. Rendering walks all in name order. A process-wide registry is
 * the one global of Cresset: a counter must be reachable from where things drop. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
	const char *name;   /* cresset_agent_samples_total */
	const char *labels; /* reason="ring_full", or NULL */
	const char *help;
	enum metric_kind kind;
	_Atomic int64_t value;
	struct metric *next;
	_Atomic int registered;
};

#define METRIC_COUNTER_INIT(name_, labels_, help_)                                            \
	{                                                                                     \
		.name = (name_), .labels = (labels_), .help = (help_), .kind = METRIC_COUNTER \
	}
#define METRIC_GAUGE_INIT(name_, labels_, help_)                                            \
	{                                                                                   \
		.name = (name_), .labels = (labels_), .help = (help_), .kind = METRIC_GAUGE \
	}

/* Registers on first use. The metric (and its strings) must live as long as the process. */
void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_get(const struct metric *metric);
/* Shows it (with 0) before anything happened. */
void metric_register(struct metric *metric);

enum { HISTOGRAM_BUCKETS = 24 };

/* Durations: bucket i counts values <= 2^i * unit_ns; shown in seconds. */
struct histogram {
	const char *name; /* cresset_ingest_seconds */
	const char *labels;
	const char *help;
	uint64_t unit_ns; /* upper bound of the first bucket */
	_Atomic uint64_t buckets[HISTOGRAM_BUCKETS + 1];
	_Atomic uint64_t sum_ns;
	struct histogram *next;
	_Atomic int registered;
};

#define HISTOGRAM_INIT(name_, labels_, help_, unit_ns_)                                      \
	{                                                                                    \
		.name = (name_), .labels = (labels_), .help = (help_), .unit_ns = (unit_ns_) \
	}

void histogram_observe_ns(struct histogram *histogram, uint64_t value_ns);

/* Appends every registered metric, and process_* (cpu seconds, resident memory, open fds, start
 * time) under the names Prometheus clients use. */
void metrics_render(struct buf *out);
