#include "store/embedded/gauges.h"

enum { FIRST_BUCKET_NS = 50 * 1000 };

struct metric store_requests_total =
	METRIC_COUNTER_INIT("cresset_store_requests_total", NULL, "Batches asked to be written.");
struct metric store_duplicates_total =
	METRIC_COUNTER_INIT("cresset_store_duplicates_total", NULL,
			    "Batches acknowledged without writing, since the same content was "
			    "written minutes ago.");
struct metric store_refused_total =
	METRIC_COUNTER_INIT("cresset_store_refused_total", NULL,
			    "Batches not written: invalid, disk full, I/O error.");
struct metric store_samples_total =
	METRIC_COUNTER_INIT("cresset_store_samples_total", NULL, "Samples written durably.");
struct metric store_commits_total =
	METRIC_COUNTER_INIT("cresset_store_commits_total", NULL,
			    "Synced commits, each of one or more batches.");
struct metric store_commit_bytes_total =
	METRIC_COUNTER_INIT("cresset_store_commit_bytes_total", NULL,
			    "Bytes of all commits before compression.");
struct metric store_commit_failures_total =
	METRIC_COUNTER_INIT("cresset_store_commit_failures_total", NULL,
			    "Commits that the database refused.");
struct metric store_maintenance_failures_total =
	METRIC_COUNTER_INIT("cresset_store_maintenance_failures_total", NULL,
			    "Rounds of background work in which a task failed.");
struct metric store_reopens_total =
	METRIC_COUNTER_INIT("cresset_store_reopens_total", NULL,
			    "Times the database was opened anew after a failure.");
struct metric store_days_dropped_total =
	METRIC_COUNTER_INIT("cresset_store_days_dropped_total", NULL,
			    "Days of a tenant dropped by retention.");
struct metric store_days_dropped_for_size_total =
	METRIC_COUNTER_INIT("cresset_store_days_dropped_for_size_total", NULL,
			    "Those of them that were dropped since the store was too large or the "
			    "disk too full.");
struct metric store_crowded_rounds_total =
	METRIC_COUNTER_INIT("cresset_store_crowded_rounds_total", NULL,
			    "Rounds in which the store was too large with nothing but today's data "
			    "to drop, which stays.");
struct metric store_live_bytes =
	METRIC_GAUGE_INIT("cresset_store_live_bytes", NULL,
			  "Bytes of the database's tables and its log: what the limit of size is "
			  "about.");
struct metric store_collections_total = METRIC_COUNTER_INIT("cresset_store_collections_total", NULL,
							    "Times the dictionary was searched for "
							    "entries that nothing refers to.");
struct metric store_collected[USED_KINDS] = {
	METRIC_COUNTER_INIT("cresset_store_collected_total", "kind=\"string\"",
			    "Entries removed since nothing refers to them."),
	METRIC_COUNTER_INIT("cresset_store_collected_total", "kind=\"frame\"",
			    "Entries removed since nothing refers to them."),
	METRIC_COUNTER_INIT("cresset_store_collected_total", "kind=\"node\"",
			    "Entries removed since nothing refers to them."),
	METRIC_COUNTER_INIT("cresset_store_collected_total", "kind=\"series\"",
			    "Entries removed since nothing refers to them."),
};
struct metric store_queue_requests =
	METRIC_GAUGE_INIT("cresset_store_queue_requests", NULL, "Batches that wait for a commit.");
struct metric store_block_cache_bytes = METRIC_GAUGE_INIT("cresset_store_block_cache_bytes", NULL,
							  "Memory of the database's block cache.");
struct metric store_write_buffer_bytes =
	METRIC_GAUGE_INIT("cresset_store_write_buffer_bytes", NULL,
			  "Memory of the database's write buffers.");
struct metric store_id_cache_bytes = METRIC_GAUGE_INIT("cresset_store_id_cache_bytes", NULL,
						       "Memory of the writer's dictionary cache.");
struct metric store_page_cache_bytes =
	METRIC_GAUGE_INIT("cresset_store_page_cache_bytes", NULL,
			  "Memory of the readers' dictionary pages.");
struct metric store_rows_read_total = METRIC_COUNTER_INIT("cresset_store_rows_read_total", NULL,
							  "Samples in blocks that queries opened.");
struct metric store_blocks_read_total = METRIC_COUNTER_INIT("cresset_store_blocks_read_total", NULL,
							    "Sample blocks that queries opened.");
struct metric store_symbols_total =
	METRIC_COUNTER_INIT("cresset_store_symbols_total", NULL,
			    "Functions whose names were stored for frames without one.");
struct metric store_symbols_named_total =
	METRIC_COUNTER_INIT("cresset_store_symbols_named_total", NULL,
			    "Frames of answers that got their name from late symbols.");
struct metric store_symbol_runs_read_total =
	METRIC_COUNTER_INIT("cresset_store_symbol_runs_read_total", NULL,
			    "Runs of late symbols that queries read.");
struct metric store_settled_hours_total =
	METRIC_COUNTER_INIT("cresset_store_settled_hours_total", NULL,
			    "Hours of a series that were settled.");
struct metric store_settled_days_total =
	METRIC_COUNTER_INIT("cresset_store_settled_days_total", NULL,
			    "Days of a series that were summed up, or found not to be worth it.");
struct metric store_settled_rows_total =
	METRIC_COUNTER_INIT("cresset_store_settled_rows_total", NULL, "Rows that settling read.");
struct metric store_settled_blocks_in_total =
	METRIC_COUNTER_INIT("cresset_store_settled_blocks_in_total", NULL,
			    "Sample blocks that merged ones took the place of.");
struct metric store_settled_blocks_out_total =
	METRIC_COUNTER_INIT("cresset_store_settled_blocks_out_total", NULL,
			    "Merged sample blocks.");
struct metric store_settled_bytes_in_total =
	METRIC_COUNTER_INIT("cresset_store_settled_bytes_in_total", NULL,
			    "Bytes of the sample blocks that were merged, before compression.");
struct metric store_settled_bytes_out_total =
	METRIC_COUNTER_INIT("cresset_store_settled_bytes_out_total", NULL,
			    "Bytes of merged sample blocks, before compression.");
struct metric store_settle_thrown_away_total =
	METRIC_COUNTER_INIT("cresset_store_settle_thrown_away_total", NULL,
			    "Series whose settled hours were not written, since samples came "
			    "meanwhile or the database was opened anew.");
struct metric store_unsettled_hours =
	METRIC_GAUGE_INIT("cresset_store_unsettled_hours", NULL,
			  "Closed hours of a tenant that may have something to settle.");
struct metric store_query_helpers_total =
	METRIC_COUNTER_INIT("cresset_store_query_helpers_total", NULL,
			    "Threads that were started to help long queries.");
struct metric store_query_bytes =
	METRIC_GAUGE_INIT("cresset_store_query_bytes", NULL, "Memory of the queries that run.");
struct metric store_answer_cache_bytes =
	METRIC_GAUGE_INIT("cresset_store_answer_cache_bytes", NULL,
			  "Memory of the answers that are kept for closed time ranges.");
struct metric store_answer_hits_total =
	METRIC_COUNTER_INIT("cresset_store_answer_hits_total", NULL,
			    "Queries answered by what is kept of an earlier one.");
struct metric store_answer_misses_total =
	METRIC_COUNTER_INIT("cresset_store_answer_misses_total", NULL,
			    "Queries of closed time ranges whose answer was not kept.");
struct metric store_memory_limit_bytes =
	METRIC_GAUGE_INIT("cresset_store_memory_limit_bytes", NULL,
			  "What the store's caches, buffers and queries may take together.");
struct histogram store_sync_seconds =
	HISTOGRAM_INIT("cresset_store_sync_seconds", NULL,
		       "Time of one write and sync of the database's log.", FIRST_BUCKET_NS);
struct histogram store_ack_seconds =
	HISTOGRAM_INIT("cresset_store_ack_seconds", NULL,
		       "Time from asking for a write to its acknowledgement.", FIRST_BUCKET_NS);
struct histogram store_collect_seconds =
	HISTOGRAM_INIT("cresset_store_collect_seconds", NULL,
		       "Time of one search for entries that nothing refers to.", FIRST_BUCKET_NS);
struct histogram store_settle_seconds =
	HISTOGRAM_INIT("cresset_store_settle_seconds", NULL,
		       "Time of one round of settling that had something to do.", FIRST_BUCKET_NS);
struct histogram store_settle_commit_seconds =
	HISTOGRAM_INIT("cresset_store_settle_commit_seconds", NULL,
		       "Time for which one commit of settling kept writes waiting.",
		       FIRST_BUCKET_NS);
struct histogram store_query_seconds =
	HISTOGRAM_INIT("cresset_store_query_seconds", NULL, "Time of one query of any kind.",
		       FIRST_BUCKET_NS);

void store_metrics_register(void)
{
	static struct metric *const counters[] = {
		&store_requests_total,
		&store_duplicates_total,
		&store_refused_total,
		&store_samples_total,
		&store_commits_total,
		&store_commit_bytes_total,
		&store_reopens_total,
		&store_maintenance_failures_total,
		&store_commit_failures_total,
		&store_days_dropped_total,
		&store_collections_total,
		&store_days_dropped_for_size_total,
		&store_crowded_rounds_total,
		&store_settled_hours_total,
		&store_settle_thrown_away_total,
		&store_answer_hits_total,
		&store_answer_misses_total,
		&store_query_helpers_total,
	};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		metric_register(counters[i]);
	for (size_t i = 0; i < USED_KINDS; i++)
		metric_register(&store_collected[i]);
}
