#include "server/rule.h"

#include "server/range.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a recording rule");
}

/* ---- what a rule must be ---- */

static int check_name(struct str name, const char *what, struct err *err)
{
	if (api_is_legacy_name(name))
		return 0;
	return err_set(err, ERR_INVALID, "%s \"%.*s\" is no name that Prometheus has", what,
		       (int)(name.len < 100 ? name.len : 100), name.ptr ? name.ptr : "");
}

static int check_names(const struct rule *rule, struct err *err)
{
	int rc = check_name(rule->metric_name, "metric_name", err);
	rc = rc ? rc : api_check_count(rule->group_count, API_NAMES_MAX, "group_by", err);
	rc = rc ? rc : api_check_count(rule->label_count, API_NAMES_MAX, "external_labels", err);
	for (size_t i = 0; rc == 0 && i < rule->group_count; i++)
		rc = check_name(rule->group_by[i], "group_by", err);
	for (size_t i = 0; rc == 0 && i < rule->label_count; i++)
		rc = check_name(rule->labels[i].name, "external_labels", err);
	return rc;
}

struct str rule_type(const struct rule *rule)
{
	for (size_t i = 0; i < rule->matcher_count; i++)
		if (rule->matchers[i].op == MATCH_EQUAL &&
		    str_equal(rule->matchers[i].name, STR("__profile_type__")))
			return rule->matchers[i].value;
	return STR("");
}

/* ---- its parts ---- */

/* All selectors must hold, so their matchers are one list. */
static int parse_matchers(struct arena *arena, const struct str *texts, size_t count,
			  struct rule *rule, struct err *err)
{
	struct store_matcher *all = NULL;
	size_t cap = 0;
	int rc = api_check_count(count, API_SELECTORS_MAX, "matchers", err);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct query_selector selector;
		rc = query_parse_selector(arena, texts[i], &selector, err);
		if (rc || selector.count == 0)
			continue;
		all = arena_grow(arena, all, &cap, rule->matcher_count + selector.count,
				 sizeof(*all));
		if (!all)
			return no_memory(err);
		memcpy(all + rule->matcher_count, selector.matchers, selector.count * sizeof(*all));
		rule->matcher_count += selector.count;
	}
	rule->matchers = all;
	if (rc == 0 && rule_type(rule).len == 0)
		rc = err_set(err, ERR_INVALID, "matchers: one must be {__profile_type__=\"...\"}");
	return rc;
}

int rule_of_row(struct arena *arena, const struct server_rule_row *row, struct rule *ret,
		struct err *err)
{
	struct rule_label *labels =
		arena_zalloc(arena, row->external_labels.count + 1, sizeof(*labels));

	*ret = (struct rule){.id = row->id,
			     .metric_name = row->metric_name,
			     .group_by = row->group_by.items,
			     .group_count = row->group_by.count,
			     .labels = labels,
			     .label_count = row->external_labels.count,
			     .function = row->function};
	if (!labels)
		return no_memory(err);
	for (size_t i = 0; i < ret->label_count; i++)
		labels[i] = (struct rule_label){row->external_labels.items[i].key,
						row->external_labels.items[i].value};
	int rc = check_names(ret, err);
	return rc ? rc : parse_matchers(arena, row->matchers.items, row->matchers.count, ret, err);
}

static struct str function_of(const Settings__V1__StacktraceFilter *filter)
{
	return str_of(filter && filter->function_name ? filter->function_name->function_name : "");
}

int rule_of_message(struct arena *arena, const Settings__V1__RecordingRule *message,
		    struct rule *ret, struct err *err)
{
	struct rule_label *labels =
		arena_zalloc(arena, message->n_external_labels + 1, sizeof(*labels));
	struct str *matchers = api_strings(arena, message->matchers, message->n_matchers);

	*ret = (struct rule){
		.id = str_of(message->id),
		.metric_name = str_of(message->metric_name),
		.group_by = api_strings(arena, message->group_by, message->n_group_by),
		.group_count = message->n_group_by,
		.labels = labels,
		.label_count = message->n_external_labels,
		.function = function_of(message->stacktrace_filter),
	};
	if (!labels || !matchers || !ret->group_by)
		return no_memory(err);
	for (size_t i = 0; i < ret->label_count; i++)
		labels[i] = (struct rule_label){str_of(message->external_labels[i]->name),
						str_of(message->external_labels[i]->value)};
	int rc = check_names(ret, err);
	return rc ? rc : parse_matchers(arena, matchers, message->n_matchers, ret, err);
}
