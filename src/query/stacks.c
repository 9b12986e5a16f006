/* Stacks before they become a tree of functions. Parents come before children,
 * so each question about a path is one pass: what is known of the parent and
 * the frame at hand say what holds for the node. */
#include "query/query.h"

#include "query/tree.h"

enum { LEFT_PATH = UINT32_MAX };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "stacks: no memory");
}

/* How many steps of the path a node has taken; LEFT_PATH when one was another's. */
static int take_step(struct arena *arena, const struct store_tree *stacks, uint32_t node,
		     const struct str *path, size_t path_len, uint32_t *taken, struct err *err)
{
	uint32_t before = taken[stacks->parent[node]];
	taken[node] = before;
	if (before == LEFT_PATH || before >= path_len)
		return 0;
	struct str name = query_frame_name(arena, &stacks->frames[stacks->frame[node]]);
	if (!name.ptr)
		return no_memory(err);
	taken[node] = str_equal(name, path[before]) ? before + 1 : LEFT_PATH;
	return 0;
}

int query_stacks_below(struct arena *arena, const struct store_tree *stacks, const struct str *path,
		       size_t path_len, struct store_tree *ret, struct err *err)
{
	uint32_t count = stacks->node_count;
	uint32_t *taken = arena_zalloc(arena, count + (size_t)1, sizeof(*taken));
	int64_t *self = arena_zalloc(arena, count + (size_t)1, sizeof(*self));
	if (!taken || !self)
		return no_memory(err);
	if (count > 0 && path_len == 0)
		self[0] = stacks->self[0];
	for (uint32_t i = 1; i < count; i++) {
		assert_parent_first(stacks->parent[i], i);
		int rc = take_step(arena, stacks, i, path, path_len, taken, err);
		if (rc)
			return rc;
		self[i] = taken[i] == path_len ? stacks->self[i] : 0;
	}
	*ret = *stacks;
	ret->self = self;
	return 0;
}

int query_stacks_keep(struct arena *arena, const struct store_tree *stacks, const bool *keep,
		      struct store_tree *ret, struct err *err)
{
	uint32_t count = stacks->node_count, kept = 1;
	uint32_t *copy = arena_zalloc(arena, count + (size_t)1, sizeof(*copy));
	uint32_t *parent = arena_zalloc(arena, count + (size_t)1, sizeof(*parent));
	uint32_t *frame = arena_zalloc(arena, count + (size_t)1, sizeof(*frame));
	int64_t *self = arena_zalloc(arena, count + (size_t)1, sizeof(*self));
	if (!copy || !parent || !frame || !self)
		return no_memory(err);
	if (count > 0)
		self[0] = stacks->self[0];
	for (uint32_t i = 1; i < count; i++) {
		assert_parent_first(stacks->parent[i], i);
		copy[i] = copy[stacks->parent[i]];
		if (keep[stacks->frame[i]]) {
			parent[kept] = copy[i];
			frame[kept] = stacks->frame[i];
			copy[i] = kept++;
		}
		self[copy[i]] = query_add(self[copy[i]], stacks->self[i]);
	}
	*ret = *stacks;
	ret->node_count = count ? kept : 0;
	ret->parent = parent;
	ret->frame = frame;
	ret->self = self;
	return 0;
}

/* ---- folding ---- */

struct folder {
	const struct store_tree *from;
	int64_t *total;
	uint32_t *copy;	 /* node -> node of the result; LEFT_PATH: folded away */
	uint32_t *other; /* node of the result -> its "other"; 0: none yet */
	uint32_t *parent, *frame;
	int64_t *self;
	uint32_t count;
};

static int make_folder(struct arena *arena, const struct store_tree *stacks, struct folder *f,
		       struct err *err)
{
	size_t count = stacks->node_count;
	*f = (struct folder){.from = stacks, .count = 1};
	f->total = arena_zalloc(arena, count, sizeof(*f->total));
	f->copy = arena_zalloc(arena, count, sizeof(*f->copy));
	f->other = arena_zalloc(arena, count, sizeof(*f->other));
	f->parent = arena_zalloc(arena, count, sizeof(*f->parent));
	f->frame = arena_zalloc(arena, count, sizeof(*f->frame));
	f->self = arena_zalloc(arena, count, sizeof(*f->self));
	if (!f->total || !f->copy || !f->other || !f->parent || !f->frame || !f->self)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		f->total[i] = stacks->self[i];
	for (size_t i = count; i-- > 1;)
		f->total[stacks->parent[i]] = query_add(f->total[stacks->parent[i]], f->total[i]);
	return 0;
}

static uint32_t append(struct folder *f, uint32_t parent, uint32_t frame)
{
	f->parent[f->count] = parent;
	f->frame[f->count] = frame;
	return f->count++;
}

/* A folded node whose caller is kept; there is no more than one "other" for each such caller. */
static void fold_away(struct folder *f, uint32_t node)
{
	uint32_t above = f->copy[f->from->parent[node]];
	f->copy[node] = LEFT_PATH;
	if (above == LEFT_PATH)
		return;
	if (!f->other[above])
		f->other[above] = append(f, above, f->from->frame_count);
	f->self[f->other[above]] = query_add(f->self[f->other[above]], f->total[node]);
}

static int add_other(struct arena *arena, struct store_tree *tree, struct err *err)
{
	struct store_frame *frames =
		arena_zalloc(arena, tree->frame_count + (size_t)1, sizeof(*frames));
	if (!frames)
		return no_memory(err);
	if (tree->frame_count > 0)
		memcpy(frames, tree->frames, tree->frame_count * sizeof(*frames));
	frames[tree->frame_count++] = (struct store_frame){.name = STR("other")};
	tree->frames = frames;
	return 0;
}

int query_stacks_fold(struct arena *arena, const struct store_tree *stacks, uint64_t max_nodes,
		      struct store_tree *ret, struct err *err)
{
	struct folder f;
	int64_t bound;
	if (max_nodes == 0 || max_nodes >= stacks->node_count) {
		*ret = *stacks;
		return 0;
	}
	int rc = make_folder(arena, stacks, &f, err);
	rc = rc ? rc
		: query_kth_largest(arena, f.total, stacks->node_count, (size_t)max_nodes, &bound,
				    err);
	if (rc)
		return rc;
	f.self[0] = stacks->self[0];
	for (uint32_t i = 1; i < stacks->node_count; i++) {
		uint32_t above = f.copy[stacks->parent[i]];
		if (above == LEFT_PATH || f.total[i] < bound) {
			fold_away(&f, i);
			continue;
		}
		f.copy[i] = append(&f, above, stacks->frame[i]);
		f.self[f.copy[i]] = stacks->self[i];
	}
	*ret = *stacks;
	ret->node_count = f.count;
	ret->parent = f.parent;
	ret->frame = f.frame;
	ret->self = f.self;
	return add_other(arena, ret, err);
}
