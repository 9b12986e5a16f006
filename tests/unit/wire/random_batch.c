#include "random_batch.h"

#include <assert.h>
#include <stdio.h>

uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t below)
{
	return (uint32_t)(random_next(random) % below);
}

static void must(int rc)
{
	assert(rc == 0);
}

static struct str name(struct arena *arena, const char *what, uint32_t number)
{
	struct str text = arena_printf(arena, "%s_%u", what, number);

	assert(text.ptr);
	return text;
}

static struct value random_value(struct arena *arena, struct random *random)
{
	switch (random_below(random, 7)) {
	case 0:
		return (struct value){.kind = VALUE_INT, .number = (int64_t)random_next(random)};
	case 1:
		return (struct value){.kind = VALUE_BOOL, .number = random_below(random, 2)};
	case 2:
		return (struct value){.kind = VALUE_DOUBLE,
				      .real = random_below(random, 1000) / 8.0};
	case 3:
		return (struct value){.kind = VALUE_BYTES, .text = {"\x00\xff\x80", 3}};
	case 4:
		return (struct value){.kind = VALUE_OTHER,
				      .text = STR("[1,\"a\",{\"k\":[true,null,2.5]}]")};
	default:
		return (struct value){.kind = VALUE_STRING,
				      .text = name(arena, "värde", random_below(random, 50))};
	}
}

static uint32_t random_attr(struct profile_batch *batch, struct random *random, const char *what)
{
	struct value value = random_value(batch->arena, random);
	uint32_t at, number = random_below(random, 5);

	must(profile_attribute(batch, name(batch->arena, what, number), &value,
			       number == 3 ? STR("By") : STR(""), &at, NULL));
	return at;
}

static uint32_t random_function(struct profile_batch *batch, struct random *random)
{
	struct profile_function row = {.start_line = random_below(random, 100)};
	uint32_t at;

	must(profile_string(batch, name(batch->arena, "func", random_below(random, 400)), &row.name,
			    NULL));
	must(profile_string(batch, name(batch->arena, "file", random_below(random, 40)),
			    &row.filename, NULL));
	must(profile_function(batch, &row, &at, NULL));
	return at;
}

static uint32_t random_mapping(struct profile_batch *batch, struct random *random)
{
	uint32_t attr = random_attr(batch, random, "build.id"), at;
	struct profile_mapping row = {.memory_start = random_below(random, 9) << 12,
				      .memory_limit = UINT64_MAX - random_below(random, 9),
				      .file_offset = random_below(random, 3),
				      .attr_count = random_below(random, 2),
				      .attrs = &attr};

	must(profile_string(batch, name(batch->arena, "lib", random_below(random, 20)),
			    &row.filename, NULL));
	must(profile_mapping(batch, &row, &at, NULL));
	return at;
}

static uint32_t random_location(struct profile_batch *batch, struct random *random)
{
	uint32_t attr = random_attr(batch, random, "frame.type"), at;
	struct profile_line lines[3];
	struct profile_location row = {.mapping = random_mapping(batch, random),
				       .address = random_next(random) >> random_below(random, 64),
				       .line_count = random_below(random, 4),
				       .lines = lines,
				       .attr_count = 1,
				       .attrs = &attr};

	for (uint32_t i = 0; i < row.line_count; i++)
		lines[i] =
			(struct profile_line){random_function(batch, random),
					      random_below(random, 1000), random_below(random, 9)};
	must(profile_location(batch, &row, &at, NULL));
	return at;
}

static uint32_t random_stack(struct profile_batch *batch, struct random *random)
{
	uint32_t locations[40], at, count = 1 + random_below(random, 40);

	for (uint32_t i = 0; i < count; i++)
		locations[i] = random_location(batch, random);
	must(profile_stack(batch, locations, count, &at, NULL));
	return at;
}

static void random_sample(struct profile_batch *batch, struct random *random,
			  struct profile *profile, int shape)
{
	struct profile_sample *sample;
	struct profile_link link = {.trace_id = {1, (uint8_t)random_below(random, 4)},
				    .span_id = {2}};
	uint32_t events = shape == 1 ? 1 : 1 + random_below(random, 5);

	must(profile_sample_add(batch, profile, &sample, NULL));
	sample->stack = random_below(random, 8) || batch->dict.stack_count < 3
				? random_stack(batch, random)
				: 1 + random_below(random, batch->dict.stack_count - 1);
	if (random_below(random, 4) == 0)
		must(profile_link(batch, &link, &sample->link, NULL));
	for (uint32_t i = random_below(random, 4); i > 0; i--)
		must(profile_sample_attr(batch, sample, random_attr(batch, random, "attr"), NULL));
	for (uint32_t i = 0; i < events; i++) {
		if (shape != 1)
			must(profile_sample_time(batch, sample,
						 1700000000000000000 +
							 random_below(random, 1 << 30),
						 NULL));
		if (shape != 0)
			must(profile_sample_value(batch, sample,
						  (int64_t)random_below(random, 1 << 30) - 1000,
						  NULL));
	}
}

static void random_profile(struct profile_batch *batch, struct random *random,
			   struct profile_scope *scope, uint32_t samples, int shape)
{
	struct profile *profile;
	struct value_type *type;

	must(profile_add(batch, scope, &profile, NULL));
	type = &profile->sample_type;
	must(profile_string(batch, STR("samples"), &type->type, NULL));
	must(profile_string(batch, STR("count"), &type->unit, NULL));
	if (random_below(random, 2)) {
		must(profile_string(batch, STR("cpu"), &profile->period_type.type, NULL));
		profile->period = 10309278;
	}
	profile->time_ns = 1700000000000000000 + random_below(random, 1000);
	profile->duration_ns = 5000000000;
	profile->has_profile_id = random_below(random, 2);
	profile->profile_id[3] = profile->has_profile_id ? 7 : 0;
	profile->dropped_attributes = random_below(random, 3);
	for (uint32_t i = 0; i < samples; i++)
		random_sample(batch, random, profile,
			      shape == 3 ? (int)random_below(random, 3) : shape);
}

struct profile_batch *random_batch(struct arena *arena, uint64_t seed, uint32_t samples, int shape)
{
	struct random random = {seed};
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;

	must(profile_batch_create(arena, &batch, NULL));
	while (samples > 0) {
		must(profile_resource_add(batch, &resource, NULL));
		resource->schema_url = STR("https://opentelemetry.io/schemas/1.37.0");
		for (uint32_t i = random_below(&random, 4); i > 0; i--) {
			struct value value = random_value(arena, &random);
			must(profile_resource_attr(batch, resource, name(arena, "resource", i),
						   &value, NULL));
		}
		must(profile_scope_add(batch, resource, &scope, NULL));
		scope->name = STR("cresset");
		for (uint32_t i = 1 + random_below(&random, 2); i > 0 && samples > 0; i--) {
			uint32_t part = 1 + random_below(&random, samples);
			random_profile(batch, &random, scope, part, shape);
			samples -= part;
		}
	}
	return batch;
}

/* ---- digest ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	struct random random = {hash ^ word * UINT64_C(0xff51afd7ed558ccd)};

	return random_next(&random);
}

static uint64_t mix_text(uint64_t hash, struct str text)
{
	return mix(hash, str_hash(text));
}

static uint64_t mix_value(uint64_t hash, const struct value *value)
{
	uint64_t bits;

	memcpy(&bits, &value->real, sizeof(bits));
	hash = mix(mix(hash, value->kind), (uint64_t)value->number);
	return mix_text(mix(hash, bits), value->text.len ? value->text : STR(""));
}

/* Sets: a sum over their members. */
static uint64_t mix_attrs(const struct profile_dict *dict, uint64_t hash, const uint32_t *attrs,
			  uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct profile_attribute *row = &dict->attributes[attrs[i]];
		uint64_t one = mix_text(1, profile_str(dict, row->key));
		sum += mix_value(mix_text(one, profile_str(dict, row->unit)), &row->value);
	}
	return mix(hash, sum);
}

static uint64_t mix_function(const struct profile_dict *dict, uint64_t hash, uint32_t index)
{
	const struct profile_function *row = &dict->functions[index];

	hash = mix_text(hash, profile_str(dict, row->name));
	hash = mix_text(hash, profile_str(dict, row->system_name));
	return mix(mix_text(hash, profile_str(dict, row->filename)), (uint64_t)row->start_line);
}

static uint64_t mix_location(const struct profile_dict *dict, uint64_t hash, uint32_t index)
{
	const struct profile_location *row = &dict->locations[index];
	const struct profile_mapping *mapping = &dict->mappings[row->mapping];

	hash = mix(mix(hash, row->address), mapping->memory_start);
	hash = mix(mix(hash, mapping->memory_limit), mapping->file_offset);
	hash = mix_text(hash, profile_str(dict, mapping->filename));
	hash = mix_attrs(dict, hash, mapping->attrs, mapping->attr_count);
	for (uint32_t i = 0; i < row->line_count; i++) {
		hash = mix_function(dict, hash, row->lines[i].function);
		hash = mix(mix(hash, (uint64_t)row->lines[i].line), (uint64_t)row->lines[i].column);
	}
	return mix_attrs(dict, hash, row->attrs, row->attr_count);
}

static uint64_t mix_sample(const struct profile_dict *dict, uint64_t hash,
			   const struct profile_sample *sample)
{
	const struct profile_stack *stack = &dict->stacks[sample->stack];
	const struct profile_link *link = &dict->links[sample->link];

	for (uint32_t i = 0; i < stack->count; i++)
		hash = mix_location(dict, hash, stack->locations[i]);
	hash = mix_text(hash, str_make(link->trace_id, sizeof(link->trace_id)));
	hash = mix_text(hash, str_make(link->span_id, sizeof(link->span_id)));
	return mix_attrs(dict, hash, sample->attrs, sample->attr_count);
}

static void add_events(struct digest *digest, uint64_t hash, const struct profile_sample *sample)
{
	uint32_t count =
		sample->time_count > sample->value_count ? sample->time_count : sample->value_count;

	for (uint32_t i = 0; i < count; i++) {
		int64_t value = sample->value_count ? sample->values[i] : 1;
		uint64_t event = mix(hash, (uint64_t)value);
		digest->content += mix(event, sample->time_count ? sample->times_ns[i] : 0);
		digest->total += (uint64_t)value;
	}
	digest->events += count;
}

static void add_profile(struct digest *digest, const struct profile_dict *dict, uint64_t hash,
			const struct profile *profile)
{
	hash = mix_text(hash, profile_str(dict, profile->sample_type.type));
	hash = mix_text(hash, profile_str(dict, profile->sample_type.unit));
	hash = mix_text(hash, profile_str(dict, profile->period_type.type));
	hash = mix_text(hash, profile_str(dict, profile->period_type.unit));
	hash = mix(mix(hash, (uint64_t)profile->period), profile->time_ns);
	hash = mix(mix(hash, profile->duration_ns), profile->dropped_attributes);
	hash = mix_text(hash, str_make(profile->profile_id, sizeof(profile->profile_id)));
	for (size_t i = 0; i < profile->sample_count; i++)
		add_events(digest, mix_sample(dict, hash, &profile->samples[i]),
			   &profile->samples[i]);
	digest->profiles++;
}

static uint64_t mix_pairs(uint64_t hash, const struct key_value *attrs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hash = mix_value(mix_text(hash, attrs[i].key), &attrs[i].value);
	return hash;
}

static void add_scope(struct digest *digest, const struct profile_dict *dict, uint64_t hash,
		      const struct profile_scope *scope)
{
	hash = mix_text(mix_text(hash, scope->name), scope->version);
	hash = mix_pairs(hash, scope->attrs, scope->attr_count);
	for (size_t i = 0; i < scope->profile_count; i++)
		add_profile(digest, dict, hash, &scope->profiles[i]);
}

struct digest digest_batch(const struct profile_batch *batch)
{
	struct digest digest = {0};

	for (size_t r = 0; r < batch->resource_count; r++) {
		const struct profile_resource *resource = &batch->resources[r];
		uint64_t hash = mix_text(7, resource->schema_url);
		hash = mix_pairs(hash, resource->attrs, resource->attr_count);
		for (size_t s = 0; s < resource->scope_count; s++)
			add_scope(&digest, &batch->dict, hash, &resource->scopes[s]);
	}
	return digest;
}
