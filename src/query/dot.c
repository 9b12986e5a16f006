/* The call graph in Graphviz' language (graphviz.org/doc/info/lang.html), with
 * what pprof's own graphs show: a function's flat and cumulative value, and a
 * call's value on its arrow. Walks the tree depth first; what is open on the
 * path counts once. */
#include "query/query.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/strtab.h"
#include "query/tree.h"

struct call {
	uint32_t caller, callee; /* name ids */
	int64_t total;
	uint32_t open;
};

struct graph {
	const struct query_tree *tree;
	struct strtab *names;
	uint32_t *name; /* node -> name id */
	int64_t *self, *total;
	uint32_t *open;	    /* by name id */
	uint32_t *call_of;  /* node -> call + 1 */
	struct call *calls; /* no more than nodes */
	uint32_t call_count;
	struct map by_pair;
	int64_t least; /* total of a function that is shown */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "call graph: no memory");
}

static int make(struct arena *arena, struct graph *g, struct err *err)
{
	size_t count = (size_t)g->tree->count + 2;
	int rc = strtab_create(arena, g->tree->count + 2, &g->names, err);
	g->name = arena_zalloc(arena, count, sizeof(*g->name));
	g->self = arena_zalloc(arena, count, sizeof(*g->self));
	g->total = arena_zalloc(arena, count, sizeof(*g->total));
	g->open = arena_zalloc(arena, count, sizeof(*g->open));
	g->call_of = arena_zalloc(arena, count, sizeof(*g->call_of));
	g->calls = arena_zalloc(arena, count, sizeof(*g->calls));
	if (!g->name || !g->self || !g->total || !g->open || !g->call_of || !g->calls)
		return no_memory(err);
	return rc;
}

static int find_call(struct graph *g, uint32_t node, struct err *err)
{
	uint32_t caller = g->name[g->tree->nodes[node].parent], callee = g->name[node];
	uint64_t key = (uint64_t)caller << 32 | callee;
	uint64_t *found = map_get(&g->by_pair, key);
	if (found) {
		g->call_of[node] = (uint32_t)*found;
		return 0;
	}
	g->calls[g->call_count] = (struct call){.caller = caller, .callee = callee};
	g->call_of[node] = ++g->call_count;
	return map_put(&g->by_pair, key, g->call_count, err);
}

static int name_all(struct graph *g, struct err *err)
{
	int rc = 0;
	for (uint32_t i = 1; rc == 0 && i < g->tree->count; i++) {
		struct str name = g->tree->nodes[i].name;
		rc = strtab_intern(g->names, name.len ? name : STR("[unknown]"), &g->name[i], err);
		if (rc == 0 && g->tree->nodes[i].parent)
			rc = find_call(g, i, err);
	}
	return rc;
}

static void enter(struct graph *g, uint32_t node)
{
	const struct query_node *n = &g->tree->nodes[node];
	uint32_t name = g->name[node];
	g->self[name] = query_add(g->self[name], n->self);
	if (g->open[name]++ == 0)
		g->total[name] = query_add(g->total[name], n->total);
	if (!g->call_of[node])
		return;
	struct call *call = &g->calls[g->call_of[node] - 1];
	if (call->open++ == 0)
		call->total = query_add(call->total, n->total);
}

static void leave(struct graph *g, uint32_t node)
{
	g->open[g->name[node]]--;
	if (g->call_of[node])
		g->calls[g->call_of[node] - 1].open--;
}

static void walk(struct graph *g)
{
	const struct query_node *nodes = g->tree->nodes;
	for (uint32_t node = nodes[0].child; node;) {
		enter(g, node);
		if (nodes[node].child) {
			node = nodes[node].child;
			continue;
		}
		leave(g, node);
		while (node && !nodes[node].next) {
			node = nodes[node].parent;
			if (node)
				leave(g, node);
		}
		node = node ? nodes[node].next : 0;
	}
}

/* ---- text ---- */

static void put_text(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		buf_char(out, (unsigned char)c < 0x20 ? ' ' : c);
	}
}

static double share(const struct graph *g, int64_t value)
{
	int64_t all = g->tree->nodes[0].total;
	return all ? 100.0 * (double)value / (double)all : 0;
}

static void put_function(const struct graph *g, uint32_t name, struct buf *out)
{
	buf_printf(out, "N%u [label=\"", name);
	put_text(out, strtab_get(g->names, name));
	buf_printf(out, "\\n%" PRId64 " (%.2f%%)", g->self[name], share(g, g->self[name]));
	if (g->total[name] != g->self[name])
		buf_printf(out, "\\nof %" PRId64 " (%.2f%%)", g->total[name],
			   share(g, g->total[name]));
	buf_printf(out, "\" shape=box fontsize=%.0f]\n", 8 + share(g, g->self[name]) / 4);
}

static void put_graph(const struct graph *g, struct str title, struct buf *out)
{
	buf_cstr(out, "digraph \"");
	put_text(out, title);
	buf_cstr(out, "\" {\nnode [style=filled fillcolor=\"#f8f8f8\"]\n");
	for (uint32_t name = 1; name < strtab_count(g->names); name++)
		if (g->total[name] >= g->least)
			put_function(g, name, out);
	for (uint32_t i = 0; i < g->call_count; i++) {
		const struct call *call = &g->calls[i];
		if (g->total[call->caller] < g->least || g->total[call->callee] < g->least)
			continue;
		buf_printf(out, "N%u -> N%u [label=\" %" PRId64 "\" weight=%.0f penwidth=%.1f]\n",
			   call->caller, call->callee, call->total, 1 + share(g, call->total),
			   1 + share(g, call->total) / 20);
	}
	buf_cstr(out, "}\n");
}

static int build(struct arena *arena, struct graph *g, size_t max_nodes, struct err *err)
{
	int rc = make(arena, g, err);
	rc = rc ? rc : name_all(g, err);
	if (rc)
		return rc;
	walk(g);
	size_t count = strtab_count(g->names) - 1;
	g->least = INT64_MIN;
	if (max_nodes == 0 || max_nodes >= count)
		return 0;
	return query_kth_largest(arena, g->total + 1, count, max_nodes, &g->least, err);
}

int query_dot(struct arena *arena, const struct query_tree *tree, struct str title,
	      size_t max_nodes, struct buf *out, struct err *err)
{
	struct graph g = {.tree = tree};
	int rc = build(arena, &g, max_nodes, err);
	map_deinit(&g.by_pair);
	if (rc)
		return rc;
	put_graph(&g, title, out);
	return buf_check(out, "call graph", err);
}
