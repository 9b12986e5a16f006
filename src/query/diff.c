/* The diff's levels (Pyroscope's FlameGraphDiff message): as flame.c writes
 * them, with an offset, a total and a self for each side. The nodes of a level
 * stand together, since the union is made breadth first. */
#include "query/diff.h"

#include "base/strtab.h"

enum { SEVEN = 7 };

struct encoder {
	struct arena *arena;
	const struct diff_tree *tree;
	struct strtab *names;
	int64_t *x[2]; /* of each node, left and right */
	size_t level_cap;
	struct query_diff diff;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "diff: no memory");
}

static int check(const struct diff_tree *tree, struct err *err)
{
	int64_t sum;
	for (uint32_t i = 0; i < tree->count; i++)
		for (unsigned side = 0; side < 2; side++)
			if (tree->nodes[i].total[side] < 0 || tree->nodes[i].self[side] < 0)
				return err_set(err, ERR_INVALID,
					       "diff: the %s side has a negative value, at "
					       "\"%.*s\"",
					       side ? "right" : "left",
					       STR_ARG(str_sub(tree->nodes[i].name, 0, 200)));
	if (__builtin_add_overflow(tree->nodes[0].total[0], tree->nodes[0].total[1], &sum))
		return err_set(err, ERR_INVALID, "diff: both sides together are more than 64 bits");
	return 0;
}

static void place_children(struct encoder *e, uint32_t parent)
{
	const struct diff_node *nodes = e->tree->nodes;
	for (unsigned side = 0; side < 2; side++) {
		int64_t x = query_add(e->x[side][parent], nodes[parent].self[side]);
		for (uint32_t i = nodes[parent].child; i; i = nodes[i].next) {
			e->x[side][i] = x;
			x = query_add(x, nodes[i].total[side]);
		}
	}
}

static int write_bar(struct encoder *e, uint32_t at, int64_t end[2], int64_t *bar, struct err *err)
{
	const struct diff_node *node = &e->tree->nodes[at];
	uint32_t name;
	int rc =
		strtab_intern(e->names, node->name.len ? node->name : STR("[unknown]"), &name, err);
	if (rc)
		return rc;
	for (unsigned side = 0; side < 2; side++, bar += 3) {
		bar[0] = e->x[side][at] - end[side];
		bar[1] = node->total[side];
		bar[2] = node->self[side];
		end[side] = query_add(e->x[side][at], node->total[side]);
		if (node->self[side] > e->diff.max_self)
			e->diff.max_self = node->self[side];
	}
	*bar = (int64_t)name - 1;
	place_children(e, at);
	return 0;
}

/* Where the level that begins at node ends: children of the level above stand before all others. */
static uint32_t level_end(const struct diff_tree *tree, uint32_t from)
{
	uint32_t to = from + 1;
	while (to < tree->count && tree->nodes[to].parent < from)
		to++;
	return to;
}

static int write_level(struct encoder *e, uint32_t from, uint32_t to, struct err *err)
{
	struct query_diff *diff = &e->diff;
	struct query_level *levels = arena_grow(e->arena, diff->levels, &e->level_cap,
						diff->level_count + 1, sizeof(*levels));
	int64_t *values = arena_zalloc(e->arena, to - from, SEVEN * sizeof(*values));
	int64_t end[2] = {0};
	if (!levels || !values)
		return no_memory(err);
	for (uint32_t i = from; i < to; i++) {
		int rc = write_bar(e, i, end, values + (size_t)SEVEN * (i - from), err);
		if (rc)
			return rc;
	}
	diff->levels = levels;
	levels[diff->level_count++] = (struct query_level){values, (size_t)SEVEN * (to - from)};
	return 0;
}

static int take_names(struct encoder *e, struct err *err)
{
	size_t count = strtab_count(e->names) - 1;
	e->diff.names = arena_zalloc(e->arena, count, sizeof(struct str));
	if (!e->diff.names)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		e->diff.names[i] = strtab_get(e->names, (uint32_t)i + 1);
	e->diff.name_count = count;
	return 0;
}

static int encode(struct encoder *e, struct err *err)
{
	int rc = strtab_create(e->arena, e->tree->count + 2, &e->names, err);
	for (unsigned side = 0; rc == 0 && side < 2; side++) {
		e->x[side] = arena_zalloc(e->arena, e->tree->count, sizeof(int64_t));
		if (!e->x[side])
			rc = no_memory(err);
	}
	for (uint32_t from = 0; rc == 0 && from < e->tree->count;) {
		uint32_t to = from ? level_end(e->tree, from) : 1;
		rc = write_level(e, from, to, err);
		from = to;
	}
	return rc ? rc : take_names(e, err);
}

int query_diff_encode(struct arena *arena, const struct query_tree *left,
		      const struct query_tree *right, uint64_t max_nodes, struct query_diff *ret,
		      struct err *err)
{
	struct diff_tree whole, tree;
	struct encoder e = {.arena = arena, .tree = &tree};
	int rc = diff_unite(arena, left, right, &whole, err);
	rc = rc ? rc : check(&whole, err);
	rc = rc ? rc : diff_fold(arena, &whole, max_nodes, &tree, err);
	rc = rc ? rc : encode(&e, err);
	if (rc)
		return rc;
	e.diff.left_total = tree.nodes[0].total[0];
	e.diff.right_total = tree.nodes[0].total[1];
	e.diff.total = e.diff.left_total + e.diff.right_total;
	*ret = e.diff;
	return 0;
}
