/* Walks resource → scope → profile → sample. What is the same for all samples of
 * a profile is worked out once: its type, and the series of each set of sample
 * attributes that are no columns (mostly the empty set). */
#include "server/ingest_convert.h"

#include <string.h>

#include "server/ingest_admit.h"
#include "server/ingest_columns.h"
#include "server/ingest_frames.h"
#include "server/ingest_series.h"

enum { GROUPS_MAX = 1 << 20 };

struct converter {
	const struct ingest_config *config;
	enum ingest_naming naming;
	const struct profile_dict *dict;
	struct arena *arena;
	uint64_t now_ns;
	uint64_t rests; /* hash of what was cut off times */
	struct frames *frames;
	struct columns columns;
	struct series_set series;
	struct ingest_result *result;
	/* Label attributes of the sample at work. */
	uint32_t *label_attrs;
	size_t label_attr_cap;
};

/* Where the samples of one set of attributes go. */
struct group {
	int64_t series;
	enum discard reason;
	uint64_t usage; /* usage groups, as bits */
};

/* One profile at work. */
struct job {
	const struct profile *profile;
	const struct relabel_labels *base;
	const struct column_values *resource_columns;
	struct profile_type type;
	uint64_t time_ns;
	struct strtab *groups_by_attrs; /* attribute indices as bytes; id 0 is the empty set */
	struct group *groups;
	size_t group_count, group_cap;
	uint64_t stored, refused; /* events */
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to convert a request");
}

/* ---- what is not stored ---- */

static void note_reason(struct converter *c, const char *why)
{
	if (c->result->reason[0] == '\0')
		str_copy(c->result->reason, sizeof(c->result->reason), str_of(why));
}

static void discard(struct converter *c, struct job *job, enum discard reason, uint64_t events)
{
	if (events == 0)
		return;
	discard_count(reason, events);
	if (reason == DISCARD_RELABEL || reason == DISCARD_SAMPLING)
		return;
	job->refused += events;
	c->result->rejected_samples += events;
	note_reason(c, discard_reason(reason));
}

static uint64_t event_count(const struct profile_sample *sample)
{
	return sample->time_count > sample->value_count ? sample->time_count : sample->value_count;
}

static void discard_profile(struct converter *c, const struct profile *profile, enum discard reason,
			    const char *why)
{
	uint64_t events;

	profile_total(profile, &events);
	discard_count(reason, events);
	c->result->rejected_profiles++;
	c->result->rejected_samples += events;
	note_reason(c, why);
}

/* ---- groups ---- */

/* pprof's labels with numbers (the size of an object, a request's number) would make a series each. */
static bool is_measure(const struct converter *c, uint32_t attr)
{
	return c->naming == INGEST_LABELS && c->dict->attributes[attr].value.kind == VALUE_INT;
}

/* The sample's attributes: columns are taken into values, the others listed. */
static int sort_attrs(struct converter *c, const struct profile_sample *sample,
		      struct column_values *values, uint32_t *ret_label_count, struct err *err)
{
	uint32_t count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < sample->attr_count && !rc; i++) {
		uint32_t attr = sample->attrs[i];
		enum column column = columns_kind(&c->columns, attr);
		if (column != COLUMN_NONE) {
			rc = columns_take(&c->columns, column, &c->dict->attributes[attr].value,
					  values, err);
			continue;
		}
		if (is_measure(c, attr))
			continue;
		uint32_t *grown = arena_grow(c->arena, c->label_attrs, &c->label_attr_cap,
					     count + (size_t)1, sizeof(*grown));
		if (!grown)
			return no_memory(err);
		c->label_attrs = grown;
		grown[count++] = attr;
	}
	*ret_label_count = count;
	return rc;
}

/* The same profile again (a retry) is decided the same. */
static bool is_sampled(const struct job *job, const struct group *group, double probability)
{
	const struct profile *profile = job->profile;
	struct {
		uint64_t time_ns, samples, series;
		uint8_t id[16];
	} what = {profile->time_ns, profile->sample_count, (uint64_t)group->series, {0}};

	memcpy(what.id, profile->profile_id, sizeof(what.id));
	return (double)str_hash(str_make(&what, sizeof(what))) < probability * (double)UINT64_MAX;
}

/* Quotas and sampling of usage groups. */
static void use_groups(const struct converter *c, const struct job *job, struct group *group)
{
	const struct usage_match *usage = &c->series.usage;

	group->usage = usage->groups;
	if (group->series == SERIES_DISCARDED)
		return;
	if (usage->refused)
		group->reason = DISCARD_QUOTA;
	else if (usage->probability < 1 && !is_sampled(job, group, usage->probability))
		group->reason = DISCARD_SAMPLING;
	if (group->reason != DISCARDS)
		group->series = SERIES_DISCARDED;
}

static void count_usage(struct converter *c, const struct group *group, uint64_t stored,
			uint64_t discarded)
{
	struct relabel_labels labels = {.arena = c->arena};

	if (!c->config->tally)
		return;
	if (group->series != SERIES_DISCARDED) {
		const struct series *series = &c->series.list[group->series];
		labels.items = (struct store_label *)series->labels;
		labels.count = series->label_count;
	}
	usage_tally_add(c->config->tally, group->usage, &labels, stored, discarded);
}

static int new_group(struct converter *c, struct job *job, uint32_t label_count, struct err *err)
{
	struct group *grown = arena_grow(c->arena, job->groups, &job->group_cap,
					 job->group_count + 1, sizeof(*grown));
	struct group group;
	int rc;

	if (!grown)
		return no_memory(err);
	job->groups = grown;
	rc = series_find(&c->series, job->base, c->dict, c->label_attrs, label_count, &job->type,
			 &group.series, &group.reason, err);
	if (rc)
		return rc;
	use_groups(c, job, &group);
	grown[job->group_count++] = group;
	return 0;
}

/* The group of the attributes just sorted. Group 0 is that of none, made first. */
static int find_group(struct converter *c, struct job *job, uint32_t label_count,
		      const struct group **ret, struct err *err)
{
	uint32_t id = 0;
	int rc = 0;

	if (job->group_count == 0)
		rc = new_group(c, job, 0, err);
	if (!rc && label_count > 0) {
		if (!job->groups_by_attrs)
			rc = strtab_create(c->arena, GROUPS_MAX, &job->groups_by_attrs, err);
		rc = rc ? rc
			: strtab_intern(job->groups_by_attrs,
					str_make(c->label_attrs, label_count * sizeof(uint32_t)),
					&id, err);
		if (!rc && id >= job->group_count)
			rc = new_group(c, job, label_count, err);
	}
	if (!rc)
		*ret = &job->groups[id];
	return rc;
}

/* ---- samples ---- */

static int64_t scaled(int64_t value, int64_t scale)
{
	int64_t product;

	return __builtin_mul_overflow(value, scale, &product) ? INT64_MAX : product;
}

static bool in_window(const struct converter *c, uint64_t time_ns)
{
	const struct ingest_config *config = c->config;

	if (config->reject_newer_ns && time_ns > c->now_ns &&
	    time_ns - c->now_ns > config->reject_newer_ns)
		return false;
	return !config->reject_older_ns || time_ns >= c->now_ns ||
	       c->now_ns - time_ns <= config->reject_older_ns;
}

/* What is cut off counts for the batch's identity: two requests of the same stacks within a millisecond are
 * no retry of each other. */
static void round_time(struct converter *c, struct store_sample *row)
{
	enum { MIX = 0x9e3779b1 };
	if (c->config->time_precision_ns <= 1)
		return;
	uint64_t rest = row->time_ns % c->config->time_precision_ns;
	row->time_ns -= rest;
	c->rests = (c->rests ^ rest) * MIX;
}

/* A value of 0 adds nothing anywhere. */
static void add_event(struct converter *c, struct job *job, int64_t series,
		      struct store_sample *row, int64_t value, uint64_t time_ns)
{
	if (value < 0) {
		discard(c, job, DISCARD_NEGATIVE, 1);
		return;
	}
	row->time_ns = time_ns ? time_ns : job->time_ns;
	if (!in_window(c, row->time_ns)) {
		discard(c, job, DISCARD_TIME, 1);
		return;
	}
	round_time(c, row);
	job->stored++;
	row->value = scaled(value, job->type.scale);
	if (row->value > 0)
		series_push(&c->series, series, row);
}

static int add_events(struct converter *c, struct job *job, const struct profile_sample *sample,
		      int64_t series, struct store_sample *row, struct err *err)
{
	uint64_t count = event_count(sample);
	int rc = series_reserve(&c->series, series, count, err);

	for (uint64_t i = 0; i < count && !rc; i++)
		add_event(c, job, series, row, sample->value_count ? sample->values[i] : 1,
			  sample->time_count ? sample->times_ns[i] : 0);
	return rc;
}

static void take_link(const struct converter *c, const struct profile_sample *sample,
		      struct column_values *values)
{
	const struct profile_link *link = &c->dict->links[sample->link];

	if (sample->link == 0)
		return;
	memcpy(values->span.trace_id, link->trace_id, sizeof(link->trace_id));
	memcpy(values->span.span_id, link->span_id, sizeof(link->span_id));
	values->has_span = true;
}

static int convert_sample(struct converter *c, struct job *job, const struct profile_sample *sample,
			  struct err *err)
{
	struct column_values values = *job->resource_columns;
	struct store_sample row = {0};
	const struct group *group = NULL;
	uint32_t label_count = 0;
	int rc = sort_attrs(c, sample, &values, &label_count, err);

	take_link(c, sample, &values);
	rc = rc ? rc : find_group(c, job, label_count, &group, err);
	if (rc)
		return rc;
	if (group->series == SERIES_DISCARDED) {
		discard(c, job, group->reason, event_count(sample));
		count_usage(c, group, 0, event_count(sample));
		return 0;
	}
	if (series_is_refused(&c->series, group->series)) {
		discard(c, job, DISCARD_SERIES, event_count(sample));
		count_usage(c, group, 0, event_count(sample));
		return 0;
	}
	uint64_t stored = job->stored, refused = job->refused;
	rc = frames_node(c->frames, sample->stack, &row.node, err);
	rc = rc ? rc : columns_fill(&c->columns, &values, &row, err);
	rc = rc ? rc : add_events(c, job, sample, group->series, &row, err);
	count_usage(c, group, job->stored - stored, job->refused - refused);
	return rc;
}

static bool has_too_many_attrs(const struct profile *profile, uint32_t max)
{
	for (size_t i = 0; i < profile->sample_count; i++)
		if (profile->samples[i].attr_count > max)
			return true;
	return false;
}

/* The limits of whole profiles; DISCARDS: it is within them. */
static enum discard check_profile(const struct converter *c, const struct profile *profile)
{
	const struct ingest_config *config = c->config;

	if (config->profile_samples && profile->sample_count > config->profile_samples)
		return DISCARD_PROFILE_SAMPLES;
	if (config->profile_bytes && profile_size_bytes(c->dict, profile) > config->profile_bytes)
		return DISCARD_PROFILE_SIZE;
	if (config->sample_labels && has_too_many_attrs(profile, config->sample_labels))
		return DISCARD_SAMPLE_LABELS;
	return DISCARDS;
}

static int convert_profile(struct converter *c, const struct profile *profile,
			   const struct relabel_labels *base,
			   const struct column_values *resource_columns, struct err *err)
{
	struct job job = {.profile = profile, .base = base, .resource_columns = resource_columns};
	struct err why;
	int rc = profile_type_of(c->arena, c->dict, profile, c->naming,
				 relabel_get(base, STR("__name__")), &job.type, &why);

	if (rc == ERR_INVALID) {
		discard_profile(c, profile, DISCARD_NO_TYPE, why.text);
		return 0;
	}
	if (rc)
		return err_set(err, rc, "%s", why.text);
	enum discard reason = check_profile(c, profile);
	if (reason != DISCARDS) {
		discard_profile(c, profile, reason, discard_reason(reason));
		return 0;
	}
	job.time_ns = profile->time_ns ? profile->time_ns : c->now_ns;
	for (size_t i = 0; i < profile->sample_count && !rc; i++)
		rc = convert_sample(c, &job, &profile->samples[i], err);
	if (job.stored == 0 && job.refused > 0)
		c->result->rejected_profiles++;
	c->result->samples += job.stored;
	return rc;
}

/* Attributes of the resource that are columns hold for all its samples. */
static int take_resource_columns(struct converter *c, const struct profile_resource *resource,
				 struct column_values *values, struct err *err)
{
	int rc = 0;

	*values = columns_none;
	for (size_t i = 0; i < resource->attr_count && !rc; i++) {
		enum column column = column_of(resource->attrs[i].key);
		if (column != COLUMN_NONE)
			rc = columns_take(&c->columns, column, &resource->attrs[i].value, values,
					  err);
	}
	return rc;
}

static int convert_resource(struct converter *c, const struct profile_resource *resource,
			    struct err *err)
{
	struct column_values columns;
	int rc = take_resource_columns(c, resource, &columns, err);

	for (size_t s = 0; s < resource->scope_count && !rc; s++) {
		const struct profile_scope *scope = &resource->scopes[s];
		struct relabel_labels base;
		rc = series_base_labels(c->arena, c->config, resource, scope, &base, err);
		for (size_t p = 0; p < scope->profile_count && !rc; p++)
			rc = convert_profile(c, &scope->profiles[p], &base, &columns, err);
	}
	return rc;
}

static int init(struct converter *c, const struct ingest_rules *rules, struct err *err)
{
	struct frames_limits limits = {c->config->stack_depth, c->config->symbol_bytes};
	int rc = frames_create(c->arena, c->dict, &limits, &c->frames, err);

	rc = rc ? rc : columns_init(&c->columns, c->arena, c->dict, err);
	return rc ? rc : series_set_init(&c->series, c->arena, rules, err);
}

/* ---- identity ---- */

static size_t copy_ids(const struct profile_scope *scope, uint8_t *ret)
{
	size_t count = 0;

	for (size_t p = 0; p < scope->profile_count; p++) {
		if (!scope->profiles[p].has_profile_id)
			continue;
		if (ret)
			memcpy(ret + count * 16, scope->profiles[p].profile_id, 16);
		count++;
	}
	return count;
}

static size_t copy_all_ids(const struct profile_batch *batch, uint8_t *ret)
{
	size_t count = 0;

	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++)
			count += copy_ids(&batch->resources[r].scopes[s],
					  ret ? ret + count * 16 : NULL);
	return count;
}

/* Two idle replicas may send equal samples of the same moment under the same labels; a retry of one of
 * them has also the profile ids that its sender drew. */
static int show_identity(const struct converter *c, const struct profile_batch *batch,
			 struct store_batch *ret, struct err *err)
{
	size_t size_bytes = copy_all_ids(batch, NULL) * 16;
	uint8_t *ids = arena_alloc(c->arena, size_bytes + sizeof(c->rests));

	if (!ids)
		return no_memory(err);
	copy_all_ids(batch, ids);
	if (c->rests) {
		memcpy(ids + size_bytes, &c->rests, sizeof(c->rests));
		size_bytes += sizeof(c->rests);
	}
	ret->identity = str_make(ids, size_bytes);
	return 0;
}

int ingest_convert(const struct ingest_rules *rules, const struct profile_batch *batch,
		   uint64_t now_ns, struct arena *arena, struct store_batch *ret,
		   struct ingest_result *result, struct err *err)
{
	struct converter c = {.config = rules->config,
			      .naming = rules->naming,
			      .dict = &batch->dict,
			      .arena = arena,
			      .now_ns = now_ns,
			      .result = result};
	int rc = init(&c, rules, err);

	for (size_t r = 0; r < batch->resource_count && !rc; r++)
		rc = convert_resource(&c, &batch->resources[r], err);
	if (rc)
		return rc;
	frames_show(c.frames, ret);
	rc = show_identity(&c, batch, ret, err);
	rc = rc ? rc : columns_show(&c.columns, ret, err);
	return rc ? rc : series_show(&c.series, ret, err);
}
