/* A pprof sample has one value for each type; here each type is a profile of its
 * own. Values are read into one table, into which the samples point. */
#include "wire/pprof_read.h"

struct row {
	uint32_t stack, attr_count;
	uint32_t *attrs;
};

struct samples {
	struct pprof_reader *r;
	struct row *rows;
	int64_t *values; /* type_count a row */
	size_t count;
	/* Scratch of one row. */
	uint32_t *locations;
	size_t location_cap;
};

/* One occurrence of a repeated integer: packed or by itself. */
static struct cur integers(const struct pb_field *field)
{
	return pb_message(field);
}

static int add_location(struct samples *s, uint64_t id, uint32_t *count, struct err *err)
{
	uint32_t *grown = arena_grow(s->r->arena, s->locations, &s->location_cap,
				     *count + (size_t)1, sizeof(*grown));

	if (!grown)
		return intake_no_memory(err);
	s->locations = grown;
	return pprof_find(&s->r->locations, id, &grown[(*count)++], err);
}

static int add_locations(struct samples *s, const struct pb_field *field, uint32_t *count,
			 struct err *err)
{
	struct cur c = integers(field);
	int rc = 0;

	if (field->type == PB_VARINT)
		return add_location(s, field->value, count, err);
	while (!rc && cur_left(&c) > 0)
		rc = add_location(s, pb_varint(&c), count, err);
	return rc ? rc : cur_ok(&c) ? 0 : pprof_malformed("Sample", err);
}

static int add_value(struct samples *s, int64_t value, size_t *count)
{
	size_t types = s->r->type_count;

	if (*count < types)
		s->values[s->count * types + *count] = value;
	(*count)++;
	return 0;
}

static int add_values(struct samples *s, const struct pb_field *field, size_t *count,
		      struct err *err)
{
	struct cur c = integers(field);

	if (field->type == PB_VARINT)
		return add_value(s, (int64_t)field->value, count);
	while (cur_left(&c) > 0)
		add_value(s, (int64_t)pb_varint(&c), count);
	return cur_ok(&c) ? 0 : pprof_malformed("Sample", err);
}

/* Without a key or with neither text nor number a label says nothing. */
static int add_label(struct samples *s, struct str bytes, struct row *row, size_t *cap,
		     struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	uint64_t parts[5] = {0}; /* by field number: key, str, num, num_unit */
	struct value value = {.kind = VALUE_INT, .text = STR("")};
	struct pb_field field;
	uint32_t unused;
	int rc = 0;

	while (pb_next(&c, &field))
		if (field.number < 5)
			parts[field.number] = field.value;
	if (!cur_ok(&c))
		return pprof_malformed("Label", err);
	for (size_t i = 1; i <= 4 && !rc; i++)
		rc = i == 3 ? 0 : pprof_string(s->r, parts[i], &unused, err);
	if (rc || pprof_text(s->r, parts[1]).len == 0 || (parts[2] == 0 && parts[3] == 0))
		return rc;
	value.number = (int64_t)parts[3];
	if (parts[2])
		value = (struct value){.kind = VALUE_STRING, .text = pprof_text(s->r, parts[2])};
	uint32_t *grown = arena_grow(s->r->arena, row->attrs, cap, row->attr_count + (size_t)1,
				     sizeof(*grown));
	if (!grown)
		return intake_no_memory(err);
	row->attrs = grown;
	return profile_attribute(s->r->sink->batch, pprof_text(s->r, parts[1]), &value,
				 pprof_text(s->r, parts[4]), &grown[row->attr_count++], err);
}

static int read_fields(struct samples *s, struct str bytes, struct row *row, uint32_t *depth,
		       size_t *value_count, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	size_t attr_cap = 0;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		bool whole = field.type == PB_LEN || (field.type == PB_VARINT && field.number < 3);
		if (field.number > 3)
			continue;
		if (!whole)
			return pprof_malformed("Sample", err);
		if (field.number == 1)
			rc = add_locations(s, &field, depth, err);
		else if (field.number == 2)
			rc = add_values(s, &field, value_count, err);
		else
			rc = add_label(s, field.bytes, row, &attr_cap, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : pprof_malformed("Sample", err);
}

static int read_sample(struct samples *s, struct str bytes, struct err *err)
{
	struct row *row = &s->rows[s->count];
	size_t value_count = 0;
	uint32_t depth = 0;
	int rc = read_fields(s, bytes, row, &depth, &value_count, err);

	if (!rc && value_count != s->r->type_count)
		rc = err_set(err, ERR_INVALID, "pprof: sample %zu has %zu values for %zu types",
			     s->count, value_count, s->r->type_count);
	rc = rc ? rc : profile_stack(s->r->sink->batch, s->locations, depth, &row->stack, err);
	s->count++;
	return rc;
}

static int read_samples(struct samples *s, struct err *err)
{
	struct cur c = cur_make(s->r->bytes.ptr, s->r->bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field))
		if (field.number == PPROF_SAMPLE)
			rc = read_sample(s, field.bytes, err);
	return rc;
}

static int fill_profile(const struct samples *s, size_t type, struct profile *profile,
			struct err *err)
{
	size_t types = s->r->type_count, count = 0;
	int rc;

	for (size_t i = 0; i < s->count; i++)
		count += s->values[i * types + type] != 0;
	rc = intake_samples(s->r->sink, count, err);
	if (rc)
		return rc;
	*profile = s->r->head;
	profile->sample_type = s->r->types[type];
	profile->samples = arena_zalloc(s->r->arena, count, sizeof(*profile->samples));
	if (!profile->samples)
		return intake_no_memory(err);
	for (size_t i = 0; i < s->count; i++) {
		const struct row *row = &s->rows[i];
		int64_t *value = &s->values[i * types + type];
		if (*value == 0)
			continue;
		profile->samples[profile->sample_count++] =
			(struct profile_sample){.stack = row->stack,
						.attrs = row->attrs,
						.attr_count = row->attr_count,
						.values = value,
						.value_count = 1,
						.value_cap = 1};
	}
	profile->sample_cap = count;
	return 0;
}

/* All types or none. */
static int make_profiles(const struct samples *s, struct profile_scope *scope, struct err *err)
{
	size_t types = s->r->type_count, before = scope->profile_count;
	struct profile *made = arena_zalloc(s->r->arena, types, sizeof(*made));
	int rc = made ? 0 : intake_no_memory(err);

	for (size_t i = 0; i < types && !rc; i++)
		rc = fill_profile(s, i, &made[i], err);
	for (size_t i = 0; i < types && !rc; i++)
		rc = intake_finish(s->r->sink, scope, &made[i], err);
	if (rc)
		scope->profile_count = before;
	return rc;
}

/* Every value is a byte at least, so the table is no larger than eight times the bytes. */
static int make_tables(struct samples *s, struct err *err)
{
	size_t count = s->r->counts[PPROF_SAMPLE], types = s->r->type_count;

	if (count > s->r->bytes.len / types)
		return err_set(err, ERR_INVALID,
			       "pprof: too few bytes for %zu samples with %zu values each", count,
			       types);
	s->rows = arena_zalloc(s->r->arena, count, sizeof(*s->rows));
	s->values = arena_zalloc(s->r->arena, count * types, sizeof(*s->values));
	return s->rows && s->values ? 0 : intake_no_memory(err);
}

int pprof_samples(struct pprof_reader *r, struct profile_scope *scope, struct err *err)
{
	struct samples samples = {.r = r};
	int rc = make_tables(&samples, err);

	rc = rc ? rc : read_samples(&samples, err);
	return rc ? rc : make_profiles(&samples, scope, err);
}
