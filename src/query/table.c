/* The top table and folded stacks. Both walk the tree depth first without
 * recursion: a stack is as deep as its sender likes. */
#include "query/query.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/strtab.h"
#include "query/tree.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "top table: no memory");
}

static int compare_functions(const void *a, const void *b)
{
	const struct query_function *x = a, *y = b;
	if (x->self != y->self)
		return x->self > y->self ? -1 : 1;
	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return str_compare(x->name, y->name);
}

struct top {
	const struct query_tree *tree;
	struct query_function *rows; /* by name id */
	uint32_t *row;		     /* node -> name id */
	uint32_t *open;		     /* how often a name is on the path to where we are */
};

/* A name's total counts only at its outermost frame on a path. */
static void enter(struct top *top, uint32_t node)
{
	const struct query_node *n = &top->tree->nodes[node];
	struct query_function *row = &top->rows[top->row[node]];
	row->self = query_add(row->self, n->self);
	if (top->open[top->row[node]]++ == 0)
		row->total = query_add(row->total, n->total);
}

static void walk(struct top *top)
{
	const struct query_node *nodes = top->tree->nodes;
	for (uint32_t node = nodes[0].child; node;) {
		enter(top, node);
		if (nodes[node].child) {
			node = nodes[node].child;
			continue;
		}
		top->open[top->row[node]]--;
		while (node && !nodes[node].next) {
			node = nodes[node].parent;
			if (node)
				top->open[top->row[node]]--;
		}
		node = node ? nodes[node].next : 0;
	}
}

static int name_rows(struct arena *arena, struct top *top, uint32_t *ret_count, struct err *err)
{
	struct strtab *names;
	int rc = strtab_create(arena, top->tree->count + 2, &names, err);
	for (uint32_t i = 1; rc == 0 && i < top->tree->count; i++)
		rc = strtab_intern(names, top->tree->nodes[i].name, &top->row[i], err);
	if (rc)
		return rc;
	*ret_count = strtab_count(names);
	top->rows = arena_zalloc(arena, *ret_count, sizeof(*top->rows));
	top->open = arena_zalloc(arena, *ret_count, sizeof(*top->open));
	if (!top->rows || !top->open)
		return no_memory(err);
	for (uint32_t i = 0; i < *ret_count; i++)
		top->rows[i].name = strtab_get(names, i);
	return 0;
}

int query_top(struct arena *arena, const struct query_tree *tree, struct query_function **ret,
	      size_t *ret_count, struct err *err)
{
	struct top top = {.tree = tree};
	uint32_t count;

	top.row = arena_zalloc(arena, tree->count, sizeof(*top.row));
	if (!top.row)
		return no_memory(err);
	int rc = name_rows(arena, &top, &count, err);
	if (rc)
		return rc;
	walk(&top);
	/* Row 0 is the name "", which no node has. */
	qsort(top.rows + 1, count - 1, sizeof(*top.rows), compare_functions);
	*ret = top.rows + 1;
	*ret_count = count - 1;
	return 0;
}

static void put_name(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		buf_char(out, c == ';' ? ':' : c == '\n' || c == '\r' ? ' ' : c);
	}
}

static void put_stack(struct buf *out, const struct query_tree *tree, const uint32_t *path,
		      uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++) {
		if (i > 0)
			buf_char(out, ';');
		put_name(out, tree->nodes[path[i]].name);
	}
	if (depth == 0)
		buf_str(out, tree->nodes[0].name);
	buf_printf(out, " %" PRId64 "\n", tree->nodes[depth ? path[depth - 1] : 0].self);
}

static uint32_t max_depth(const struct query_tree *tree, uint32_t *depth)
{
	uint32_t max = 0;
	for (uint32_t i = 1; i < tree->count; i++) {
		depth[i] = depth[tree->nodes[i].parent] + 1;
		max = depth[i] > max ? depth[i] : max;
	}
	return max;
}

int query_folded(struct arena *arena, const struct query_tree *tree, struct buf *out,
		 struct err *err)
{
	uint32_t *depth = arena_zalloc(arena, tree->count, sizeof(*depth));
	uint32_t max = depth ? max_depth(tree, depth) : 0;
	uint32_t *path = arena_zalloc(arena, max + (size_t)1, sizeof(*path));
	if (!depth || !path)
		return err_set(err, ERR_NOMEM, "folded stacks: no memory");
	if (tree->nodes[0].self)
		put_stack(out, tree, path, 0);
	for (uint32_t i = query_tree_step(tree, 0); i; i = query_tree_step(tree, i)) {
		path[depth[i] - 1] = i;
		if (tree->nodes[i].self)
			put_stack(out, tree, path, depth[i]);
	}
	return buf_check(out, "folded stacks", err);
}
