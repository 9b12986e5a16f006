/* Private to query: what the shapes of a tree share. */
#pragma once

#include <assert.h>

#include "query/query.h"

/* A store that breaks its own promise would send us in circles. */
static inline void assert_parent_first(uint32_t parent, uint32_t node)
{
	assert(parent < node);
}

/* Saturates. */
int64_t query_add(int64_t a, int64_t b);
/* Fills total of every node from self. */
void query_tree_totals(struct query_tree *tree);

/* The k-th largest value (1 <= k <= count): a heap of the k largest seen so far, the least on top. */
MUST_USE int query_kth_largest(struct arena *arena, const int64_t *values, size_t count, size_t k,
			       int64_t *ret, struct err *err);

/* The next node in depth-first order, parents first; 0 after the last. Start at 0. */
static inline uint32_t query_tree_step(const struct query_tree *tree, uint32_t node)
{
	const struct query_node *n = &tree->nodes[node];
	if (n->child)
		return n->child;
	while (node && !tree->nodes[node].next)
		node = tree->nodes[node].parent;
	return node ? tree->nodes[node].next : 0;
}
