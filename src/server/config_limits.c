/* The schema of Pyroscope's key "limits" (its reference page "Server
 * configuration"): of the main file, and of each tenant in the runtime file. */
#include "server/config_flags.h"
#include "server/rule.h"
#include "server/usage.h"

/* ---- limits.ingestion_relabeling_rules ---- */

static const struct config_row relabel_rows[] = {
	{.key = "action",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_relabel_row, action),
	 .fallback = "replace",
	 .help = "replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, "
		 "labelkeep, lowercase or uppercase"},
	{.key = "regex",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_relabel_row, regex),
	 .fallback = "(.*)",
	 .help = "anchored at both ends"},
	{.key = "separator",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_relabel_row, separator),
	 .fallback = ";",
	 .help = "between the values of source_labels"},
	{.key = "replacement",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_relabel_row, replacement),
	 .fallback = "$1",
	 .help = "$1, ${1} and ${name} are groups of regex"},
	{.key = "target_label",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_relabel_row, target_label),
	 .help = "the label that is written"},
	{.key = "source_labels",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(server_relabel_row, source_labels),
	 .help = "the labels that are read"},
	{.key = "modulus",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(server_relabel_row, modulus),
	 .help = "of hashmod"},
};

static int check_relabel_row(const void *target, struct err *err)
{
	struct relabel *relabel = NULL;
	struct relabel_rule_spec spec = server_relabel_spec(target);
	int rc = relabel_create(&spec, 1, &relabel, err);
	relabel_destroy(relabel);
	return rc;
}

static const struct config_schema relabel_schema =
	CONFIG_SCHEMA("ingestion_relabeling_rules", server_relabel_row, relabel_rows,
		      .check = check_relabel_row);

/* By then the series is what it is: it can be left out, and no more. */
static int check_sample_type_row(const void *target, struct err *err)
{
	const struct server_relabel_row *row = target;
	if (!str_equal_nocase(row->action, STR("keep")) &&
	    !str_equal_nocase(row->action, STR("drop")))
		return err_set(err, ERR_INVALID, "the action \"%.*s\" is neither keep nor drop",
			       STR_ARG(row->action));
	return check_relabel_row(target, err);
}

static const struct config_schema sample_type_schema =
	CONFIG_SCHEMA("sample_type_relabeling_rules", server_relabel_row, relabel_rows,
		      .check = check_sample_type_row);

struct relabel_rule_spec server_relabel_spec(const struct server_relabel_row *row)
{
	return (struct relabel_rule_spec){
		.action = row->action,
		.regex = row->regex,
		.source_labels = row->source_labels.items,
		.source_count = row->source_labels.count,
		.separator = row->separator,
		.target_label = row->target_label,
		.replacement = row->replacement,
		.modulus = row->modulus,
	};
}

/* ---- usage groups: ingestion_limit, distributor_sampling ---- */

static const struct config_row group_limit_rows[] = {
	{.key = "period_limit_mb",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(server_group_limit, period_limit_mb),
	 .help = "for the error's sentence"},
	{.key = "limit_reached",
	 .type = CONFIG_BOOL,
	 CONFIG_FIELD(server_group_limit, reached),
	 .help = "series of the group are refused"},
};

static const struct config_schema group_limit_schema =
	CONFIG_SCHEMA("usage_groups", server_group_limit, group_limit_rows);

static const struct config_row sampling_rows[] = {
	{.key = "probability",
	 .type = CONFIG_FLOAT,
	 CONFIG_FIELD(server_group_sampling, probability),
	 .fallback = "1",
	 .min = 0,
	 .max = 1,
	 .help = "share of the group's profiles that is stored"},
};

static const struct config_schema sampling_schema =
	CONFIG_SCHEMA("usage_groups", server_group_sampling, sampling_rows);

/* ---- limits.retention_overrides ---- */

static const struct config_row retention_rows[] = {
	{.key = "retention_period",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(server_retention_row, period_ns),
	 CONFIG_PRESENCE(server_retention_row, has_period),
	 .help = "older profiles of this tenant are deleted; 0: never"},
	{.key = "retention_size",
	 .type = CONFIG_SIZE,
	 CONFIG_FIELD(server_retention_row, size_bytes),
	 .help = "most that this tenant takes on disk; 0: only the limit of all holds"},
};

static const struct config_schema retention_schema =
	CONFIG_SCHEMA("retention_overrides", server_retention_row, retention_rows);

static int check_limits(const void *target, struct err *err)
{
	const struct server_limits *limits = target;
	uint64_t size_bytes;
	double share;
	int rc = server_retention_size(limits->retention_size, &size_bytes, &share, err);
	return rc ? rc : usage_check(limits, err);
}

/* ---- limits ---- */

#define LIMIT(key_, type_, field_, flag_, help_)                                     \
	{                                                                            \
		.key = (key_), .type = (type_), CONFIG_FIELD(server_limits, field_), \
		.flag = (flag_), .help = (help_)                                     \
	}

static const char *const rules_positions[] = {"first", "last", "disabled", NULL};

static const struct config_row limits_rows[] = {
	LIMIT("ingestion_body_limit_mb", CONFIG_FLOAT, ingestion_body_mb,
	      "distributor.ingestion-body-limit-mb", "largest request, unpacked, MiB; 0: 100"),
	LIMIT("max_label_names_per_series", CONFIG_UINT, label_names,
	      "validation.max-label-names-per-series", "labels of one series; 0: the default"),
	LIMIT("max_label_name_length", CONFIG_UINT, label_name_bytes,
	      "validation.max-length-label-name", "bytes of a label's name; 0: the default"),
	LIMIT("max_label_value_length", CONFIG_UINT, label_value_bytes,
	      "validation.max-length-label-value", "bytes of a label's value; 0: the default"),
	LIMIT("max_profile_symbol_value_length", CONFIG_UINT, symbol_bytes,
	      "validation.max-profile-symbol-value-length", "names are cut there; 0: the default"),
	LIMIT("max_profile_stacktrace_depth", CONFIG_UINT, stack_depth,
	      "validation.max-profile-stacktrace-depth", "stacks are cut there; 0: the default"),
	LIMIT("reject_older_than", CONFIG_DURATION, reject_older_ns, "validation.reject-older-than",
	      "age from which samples are refused; 0: any age is taken"),
	LIMIT("reject_newer_than", CONFIG_DURATION, reject_newer_ns, "validation.reject-newer-than",
	      "samples further ahead of our clock are refused; 0: the default"),
	LIMIT("max_query_length", CONFIG_DURATION, query_length_ns, "querier.max-query-length",
	      "longest time range of a query; 0: any"),
	LIMIT("max_query_lookback", CONFIG_DURATION, query_lookback_ns,
	      "querier.max-query-lookback", "queries are clipped to this age; 0: no clipping"),
	{.key = "max_flamegraph_nodes_default",
	 .type = CONFIG_INT,
	 CONFIG_FIELD(server_limits, flame_nodes_default),
	 .fallback = "8192",
	 .min = 0,
	 .max = 1e9,
	 .flag = "querier.max-flamegraph-nodes-default",
	 .help = "nodes when a query names no number"},
	{.key = "max_flamegraph_nodes_max",
	 .type = CONFIG_INT,
	 CONFIG_FIELD(server_limits, flame_nodes_max),
	 .fallback = "1048576",
	 .min = 0,
	 .max = 1e9,
	 .flag = "querier.max-flamegraph-nodes-max",
	 .help = "most nodes a query may ask for; 0: any"},
	{.key = "retention_period",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(server_limits, retention_ns),
	 .fallback = "31d",
	 .flag = "retention-period",
	 .help = "older profiles are deleted; 0: never"},
	LIMIT("compactor_blocks_retention_period", CONFIG_DURATION, blocks_retention_ns,
	      "compactor.blocks-retention-period", "the same, as Pyroscope 1.x calls it"),
	{.key = "retention_size",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_limits, retention_size),
	 .fallback = "50%",
	 .flag = "retention-size",
	 .help = "most that the store takes on disk, 20GiB or a share of its file system; the "
		 "oldest "
		 "days are deleted; 0: any"},
	{.key = "retention_overrides",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(server_limits, retention_rows),
	 .section = &retention_schema,
	 .help = "retention_period and retention_size of single tenants"},
	{.key = "ingestion_relabeling_rules",
	 .type = CONFIG_SECTIONS,
	 CONFIG_FIELD(server_limits, relabel_rules),
	 .section = &relabel_schema,
	 .help = "rules for the labels of what comes in"},
	{.key = "ingestion_relabeling_default_rules_position",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(server_limits, rules_position),
	 .fallback = "first",
	 .choices = rules_positions,
	 .flag = "distributor.ingestion-relabeling-default-rules-position",
	 .help = "where Pyroscope's five built-in rules run"},
	{.key = "sample_type_relabeling_rules",
	 .type = CONFIG_SECTIONS,
	 CONFIG_FIELD(server_limits, sample_type_rules),
	 .section = &sample_type_schema,
	 .help = "keep or drop by __type__, __unit__ and the labels of the series"},
	LIMIT("disable_label_sanitization", CONFIG_BOOL, names_as_sent,
	      "validation.disable-label-sanitization",
	      "accepted: names are kept as they were sent, and found with _ for . too"),
	LIMIT("ingestion_rate_mb", CONFIG_FLOAT, ingestion_rate_mb,
	      "distributor.ingestion-rate-limit-mb", "MiB a second of one tenant; 0: any"),
	LIMIT("ingestion_burst_size_mb", CONFIG_FLOAT, ingestion_burst_mb,
	      "distributor.ingestion-burst-size-mb",
	      "MiB that may come at once above that; 0: those of a second"),
	{.key = "distributor_usage_groups",
	 .type = CONFIG_STRING_MAP,
	 CONFIG_FIELD(server_limits, usage_groups),
	 .max = USAGE_GROUPS_MAX,
	 .help = "groups of series that are counted: a name and a selector each"},
	{.key = "distributor_sampling.usage_groups",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(server_limits, sampling),
	 .section = &sampling_schema,
	 .max = USAGE_GROUPS_MAX,
	 .help = "of which of these groups only a part is stored"},
	LIMIT("ingestion_limit.period_type", CONFIG_STRING, ingestion_limit.period_type, NULL,
	      "for the error's sentence: hour, day"),
	LIMIT("ingestion_limit.period_limit_mb", CONFIG_UINT, ingestion_limit.period_limit_mb, NULL,
	      "for the error's sentence"),
	LIMIT("ingestion_limit.limit_reset_time", CONFIG_INT, ingestion_limit.reset_time_s, NULL,
	      "when the limit ends, in seconds since 1970: clients are told to wait"),
	LIMIT("ingestion_limit.limit_reached", CONFIG_BOOL, ingestion_limit.reached, NULL,
	      "everything is refused until this is false again"),
	LIMIT("ingestion_limit.sampling.num_requests", CONFIG_UINT,
	      ingestion_limit.sampled_requests, NULL, "of which so many are let through"),
	LIMIT("ingestion_limit.sampling.period", CONFIG_DURATION, ingestion_limit.sampled_period_ns,
	      NULL, "in such a time"),
	{.key = "ingestion_limit.usage_groups",
	 .type = CONFIG_NAMED,
	 CONFIG_FIELD(server_limits, ingestion_limit.usage_groups),
	 .section = &group_limit_schema,
	 .max = USAGE_GROUPS_MAX,
	 .help = "the same for usage groups"},
	LIMIT("max_profile_size_bytes", CONFIG_UINT, profile_bytes,
	      "validation.max-profile-size-bytes", "larger profiles are refused; 0: none is"),
	LIMIT("max_profile_stacktrace_samples", CONFIG_UINT, profile_samples,
	      "validation.max-profile-stacktrace-samples",
	      "profiles with more samples are refused; 0: none is"),
	LIMIT("max_profile_stacktrace_sample_labels", CONFIG_UINT, sample_labels,
	      "validation.max-profile-stacktrace-sample-labels",
	      "profiles with a sample of more attributes are refused; 0: none is"),
	LIMIT("max_local_series_per_tenant", CONFIG_UINT, local_series,
	      "ingester.max-local-series-per-tenant", "the same as the next"),
	LIMIT("max_global_series_per_tenant", CONFIG_UINT, global_series,
	      "ingester.max-global-series-per-tenant",
	      "series of a tenant within an hour; new ones above it are refused; 0: any"),
	{.key = "recording_rules",
	 .type = CONFIG_SECTIONS,
	 CONFIG_FIELD(server_limits, recording_rules),
	 .section = &server_rule_schema,
	 .max = RULES_MAX,
	 .help = "evaluated beside those that the tenant keeps "
		 "(settings.v1.RecordingRulesService)"},
	IGNORED("enforce_labels_order"),
	IGNORED("ingestion_artificial_delay"),
	IGNORED("query_pprof_flat_plan_enabled"),
	IGNORED("ingestion_tenant_shard_size"),
	IGNORED("distributor_aggregation_window"),
	IGNORED("distributor_aggregation_period"),
	IGNORED("max_sessions_per_series"),
	IGNORED("max_query_parallelism"),
	IGNORED("max_async_query_concurrency"),
	IGNORED("max_flamegraph_nodes_on_select_merge_profile"),
	IGNORED("query_analysis_enabled"),
	IGNORED("query_analysis_series_enabled"),
	IGNORED("query_sanitize_on_merge"),
	IGNORED("query_tree_enabled"),
	IGNORED("enable_query_backend"),
	IGNORED("enable_query_backend_from"),
	IGNORED("split_queries_by_interval"),
	IGNORED("querier_split_queries_by_interval"),
	IGNORED("async_ingest"),
	IGNORED("write_path"),
	IGNORED("write_path_compression"),
	IGNORED("write_path_ingester_weight"),
	IGNORED("write_path_segment_writer_weight"),
	IGNORED("write_path_segment_writer_timeout"),
	IGNORED("read_path_overrides"),
	IGNORED("adaptive_placement_tenant_shards"),
	IGNORED("adaptive_placement_default_dataset_shards"),
	IGNORED("adaptive_placement_load_balancing"),
	IGNORED("adaptive_placement_min_dataset_shards"),
	IGNORED("adaptive_placement_max_dataset_shards"),
	IGNORED("adaptive_placement_unit_size_bytes"),
	IGNORED("adaptive_placement_burst_window"),
	IGNORED("adaptive_placement_decay_window"),
	IGNORED("max_recording_rules"),
	IGNORED("symbolizer"),
	IGNORED("store_gateway_tenant_shard_size"),
	IGNORED("compactor_split_and_merge_shards"),
	IGNORED("compactor_split_and_merge_stage_size"),
	IGNORED("compactor_split_groups"),
	IGNORED("compactor_tenant_shard_size"),
	IGNORED("compactor_partial_block_deletion_delay"),
	IGNORED("compactor_downsampler_enabled"),
	IGNORED("s3_sse_type"),
	IGNORED("s3_sse_kms_key_id"),
	IGNORED("s3_sse_kms_encryption_context"),
};

const struct config_schema server_limits_schema =
	CONFIG_SCHEMA("limits", server_limits, limits_rows, .check = check_limits);
