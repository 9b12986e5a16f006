/* Callers and callees of one function. Both halves are merged from every
 * occurrence, so a function that calls itself is met again below (and above)
 * itself; only the total counts each sample once. Deep recursion makes that
 * quadratic, so the steps are counted. */
#include "query/query.h"

#include <stdlib.h>

#include "base/map.h"
#include "query/tree.h"

enum { STEPS_MAX = 32 * 1000 * 1000 };

struct half {
	struct arena *arena;
	struct query_node *nodes;
	size_t cap;
	uint32_t count;
	struct map by_name; /* (parent, name id) -> node */
};

struct sandwich {
	const struct query_tree *tree;
	struct arena *arena;
	struct str function;
	uint32_t *name_of; /* node -> the first node of that name */
	uint32_t *copy;	   /* node -> node of callees, for the occurrence at hand */
	size_t steps;
	struct half callers, callees;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "sandwich: no memory");
}

static int find_or_add(struct half *half, uint32_t parent, uint32_t name_id, struct str name,
		       uint32_t *ret, struct err *err)
{
	uint64_t key = (uint64_t)parent << 32 | name_id;
	uint64_t *found = map_get(&half->by_name, key);
	if (found) {
		*ret = (uint32_t)*found;
		return 0;
	}
	struct query_node *nodes = arena_grow(half->arena, half->nodes, &half->cap,
					      half->count + (size_t)1, sizeof(*nodes));
	if (!nodes)
		return no_memory(err);
	half->nodes = nodes;
	nodes[half->count] = (struct query_node){.name = name, .parent = parent};
	*ret = half->count++;
	return map_put(&half->by_name, key, *ret, err);
}

static int step(struct sandwich *s, struct err *err)
{
	if (++s->steps <= STEPS_MAX)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "sandwich: \"%.*s\" calls itself too often and too deep; narrow the range",
		       STR_ARG(str_sub(s->function, 0, 200)));
}

/* ---- names ---- */

static int number_names(struct sandwich *s, struct map *names, struct err *err)
{
	int rc = 0;
	for (uint32_t i = 1; rc == 0 && i < s->tree->count; i++) {
		struct str name = s->tree->nodes[i].name;
		/* On a collision of hashes, which is not to be expected, the next number is tried. */
		for (uint64_t hash = str_hash(name);; hash++) {
			uint64_t *found = map_get(names, hash);
			if (found && !str_equal(s->tree->nodes[*found].name, name))
				continue;
			s->name_of[i] = found ? (uint32_t)*found : i;
			rc = found ? 0 : map_put(names, hash, i, err);
			break;
		}
	}
	return rc;
}

/* ---- the halves ---- */

static int add_callers(struct sandwich *s, uint32_t at, struct err *err)
{
	int64_t total = s->tree->nodes[at].total;
	uint32_t node = 0;
	struct half *half = &s->callers;
	half->nodes[0].total = query_add(half->nodes[0].total, total);
	for (uint32_t up = s->tree->nodes[at].parent; up; up = s->tree->nodes[up].parent) {
		int rc = step(s, err);
		rc = rc ? rc
			: find_or_add(half, node, s->name_of[up], s->tree->nodes[up].name, &node,
				      err);
		if (rc)
			return rc;
		half->nodes[node].total = query_add(half->nodes[node].total, total);
	}
	half->nodes[node].self = query_add(half->nodes[node].self, total);
	return 0;
}

/* The next node below top, depth first; 0 after the last. */
static uint32_t step_below(const struct query_tree *tree, uint32_t top, uint32_t node)
{
	if (tree->nodes[node].child)
		return tree->nodes[node].child;
	while (node != top && !tree->nodes[node].next)
		node = tree->nodes[node].parent;
	return node == top ? 0 : tree->nodes[node].next;
}

static void add_to(struct half *half, uint32_t at, const struct query_node *node)
{
	half->nodes[at].self = query_add(half->nodes[at].self, node->self);
	half->nodes[at].total = query_add(half->nodes[at].total, node->total);
}

static int add_callees(struct sandwich *s, uint32_t top, struct err *err)
{
	s->copy[top] = 0;
	add_to(&s->callees, 0, &s->tree->nodes[top]);
	for (uint32_t i = step_below(s->tree, top, top); i; i = step_below(s->tree, top, i)) {
		const struct query_node *node = &s->tree->nodes[i];
		int rc = step(s, err);
		rc = rc ? rc
			: find_or_add(&s->callees, s->copy[node->parent], s->name_of[i], node->name,
				      &s->copy[i], err);
		if (rc)
			return rc;
		add_to(&s->callees, s->copy[i], node);
	}
	return 0;
}

static int by_name(const void *a, const void *b, void *nodes)
{
	const struct query_node *all = nodes;
	return str_compare(all[*(const uint32_t *)a].name, all[*(const uint32_t *)b].name);
}

/* Sibling lists in name order: hung from the last name to the first. */
static int link_half(struct half *half, struct query_tree *ret, struct err *err)
{
	uint32_t *sorted = arena_zalloc(half->arena, half->count, sizeof(*sorted));
	if (!sorted)
		return no_memory(err);
	for (uint32_t i = 0; i < half->count; i++)
		sorted[i] = i;
	qsort_r(sorted + 1, half->count - 1, sizeof(*sorted), by_name, half->nodes);
	for (uint32_t i = half->count; i-- > 1;) {
		struct query_node *node = &half->nodes[sorted[i]];
		node->next = half->nodes[node->parent].child;
		half->nodes[node->parent].child = sorted[i];
	}
	*ret = (struct query_tree){half->nodes, half->count};
	return 0;
}

static int init_half(struct half *half, struct arena *arena, struct str function, struct err *err)
{
	*half = (struct half){.arena = arena, .count = 1};
	half->nodes = arena_grow(arena, NULL, &half->cap, 64, sizeof(*half->nodes));
	if (!half->nodes)
		return no_memory(err);
	half->nodes[0] = (struct query_node){.name = function};
	return 0;
}

/* inside: a node of the function is above this one. */
static int gather(struct sandwich *s, bool *inside, struct query_sandwich *ret, struct err *err)
{
	int rc = 0;
	for (uint32_t i = 1; rc == 0 && i < s->tree->count; i++) {
		const struct query_node *node = &s->tree->nodes[i];
		bool here = str_equal(node->name, s->function);
		inside[i] = here || inside[node->parent];
		if (!here)
			continue;
		ret->self = query_add(ret->self, node->self);
		if (!inside[node->parent])
			ret->total = query_add(ret->total, node->total);
		rc = add_callers(s, i, err);
		rc = rc ? rc : add_callees(s, i, err);
	}
	rc = rc ? rc : link_half(&s->callers, &ret->callers, err);
	return rc ? rc : link_half(&s->callees, &ret->callees, err);
}

int query_sandwich(struct arena *arena, const struct query_tree *tree, struct str function,
		   struct query_sandwich *ret, struct err *err)
{
	struct sandwich s = {.tree = tree, .arena = arena, .function = function};
	struct map names = {0};
	bool *inside = arena_zalloc(arena, tree->count, sizeof(*inside));
	s.name_of = arena_zalloc(arena, tree->count, sizeof(*s.name_of));
	s.copy = arena_zalloc(arena, tree->count, sizeof(*s.copy));
	*ret = (struct query_sandwich){0};
	if (!inside || !s.name_of || !s.copy)
		return no_memory(err);
	int rc = init_half(&s.callers, arena, function, err);
	rc = rc ? rc : init_half(&s.callees, arena, function, err);
	rc = rc ? rc : number_names(&s, &names, err);
	rc = rc ? rc : gather(&s, inside, ret, err);
	map_deinit(&names);
	map_deinit(&s.callers.by_name);
	map_deinit(&s.callees.by_name);
	return rc;
}
