/* Private to server: what a tenant may still send now (rate, quota), and how much a
 * profile counts for that. */
#pragma once

#include "server/ingest.h"
#include "server/server.h"

/* About the samples' part of its pprof: 8 bytes a value and a time, 4 an attribute and a frame of its stack. */
uint64_t profile_size_bytes(const struct profile_dict *dict, const struct profile *profile);

/* Takes the batch's size out of the tenant's bucket. ERR_LIMIT: not now; result says when, and its samples are
 * counted as discarded. */
MUST_USE int ingest_admit(const struct ingest_config *config, const struct server_limits *limits,
			  const struct profile_batch *batch, struct ingest_result *result,
			  struct err *err);
