/* The flame graph's levels (Pyroscope's FlameGraph message), there and back.
 *
 * Encoding walks the tree breadth first, level by level, left to right, with
 * the absolute x of each bar; what is written is x minus the end of the bar
 * before it in the level. Decoding adds them up again and finds each bar's
 * parent by walking both levels at once, since both run left to right. */
#include "query/query.h"

#include <stdlib.h>

#include "base/strtab.h"
#include "query/tree.h"

enum { QUAD = 4 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "flame graph: no memory");
}

struct bar {
	uint32_t node;
	int64_t x;
};

struct encoder {
	struct arena *arena;
	const struct query_tree *tree;
	struct strtab *names;
	struct bar *now, *then; /* this level and the next */
	size_t now_count, then_count, then_cap, now_cap;
	size_t level_cap;
	struct query_flame flame;
};

static int add_children(struct encoder *e, const struct bar *bar, struct err *err)
{
	const struct query_node *nodes = e->tree->nodes;
	int64_t x = query_add(bar->x, nodes[bar->node].self);

	for (uint32_t i = nodes[bar->node].child; i; i = nodes[i].next) {
		struct bar *grown = arena_grow(e->arena, e->then, &e->then_cap, e->then_count + 1,
					       sizeof(*grown));
		if (!grown)
			return no_memory(err);
		e->then = grown;
		e->then[e->then_count++] = (struct bar){i, x};
		x = query_add(x, nodes[i].total);
	}
	return 0;
}

static int write_bar(struct encoder *e, const struct bar *bar, int64_t *end, int64_t *quad,
		     struct err *err)
{
	const struct query_node *node = &e->tree->nodes[bar->node];
	uint32_t name;
	/* Id 0 of the table is "", and the first one given is the root's. */
	int rc =
		strtab_intern(e->names, node->name.len ? node->name : STR("[unknown]"), &name, err);
	if (rc)
		return rc;
	quad[0] = bar->x - *end;
	quad[1] = node->total;
	quad[2] = node->self;
	quad[3] = (int64_t)name - 1;
	*end = query_add(bar->x, node->total);
	if (node->self > e->flame.max_self)
		e->flame.max_self = node->self;
	return 0;
}

static int write_level(struct encoder *e, struct err *err)
{
	struct query_flame *flame = &e->flame;
	struct query_level *levels = arena_grow(e->arena, flame->levels, &e->level_cap,
						flame->level_count + 1, sizeof(*levels));
	int64_t *values = arena_zalloc(e->arena, e->now_count, QUAD * sizeof(*values));
	int64_t end = 0;
	if (!levels || !values)
		return no_memory(err);
	for (size_t i = 0; i < e->now_count; i++) {
		int rc = write_bar(e, &e->now[i], &end, values + QUAD * i, err);
		if (rc == 0)
			rc = add_children(e, &e->now[i], err);
		if (rc)
			return rc;
	}
	flame->levels = levels;
	flame->levels[flame->level_count++] = (struct query_level){values, QUAD * e->now_count};
	return 0;
}

static void next_level(struct encoder *e)
{
	struct bar *done = e->now;
	size_t done_cap = e->now_cap;
	e->now = e->then;
	e->now_count = e->then_count;
	e->now_cap = e->then_cap;
	e->then = done;
	e->then_count = 0;
	e->then_cap = done_cap;
}

static int take_names(struct encoder *e, struct err *err)
{
	size_t count = strtab_count(e->names) - 1;
	e->flame.names = arena_zalloc(e->arena, count, sizeof(struct str));
	if (!e->flame.names)
		return no_memory(err);
	for (size_t i = 0; i < count; i++)
		e->flame.names[i] = strtab_get(e->names, (uint32_t)i + 1);
	e->flame.name_count = count;
	return 0;
}

int query_flame_encode(struct arena *arena, const struct query_tree *tree, struct query_flame *ret,
		       struct err *err)
{
	struct encoder e = {.arena = arena, .tree = tree, .now_count = 1, .now_cap = 1};
	int rc = strtab_create(arena, tree->count + 2, &e.names, err);
	if (rc)
		return rc;
	e.now = arena_zalloc(arena, 1, sizeof(*e.now));
	if (!e.now)
		return no_memory(err);
	for (; e.now_count > 0; next_level(&e)) {
		rc = write_level(&e, err);
		if (rc)
			return rc;
	}
	rc = take_names(&e, err);
	if (rc)
		return rc;
	e.flame.total = tree->nodes[0].total;
	*ret = e.flame;
	return 0;
}

/* ---- and back ---- */

struct decoder {
	struct arena *arena;
	const struct query_flame *flame;
	struct query_tree tree;
	int64_t *x;	   /* of each node */
	uint32_t *last;	   /* last child hung so far */
	uint32_t from, to; /* nodes of the level above */
};

static int bad_bar(size_t level, size_t at, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "flame graph: level %zu, bar %zu: %s", level, at / QUAD,
		       why);
}

static bool holds(const struct decoder *d, uint32_t parent, int64_t x, int64_t total)
{
	const struct query_node *node = &d->tree.nodes[parent];
	return x >= d->x[parent] && x + total <= d->x[parent] + node->total;
}

static void hang(struct decoder *d, uint32_t parent, uint32_t node)
{
	if (d->last[parent])
		d->tree.nodes[d->last[parent]].next = node;
	else
		d->tree.nodes[parent].child = node;
	d->last[parent] = node;
}

/* Moves *parent right to the bar of the level above that holds [x, x + total). */
static bool find_parent(const struct decoder *d, uint32_t *parent, int64_t x, int64_t total)
{
	while (*parent < d->to && !holds(d, *parent, x, total))
		(*parent)++;
	return *parent < d->to;
}

/* Far beyond any sum of samples, and two of them still add up. */
static bool is_small(int64_t v)
{
	return v >= 0 && v < INT64_MAX / 4;
}

static int read_level(struct decoder *d, size_t level, struct err *err)
{
	const struct query_level *l = &d->flame->levels[level];
	uint32_t parent = d->from, first = d->tree.count;
	int64_t end = 0;

	for (size_t i = 0; i + QUAD <= l->count; i += QUAD) {
		const int64_t *quad = l->values + i;
		if (!is_small(quad[0]) || !is_small(quad[1]) || !is_small(quad[2]))
			return bad_bar(level, i, "a negative or impossible width", err);
		if (quad[3] < 0 || (size_t)quad[3] >= d->flame->name_count)
			return bad_bar(level, i, "a name that is not there", err);
		int64_t x = end + quad[0];
		end = x + quad[1];
		if (!is_small(end))
			return bad_bar(level, i, "a negative or impossible width", err);
		uint32_t node = d->tree.count;
		if (level > 0 && !find_parent(d, &parent, x, quad[1]))
			return bad_bar(level, i, "outside the bars above", err);
		d->tree.nodes[d->tree.count++] =
			(struct query_node){.name = d->flame->names[quad[3]],
					    .total = quad[1],
					    .self = quad[2],
					    .parent = level > 0 ? parent : 0};
		d->x[node] = x;
		if (level > 0)
			hang(d, parent, node);
	}
	d->from = first;
	d->to = d->tree.count;
	return 0;
}

static size_t count_bars(const struct query_flame *flame)
{
	size_t bars = 0;
	for (size_t i = 0; i < flame->level_count; i++)
		bars += flame->levels[i].count / QUAD;
	return bars;
}

int query_flame_decode(struct arena *arena, const struct query_flame *flame, struct query_tree *ret,
		       struct err *err)
{
	size_t bars = count_bars(flame);
	struct decoder d = {.arena = arena, .flame = flame};

	if (flame->level_count == 0 || flame->levels[0].count != QUAD || bars > UINT32_MAX - 1)
		return err_set(err, ERR_INVALID, "flame graph: the first level must hold one bar");
	d.tree.nodes = arena_zalloc(arena, bars, sizeof(*d.tree.nodes));
	d.x = arena_zalloc(arena, bars, sizeof(*d.x));
	d.last = arena_zalloc(arena, bars, sizeof(*d.last));
	if (!d.tree.nodes || !d.x || !d.last)
		return no_memory(err);
	for (size_t i = 0; i < flame->level_count; i++) {
		int rc = read_level(&d, i, err);
		if (rc)
			return rc;
	}
	*ret = d.tree;
	return 0;
}
