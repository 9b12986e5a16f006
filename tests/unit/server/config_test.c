#include "config_fixture.h"

static void defaults_are_those_of_pyroscope(void **state)
{
	struct fixture *f = *state;
	must(f, load(f, (char *[]){NULL}));
	assert_str(f->config.http.address, "");
	assert_int_equal(f->config.http.port, 4040);
	assert_int_equal(f->config.limits.flame_nodes_default, 8192);
	assert_int_equal(f->config.limits.flame_nodes_max, 1048576);
	assert_int_equal(f->config.limits.query_length_ns, 0);
	assert_true(f->config.limits.retention_ns == 31LL * 24 * 3600 * NS_PER_S);
	assert_int_equal(f->config.http.log_level, LOG_INFO);
	assert_false(f->config.multitenancy);
	assert_str(f->config.debuginfod_url, "");
	assert_int_equal(f->warnings.len, 0);
}

/* The file and the command line of the documentation page of the eBPF profiler. */
static void the_documented_recipe_loads(void **state)
{
	struct fixture *f = *state;
	char push[] = "-self-profiling.disable-push=true";
	write_file(f, "limits:\n"
		      "    ingestion_relabeling_rules:\n"
		      "        - action: labelmap\n"
		      "          regex: ^process.executable.name$\n"
		      "          replacement: service_name\n");
	must(f, LOAD(f, push, f->flag));
	assert_true(f->config.disable_push);
	assert_int_equal(f->config.limits.relabel_rules.count, 1);
	const struct server_relabel_row *row = f->config.limits.relabel_rules.items;
	assert_str(row->action, "labelmap");
	assert_str(row->regex, "^process.executable.name$");
	assert_str(row->replacement, "service_name");
	assert_str(row->separator, ";");
	assert_int_equal(f->warnings.len, 0);
}

static void flags_win_over_the_file(void **state)
{
	struct fixture *f = *state;
	char port[] = "--server.http-listen-port", value[] = "5050", level[] = "-log.level=debug";
	char memory[] = "-store.memory=64MiB";
	write_file(f, "server:\n  http_listen_port: 1\n  http_listen_address: 127.0.0.1\n"
		      "  log_level: error\npyroscopedb:\n  data_path: /data\n"
		      "multitenancy_enabled: true\nstore:\n  memory: 1GiB\n  group_commit: 7ms\n"
		      "symbols:\n  debuginfod_url: http://127.0.0.1:8002\n");
	must(f, LOAD(f, f->flag, port, value, level, memory));
	assert_str(f->config.debuginfod_url, "http://127.0.0.1:8002");
	assert_int_equal(f->config.http.port, 5050);
	assert_int_equal(f->config.http.log_level, LOG_DEBUG);
	assert_str(f->config.http.address, "127.0.0.1");
	assert_str(f->config.data_path, "/data");
	assert_true(f->config.multitenancy);
	assert_true(f->config.memory_bytes == 64ull << 20);
	assert_int_equal(f->config.group_commit_ns, 7 * NS_PER_MS);
	assert_int_equal(f->config.time_precision_ns, NS_PER_MS);
}

/* ---- retention ---- */

static struct store_retention retention_of(struct fixture *f)
{
	struct store_retention retention;
	must(f, server_retention(&f->config, &f->arena, &retention, &f->err));
	return retention;
}

static void by_default_half_of_the_disk_is_used_and_some_of_it_kept_free(void **state)
{
	struct fixture *f = *state;
	must(f, load(f, (char *[]){NULL}));
	struct store_retention retention = retention_of(f);
	assert_true(retention.age_ns == 31ull * 24 * 3600 * NS_PER_S);
	assert_int_equal(retention.size_bytes, 0);
	assert_true(retention.size_share > 0.499 && retention.size_share < 0.501);
	assert_true(retention.free_bytes == 10ull << 30);
	assert_true(retention.free_share > 0.049 && retention.free_share < 0.051);
	assert_int_equal(retention.override_count, 0);
}

static void tenants_have_their_own_retention_and_inherit_the_rest(void **state)
{
	struct fixture *f = *state;
	char free_gb[] = "-pyroscopedb.retention-policy-min-free-disk-gb=3";
	write_file(f, "limits:\n  retention_period: 5d\n  retention_size: 20GiB\n"
		      "  retention_overrides:\n    a: {retention_period: 90d}\n"
		      "    b/c: {retention_size: 5GiB}\n    ever: {retention_period: 0}\n"
		      "pyroscopedb:\n  min_disk_available_percentage: 0.1\n");
	must(f, LOAD(f, f->flag, free_gb));
	struct store_retention retention = retention_of(f);
	const struct store_override *overrides = retention.overrides;
	const uint64_t day_ns = 24ull * 3600 * NS_PER_S;
	assert_int_equal(f->warnings.len, 0);
	assert_true(retention.age_ns == 5 * day_ns);
	assert_true(retention.size_bytes == 20ull << 30 && retention.size_share == 0);
	assert_true(retention.free_bytes == 3ull << 30);
	assert_true(retention.free_share > 0.09 && retention.free_share < 0.11);
	assert_int_equal(retention.override_count, 3);
	assert_str(overrides[0].tenant, "a");
	assert_true(overrides[0].age_ns == 90 * day_ns && overrides[0].size_bytes == 0);
	assert_str(overrides[1].tenant, "b/c");
	assert_true(overrides[1].age_ns == 5 * day_ns && overrides[1].size_bytes == 5ull << 30);
	assert_str(overrides[2].tenant, "ever");
	assert_true(overrides[2].age_ns == 0);
}

static void the_disk_of_others_may_be_left_alone(void **state)
{
	struct fixture *f = *state;
	char disable[] = "-pyroscopedb.retention-policy-disable", none[] = "-retention-size=0";
	char age[] = "-compactor.blocks-retention-period=48h";
	must(f, LOAD(f, disable, none, age));
	struct store_retention retention = retention_of(f);
	assert_int_equal(retention.free_bytes, 0);
	assert_int_equal(retention.size_bytes, 0);
	assert_true(retention.size_share == 0 && retention.free_share == 0);
	assert_true(retention.age_ns == 48ull * 3600 * NS_PER_S);
	assert_int_equal(f->warnings.len, 0);
}

static void a_size_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const wrong[] = {"110%", "x", "%", "-1%", "nan%", "5 apples"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char flag[64], text[128];
		snprintf(flag, sizeof(flag), "-retention-size=%s", wrong[i]);
		assert_int_equal(LOAD(f, flag), ERR_INVALID);
		assert_non_null(strstr(f->err.text, "neither a size (20GiB) nor a share"));
		snprintf(text, sizeof(text), "limits:\n  retention_size: \"%s\"\n", wrong[i]);
		write_file(f, text);
		assert_int_equal(LOAD(f, f->flag), ERR_INVALID);
		assert_non_null(strstr(f->err.text, f->path));
	}
}

static void unknown_keys_and_flags_are_refused_with_a_hint(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"limits:\n  max_query_lenght: 1h\n", ":2: field \"max_query_lenght\" not found"},
		{"limits:\n  max_query_lenght: 1h\n", "did you mean \"max_query_length\"?"},
		{"sever: {}\n", "did you mean \"server\"?"},
		{"server:\n  http_listen_port: 99999\n", ":2: "},
		{"server:\n  http_listen_port: x\n", "http_listen_port"},
		{"server: [\n", "failed parsing config"},
		{"limits:\n  ingestion_relabeling_rules:\n  - action: labelmap\n  - action: nope\n",
		 ":4: "},
		{"limits:\n  ingestion_relabeling_rules:\n  - {action: keep, regex: '('}\n",
		 ":3: "},
		{"limits:\n  ingestion_relabeling_rules:\n  - {regexp: a}\n",
		 "did you mean \"regex\"?"},
		{"server:\n  http_tls_config:\n    cert_file: a\n",
		 "cert_file and key_file go together"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(f, rows[i].text);
		assert_int_equal(LOAD(f, f->flag), ERR_INVALID);
		if (!strstr(f->err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, f->err.text);
		assert_non_null(strstr(f->err.text, "failed parsing config: "));
	}
	char slip[] = "-server.http-listen-prot=1";
	assert_int_equal(LOAD(f, slip), ERR_INVALID);
	assert_string_equal(f->err.text,
			    "flag provided but not defined: -server.http-listen-prot (did you mean "
			    "-server.http-listen-port?)");
	char target[] = "-target=querier", backend[] = "-storage.backend=tape";
	assert_int_equal(LOAD(f, target), ERR_INVALID);
	assert_int_equal(LOAD(f, backend), ERR_INVALID);
	char missing[] = "-config.file=/nonexistent.yaml";
	assert_int_equal(LOAD(f, missing), ERR_NOT_FOUND);
}

static void wrong_values_of_the_new_keys_are_said(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"server:\n  http_tls_config:\n    client_auth_type: Maybe\n", "RequestClientCert"},
		{"server:\n  http_tls_config: {cert: a, cert_file: b, key: c}\n",
		 "as text or as _file"},
		{"server:\n  http_tls_config: {cert: a}\n", "go together"},
		{"limits: {ingestion_relabeling_default_rules_position: middle}\n", "first"},
		{"limits:\n  sample_type_relabeling_rules:\n  - {action: replace, target_label: "
		 "a}\n",
		 ":3: "},
		{"limits:\n  distributor_usage_groups: {a: '{'}\n", "distributor_usage_groups.a"},
		{"auth:\n  users:\n    a: {password: x, roles: [reader]}\n", ":3: "},
		{"auth:\n  tokns: {}\n", "did you mean \"tokens\"?"},
		{"runtime_config: {fil: x}\n", "did you mean \"file\"?"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(f, rows[i].text);
		assert_int_equal(LOAD(f, f->flag), ERR_INVALID);
		if (!strstr(f->err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, f->err.text);
	}
	char version[] = "-server.tls-min-version=TLS12", prefix[] = "-server.path-prefix=x",
	     rules[] = "-distributor.ingestion-relabeling-rules=[{action: nope}]",
	     nothing[] = "-distributor.ingestion-relabeling-rules";
	assert_int_equal(LOAD(f, version), ERR_INVALID);
	assert_non_null(strstr(f->err.text, "VersionTLS12"));
	assert_int_equal(LOAD(f, prefix), ERR_INVALID);
	assert_int_equal(LOAD(f, rules), ERR_INVALID);
	assert_non_null(strstr(f->err.text, "flag -distributor.ingestion-relabeling-rules:1"));
	assert_int_equal(LOAD(f, nothing), ERR_INVALID);
	write_file(f, "server: {grpc_tls_config: {cert_file: a, key_file: b}}\n");
	must(f, LOAD(f, f->flag));
	assert_true(warned(f, "gRPC is served on the HTTP port"));
}

static void the_environment_is_expanded_when_asked(void **state)
{
	struct fixture *f = *state;
	char expand[] = "-config.expand-env";
	setenv("CRESSET_TEST_PORT", "7070", 1);
	write_file(f, "server:\n  http_listen_port: ${CRESSET_TEST_PORT}\n"
		      "  http_listen_address: ${CRESSET_TEST_NONE:-::1}\n");
	must(f, LOAD(f, f->flag, expand));
	assert_int_equal(f->config.http.port, 7070);
	assert_str(f->config.http.address, "::1");
	assert_int_equal(LOAD(f, f->flag), ERR_INVALID);
}

static void recording_rules_are_read_from_the_file(void **state)
{
	struct fixture *f = *state;
	write_file(f, "compaction_worker:\n"
		      "  temp_dir: /tmp/x\n"
		      "  metrics_exporter:\n"
		      "    enabled: true\n"
		      "    rules_source: {client_address: 'settings:9095'}\n"
		      "    remote_write_address: https://u:p@prometheus/api/v1/write\n"
		      "recording_rules: {interval: 15s, delay: 5s}\n"
		      "limits:\n"
		      "  recording_rules:\n"
		      "  - id: a\n"
		      "    metric_name: profiles_recorded_cpu\n"
		      "    matchers: ['{__profile_type__=\"a:b:c:d:e\", service_name=\"x\"}']\n"
		      "    group_by: [service_name, namespace]\n"
		      "    external_labels: [{name: k, value: v}]\n"
		      "    stacktrace_filter: {function_name: {function_name: main.f, "
		      "metric_type: 0}}\n");
	must(f, LOAD(f, f->flag));
	assert_true(f->config.rules.exporter_enabled);
	assert_str(f->config.rules.remote_write_address, "https://u:p@prometheus/api/v1/write");
	assert_int_equal(f->config.rules.interval_ns, 15ll * NS_PER_S);
	assert_int_equal(f->config.rules.delay_ns, 5ll * NS_PER_S);
	assert_int_equal(f->config.limits.recording_rules.count, 1);
	const struct server_rule_row *row = f->config.limits.recording_rules.items;
	assert_str(row->id, "a");
	assert_str(row->metric_name, "profiles_recorded_cpu");
	assert_int_equal(row->matchers.count, 1);
	assert_int_equal(row->group_by.count, 2);
	assert_str(row->external_labels.items[0].key, "k");
	assert_str(row->external_labels.items[0].value, "v");
	assert_str(row->function, "main.f");
	assert_true(warned(f, "compaction_worker.temp_dir"));
	assert_true(warned(f, "rules_source"));
}

static void recording_rules_are_read_from_flags(void **state)
{
	struct fixture *f = *state;
	char on[] = "-compaction-worker.metrics-exporter.enabled";
	char url[] = "-compaction-worker.metrics-exporter.remote-write-address=http://p:9090/w";
	char rules[] = "-compaction-worker.metrics-exporter.rules-source.static="
		       "[{\"metric_name\":\"m\",\"matchers\":[\"{__profile_type__=\\\"t\\\"}\"]}]";
	char client[] = "-compaction-worker.metrics-exporter.rules-source.client-address=x:1";
	char also[] = "-recording-rules.enabled";
	must(f, LOAD(f, on, url, rules, client));
	assert_true(f->config.rules.exporter_enabled);
	assert_false(f->config.rules.enabled);
	assert_str(f->config.rules.remote_write_address, "http://p:9090/w");
	assert_int_equal(f->config.limits.recording_rules.count, 1);
	assert_true(warned(f, "rules-source.client-address has no effect"));
	must(f, LOAD(f, also, url));
	assert_true(f->config.rules.enabled);
}

static void recording_rules_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"recording_rules: {enabled: true}\n",
		 "compaction_worker.metrics_exporter.remote_write_address is missing"},
		{"compaction_worker: {metrics_exporter: {enabled: true, remote_write_address: "
		 "'p:9090'}}\n",
		 "compaction_worker.metrics_exporter.remote_write_address: write it as"},
		{"compaction_worker: {metrics_exporter: {enable: true}}\n", "enable"},
		{"limits: {recording_rules: [{metric_name: m, matchers: ['{a=\"b\"}']}]}\n",
		 "__profile_type__"},
		{"limits: {recording_rules: [{metric_name: 1m, matchers: "
		 "['{__profile_type__=\"b\"}']}]}\n",
		 "metric_name \"1m\""},
		{"limits: {recording_rules: [{matchers: ['{__profile_type__=\"b\"}']}]}\n",
		 "metric_name"},
		{"limits: {recording_rules: [{metric_name: m, matchers: "
		 "['{__profile_type__=\"b\"}'], stacktrace_filter: {function_name: {function_name: "
		 "f, metric_type: SELF}}}]}\n",
		 "only TOTAL is there"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(f, bad[i].text);
		assert_int_equal(LOAD(f, f->flag), ERR_INVALID);
		if (str_find(str_of(f->err.text), str_of(bad[i].want)) < 0)
			fail_msg("%s has no %s", f->err.text, bad[i].want);
	}
}

static void help_lists_the_flags(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 0);
	server_config_help(&out);
	assert_true(str_find(buf_text(&out), STR("-server.http-listen-port")) >= 0);
	assert_true(str_find(buf_text(&out), STR("-pyroscopedb.data-path")) >= 0);
	buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_those_of_pyroscope),
		TEST(the_documented_recipe_loads),
		TEST(flags_win_over_the_file),
		TEST(by_default_half_of_the_disk_is_used_and_some_of_it_kept_free),
		TEST(tenants_have_their_own_retention_and_inherit_the_rest),
		TEST(the_disk_of_others_may_be_left_alone),
		TEST(a_size_that_is_none_is_refused),
		TEST(unknown_keys_and_flags_are_refused_with_a_hint),
		TEST(wrong_values_of_the_new_keys_are_said),
		TEST(the_environment_is_expanded_when_asked),
		TEST(recording_rules_are_read_from_the_file),
		TEST(recording_rules_are_read_from_flags),
		TEST(recording_rules_that_cannot_be_are_refused),
		TEST(help_lists_the_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
