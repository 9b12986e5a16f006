/* The schema of Pyroscope's configuration (its reference page "Server
 * configuration") as far as one process needs it. What only a cluster needs is
 * IGNORED: accepted, with a warning. */
#include "server/config_flags.h"

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

/* ---- server ---- */

#define IGNORED(key_)                                 \
	{                                             \
		.key = (key_), .type = CONFIG_IGNORED \
	}

static const struct config_row tls_rows[] = {
	{.key = "cert_file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_tls, cert_file),
	 .flag = "cert-path",
	 .help = "certificate of the server, PEM"},
	{.key = "key_file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_tls, key_file),
	 .flag = "key-path",
	 .help = "its private key, PEM"},
	{.key = "client_ca_file",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_tls, client_ca_file),
	 .flag = "ca-path",
	 .help = "authorities whose client certificates are accepted"},
	{.key = "client_auth_type",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_tls, client_auth_type),
	 .flag = "client-auth",
	 .help = "RequireAndVerifyClientCert asks every client for one"},
};

int server_tls_check(const void *target, struct err *err)
{
	const struct server_tls *tls = target;
	if ((tls->cert_file.len > 0) != (tls->key_file.len > 0))
		return err_set(err, ERR_INVALID, "cert_file and key_file go together");
	return 0;
}

static const struct config_schema tls_schema =
	CONFIG_SCHEMA("http_tls_config", server_tls, tls_rows, .check = server_tls_check);

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};

static const struct config_row http_rows[] = {
	{.key = "http_listen_address",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_http, address),
	 .flag = "http-listen-address",
	 .help = "address to listen on; empty: every one"},
	{.key = "http_listen_port",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(server_http, port),
	 .fallback = "4040",
	 .max = 65535,
	 .flag = "http-listen-port",
	 .help = "port for OTLP, queries and the page; 0: any free one"},
	{.key = "http_listen_conn_limit",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(server_http, connections),
	 .flag = "http-conn-limit",
	 .help = "connections at the same time; 0: 12000"},
	{.key = "http_tls_config",
	 .type = CONFIG_SECTION,
	 CONFIG_FIELD(server_http, tls),
	 .section = &tls_schema,
	 .flag = "http-tls-"},
	{.key = "http_server_read_timeout",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(server_http, read_timeout_ns),
	 .fallback = "30s",
	 .flag = "http-read-timeout",
	 .help = "how long a body may make no progress"},
	{.key = "http_server_idle_timeout",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(server_http, idle_timeout_ns),
	 .fallback = "2m",
	 .flag = "http-idle-timeout",
	 .help = "how long a connection may stay without requests"},
	{.key = "graceful_shutdown_timeout",
	 .type = CONFIG_DURATION,
	 CONFIG_FIELD(server_http, graceful_ns),
	 .fallback = "10s",
	 .flag = "graceful-shutdown-timeout",
	 .help = "how long running requests may go on at the end"},
	{.key = "grpc_server_max_recv_msg_size",
	 .type = CONFIG_UINT,
	 CONFIG_FIELD(server_http, message_bytes),
	 .flag = "grpc-max-recv-msg-size-bytes",
	 .help = "largest OTLP message, unpacked; 0: 100 MiB"},
	{.key = "log_level",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(server_http, log_level),
	 .fallback = "info",
	 .choices = log_levels},
	{.key = "log_format",
	 .type = CONFIG_ENUM,
	 CONFIG_FIELD(server_http, log_format),
	 .fallback = "logfmt",
	 .choices = log_formats},
	IGNORED("http_listen_network"),
	IGNORED("http_server_write_timeout"),
	IGNORED("http_server_read_header_timeout"),
	IGNORED("http_log_closed_connections_without_response_enabled"),
	IGNORED("http_path_prefix"),
	IGNORED("register_instrumentation"),
	IGNORED("report_grpc_codes_in_instrumentation_label_enabled"),
	IGNORED("tls_cipher_suites"),
	IGNORED("tls_min_version"),
	IGNORED("grpc_tls_config"),
	IGNORED("grpc_listen_network"),
	IGNORED("grpc_listen_address"),
	IGNORED("grpc_listen_port"),
	IGNORED("grpc_listen_conn_limit"),
	IGNORED("grpc_server_max_send_msg_size"),
	IGNORED("grpc_server_max_concurrent_streams"),
	IGNORED("grpc_server_max_connection_idle"),
	IGNORED("grpc_server_max_connection_age"),
	IGNORED("grpc_server_max_connection_age_grace"),
	IGNORED("grpc_server_keepalive_time"),
	IGNORED("grpc_server_keepalive_timeout"),
	IGNORED("grpc_server_min_time_between_pings"),
	IGNORED("grpc_server_ping_without_stream_allowed"),
	IGNORED("grpc_server_num_workers"),
	IGNORED("log_source_ips_enabled"),
	IGNORED("log_source_ips_header"),
	IGNORED("log_source_ips_regex"),
	IGNORED("log_request_headers"),
	IGNORED("log_request_at_info_level_enabled"),
	IGNORED("log_request_exclude_headers_list"),
	IGNORED("proxy_protocol_enabled"),
};

static const struct config_schema http_schema = CONFIG_SCHEMA("server", server_http, http_rows);

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
	return server_retention_size(limits->retention_size, &size_bytes, &share, err);
}

/* ---- limits ---- */

#define LIMIT(key_, type_, field_, flag_, help_)                                     \
	{                                                                            \
		.key = (key_), .type = (type_), CONFIG_FIELD(server_limits, field_), \
		.flag = (flag_), .help = (help_)                                     \
	}

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
	IGNORED("ingestion_rate_mb"),
	IGNORED("ingestion_burst_size_mb"),
	IGNORED("ingestion_limit"),
	IGNORED("ingestion_tenant_shard_size"),
	IGNORED("ingestion_relabeling_default_rules_position"),
	IGNORED("sample_type_relabeling_rules"),
	IGNORED("disable_label_sanitization"),
	IGNORED("distributor_sampling"),
	IGNORED("distributor_usage_groups"),
	IGNORED("distributor_aggregation_window"),
	IGNORED("distributor_aggregation_period"),
	IGNORED("max_profile_size_bytes"),
	IGNORED("max_profile_stacktrace_samples"),
	IGNORED("max_profile_stacktrace_sample_labels"),
	IGNORED("max_sessions_per_series"),
	IGNORED("max_local_series_per_tenant"),
	IGNORED("max_global_series_per_tenant"),
	IGNORED("max_query_parallelism"),
	IGNORED("max_async_query_concurrency"),
	IGNORED("max_flamegraph_nodes_on_select_merge_profile"),
	IGNORED("query_analysis_enabled"),
	IGNORED("query_analysis_series_enabled"),
	IGNORED("query_sanitize_on_merge"),
	IGNORED("query_tree_enabled"),
	IGNORED("enable_query_backend"),
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
	IGNORED("recording_rules"),
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

static const struct config_schema limits_schema =
	CONFIG_SCHEMA("limits", server_limits, limits_rows, .check = check_limits);

/* ---- the whole ---- */

#define TOP(key_, type_, field_) .key = (key_), .type = (type_), CONFIG_FIELD(server_config, field_)

static const struct config_row top_rows[] = {
	{TOP("config.file", CONFIG_STRING, file), .flag = "config.file", .flag_only = true,
	 .help = "YAML file with the configuration"},
	{TOP("config.expand-env", CONFIG_BOOL, expand_env), .flag = "config.expand-env",
	 .flag_only = true, .help = "replace ${VAR} in the file by the environment's"},
	{TOP("help", CONFIG_BOOL, help), .flag = "help", .flag_alias = "h", .flag_only = true,
	 .help = "this text"},
	{TOP("help-all", CONFIG_BOOL, help), .flag = "help-all", .flag_only = true,
	 .help = "this text too"},
	{TOP("version", CONFIG_BOOL, version), .flag = "version", .flag_only = true,
	 .help = "print the version"},
	{TOP("modules", CONFIG_BOOL, modules), .flag = "modules", .flag_only = true,
	 .help = "print the modules: there is one, all"},
	{TOP("target", CONFIG_STRING, target), .fallback = "all", .flag = "target",
	 .help = "all; Cresset's server is one program"},
	{TOP("server", CONFIG_SECTION, http), .section = &http_schema, .flag = "server."},
	{TOP("log.level", CONFIG_ENUM, http.log_level), .fallback = "info", .choices = log_levels,
	 .flag = "log.level", .flag_only = true, .help = "how much the log says"},
	{TOP("log.format", CONFIG_ENUM, http.log_format), .fallback = "logfmt",
	 .choices = log_formats, .flag = "log.format", .flag_only = true,
	 .help = "how its lines look"},
	{TOP("limits", CONFIG_SECTION, limits), .section = &limits_schema, .flag = ""},
	{TOP("pyroscopedb.data_path", CONFIG_STRING, data_path), .flag = "pyroscopedb.data-path",
	 .help = "directory of the store (./data)"},
	{TOP("pyroscopedb.min_free_disk_gb", CONFIG_FLOAT, free_gib), .fallback = "10", .min = 0,
	 .max = 1e9, .flag = "pyroscopedb.retention-policy-min-free-disk-gb",
	 .help = "while less is free (and less than the share below) the oldest days are deleted"},
	{TOP("pyroscopedb.min_disk_available_percentage", CONFIG_FLOAT, free_share),
	 .fallback = "0.05", .min = 0, .max = 1,
	 .flag = "pyroscopedb.retention-policy-min-disk-available-percentage",
	 .help = "the same as a share of the file system, 0 to 1"},
	{TOP("pyroscopedb.disable_enforcement", CONFIG_BOOL, free_ignored),
	 .flag = "pyroscopedb.retention-policy-disable",
	 .help = "do not delete for the two above; the reserve of the disk still counts"},
	{TOP("store.memory", CONFIG_SIZE, memory_bytes), .fallback = "256MiB",
	 .min = 16.0 * 1024 * 1024, .max = 1e15, .flag = "store.memory",
	 .help = "most that the store's buffers, caches and queries take together"},
	{TOP("store.group_commit", CONFIG_DURATION, group_commit_ns), .fallback = "2ms", .min = 0,
	 .max = 1, .flag = "store.group-commit",
	 .help = "how long a request may wait for others, to be synced to disk together"},
	{TOP("store.time_precision", CONFIG_DURATION, time_precision_ns), .fallback = "1ms",
	 .min = 1e-9, .max = 60, .flag = "store.time-precision",
	 .help = "samples' times are kept as multiples of it; 1ns keeps them as they were sent"},
	{TOP("storage.backend", CONFIG_STRING, storage_backend), .flag = "storage.backend",
	 .help = "filesystem; others are accepted, and profiles kept on the local disk"},
	{TOP("storage.filesystem.dir", CONFIG_STRING, storage_dir),
	 .flag = "storage.filesystem.dir",
	 .help = "directory of the store when -pyroscopedb.data-path is not given"},
	{TOP("symbols.debuginfod_url", CONFIG_STRING, debuginfod_url),
	 .flag = "symbols.debuginfod-url",
	 .help = "debuginfod server to fetch symbols from for frames without a name; empty: none"},
	{TOP("multitenancy_enabled", CONFIG_BOOL, multitenancy),
	 .flag = "auth.multitenancy-enabled",
	 .help = "take the tenant from the header X-Scope-OrgID and refuse requests without"},
	{TOP("self_profiling.disable_push", CONFIG_BOOL, disable_push),
	 .flag = "self-profiling.disable-push",
	 .help = "accepted: the server does not profile itself"},
	{TOP("analytics.reporting_enabled", CONFIG_BOOL, reporting), .flag = "usage-stats.enabled",
	 .help = "accepted: the server reports to nobody"},
	IGNORED("self_profiling.mutex_profile_fraction"),
	IGNORED("self_profiling.block_profile_rate"),
	IGNORED("self_profiling.use_k6_middleware"),
	IGNORED("self_profiling.use_godeltaprof"),
	IGNORED("self_profiling.tenant_id"),
	IGNORED("analytics.usage_stats_url"),
	IGNORED("storage.prefix"),
	IGNORED("storage.s3"),
	IGNORED("storage.gcs"),
	IGNORED("storage.azure"),
	IGNORED("storage.swift"),
	IGNORED("storage.cos"),
	IGNORED("pyroscopedb.max_block_duration"),
	IGNORED("pyroscopedb.row_group_target_size"),
	IGNORED("pyroscopedb.symbols_partition_label"),
	IGNORED("pyroscopedb.enforcement_interval"),
	IGNORED("api"),
	IGNORED("metastore"),
	IGNORED("distributor"),
	IGNORED("frontend"),
	IGNORED("query_frontend"),
	IGNORED("query_backend"),
	IGNORED("adaptive_placement"),
	IGNORED("symbolizer"),
	IGNORED("frontend_worker"),
	IGNORED("segment_writer"),
	IGNORED("memberlist"),
	IGNORED("tracing"),
	IGNORED("overrides_exporter"),
	IGNORED("runtime_config"),
	IGNORED("compaction_worker"),
	IGNORED("tenant_settings"),
	IGNORED("show_banner"),
	IGNORED("shutdown_delay"),
	IGNORED("architecture_storage"),
	IGNORED("admin_server"),
	IGNORED("embedded_grafana"),
	IGNORED("querier"),
	IGNORED("ingester"),
	IGNORED("compactor"),
	IGNORED("store_gateway"),
	IGNORED("query_scheduler"),
};

const struct config_schema server_config_schema = CONFIG_SCHEMA(NULL, server_config, top_rows);
