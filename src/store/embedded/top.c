/* Functions of a merged tree. Two frames are one function when name and file
 * are the same, so a frame's function is found by content, once per frame; then
 * one walk over the tree, depth first, adds up what lies on each function, and
 * below its outermost frame on every path. */
#include <stdlib.h>

#include "store/embedded/answer.h"

struct top {
	struct query *query;
	struct store_tree tree;
	struct store_function *functions;
	uint32_t count;
	uint32_t *function;	/* frame -> function */
	struct map by_hash;	/* -> index + 1 of the first */
	uint32_t *same;		/* function -> index + 1 of the next with its hash */
	uint32_t *child, *next; /* node -> node; 0: none */
	int64_t *total;		/* of nodes */
	uint32_t *open;		/* how often a function is on the path to where we are */
};

/* ---- which function ---- */

static struct store_function function_of(const struct store_frame *frame)
{
	struct store_function function = {.name = frame->name.len ? frame->name
								  : frame->system_name};
	if (function.name.len) {
		function.filename = frame->filename;
		function.mapping = STR("");
	} else {
		function.filename = STR("");
		function.mapping = frame->mapping;
		function.address = frame->address;
	}
	return function;
}

static bool is_same(const struct store_function *a, const struct store_function *b)
{
	return a->address == b->address && str_equal(a->name, b->name) &&
	       str_equal(a->filename, b->filename) && str_equal(a->mapping, b->mapping);
}

static uint64_t hash_of(const struct store_function *function)
{
	uint64_t parts[4] = {str_hash(function->name), str_hash(function->filename),
			     str_hash(function->mapping), function->address};
	return str_hash(str_make(parts, sizeof(parts)));
}

static int find(struct top *top, const struct store_function *function, uint32_t *ret,
		struct err *err)
{
	uint64_t hash = hash_of(function), *found = map_get(&top->by_hash, hash);
	uint32_t first = found ? (uint32_t)*found : 0;
	for (uint32_t at = first; at; at = top->same[at - 1])
		if (is_same(&top->functions[at - 1], function)) {
			*ret = at - 1;
			return 0;
		}
	top->functions[top->count] = *function;
	top->same[top->count] = first;
	*ret = top->count++;
	return map_put(&top->by_hash, hash, top->count, err);
}

static int find_functions(struct top *top, struct err *err)
{
	int rc = 0;
	for (uint32_t i = 0; !rc && i < top->tree.frame_count; i++) {
		struct store_function function = function_of(&top->tree.frames[i]);
		rc = find(top, &function, &top->function[i], err);
	}
	return rc;
}

/* ---- sums ---- */

/* Parents come before children. */
static void link_nodes(struct top *top)
{
	const struct store_tree *tree = &top->tree;
	for (uint32_t i = tree->node_count; i-- > 0;) {
		uint32_t parent = tree->parent[i];
		top->total[i] = (int64_t)((uint64_t)top->total[i] + (uint64_t)tree->self[i]);
		if (i == 0)
			continue;
		top->total[parent] =
			(int64_t)((uint64_t)top->total[parent] + (uint64_t)top->total[i]);
		top->next[i] = top->child[parent];
		top->child[parent] = i;
	}
}

static void enter(struct top *top, uint32_t node)
{
	uint32_t at = top->function[top->tree.frame[node]];
	struct store_function *function = &top->functions[at];
	function->self = (int64_t)((uint64_t)function->self + (uint64_t)top->tree.self[node]);
	if (top->open[at]++ == 0)
		function->total = (int64_t)((uint64_t)function->total + (uint64_t)top->total[node]);
}

static void leave(struct top *top, uint32_t node)
{
	if (node)
		top->open[top->function[top->tree.frame[node]]]--;
}

static int walk(struct top *top, struct err *err)
{
	int rc = 0;
	uint32_t steps = 0;
	for (uint32_t node = top->child[0]; !rc && node;) {
		enter(top, node);
		if (steps++ % 65536 == 0)
			rc = query_check(top->query, err);
		if (top->child[node]) {
			node = top->child[node];
			continue;
		}
		leave(top, node);
		while (node && !top->next[node]) {
			node = top->tree.parent[node];
			leave(top, node);
		}
		node = node ? top->next[node] : 0;
	}
	return rc;
}

/* ---- order ---- */

static int compare_texts(const struct store_function *x, const struct store_function *y)
{
	int order = str_compare(x->name, y->name);
	order = order ? order : str_compare(x->filename, y->filename);
	order = order ? order : str_compare(x->mapping, y->mapping);
	return order ? order : x->address < y->address ? -1 : x->address > y->address;
}

static int compare(const struct store_function *x, const struct store_function *y, int64_t x_first,
		   int64_t y_first, int64_t x_second, int64_t y_second)
{
	if (x_first != y_first)
		return x_first > y_first ? -1 : 1;
	if (x_second != y_second)
		return x_second > y_second ? -1 : 1;
	return compare_texts(x, y);
}

static int by_self(const void *a, const void *b)
{
	const struct store_function *x = a, *y = b;
	return compare(x, y, x->self, y->self, x->total, y->total);
}

static int by_total(const void *a, const void *b)
{
	const struct store_function *x = a, *y = b;
	return compare(x, y, x->total, y->total, x->self, y->self);
}

/* ---- the answer ---- */

static int make_room(struct top *top, struct err *err)
{
	size_t frames = top->tree.frame_count + (size_t)1, nodes = top->tree.node_count + (size_t)1;
	struct query *query = top->query;
	top->functions = query_alloc(query, frames, sizeof(*top->functions), err);
	top->function = query_alloc(query, frames, sizeof(*top->function), err);
	top->same = query_alloc(query, frames, sizeof(*top->same), err);
	top->open = query_alloc(query, frames, sizeof(*top->open), err);
	top->child = query_alloc(query, nodes, sizeof(*top->child), err);
	top->next = query_alloc(query, nodes, sizeof(*top->next), err);
	top->total = query_alloc(query, nodes, sizeof(*top->total), err);
	bool ok = top->functions && top->function && top->same && top->open && top->child &&
		  top->next && top->total;
	return ok ? 0 : ERR_LIMIT;
}

static int copy_text(struct str *text, struct arena *arena, struct err *err)
{
	*text = arena_str(arena, *text);
	return text->ptr ? 0 : query_no_room(arena, err);
}

static int copy_out(const struct top *top, size_t count, struct arena *arena, struct store_top *ret,
		    struct err *err)
{
	struct store_function *functions = arena_zalloc(arena, count + 1, sizeof(*functions));
	int rc = functions ? 0 : query_no_room(arena, err);
	for (size_t i = 0; !rc && i < count; i++) {
		functions[i] = top->functions[i];
		rc = copy_text(&functions[i].name, arena, err);
		rc = rc ? rc : copy_text(&functions[i].filename, arena, err);
		rc = rc ? rc : copy_text(&functions[i].mapping, arena, err);
	}
	if (!rc)
		*ret = (struct store_top){functions, count, top->total[0]};
	return rc;
}

static int count_functions(struct top *top, const struct store_top_options *options,
			   struct arena *arena, struct store_top *ret, struct err *err)
{
	int rc = make_room(top, err);
	rc = rc ? rc : find_functions(top, err);
	if (rc)
		return rc;
	link_nodes(top);
	rc = walk(top, err);
	if (rc)
		return rc;
	/* Frame 0 of an empty tree and of the root is no function; it was not entered. */
	size_t count = top->count;
	if (count)
		qsort(top->functions, count, sizeof(*top->functions),
		      options->order == STORE_BY_TOTAL ? by_total : by_self);
	if (options->limit && options->limit < count)
		count = (size_t)options->limit;
	return copy_out(top, count, arena, ret, err);
}

int answer_top(struct query *query, const struct store_top_options *options, struct arena *arena,
	       struct store_top *ret, struct err *err)
{
	struct top top = {.query = query};
	int rc = answer_merge(query, &query->work, &top.tree, err);
	rc = rc ? rc : count_functions(&top, options, arena, ret, err);
	map_deinit(&top.by_hash);
	return rc;
}
