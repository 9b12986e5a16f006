#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "base/clock.h"

static void the_defaults_are_valid(void **state)
{
	struct agent_config c;
	(void)state;
	agent_config_init(&c);
	assert_int_equal(agent_config_check(&c, NULL), 0);
	assert_int_equal(c.samples_per_second, 20);
	assert_int_equal(c.reporter_interval_ns, 5ULL * NS_PER_S);
	assert_true(c.reporter_jitter > 0.19 && c.reporter_jitter < 0.21);
}

static void refuses(struct agent_config c, const char *field)
{
	struct err err = {0};
	assert_int_equal(agent_config_check(&c, &err), ERR_INVALID);
	if (!str_starts_with(str_of(err.text), str_of(field)))
		fail_msg("%s: %s", field, err.text);
}

static void a_wrong_field_is_named(void **state)
{
	struct agent_config ok, c;
	(void)state;
	agent_config_init(&ok);
	c = ok;
	c.samples_per_second = 0;
	refuses(c, "samples_per_second");
	c = ok;
	c.samples_per_second = AGENT_SAMPLES_PER_SECOND_MAX + 1;
	refuses(c, "samples_per_second");
	c = ok;
	c.reporter_jitter = 1.5;
	refuses(c, "reporter_jitter");
	c = ok;
	c.reporter_jitter = -0.1;
	refuses(c, "reporter_jitter");
	c = ok;
	c.reporter_jitter = __builtin_nan("");
	refuses(c, "reporter_jitter");
	c = ok;
	c.reporter_interval_ns = 0;
	refuses(c, "reporter_interval");
	c = ok;
	c.monitor_interval_ns = UINT64_MAX;
	refuses(c, "monitor_interval");
	c = ok;
	c.pin_cpu_ids = "0-x";
	refuses(c, "pin_cpu_ids");
	c = ok;
	c.include_env_vars = "A,B=C";
	refuses(c, "include_env_vars");
	c = ok;
	c.bpf_verifier_log_level = 3;
	refuses(c, "bpf_verifier_log_level");
	c = ok;
	c.map_scale_factor = 9;
	refuses(c, "map_scale_factor");
}

static void names_of_variables_are_a_comma_list(void **state)
{
	struct str names[2];
	uint32_t count;
	(void)state;
	assert_int_equal(agent_env_names(" HOME ,, PATH,", names, 2, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(str_equal(names[0], STR("HOME")));
	assert_true(str_equal(names[1], STR("PATH")));
	assert_int_equal(agent_env_names(NULL, names, 2, &count, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(agent_env_names("A,B,C", names, 2, &count, NULL), ERR_INVALID);
}

static void old_kernels_are_refused_with_their_version(void **state)
{
	struct err err = {0};
	(void)state;
	assert_int_equal(agent_kernel_check("5.10.0-46-cloud-amd64", NULL), 0);
	assert_int_equal(agent_kernel_check("6.1.0", NULL), 0);
	assert_int_equal(agent_kernel_check("7.3.4", NULL), 0);
	assert_int_equal(agent_kernel_check("5.9.16", &err), ERR_UNSUPPORTED);
	assert_true(str_find(str_of(err.text), STR("5.9.16")) > 0);
	assert_int_equal(agent_kernel_check("4.18.0-553.el8", NULL), ERR_UNSUPPORTED);
	assert_int_equal(agent_kernel_check("", NULL), ERR_UNSUPPORTED);
	assert_int_equal(agent_kernel_check("6", NULL), ERR_UNSUPPORTED);
}

static void every_requirement_says_what_was_found(void **state)
{
	struct agent_requirement rows[AGENT_REQUIREMENT_MAX];
	bool ok, all = true;
	(void)state;
	size_t count = agent_check(NULL, rows, AGENT_REQUIREMENT_MAX, &ok);
	assert_in_range(count, 8, AGENT_REQUIREMENT_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(rows[i].name) > 0);
		assert_true(strlen(rows[i].text) > 0);
		all = all && (rows[i].ok || !rows[i].required);
	}
	assert_int_equal(ok, all);
	assert_int_equal(agent_check(NULL, rows, 3, &ok), 3);
	assert_int_equal(ok, all);
}

static void a_wrong_config_does_not_start(void **state)
{
	struct agent_config c;
	struct agent *agent = NULL;
	struct err err = {0};
	(void)state;
	agent_config_init(&c);
	c.samples_per_second = 0;
	assert_int_equal(agent_start(&c, NULL, NULL, &agent, &err), ERR_INVALID);
	assert_null(agent);
	agent_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_valid),
		cmocka_unit_test(a_wrong_field_is_named),
		cmocka_unit_test(names_of_variables_are_a_comma_list),
		cmocka_unit_test(old_kernels_are_refused_with_their_version),
		cmocka_unit_test(every_requirement_says_what_was_found),
		cmocka_unit_test(a_wrong_config_does_not_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
