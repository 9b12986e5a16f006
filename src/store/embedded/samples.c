/* From the rows of a request to encoded blocks: dictionary ids first, then each
 * series cut at hours and every hour sorted by (stack, time), so that equal
 * stacks stand together. */
#include <stdint.h>
#include <stdlib.h>

#include "store/embedded/build.h"
#include "store/embedded/times.h"
#include "store/embedded/txn.h"

struct maps {
	uint32_t *frames, *nodes, *strings;
	struct builder builder;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "encoding samples: no memory");
}

static int map_frames(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		      struct maps *maps, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < batch->frame_count; i++)
		rc = dict_frame(txn, tenant, &batch->frames[i], &maps->frames[i], err);
	return rc;
}

static int map_nodes(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		     struct maps *maps, struct err *err)
{
	int rc = 0;
	lookahead_nodes(txn, tenant, batch, maps->frames);
	for (size_t i = 1; !rc && i < batch->node_count; i++)
		rc = dict_node(txn, tenant, maps->nodes[batch->nodes[i].parent],
			       maps->frames[batch->nodes[i].frame], &maps->nodes[i], err);
	return rc;
}

static int map_thread_names(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
			    struct maps *maps, struct err *err)
{
	int rc = 0;
	for (size_t s = 0; s < batch->series_count; s++)
		for (size_t i = 0; !rc && i < batch->series[s].sample_count; i++) {
			uint32_t name = batch->series[s].samples[i].thread_name;
			if (name && !maps->strings[name])
				rc = dict_string(txn, tenant, batch->strings[name],
						 &maps->strings[name], err);
		}
	return rc;
}

static size_t longest_series(const struct store_batch *batch)
{
	size_t most = 0;
	for (size_t i = 0; i < batch->series_count; i++)
		if (batch->series[i].sample_count > most)
			most = batch->series[i].sample_count;
	return most;
}

static int make_maps(struct txn *txn, const struct store_batch *batch, struct maps *maps,
		     struct err *err)
{
	struct arena *a = &txn->arena;
	struct builder *builder = &maps->builder;
	maps->frames = arena_zalloc(a, batch->frame_count + 1, sizeof(uint32_t));
	maps->nodes = arena_zalloc(a, batch->node_count + 1, sizeof(uint32_t));
	maps->strings = arena_zalloc(a, batch->string_count + 1, sizeof(uint32_t));
	if (!maps->frames || !maps->nodes || !maps->strings)
		return no_memory(err);
	int rc = builder_init(builder, a, longest_series(batch), batch->span_count, err);
	builder->nodes = maps->nodes;
	builder->strings = maps->strings;
	builder->spans = batch->spans;
	return rc;
}

/* ---- one block ---- */

static struct txn_block *add_block(struct txn *txn)
{
	struct txn_block *blocks = arena_grow(&txn->arena, txn->blocks, &txn->block_cap,
					      txn->block_count + 1, sizeof(*blocks));
	if (!blocks)
		return NULL;
	txn->blocks = blocks;
	return &blocks[txn->block_count++];
}

static int encode_block(struct txn *txn, struct tenant *tenant, struct builder *builder,
			uint32_t series, const struct sort_row *rows, size_t count, struct err *err)
{
	struct built built;
	struct txn_block *block = add_block(txn);
	int rc = block ? 0 : no_memory(err);
	rc = rc ? rc : builder_encode(builder, rows, count, &txn->encoded, &built, err);
	if (rc)
		return rc;
	*block = (struct txn_block){
		.key = {tenant->id, day_of(built.oldest_ns), series, built.oldest_ns,
			tenant->next.sequence++},
		.offset = built.offset,
		.len = built.len,
		.samples = count,
		.newest_ns = built.newest_ns,
	};
	return series_mark(txn, tenant, series, built.oldest_ns, built.columns, err);
}

/* ---- one series ---- */

static int compare_times(const void *a, const void *b)
{
	const struct sort_row *x = a, *y = b;
	uint64_t s = x->sample->time_ns, t = y->sample->time_ns;
	return s < t ? -1 : s > t;
}

/* Requests hold some seconds, so their rows nearly always lie in one hour. */
static void group_hours(struct sort_row *rows, size_t count)
{
	uint32_t first = hour_of(rows[0].sample->time_ns);
	for (size_t i = 1; i < count; i++)
		if (hour_of(rows[i].sample->time_ns) != first) {
			qsort(rows, count, sizeof(*rows), compare_times);
			return;
		}
}

static size_t hour_end(const struct sort_row *rows, size_t start, size_t count)
{
	uint32_t hour = hour_of(rows[start].sample->time_ns);
	size_t end = start + 1;
	while (end < count && hour_of(rows[end].sample->time_ns) == hour)
		end++;
	return end;
}

static int encode_hour(struct txn *txn, struct tenant *tenant, struct builder *builder,
		       uint32_t series, struct sort_row *rows, size_t count, struct err *err)
{
	int rc = 0;
	builder_sort(builder, rows, count);
	for (size_t start = 0, part; !rc && start < count; start += part) {
		part = count - start < ROWS_PER_BLOCK ? count - start : ROWS_PER_BLOCK;
		rc = encode_block(txn, tenant, builder, series, rows + start, part, err);
	}
	return rc;
}

static int encode_series(struct txn *txn, struct tenant *tenant, struct builder *builder,
			 const struct store_series *series, struct err *err)
{
	struct sort_row *rows = builder->rows;
	size_t count = series->sample_count;
	uint32_t id;
	if (count == 0)
		return 0;
	int rc = series_id(txn, tenant, series, &id, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++)
		rows[i].sample = &series->samples[i];
	group_hours(rows, count);
	for (size_t start = 0, end; !rc && start < count; start = end) {
		end = hour_end(rows, start, count);
		rc = encode_hour(txn, tenant, builder, id, rows + start, end - start, err);
	}
	return rc;
}

int samples_encode(struct txn *txn, struct tenant *tenant, const struct store_batch *batch,
		   struct err *err)
{
	struct maps maps = {0};
	int rc = make_maps(txn, batch, &maps, err);
	rc = rc ? rc : map_frames(txn, tenant, batch, &maps, err);
	rc = rc ? rc : map_nodes(txn, tenant, batch, &maps, err);
	rc = rc ? rc : map_thread_names(txn, tenant, batch, &maps, err);
	for (size_t i = 0; !rc && i < batch->series_count; i++)
		rc = encode_series(txn, tenant, &maps.builder, &batch->series[i], err);
	return rc;
}
