/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/flame.h"

static int read_names(const json_t *graph, struct arena *arena, struct flame *flame, struct err *err)
{
	const json_t *names = json_object_get(graph, "names");
	flame->name_count = json_array_size(names);
	flame->names = arena_zalloc(arena, flame->name_count + 1, sizeof(*flame->names));
	if (!flame->names)
		return err_set(err, ERR_NOMEM, "flame graph: no memory for its names");
	for (size_t i = 0; i < flame->name_count; i++) {
		const json_t *name = json_array_get(names, i);
		if (!json_is_string(name))
			return err_set(err, ERR_INVALID, "flame graph: name %zu is not text", i);
		flame->names[i] = str_make(json_string_value(name), json_string_length(name));
	}
	return 0;
}

/* int64 comes as text or number; an absent one (a zero that was left out) is 0. */
static int64_t read_int(const json_t *value)
{
	int64_t number = 0;
	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_string(value))
		(void)str_to_i64(str_of(json_string_value(value)), &number);
	return number;
}

/* The bar of the level above that covers start. Bars come left to right, so the search goes on from where
 * it was. */
static bool find_parent(const struct flame *flame, size_t *at, size_t end, int64_t start, int64_t total)
{
	while (*at < end) {
		const struct flame_node *above = &flame->nodes[*at];
		if (start >= above->start && start + total <= above->start + above->total)
			return true;
		(*at)++;
	}
	return false;
}

static int add_node(struct arena *arena, struct flame *flame, struct flame_node node, struct err *err)
{
	void *grown = arena_grow(arena, flame->nodes, &flame->node_cap, flame->node_count + 1,
				 sizeof(node));
	if (!grown)
		return err_set(err, ERR_NOMEM, "flame graph: no memory for its nodes");
	flame->nodes = grown;
	flame->nodes[flame->node_count++] = node;
	return 0;
}

/* above: where the nodes of the level above begin; all to the end of the array are that level's. */
static int read_level(const json_t *values, size_t above, bool is_root, struct arena *arena,
		      struct flame *flame, struct err *err)
{
	size_t end = flame->node_count, at = above;
	int64_t x = 0;
	for (size_t i = 0; i + 3 < json_array_size(values); i += 4) {
		struct flame_node node = {
			.start = x + read_int(json_array_get(values, i)),
			.total = read_int(json_array_get(values, i + 1)),
			.self = read_int(json_array_get(values, i + 2)),
			.name = (uint32_t)read_int(json_array_get(values, i + 3)),
		};
		x = node.start + node.total;
		if (node.name >= flame->name_count)
			return err_set(err, ERR_INVALID, "flame graph: a bar has no name");
		if (!is_root && !find_parent(flame, &at, end, node.start, node.total))
			return err_set(err, ERR_INVALID, "flame graph: a bar lies outside its parent");
		node.parent = is_root ? 0 : (uint32_t)at;
		int rc = add_node(arena, flame, node, err);
		if (rc)
			return rc;
	}
	return 0;
}

int flame_parse(const json_t *graph, struct arena *arena, struct flame *ret, struct err *err)
{
	*ret = (struct flame){.total = read_int(json_object_get(graph, "total"))};
	int rc = read_names(graph, arena, ret, err);
	const json_t *levels = json_object_get(graph, "levels");
	size_t above = 0;
	for (size_t i = 0; !rc && i < json_array_size(levels); i++) {
		size_t begin = ret->node_count;
		rc = read_level(json_object_get(json_array_get(levels, i), "values"), above, i == 0,
				arena, ret, err);
		above = begin;
	}
	return rc;
}

/* The path's names go through a stack of our own: a hostile graph may be a million levels deep. */
static void print_path(const struct flame *flame, uint32_t node, uint32_t *path, FILE *out)
{
	size_t depth = 0;
	for (; node != 0; node = flame->nodes[node].parent)
		path[depth++] = flame->nodes[node].name;
	while (depth-- > 0)
		fprintf(out, "%.*s%s", STR_ARG(flame->names[path[depth]]), depth ? ";" : "");
}

int flame_print_folded(const struct flame *flame, struct arena *arena, FILE *out, struct err *err)
{
	uint32_t *path = arena_zalloc(arena, flame->node_count + 1, sizeof(*path));
	if (!path)
		return err_set(err, ERR_NOMEM, "folded stacks: no memory");
	for (size_t i = 1; i < flame->node_count; i++) {
		if (flame->nodes[i].self <= 0)
			continue;
		print_path(flame, (uint32_t)i, path, out);
		fprintf(out, " %lld\n", (long long)flame->nodes[i].self);
	}
	return 0;
}

struct top_row {
	uint32_t name;
	int64_t self, total;
};

static bool named_above(const struct flame *flame, size_t node)
{
	uint32_t name = flame->nodes[node].name;
	for (uint32_t up = flame->nodes[node].parent; up != 0; up = flame->nodes[up].parent)
		if (flame->nodes[up].name == name)
			return true;
	return false;
}

static int by_self(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	return x->total != y->total ? (x->total < y->total ? 1 : -1) : 0;
}

static void print_amount(FILE *out, int64_t amount, struct str unit)
{
	double value = (double)amount;
	if (str_equal(unit, STR("nanoseconds")))
		fprintf(out, value >= 1e9 ? "%8.2f s " : "%8.1f ms", value / (value >= 1e9 ? 1e9 : 1e6));
	else
		fprintf(out, "%11.0f", value);
}

int flame_print_top(const struct flame *flame, struct arena *arena, struct str unit, size_t rows,
		    FILE *out, struct err *err)
{
	struct top_row *top = arena_zalloc(arena, flame->name_count + 1, sizeof(*top));
	if (!top)
		return err_set(err, ERR_NOMEM, "top table: no memory");
	for (size_t i = 0; i < flame->name_count; i++)
		top[i].name = (uint32_t)i;
	for (size_t i = 1; i < flame->node_count; i++) {
		const struct flame_node *n = &flame->nodes[i];
		top[n->name].self += n->self;
		if (!named_above(flame, i)) /* recursion counts once */
			top[n->name].total += n->total;
	}
	qsort(top, flame->name_count, sizeof(*top), by_self);
	fprintf(out, "%11s %7s %11s %7s  %s\n", "self", "", "total", "", "function");
	double whole = flame->total > 0 ? (double)flame->total : 1;
	for (size_t i = 0; i < flame->name_count && i < rows && top[i].total > 0; i++) {
		print_amount(out, top[i].self, unit);
		fprintf(out, " %6.2f%% ", 100 * (double)top[i].self / whole);
		print_amount(out, top[i].total, unit);
		fprintf(out, " %6.2f%%  %.*s\n", 100 * (double)top[i].total / whole,
			STR_ARG(flame->names[top[i].name]));
	}
	return 0;
}
