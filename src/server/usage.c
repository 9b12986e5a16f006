/* Which series is in which group. Matchers are PromQL's, as in a query. */
#include "server/usage.h"

#include "base/mem.h"
#include "query/query.h"
#include "server/relabel_regex.h"
#include "server/usage_private.h"

#define PLACEHOLDER "${labels."

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the usage groups");
}

/* ---- making ---- */

static int add_matcher(struct usage_matcher *matcher, const struct store_matcher *from,
		       struct err *err)
{
	matcher->name = from->name;
	matcher->value = from->value;
	matcher->op = from->op;
	if (from->op != MATCH_REGEX && from->op != MATCH_NOT_REGEX)
		return 0;
	return regex_create(from->value, &matcher->regex, err);
}

/* "team-${labels.team}" */
static void split_name(struct usage_group *group)
{
	ptrdiff_t at = str_find(group->name, STR(PLACEHOLDER));
	if (at < 0)
		return;
	struct str rest = str_sub(group->name, (size_t)at + strlen(PLACEHOLDER), SIZE_MAX);
	ptrdiff_t end = str_find_char(rest, '}');
	if (end <= 0)
		return;
	group->label = str_sub(rest, 0, (size_t)end);
	group->before = str_sub(group->name, 0, (size_t)at);
	group->after = str_sub(rest, (size_t)end + 1, SIZE_MAX);
}

static int fill_group(struct usage_groups *groups, struct usage_group *group, struct str name,
		      struct str text, struct err *err)
{
	struct query_selector selector;

	group->name = arena_str(&groups->arena, str_trim(name));
	text = arena_str(&groups->arena, text);
	if (!group->name.ptr || !text.ptr)
		return no_memory(err);
	if (group->name.len == 0 || group->name.len > USAGE_NAME_MAX ||
	    str_equal(group->name, STR(USAGE_OTHER)))
		return err_set(err, ERR_INVALID,
			       "a name has 1 to %d bytes and is not \"" USAGE_OTHER "\"",
			       USAGE_NAME_MAX);
	split_name(group);
	int rc = query_parse_selector(&groups->arena, text, &selector, err);
	if (rc)
		return rc;
	group->matchers =
		arena_zalloc(&groups->arena, selector.count + 1, sizeof(*group->matchers));
	if (!group->matchers)
		return no_memory(err);
	for (size_t i = 0; i < selector.count && !rc; i++) {
		group->matcher_count = i + 1;
		rc = add_matcher(&group->matchers[i], &selector.matchers[i], err);
	}
	return rc;
}

static ptrdiff_t find_name(const struct config_items *items, struct str name)
{
	for (size_t i = 0; i < items->count; i++)
		if (str_equal(items->names[i], name))
			return (ptrdiff_t)i;
	return -1;
}

static void set_rules(struct usage_group *group, const struct server_limits *limits)
{
	const struct server_group_sampling *samplings = limits->sampling.items;
	const struct server_group_limit *quotas = limits->ingestion_limit.usage_groups.items;
	ptrdiff_t sampling = find_name(&limits->sampling, group->name);
	ptrdiff_t quota = find_name(&limits->ingestion_limit.usage_groups, group->name);

	group->probability = sampling < 0 ? 1 : samplings[sampling].probability;
	group->refused = quota >= 0 && quotas[quota].reached;
}

int usage_create(const struct server_limits *limits, struct usage_groups **ret, struct err *err)
{
	const struct config_pairs *pairs = &limits->usage_groups;
	struct usage_groups *groups;
	int rc = 0;

	*ret = NULL;
	if (pairs->count == 0)
		return 0;
	groups = mem_zalloc(1, sizeof(*groups));
	if (!groups)
		return no_memory(err);
	for (size_t i = 0; i < pairs->count && i < USAGE_GROUPS_MAX && !rc; i++) {
		struct usage_group *group = &groups->items[i];
		groups->count = i + 1;
		rc = fill_group(groups, group, pairs->items[i].key, pairs->items[i].value, err);
		set_rules(group, limits);
		if (rc)
			err_wrap(err, "distributor_usage_groups.%.*s",
				 STR_ARG(str_sub(pairs->items[i].key, 0, 100)));
	}
	if (rc) {
		usage_destroy(groups);
		return rc;
	}
	*ret = groups;
	return 0;
}

void usage_destroy(struct usage_groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < groups->count; i++)
		for (size_t k = 0; k < groups->items[i].matcher_count; k++)
			regex_destroy(groups->items[i].matchers[k].regex);
	arena_deinit(&groups->arena);
	mem_free(groups);
}

/* A sampling or quota of a group that is not there would silently do nothing. */
static int check_names(const struct server_limits *limits, const struct config_items *items,
		       const char *key, struct err *err)
{
	for (size_t i = 0; i < items->count; i++) {
		bool known = false;
		for (size_t k = 0; k < limits->usage_groups.count; k++)
			known |= str_equal(str_trim(limits->usage_groups.items[k].key),
					   items->names[i]);
		if (!known)
			return err_set(err, ERR_INVALID,
				       "%s.usage_groups: \"%.*s\" is no group of "
				       "distributor_usage_groups",
				       key, STR_ARG(str_sub(items->names[i], 0, 100)));
	}
	return 0;
}

int usage_check(const struct server_limits *limits, struct err *err)
{
	struct usage_groups *groups = NULL;
	int rc = usage_create(limits, &groups, err);
	usage_destroy(groups);
	rc = rc ? rc : check_names(limits, &limits->sampling, "distributor_sampling", err);
	return rc ? rc
		  : check_names(limits, &limits->ingestion_limit.usage_groups, "ingestion_limit",
				err);
}

/* ---- matching ---- */

static bool same_name(struct str wanted, struct str name)
{
	if (wanted.len != name.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (wanted.ptr[i] != name.ptr[i] && !(wanted.ptr[i] == '_' && name.ptr[i] == '.'))
			return false;
	return true;
}

/* By its name, or with '_' for '.', as in a query. */
struct str usage_label(const struct relabel_labels *labels, struct str name)
{
	struct str value = relabel_get(labels, name);
	for (size_t i = 0; i < labels->count && value.len == 0; i++)
		if (same_name(name, labels->items[i].name))
			value = labels->items[i].value;
	return value;
}

static bool holds(const struct usage_matcher *matcher, struct str value)
{
	struct regex_match match;
	struct err err;

	if (!matcher->regex)
		return str_equal(value, matcher->value) == (matcher->op == MATCH_EQUAL);
	/* One that takes too long does not hold, either way. */
	bool fine = regex_match(matcher->regex, value, &match, &err) == 0;
	bool matched = match.matched;
	regex_match_deinit(&match);
	return fine && matched == (matcher->op == MATCH_REGEX);
}

static bool is_in(const struct usage_group *group, const struct relabel_labels *labels)
{
	for (size_t i = 0; i < group->matcher_count; i++)
		if (!holds(&group->matchers[i], usage_label(labels, group->matchers[i].name)))
			return false;
	return group->label.len == 0 || usage_label(labels, group->label).len > 0;
}

struct usage_match usage_match(const struct usage_groups *groups,
			       const struct relabel_labels *labels)
{
	struct usage_match match = {.probability = 1};

	for (size_t i = 0; groups && i < groups->count; i++) {
		const struct usage_group *group = &groups->items[i];
		if (!is_in(group, labels))
			continue;
		match.groups |= 1ull << i;
		match.refused |= group->refused;
		if (group->probability < match.probability)
			match.probability = group->probability;
	}
	return match;
}
