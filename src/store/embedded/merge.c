/* The sum of values per stack: one array addition per sample. Rows stand
 * sorted by stack, so additions of one stack come together and stay in cache. */
#include "store/embedded/answer.h"

static int add_all(struct sums *sums, const int64_t *nodes, const int64_t *values, size_t count,
		   struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < count;) {
		int64_t node = nodes[i];
		uint64_t sum = 0;
		for (; i < count && nodes[i] == node; i++)
			sum += (uint64_t)values[i];
		rc = sums_add(sums, (uint64_t)node, (int64_t)sum, err);
	}
	return rc;
}

static uint64_t sum_of(const int64_t *values, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += (uint64_t)values[i];
	return sum;
}

/* Where equal stacks stand in runs, as they do in all but the smallest blocks: a sum for each run, and a
 * product where all values are one, as those of CPU profiles are. */
static int add_runs(struct scan *scan, struct sums *sums, struct column_runs *nodes,
		    struct err *err)
{
	struct column_runs flat;
	const int64_t *values = NULL;
	int64_t node, value = 0;
	size_t count, at = 0, all = 0;
	bool one = block_column_runs(&scan->block, BLOCK_VALUE, &flat) && flat.constant &&
		   column_runs_next(&flat, &value, &all) && column_runs_whole(&flat);
	int rc = one ? 0 : scan_column(scan, BLOCK_VALUE, &values, err);
	for (; !rc && column_runs_next(nodes, &node, &count); at += count) {
		uint64_t sum = one ? (uint64_t)value * count : sum_of(values + at, count);
		rc = sums_add(sums, (uint64_t)node, (int64_t)sum, err);
	}
	return rc ? rc : block_column_runs_check(nodes, BLOCK_NODE, err);
}

static int add_block(struct scan *scan, void *context, struct err *err)
{
	struct sums *sums = context;
	const int64_t *nodes, *values;
	struct column_runs runs;
	if (scan->all && block_column_runs(&scan->block, BLOCK_NODE, &runs))
		return add_runs(scan, sums, &runs, err);
	int rc = scan_column(scan, BLOCK_NODE, &nodes, err);
	rc = rc ? rc : scan_column(scan, BLOCK_VALUE, &values, err);
	if (!rc && scan->all)
		return add_all(sums, nodes, values, scan->block.count, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->rows[i];
		rc = sums_add(sums, (uint64_t)nodes[row], values[row], err);
	}
	return rc;
}

static int fork_sums(const void *context, struct query *query, void **ret, struct err *err)
{
	struct sums *sums = query_alloc(query, 1, sizeof(*sums), err);
	(void)context;
	*ret = sums;
	return sums ? sums_init(sums, query, query->counters.node, SUMS_PAGE, err) : ERR_LIMIT;
}

static int absorb_sums(void *context, void *forked, struct err *err)
{
	return sums_absorb(context, forked, err);
}

int answer_merge(struct query *query, struct arena *arena, struct store_tree *ret, struct err *err)
{
	struct sums sums;
	roaring_bitmap_t *series;
	struct scan_job job = {
		.borders = {query->selection->start_ns, query->selection->end_ns, 0, 0},
		.visit = add_block,
		.context = &sums,
		.fork = fork_sums,
		.absorb = absorb_sums,
	};
	int rc = sums_init(&sums, query, query->counters.node, SUMS_PAGE, err);
	rc = rc ? rc : select_series(query, &series, err);
	if (rc)
		return rc;
	rc = scan_series(query, series, &job, err);
	roaring_bitmap_free(series);
	return rc ? rc : tree_build(query, &sums, arena, ret, err);
}
