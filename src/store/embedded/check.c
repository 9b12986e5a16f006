#include "store/embedded/check.h"

#include <assert.h>
#include <stdint.h>

#include <xxhash.h>

#include "store/embedded/tenant.h"

enum {
	STRING_MAX_BYTES = 1024 * 1024,
	LABELS_MAX = 1024,
	CPU_MAX = 1 << 20,
};

/* Hashed as they lie in memory, so they must have no padding. */
static_assert(sizeof(struct store_sample) == 40, "no padding");
static_assert(sizeof(struct store_node) == 8, "no padding");
static_assert(sizeof(struct store_span) == 24, "no padding");

static int check_text(struct str text, const char *what, struct err *err)
{
	if (text.len > STRING_MAX_BYTES)
		return err_set(err, ERR_INVALID, "%s of %zu bytes: at most %d", what, text.len,
			       STRING_MAX_BYTES);
	return 0;
}

static int check_tables(const struct store_batch *batch, struct err *err)
{
	if (batch->tenant.len == 0 || batch->tenant.len > TENANT_NAME_MAX)
		return err_set(err, ERR_INVALID, "tenant name of %zu bytes: 1 to %d",
			       batch->tenant.len, TENANT_NAME_MAX);
	if (batch->string_count > UINT32_MAX || batch->frame_count > UINT32_MAX ||
	    batch->node_count > UINT32_MAX || batch->span_count >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "a table has 2^32 rows or more");
	if (batch->string_count && batch->strings[0].len)
		return err_set(err, ERR_INVALID, "string 0 is not empty");
	for (size_t i = 0; i < batch->string_count; i++)
		if (check_text(batch->strings[i], "string", err))
			return ERR_INVALID;
	return 0;
}

static int check_frames(const struct store_batch *batch, struct err *err)
{
	for (size_t i = 0; i < batch->frame_count; i++) {
		const struct store_frame *f = &batch->frames[i];
		if (check_text(f->name, "frame name", err) ||
		    check_text(f->system_name, "frame system name", err) ||
		    check_text(f->filename, "frame file name", err) ||
		    check_text(f->kind, "frame kind", err) ||
		    check_text(f->mapping, "mapping name", err) ||
		    check_text(f->build_id, "build id", err))
			return ERR_INVALID;
	}
	return 0;
}

static int check_nodes(const struct store_batch *batch, struct err *err)
{
	for (size_t i = 1; i < batch->node_count; i++) {
		const struct store_node *node = &batch->nodes[i];
		if (node->parent >= i)
			return err_set(err, ERR_INVALID, "node %zu stands before its parent %u", i,
				       node->parent);
		if (node->frame >= batch->frame_count)
			return err_set(err, ERR_INVALID, "node %zu: frame %u of %zu", i,
				       node->frame, batch->frame_count);
	}
	return 0;
}

static int check_labels(const struct store_series *series, size_t index, struct err *err)
{
	if (series->label_count > LABELS_MAX)
		return err_set(err, ERR_INVALID, "series %zu has %zu labels: at most %d", index,
			       series->label_count, LABELS_MAX);
	for (size_t i = 0; i < series->label_count; i++) {
		const struct store_label *label = &series->labels[i];
		if (label->name.len == 0)
			return err_set(err, ERR_INVALID, "series %zu has a label without a name",
				       index);
		if (i && str_compare(series->labels[i - 1].name, label->name) >= 0)
			return err_set(err, ERR_INVALID,
				       "series %zu: label %.*s is out of order or twice", index,
				       STR_ARG(str_sub(label->name, 0, 100)));
		if (check_text(label->name, "label name", err) ||
		    check_text(label->value, "label value", err))
			return ERR_INVALID;
	}
	return 0;
}

static const char *sample_fault(const struct store_batch *batch, const struct store_sample *sample)
{
	if (sample->node >= batch->node_count && sample->node)
		return "its node is not in the batch";
	if (sample->thread_name >= batch->string_count && sample->thread_name)
		return "its thread name is not in the batch";
	if (sample->span > batch->span_count)
		return "its span is not in the batch";
	if (sample->cpu < -1 || sample->cpu > CPU_MAX)
		return "its CPU number is out of range";
	if (sample->time_ns > INT64_MAX)
		return "its time is past the year 2262";
	return NULL;
}

static int check_series(const struct store_batch *batch, size_t index, struct err *err)
{
	const struct store_series *series = &batch->series[index];
	int rc = check_labels(series, index, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < series->sample_count; i++) {
		const char *fault = sample_fault(batch, &series->samples[i]);
		if (fault)
			return err_set(err, ERR_INVALID, "series %zu, sample %zu: %s", index, i,
				       fault);
	}
	return 0;
}

int batch_check(const struct store_batch *batch, struct err *err)
{
	int rc = check_tables(batch, err);
	rc = rc ? rc : check_frames(batch, err);
	rc = rc ? rc : check_nodes(batch, err);
	for (size_t i = 0; !rc && i < batch->series_count; i++)
		rc = check_series(batch, i, err);
	return rc ? err_wrap(err, "profile batch") : 0;
}

size_t batch_sample_count(const struct store_batch *batch)
{
	size_t count = 0;
	for (size_t i = 0; i < batch->series_count; i++)
		count += batch->series[i].sample_count;
	return count;
}

/* ---- hash ---- */

static void add(XXH3_state_t *state, const void *ptr, size_t len)
{
	if (len)
		XXH3_128bits_update(state, ptr, len);
}

/* The length in front, so that "ab","c" differs from "a","bc". */
static void add_str(XXH3_state_t *state, struct str text)
{
	add(state, &text.len, sizeof(text.len));
	add(state, text.ptr, text.len);
}

static void add_rows(XXH3_state_t *state, const void *rows, size_t count, size_t size_bytes)
{
	add(state, &count, sizeof(count));
	add(state, rows, count * size_bytes);
}

static void add_frame(XXH3_state_t *state, const struct store_frame *f)
{
	const uint64_t numbers[] = {f->address, (uint64_t)f->line, (uint64_t)f->start_line};
	add_str(state, f->name);
	add_str(state, f->system_name);
	add_str(state, f->filename);
	add_str(state, f->kind);
	add_str(state, f->mapping);
	add_str(state, f->build_id);
	add(state, numbers, sizeof(numbers));
}

static void add_series(XXH3_state_t *state, const struct store_series *series)
{
	add(state, &series->label_count, sizeof(series->label_count));
	for (size_t i = 0; i < series->label_count; i++) {
		add_str(state, series->labels[i].name);
		add_str(state, series->labels[i].value);
	}
	add_rows(state, series->samples, series->sample_count, sizeof(*series->samples));
}

static void add_batch(XXH3_state_t *state, const struct store_batch *batch)
{
	add_str(state, batch->tenant);
	add_str(state, batch->identity);
	add(state, &batch->string_count, sizeof(batch->string_count));
	for (size_t i = 0; i < batch->string_count; i++)
		add_str(state, batch->strings[i]);
	add(state, &batch->frame_count, sizeof(batch->frame_count));
	for (size_t i = 0; i < batch->frame_count; i++)
		add_frame(state, &batch->frames[i]);
	add_rows(state, batch->nodes, batch->node_count, sizeof(*batch->nodes));
	add_rows(state, batch->spans, batch->span_count, sizeof(*batch->spans));
	add(state, &batch->series_count, sizeof(batch->series_count));
	for (size_t i = 0; i < batch->series_count; i++)
		add_series(state, &batch->series[i]);
}

int batch_hash(const struct store_batch *batch, uint64_t seed, struct hash128 *ret, struct err *err)
{
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return err_set(err, ERR_NOMEM, "profile batch: no memory for its hash");
	XXH3_128bits_reset_withSeed(state, seed);
	add_batch(state, batch);
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	*ret = (struct hash128){hash.high64, hash.low64};
	return 0;
}
