/* Pyroscope's TREE format. */
#include "query/query.h"

#include "query/tree.h"

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_char(out, (char)(value | 0x80));
	buf_char(out, (char)value);
}

static void put_node(struct buf *out, struct str name, int64_t self, uint32_t children)
{
	put_varint(out, name.len);
	buf_str(out, name);
	put_varint(out, (uint64_t)self);
	put_varint(out, children);
}

int query_tree_bytes(struct arena *arena, const struct query_tree *tree, struct buf *out,
		     struct err *err)
{
	uint32_t *children = arena_zalloc(arena, tree->count, sizeof(*children));
	if (!children)
		return err_set(err, ERR_NOMEM, "tree: no memory");
	for (uint32_t i = 1; i < tree->count; i++)
		children[tree->nodes[i].parent]++;
	put_node(out, STR(""), tree->nodes[0].self, children[0]);
	for (uint32_t i = query_tree_step(tree, 0); i; i = query_tree_step(tree, i))
		put_node(out, tree->nodes[i].name, tree->nodes[i].self, children[i]);
	return buf_check(out, "tree", err);
}
