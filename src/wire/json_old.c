/* Follows the tables of old_fields.c, by name. */
#include "wire/json_old.h"

/* One member to be read, and where to. */
struct place {
	struct json_reader *r;
	const json_t *object, *member;
	const struct old_field *rule;
	const struct old_message *message;
	void *at;
};

static void read_object(struct json_reader *r, const json_t *object,
			const struct old_message *message, void *row);

/* Of 64 bits, with a sign or without. */
static uint64_t number(struct json_reader *r, const json_t *json, const char *name)
{
	bool negative = json_is_string(json) && json_string_value(json)[0] == '-';

	return jr_number(r, json, name, negative || json_is_integer(json));
}

static uint64_t enum_number(struct json_reader *r, const json_t *json, const char *name)
{
	if (json_is_string(json) && strncmp(json_string_value(json), "BUILD_ID_", 9) == 0)
		return strcmp(json_string_value(json), "BUILD_ID_BINARY_HASH") == 0;
	return number(r, json, name);
}

static void read_indices(const struct place *p)
{
	struct index_list *list = p->at;
	uint32_t count;

	list->items = (uint32_t *)(uintptr_t)jr_indices(p->r, p->object, p->rule->name, &count);
	list->count = count;
	list->cap = count;
}

static void read_numbers(const struct place *p)
{
	struct old_numbers *list = p->at;
	size_t count;
	const json_t *array = jr_list(p->r, p->object, p->rule->name, &count);

	list->items = count ? arena_zalloc(p->r->dec->arena, count, sizeof(*list->items)) : NULL;
	if (count && !list->items) {
		jr_out_of_memory(p->r);
		return;
	}
	list->count = (uint32_t)count;
	list->cap = count;
	for (size_t i = 0; i < count && !p->r->rc; i++)
		list->items[i] = number(p->r, json_array_get(array, i), p->rule->name);
}

static void read_pair(struct json_reader *r, const json_t *json, struct key_value *pair)
{
	pair->key = jr_text(r, json, "key");
	pair->value = jr_any(r, jr_member(json, "value"));
}

static void read_view(struct json_reader *r, const json_t *json, const char *name, struct str *view)
{
	if (json_is_string(json))
		*view = str_make(json_string_value(json), json_string_length(json));
	else
		jr_complain(r, name, "text");
}

static size_t row_bytes(const struct old_field *rule)
{
	return rule->kind == OLD_STRINGS ? sizeof(struct str)
	       : rule->kind == OLD_PAIRS ? sizeof(struct key_value)
					 : rule->inner->row_bytes;
}

static void read_rows(const struct place *p)
{
	struct json_reader *r = p->r;
	size_t count;
	const json_t *array = jr_list(r, p->object, p->rule->name, &count);

	for (size_t i = 0; i < count && !r->rc; i++) {
		const json_t *json = json_array_get(array, i);
		void *row;
		r->rc = old_rows_add(r->dec, p->at, (uint32_t)(count - i), row_bytes(p->rule),
				     p->rule->name, &row, r->err);
		if (r->rc)
			return;
		if (p->rule->kind == OLD_STRINGS)
			read_view(r, json, p->rule->name, row);
		else if (p->rule->kind == OLD_PAIRS)
			read_pair(r, json, row);
		else
			read_object(r, json, p->rule->inner, row);
	}
}

static void note_later(const struct place *p)
{
	struct old_later *later = p->at;
	size_t count;
	const json_t *array = jr_list(p->r, p->object, p->rule->name, &count);

	later->where = array;
	later->count = count;
	for (size_t i = 0; i < count; i++)
		later->size += json_array_size(jr_member(json_array_get(array, i), "value"));
}

static void read_member(const struct place *p)
{
	const char *name = p->rule->name;

	switch ((enum old_kind)p->rule->kind) {
	case OLD_NONE:
		break;
	case OLD_BOOL:
		*(uint64_t *)p->at = json_is_boolean(p->member) ? json_is_true(p->member)
								: number(p->r, p->member, name);
		break;
	case OLD_NUMBER:
	case OLD_FIXED:
		*(uint64_t *)p->at = number(p->r, p->member, name);
		break;
	case OLD_ENUM:
		*(uint64_t *)p->at = enum_number(p->r, p->member, name);
		break;
	case OLD_PRESENT:
		*(struct old_optional *)p->at =
			(struct old_optional){number(p->r, p->member, name), true};
		break;
	case OLD_INDICES:
		read_indices(p);
		break;
	case OLD_NUMBERS:
	case OLD_SIGNED:
		read_numbers(p);
		break;
	case OLD_TEXT:
		*(struct str *)p->at = jr_text(p->r, p->object, name);
		break;
	case OLD_BYTES:
		*(struct str *)p->at = jr_bytes(p->r, p->object, name);
		break;
	case OLD_ID8:
		jr_id(p->r, p->object, name, p->at, 8);
		break;
	case OLD_ID16:
		jr_id(p->r, p->object, name, p->at, 16);
		break;
	case OLD_STRINGS:
	case OLD_PAIRS:
	case OLD_ROWS:
		read_rows(p);
		break;
	case OLD_ROW:
		read_object(p->r, p->member, p->rule->inner, p->at);
		break;
	case OLD_LATER:
		note_later(p);
	}
}

/* Depth is that of the tables. */
static void read_object(struct json_reader *r, const json_t *object,
			const struct old_message *message, void *row)
{
	for (uint32_t i = 0; i < message->count && !r->rc; i++) {
		const struct old_field *rule = &message->fields[i];
		const json_t *member = rule->kind ? jr_member(object, rule->name) : NULL;
		struct place place = {r, object, member, rule, message, (char *)row + rule->offset};
		if (member)
			read_member(&place);
	}
}

void json_old_tables(struct json_reader *r, const json_t *root)
{
	struct decoder *dec = r->dec;
	struct old_tables *tables = arena_zalloc(dec->arena, 1, sizeof(*tables));
	struct old_dict raw = {0};

	if (!tables)
		jr_out_of_memory(r);
	if (!dec->old->request || r->rc)
		return;
	read_object(r, root, dec->old->request, &raw);
	if (!r->rc)
		r->rc = old_tables_make(dec, &raw, dec->old->first_mapping, tables, r->err);
	dec->old_tables = tables;
}

static int each_sample(void *user, const struct old_later *samples, old_sample_fn *fn,
		       struct old_job *job, struct err *err)
{
	struct json_reader *r = user;

	for (size_t i = 0; i < samples->count; i++) {
		struct old_sample sample = {0};
		int rc;
		read_object(r, json_array_get(samples->where, i), r->dec->old->sample, &sample);
		rc = r->rc ? r->rc : fn(job, &sample, err);
		if (rc)
			return rc;
	}
	return 0;
}

void json_old_profile(struct json_reader *r, const json_t *json, struct profile_scope *scope)
{
	struct old_profile raw = {0};

	read_object(r, json, r->dec->old->profile, &raw);
	if (!r->rc)
		r->rc = old_profile_add(r->dec, scope, &raw, each_sample, r, r->err);
}

/* ---- which layout ---- */

static bool has(const json_t *object, const char *name)
{
	return jr_member(object, name) != NULL;
}

static bool has_tables(const json_t *object)
{
	return has(object, "stringTable") || has(object, "mappingTable") ||
	       has(object, "locationTable") || has(object, "functionTable");
}

/* NONE: the profile does not tell. */
static enum wire_layout profile_layout(const json_t *profile, bool dictionary)
{
	enum wire_layout older = dictionary ? WIRE_LAYOUT_D : WIRE_LAYOUT_B;
	const json_t *sample = json_array_get(jr_member(profile, "sample"), 0);

	if (has(profile, "profile"))
		return WIRE_LAYOUT_A;
	if (has_tables(profile))
		return WIRE_LAYOUT_B;
	if (json_is_array(jr_member(profile, "sampleType")) || has(profile, "locationIndices") ||
	    has(profile, "timeNanos") || has(profile, "durationNanos") || has(sample, "value") ||
	    has(sample, "locationsStartIndex") || has(sample, "locationsLength"))
		return older;
	if (sample)
		return WIRE_LAYOUT_E1;
	return has(profile, "samples") ? WIRE_LAYOUT_F : WIRE_LAYOUT_NONE;
}

static enum wire_layout scope_layout(const json_t *scope, bool dictionary)
{
	const json_t *profiles = jr_member(scope, "profiles");
	enum wire_layout layout = WIRE_LAYOUT_NONE;

	for (size_t i = 0; i < json_array_size(profiles) && !layout; i++)
		layout = profile_layout(json_array_get(profiles, i), dictionary);
	return layout;
}

enum wire_layout json_layout(const json_t *root)
{
	const json_t *resources = jr_member(root, "resourceProfiles");
	enum wire_layout layout = WIRE_LAYOUT_NONE;

	if (has_tables(root))
		return WIRE_LAYOUT_C;
	for (size_t r = 0; r < json_array_size(resources) && !layout; r++) {
		const json_t *scopes = jr_member(json_array_get(resources, r), "scopeProfiles");
		for (size_t s = 0; s < json_array_size(scopes) && !layout; s++)
			layout = scope_layout(json_array_get(scopes, s), has(root, "dictionary"));
	}
	return layout ? layout : WIRE_LAYOUT_F;
}
