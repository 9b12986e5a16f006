/* Private to query: the union of two trees. */
#pragma once

#include "query/tree.h"

struct diff_node {
	struct str name;
	int64_t self[2], total[2]; /* left, right */
	uint32_t parent, child, next;
};

/* Node 0 is the root; a parent has a smaller index than its children, siblings are in name order. */
struct diff_tree {
	struct diff_node *nodes;
	uint32_t count;
};

MUST_USE int diff_unite(struct arena *arena, const struct query_tree *left,
			const struct query_tree *right, struct diff_tree *ret, struct err *err);
/* As query_tree_fold, by the larger of the two totals. */
MUST_USE int diff_fold(struct arena *arena, const struct diff_tree *tree, uint64_t max_nodes,
		       struct diff_tree *ret, struct err *err);
