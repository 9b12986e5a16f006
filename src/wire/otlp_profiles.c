/* Resources, scopes, profiles, samples. Repeated messages are counted before
 * they are read, so that each array is one allocation. */
#include "wire/otlp.h"

enum {
	REQUEST_RESOURCE_PROFILES = 1,
	RESOURCE_PROFILES_RESOURCE = 1,
	RESOURCE_PROFILES_SCOPES = 2,
	RESOURCE_PROFILES_SCHEMA_URL = 3,
	RESOURCE_ATTRIBUTES = 1,
	SCOPE_PROFILES_SCOPE = 1,
	SCOPE_PROFILES_PROFILES = 2,
	SCOPE_PROFILES_SCHEMA_URL = 3,
	PROFILE_SAMPLE_NUMBER = 2, /* in every layout */
	SCOPE_NAME = 1,
	SCOPE_VERSION = 2,
	SCOPE_ATTRIBUTES = 3,
};

static int get_text(struct decoder *dec, const struct pb_field *field, const char *what,
		    struct str *ret, struct err *err)
{
	if (field->type != PB_LEN)
		return otlp_wrong_type(field, what, err);
	*ret = decoder_text(dec->arena, field->bytes);
	return ret->ptr ? 0 : decoder_no_memory(err);
}

static int get_number(const struct pb_field *field, enum pb_type type, const char *what,
		      uint64_t *ret, struct err *err)
{
	*ret = field->value;
	return field->type == type ? 0 : otlp_wrong_type(field, what, err);
}

/* Room for more elements, as for indices. */
static void *reserve(struct decoder *dec, void *array, uint32_t *cap, uint32_t count, uint32_t more)
{
	size_t wide_cap = array ? *cap : more;
	void *grown = array ? arena_grow(dec->arena, array, &wide_cap, count + (size_t)more,
					 sizeof(uint64_t))
			    : arena_alloc(dec->arena, more * sizeof(uint64_t));

	if (grown)
		*cap = (uint32_t)wide_cap;
	return grown;
}

static int add_values(struct decoder *dec, const struct pb_field *field,
		      struct profile_sample *sample, struct err *err)
{
	struct cur c = pb_message(field);
	uint32_t more = field->type == PB_LEN ? pb_packed_count(field->bytes) : 1;
	int64_t *values;

	if (field->type != PB_LEN && field->type != PB_VARINT)
		return otlp_wrong_type(field, "Sample", err);
	values = reserve(dec, sample->values, &sample->value_cap, sample->value_count, more);
	if (!values)
		return decoder_no_memory(err);
	sample->values = values;
	if (field->type == PB_VARINT) {
		values[sample->value_count++] = (int64_t)field->value;
		return 0;
	}
	while (more-- > 0)
		values[sample->value_count++] = (int64_t)pb_varint(&c);
	return cur_ok(&c) && cur_left(&c) == 0 ? 0 : otlp_malformed("Sample", err);
}

static int add_times(struct decoder *dec, const struct pb_field *field,
		     struct profile_sample *sample, struct err *err)
{
	struct cur c = pb_message(field);
	uint32_t more = field->type == PB_LEN ? (uint32_t)(field->bytes.len / sizeof(uint64_t)) : 1;
	uint64_t *times;

	if (field->type != PB_LEN && field->type != PB_FIXED64)
		return otlp_wrong_type(field, "Sample", err);
	times = reserve(dec, sample->times_ns, &sample->time_cap, sample->time_count, more);
	if (!times)
		return decoder_no_memory(err);
	sample->times_ns = times;
	if (field->type == PB_FIXED64) {
		times[sample->time_count++] = field->value;
		return 0;
	}
	while (more-- > 0)
		times[sample->time_count++] = cur_u64le(&c);
	return cur_left(&c) == 0 ? 0 : otlp_malformed("Sample", err);
}

/* Index 0 is "not set" (profiles.proto, ProfilesDictionary), so it is no attribute. */
static void drop_unset(const struct profile_dict *dict, struct index_list *attrs)
{
	uint32_t kept = 0;

	if (dict->attributes[0].key != 0)
		return;
	for (uint32_t i = 0; i < attrs->count; i++)
		if (attrs->items[i] != 0)
			attrs->items[kept++] = attrs->items[i];
	attrs->count = kept;
}

static int decode_sample(struct decoder *dec, struct str bytes, const struct roles *roles,
			 struct profile_sample *sample, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct index_list attrs = {0};
	struct pb_field field;
	uint64_t index;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number >= SAMPLE_NUMBERS)
			continue;
		switch ((enum sample_role)roles->sample[field.number]) {
		case SAMPLE_STACK:
			rc = get_number(&field, PB_VARINT, "Sample", &index, err);
			sample->stack = decoder_index(index);
			break;
		case SAMPLE_LINK:
			rc = get_number(&field, PB_VARINT, "Sample", &index, err);
			sample->link = decoder_index(index);
			break;
		case SAMPLE_ATTRS:
			rc = otlp_indices(dec, &field, "Sample", &attrs, err);
			break;
		case SAMPLE_VALUES:
			rc = add_values(dec, &field, sample, err);
			break;
		case SAMPLE_TIMES:
			rc = add_times(dec, &field, sample, err);
			break;
		case SAMPLE_UNKNOWN:
			break;
		}
	}
	drop_unset(&dec->dict, &attrs);
	sample->attrs = attrs.items;
	sample->attr_count = attrs.count;
	sample->attr_cap = (uint32_t)attrs.cap;
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Sample", err);
}

static int decode_value_type(struct decoder *dec, const struct pb_field *outer,
			     struct value_type *ret, struct err *err)
{
	struct cur c = pb_message(outer);
	struct pb_field field;
	uint64_t index;
	int rc = outer->type == PB_LEN ? 0 : otlp_wrong_type(outer, "Profile", err);

	while (!rc && pb_next(&c, &field)) {
		if (field.number > 2)
			continue;
		rc = get_number(&field, PB_VARINT, "ValueType", &index, err);
		if (field.number == 1)
			ret->type = decoder_string(dec, index);
		else
			ret->unit = decoder_string(dec, index);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("ValueType", err);
}

static int add_sample(struct decoder *dec, const struct pb_field *field, const struct roles *roles,
		      struct profile *profile, struct err *err)
{
	if (field->type != PB_LEN)
		return otlp_wrong_type(field, "Profile", err);
	return decode_sample(dec, field->bytes, roles, &profile->samples[profile->sample_count++],
			     err);
}

static int get_id(const struct pb_field *field, struct profile *profile, struct err *err)
{
	if (field->type != PB_LEN)
		return otlp_wrong_type(field, "Profile", err);
	profile->has_profile_id = field->bytes.len == sizeof(profile->profile_id);
	if (profile->has_profile_id)
		memcpy(profile->profile_id, field->bytes.ptr, sizeof(profile->profile_id));
	return 0;
}

static int get_payload(struct decoder *dec, const struct pb_field *field, struct profile *profile,
		       struct err *err)
{
	if (field->type != PB_LEN)
		return otlp_wrong_type(field, "Profile", err);
	profile->original_payload = arena_str(dec->arena, field->bytes);
	return profile->original_payload.ptr ? 0 : decoder_no_memory(err);
}

static int decode_profile_field(struct decoder *dec, const struct pb_field *field,
				const struct roles *roles, struct profile *profile,
				struct index_list *attrs, struct err *err)
{
	uint64_t value = 0;
	int rc = 0;

	switch ((enum profile_role)roles->profile[field->number]) {
	case PROFILE_SAMPLE_TYPE:
		return decode_value_type(dec, field, &profile->sample_type, err);
	case PROFILE_PERIOD_TYPE:
		return decode_value_type(dec, field, &profile->period_type, err);
	case PROFILE_SAMPLE:
		return add_sample(dec, field, roles, profile, err);
	case PROFILE_TIME:
		return get_number(field, PB_FIXED64, "Profile", &profile->time_ns, err);
	case PROFILE_DURATION:
		return get_number(field, PB_VARINT, "Profile", &profile->duration_ns, err);
	case PROFILE_PERIOD:
		rc = get_number(field, PB_VARINT, "Profile", &value, err);
		profile->period = (int64_t)value;
		return rc;
	case PROFILE_DROPPED:
		rc = get_number(field, PB_VARINT, "Profile", &value, err);
		profile->dropped_attributes = (uint32_t)value;
		return rc;
	case PROFILE_ID:
		return get_id(field, profile, err);
	case PROFILE_FORMAT:
		return get_text(dec, field, "Profile", &profile->original_format, err);
	case PROFILE_PAYLOAD:
		return get_payload(dec, field, profile, err);
	case PROFILE_ATTRS:
		return otlp_indices(dec, field, "Profile", attrs, err);
	case PROFILE_COMMENTS:
	case PROFILE_UNKNOWN:
		break;
	}
	return 0;
}

static int decode_profile(struct decoder *dec, struct str bytes, const struct roles *roles,
			  struct profile *profile, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct index_list attrs = {0};
	struct pb_field field;
	int rc;

	profile->sample_cap = otlp_count_fields(bytes, PROFILE_SAMPLE_NUMBER);
	rc = decoder_samples(dec, profile->sample_cap, &profile->samples, err);
	while (!rc && pb_next(&c, &field))
		if (field.number < PROFILE_NUMBERS)
			rc = decode_profile_field(dec, &field, roles, profile, &attrs, err);
	drop_unset(&dec->dict, &attrs);
	profile->attrs = attrs.items;
	profile->attr_count = attrs.count;
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Profile", err);
}

/* A pair without a key says nothing. */
static int add_attr(struct decoder *dec, const struct pb_field *field, struct key_value **attrs,
		    size_t *count, size_t *cap, struct err *err)
{
	struct key_value pair;
	int rc = field->type == PB_LEN ? any_decode_pair(dec, field->bytes, &pair, err)
				       : otlp_wrong_type(field, "KeyValue", err);

	if (rc)
		return rc;
	if (pair.key.len == 0) {
		dec->report->dropped_attributes++;
		return 0;
	}
	struct key_value *rows = arena_grow(dec->arena, *attrs, cap, *count + 1, sizeof(*rows));
	if (!rows)
		return decoder_no_memory(err);
	rows[(*count)++] = pair;
	*attrs = rows;
	return 0;
}

static int decode_scope(struct decoder *dec, const struct pb_field *outer,
			struct profile_scope *scope, struct err *err)
{
	struct cur c = pb_message(outer);
	struct pb_field field;
	int rc = outer->type == PB_LEN ? 0 : otlp_wrong_type(outer, "ScopeProfiles", err);

	while (!rc && pb_next(&c, &field)) {
		if (field.number == SCOPE_NAME)
			rc = get_text(dec, &field, "InstrumentationScope", &scope->name, err);
		else if (field.number == SCOPE_VERSION)
			rc = get_text(dec, &field, "InstrumentationScope", &scope->version, err);
		else if (field.number == SCOPE_ATTRIBUTES)
			rc = add_attr(dec, &field, &scope->attrs, &scope->attr_count,
				      &scope->attr_cap, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("InstrumentationScope", err);
}

static int add_profile(struct decoder *dec, const struct pb_field *field, const struct roles *roles,
		       struct profile_scope *scope, struct err *err)
{
	struct profile *profile;
	int rc = field->type == PB_LEN ? decoder_part(dec, err)
				       : otlp_wrong_type(field, "ScopeProfiles", err);

	if (!rc && !roles)
		return otlp_old_profile(dec, field->bytes, scope, err);
	rc = rc ? rc : profile_add(dec->batch, scope, &profile, err);
	return rc ? rc : decode_profile(dec, field->bytes, roles, profile, err);
}

static int decode_scope_profiles(struct decoder *dec, struct str bytes, const struct roles *roles,
				 struct profile_scope *scope, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == SCOPE_PROFILES_SCOPE)
			rc = decode_scope(dec, &field, scope, err);
		else if (field.number == SCOPE_PROFILES_PROFILES)
			rc = add_profile(dec, &field, roles, scope, err);
		else if (field.number == SCOPE_PROFILES_SCHEMA_URL)
			rc = get_text(dec, &field, "ScopeProfiles", &scope->schema_url, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("ScopeProfiles", err);
}

static int decode_resource(struct decoder *dec, const struct pb_field *outer,
			   struct profile_resource *resource, struct err *err)
{
	struct cur c = pb_message(outer);
	struct pb_field field;
	int rc = outer->type == PB_LEN ? 0 : otlp_wrong_type(outer, "ResourceProfiles", err);

	while (!rc && pb_next(&c, &field))
		if (field.number == RESOURCE_ATTRIBUTES)
			rc = add_attr(dec, &field, &resource->attrs, &resource->attr_count,
				      &resource->attr_cap, err);
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Resource", err);
}

static int add_scope(struct decoder *dec, const struct pb_field *field, const struct roles *roles,
		     struct profile_resource *resource, struct err *err)
{
	struct profile_scope *scope;
	int rc = field->type == PB_LEN ? decoder_part(dec, err)
				       : otlp_wrong_type(field, "ResourceProfiles", err);

	rc = rc ? rc : profile_scope_add(dec->batch, resource, &scope, err);
	return rc ? rc : decode_scope_profiles(dec, field->bytes, roles, scope, err);
}

static int decode_resource_profiles(struct decoder *dec, struct str bytes,
				    const struct roles *roles, struct profile_resource *resource,
				    struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == RESOURCE_PROFILES_RESOURCE)
			rc = decode_resource(dec, &field, resource, err);
		else if (field.number == RESOURCE_PROFILES_SCOPES)
			rc = add_scope(dec, &field, roles, resource, err);
		else if (field.number == RESOURCE_PROFILES_SCHEMA_URL)
			rc = get_text(dec, &field, "ResourceProfiles", &resource->schema_url, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("ResourceProfiles", err);
}

int otlp_resources_decode(struct decoder *dec, struct str request, const struct roles *roles,
			  struct err *err)
{
	struct cur c = cur_make(request.ptr, request.len);
	struct profile_resource *resource;
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number != REQUEST_RESOURCE_PROFILES)
			continue;
		if (field.type != PB_LEN)
			return otlp_wrong_type(&field, "ExportProfilesServiceRequest", err);
		rc = decoder_part(dec, err);
		rc = rc ? rc : profile_resource_add(dec->batch, &resource, err);
		rc = rc ? rc : decode_resource_profiles(dec, field.bytes, roles, resource, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("ExportProfilesServiceRequest", err);
}
