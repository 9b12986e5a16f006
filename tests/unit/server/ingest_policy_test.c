/* Limits and rules that only hold when they are configured: built-in rules, sample
 * types, usage groups, sampling, quotas, sizes, series, rate. */
#include "ingest_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "server/config_flags.h"
#include "server/ingest_admit.h"
#include "server/ingest_discard.h"
#include "server/policy.h"
#include "server/tenant_state.h"
#include "server/usage.h"

static struct policy policy;
static struct tenant_states *states;

static int policy_setup(void **state)
{
	states = tenant_states_create();
	return setup(state);
}

static int policy_teardown(void **state)
{
	f.relabel = f.relabel == policy.relabel ? NULL : f.relabel;
	policy_deinit(&policy);
	tenant_states_destroy(states);
	return teardown(state);
}

/* A new batch; the rules are the policy's. */
static void again(void **state)
{
	if (f.relabel == policy.relabel)
		f.relabel = NULL;
	renew(state);
}

/* The key "limits" as YAML. */
static void use_limits(const char *yaml)
{
	struct config_decoder dec = {.arena = &f.arena, .style = CONFIG_PYROSCOPE};
	struct server_config config;
	struct config_node *root;
	struct err err = {0};

	int rc = server_config_default(&f.arena, &config, &err);
	rc = rc ? rc : config_parse(&f.arena, "limits.yaml", str_of(yaml), &root, &err);
	rc = rc ? rc : config_decode(&dec, &server_limits_schema, root, &config.limits, &err);
	if (f.relabel != policy.relabel)
		relabel_destroy(f.relabel);
	policy_deinit(&policy);
	rc = rc ? rc : policy_init(&policy, &config, &config.limits, &err);
	if (rc)
		fail_msg("%s", err.text);
	f.config = policy.ingest;
	f.config.time_precision_ns = 1;
	f.config.tenant_state = tenant_state_get(states, STR("t"));
	f.relabel = policy.relabel;
	must(usage_tally_create(policy.groups, &f.arena, &f.config.tally, NULL));
}

static void refuse_limits(const char *yaml, const char *why)
{
	struct config_decoder dec = {.arena = &f.arena, .style = CONFIG_PYROSCOPE};
	struct server_limits limits;
	struct config_node *root;
	struct err err = {0};

	must(config_defaults(&server_limits_schema, &f.arena, &limits, &err));
	must(config_parse(&f.arena, "limits.yaml", str_of(yaml), &root, &err));
	assert_int_equal(config_decode(&dec, &server_limits_schema, root, &limits, &err),
			 ERR_INVALID);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", yaml, err.text);
}

static void add_event(const char *function_name)
{
	uint32_t location = named_location(function_name);

	add_sample(stack(&location, 1));
	add_time(NOW_NS);
}

static int64_t shown(const char *line)
{
	struct buf text = {0};
	metrics_render(&text);
	ptrdiff_t at = str_find(buf_text(&text), str_of(line));
	int64_t value = at < 0 ? -1 : strtoll(text.ptr + at + strlen(line), NULL, 10);
	buf_deinit(&text);
	return value;
}

/* ---- built-in rules ---- */

/* A series of type wall, of which Pyroscope makes process_cpu; and one of Go's delta profiler. */
static void add_wall(void)
{
	set_types(f.profile, "cpu", "nanoseconds", "wall", "nanoseconds", 1);
	add_event("main");
}

static void built_in_rules_run_first(void **state)
{
	(void)state;
	use_limits("ingestion_relabeling_rules:\n"
		   "- {source_labels: [__name__], target_label: seen}\n");
	add_wall();
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
	assert_label(0, "__name__", "process_cpu");
	assert_label(0, "__name_replaced__", "wall");
	assert_label(0, "seen", "process_cpu");
	assert_label(0, "__profile_type__", "process_cpu:cpu:nanoseconds:wall:nanoseconds");
}

static void built_in_rules_run_last_when_asked(void **state)
{
	(void)state;
	use_limits("ingestion_relabeling_default_rules_position: last\n"
		   "ingestion_relabeling_rules:\n"
		   "- {source_labels: [__name__], target_label: seen}\n");
	add_wall();
	convert_checked();
	assert_label(0, "__name__", "process_cpu");
	assert_label(0, "seen", "wall");
}

static void built_in_rules_are_disabled_when_asked(void **state)
{
	(void)state;
	use_limits("ingestion_relabeling_default_rules_position: disabled");
	add_wall();
	convert_checked();
	assert_label(0, "__name__", "wall");
	assert_label(0, "__name_replaced__", "");
}

static void names_of_gos_delta_profiler_lose_their_prefix(void **state)
{
	(void)state;
	use_limits("{}");
	set_types(f.profile, "inuse_space", "bytes", "godeltaprof_memory", "bytes", 1);
	add_event("main");
	convert_checked();
	assert_label(0, "__name__", "memory");
	assert_label(0, "__name_replaced__", "godeltaprof_memory");
}

/* ---- sample types ---- */

static void sample_types_can_be_dropped(void **state)
{
	(void)state;
	use_limits("sample_type_relabeling_rules:\n"
		   "- {source_labels: [__type__, service_name], regex: 'cpu;unknown_service', "
		   "action: drop}\n");
	add_event("main");
	convert_checked();
	assert_int_equal(f.rows.series_count, 0);
	assert_int_equal(f.result.rejected_samples, 0); /* it was wanted */
	again(state);
	use_limits("sample_type_relabeling_rules:\n"
		   "- {source_labels: [__unit__], regex: nanoseconds, action: keep}\n");
	add_event("main");
	convert_checked();
	assert_int_equal(f.rows.series_count, 1);
}

static void other_actions_mean_nothing_for_sample_types(void **state)
{
	(void)state;
	refuse_limits("sample_type_relabeling_rules:\n- {action: labeldrop, regex: a}\n",
		      "neither keep nor drop");
}

/* ---- usage groups ---- */

static void usage_groups_are_counted(void **state)
{
	(void)state;
	use_limits("distributor_usage_groups:\n  mine: '{service_name=\"x\",team=~\"a.*\"}'\n"
		   "  'by-${labels.k8s_pod}': '{}'\n  never: '{team!~\"a.*\"}'\n");
	resource_attr("service.name", string_value("x"));
	resource_attr("team", string_value("alpha"));
	resource_attr("k8s.pod", string_value("p1"));
	add_event("main");
	add_event("main");
	convert_checked();
	usage_tally_count(f.config.tally, STR("count-me"));
#define SHOWN(name_, group_) \
	shown("cresset_usage_group_" name_ "{tenant=\"count-me\",usage_group=\"" group_ "\"} ")
	assert_int_equal(SHOWN("samples_total", "mine"), 2);
	assert_int_equal(SHOWN("samples_total", "by-p1"), 2);
	assert_int_equal(SHOWN("samples_total", "never"), 0);
	assert_int_equal(SHOWN("samples_total", "other"), 0);
}

static void a_group_that_is_used_up_is_refused(void **state)
{
	(void)state;
	use_limits("distributor_usage_groups: {g: '{service_name=\"x\"}'}\n"
		   "ingestion_limit: {usage_groups: {g: {limit_reached: true}}}\n");
	resource_attr("service.name", string_value("x"));
	add_event("main");
	convert_checked();
	assert_int_equal(f.rows.series_count, 0);
	assert_int_equal(f.result.rejected_samples, 1);
	assert_string_equal(f.result.reason, "ingest_limit_reached");
	usage_tally_count(f.config.tally, STR("used-up"));
	assert_int_equal(shown("cresset_usage_group_discarded_samples_total{tenant=\"used-up\","
			       "usage_group=\"g\"} "),
			 1);
}

static void groups_that_mean_nothing_are_refused(void **state)
{
	(void)state;
	refuse_limits("distributor_usage_groups: {g: '{a=}'}", "distributor_usage_groups.g: ");
	refuse_limits("distributor_usage_groups: {other: '{}'}", "is not \"other\"");
	refuse_limits("distributor_usage_groups: {g: '{a=~\"(\"}'}", "distributor_usage_groups.g");
	refuse_limits("distributor_sampling: {usage_groups: {g: {probability: 0.5}}}",
		      "\"g\" is no group");
	refuse_limits("distributor_usage_groups: {g: '{}'}\n"
		      "distributor_sampling: {usage_groups: {g: {probability: 2}}}",
		      "probability");
}

/* ---- sampling ---- */

static uint64_t stored_of(int profiles, const char *probability)
{
	uint64_t stored = 0;
	char yaml[256];

	snprintf(yaml, sizeof(yaml),
		 "distributor_usage_groups: {g: '{}'}\n"
		 "distributor_sampling: {usage_groups: {g: {probability: %s}}}\n",
		 probability);
	for (int i = 0; i < profiles; i++) {
		again(NULL);
		use_limits(yaml);
		f.profile->profile_id[0] = (uint8_t)i;
		f.profile->profile_id[1] = (uint8_t)(i >> 8);
		add_event("main");
		convert();
		assert_int_equal(f.result.rejected_samples, 0);
		stored += f.result.samples;
	}
	return stored;
}

static void a_part_of_a_group_is_stored(void **state)
{
	(void)state;
	uint64_t half = stored_of(400, "0.5");
	assert_in_range(half, 150, 250);
	assert_int_equal(stored_of(400, "0.5"), half); /* a retry is decided the same */
	assert_int_equal(stored_of(20, "0"), 0);
	assert_int_equal(stored_of(20, "1"), 20);
}

/* ---- limits of profiles ---- */

static void refused_for(const char *reason)
{
	convert_checked();
	assert_int_equal(f.rows.series_count, 0);
	assert_int_equal(f.result.rejected_profiles, 1);
	assert_string_equal(f.result.reason, reason);
}

static void profiles_above_a_limit_are_refused_whole(void **state)
{
	use_limits("max_profile_stacktrace_samples: 1");
	add_event("a");
	add_event("b");
	refused_for("samples_limit");
	again(state);
	use_limits("max_profile_size_bytes: 11");
	add_event("a"); /* a time and a frame: 12 */
	refused_for("profile_size_limit");
	again(state);
	use_limits("max_profile_stacktrace_sample_labels: 1");
	add_event("a");
	add_attr(attr("x", string_value("1")));
	add_attr(attr("y", string_value("1")));
	refused_for("sample_labels_limit");
	again(state);
	use_limits("{max_profile_stacktrace_samples: 1, max_profile_size_bytes: 12, "
		   "max_profile_stacktrace_sample_labels: 1}");
	add_event("a");
	convert_checked();
	assert_int_equal(f.result.samples, 1);
}

static void a_tenant_has_no_more_series_than_it_may(void **state)
{
	(void)state;
	use_limits("max_global_series_per_tenant: 2");
	static const char *const values[] = {"1", "2", "3", "1"};
	for (size_t i = 0; i < 4; i++) {
		add_event("a");
		add_attr(attr("x", string_value(values[i])));
	}
	convert_checked();
	assert_int_equal(f.rows.series_count, 2);
	assert_int_equal(f.result.samples, 3);
	assert_int_equal(f.result.rejected_samples, 1);
	assert_string_equal(f.result.reason, "series_limit");
}

static void series_are_forgotten_after_an_hour(void **state)
{
	struct tenant_state *one = tenant_state_get(states, STR("series"));
	const uint64_t minute_ns = 60ull * NS_PER_S;
	uint64_t now = 1000 * minute_ns;
	(void)state;
	assert_true(tenant_take_series(one, 1, 2, now));
	assert_true(tenant_take_series(one, 2, 2, now));
	assert_false(tenant_take_series(one, 3, 2, now));
	now += 31 * minute_ns;
	assert_true(tenant_take_series(one, 1, 2, now)); /* still there, and seen again */
	assert_false(tenant_take_series(one, 3, 2, now));
	now += 31 * minute_ns;
	assert_true(tenant_take_series(one, 3, 2, now)); /* in the place of 2 */
	assert_false(tenant_take_series(one, 2, 2, now));
	assert_true(tenant_take_series(one, 1, 2, now));
	now += 1000 * minute_ns;
	assert_true(tenant_take_series(one, 7, 1, now));
}

/* ---- rate ---- */

static void a_bucket_fills_at_its_rate(void **state)
{
	struct tenant_state *one = tenant_state_get(states, STR("rate"));
	uint64_t now = 5ull * NS_PER_S, wait = 0;
	(void)state;
	assert_true(tenant_take_bytes(one, 100, 200, 150, now, &wait));
	assert_false(tenant_take_bytes(one, 100, 200, 150, now, &wait));
	assert_in_range(wait, NS_PER_S - 10, NS_PER_S + 10); /* 100 are missing */
	assert_true(tenant_take_bytes(one, 100, 200, 150, now + wait, &wait));
	/* What is larger than the bucket passes when that is full, and is owed. */
	now += 10ull * NS_PER_S;
	assert_true(tenant_take_bytes(one, 100, 200, 1000, now, &wait));
	assert_false(tenant_take_bytes(one, 100, 200, 1, now + 5ull * NS_PER_S, &wait));
	assert_true(tenant_take_bytes(one, 100, 200, 1, now + 9ull * NS_PER_S, &wait));
	/* Others have their own. */
	assert_true(tenant_take_bytes(tenant_state_get(states, STR("rate2")), 100, 200, 200, now,
				      &wait));
}

static void what_comes_too_fast_is_refused_with_a_time(void **state)
{
	struct ingest_result result = {0};
	struct err err;
	(void)state;
	use_limits("{ingestion_rate_mb: 0.00001, ingestion_burst_size_mb: 0.00001}");
	add_event("a");
	assert_int_equal(ingest_admit(&f.config, &policy.limits, f.batch, &result, &err), 0);
	assert_int_equal(ingest_admit(&f.config, &policy.limits, f.batch, &result, &err),
			 ERR_LIMIT);
	assert_true(result.retry);
	assert_in_range(result.retry_ns, 1, 3ull * NS_PER_S);
	assert_non_null(strstr(err.text, "limits.ingestion_rate_mb"));
}

static void a_quota_that_is_used_up_lets_a_few_requests_through(void **state)
{
	struct ingest_result result = {0};
	struct err err;
	(void)state;
	use_limits("ingestion_limit: {period_type: hour, period_limit_mb: 128, limit_reached: "
		   "true, sampling: {num_requests: 1, period: 1h}}");
	add_event("a");
	assert_int_equal(ingest_admit(&f.config, &policy.limits, f.batch, &result, &err), 0);
	assert_int_equal(ingest_admit(&f.config, &policy.limits, f.batch, &result, &err),
			 ERR_LIMIT);
	assert_non_null(strstr(err.text, "128 MB/hour"));
	assert_true(result.retry_ns >= NS_PER_S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, policy_setup, policy_teardown)
	const struct CMUnitTest tests[] = {
		TEST(built_in_rules_run_first),
		TEST(built_in_rules_run_last_when_asked),
		TEST(built_in_rules_are_disabled_when_asked),
		TEST(names_of_gos_delta_profiler_lose_their_prefix),
		TEST(sample_types_can_be_dropped),
		TEST(other_actions_mean_nothing_for_sample_types),
		TEST(usage_groups_are_counted),
		TEST(a_group_that_is_used_up_is_refused),
		TEST(groups_that_mean_nothing_are_refused),
		TEST(a_part_of_a_group_is_stored),
		TEST(profiles_above_a_limit_are_refused_whole),
		TEST(a_tenant_has_no_more_series_than_it_may),
		TEST(series_are_forgotten_after_an_hour),
		TEST(a_bucket_fills_at_its_rate),
		TEST(what_comes_too_fast_is_refused_with_a_time),
		TEST(a_quota_that_is_used_up_lets_a_few_requests_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
