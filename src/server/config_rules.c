/* The schema of a row of limits.recording_rules: Pyroscope's
 * settings.v1.RecordingRule, with the names of its JSON (pkg/validation/recording_rules.go). */
#include "server/config_flags.h"
#include "server/rule.h"

static const struct config_row rule_rows[] = {
	{.key = "id",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_rule_row, id),
	 .help = "the label profiles_rule_id"},
	{.key = "metric_name",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_rule_row, metric_name),
	 .required = true,
	 .help = "what the series are called"},
	{.key = "matchers",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(server_rule_row, matchers),
	 .required = true,
	 .help = "selectors; one has {__profile_type__=\"...\"}"},
	{.key = "group_by",
	 .type = CONFIG_STRINGS,
	 CONFIG_FIELD(server_rule_row, group_by),
	 .help = "labels of the profiles; a series for each of their values"},
	{.key = "external_labels",
	 .type = CONFIG_STRING_MAP,
	 CONFIG_FIELD(server_rule_row, external_labels),
	 .help = "further labels, a list of name and value"},
	{.key = "stacktrace_filter.function_name.function_name",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_rule_row, function),
	 .help = "only stacks with this function"},
	{.key = "stacktrace_filter.function_name.metric_type",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_rule_row, metric_type),
	 .help = "TOTAL, the only one"},
	{.key = "profile_type",
	 .type = CONFIG_STRING,
	 CONFIG_FIELD(server_rule_row, profile_type),
	 .help = "accepted: matchers say it"},
	{.key = "generation",
	 .type = CONFIG_INT,
	 CONFIG_FIELD(server_rule_row, generation),
	 .help = "accepted"},
	{.key = "provisioned",
	 .type = CONFIG_BOOL,
	 CONFIG_FIELD(server_rule_row, provisioned),
	 .help = "accepted"},
};

static int check_rule(const void *target, struct err *err)
{
	const struct server_rule_row *row = target;
	struct arena arena;
	struct rule rule;

	if (row->metric_type.len > 0 && !str_equal(row->metric_type, STR("TOTAL")) &&
	    !str_equal(row->metric_type, STR("0")))
		return err_set(err, ERR_INVALID, "metric_type: only TOTAL is there");
	arena_init(&arena, 0);
	int rc = rule_of_row(&arena, row, &rule, err);
	arena_deinit(&arena);
	return rc;
}

const struct config_schema server_rule_schema =
	CONFIG_SCHEMA("recording_rules", server_rule_row, rule_rows, .check = check_rule);
