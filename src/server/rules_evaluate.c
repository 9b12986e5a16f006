/* A rule is two questions to the store: which groups there are and what they add
 * up to; and, for a rule about a function, the stacks of each group. A group
 * without the function gives 0, so that a series has no gaps while its profiles
 * come. */
#include "server/rules_private.h"

#include "wire/remote_write.h"

enum {
	SERIES_MAX = 100 * 1000,    /* of a tenant and an interval */
	FUNCTION_GROUPS_MAX = 1000, /* of a rule about a function */
	REQUEST_SERIES = 2000,	    /* what Prometheus itself sends at once */
	REQUEST_BYTES = 1024 * 1024,
	BYTES_MAX = 64 * 1024 * 1024,
	STACKS_BYTES = 256 * 1024 * 1024,
};

#define RULE_NS (10ull * NS_PER_S)

static const struct str name_label = {"__name__", 8};
static const struct str id_label = {"profiles_rule_id", 16};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the series of a recording rule");
}

/* ---- requests ---- */

void rules_requests_deinit(struct rules_requests *requests)
{
	for (size_t i = 0; i < requests->count; i++)
		buf_deinit(&requests->list[i].body);
	requests->count = 0;
}

/* The one that takes the next series; NULL without memory. */
static struct rules_request *open_request(struct rules_requests *requests)
{
	struct rules_request *last = requests->count ? &requests->list[requests->count - 1] : NULL;

	if (last && last->series < REQUEST_SERIES && last->body.len < REQUEST_BYTES)
		return last;
	struct rules_request *grown = arena_grow(requests->arena, requests->list, &requests->cap,
						 requests->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	requests->list = grown;
	last = &grown[requests->count++];
	*last = (struct rules_request){0};
	buf_init(&last->body, BYTES_MAX);
	return last;
}

static int add_series(struct rules_requests *requests, struct remote_write_label *labels,
		      size_t count, double value, uint64_t time_ns, struct err *err)
{
	struct rules_request *request = open_request(requests);
	if (!request)
		return no_memory(err);
	size_t before = request->body.len;
	remote_write_series(&request->body, labels, count, value, (int64_t)(time_ns / NS_PER_MS));
	int rc = buf_check(&request->body, "the series of a recording rule", err);
	if (rc == 0 && requests->bytes + request->body.len - before > BYTES_MAX)
		rc = err_set(err, ERR_LIMIT, "the series of a tenant are larger than %d bytes",
			     BYTES_MAX);
	if (rc) {
		buf_clear(&request->body);
		request->body.len = before;
		return rc;
	}
	requests->bytes += request->body.len - before;
	requests->series++;
	request->series++;
	return 0;
}

/* ---- a rule at work ---- */

struct evaluation {
	const struct rules_span *span;
	const struct rule *rule;
	struct str *group_by; /* without doubles and what is ours */
	size_t group_count;
	struct remote_write_label *labels; /* ours and the rule's, then room for those of a group */
	size_t label_count;
	struct store_matcher *matchers; /* the rule's, then room for those of a group */
	uint64_t deadline_ns;
};

static bool is_ours(struct str name)
{
	return str_equal(name, name_label) || str_equal(name, id_label);
}

static bool is_grouped(const struct evaluation *e, struct str name)
{
	for (size_t i = 0; i < e->group_count; i++)
		if (str_equal(e->group_by[i], name))
			return true;
	return false;
}

static int add_label(struct evaluation *e, struct str name, struct str value, struct err *err)
{
	const char *text = api_text(e->span->arena, value);
	if (!text)
		return no_memory(err);
	e->labels[e->label_count++] = (struct remote_write_label){name, str_of(text)};
	return 0;
}

static bool has_label(const struct evaluation *e, struct str name)
{
	for (size_t i = 0; i < e->label_count; i++)
		if (str_equal(e->labels[i].name, name))
			return true;
	return false;
}

/* Of one name the profiles' label counts, and the first of the rule's. */
static int add_fixed_labels(struct evaluation *e, struct err *err)
{
	const struct rule *rule = e->rule;
	int rc = add_label(e, name_label, rule->metric_name, err);
	rc = rc ? rc : add_label(e, id_label, rule->id, err);
	for (size_t i = 0; rc == 0 && i < rule->label_count; i++)
		if (!is_grouped(e, rule->labels[i].name) && !has_label(e, rule->labels[i].name))
			rc = add_label(e, rule->labels[i].name, rule->labels[i].value, err);
	return rc;
}

static int begin(struct evaluation *e, struct err *err)
{
	struct arena *arena = e->span->arena;
	const struct rule *rule = e->rule;
	size_t labels = 2 + rule->label_count + rule->group_count;

	e->group_by = arena_zalloc(arena, rule->group_count + 1, sizeof(*e->group_by));
	e->labels = arena_zalloc(arena, labels, sizeof(*e->labels));
	e->matchers = arena_zalloc(arena, rule->matcher_count + rule->group_count + 1,
				   sizeof(*e->matchers));
	if (!e->group_by || !e->labels || !e->matchers)
		return no_memory(err);
	for (size_t i = 0; i < rule->group_count; i++)
		if (!is_ours(rule->group_by[i]) && !is_grouped(e, rule->group_by[i]))
			e->group_by[e->group_count++] = rule->group_by[i];
	memcpy(e->matchers, rule->matchers, rule->matcher_count * sizeof(*e->matchers));
	e->deadline_ns = clock_mono_ns() + RULE_NS;
	return add_fixed_labels(e, err);
}

static struct store_selection select_by(const struct evaluation *e, size_t matcher_count,
					uint64_t start_ns, uint64_t end_ns)
{
	return (struct store_selection){.tenant = e->span->tenant,
					.matchers = e->matchers,
					.matcher_count = matcher_count,
					.start_ns = start_ns,
					.end_ns = end_ns,
					.cancelled = e->span->cancelled,
					.deadline_ns = e->deadline_ns};
}

/* One point a group, over (end - 1 - length, end - 1], which is [start, end). */
static int find_groups(const struct evaluation *e, struct store_points **ret, size_t *ret_count,
		       struct err *err)
{
	const struct rules_span *span = e->span;
	struct store_selection selection =
		select_by(e, e->rule->matcher_count, span->end_ns - 1, span->end_ns - 1);
	const struct store_points_options options = {.step_ns = span->end_ns - span->start_ns,
						     .aggregation = STORE_SUM,
						     .group_by = e->group_by,
						     .group_count = e->group_count};
	return store_points(span->store, &selection, &options, span->arena, ret, ret_count, err);
}

static struct str value_of(const struct store_points *group, struct str name)
{
	for (size_t i = 0; i < group->label_count; i++)
		if (str_equal(group->labels[i].name, name))
			return group->labels[i].value;
	return STR("");
}

/* Of the group's stacks those with the function. */
static int function_value(const struct evaluation *e, const struct store_points *group, double *ret,
			  struct err *err)
{
	const struct rules_span *span = e->span;
	size_t count = e->rule->matcher_count;
	struct store_tree stacks = {0};
	struct arena arena;
	int64_t total = 0;

	for (size_t i = 0; i < e->group_count; i++)
		e->matchers[count++] = (struct store_matcher){MATCH_EQUAL, e->group_by[i],
							      value_of(group, e->group_by[i])};
	struct store_selection selection = select_by(e, count, span->start_ns, span->end_ns);
	arena_init(&arena, STACKS_BYTES);
	int rc = store_merge(span->store, &selection, &arena, &stacks, err);
	rc = rc ? rc : query_function_total(&arena, &stacks, e->rule->function, &total, err);
	arena_deinit(&arena);
	*ret = (double)total;
	return rc;
}

static int add_group(struct evaluation *e, const struct store_points *group,
		     struct rules_requests *out, struct err *err)
{
	size_t fixed = e->label_count;
	double value = 0;
	int rc = 0;

	if (group->point_count == 0)
		return 0;
	if (e->rule->function.len > 0)
		rc = function_value(e, group, &value, err);
	else
		value = group->points[0].value;
	for (size_t i = 0; rc == 0 && i < group->label_count; i++)
		rc = add_label(e, group->labels[i].name, group->labels[i].value, err);
	/* The labels are sorted in a copy: the fixed ones stand first for the next group. */
	size_t count = e->label_count;
	struct remote_write_label *copy =
		rc ? NULL : arena_copy(e->span->arena, e->labels, count * sizeof(*copy));
	e->label_count = fixed;
	if (rc == 0 && !copy)
		rc = no_memory(err);
	return rc ? rc : add_series(out, copy, count, value, e->span->end_ns, err);
}

static int check_groups(const struct evaluation *e, size_t count, size_t before, struct err *err)
{
	if (e->rule->function.len > 0 && count > FUNCTION_GROUPS_MAX)
		return err_set(err, ERR_LIMIT,
			       "%zu groups are too many for a rule about a function (at most %d)",
			       count, FUNCTION_GROUPS_MAX);
	if (before + count > SERIES_MAX)
		return err_set(err, ERR_LIMIT, "a tenant has at most %d series", SERIES_MAX);
	return 0;
}

int rules_evaluate(const struct rules_span *span, const struct rule *rule,
		   struct rules_requests *out, struct err *err)
{
	struct evaluation e = {.span = span, .rule = rule};
	struct store_points *groups = NULL;
	size_t count = 0;
	int rc = begin(&e, err);

	rc = rc ? rc : find_groups(&e, &groups, &count, err);
	rc = rc ? rc : check_groups(&e, count, out->series, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_group(&e, &groups[i], out, err);
	return rc;
}
