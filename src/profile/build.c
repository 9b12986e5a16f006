/* Appending to a batch. Every array doubles in the arena, so that a batch of n
 * samples costs at most 2n of them. */
#include "profile/profile.h"

/* One zeroed element more at the end of an array, or NULL. */
static void *append(struct arena *arena, void *array, size_t *count, size_t *cap, size_t elem_bytes)
{
	char *grown = arena_grow(arena, array, cap, *count + 1, elem_bytes);

	if (grown)
		memset(grown + (*count)++ * elem_bytes, 0, elem_bytes);
	return grown;
}

static int no_memory(struct err *err, const char *what)
{
	return err_set(err, ERR_NOMEM, "profile: no memory for a %s", what);
}

int profile_resource_add(struct profile_batch *batch, struct profile_resource **ret,
			 struct err *err)
{
	struct profile_resource *rows =
		append(batch->arena, batch->resources, &batch->resource_count, &batch->resource_cap,
		       sizeof(*rows));

	if (!rows)
		return no_memory(err, "resource");
	batch->resources = rows;
	*ret = &rows[batch->resource_count - 1];
	return 0;
}

static int add_attr(struct arena *arena, struct key_value **attrs, size_t *count, size_t *cap,
		    struct str key, const struct value *value, struct err *err)
{
	struct key_value row = {.key = arena_str(arena, key), .value = *value};
	struct key_value *rows;

	row.value.text = arena_str(arena, value->text);
	if (!row.key.ptr || !row.value.text.ptr)
		return no_memory(err, "attribute");
	rows = append(arena, *attrs, count, cap, sizeof(*rows));
	if (!rows)
		return no_memory(err, "attribute");
	rows[*count - 1] = row;
	*attrs = rows;
	return 0;
}

int profile_resource_attr(struct profile_batch *batch, struct profile_resource *resource,
			  struct str key, const struct value *value, struct err *err)
{
	return add_attr(batch->arena, &resource->attrs, &resource->attr_count, &resource->attr_cap,
			key, value, err);
}

int profile_scope_attr(struct profile_batch *batch, struct profile_scope *scope, struct str key,
		       const struct value *value, struct err *err)
{
	return add_attr(batch->arena, &scope->attrs, &scope->attr_count, &scope->attr_cap, key,
			value, err);
}

int profile_scope_add(struct profile_batch *batch, struct profile_resource *resource,
		      struct profile_scope **ret, struct err *err)
{
	struct profile_scope *rows = append(batch->arena, resource->scopes, &resource->scope_count,
					    &resource->scope_cap, sizeof(*rows));

	if (!rows)
		return no_memory(err, "scope");
	resource->scopes = rows;
	*ret = &rows[resource->scope_count - 1];
	return 0;
}

int profile_add(struct profile_batch *batch, struct profile_scope *scope, struct profile **ret,
		struct err *err)
{
	struct profile *rows = append(batch->arena, scope->profiles, &scope->profile_count,
				      &scope->profile_cap, sizeof(*rows));

	if (!rows)
		return no_memory(err, "profile");
	scope->profiles = rows;
	*ret = &rows[scope->profile_count - 1];
	return 0;
}

int profile_sample_add(struct profile_batch *batch, struct profile *profile,
		       struct profile_sample **ret, struct err *err)
{
	struct profile_sample *rows = append(batch->arena, profile->samples, &profile->sample_count,
					     &profile->sample_cap, sizeof(*rows));

	if (!rows)
		return no_memory(err, "sample");
	profile->samples = rows;
	*ret = &rows[profile->sample_count - 1];
	return 0;
}

/* Room in an array that counts in 32 bits, as samples do: there are many of them. */
static void *grow32(struct arena *arena, void *array, uint32_t *cap, uint32_t count,
		    size_t elem_bytes)
{
	size_t wide_cap = *cap;
	void *grown;

	if (array && count < *cap)
		return array;
	if (count >= UINT32_MAX / 2)
		return NULL;
	grown = arena_grow(arena, array, &wide_cap, count + (size_t)1, elem_bytes);
	if (grown)
		*cap = (uint32_t)wide_cap;
	return grown;
}

int profile_sample_attr(struct profile_batch *batch, struct profile_sample *sample,
			uint32_t attribute, struct err *err)
{
	uint32_t *grown = grow32(batch->arena, sample->attrs, &sample->attr_cap, sample->attr_count,
				 sizeof(*grown));

	if (!grown)
		return no_memory(err, "sample attribute");
	sample->attrs = grown;
	grown[sample->attr_count++] = attribute;
	return 0;
}

int profile_sample_value(struct profile_batch *batch, struct profile_sample *sample, int64_t value,
			 struct err *err)
{
	int64_t *grown = grow32(batch->arena, sample->values, &sample->value_cap,
				sample->value_count, sizeof(*grown));

	if (!grown)
		return no_memory(err, "sample value");
	sample->values = grown;
	grown[sample->value_count++] = value;
	return 0;
}

int profile_sample_time(struct profile_batch *batch, struct profile_sample *sample,
			uint64_t time_ns, struct err *err)
{
	uint64_t *grown = grow32(batch->arena, sample->times_ns, &sample->time_cap,
				 sample->time_count, sizeof(*grown));

	if (!grown)
		return no_memory(err, "sample time");
	sample->times_ns = grown;
	grown[sample->time_count++] = time_ns;
	return 0;
}
