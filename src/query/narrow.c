/* The part of a tree below given call sites. */
#include "query/query.h"

#include "query/tree.h"

static uint32_t child_called(const struct query_tree *tree, uint32_t node, struct str name)
{
	uint32_t child = tree->nodes[node].child;
	while (child && !str_equal(tree->nodes[child].name, name))
		child = tree->nodes[child].next;
	return child;
}

/* Parents come before children, so one pass tells who hangs below top. */
static void mark_below(const struct query_tree *tree, uint32_t top, bool *below)
{
	below[top] = true;
	for (uint32_t i = top + 1; i < tree->count; i++)
		below[i] = below[tree->nodes[i].parent];
}

static uint32_t append(struct query_tree *out, struct query_node node, uint32_t parent)
{
	node.parent = parent;
	node.child = node.next = 0;
	out->nodes[out->count] = node;
	return out->count++;
}

/* The chain from the root to top, whose own values are not below top. */
static uint32_t copy_path(const struct query_tree *tree, uint32_t top, struct query_tree *out)
{
	struct query_node node = tree->nodes[top];
	uint32_t parent = top ? copy_path(tree, node.parent, out) : 0;
	node.self = 0;
	uint32_t copy = append(out, node, parent);
	if (copy)
		out->nodes[parent].child = copy;
	return copy;
}

static void copy_below(const struct query_tree *tree, uint32_t top, uint32_t copy_of_top,
		       const bool *below, uint32_t *copy, uint32_t *last, struct query_tree *out)
{
	copy[top] = copy_of_top;
	out->nodes[copy_of_top].self = tree->nodes[top].self;
	for (uint32_t i = query_tree_step(tree, top); i && below[i]; i = query_tree_step(tree, i)) {
		uint32_t parent = copy[tree->nodes[i].parent];
		uint32_t node = append(out, tree->nodes[i], parent);
		if (last[parent])
			out->nodes[last[parent]].next = node;
		else
			out->nodes[parent].child = node;
		last[parent] = node;
		copy[i] = node;
	}
}

static int copy_part(struct arena *arena, const struct query_tree *tree, uint32_t top,
		     struct query_tree *ret, struct err *err)
{
	bool *below = arena_zalloc(arena, tree->count, sizeof(*below));
	uint32_t *copy = arena_zalloc(arena, tree->count, sizeof(*copy));
	uint32_t *last = arena_zalloc(arena, tree->count, sizeof(*last));
	struct query_tree out = {arena_zalloc(arena, tree->count, sizeof(*out.nodes)), 0};

	if (!below || !copy || !last || !out.nodes)
		return err_set(err, ERR_NOMEM, "flame graph: no memory for a part of it");
	mark_below(tree, top, below);
	uint32_t copy_of_top = copy_path(tree, top, &out);
	copy_below(tree, top, copy_of_top, below, copy, last, &out);
	query_tree_totals(&out);
	*ret = out;
	return 0;
}

int query_tree_below(struct arena *arena, const struct query_tree *tree, const struct str *path,
		     size_t path_len, struct query_tree *ret, struct err *err)
{
	static struct store_tree nothing;
	uint32_t top = 0;

	for (size_t i = 0; i < path_len; i++) {
		top = child_called(tree, top, path[i]);
		if (!top)
			return query_tree_build(arena, &nothing, ret, err);
	}
	return copy_part(arena, tree, top, ret, err);
}
