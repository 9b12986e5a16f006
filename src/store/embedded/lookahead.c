/* The cache of ids is larger than the processor's, and a node's place in it is known only when its
 * parent's id is: looked up in the order of the request, one wait for memory follows another. So
 * everything is looked up once before, level by level: all parents of a level are known, and the
 * places of many nodes are on their way at once. What this finds is not kept; the look-ups that
 * count find it near. */
#include <stdint.h>

#include "store/embedded/txn.h"

enum {
	FEW = 64,   /* not worth it */
	AHEAD = 16, /* places on their way */
};

struct levels {
	const struct store_node *nodes;
	uint32_t count;
	uint32_t *depth, *starts; /* of each node; of each depth in order */
	uint32_t *order;	  /* nodes by depth */
	uint32_t *ids;		  /* 0: not known, so what is below is not either */
};

static bool make(struct arena *arena, const struct store_batch *batch, struct levels *ret)
{
	*ret = (struct levels){.nodes = batch->nodes, .count = (uint32_t)batch->node_count};
	ret->depth = arena_zalloc(arena, ret->count, sizeof(*ret->depth));
	ret->order = arena_zalloc(arena, ret->count, sizeof(*ret->order));
	ret->ids = arena_zalloc(arena, ret->count, sizeof(*ret->ids));
	ret->starts = arena_zalloc(arena, (size_t)ret->count + 2, sizeof(*ret->starts));
	return ret->depth && ret->order && ret->ids && ret->starts;
}

/* Parents come before children, so one pass knows every depth. The root, depth 0, stays first. */
static void sort(struct levels *levels)
{
	uint32_t deepest = 0;
	for (uint32_t i = 1; i < levels->count; i++) {
		uint32_t depth = levels->depth[levels->nodes[i].parent] + 1;
		levels->depth[i] = depth;
		levels->starts[depth + 1]++;
		deepest = depth > deepest ? depth : deepest;
	}
	levels->starts[1] = 1; /* behind the root */
	for (uint32_t d = 1; d < deepest; d++)
		levels->starts[d + 1] += levels->starts[d];
	for (uint32_t i = 1; i < levels->count; i++)
		levels->order[levels->starts[levels->depth[i]]++] = i;
}

static bool key_of(const struct levels *levels, uint32_t tenant, const uint32_t *frames,
		   uint32_t node, struct id_key *ret)
{
	const struct store_node *row = &levels->nodes[node];
	uint32_t parent = levels->ids[row->parent];
	*ret = id_key_pair(tenant, KEY_NODE, parent, frames[row->frame]);
	return parent || row->parent == 0;
}

void lookahead_nodes(struct txn *txn, const struct tenant *tenant, const struct store_batch *batch,
		     const uint32_t *frames)
{
	struct levels levels;
	struct id_key key;
	if (batch->node_count < FEW || !make(&txn->arena, batch, &levels))
		return;
	sort(&levels);
	for (uint32_t i = 1; i < levels.count; i++) {
		if (levels.count - i > AHEAD &&
		    key_of(&levels, tenant->id, frames, levels.order[i + AHEAD], &key))
			idcache_prefetch(&txn->cache, key);
		if (key_of(&levels, tenant->id, frames, levels.order[i], &key))
			levels.ids[levels.order[i]] = idcache_get(&txn->cache, key);
	}
}
