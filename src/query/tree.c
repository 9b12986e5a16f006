/* From stacks to a tree of functions.
 *
 * A store's tree has one node for each distinct stack, and two stacks may
 * differ only in what a flame graph does not show (line numbers, the build of a
 * library). Merging: each frame gets the id of its display name; then one pass,
 * parents first, finds or adds for each stack node the tree node (parent's tree
 * node, name id). Siblings get into name order without sorting each family:
 * all nodes are put in the order of their names' ranks (a counting sort), and
 * in that order each is appended to its parent's list. */
#include "query/query.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/strtab.h"
#include "query/tree.h"

struct str query_frame_name(struct arena *arena, const struct store_frame *frame)
{
	return store_frame_name(arena, frame);
}

int64_t query_add(int64_t a, int64_t b)
{
	int64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

struct builder {
	struct arena *arena;
	struct strtab *names;
	uint32_t *frame_name; /* frame -> name id */
	uint32_t *name;	      /* tree node -> name id */
	uint32_t *node;	      /* stack node -> tree node */
	struct query_node *nodes;
	uint32_t count;
	struct map children; /* (tree node, name id) -> tree node */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "flame graph: no memory");
}

static int name_frames(struct builder *b, const struct store_tree *stacks, struct err *err)
{
	int rc = strtab_create(b->arena, stacks->frame_count + 1, &b->names, err);
	for (uint32_t i = 0; rc == 0 && i < stacks->frame_count; i++) {
		struct str name = query_frame_name(b->arena, &stacks->frames[i]);
		rc = name.ptr ? strtab_intern(b->names, name, &b->frame_name[i], err)
			      : no_memory(err);
	}
	return rc;
}

static int find_or_add(struct builder *b, uint32_t parent, uint32_t name, uint32_t *ret,
		       struct err *err)
{
	uint64_t key = (uint64_t)parent << 32 | name;
	uint64_t *found = map_get(&b->children, key);
	if (found) {
		*ret = (uint32_t)*found;
		return 0;
	}
	int rc = map_put(&b->children, key, b->count, err);
	if (rc)
		return rc;
	b->nodes[b->count] =
		(struct query_node){.name = strtab_get(b->names, name), .parent = parent};
	b->name[b->count] = name;
	*ret = b->count++;
	return 0;
}

static int merge_nodes(struct builder *b, const struct store_tree *stacks, struct err *err)
{
	b->nodes[0] = (struct query_node){.name = STR("total"), .self = stacks->self[0]};
	b->count = 1;
	b->node[0] = 0;
	for (uint32_t i = 1; i < stacks->node_count; i++) {
		assert_parent_first(stacks->parent[i], i);
		int rc = find_or_add(b, b->node[stacks->parent[i]], b->frame_name[stacks->frame[i]],
				     &b->node[i], err);
		if (rc)
			return rc;
		struct query_node *node = &b->nodes[b->node[i]];
		node->self = query_add(node->self, stacks->self[i]);
	}
	return 0;
}

void query_tree_totals(struct query_tree *tree)
{
	for (uint32_t i = 0; i < tree->count; i++)
		tree->nodes[i].total = tree->nodes[i].self;
	for (uint32_t i = tree->count; i-- > 1;) {
		struct query_node *parent = &tree->nodes[tree->nodes[i].parent];
		parent->total = query_add(parent->total, tree->nodes[i].total);
	}
}

static int compare_ids(const void *a, const void *b, void *names)
{
	return str_compare(strtab_get(names, *(const uint32_t *)a),
			   strtab_get(names, *(const uint32_t *)b));
}

/* Name ids in the order of their text; {NULL} without memory. */
static uint32_t *sorted_names(struct builder *b)
{
	uint32_t count = strtab_count(b->names);
	uint32_t *sorted = arena_alloc(b->arena, count * sizeof(*sorted));
	for (uint32_t i = 0; sorted && i < count; i++)
		sorted[i] = i;
	if (sorted)
		qsort_r(sorted, count, sizeof(*sorted), compare_ids, b->names);
	return sorted;
}

/* Hangs every node before its older siblings, walking names from the last to the first. */
static void hang_by_name(struct builder *b, const uint32_t *sorted, uint32_t *first_of_name,
			 uint32_t *next_of_name)
{
	for (uint32_t i = 1; i < b->count; i++) {
		next_of_name[i] = first_of_name[b->name[i]];
		first_of_name[b->name[i]] = i;
	}
	for (uint32_t rank = strtab_count(b->names); rank-- > 0;) {
		for (uint32_t i = first_of_name[sorted[rank]]; i; i = next_of_name[i]) {
			struct query_node *parent = &b->nodes[b->nodes[i].parent];
			b->nodes[i].next = parent->child;
			parent->child = i;
		}
	}
}

static int link_children(struct builder *b, struct err *err)
{
	uint32_t *sorted = sorted_names(b);
	uint32_t *first = arena_zalloc(b->arena, strtab_count(b->names), sizeof(*first));
	uint32_t *next = arena_alloc(b->arena, b->count * sizeof(*next));
	if (!sorted || !first || !next)
		return no_memory(err);
	hang_by_name(b, sorted, first, next);
	return 0;
}

static int build(struct builder *b, const struct store_tree *stacks, struct err *err)
{
	size_t nodes = stacks->node_count ? stacks->node_count : 1;
	b->frame_name = arena_zalloc(b->arena, stacks->frame_count + (size_t)1, sizeof(uint32_t));
	b->name = arena_zalloc(b->arena, nodes, sizeof(uint32_t));
	b->node = arena_zalloc(b->arena, nodes, sizeof(uint32_t));
	b->nodes = arena_zalloc(b->arena, nodes, sizeof(*b->nodes));
	if (!b->frame_name || !b->name || !b->node || !b->nodes)
		return no_memory(err);
	int rc = name_frames(b, stacks, err);
	if (rc == 0)
		rc = merge_nodes(b, stacks, err);
	return rc ? rc : link_children(b, err);
}

static int empty_tree(struct arena *arena, struct query_tree *ret, struct err *err)
{
	struct query_node *root = arena_zalloc(arena, 1, sizeof(*root));
	if (!root)
		return no_memory(err);
	root->name = STR("total");
	*ret = (struct query_tree){root, 1};
	return 0;
}

int query_tree_build(struct arena *arena, const struct store_tree *stacks, struct query_tree *ret,
		     struct err *err)
{
	if (stacks->node_count == 0)
		return empty_tree(arena, ret, err);
	struct builder b = {.arena = arena};
	int rc = build(&b, stacks, err);
	map_deinit(&b.children);
	if (rc)
		return rc;
	*ret = (struct query_tree){b.nodes, b.count};
	query_tree_totals(ret);
	return 0;
}
