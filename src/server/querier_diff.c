/* Diff: two selections over each other. Whatever is wrong with either is the
 * caller's mistake (invalid_argument), as clients expect; only what has to do
 * with the server's state keeps its code. */
#include "server/querier_private.h"

#include <stdlib.h>

#include "server/flame_reply.h"
#include "server/pbjson.h"
#include "server/stack_ask.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the answer");
}

static int read_side(const struct api_call *call,
		     const Querier__V1__SelectMergeStacktracesRequest *in, const char *side,
		     struct stack_ask *ask, struct query_tree *ret, struct err *err)
{
	if (!in)
		return err_set(err, ERR_INVALID, "%s is missing", side);
	int rc = stack_ask_read(call, in, call->api->limits->flame_nodes_default, ask, err);
	rc = rc ? rc : stack_ask_tree(call, ask, ret, err);
	return rc ? err_wrap(err, "%s", side) : 0;
}

/* ---- functions ---- */

struct row {
	struct str name;
	int64_t self[2], total[2];
};

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return str_compare(x->name, y->name);
}

/* The larger share of either side first. */
static double weight(const struct row *row, const int64_t totals[2])
{
	double left = totals[0] ? (double)row->total[0] / (double)totals[0] : 0;
	double right = totals[1] ? (double)row->total[1] / (double)totals[1] : 0;
	return left > right ? left : right;
}

static int by_weight(const void *a, const void *b, void *totals)
{
	double x = weight(a, totals), y = weight(b, totals);
	if (x != y)
		return x > y ? -1 : 1;
	return by_name(a, b);
}

static int join_rows(struct arena *arena, const struct query_tree trees[2], struct row **ret,
		     size_t *ret_count, struct err *err)
{
	struct query_function *rows[2] = {NULL};
	size_t counts[2] = {0}, count = 0, kept = 0;
	for (unsigned side = 0; side < 2; side++) {
		int rc = query_top(arena, &trees[side], &rows[side], &counts[side], err);
		if (rc)
			return rc;
	}
	struct row *all = arena_zalloc(arena, counts[0] + counts[1] + 1, sizeof(*all));
	if (!all)
		return no_memory(err);
	for (unsigned side = 0; side < 2; side++)
		for (size_t i = 0; i < counts[side]; i++, count++) {
			all[count].name = rows[side][i].name;
			all[count].self[side] = rows[side][i].self;
			all[count].total[side] = rows[side][i].total;
		}
	qsort(all, count, sizeof(*all), by_name);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !str_equal(all[kept - 1].name, all[i].name)) {
			all[kept++] = all[i];
			continue;
		}
		for (unsigned side = 0; side < 2; side++) {
			all[kept - 1].self[side] += all[i].self[side];
			all[kept - 1].total[side] += all[i].total[side];
		}
	}
	*ret = all;
	*ret_count = kept;
	return 0;
}

static int fill_rows(struct arena *arena, const struct row *rows, size_t count,
		     Querier__V1__FunctionTableDiff *out, struct err *err)
{
	Querier__V1__FunctionRowDiff *all = arena_zalloc(arena, count + 1, sizeof(*all));
	out->functions = arena_zalloc(arena, count + 1, sizeof(void *));
	if (!all || !out->functions)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		querier__v1__function_row_diff__init(&all[i]);
		all[i].name = api_text(arena, rows[i].name);
		all[i].left_self = rows[i].self[0];
		all[i].left_total = rows[i].total[0];
		all[i].right_self = rows[i].self[1];
		all[i].right_total = rows[i].total[1];
		out->functions[i] = &all[i];
		if (!all[i].name)
			return no_memory(err);
	}
	out->n_functions = count;
	return 0;
}

static int diff_functions(const struct api_call *call, const Querier__V1__DiffRequest *in,
			  const struct query_tree trees[2], Querier__V1__DiffResponse *out,
			  struct err *err)
{
	int64_t totals[2] = {trees[0].nodes[0].total, trees[1].nodes[0].total};
	uint64_t limit;
	struct row *rows = NULL;
	size_t count = 0;
	out->functions = (Querier__V1__FunctionTableDiff *)
		pbmsg_new(call->arena, &querier__v1__function_table_diff__descriptor);
	if (!out->functions)
		return no_memory(err);
	out->functions->left_total = totals[0];
	out->functions->right_total = totals[1];
	int rc = stack_ask_nodes(call, in->max_nodes_set_case ? in->max_nodes : 0, 0, &limit, err);
	rc = rc ? rc : join_rows(call->arena, trees, &rows, &count, err);
	if (rc)
		return rc;
	qsort_r(rows, count, sizeof(*rows), by_weight, totals);
	if (limit > 0 && limit < count)
		count = (size_t)limit;
	return fill_rows(call->arena, rows, count, out->functions, err);
}

/* ---- the method ---- */

static int diff(const struct api_call *call, const Querier__V1__DiffRequest *in,
		Querier__V1__DiffResponse *out, struct err *err)
{
	struct stack_ask left, right;
	struct query_tree trees[2];
	struct query_diff diff;
	int format = (int)in->format;
	if (format > QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FLAMEGRAPH &&
	    format != QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FUNCTIONS)
		return err_set(err, ERR_UNSUPPORTED, "format %d is not there for Diff", format);
	int rc = read_side(call, in->left, "left", &left, &trees[0], err);
	rc = rc ? rc : read_side(call, in->right, "right", &right, &trees[1], err);
	if (rc == 0 && !str_equal(left.type.id, right.type.id))
		rc = err_set(err, ERR_INVALID, "left and right must have the same profile type");
	if (rc)
		return rc;
	if (format == QUERIER__V1__PROFILE_FORMAT__PROFILE_FORMAT_FUNCTIONS)
		return diff_functions(call, in, trees, out, err);
	uint64_t nodes = left.max_nodes > right.max_nodes ? left.max_nodes : right.max_nodes;
	rc = query_diff_encode(call->arena, &trees[0], &trees[1], nodes, &diff, err);
	return rc ? rc : flame_reply_diff(call->arena, &diff, &out->flamegraph, err);
}

int querier_diff(const struct api_call *call, const ProtobufCMessage *message,
		 ProtobufCMessage *response, struct err *err)
{
	return diff(call, (const void *)message, (void *)response, err);
}
