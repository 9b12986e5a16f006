#include "layout_encode.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/any.h"

struct tables {
	uint8_t mapping, location, function, link, string, attribute, last; /* units, or stacks */
};

struct numbers {
	bool old, tables_in_profile, tables_in_file;
	struct tables tables;
	/* profile */
	uint8_t locations, time, duration, period_type, period, id, dropped;
	/* sample */
	uint8_t stack, length, values, attrs, link, times;
	/* mapping: first of memory_start, memory_limit, file_offset, filename; attributes */
	uint8_t mapping, mapping_attrs;
	/* location: first of mapping_index, address, line; attributes */
	uint8_t location, location_attrs;
	uint8_t function; /* first of four */
};

static const struct numbers layouts[WIRE_LAYOUT_COUNT] = {
	[WIRE_LAYOUT_A] = {true, true, false, {3, 4, 5, 18, 6, 16, 17},
			   15,	 9,    10,    11,
			   12,	 0,    0,     7,
			   8,	 2,    10,    12,
			   13,	 2,    12,    2,
			   7,	 2},
	[WIRE_LAYOUT_B] = {true, true, false, {3, 4, 6, 9, 10, 7, 8},
			   5,	 11,   12,    13,
			   14,	 17,   19,    1,
			   2,	 3,    4,     5,
			   6,	 1,    5,     1,
			   5,	 1},
	[WIRE_LAYOUT_C] = {true, false, true, {2, 3, 4, 5, 6, 7, 8},
			   3,	 4,	5,    6,
			   7,	 10,	11,   1,
			   2,	 3,	4,    5,
			   6,	 1,	5,    1,
			   5,	 1},
	[WIRE_LAYOUT_D] = {true, false, false, {1, 2, 3, 4, 5, 6, 7},
			   3,	 4,	5,     6,
			   7,	 10,	11,    1,
			   2,	 3,	4,     5,
			   6,	 1,	5,     1,
			   5,	 1},
	[WIRE_LAYOUT_E1] = {false, false, false, {1, 2, 3, 4, 5, 6, 7},
			    0,	   3,	  4,	 5,
			    6,	   8,	  9,	 1,
			    0,	   2,	  3,	 4,
			    5,	   1,	  5,	 1,
			    4,	   1},
	[WIRE_LAYOUT_E2] = {false, false, false, {1, 2, 3, 4, 5, 6, 7},
			    0,	   3,	  4,	 5,
			    6,	   7,	  8,	 1,
			    0,	   2,	  3,	 4,
			    5,	   1,	  5,	 1,
			    4,	   1},
	[WIRE_LAYOUT_F] = {false, false, false, {1, 2, 3, 4, 5, 6, 7},
			   0,	  3,	 4,	5,
			   6,	  7,	 8,	1,
			   0,	  4,	 2,	3,
			   5,	  1,	 5,	1,
			   4,	  1},
};

struct encoder {
	const struct profile_dict *dict;
	const struct numbers *n;
	enum wire_layout layout;
	struct buf out;
};

/* Up to 1.7 the first row of a table is a row like any other: ours begin with the second of the batch. */
static uint64_t row_index(const struct encoder *e, uint32_t index)
{
	return e->n->old ? index - 1 : index;
}

static void put_present(struct encoder *e, uint32_t number, uint64_t value)
{
	pb_put_tag(&e->out, number, PB_VARINT);
	pb_put_varint(&e->out, value);
}

static void put_list(struct encoder *e, uint32_t number, const uint32_t *items, uint32_t count)
{
	if (count == 0)
		return;
	size_t at = pb_begin(&e->out, number);
	for (uint32_t i = 0; i < count; i++)
		pb_put_varint(&e->out, row_index(e, items[i]));
	pb_end(&e->out, at);
}

/* ---- tables ---- */

static void put_mapping(struct encoder *e, const struct profile_mapping *row)
{
	size_t at = pb_begin(&e->out, e->n->tables.mapping);
	uint32_t first = e->n->mapping;

	pb_put_uint(&e->out, first, row->memory_start);
	pb_put_uint(&e->out, first + 1, row->memory_limit);
	pb_put_uint(&e->out, first + 2, row->file_offset);
	pb_put_uint(&e->out, first + 3, row->filename);
	put_list(e, e->n->mapping_attrs, row->attrs, row->attr_count);
	pb_end(&e->out, at);
}

static void put_line(struct encoder *e, const struct profile_line *line)
{
	size_t at = pb_begin(&e->out, e->n->location + 2u);

	pb_put_uint(&e->out, 1, row_index(e, line->function));
	pb_put_int(&e->out, 2, line->line);
	pb_put_int(&e->out, 3, line->column);
	pb_end(&e->out, at);
}

static void put_location(struct encoder *e, const struct profile_location *row)
{
	size_t at = pb_begin(&e->out, e->n->tables.location);
	uint32_t first = e->n->location;

	if (row->mapping && e->n->old && e->layout != WIRE_LAYOUT_A)
		put_present(e, first, row_index(e, row->mapping));
	else if (row->mapping)
		pb_put_uint(&e->out, first, row_index(e, row->mapping));
	pb_put_uint(&e->out, first + 1, row->address);
	for (uint32_t i = 0; i < row->line_count; i++)
		put_line(e, &row->lines[i]);
	put_list(e, e->n->location_attrs, row->attrs, row->attr_count);
	pb_end(&e->out, at);
}

static void put_function(struct encoder *e, const struct profile_function *row)
{
	size_t at = pb_begin(&e->out, e->n->tables.function);
	uint32_t first = e->n->function;

	pb_put_uint(&e->out, first, row->name);
	pb_put_uint(&e->out, first + 1, row->system_name);
	pb_put_uint(&e->out, first + 2, row->filename);
	pb_put_int(&e->out, first + 3, row->start_line);
	pb_end(&e->out, at);
}

static void put_link(struct encoder *e, const struct profile_link *row)
{
	size_t at = pb_begin(&e->out, e->n->tables.link);

	pb_put_bytes(&e->out, 1, str_make(row->trace_id, sizeof(row->trace_id)));
	pb_put_bytes(&e->out, 2, str_make(row->span_id, sizeof(row->span_id)));
	pb_end(&e->out, at);
}

static void put_unit(struct encoder *e, const struct profile_attribute *row)
{
	if (row->unit == 0)
		return;
	size_t at = pb_begin(&e->out, e->n->tables.last);
	pb_put_uint(&e->out, 1, row->key);
	pb_put_uint(&e->out, 2, row->unit);
	pb_end(&e->out, at);
}

static void put_attribute(struct encoder *e, const struct profile_attribute *row)
{
	if (e->n->old) {
		const struct key_value pair = {profile_str(e->dict, row->key), row->value};
		any_put_pair(&e->out, e->n->tables.attribute, &pair);
		put_unit(e, row);
		return;
	}
	size_t at = pb_begin(&e->out, e->n->tables.attribute);
	pb_put_uint(&e->out, 1, row->key);
	any_put(&e->out, 2, &row->value);
	pb_put_uint(&e->out, 3, row->unit);
	pb_end(&e->out, at);
}

static void put_stack(struct encoder *e, const struct profile_stack *row)
{
	size_t at = pb_begin(&e->out, e->n->tables.last);

	put_list(e, 1, row->locations, row->count);
	pb_end(&e->out, at);
}

static void put_tables(struct encoder *e)
{
	const struct profile_dict *dict = e->dict;
	uint32_t first = e->n->old ? 1 : 0;

	for (uint32_t i = first; i < dict->mapping_count; i++)
		put_mapping(e, &dict->mappings[i]);
	for (uint32_t i = first; i < dict->location_count; i++)
		put_location(e, &dict->locations[i]);
	for (uint32_t i = first; i < dict->function_count; i++)
		put_function(e, &dict->functions[i]);
	/* 1.3 cannot say that a sample has the first link. */
	for (uint32_t i = e->layout == WIRE_LAYOUT_A ? 0 : first; i < dict->link_count; i++)
		put_link(e, &dict->links[i]);
	for (uint32_t i = 0; i < strtab_count(dict->strings); i++)
		pb_put_bytes(&e->out, e->n->tables.string, strtab_get(dict->strings, i));
	for (uint32_t i = first; i < dict->attribute_count; i++)
		put_attribute(e, &dict->attributes[i]);
	for (uint32_t i = 0; i < dict->stack_count && !e->n->old; i++)
		put_stack(e, &dict->stacks[i]);
}

/* ---- samples ---- */

static void put_link_index(struct encoder *e, uint32_t link)
{
	if (link == 0)
		return;
	if (e->n->old && e->layout != WIRE_LAYOUT_A)
		put_present(e, e->n->link, link - 1);
	else
		pb_put_uint(&e->out, e->n->link, link);
}

static void put_values(struct encoder *e, const struct profile_sample *sample)
{
	size_t at = pb_begin(&e->out, e->n->values);

	for (uint32_t i = 0; i < sample->value_count; i++)
		pb_put_varint(&e->out, (uint64_t)sample->values[i]);
	/* As the eBPF profiler did, however many timestamps there are. */
	if (sample->value_count == 0)
		pb_put_varint(&e->out, 1);
	pb_end(&e->out, at);
}

static void put_times(struct encoder *e, const struct profile_sample *sample)
{
	if (sample->time_count == 0)
		return;
	size_t at = pb_begin(&e->out, e->n->times);
	for (uint32_t i = 0; i < sample->time_count; i++) {
		uint64_t little = sample->times_ns[i]; /* on the machines that tests run on */
		if (e->n->old)
			pb_put_varint(&e->out, sample->times_ns[i]);
		else
			buf_append(&e->out, &little, sizeof(little));
	}
	pb_end(&e->out, at);
}

static void put_sample(struct encoder *e, const struct profile_sample *sample, uint64_t start)
{
	size_t at = pb_begin(&e->out, 2);

	pb_put_uint(&e->out, e->n->stack, e->n->old ? start : sample->stack);
	if (e->n->old)
		pb_put_uint(&e->out, e->n->length, e->dict->stacks[sample->stack].count);
	if (e->n->old || sample->value_count > 0)
		put_values(e, sample);
	put_list(e, e->n->attrs, sample->attrs, sample->attr_count);
	put_link_index(e, sample->link);
	put_times(e, sample);
	pb_end(&e->out, at);
}

static void put_samples(struct encoder *e, const struct profile *profile)
{
	uint64_t start = 0;

	for (size_t i = 0; i < profile->sample_count; i++) {
		put_sample(e, &profile->samples[i], start);
		start += e->dict->stacks[profile->samples[i].stack].count;
	}
	if (!e->n->old || start == 0)
		return;
	size_t at = pb_begin(&e->out, e->n->locations);
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_stack *stack = &e->dict->stacks[profile->samples[i].stack];
		for (uint32_t s = 0; s < stack->count; s++)
			pb_put_varint(&e->out, row_index(e, stack->locations[s]));
	}
	pb_end(&e->out, at);
}

static void put_value_type(struct encoder *e, uint32_t number, const struct value_type *type)
{
	size_t at = pb_begin(&e->out, number);

	pb_put_uint(&e->out, 1, type->type);
	pb_put_uint(&e->out, 2, type->unit);
	pb_end(&e->out, at);
}

static void put_profile_content(struct encoder *e, const struct profile *profile)
{
	const struct numbers *n = e->n;

	put_value_type(e, 1, &profile->sample_type);
	put_samples(e, profile);
	if (n->old)
		pb_put_uint(&e->out, n->time, profile->time_ns);
	else
		pb_put_fixed64(&e->out, n->time, profile->time_ns);
	pb_put_uint(&e->out, n->duration, profile->duration_ns);
	put_value_type(e, n->period_type, &profile->period_type);
	pb_put_int(&e->out, n->period, profile->period);
	if (n->id && profile->has_profile_id)
		pb_put_bytes(&e->out, n->id, str_make(profile->profile_id, 16));
	if (n->dropped)
		pb_put_uint(&e->out, n->dropped, profile->dropped_attributes);
	if (n->tables_in_profile)
		put_tables(e);
}

static void put_profile(struct encoder *e, const struct profile *profile)
{
	size_t at = pb_begin(&e->out, 2), inner;

	if (e->layout != WIRE_LAYOUT_A) {
		put_profile_content(e, profile);
		pb_end(&e->out, at);
		return;
	}
	if (profile->has_profile_id)
		pb_put_bytes(&e->out, 1, str_make(profile->profile_id, 16));
	pb_put_fixed64(&e->out, 2, profile->time_ns);
	pb_put_fixed64(&e->out, 3, profile->time_ns + profile->duration_ns);
	pb_put_uint(&e->out, 5, profile->dropped_attributes);
	inner = pb_begin(&e->out, 8);
	put_profile_content(e, profile);
	pb_end(&e->out, inner);
	pb_end(&e->out, at);
}

/* ---- around them ---- */

static void put_pairs(struct encoder *e, uint32_t number, const struct key_value *pairs,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		any_put_pair(&e->out, number, &pairs[i]);
}

static void put_scope(struct encoder *e, const struct profile_scope *scope)
{
	size_t at = pb_begin(&e->out, 2), inner = pb_begin(&e->out, 1);

	pb_put_text(&e->out, 1, scope->name);
	pb_put_text(&e->out, 2, scope->version);
	put_pairs(e, 3, scope->attrs, scope->attr_count);
	pb_end(&e->out, inner);
	for (size_t i = 0; i < scope->profile_count; i++)
		put_profile(e, &scope->profiles[i]);
	pb_end(&e->out, at);
}

static void put_resource(struct encoder *e, const struct profile_resource *resource)
{
	size_t at = pb_begin(&e->out, 1), inner = pb_begin(&e->out, 1);

	put_pairs(e, 1, resource->attrs, resource->attr_count);
	pb_end(&e->out, inner);
	for (size_t i = 0; i < resource->scope_count; i++)
		put_scope(e, &resource->scopes[i]);
	pb_put_text(&e->out, 3, resource->schema_url);
	pb_end(&e->out, at);
}

struct buf layout_encode(const struct profile_batch *batch, enum wire_layout layout)
{
	struct encoder e = {.dict = &batch->dict, .n = &layouts[layout], .layout = layout};

	buf_init(&e.out, 0);
	for (size_t i = 0; i < batch->resource_count; i++)
		put_resource(&e, &batch->resources[i]);
	if (e.n->tables_in_file) {
		put_tables(&e);
	} else if (!e.n->tables_in_profile) {
		size_t at = pb_begin(&e.out, 2);
		put_tables(&e);
		pb_end(&e.out, at);
	}
	if (e.out.failed)
		abort();
	return e.out;
}
