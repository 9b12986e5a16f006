/* Walks what a profile can reach in the dictionary: sample → stack → location →
 * mapping, lines → function → strings, and attributes. A checker marks rows that
 * were found good, so that a batch of a thousand profiles over one dictionary
 * looks at each row once. */
#include "profile/profile.h"

struct profile_checker {
	const struct profile_dict *dict;
	/* One byte a row, or NULL where nothing is remembered. */
	uint8_t *good_stacks, *good_locations;
};

static int out_of_range(struct err *err, const char *what, uint32_t index, uint32_t count)
{
	if (index == UINT32_MAX) /* a decoder's: the number as sent was none of a table's */
		return err_set(err, ERR_INVALID, "%s index is outside its table", what);
	return err_set(err, ERR_INVALID, "%s index %u is outside the table of %u", what, index,
		       count);
}

static int check_string(const struct profile_dict *dict, uint32_t string, struct err *err)
{
	uint32_t count = strtab_count(dict->strings);

	return string < count ? 0 : out_of_range(err, "string", string, count);
}

static int check_attr(const struct profile_dict *dict, uint32_t index, struct err *err)
{
	if (index >= dict->attribute_count)
		return out_of_range(err, "attribute", index, dict->attribute_count);
	const struct profile_attribute *row = &dict->attributes[index];
	int rc = check_string(dict, row->key, err);
	if (rc || (rc = check_string(dict, row->unit, err)))
		return rc;
	/* Index 0 is "not set", which is harmless. */
	if (index != 0 && strtab_get(dict->strings, row->key).len == 0)
		return err_set(err, ERR_INVALID, "attribute %u has no key", index);
	return 0;
}

static int check_attrs(const struct profile_dict *dict, const uint32_t *attrs, uint32_t count,
		       struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < count && !rc; i++)
		rc = check_attr(dict, attrs[i], err);
	return rc;
}

static int check_mapping(const struct profile_dict *dict, uint32_t index, struct err *err)
{
	if (index >= dict->mapping_count)
		return out_of_range(err, "mapping", index, dict->mapping_count);
	const struct profile_mapping *row = &dict->mappings[index];
	int rc = check_string(dict, row->filename, err);
	return rc ? rc : check_attrs(dict, row->attrs, row->attr_count, err);
}

static int check_function(const struct profile_dict *dict, uint32_t index, struct err *err)
{
	if (index >= dict->function_count)
		return out_of_range(err, "function", index, dict->function_count);
	const struct profile_function *row = &dict->functions[index];
	int rc = check_string(dict, row->name, err);
	rc = rc ? rc : check_string(dict, row->system_name, err);
	return rc ? rc : check_string(dict, row->filename, err);
}

static int check_location_row(const struct profile_dict *dict, const struct profile_location *row,
			      struct err *err)
{
	int rc = check_mapping(dict, row->mapping, err);

	for (uint32_t i = 0; i < row->line_count && !rc; i++)
		rc = check_function(dict, row->lines[i].function, err);
	return rc ? rc : check_attrs(dict, row->attrs, row->attr_count, err);
}

static int check_location(struct profile_checker *checker, uint32_t index, struct err *err)
{
	const struct profile_dict *dict = checker->dict;
	int rc;

	if (index >= dict->location_count)
		return out_of_range(err, "location", index, dict->location_count);
	if (checker->good_locations && checker->good_locations[index])
		return 0;
	rc = check_location_row(dict, &dict->locations[index], err);
	if (rc)
		err_wrap(err, "location %u", index);
	else if (checker->good_locations)
		checker->good_locations[index] = 1;
	return rc;
}

static int check_stack(struct profile_checker *checker, uint32_t index, struct err *err)
{
	const struct profile_dict *dict = checker->dict;
	int rc = 0;

	if (index >= dict->stack_count)
		return out_of_range(err, "stack", index, dict->stack_count);
	if (checker->good_stacks && checker->good_stacks[index])
		return 0;
	const struct profile_stack *row = &dict->stacks[index];
	for (uint32_t i = 0; i < row->count && !rc; i++)
		rc = check_location(checker, row->locations[i], err);
	if (rc)
		err_wrap(err, "stack %u", index);
	else if (checker->good_stacks)
		checker->good_stacks[index] = 1;
	return rc;
}

/* "At least one of values / timestamps; if both, same length" (profiles.proto, Sample). */
static int check_shape(const struct profile_sample *sample, struct err *err)
{
	if (sample->value_count == 0 && sample->time_count == 0)
		return err_set(err, ERR_INVALID, "neither values nor timestamps");
	if (sample->value_count && sample->time_count && sample->value_count != sample->time_count)
		return err_set(err, ERR_INVALID, "%u values but %u timestamps", sample->value_count,
			       sample->time_count);
	return 0;
}

static int check_sample(struct profile_checker *checker, const struct profile_sample *sample,
			struct err *err)
{
	const struct profile_dict *dict = checker->dict;
	int rc = check_shape(sample, err);

	rc = rc ? rc : check_stack(checker, sample->stack, err);
	if (!rc && sample->link >= dict->link_count)
		rc = out_of_range(err, "link", sample->link, dict->link_count);
	return rc ? rc : check_attrs(dict, sample->attrs, sample->attr_count, err);
}

int profile_checker_run(struct profile_checker *checker, const struct profile *profile,
			struct err *err)
{
	const struct profile_dict *dict = checker->dict;
	int rc = check_string(dict, profile->sample_type.type, err);

	rc = rc ? rc : check_string(dict, profile->sample_type.unit, err);
	rc = rc ? rc : check_string(dict, profile->period_type.type, err);
	rc = rc ? rc : check_string(dict, profile->period_type.unit, err);
	rc = rc ? rc : check_attrs(dict, profile->attrs, profile->attr_count, err);
	for (size_t i = 0; i < profile->sample_count && !rc; i++) {
		rc = check_sample(checker, &profile->samples[i], err);
		if (rc)
			err_wrap(err, "sample %zu", i);
	}
	return rc;
}

int profile_checker_create(struct arena *arena, const struct profile_dict *dict,
			   struct profile_checker **ret, struct err *err)
{
	struct profile_checker *checker = arena_zalloc(arena, 1, sizeof(*checker));

	if (checker) {
		checker->dict = dict;
		checker->good_stacks = arena_zalloc(arena, dict->stack_count, 1);
		checker->good_locations = arena_zalloc(arena, dict->location_count, 1);
	}
	if (!checker || !checker->good_stacks || !checker->good_locations)
		return err_set(err, ERR_NOMEM, "profile: no memory to check a dictionary");
	*ret = checker;
	return 0;
}

int profile_check(const struct profile_dict *dict, const struct profile *profile, struct err *err)
{
	struct profile_checker checker = {.dict = dict};

	return profile_checker_run(&checker, profile, err);
}

static uint64_t sample_total(const struct profile_sample *sample, uint64_t *events)
{
	uint64_t total = sample->time_count;

	*events +=
		sample->time_count > sample->value_count ? sample->time_count : sample->value_count;
	if (sample->value_count == 0)
		return total;
	total = 0;
	for (uint32_t i = 0; i < sample->value_count; i++)
		total += (uint64_t)sample->values[i];
	return total;
}

uint64_t profile_total(const struct profile *profile, uint64_t *ret_events)
{
	uint64_t events = 0, total = 0;

	for (size_t i = 0; i < profile->sample_count; i++)
		total += sample_total(&profile->samples[i], &events);
	if (ret_events)
		*ret_events = events;
	return total;
}
