/* Private to the embedded engine: its metrics, all named cresset_store_*. */
#pragma once

#include "base/metrics.h"
#include "store/embedded/used.h"

extern struct metric store_requests_total, store_duplicates_total, store_refused_total,
	store_samples_total, store_commits_total, store_commit_bytes_total, store_queue_requests,
	store_commit_failures_total, store_maintenance_failures_total, store_reopens_total,
	store_days_dropped_total, store_days_dropped_for_size_total, store_crowded_rounds_total,
	store_live_bytes, store_collections_total, store_collected[USED_KINDS],
	store_block_cache_bytes, store_write_buffer_bytes, store_id_cache_bytes,
	store_page_cache_bytes, store_rows_read_total, store_blocks_read_total;
extern struct metric store_symbols_total, store_symbols_named_total, store_symbol_runs_read_total;
extern struct histogram store_sync_seconds, store_ack_seconds, store_query_seconds,
	store_collect_seconds;
extern struct metric store_settled_hours_total, store_settled_days_total, store_settled_rows_total,
	store_settled_blocks_in_total, store_settled_blocks_out_total, store_settled_bytes_in_total,
	store_settled_bytes_out_total, store_settle_thrown_away_total, store_unsettled_hours;
extern struct histogram store_settle_seconds, store_settle_commit_seconds;
extern struct metric store_query_helpers_total, store_query_bytes, store_answer_cache_bytes,
	store_answer_hits_total, store_answer_misses_total, store_memory_limit_bytes;

/* Shows the counters with 0, so that a rate over the first failure is not missed. */
void store_metrics_register(void);
