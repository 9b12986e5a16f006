/* Private to server: a profile batch becomes a store batch. */
#pragma once

#include "server/ingest.h"

/* By which profiles become series. */
struct ingest_rules {
	const struct ingest_config *config;
	const struct relabel *relabel;
	enum ingest_naming naming;
};

/* The rules are those of docs/ingest.md. All memory is the arena's; ret refers to it and to the batch.
 * now_ns is our clock. */
MUST_USE int ingest_convert(const struct ingest_rules *rules, const struct profile_batch *batch,
			    uint64_t now_ns, struct arena *arena, struct store_batch *ret,
			    struct ingest_result *result, struct err *err);
