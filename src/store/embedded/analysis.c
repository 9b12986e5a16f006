/* What a question would read, and what a tenant has at all. */
#include "store/embedded/answer.h"
#include "store/embedded/tenant.h"

static int count_block(struct scan *scan, void *context, struct err *err)
{
	struct store_analysis *analysis = context;
	(void)err;
	analysis->blocks++;
	analysis->samples += scan->row_count;
	analysis->bytes += scan->block_bytes;
	return 0;
}

static int fork_analysis(const void *context, struct query *query, void **ret, struct err *err)
{
	(void)context;
	*ret = query_alloc(query, 1, sizeof(struct store_analysis), err);
	return *ret ? 0 : ERR_LIMIT;
}

static int absorb_analysis(void *context, void *forked, struct err *err)
{
	struct store_analysis *to = context;
	const struct store_analysis *from = forked;
	(void)err;
	to->blocks += from->blocks;
	to->samples += from->samples;
	to->bytes += from->bytes;
	return 0;
}

int answer_analysis(struct query *query, struct store_analysis *ret, struct err *err)
{
	roaring_bitmap_t *series;
	unsigned columns;
	*ret = (struct store_analysis){0};
	struct scan_job job = {
		.borders = {query->selection->start_ns, query->selection->end_ns, 0, 0},
		.raw = true, /* sums are not samples */
		.visit = count_block,
		.context = ret,
		.fork = fork_analysis,
		.absorb = absorb_analysis,
	};
	int rc = select_active(query, &series, &columns, err);
	if (rc)
		return rc;
	ret->series = roaring_bitmap_get_cardinality(series);
	rc = scan_series(query, series, &job, err);
	roaring_bitmap_free(series);
	return rc;
}

int answer_extent(struct query *query, struct store_extent *ret, struct err *err)
{
	struct key from = key_meta_tenant(META_DAY, query->tenant), to = key_after(&from);
	struct rocks_iter iter;
	int rc = 0;
	*ret = (struct store_extent){0};
	if (!query->tenant)
		return 0;
	rocks_iter_open(&query->view, FAMILY_META, &from, &to, false, &iter);
	for (; !rc && rocks_iter_valid(&iter); rocks_iter_next(&iter)) {
		struct day_stats day;
		rc = day_decode(rocks_iter_value(&iter), &day, err);
		if (rc || day.samples == 0)
			continue;
		if (ret->oldest_ns == 0 || day.oldest_ns < ret->oldest_ns)
			ret->oldest_ns = day.oldest_ns;
		if (day.newest_ns > ret->newest_ns)
			ret->newest_ns = day.newest_ns;
	}
	rc = rc ? rc : rocks_iter_check(&iter, err);
	rocks_iter_close(&iter);
	return rc;
}
