/* Folding: what is too small to see becomes "other".
 *
 * The bound is the max_nodes-th largest total of all nodes, so that the nodes
 * kept are the ones with the most in them wherever they hang; ties with the
 * bound are kept, as Pyroscope does. A parent's total is never less than its
 * child's (values are not negative), so what is kept hangs together. */
#include "query/query.h"

#include <stdlib.h>

#include "query/tree.h"

static void sift_down(int64_t *heap, size_t count, size_t i)
{
	for (;;) {
		size_t least = i, left = 2 * i + 1;
		if (left < count && heap[left] < heap[least])
			least = left;
		if (left + 1 < count && heap[left + 1] < heap[least])
			least = left + 1;
		if (least == i)
			return;
		int64_t held = heap[i];
		heap[i] = heap[least];
		heap[least] = held;
		i = least;
	}
}

int query_kth_largest(struct arena *arena, const int64_t *values, size_t count, size_t k,
		      int64_t *ret, struct err *err)
{
	int64_t *heap = arena_alloc(arena, k * sizeof(*heap));
	if (!heap)
		return err_set(err, ERR_NOMEM, "flame graph: no memory to fold %zu nodes", count);
	memcpy(heap, values, k * sizeof(*heap));
	for (size_t i = k; i-- > 0;)
		sift_down(heap, k, i);
	for (size_t i = k; i < count; i++) {
		if (values[i] <= heap[0])
			continue;
		heap[0] = values[i];
		sift_down(heap, k, 0);
	}
	*ret = heap[0];
	return 0;
}

static int find_bound(struct arena *arena, const struct query_tree *tree, size_t k, int64_t *ret,
		      struct err *err)
{
	int64_t *totals = arena_alloc(arena, tree->count * sizeof(*totals));
	if (!totals)
		return err_set(err, ERR_NOMEM, "flame graph: no memory to fold %u nodes",
			       tree->count);
	for (size_t i = 0; i < tree->count; i++)
		totals[i] = tree->nodes[i].total;
	return query_kth_largest(arena, totals, tree->count, k, ret, err);
}

struct folder {
	const struct query_tree *from;
	struct query_node *nodes;
	uint32_t *kept; /* index in from -> index here; 0: folded away (or the root) */
	uint32_t count;
	int64_t bound;
};

static bool is_kept(const struct folder *f, const struct query_node *node)
{
	return node->total >= f->bound && !str_equal(node->name, STR("other"));
}

static uint32_t *append(struct folder *f, uint32_t *link, struct query_node node)
{
	f->nodes[f->count] = node;
	*link = f->count;
	return &f->nodes[f->count++].next;
}

/* The children of a kept node, each as itself or as a part of "other". */
static void fold_children(struct folder *f, uint32_t from, uint32_t to)
{
	uint32_t *link = &f->nodes[to].child;
	int64_t other = 0;
	bool folded = false;

	for (uint32_t i = f->from->nodes[from].child; i; i = f->from->nodes[i].next) {
		struct query_node node = f->from->nodes[i];
		if (!is_kept(f, &node)) {
			other = query_add(other, node.total);
			folded = true;
			continue;
		}
		node.parent = to;
		node.child = node.next = 0;
		f->kept[i] = f->count;
		link = append(f, link, node);
	}
	if (folded)
		append(f, link,
		       (struct query_node){.name = STR("other"),
					   .self = other,
					   .total = other,
					   .parent = to});
}

static void fold_all(struct folder *f)
{
	f->nodes[0] = f->from->nodes[0];
	f->nodes[0].child = 0;
	f->count = 1;
	fold_children(f, 0, 0);
	for (uint32_t i = query_tree_step(f->from, 0); i; i = query_tree_step(f->from, i))
		if (f->kept[i])
			fold_children(f, i, f->kept[i]);
}

int query_tree_fold(struct arena *arena, const struct query_tree *tree, uint64_t max_nodes,
		    struct query_tree *ret, struct err *err)
{
	struct folder f = {.from = tree, .bound = INT64_MIN};

	if (max_nodes > 0 && max_nodes < tree->count) {
		int rc = find_bound(arena, tree, (size_t)max_nodes, &f.bound, err);
		if (rc)
			return rc;
	}
	/* At most one "other" takes the place of at least one folded node. */
	f.nodes = arena_zalloc(arena, tree->count, sizeof(*f.nodes));
	f.kept = arena_zalloc(arena, tree->count, sizeof(*f.kept));
	if (!f.nodes || !f.kept)
		return err_set(err, ERR_NOMEM, "flame graph: no memory to fold %u nodes",
			       tree->count);
	fold_all(&f);
	*ret = (struct query_tree){f.nodes, f.count};
	return 0;
}
