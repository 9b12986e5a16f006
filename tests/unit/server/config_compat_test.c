/* Keys and flags as they stand in files that were written for Pyroscope. */
#include "config_fixture.h"

static void what_a_drop_in_must_take_is_taken(void **state)
{
	char *argv[] = {
		(char[]){"-target=all"},
		(char[]){"-auth.multitenancy-enabled"},
		(char[]){"-server.http-listen-address=0.0.0.0"},
		(char[]){"-server.grpc-max-recv-msg-size-bytes=104857600"},
		(char[]){"-log.level=warn"},
		(char[]){"-log.format=json"},
		(char[]){"-storage.backend=filesystem"},
		(char[]){"-storage.filesystem.dir=/data/shared"},
		(char[]){"-pyroscopedb.data-path=/data"},
		(char[]){"-querier.max-query-length=24h"},
		(char[]){"-usage-stats.enabled=false"},
		(char[]){"-server.http-tls-cert-path=/c.pem"},
		(char[]){"-server.http-tls-key-path=/k.pem"},
		NULL,
	};
	struct fixture *f = *state;
	must(f, load(f, argv));
	assert_true(f->config.multitenancy);
	assert_int_equal(f->config.http.message_bytes, 104857600);
	assert_int_equal(f->config.http.log_format, SERVER_LOG_JSON);
	assert_true(f->config.limits.query_length_ns == 24LL * 3600 * NS_PER_S);
	assert_str(f->config.http.tls.key_file, "/k.pem");
	assert_int_equal(f->warnings.len, 0);
}

static void keys_of_a_cluster_are_warned_about_once_each(void **state)
{
	struct fixture *f = *state;
	char join[] = "-memberlist.join", member[] = "pyroscope-0",
	     ring[] = "-ingester.ring.store=x";
	write_file(f, "memberlist:\n  join_members: [a, b]\n  bind_port: 7946\n"
		      "store_gateway:\n  sharding_ring: {replication_factor: 1}\n"
		      "limits: {ingestion_rate_mb: 1000, max_query_parallelism: 0}\n"
		      "storage: {backend: s3, s3: {bucket_name: b, secret_access_key: hush}}\n");
	must(f, LOAD(f, join, member, f->flag, ring));
	assert_true(warned(f, "flag -memberlist.join has no effect here\n"));
	assert_true(warned(f, "flag -ingester.ring.store has no effect here\n"));
	assert_true(warned(f, "key \"memberlist\": has no effect here\n"));
	assert_true(warned(f, "key \"store_gateway\": has no effect here\n"));
	assert_true(warned(f, "max_query_parallelism"));
	assert_false(warned(f, "ingestion_rate_mb"));
	assert_true(warned(f, "object stores are not used"));
	assert_false(warned(f, "hush"));
}

/* A file that was written by "print all defaults" sets them all, and charts set flags. */
static void settings_of_a_go_server_or_a_cluster_do_not_keep_it_from_starting(void **state)
{
	static const char *const keys[] = {
		"server: {grpc_collect_max_streams_by_conn: true}",
		"server: {grpc_server_stats_tracking_enabled: true}",
		"server: {grpc_server_recv_buffer_pools_enabled: false}",
		"server: {grpc_server_read_buffer_size: 32768}",
		"server: {grpc_server_write_buffer_size: 32768}",
		"server: {cluster_validation: {label: a, grpc: {enabled: true}}}",
		"server: {create_new_traces: false}",
		"server: {trace_request_headers: false}",
		"server: {trace_request_exclude_headers_list: ''}",
		"server: {log_source_ips_full: false}",
		"limits: {enable_query_backend_from: auto}",
		"limits: {adaptive_placement_default_dataset_shards: 1}",
		"limits: {adaptive_placement_load_balancing: dynamic}",
		"limits: {adaptive_placement_min_dataset_shards: 1}",
		"limits: {adaptive_placement_max_dataset_shards: 1024}",
		"limits: {adaptive_placement_unit_size_bytes: 131072}",
		"limits: {adaptive_placement_burst_window: 17m}",
		"limits: {adaptive_placement_decay_window: 19m}",
	};
	static const char *const flags[] = {
		"-compactor.no-blocks-file-cleanup-enabled",
		"-querier.max-flamegraph-nodes-on-select-merge-profile",
		"-querier.pprof-flat-plan-enabled",
		"-querier.query-tree-enabled",
		"-querier.sanitize-on-merge=false",
		"-server.grpc-collect-max-streams-by-conn",
		"-server.http-log-closed-connections-without-response-enabled",
		"-server.report-grpc-codes-in-instrumentation-label-enabled",
		"-server.create-new-traces",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		write_file(f, keys[i]);
		if (LOAD(f, f->flag))
			fail_msg("%s: %s", keys[i], f->err.text);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		char flag[96];
		snprintf(flag, sizeof(flag), "%s", flags[i]);
		if (LOAD(f, flag))
			fail_msg("%s: %s", flag, f->err.text);
	}
	assert_true(warned(f, "adaptive_placement_decay_window"));
	assert_true(warned(f, "flag -querier.sanitize-on-merge has no effect here\n"));
}

/* One of each family of the flags that Pyroscope 1.18's -help-all prints. */
static void flags_of_pyroscope_are_taken(void **state)
{
	static const char *const names[] = {
		"api.base-url=/x",
		"blocks-storage.bucket-store.sync-dir=/x",
		"compactor.block-ranges=1h",
		"compactor.no-blocks-file-cleanup-enabled",
		"compactor.ring.store=memberlist",
		"config.show_banner=false",
		"consul.hostname=x",
		"distributor.aggregation-period=1s",
		"distributor.client-cleanup-period=1s",
		"distributor.ingestion-artificial-delay=1s",
		"distributor.ingestion-tenant-shard-size=1",
		"distributor.replication-factor=1",
		"distributor.zone-awareness-enabled",
		"etcd.endpoints=x",
		"ingester.min-ready-duration=0s",
		"memberlist.bind-port=1",
		"multi.primary=x",
		"overrides-exporter.ring.store=x",
		"pyroscopedb.row-group-target-size=1",
		"pyroscopedb.retention-policy-enforcement-interval=1m",
		"querier.client-cleanup-period=1s",
		"querier.max-flamegraph-nodes-on-select-merge-profile",
		"querier.query-analysis-enabled",
		"querier.sanitize-on-merge=true",
		"querier.split-queries-by-interval=1h",
		"query-frontend.instance-port=1",
		"query-scheduler.ring.store=x",
		"ring.store=x",
		"self-profiling.mutex-profile-fraction=5",
		"server.cluster-validation.label=x",
		"server.grpc-listen-port=9095",
		"server.grpc.keepalive.time=1s",
		"server.http-listen-network=tcp",
		"server.log-source-ips-enabled",
		"server.proxy-protocol-enabled",
		"server.register-instrumentation=true",
		"server.throughput.unit=x",
		"server.trace-request-headers",
		"storage.s3.bucket-name=x",
		"storage.storage-prefix=x",
		"store-gateway.sharding-ring.store=x",
		"tenant-settings.recording-rules.enabled",
		"tracing.enabled=false",
		"validation.enforce-labels-order",
		"validation.max-sessions-per-series=1",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char flag[128], said[160];
		snprintf(flag, sizeof(flag), "-%s", names[i]);
		must(f, LOAD(f, flag));
		snprintf(said, sizeof(said), "flag -%.*s has no effect here\n",
			 (int)strcspn(names[i], "="), names[i]);
		if (!warned(f, said))
			fail_msg("%s: %.*s", flag, STR_ARG(buf_text(&f->warnings)));
	}
}

static void flags_that_have_an_effect_have_it(void **state)
{
	char *argv[] = {
		(char[]){"-distributor.ingestion-rate-limit-mb=4"},
		(char[]){"-distributor.ingestion-burst-size-mb=2"},
		(char[]){"-distributor.ingestion-relabeling-default-rules-position=last"},
		(char[]){"-distributor.ingestion-relabeling-rules"},
		(char[]){"[{action: labeldrop, regex: pod}]"},
		(char[]){"-distributor.sample-type-relabeling-rules=[{action: drop, regex: x}]"},
		(char[]){"-ingester.max-global-series-per-tenant=5000"},
		(char[]){"-runtime-config.file=/a.yaml,/b.yaml"},
		(char[]){"-runtime-config.reload-period=1m"},
		(char[]){"-server.grpc-max-concurrent-streams=7"},
		(char[]){"-server.http-read-header-timeout=3s"},
		(char[]){"-server.http-tls-client-auth=RequireAnyClientCert"},
		(char[]){"-server.path-prefix=/v1/"},
		(char[]){"-server.tls-min-version=VersionTLS13"},
		(char[]){"-validation.disable-label-sanitization=true"},
		(char[]){"-validation.max-profile-size-bytes=9"},
		(char[]){"-validation.max-profile-stacktrace-samples=8"},
		(char[]){"-validation.max-profile-stacktrace-sample-labels=7"},
		NULL,
	};
	struct fixture *f = *state;
	must(f, load(f, argv));
	const struct server_limits *limits = &f->config.limits;
	assert_true(limits->ingestion_rate_mb > 3.9 && limits->ingestion_burst_mb < 2.1);
	assert_int_equal(limits->rules_position, SERVER_RULES_LAST);
	assert_int_equal(limits->relabel_rules.count, 1);
	assert_int_equal(limits->sample_type_rules.count, 1);
	assert_int_equal(limits->global_series, 5000);
	assert_int_equal(f->config.runtime_files.count, 2);
	assert_true(f->config.runtime_period_ns == 60ll * NS_PER_S);
	assert_int_equal(f->config.http.streams, 7);
	assert_true(str_equal(f->config.http.path_prefix, STR("/v1")));
	assert_int_equal(limits->profile_bytes, 9);
	assert_int_equal(f->warnings.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_a_drop_in_must_take_is_taken),
		TEST(keys_of_a_cluster_are_warned_about_once_each),
		TEST(settings_of_a_go_server_or_a_cluster_do_not_keep_it_from_starting),
		TEST(flags_of_pyroscope_are_taken),
		TEST(flags_that_have_an_effect_have_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
