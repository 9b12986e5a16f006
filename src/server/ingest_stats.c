#include "server/ingest_stats.h"

#include "base/clock.h"

struct metric ingest_failures = METRIC_COUNTER_INIT("cresset_ingest_failures_total", NULL,
						    "Export requests answered with an error");
struct metric ingest_bytes = METRIC_COUNTER_INIT("cresset_ingest_bytes_total", NULL,
						 "Unpacked bytes of export requests");
struct histogram ingest_seconds =
	HISTOGRAM_INIT("cresset_ingest_seconds", NULL,
		       "Time from a whole request to its answer, durable write included",
		       100 * NS_PER_US);
