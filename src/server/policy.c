#include "server/policy.h"

#include "base/clock.h"
#include "server/config_flags.h"
#include "server/usage.h"

static const double mib = 1024.0 * 1024;

/* Pyroscope's own (pkg/validation/relabeling.go): profiles of Go's delta profiler go by the names of the others, and
 * the CPU part of a wall clock profile by that of a CPU profile. */
static const struct str name_label = {"__name__", 8};
static const struct str replaced_label = {"__name_replaced__", 17};
static const struct str name_and_type[] = {{"__name__", 8}, {"__type__", 8}};

#define RULE(sources_, count_, separator_, regex_, target_, replacement_)                        \
	{                                                                                        \
		.action = {"replace", 7}, .source_labels = (sources_), .source_count = (count_), \
		.separator = {separator_, 1}, .regex = {regex_, sizeof(regex_) - 1},             \
		.target_label = {target_, sizeof(target_) - 1},                                  \
		.replacement =                                                                   \
		{ replacement_,                                                                  \
		  sizeof(replacement_) - 1 }                                                     \
	}

#define DELTA "godeltaprof_(.*)"

static const struct relabel_rule_spec built_in[] = {
	RULE(&name_label, 1, ";", DELTA, "__name_replaced__", "$0"),
	RULE(&replaced_label, 1, ";", DELTA, "__delta__", "false"),
	RULE(&name_label, 1, ";", DELTA, "__name__", "$1"),
	RULE(name_and_type, 2, "/", "wall/cpu", "__name_replaced__", "wall"),
	RULE(name_and_type, 2, "/", "wall/cpu", "__name__", "process_cpu"),
};

enum { BUILT_IN = sizeof(built_in) / sizeof(built_in[0]) };

/* ---- rules ---- */

static int compile(const struct config_items *rows, struct relabel **ret, struct err *err)
{
	const struct server_relabel_row *row = rows->items;
	struct relabel_rule_spec *specs;
	struct arena arena;

	arena_init(&arena, 0);
	specs = arena_zalloc(&arena, rows->count + 1, sizeof(*specs));
	if (!specs)
		return err_set(err, ERR_NOMEM, "no memory for the relabelling rules");
	for (size_t i = 0; i < rows->count; i++)
		specs[i] = server_relabel_spec(&row[i]);
	int rc = relabel_create(specs, rows->count, ret, err);
	arena_deinit(&arena);
	return rc;
}

/* ---- limits ---- */

static void set_u32(uint32_t *field, uint32_t value)
{
	if (value > 0)
		*field = value;
}

static void set_ns(uint64_t *field, int64_t value)
{
	if (value > 0)
		*field = (uint64_t)value;
}

size_t policy_message_bytes(const struct server_config *config, const struct server_limits *limits,
			    size_t fallback)
{
	double body = limits->ingestion_body_mb * mib;
	if (config->http.message_bytes > 0)
		fallback = (size_t)config->http.message_bytes;
	return body >= 1 && body < 1e12 ? (size_t)body : fallback;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

static void set_quotas(const struct server_limits *limits, struct ingest_config *ingest)
{
	ingest->rate_bytes = limits->ingestion_rate_mb > 0 ? limits->ingestion_rate_mb * mib : 0;
	ingest->burst_bytes = limits->ingestion_burst_mb > 0 ? limits->ingestion_burst_mb * mib
							     : ingest->rate_bytes;
	ingest->profile_bytes = limits->profile_bytes;
	ingest->profile_samples = limits->profile_samples;
	ingest->sample_labels = limits->sample_labels;
	ingest->series = least(limits->local_series, limits->global_series);
}

static void set_limits(const struct server_config *config, const struct server_limits *limits,
		       struct ingest_config *ingest)
{
	ingest_config_default(ingest);
	ingest->multitenancy = config->multitenancy;
	ingest->default_service_from_executable = config->service_from_executable;
	ingest->message_bytes = policy_message_bytes(config, limits, ingest->message_bytes);
	set_u32(&ingest->label_names, limits->label_names);
	set_u32(&ingest->label_name_bytes, limits->label_name_bytes);
	set_u32(&ingest->label_value_bytes, limits->label_value_bytes);
	set_u32(&ingest->symbol_bytes, limits->symbol_bytes);
	set_u32(&ingest->stack_depth, limits->stack_depth);
	set_ns(&ingest->reject_older_ns, limits->reject_older_ns);
	set_ns(&ingest->reject_newer_ns, limits->reject_newer_ns);
	set_ns(&ingest->time_precision_ns, config->time_precision_ns);
	set_quotas(limits, ingest);
}

int policy_init(struct policy *policy, const struct server_config *config,
		const struct server_limits *limits, struct err *err)
{
	*policy = (struct policy){.limits = *limits};
	set_limits(config, limits, &policy->ingest);
	int rc = compile(&limits->relabel_rules, &policy->relabel, err);
	if (rc == 0 && limits->rules_position != SERVER_RULES_DISABLED)
		rc = relabel_create(built_in, BUILT_IN, &policy->built_in, err);
	if (rc == 0 && limits->sample_type_rules.count > 0)
		rc = compile(&limits->sample_type_rules, &policy->sample_types, err);
	rc = rc ? rc : usage_create(limits, &policy->groups, err);
	if (rc)
		policy_deinit(policy);
	policy->ingest.built_in = policy->built_in;
	policy->ingest.built_in_last = limits->rules_position == SERVER_RULES_LAST;
	policy->ingest.sample_types = policy->sample_types;
	policy->ingest.groups = policy->groups;
	return rc;
}

void policy_deinit(struct policy *policy)
{
	relabel_destroy(policy->relabel);
	relabel_destroy(policy->built_in);
	relabel_destroy(policy->sample_types);
	usage_destroy(policy->groups);
	*policy = (struct policy){0};
}
