#include "agent/config.h"

#include "base/clock.h"

static const uint64_t interval_max_ns = 24ULL * 3600 * NS_PER_S;

void agent_config_init(struct agent_config *config)
{
	*config = (struct agent_config){
		.samples_per_second = 20,
		.reporter_interval_ns = 5ULL * NS_PER_S,
		.reporter_jitter = 0.2,
		.monitor_interval_ns = 5ULL * NS_PER_S,
		.clock_sync_interval_ns = 180ULL * NS_PER_S,
		.include_env_vars = "",
		.pin_cpu_ids = "",
		.proc_root = "/proc",
	};
}

static int check_interval(const char *name, uint64_t value_ns, struct err *err)
{
	if (value_ns >= 100 * NS_PER_MS && value_ns <= interval_max_ns)
		return 0;
	return err_set(err, ERR_INVALID, "%s: must be between 100ms and 24h", name);
}

int agent_env_names(const char *list, struct str *ret, uint32_t cap, uint32_t *ret_count,
		    struct err *err)
{
	struct str rest = str_of(list ? list : ""), part;
	uint32_t count = 0;
	while (str_next(&rest, ',', &part)) {
		part = str_trim(part);
		if (part.len == 0)
			continue;
		if (str_find_char(part, '=') >= 0 || part.len > 200)
			return err_set(err, ERR_INVALID,
				       "include_env_vars: \"%.*s\" is no name of a variable",
				       STR_ARG(part));
		if (count == cap)
			return err_set(err, ERR_INVALID, "include_env_vars: more than %u variables",
				       cap);
		ret[count++] = part;
	}
	*ret_count = count;
	return 0;
}

int agent_config_check(const struct agent_config *config, struct err *err)
{
	struct str names[PROCESS_ENV_MAX];
	struct cpu_set cpus;
	uint32_t count;
	if (config->samples_per_second < 1 ||
	    config->samples_per_second > AGENT_SAMPLES_PER_SECOND_MAX)
		return err_set(err, ERR_INVALID,
			       "samples_per_second: invalid sampling frequency: %u (1 to %d)",
			       config->samples_per_second, AGENT_SAMPLES_PER_SECOND_MAX);
	if (!(config->reporter_jitter >= 0 && config->reporter_jitter <= 1))
		return err_set(err, ERR_INVALID, "reporter_jitter: must be between 0 and 1");
	if (config->bpf_verifier_log_level > 2)
		return err_set(err, ERR_INVALID,
			       "bpf_verifier_log_level: invalid eBPF verifier log level: %u (0 to "
			       "2)",
			       config->bpf_verifier_log_level);
	if (config->map_scale_factor > AGENT_MAP_SCALE_FACTOR_MAX)
		return err_set(err, ERR_INVALID, "map_scale_factor: %u is above the limit of %d",
			       config->map_scale_factor, AGENT_MAP_SCALE_FACTOR_MAX);
	int rc = check_interval("reporter_interval", config->reporter_interval_ns, err);
	if (rc == 0)
		rc = check_interval("monitor_interval", config->monitor_interval_ns, err);
	if (rc == 0)
		rc = agent_env_names(config->include_env_vars, names, PROCESS_ENV_MAX, &count, err);
	if (rc)
		return rc;
	rc = cpu_set_parse(str_of(config->pin_cpu_ids ? config->pin_cpu_ids : ""), &cpus, err);
	if (rc)
		(void)err_wrap(err, "pin_cpu_ids");
	return rc;
}
