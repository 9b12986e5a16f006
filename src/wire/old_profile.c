/* One profile of an older layout becomes one for each of its sample types. They
 * share stacks, attributes and timestamps.
 *
 * Values and timestamps. A sample has one value for each sample type, the sum of
 * its events, and the times of the events. But profilers of that age wrote 1
 * whatever the number of timestamps, or, for off-CPU time, a value for each
 * timestamp. So of a sample type's value v and n timestamps:
 *
 *	n values, one sample type     a value for each timestamp
 *	v is 1 or n                   n events that count 1
 *	else                          one event of v at the first timestamp
 *
 * In all of them the total is what the sender counted, and it is counted once. */
#include <stdio.h>

#include "wire/json.h"
#include "wire/old.h"

/* The stack that was last made of a slice that starts here. */
struct slice {
	uint32_t length, stack;
};

struct old_job {
	struct decoder *dec;
	struct profile_scope *scope;
	const struct old_tables *tables;
	struct old_tables own; /* A, B */
	struct old_profile *raw;
	/* location_indices as indices of the batch */
	const uint32_t *locations;
	uint32_t location_count;
	struct slice *slices; /* one for each */
	size_t first;	      /* in the scope */
	uint32_t types;	      /* at least 1 */
	bool bad;
	char why[160];
};

enum { REJECTED = 1 }; /* not an error code */

static int reject(struct old_job *job, const char *what, uint64_t a, uint64_t b)
{
	job->bad = true;
	snprintf(job->why, sizeof(job->why), "%s: %llu, %llu", what, (unsigned long long)a,
		 (unsigned long long)b);
	return REJECTED;
}

/* ---- stacks ---- */

/* Slices may lie over each other, so that a few bytes could ask for endless work. */
static int charge(struct decoder *dec, uint64_t length, struct err *err)
{
	if (length > dec->overlap)
		return err_set(err, ERR_LIMIT,
			       "the stacks of samples lie over each other by more than %llu "
			       "location indices",
			       (unsigned long long)dec->limits->rows);
	dec->overlap -= length;
	return 0;
}

static int slice_stack(struct old_job *job, const struct old_sample *sample, uint32_t *ret,
		       struct err *err)
{
	uint64_t start = sample->start, length = sample->length;
	struct slice *slice;
	int rc;

	if (start > job->location_count || length > job->location_count - start)
		return reject(job,
			      "a stack outside location_indices (locations_start_index, _length)",
			      start, length);
	slice = &job->slices[start];
	if (slice->length != length) {
		rc = charge(job->dec, length, err);
		rc = rc ? rc
			: profile_stack(job->dec->batch, job->locations + start, (uint32_t)length,
					&slice->stack, err);
		if (rc)
			return rc;
		slice->length = (uint32_t)length;
	}
	*ret = slice->stack;
	return 0;
}

static void to_batch(const struct old_map *map, struct index_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		list->items[i] = old_index(map, list->items[i]);
}

static int find_stack(struct old_job *job, struct old_sample *sample, uint32_t *ret,
		      struct err *err)
{
	*ret = 0;
	if (sample->length > 0)
		return slice_stack(job, sample, ret, err);
	if (sample->locations.count == 0)
		return 0;
	to_batch(&job->tables->locations, &sample->locations);
	return profile_stack(job->dec->batch, sample->locations.items, sample->locations.count, ret,
			     err);
}

/* ---- attributes ---- */

/* A label (1.3) is an attribute of text, or a number with a unit. */
static int add_label(struct old_job *job, struct index_list *attrs, const struct old_label *label,
		     struct err *err)
{
	const struct profile_dict *dict = &job->dec->batch->dict;
	const struct old_map *strings = &job->tables->strings;
	struct str key = profile_str(dict, old_index(strings, label->key));
	struct str unit = profile_str(dict, old_index(strings, label->unit));
	struct value value = {.kind = VALUE_INT, .number = (int64_t)label->number};

	if (key.len == 0)
		return reject(job, "a label without a key (key, str)", label->key, label->text);
	if (label->text)
		value = (struct value){.kind = VALUE_STRING,
				       .text = profile_str(dict, old_index(strings, label->text))};
	return old_attr_add(job->dec, attrs, key, &value, label->text ? STR("") : unit, err);
}

static int sample_attrs(struct old_job *job, struct old_sample *sample, struct err *err)
{
	const struct old_label *labels = sample->labels.items;
	int rc = old_attrs(job->dec, job->tables, &sample->attrs, sample->labels.count, err);

	for (uint32_t i = 0; i < sample->labels.count && !rc; i++)
		rc = add_label(job, &sample->attrs, &labels[i], err);
	return rc;
}

static struct value name_list(struct old_job *job, const struct index_list *names, struct buf *out)
{
	const struct profile_dict *dict = &job->dec->batch->dict;

	for (uint32_t i = 0; i < names->count; i++) {
		buf_char(out, i ? ',' : '[');
		json_put_text(out,
			      profile_str(dict, old_index(&job->tables->strings, names->items[i])));
	}
	buf_char(out, ']');
	return (struct value){.kind = VALUE_OTHER, .text = buf_text(out)};
}

static int comment_attr(struct old_job *job, struct index_list *attrs, struct err *err)
{
	const struct index_list *comments = &job->raw->comments;
	struct value value;
	struct buf text;
	int rc;

	if (comments->count == 0)
		return 0;
	buf_init(&text, job->dec->limits->message_bytes);
	value = name_list(job, comments, &text);
	rc = buf_check(&text, "comments of a profile", err);
	rc = rc ? rc
		: old_attr_add(job->dec, attrs, STR("pprof.profile.comment"), &value, STR(""), err);
	buf_deinit(&text);
	return rc;
}

static int string_attr(struct old_job *job, struct index_list *attrs, struct str key,
		       uint64_t string, struct err *err)
{
	struct value value = {.kind = VALUE_STRING};

	if (string == 0)
		return 0;
	value.text = profile_str(&job->dec->batch->dict, old_index(&job->tables->strings, string));
	return value.text.len ? old_attr_add(job->dec, attrs, key, &value, STR(""), err) : 0;
}

static int profile_attrs(struct old_job *job, struct err *err)
{
	enum { EXTRA = 3 };
	struct old_profile *raw = job->raw;
	const struct key_value *pairs = raw->pairs.items;
	int rc = old_attrs(job->dec, job->tables, &raw->attrs, raw->pairs.count + EXTRA, err);

	for (uint32_t i = 0; i < raw->pairs.count && !rc; i++)
		if (pairs[i].key.len > 0)
			rc = old_attr_add(job->dec, &raw->attrs, pairs[i].key, &pairs[i].value,
					  STR(""), err);
	rc = rc ? rc : comment_attr(job, &raw->attrs, err);
	rc = rc ? rc
		: string_attr(job, &raw->attrs, STR("pprof.profile.drop_frames"), raw->drop_frames,
			      err);
	return rc ? rc
		  : string_attr(job, &raw->attrs, STR("pprof.profile.keep_frames"),
				raw->keep_frames, err);
}

/* ---- samples ---- */

/* What the sample says of one sample type; see the head of this file. */
static void set_events(struct profile_sample *row, const struct old_sample *sample, uint32_t types,
		       uint32_t type)
{
	uint32_t values = types > 1 ? 1 : sample->values.count;

	row->values = values ? (int64_t *)sample->values.items + type : NULL;
	row->times_ns = sample->times.items;
	row->time_count = sample->times.count;
	if (values == 1 && row->time_count > 0) {
		if (row->values[0] == 1 || row->values[0] == (int64_t)row->time_count)
			values = 0;
		else
			row->time_count = 1;
	}
	row->value_count = values;
	row->value_cap = values;
	row->time_cap = row->time_count;
}

static uint32_t link_of(const struct old_job *job, const struct old_sample *sample)
{
	return sample->link.set ? old_index(&job->tables->links, sample->link.value) : 0;
}

static int take_sample(struct old_job *job, struct old_sample *sample, struct err *err)
{
	struct profile_sample row = {.link = link_of(job, sample)};
	struct profile *profiles = &job->scope->profiles[job->first];
	int rc;

	if (job->types > 1 && sample->values.count != job->types)
		return reject(job, "a sample has not a value for each sample type (values, types)",
			      sample->values.count, job->types);
	rc = find_stack(job, sample, &row.stack, err);
	rc = rc ? rc : sample_attrs(job, sample, err);
	if (rc)
		return rc;
	row.attrs = sample->attrs.items;
	row.attr_count = row.attr_cap = sample->attrs.count;
	for (uint32_t i = 0; i < job->types; i++) {
		set_events(&row, sample, job->types, i);
		profiles[i].samples[profiles[i].sample_count++] = row;
	}
	return 0;
}

/* ---- the profile ---- */

static struct value_type type_of(const struct old_job *job, const struct old_value_type *raw)
{
	return (struct value_type){old_index(&job->tables->strings, raw->type),
				   old_index(&job->tables->strings, raw->unit)};
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static void fill_profile(const struct old_job *job, struct profile *profile)
{
	const struct old_profile *raw = job->raw;

	profile->period = (int64_t)raw->period;
	if (raw->period_type.type || raw->period_type.unit)
		profile->period_type = type_of(job, &raw->period_type);
	profile->time_ns = raw->time_ns ? raw->time_ns : raw->start_ns;
	profile->duration_ns = raw->duration_ns;
	if (!raw->duration_ns && raw->end_ns > raw->start_ns)
		profile->duration_ns = raw->end_ns - raw->start_ns;
	profile->has_profile_id = !is_zero(raw->profile_id, sizeof(raw->profile_id));
	memcpy(profile->profile_id, raw->profile_id, sizeof(raw->profile_id));
	profile->dropped_attributes = (uint32_t)raw->dropped_attributes;
	profile->original_format = raw->original_format;
	profile->original_payload = raw->original_payload;
	profile->attrs = raw->attrs.items;
	profile->attr_count = raw->attrs.count;
}

/* The part of the first one was counted by the caller. */
static int add_profiles(struct old_job *job, struct err *err)
{
	const struct old_value_type *types = job->raw->sample_types.items;
	int rc = 0;

	for (uint32_t i = 0; i < job->types && !rc; i++) {
		struct profile *profile;
		rc = i > 0 ? decoder_part(job->dec, err) : 0;
		rc = rc ? rc : profile_add(job->dec->batch, job->scope, &profile, err);
		rc = rc ? rc
			: decoder_samples(job->dec, job->raw->samples.count, &profile->samples,
					  err);
		if (rc)
			break;
		profile->sample_cap = job->raw->samples.count;
		fill_profile(job, profile);
		if (types)
			profile->sample_type = type_of(job, &types[i]);
	}
	return rc;
}

/* The locations that slices are of: location_indices; in 1.3, whose text says both, in their absence the
 * profile's own table. */
static int prepare_slices(struct old_job *job, struct err *err)
{
	struct index_list *list = &job->raw->locations;
	const struct old_map *locations = &job->tables->locations;

	bool table = list->count == 0 && !job->dec->old->request;

	to_batch(locations, list);
	job->locations = table ? locations->to : list->items;
	job->location_count = table ? locations->count : list->count;
	job->dec->overlap += job->location_count;
	job->slices = arena_zalloc(job->dec->arena, (size_t)job->location_count + 1,
				   sizeof(*job->slices));
	return job->slices ? 0 : decoder_no_memory(err);
}

static int prepare(struct old_job *job, struct err *err)
{
	struct decoder *dec = job->dec;
	int rc = 0;

	if (!dec->old->request) {
		job->tables = &job->own;
		rc = old_tables_make(dec, &job->raw->dict, dec->old->first_mapping, &job->own, err);
	}
	/* Said before room is made for what cannot be there. */
	if (!rc && job->types > 1 && job->raw->samples.count > job->raw->samples.size / job->types)
		return reject(job,
			      "not every sample has a value for each sample type (samples, types)",
			      job->raw->samples.count, job->types);
	rc = rc ? rc : prepare_slices(job, err);
	rc = rc ? rc : profile_attrs(job, err);
	return rc ? rc : add_profiles(job, err);
}

int old_profile_add(struct decoder *dec, struct profile_scope *scope, struct old_profile *raw,
		    old_each_fn *each, void *user, struct err *err)
{
	struct old_job job = {.dec = dec,
			      .scope = scope,
			      .tables = dec->old_tables,
			      .raw = raw,
			      .first = scope->profile_count,
			      .types = raw->sample_types.count ? raw->sample_types.count : 1};
	int rc = prepare(&job, err);

	if (!rc && raw->samples.count > 0)
		rc = each(user, &raw->samples, take_sample, &job, err);
	if (!job.bad)
		return rc;
	scope->profile_count = job.first;
	decoder_reject(dec, raw->samples.count, job.why);
	return 0;
}
