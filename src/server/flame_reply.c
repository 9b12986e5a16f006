#include "server/flame_reply.h"

#include "server/pbjson.h"

enum { DOT_NODES = 100 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the flame graph");
}

/* ---- levels ---- */

static int fill_names(struct arena *arena, const struct str *names, size_t count, char ***ret,
		      size_t *ret_count, struct err *err)
{
	*ret = arena_zalloc(arena, count + 1, sizeof(char *));
	if (!*ret)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		(*ret)[i] = api_text(arena, names[i]);
		if (!(*ret)[i])
			return no_memory(err);
	}
	*ret_count = count;
	return 0;
}

static int fill_levels(struct arena *arena, const struct query_level *from, size_t count,
		       Querier__V1__Level ***ret, size_t *ret_count, struct err *err)
{
	Querier__V1__Level *levels = arena_zalloc(arena, count + 1, sizeof(*levels));
	*ret = arena_zalloc(arena, count + 1, sizeof(void *));
	if (!*ret || !levels)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		querier__v1__level__init(&levels[i]);
		levels[i].values = from[i].values;
		levels[i].n_values = from[i].count;
		(*ret)[i] = &levels[i];
	}
	*ret_count = count;
	return 0;
}

int flame_reply_graph(struct arena *arena, const struct query_tree *tree,
		      Querier__V1__FlameGraph **ret, struct err *err)
{
	struct query_flame flame;
	Querier__V1__FlameGraph *graph =
		(Querier__V1__FlameGraph *)pbmsg_new(arena, &querier__v1__flame_graph__descriptor);
	if (!graph)
		return no_memory(err);
	int rc = query_flame_encode(arena, tree, &flame, err);
	rc = rc ? rc
		: fill_names(arena, flame.names, flame.name_count, &graph->names, &graph->n_names,
			     err);
	rc = rc ? rc
		: fill_levels(arena, flame.levels, flame.level_count, &graph->levels,
			      &graph->n_levels, err);
	if (rc)
		return rc;
	graph->total = flame.total;
	graph->max_self = flame.max_self;
	*ret = graph;
	return 0;
}

int flame_reply_diff(struct arena *arena, const struct query_diff *diff,
		     Querier__V1__FlameGraphDiff **ret, struct err *err)
{
	Querier__V1__FlameGraphDiff *graph = (Querier__V1__FlameGraphDiff *)
		pbmsg_new(arena, &querier__v1__flame_graph_diff__descriptor);
	if (!graph)
		return no_memory(err);
	int rc = fill_names(arena, diff->names, diff->name_count, &graph->names, &graph->n_names,
			    err);
	rc = rc ? rc
		: fill_levels(arena, diff->levels, diff->level_count, &graph->levels,
			      &graph->n_levels, err);
	if (rc)
		return rc;
	graph->total = diff->total;
	graph->max_self = diff->max_self;
	graph->leftticks = diff->left_total;
	graph->rightticks = diff->right_total;
	*ret = graph;
	return 0;
}

/* ---- bytes and text ---- */

int flame_reply_bytes(struct arena *arena, const struct query_tree *tree, ProtobufCBinaryData *ret,
		      struct err *err)
{
	struct buf bytes;
	buf_init(&bytes, 0);
	int rc = query_tree_bytes(arena, tree, &bytes, err);
	if (rc == 0) {
		ret->data = arena_copy(arena, bytes.ptr, bytes.len);
		ret->len = bytes.len;
		rc = ret->data ? 0 : no_memory(err);
	}
	buf_deinit(&bytes);
	return rc;
}

int flame_reply_dot(struct arena *arena, const struct query_tree *tree, struct str title,
		    uint64_t max_nodes, char **ret, struct err *err)
{
	struct buf text;
	buf_init(&text, 0);
	int rc = query_dot(arena, tree, title, max_nodes ? (size_t)max_nodes : DOT_NODES, &text,
			   err);
	if (rc == 0) {
		*ret = api_text(arena, buf_text(&text));
		rc = *ret ? 0 : no_memory(err);
	}
	buf_deinit(&text);
	return rc;
}
