/* The union of two trees whose siblings are in name order: a merge of sorted
 * lists at every node that both have. */
#include "query/diff.h"

/* A node of the union and where it stands in either tree (0 but for the root: nowhere). */
struct pair {
	uint32_t at[2];
};

struct uniter {
	const struct query_tree *from[2];
	struct diff_node *nodes;
	struct pair *pairs;
	uint32_t count;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "diff: no memory");
}

static void take(struct uniter *u, unsigned side, uint32_t at, struct diff_node *node,
		 struct pair *pair)
{
	const struct query_node *from = &u->from[side]->nodes[at];
	node->name = from->name;
	node->self[side] = from->self;
	node->total[side] = from->total;
	pair->at[side] = at;
}

/* -1: the left's name is first; 0: both have it; 1: the right's. */
static int order(const struct uniter *u, uint32_t left, uint32_t right)
{
	if (!left || !right)
		return left ? -1 : 1;
	return str_compare(u->from[0]->nodes[left].name, u->from[1]->nodes[right].name);
}

static void unite_children(struct uniter *u, uint32_t parent)
{
	struct pair above = u->pairs[parent];
	bool root = parent == 0;
	uint32_t at[2], *link = &u->nodes[parent].child;

	for (unsigned side = 0; side < 2; side++)
		at[side] = root || above.at[side] ? u->from[side]->nodes[above.at[side]].child : 0;
	while (at[0] || at[1]) {
		int which = order(u, at[0], at[1]);
		uint32_t node = u->count++;
		u->nodes[node] = (struct diff_node){.parent = parent};
		u->pairs[node] = (struct pair){0};
		for (unsigned side = 0; side < 2; side++) {
			if (side == 0 ? which > 0 : which < 0)
				continue;
			take(u, side, at[side], &u->nodes[node], &u->pairs[node]);
			at[side] = u->from[side]->nodes[at[side]].next;
		}
		*link = node;
		link = &u->nodes[node].next;
	}
}

int diff_unite(struct arena *arena, const struct query_tree *left, const struct query_tree *right,
	       struct diff_tree *ret, struct err *err)
{
	size_t most = (size_t)left->count + right->count;
	struct uniter u = {.from = {left, right}, .count = 1};
	u.nodes = arena_zalloc(arena, most, sizeof(*u.nodes));
	u.pairs = arena_zalloc(arena, most, sizeof(*u.pairs));
	if (!u.nodes || !u.pairs || most > UINT32_MAX)
		return no_memory(err);
	take(&u, 0, 0, &u.nodes[0], &u.pairs[0]);
	take(&u, 1, 0, &u.nodes[0], &u.pairs[0]);
	for (uint32_t i = 0; i < u.count; i++)
		unite_children(&u, i);
	*ret = (struct diff_tree){u.nodes, u.count};
	return 0;
}

/* ---- folding ---- */

static int64_t larger(const struct diff_node *node)
{
	return node->total[0] > node->total[1] ? node->total[0] : node->total[1];
}

static int find_bound(struct arena *arena, const struct diff_tree *tree, uint64_t max_nodes,
		      int64_t *ret, struct err *err)
{
	*ret = INT64_MIN;
	if (max_nodes == 0 || max_nodes >= tree->count)
		return 0;
	int64_t *totals = arena_alloc(arena, tree->count * sizeof(*totals));
	if (!totals)
		return no_memory(err);
	for (uint32_t i = 0; i < tree->count; i++)
		totals[i] = larger(&tree->nodes[i]);
	return query_kth_largest(arena, totals, tree->count, (size_t)max_nodes, ret, err);
}

struct folder {
	const struct diff_tree *from;
	struct diff_node *nodes;
	uint32_t *source; /* of each node here, its index in from; 0: "other" */
	uint32_t count;
	int64_t bound;
};

static uint32_t *append(struct folder *f, uint32_t *link, struct diff_node node, uint32_t source)
{
	f->nodes[f->count] = node;
	f->source[f->count] = source;
	*link = f->count;
	return &f->nodes[f->count++].next;
}

static void fold_children(struct folder *f, uint32_t to)
{
	uint32_t *link = &f->nodes[to].child;
	struct diff_node other = {.name = STR("other"), .parent = to};
	bool folded = false;

	for (uint32_t i = f->from->nodes[f->source[to]].child; i; i = f->from->nodes[i].next) {
		struct diff_node node = f->from->nodes[i];
		if (larger(&node) >= f->bound && !str_equal(node.name, STR("other"))) {
			node.parent = to;
			node.child = node.next = 0;
			link = append(f, link, node, i);
			continue;
		}
		for (unsigned side = 0; side < 2; side++)
			other.self[side] = other.total[side] =
				query_add(other.total[side], node.total[side]);
		folded = true;
	}
	if (folded)
		append(f, link, other, 0);
}

int diff_fold(struct arena *arena, const struct diff_tree *tree, uint64_t max_nodes,
	      struct diff_tree *ret, struct err *err)
{
	struct folder f = {.from = tree, .count = 1};
	int rc = find_bound(arena, tree, max_nodes, &f.bound, err);
	if (rc)
		return rc;
	f.nodes = arena_zalloc(arena, tree->count, sizeof(*f.nodes));
	f.source = arena_zalloc(arena, tree->count, sizeof(*f.source));
	if (!f.nodes || !f.source)
		return no_memory(err);
	f.nodes[0] = tree->nodes[0];
	f.nodes[0].child = 0;
	for (uint32_t i = 0; i < f.count; i++)
		if (i == 0 || f.source[i])
			fold_children(&f, i);
	*ret = (struct diff_tree){f.nodes, f.count};
	return 0;
}
