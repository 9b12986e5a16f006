#include "server/stack_ask.h"

#include "server/frame_filter.h"
#include "server/range.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the query");
}

/* ---- selectors of spans and traces ---- */

static bool is_hex(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("0123456789abcdefABCDEF", text.ptr[i]))
			return false;
	return text.len > 0;
}

/* (?i:a1|b2|...), so one matcher for the whole list. */
static int join_ids(struct arena *arena, struct stack_ids ids, struct str *ret, struct err *err)
{
	struct buf text;
	int rc = 0;

	buf_init(&text, 0);
	buf_cstr(&text, "(?i:");
	for (size_t i = 0; rc == 0 && i < ids.count; i++) {
		if (!is_hex(str_of(ids.items[i])))
			rc = err_set(err, ERR_INVALID, "\"%.64s\" is no hexadecimal id",
				     ids.items[i]);
		buf_printf(&text, "%s%s", i > 0 ? "|" : "", ids.items[i]);
	}
	buf_char(&text, ')');
	if (rc == 0)
		rc = buf_check(&text, "ids", err);
	*ret = arena_str(arena, buf_text(&text));
	buf_deinit(&text);
	return rc || ret->ptr ? rc : no_memory(err);
}

static int add_matcher(const struct api_call *call, struct store_matcher matcher,
		       struct query_selector *selector, struct err *err)
{
	struct store_matcher *grown =
		arena_alloc(call->arena, (selector->count + 1) * sizeof(*grown));
	if (!grown)
		return no_memory(err);
	if (selector->count > 0)
		memcpy(grown, selector->matchers, selector->count * sizeof(*grown));
	grown[selector->count++] = matcher;
	selector->matchers = grown;
	return 0;
}

static int add_ids(const struct api_call *call, struct str name, struct stack_ids ids,
		   struct query_range *range, struct err *err)
{
	struct str value;
	if (ids.count == 0)
		return 0;
	int rc = api_check_count(ids.count, API_IDS_MAX, "ids", err);
	rc = rc ? rc : join_ids(call->arena, ids, &value, err);
	return rc ? rc
		  : add_matcher(call, (struct store_matcher){MATCH_REGEX, name, value},
				&range->selector, err);
}

int stack_ask_spans(const struct api_call *call, struct stack_ids ids, struct query_range *range,
		    struct err *err)
{
	return add_ids(call, STR("span_id"), ids, range, err);
}

int stack_ask_traces(const struct api_call *call, struct stack_ids ids, struct query_range *range,
		     struct err *err)
{
	return add_ids(call, STR("trace_id"), ids, range, err);
}

/* 7c9e6679-7425-40de-944b-e07fc1f90ae7, with or without its dashes (RFC 9562 section 4). */
static bool read_uuid(struct str text, struct store_profile_id *ret)
{
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		int digit = str_hex_digit(text.ptr[i]);
		if (text.ptr[i] == '-')
			continue;
		if (digit < 0 || digits == 2 * sizeof(ret->bytes))
			return false;
		uint8_t *byte = &ret->bytes[digits++ / 2];
		*byte = (uint8_t)(*byte << 4 | digit);
	}
	return digits == 2 * sizeof(ret->bytes);
}

int stack_ask_profiles(const struct api_call *call, struct stack_ids ids, struct query_range *range,
		       struct err *err)
{
	int rc = api_check_count(ids.count, API_IDS_MAX, "ids", err);
	if (rc || ids.count == 0)
		return rc;
	struct store_profile_id *list = arena_zalloc(call->arena, ids.count, sizeof(*list));
	if (!list)
		return no_memory(err);
	for (size_t i = 0; i < ids.count; i++)
		if (!read_uuid(str_of(ids.items[i]), &list[i]))
			return err_set(err, ERR_INVALID,
				       "profile_id_selector: \"%.64s\" is no UUID", ids.items[i]);
	range->profiles = list;
	range->profile_count = ids.count;
	return 0;
}

int stack_ask_any_span(const struct api_call *call, struct query_range *range, struct err *err)
{
	return add_matcher(call, (struct store_matcher){MATCH_NOT_EQUAL, STR("span_id"), STR("")},
			   &range->selector, err);
}

/* ---- the rest of a request ---- */

int stack_ask_nodes(const struct api_call *call, int64_t max_nodes, int64_t fallback, uint64_t *ret,
		    struct err *err)
{
	const struct server_limits *limits = call->api->limits;

	if (max_nodes < 0)
		return err_set(err, ERR_INVALID, "max_nodes %lld is negative",
			       (long long)max_nodes);
	if (limits->flame_nodes_max > 0 && max_nodes > limits->flame_nodes_max)
		return err_set(err, ERR_INVALID,
			       "max_nodes %lld is above limits.max_flamegraph_nodes_max, %lld",
			       (long long)max_nodes, (long long)limits->flame_nodes_max);
	*ret = (uint64_t)(max_nodes ? max_nodes : fallback);
	return 0;
}

int stack_ask_read(const struct api_call *call,
		   const Querier__V1__SelectMergeStacktracesRequest *in, int64_t fallback_nodes,
		   struct stack_ask *ret, struct err *err)
{
	struct stack_ids spans = {in->span_selector, in->n_span_selector};
	struct stack_ids traces = {in->trace_id_selector, in->n_trace_id_selector};
	struct stack_ids profiles = {in->profile_id_selector, in->n_profile_id_selector};

	ret->selector = in->stack_trace_selector;
	int rc = stack_ask_nodes(call, in->max_nodes_set_case ? in->max_nodes : 0, fallback_nodes,
				 &ret->max_nodes, err);
	rc = rc ? rc
		: api_range_read(call, in->profile_typeid, in->label_selector, in->start, in->end,
				 &ret->type, &ret->range, err);
	ret->range.type = &ret->type;
	rc = rc ? rc : stack_ask_spans(call, spans, &ret->range, err);
	rc = rc ? rc : stack_ask_traces(call, traces, &ret->range, err);
	return rc ? rc : stack_ask_profiles(call, profiles, &ret->range, err);
}

/* ---- the stacks ---- */

static int call_sites(const struct api_call *call, const Types__V1__StackTraceSelector *selector,
		      struct str **ret, size_t *ret_count, struct err *err)
{
	*ret_count = selector ? selector->n_call_site : 0;
	*ret = arena_zalloc(call->arena, *ret_count + 1, sizeof(**ret));
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < *ret_count; i++)
		(*ret)[i] = str_of(selector->call_site[i]->name);
	return 0;
}

int stack_ask_call_sites(const struct api_call *call, const Types__V1__StackTraceSelector *selector,
			 struct query_range *range, struct err *err)
{
	struct str *path;
	int rc = call_sites(call, selector, &path, &range->call_site_count, err);
	range->call_sites = path;
	return rc;
}

static int filtered_stacks(const struct api_call *call, const struct stack_ask *ask,
			   struct store_tree *ret, struct err *err)
{
	int rc = query_stacks(call->api->store, &ask->range, call->arena, ret, err);
	if (rc || !ask->selector || !ask->selector->frame_filter)
		return rc;
	return frame_filter_apply(call->arena, ask->selector->frame_filter, ret, err);
}

int stack_ask_stacks(const struct api_call *call, const struct stack_ask *ask,
		     struct store_tree *ret, struct err *err)
{
	struct str *path;
	size_t count;
	int rc = call_sites(call, ask->selector, &path, &count, err);
	rc = rc ? rc : filtered_stacks(call, ask, ret, err);
	if (rc || count == 0)
		return rc;
	return query_stacks_below(call->arena, ret, path, count, ret, err);
}

int stack_ask_tree(const struct api_call *call, const struct stack_ask *ask, struct query_tree *ret,
		   struct err *err)
{
	struct store_tree stacks;
	struct str *path;
	size_t count;
	int rc = call_sites(call, ask->selector, &path, &count, err);
	rc = rc ? rc : filtered_stacks(call, ask, &stacks, err);
	rc = rc ? rc : query_tree_build(call->arena, &stacks, ret, err);
	if (rc || count == 0)
		return rc;
	return query_tree_below(call->arena, ret, path, count, ret, err);
}
