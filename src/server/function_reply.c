/* Tables of functions and sandwiches on their way into messages. */
#include "server/flame_reply.h"

#include "base/strtab.h"
#include "server/pbjson.h"

/* Messages nest, and their readers recurse. */
enum { SANDWICH_DEPTH_MAX = 512 };

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the functions");
}

/* ---- tables ---- */

int flame_reply_functions(struct arena *arena, const struct query_tree *tree, uint64_t limit,
			  Querier__V1__FunctionTable **ret, struct err *err)
{
	struct query_function *rows;
	size_t count;
	Querier__V1__FunctionTable *table =
		(Querier__V1__FunctionTable *)pbmsg_new(arena,
							&querier__v1__function_table__descriptor);
	int rc = table ? query_top(arena, tree, &rows, &count, err) : no_memory(err);
	if (rc)
		return rc;
	if (limit > 0 && limit < count)
		count = (size_t)limit;
	Querier__V1__FunctionRow *all = arena_zalloc(arena, count + 1, sizeof(*all));
	table->functions = arena_zalloc(arena, count + 1, sizeof(void *));
	if (!all || !table->functions)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		querier__v1__function_row__init(&all[i]);
		all[i].name = api_text(arena, rows[i].name);
		all[i].self = rows[i].self;
		all[i].total = rows[i].total;
		table->functions[i] = &all[i];
		if (!all[i].name)
			return no_memory(err);
	}
	table->n_functions = count;
	table->total = tree->nodes[0].total;
	*ret = table;
	return 0;
}

/* ---- sandwiches ---- */

struct sandwich_reply {
	struct arena *arena;
	struct strtab *names;
};

/* Node by node, parents first, so without recursion. */
static int fill_half(struct sandwich_reply *r, const struct query_tree *tree,
		     Querier__V1__SandwichNode **ret, struct err *err)
{
	Querier__V1__SandwichNode *all = arena_zalloc(r->arena, tree->count, sizeof(*all));
	uint32_t *depth = arena_zalloc(r->arena, tree->count, sizeof(*depth));
	uint32_t *children = arena_zalloc(r->arena, tree->count, sizeof(*children));
	if (!all || !depth || !children)
		return no_memory(err);
	for (uint32_t i = 1; i < tree->count; i++)
		children[tree->nodes[i].parent]++;
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct query_node *node = &tree->nodes[i];
		uint32_t name;
		int rc = strtab_intern(r->names, node->name, &name, err);
		if (rc)
			return rc;
		querier__v1__sandwich_node__init(&all[i]);
		all[i].name_index = name;
		all[i].total = node->total;
		all[i].self = node->self;
		depth[i] = i ? depth[node->parent] + 1 : 0;
		all[i].truncated = depth[i] == SANDWICH_DEPTH_MAX && children[i];
		all[i].children = arena_zalloc(r->arena, children[i] + (size_t)1, sizeof(void *));
		if (!all[i].children)
			return no_memory(err);
		if (i && depth[i] <= SANDWICH_DEPTH_MAX) {
			Querier__V1__SandwichNode *parent = &all[node->parent];
			parent->children[parent->n_children++] = &all[i];
		}
	}
	*ret = all;
	return 0;
}

static int take_names(struct sandwich_reply *r, Querier__V1__Sandwich *out, struct err *err)
{
	uint32_t count = strtab_count(r->names);
	out->names = arena_zalloc(r->arena, count, sizeof(char *));
	if (!out->names)
		return no_memory(err);
	for (uint32_t i = 0; i < count; i++) {
		out->names[i] = api_text(r->arena, strtab_get(r->names, i));
		if (!out->names[i])
			return no_memory(err);
	}
	out->n_names = count;
	return 0;
}

int flame_reply_sandwich(struct arena *arena, const struct query_tree *tree, struct str function,
			 uint64_t max_nodes, Querier__V1__Sandwich **ret, struct err *err)
{
	struct query_sandwich sandwich;
	struct query_tree callers, callees;
	struct sandwich_reply r = {.arena = arena};
	Querier__V1__Sandwich *out =
		(Querier__V1__Sandwich *)pbmsg_new(arena, &querier__v1__sandwich__descriptor);
	if (!out)
		return no_memory(err);
	int rc = query_sandwich(arena, tree, function, &sandwich, err);
	rc = rc ? rc : query_tree_fold(arena, &sandwich.callers, max_nodes, &callers, err);
	rc = rc ? rc : query_tree_fold(arena, &sandwich.callees, max_nodes, &callees, err);
	rc = rc ? rc : strtab_create(arena, callers.count + callees.count + 2, &r.names, err);
	rc = rc ? rc : fill_half(&r, &callers, &out->callers, err);
	rc = rc ? rc : fill_half(&r, &callees, &out->callees, err);
	rc = rc ? rc : take_names(&r, out, err);
	if (rc)
		return rc;
	out->total = sandwich.total;
	out->self = sandwich.self;
	*ret = out;
	return 0;
}
