/* SPDX-License-Identifier: Apache-2.0
 *
 * The `profiling` receiver: the agent under the field names and defaults of the
 * OpenTelemetry eBPF profiler's receiver (collector/config/config_linux.go). */
#include "agent/agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "collect/receivers/profiling/profiling.h"

struct profiling_config {
	uint32_t samples_per_second;
	int64_t reporter_interval_ns, monitor_interval_ns, clock_sync_interval_ns;
	double reporter_jitter;
	struct str include_env_vars, pin_cpu_ids;
	bool send_idle_frames, no_kernel_version_check;
	uint32_t map_scale_factor, bpf_verifier_log_level;
	int error_mode;
};

enum { ERROR_MODE_PROPAGATE, ERROR_MODE_IGNORE };
static const char *const error_modes[] = {"propagate", "ignore", NULL};

#define FIELD(name) CONFIG_FIELD(profiling_config, name)

static const struct config_row profiling_rows[] = {
	{.key = "samples_per_second",
	 .type = CONFIG_UINT,
	 FIELD(samples_per_second),
	 .fallback = "20",
	 .min = 1,
	 .max = AGENT_SAMPLES_PER_SECOND_MAX,
	 .unit = "Hz",
	 .help = "samples of each CPU per second"},
	{.key = "reporter_interval",
	 .type = CONFIG_DURATION,
	 FIELD(reporter_interval_ns),
	 .fallback = "5s",
	 .min = 0.1,
	 .max = 3600,
	 .help = "how often a batch is sent on"},
	{.key = "reporter_jitter",
	 .type = CONFIG_FLOAT,
	 FIELD(reporter_jitter),
	 .fallback = "0.2",
	 .min = 0,
	 .max = 1,
	 .help = "each interval varies by +- this part"},
	{.key = "monitor_interval",
	 .type = CONFIG_DURATION,
	 FIELD(monitor_interval_ns),
	 .fallback = "5s",
	 .min = 0.1,
	 .max = 3600,
	 .help = "how often gauges are brought up to date"},
	{.key = "clock_sync_interval",
	 .type = CONFIG_DURATION,
	 FIELD(clock_sync_interval_ns),
	 .fallback = "3m",
	 .min = 0,
	 .max = 86400,
	 .help = "how often the wall clock is compared with the kernel's; 0: once"},
	{.key = "include_env_vars",
	 .type = CONFIG_STRING,
	 FIELD(include_env_vars),
	 .fallback = "",
	 .help = "comma list of environment variables of each process to send along"},
	{.key = "pin_cpu_ids",
	 .type = CONFIG_STRING,
	 FIELD(pin_cpu_ids),
	 .fallback = "",
	 .help = "sample only these CPUs, as 0-15,20"},
	{.key = "send_idle_frames",
	 .type = CONFIG_BOOL,
	 FIELD(send_idle_frames),
	 .fallback = "false",
	 .help = "sample the idle task too"},
	{.key = "no_kernel_version_check",
	 .type = CONFIG_BOOL,
	 FIELD(no_kernel_version_check),
	 .fallback = "false",
	 .help = "try on kernels before 5.10 too"},
	{.key = "map_scale_factor",
	 .type = CONFIG_UINT,
	 FIELD(map_scale_factor),
	 .fallback = "0",
	 .max = AGENT_MAP_SCALE_FACTOR_MAX,
	 .help = "unwind tables get 24 MiB, doubled so many times"},
	{.key = "bpf_verifier_log_level",
	 .type = CONFIG_UINT,
	 FIELD(bpf_verifier_log_level),
	 .fallback = "0",
	 .max = 2,
	 .help = "words of the kernel's verifier in the debug log"},
	{.key = "error_mode",
	 .type = CONFIG_ENUM,
	 FIELD(error_mode),
	 .fallback = "propagate",
	 .choices = error_modes,
	 .help = "ignore: when sampling cannot start, say so and go on"},
	/* Of the other profiler's machinery; nothing here corresponds. */
	{.key = "frame_cache_size", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "max_grpc_retries", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "max_rpc_msg_size", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "bpf_fs_root", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "verbose_mode", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "send_error_frames", .type = CONFIG_IGNORED, .help = "of no effect"},
	{.key = "interpreters", .type = CONFIG_IGNORED, .help = "of no effect yet"},
	{.key = "tracers", .type = CONFIG_IGNORED, .help = "of no effect yet"},
};

static const struct config_schema profiling_schema =
	CONFIG_SCHEMA("profiling", profiling_config, profiling_rows,
		      .help = "samples every process of this host with eBPF");

struct profiling {
	struct agent_config agent_config;
	struct consumer next;
	struct agent *agent;
	bool ignore_errors;
};

static struct metric samples_refused =
	METRIC_COUNTER_INIT("otelcol_receiver_refused_profile_samples", "receiver=\"profiling\"",
			    "Samples that the pipeline did not take.");
static struct metric samples_accepted =
	METRIC_COUNTER_INIT("otelcol_receiver_accepted_profile_samples", "receiver=\"profiling\"",
			    "Samples handed to the pipeline.");

static void fill_agent_config(const struct profiling_config *from, struct agent_config *to)
{
	agent_config_init(to);
	to->samples_per_second = from->samples_per_second;
	to->reporter_interval_ns = (uint64_t)from->reporter_interval_ns;
	to->reporter_jitter = from->reporter_jitter;
	to->monitor_interval_ns = (uint64_t)from->monitor_interval_ns;
	to->clock_sync_interval_ns = (uint64_t)from->clock_sync_interval_ns;
	to->include_env_vars = from->include_env_vars.ptr;
	to->pin_cpu_ids = from->pin_cpu_ids.ptr;
	to->send_idle_frames = from->send_idle_frames;
	to->no_kernel_version_check = from->no_kernel_version_check;
	to->map_scale_factor = from->map_scale_factor;
	to->bpf_verifier_log_level = from->bpf_verifier_log_level;
}

static int profiling_create(const struct component_settings *settings, void **ret, struct err *err)
{
	const struct profiling_config *config = settings->config;
	struct profiling *self = mem_zalloc(1, sizeof(*self));
	if (!self)
		return err_set(err, ERR_NOMEM, "no memory for the profiling receiver");
	fill_agent_config(config, &self->agent_config);
	self->next = settings->next;
	self->ignore_errors = config->error_mode == ERROR_MODE_IGNORE;
	int rc = agent_config_check(&self->agent_config, err);
	if (rc) {
		mem_free(self);
		return rc;
	}
	*ret = self;
	return 0;
}

static int64_t count_samples(const struct profile_batch *batch)
{
	uint64_t events = 0, all = 0;
	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++)
			for (size_t p = 0; p < batch->resources[r].scopes[s].profile_count; p++) {
				(void)profile_total(&batch->resources[r].scopes[s].profiles[p],
						    &events);
				all += events;
			}
	return (int64_t)all;
}

static void take_batch(void *ctx, struct profile_batch *batch)
{
	struct profiling *self = ctx;
	struct err err = {0};
	int64_t samples = count_samples(batch);
	if (self->next.consume(self->next.self, batch, &err) == 0) {
		metric_add(&samples_accepted, samples);
		return;
	}
	metric_add(&samples_refused, samples);
	log_warn("collect", "profiles dropped", "samples=%lld why=" LOG_Q, (long long)samples,
		 LOG_TEXT(err.text));
}

static int profiling_start(void *ptr, struct err *err)
{
	struct profiling *self = ptr;
	struct err why = {0};
	int rc = agent_start(&self->agent_config, take_batch, self, &self->agent, &why);
	if (rc && self->ignore_errors) {
		log_error("collect", "the profiling receiver did not start, going on without it",
			  "why=" LOG_Q, LOG_TEXT(why.text));
		return 0;
	}
	return rc ? err_set(err, rc, "%s", why.text) : 0;
}

static void profiling_stop(void *ptr)
{
	struct profiling *self = ptr;
	agent_stop(self->agent);
	self->agent = NULL;
}

const struct component receiver_profiling = {
	.kind = COMPONENT_RECEIVER,
	.type = "profiling",
	.summary = "samples every process of this host with eBPF",
	.schema = &profiling_schema,
	.create = profiling_create,
	.start = profiling_start,
	.stop = profiling_stop,
	.destroy = mem_free,
};
