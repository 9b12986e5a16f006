#include "server/flame_reply.h"

#include "server/pbjson.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the flame graph");
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
static int join_ids(struct arena *arena, char *const *ids, size_t count, struct str *ret,
		    struct err *err)
{
	struct buf text;
	int rc = 0;

	buf_init(&text, 0);
	buf_cstr(&text, "(?i:");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (!is_hex(str_of(ids[i])))
			rc = err_set(err, ERR_INVALID, "\"%.64s\" is no hexadecimal id", ids[i]);
		buf_printf(&text, "%s%s", i > 0 ? "|" : "", ids[i]);
	}
	buf_char(&text, ')');
	if (rc == 0)
		rc = buf_check(&text, "ids", err);
	*ret = arena_str(arena, buf_text(&text));
	buf_deinit(&text);
	return rc || ret->ptr ? rc : no_memory(err);
}

static int add_ids(const struct api_call *call, struct str name, char *const *ids, size_t count,
		   struct query_selector *selector, struct err *err)
{
	struct str value;
	if (count == 0)
		return 0;
	int rc = join_ids(call->arena, ids, count, &value, err);
	if (rc)
		return rc;
	struct store_matcher *grown =
		arena_alloc(call->arena, (selector->count + 1) * sizeof(*grown));
	if (!grown)
		return no_memory(err);
	if (selector->count > 0)
		memcpy(grown, selector->matchers, selector->count * sizeof(*grown));
	grown[selector->count++] = (struct store_matcher){MATCH_REGEX, name, value};
	selector->matchers = grown;
	return 0;
}

int flame_select_ids(const struct api_call *call,
		     const Querier__V1__SelectMergeStacktracesRequest *in,
		     struct query_selector *selector, struct err *err)
{
	int rc = add_ids(call, STR("span_id"), in->span_selector, in->n_span_selector, selector,
			 err);
	return rc ? rc
		  : add_ids(call, STR("trace_id"), in->trace_id_selector, in->n_trace_id_selector,
			    selector, err);
}

/* ---- formats ---- */

static int fill_names(struct arena *arena, const struct query_flame *flame,
		      Querier__V1__FlameGraph *out, struct err *err)
{
	out->names = arena_zalloc(arena, flame->name_count + 1, sizeof(char *));
	if (!out->names)
		return no_memory(err);
	for (size_t i = 0; i < flame->name_count; i++) {
		out->names[i] = api_text(arena, flame->names[i]);
		if (!out->names[i])
			return no_memory(err);
	}
	out->n_names = flame->name_count;
	return 0;
}

static int fill_levels(struct arena *arena, const struct query_flame *flame,
		       Querier__V1__FlameGraph *out, struct err *err)
{
	out->levels = arena_zalloc(arena, flame->level_count + 1, sizeof(void *));
	Querier__V1__Level *levels = arena_zalloc(arena, flame->level_count + 1, sizeof(*levels));
	if (!out->levels || !levels)
		return no_memory(err);
	for (size_t i = 0; i < flame->level_count; i++) {
		querier__v1__level__init(&levels[i]);
		levels[i].values = flame->levels[i].values;
		levels[i].n_values = flame->levels[i].count;
		out->levels[i] = &levels[i];
	}
	out->n_levels = flame->level_count;
	return 0;
}

static int fill_flame(struct arena *arena, const struct query_tree *tree,
		      Querier__V1__SelectMergeStacktracesResponse *out, struct err *err)
{
	struct query_flame flame;
	Querier__V1__FlameGraph *graph =
		(Querier__V1__FlameGraph *)pbmsg_new(arena, &querier__v1__flame_graph__descriptor);
	if (!graph)
		return no_memory(err);
	int rc = query_flame_encode(arena, tree, &flame, err);
	if (rc == 0)
		rc = fill_names(arena, &flame, graph, err);
	if (rc == 0)
		rc = fill_levels(arena, &flame, graph, err);
	graph->total = flame.total;
	graph->max_self = flame.max_self;
	out->flamegraph = graph;
	return rc;
}

static int fill_tree(struct arena *arena, const struct query_tree *tree,
		     Querier__V1__SelectMergeStacktracesResponse *out, struct err *err)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	int rc = query_tree_bytes(arena, tree, &bytes, err);
	if (rc == 0) {
		out->tree.data = arena_copy(arena, bytes.ptr, bytes.len);
		out->tree.len = bytes.len;
		rc = out->tree.data ? 0 : no_memory(err);
	}
	buf_deinit(&bytes);
	return rc;
}

/* Only what is below the call sites, when there are any. */
static int narrow(const struct api_call *call, const Types__V1__StackTraceSelector *selector,
		  struct query_tree *tree, struct err *err)
{
	size_t count = selector ? selector->n_call_site : 0;
	if (count == 0)
		return 0;
	struct str *path = arena_zalloc(call->arena, count, sizeof(*path));
	if (!path)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		path[i] = str_of(selector->call_site[i]->name);
	return query_tree_below(call->arena, tree, path, count, tree, err);
}

int flame_reply(const struct api_call *call, const struct query_range *range, uint64_t max_nodes,
		const Querier__V1__SelectMergeStacktracesRequest *in,
		Querier__V1__SelectMergeStacktracesResponse *out, struct err *err)
{
	struct query_tree whole, tree;

	int rc = query_merge(call->api->store, range, call->arena, &whole, err);
	if (rc == 0)
		rc = narrow(call, in->stack_trace_selector, &whole, err);
	if (rc == 0)
		rc = query_tree_fold(call->arena, &whole, max_nodes, &tree, err);
	if (rc)
		return rc;
	if (in->format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_TREE)
		return fill_tree(call->arena, &tree, out, err);
	return fill_flame(call->arena, &tree, out, err);
}
