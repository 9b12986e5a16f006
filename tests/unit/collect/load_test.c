/* SPDX-License-Identifier: Apache-2.0
 *
 * What the agent says to configurations, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collect/collect.h"

#define PROFILING "receivers: {profiling: {samples_per_second: 97}}\n"
#define OTLP	  "exporters: {otlp_grpc: {endpoint: '127.0.0.1:4040', tls: {insecure: true}}}\n"
#define SERVICE \
	"service: {pipelines: {profiles: {receivers: [profiling], exporters: [otlp_grpc]}}}\n"

static int load(const char *yaml, const char *gates, struct err *err)
{
	char source[4096] = "yaml:";
	const char *configs[] = {source};
	struct collect *collect = NULL;
	strncat(source, yaml, sizeof(source) - 10);
	const struct collect_options options = {.configs = configs,
						.config_count = 1,
						.feature_gates = &gates,
						.feature_gate_count = gates ? 1 : 0};
	int rc = collect_load(&options, &collect, err);
	if (rc == 0)
		collect_stop(collect);
	return rc;
}

static void good_configurations_load(void **state)
{
	(void)state;
	static const char *const good[] = {
		PROFILING OTLP SERVICE,
		"receivers: {profiling: }\nexporters: {nop: }\n"
		"service: {pipelines: {profiles: {receivers: [profiling], exporters: [nop]}}}\n",
		"receivers: {profiling/a: {reporter_interval: 1s}}\nexporters: {otlp/b: {endpoint: "
		"x:1}, nop: {}}\n"
		"service:\n  telemetry: {logs: {level: error}}\n  pipelines:\n"
		"    profiles: {receivers: [profiling/a], exporters: [otlp/b]}\n"
		"    profiles/2: {receivers: [profiling/a], exporters: [otlp/b, nop]}\n",
		PROFILING "exporters: {otlp_grpc: {endpoint: x:1, sending_queue: {queue_size: 5}, "
			  "retry_on_failure: {max_elapsed_time: 0}, headers: {a: b}, compression: "
			  "none}}\n" SERVICE,
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = {0};
		if (load(good[i], "+service.profilesSupport", &err))
			fail_msg("%s: %s", good[i], err.text);
	}
}

static void wrong_configurations_are_explained(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *says;
	} wrong[] = {
		{"", "no receiver"},
		{PROFILING SERVICE, "no exporter"},
		{PROFILING OTLP, "at least one pipeline"},
		{PROFILING OTLP
		 "service: {pipelines: {traces: {receivers: [profiling], exporters: [otlp_grpc]}}}",
		 "profiles only"},
		{PROFILING OTLP "service: {pipelines: {profils: {receivers: [profiling], "
				"exporters: [otlp_grpc]}}}",
		 "unknown pipeline signal: \"profils\""},
		{PROFILING OTLP
		 "service: {pipelines: {profiles: {receivers: [], exporters: [otlp_grpc]}}}",
		 "must have at least one receiver"},
		{PROFILING OTLP "service: {pipelines: {profiles: {receivers: [profiling]}}}",
		 "must have at least one exporter"},
		{PROFILING OTLP
		 "service: {pipelines: {profiles: {receivers: [other], exporters: [otlp_grpc]}}}",
		 "receiver \"other\" which is not configured"},
		{PROFILING OTLP
		 "service: {pipelines: {profiles: {receivers: [profiling], exporters: [nop]}}}",
		 "exporter \"nop\" which is not configured"},
		{"receivers: {profilling: }\n" OTLP SERVICE, "unknown type: \"profilling\""},
		{PROFILING OTLP "processors: {k8sattributes/x: }\n" SERVICE, "k8sattributes/x"},
		{PROFILING OTLP "extensions: {health_check: }\n" SERVICE, "health_check"},
		{PROFILING "exporters: {otlp_grpc: }\n" SERVICE, "endpoint"},
		{PROFILING "exporters: {otlp_grpc: {endpoint: x:1, compression: brotli}}\n" SERVICE,
		 "compression"},
		{PROFILING "exporters: {otlp_grpc: {endpoint: x:1, tls: {cert_file: a}}}\n" SERVICE,
		 "key_file"},
		{"receivers: {profiling: {samples_per_second: 0}}\n" OTLP SERVICE,
		 "samples_per_second"},
		{"receivers: {profiling: {samples_per_secnd: 1}}\n" OTLP SERVICE,
		 "samples_per_second"},
		{PROFILING OTLP "servce: {}\n" SERVICE, "servce"},
		{"receivers: [\n", "yaml:"},
		{"receivers: [profiling]\n" OTLP SERVICE, "\"receivers\": is not a map"},
		{"receivers: profiling\n" OTLP SERVICE, "\"receivers\": is not a map"},
		{PROFILING "exporters: [nop]\n" SERVICE, "\"exporters\": is not a map"},
		{PROFILING OTLP "processors: x\n" SERVICE, "\"processors\": is not a map"},
		{PROFILING OTLP "service: {pipelines: [profiles]}", "\"service::pipelines\""},
		{PROFILING OTLP "service: {pipelines: profiles}", "\"service::pipelines\""},
		{PROFILING OTLP "service: {pipelines: {profiles: }}", "at least one receiver"},
		{"receivers: {profiling/: }\n" OTLP SERVICE, "the part after /"},
		{"receivers: {/x: }\n" OTLP SERVICE, "the part before /"},
		{PROFILING OTLP
		 "service: {pipelines: {profiles: {receivers: [profiling], processors: "
		 "[batch, batch], exporters: [otlp_grpc]}}}",
		 "references processor \"batch\" multiple times"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = {0};
		assert_int_not_equal(load(wrong[i].yaml, "service.profilesSupport", &err), 0);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("\"%s\" is not in: %s", wrong[i].says, err.text);
	}
}

static void profiles_need_their_feature_gate(void **state)
{
	(void)state;
	struct err err = {0};
	assert_int_not_equal(load(PROFILING OTLP SERVICE, NULL, &err), 0);
	assert_non_null(strstr(err.text, "--feature-gates=service.profilesSupport"));
	assert_int_not_equal(load(PROFILING OTLP SERVICE, "-service.profilesSupport", &err), 0);
	assert_int_not_equal(load(PROFILING OTLP SERVICE, "service.profileSupport", &err), 0);
	assert_non_null(strstr(err.text, "no such feature gate"));
	assert_int_equal(load(PROFILING OTLP SERVICE,
			      "pdata.useProtoPooling,service.profilesSupport", &err),
			 0);
}

static void later_files_and_sets_win(void **state)
{
	(void)state;
	struct err err = {0};
	struct collect *collect = NULL;
	const char *configs[] = {"yaml:" PROFILING OTLP SERVICE,
				 "yaml:exporters: {otlp_grpc: {endpoint: ''}}"};
	const char *sets[] = {"exporters.otlp_grpc.endpoint=127.0.0.1:1"};
	const char *gate = "service.profilesSupport";
	struct collect_options options = {.configs = configs,
					  .config_count = 2,
					  .feature_gates = &gate,
					  .feature_gate_count = 1};
	assert_int_not_equal(collect_load(&options, &collect, &err), 0);
	assert_non_null(strstr(err.text, "endpoint"));
	options.sets = sets;
	options.set_count = 1;
	assert_int_equal(collect_load(&options, &collect, &err), 0);
	collect_stop(collect);
}

static void nothing_at_all_is_explained_too(void **state)
{
	(void)state;
	struct err err = {0};
	struct collect *collect = NULL;
	const char *configs[] = {"yaml:", "yaml:# only a comment"};
	const struct collect_options options = {.configs = configs, .config_count = 2};
	assert_int_equal(collect_load(&options, &collect, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "no receiver"));
}

static void an_error_without_a_sentence_keeps_its_code(void **state)
{
	(void)state;
	assert_int_equal(load("receivers: {profiling: {pin_cpu_ids: x}}\nexporters: {nop: }\n"
			      "service: {pipelines: {profiles: {receivers: [profiling], exporters: "
			      "[nop]}}}\n",
			      "service.profilesSupport", NULL),
			 ERR_INVALID);
}

static void without_memory_it_says_so(void **state)
{
	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct err err = {0};
		mem_fail_nth(nth);
		int rc = load(PROFILING OTLP SERVICE, "service.profilesSupport", &err);
		mem_fail_nth(0);
		if (rc == 0) {
			assert_true(nth > 2);
			return;
		}
		if (rc != ERR_NOMEM)
			fail_msg("request %d: %s", (int)nth, err.text);
	}
}

/* An exporter that cannot start, and those before it that could. */
static void a_start_that_fails_half_way_stops_what_ran(void **state)
{
	(void)state;
	const char *configs[] = {
		"yaml:" PROFILING "exporters: {otlp_grpc/a: {endpoint: '127.0.0.1:1', tls: "
		"{insecure: true}}, otlp_grpc/b: {endpoint: 'x y', tls: {insecure: true}}}\n"
		"service: {pipelines: {profiles: {receivers: [profiling], "
		"exporters: [otlp_grpc/a, otlp_grpc/b, otlp_grpc/a]}}}\n"};
	const char *gate = "service.profilesSupport";
	const struct collect_options options = {.configs = configs,
						.config_count = 1,
						.feature_gates = &gate,
						.feature_gate_count = 1};
	struct collect *collect = NULL;
	struct err err = {0};
	assert_int_equal(collect_load(&options, &collect, &err), 0);
	assert_int_not_equal(collect_start(collect, &err), 0);
	assert_non_null(strstr(err.text, "failed to start \"otlp_grpc/b\" exporter"));
	collect_stop(collect);
	configs[0] = "yaml:" PROFILING "exporters: {otlp_grpc: {endpoint: 'x:1', tls: {ca_file: "
		     "/nowhere/ca.pem}}}\n" SERVICE;
	assert_int_equal(collect_load(&options, &collect, &err), 0);
	assert_int_equal(collect_start(collect, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "ca_file: reading /nowhere/ca.pem"));
	collect_stop(collect);
}

int main(void)
{
	log_set_level(LOG_ERROR + 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_configurations_load),
		cmocka_unit_test(wrong_configurations_are_explained),
		cmocka_unit_test(profiles_need_their_feature_gate),
		cmocka_unit_test(later_files_and_sets_win),
		cmocka_unit_test(nothing_at_all_is_explained_too),
		cmocka_unit_test(an_error_without_a_sentence_keeps_its_code),
		cmocka_unit_test(without_memory_it_says_so),
		cmocka_unit_test(a_start_that_fails_half_way_stops_what_ran),
	};
	return cmocka_run_group_tests_name("collect/load", tests, NULL, NULL);
}
