/* OTLP/JSON. Names tell all that the protobuf layouts from 1.8 on differ in, so
 * one decoder reads them: "sample" and "line" (1.8) besides "samples" and "lines".
 * Older ones are those of json_old.c. */
#include "wire/json_load.h"
#include "wire/json_old.h"
#include "wire/wire.h"

static void read_mappings(struct json_reader *r, const json_t *dict, struct profile_mapping *rows)
{
	const json_t *list = jr_member(dict, "mappingTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		rows[i].memory_start = jr_u64(r, json, "memoryStart");
		rows[i].memory_limit = jr_u64(r, json, "memoryLimit");
		rows[i].file_offset = jr_u64(r, json, "fileOffset");
		rows[i].filename = jr_string_index(r, json, "filenameStrindex");
		rows[i].attrs = jr_indices(r, json, "attributeIndices", &rows[i].attr_count);
	}
}

static const json_t *either_list(struct json_reader *r, const json_t *json, const char *name,
				 const char *old_name, size_t *ret_count)
{
	return jr_list(r, json, jr_member(json, name) ? name : old_name, ret_count);
}

static const struct profile_line *read_lines(struct json_reader *r, const json_t *location,
					     uint32_t *ret_count)
{
	size_t count;
	const json_t *list = either_list(r, location, "lines", "line", &count);
	struct profile_line *lines = NULL;

	*ret_count = 0;
	if (count == 0 || r->rc)
		return NULL;
	lines = arena_zalloc(r->dec->arena, count, sizeof(*lines));
	if (!lines) {
		jr_out_of_memory(r);
		return NULL;
	}
	*ret_count = (uint32_t)count;
	for (size_t i = 0; i < count && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		lines[i].function = jr_index(r, json, "functionIndex");
		lines[i].line = jr_i64(r, json, "line");
		lines[i].column = jr_i64(r, json, "column");
	}
	return lines;
}

static void read_locations(struct json_reader *r, const json_t *dict, struct profile_location *rows)
{
	const json_t *list = jr_member(dict, "locationTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		rows[i].mapping = jr_index(r, json, "mappingIndex");
		rows[i].address = jr_u64(r, json, "address");
		rows[i].lines = read_lines(r, json, &rows[i].line_count);
		rows[i].attrs = jr_indices(r, json, "attributeIndices", &rows[i].attr_count);
	}
}

static void read_functions(struct json_reader *r, const json_t *dict, struct profile_function *rows)
{
	const json_t *list = jr_member(dict, "functionTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		rows[i].name = jr_string_index(r, json, "nameStrindex");
		rows[i].system_name = jr_string_index(r, json, "systemNameStrindex");
		rows[i].filename = jr_string_index(r, json, "filenameStrindex");
		rows[i].start_line = jr_i64(r, json, "startLine");
	}
}

static void read_links(struct json_reader *r, const json_t *dict, struct profile_link *rows)
{
	const json_t *list = jr_member(dict, "linkTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		jr_id(r, json, "traceId", rows[i].trace_id, sizeof(rows[i].trace_id));
		jr_id(r, json, "spanId", rows[i].span_id, sizeof(rows[i].span_id));
	}
}

static void read_attributes(struct json_reader *r, const json_t *dict,
			    struct profile_attribute *rows)
{
	const json_t *list = jr_member(dict, "attributeTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		rows[i].key = jr_string_index(r, json, "keyStrindex");
		rows[i].unit = jr_string_index(r, json, "unitStrindex");
		rows[i].value = jr_any(r, jr_member(json, "value"));
	}
}

static void read_stacks(struct json_reader *r, const json_t *dict, struct profile_stack *rows)
{
	const json_t *list = jr_member(dict, "stackTable");

	for (size_t i = 0; i < json_array_size(list) && !r->rc; i++)
		rows[i].locations =
			jr_indices(r, json_array_get(list, i), "locationIndices", &rows[i].count);
}

static void read_strings(struct json_reader *r, const json_t *dict)
{
	size_t count;
	const json_t *list = jr_list(r, dict, "stringTable", &count);
	void *rows;

	if (r->rc)
		return;
	r->rc = decoder_rows(r->dec, "string table", count, sizeof(*r->dec->strings), &rows,
			     r->err);
	r->dec->strings = r->rc ? NULL : rows;
	for (size_t i = 0; i < count && !r->rc; i++) {
		const json_t *json = json_array_get(list, i);
		if (!json_is_string(json))
			jr_complain(r, "stringTable", "text");
		else
			r->rc = decoder_add_string(r->dec,
						   str_make(json_string_value(json),
							    json_string_length(json)),
						   r->err);
	}
}

/* Zeroed rows for a table that was sent; NULL when it was not (its zero row stays). */
static void *make_rows(struct json_reader *r, const json_t *dict, const char *name,
		       size_t elem_bytes, uint32_t *ret_count)
{
	size_t count;
	void *rows = NULL;

	jr_list(r, dict, name, &count);
	if (count == 0 || r->rc)
		return NULL;
	r->rc = decoder_rows(r->dec, name, count, elem_bytes, &rows, r->err);
	if (!r->rc)
		*ret_count = (uint32_t)count;
	return r->rc ? NULL : rows;
}

static void read_dict(struct json_reader *r, const json_t *json)
{
	struct profile_dict *dict = &r->dec->dict;
	struct profile_mapping *mappings =
		make_rows(r, json, "mappingTable", sizeof(*mappings), &dict->mapping_count);
	struct profile_location *locations =
		make_rows(r, json, "locationTable", sizeof(*locations), &dict->location_count);
	struct profile_function *functions =
		make_rows(r, json, "functionTable", sizeof(*functions), &dict->function_count);
	struct profile_link *links =
		make_rows(r, json, "linkTable", sizeof(*links), &dict->link_count);
	struct profile_attribute *attributes =
		make_rows(r, json, "attributeTable", sizeof(*attributes), &dict->attribute_count);
	struct profile_stack *stacks =
		make_rows(r, json, "stackTable", sizeof(*stacks), &dict->stack_count);

	read_strings(r, json);
	read_mappings(r, json, mappings);
	read_locations(r, json, locations);
	read_functions(r, json, functions);
	read_links(r, json, links);
	read_attributes(r, json, attributes);
	read_stacks(r, json, stacks);
	dict->mappings = mappings ? mappings : dict->mappings;
	dict->locations = locations ? locations : dict->locations;
	dict->functions = functions ? functions : dict->functions;
	dict->links = links ? links : dict->links;
	dict->attributes = attributes ? attributes : dict->attributes;
	dict->stacks = stacks ? stacks : dict->stacks;
}

/* A list of 64-bit integers; both kinds of number take the same room. */
static void *read_numbers(struct json_reader *r, const json_t *json, const char *name,
			  bool is_signed, uint32_t *ret_count)
{
	size_t count;
	const json_t *list = jr_list(r, json, name, &count);
	uint64_t *numbers = count ? arena_zalloc(r->dec->arena, count, sizeof(*numbers)) : NULL;

	if (count && !numbers)
		jr_out_of_memory(r);
	for (size_t i = 0; i < count && numbers && !r->rc; i++)
		numbers[i] = jr_number(r, json_array_get(list, i), name, is_signed);
	*ret_count = numbers ? (uint32_t)count : 0;
	return numbers;
}

/* Index 0 is "not set". */
static uint32_t *read_attr_indices(struct json_reader *r, const json_t *json, uint32_t *ret_count)
{
	uint32_t count, kept = 0;
	uint32_t *attrs = (uint32_t *)(uintptr_t)jr_indices(r, json, "attributeIndices", &count);
	bool unset = r->dec->dict.attributes[0].key == 0;

	for (uint32_t i = 0; i < count; i++)
		if (attrs[i] != 0 || !unset)
			attrs[kept++] = attrs[i];
	*ret_count = kept;
	return attrs;
}

static void read_sample(struct json_reader *r, const json_t *json, struct profile_sample *sample)
{
	sample->stack = jr_index(r, json, "stackIndex");
	sample->link = jr_index(r, json, "linkIndex");
	sample->attrs = read_attr_indices(r, json, &sample->attr_count);
	sample->attr_cap = sample->attr_count;
	sample->values = read_numbers(r, json, "values", true, &sample->value_count);
	sample->value_cap = sample->value_count;
	sample->times_ns = read_numbers(r, json, "timestampsUnixNano", false, &sample->time_count);
	sample->time_cap = sample->time_count;
}

static void read_samples(struct json_reader *r, const json_t *json, struct profile *profile)
{
	size_t count;
	const json_t *list = either_list(r, json, "samples", "sample", &count);

	if (r->rc)
		return;
	r->rc = decoder_samples(r->dec, count, &profile->samples, r->err);
	profile->sample_cap = r->rc ? 0 : count;
	for (size_t i = 0; i < count && !r->rc; i++)
		read_sample(r, json_array_get(list, i), &profile->samples[profile->sample_count++]);
}

static struct value_type read_value_type(struct json_reader *r, const json_t *json)
{
	return (struct value_type){jr_string_index(r, json, "typeStrindex"),
				   jr_string_index(r, json, "unitStrindex")};
}

static void read_profile(struct json_reader *r, const json_t *json, struct profile *profile)
{
	const json_t *sample_type = jr_member(json, "sampleType");
	const json_t *period_type = jr_member(json, "periodType");

	if (sample_type)
		profile->sample_type = read_value_type(r, sample_type);
	if (period_type)
		profile->period_type = read_value_type(r, period_type);
	profile->period = jr_i64(r, json, "period");
	profile->time_ns = jr_u64(r, json, "timeUnixNano");
	profile->duration_ns = jr_u64(r, json, "durationNano");
	profile->has_profile_id =
		jr_id(r, json, "profileId", profile->profile_id, sizeof(profile->profile_id));
	profile->dropped_attributes = (uint32_t)jr_u64(r, json, "droppedAttributesCount");
	profile->original_format = jr_text(r, json, "originalPayloadFormat");
	profile->original_payload = jr_bytes(r, json, "originalPayload");
	profile->attrs = read_attr_indices(r, json, &profile->attr_count);
	read_samples(r, json, profile);
}

static void read_pairs(struct json_reader *r, const json_t *json, struct key_value **ret,
		       size_t *ret_count, size_t *ret_cap)
{
	size_t count;
	const json_t *list = jr_list(r, json, "attributes", &count);
	struct key_value *pairs = arena_zalloc(r->dec->arena, count, sizeof(*pairs));

	if (!pairs)
		jr_out_of_memory(r);
	*ret = pairs;
	*ret_cap = count;
	for (size_t i = 0; i < count && !r->rc; i++) {
		const json_t *item = json_array_get(list, i);
		struct key_value *pair = &pairs[*ret_count];
		pair->key = jr_text(r, item, "key");
		if (pair->key.len == 0)
			pair->key = decoder_string_text(r->dec, jr_u64(r, item, "keyStrindex"));
		pair->value = jr_any(r, jr_member(item, "value"));
		if (pair->key.len == 0)
			r->dec->report->dropped_attributes++;
		else
			++*ret_count;
	}
}

static void read_scope(struct json_reader *r, const json_t *json, struct profile_scope *scope)
{
	size_t count;
	const json_t *info = jr_member(json, "scope");
	const json_t *list = jr_list(r, json, "profiles", &count);
	struct profile *profile;

	scope->schema_url = jr_text(r, json, "schemaUrl");
	scope->name = jr_text(r, info, "name");
	scope->version = jr_text(r, info, "version");
	read_pairs(r, info, &scope->attrs, &scope->attr_count, &scope->attr_cap);
	for (size_t i = 0; i < count && !r->rc; i++) {
		r->rc = decoder_part(r->dec, r->err);
		if (!r->rc && r->dec->old) {
			json_old_profile(r, json_array_get(list, i), scope);
			continue;
		}
		if (!r->rc)
			r->rc = profile_add(r->dec->batch, scope, &profile, r->err);
		if (!r->rc)
			read_profile(r, json_array_get(list, i), profile);
	}
}

static void read_resource(struct json_reader *r, const json_t *json,
			  struct profile_resource *resource)
{
	size_t count;
	const json_t *list = jr_list(r, json, "scopeProfiles", &count);
	struct profile_scope *scope;

	resource->schema_url = jr_text(r, json, "schemaUrl");
	read_pairs(r, jr_member(json, "resource"), &resource->attrs, &resource->attr_count,
		   &resource->attr_cap);
	for (size_t i = 0; i < count && !r->rc; i++) {
		r->rc = decoder_part(r->dec, r->err);
		if (!r->rc)
			r->rc = profile_scope_add(r->dec->batch, resource, &scope, r->err);
		if (!r->rc)
			read_scope(r, json_array_get(list, i), scope);
	}
}

static void read_request(struct json_reader *r, const json_t *root)
{
	size_t count;
	const json_t *list;
	struct profile_resource *resource;

	if (!json_is_object(root)) {
		jr_complain(r, "request", "an object");
		return;
	}
	r->dec->report->layout = json_layout(root);
	r->dec->old = old_layout_of(r->dec->report->layout);
	if (r->dec->old)
		json_old_tables(r, root);
	else
		read_dict(r, jr_member(root, "dictionary"));
	list = jr_list(r, root, "resourceProfiles", &count);
	for (size_t i = 0; i < count && !r->rc; i++) {
		r->rc = decoder_part(r->dec, r->err);
		if (!r->rc)
			r->rc = profile_resource_add(r->dec->batch, &resource, r->err);
		if (!r->rc)
			read_resource(r, json_array_get(list, i), resource);
	}
}

int wire_otlp_decode_json(struct str text, struct arena *arena, const struct wire_limits *limits,
			  struct profile_batch **ret, struct wire_report *report, struct err *err)
{
	struct decoder dec;
	struct json_reader reader = {.dec = &dec, .err = err};
	json_t *root = NULL;
	int rc = decoder_init(&dec, arena, limits, report, err);

	if (!rc && text.len > limits->message_bytes)
		rc = err_set(err, ERR_LIMIT, "profiles request of %zu bytes, the limit is %zu",
			     text.len, limits->message_bytes);
	rc = rc ? rc : json_tree_load(text, &root, err);
	if (rc)
		return rc;
	read_request(&reader, root);
	json_tree_free(root, text);
	return reader.rc ? reader.rc : decoder_finish(&dec, ret, err);
}
