#include "wire/intake.h"

#include "wire/decode.h"

int intake_no_memory(struct err *err)
{
	return decoder_no_memory(err);
}

static int take(uint64_t *taken, uint64_t count, uint64_t limit, const char *what, struct err *err)
{
	if (count > limit || *taken > limit - count)
		return err_set(err, ERR_LIMIT, "more than %llu %s in one request",
			       (unsigned long long)limit, what);
	*taken += count;
	return 0;
}

int intake_rows(struct wire_sink *sink, uint64_t count, struct err *err)
{
	return take(&sink->rows, count, sink->limits->rows, "functions, locations and frames", err);
}

int intake_samples(struct wire_sink *sink, uint64_t count, struct err *err)
{
	return take(&sink->samples, count, sink->limits->samples, "samples", err);
}

int intake_part(struct wire_sink *sink, struct err *err)
{
	return take(&sink->parts, 1, sink->limits->parts, "series and profiles", err);
}

int intake_string(struct wire_sink *sink, struct str text, uint32_t *ret, struct err *err)
{
	if (!str_is_utf8(text)) {
		text = decoder_text(sink->batch->arena, text);
		if (!text.ptr)
			return intake_no_memory(err);
	}
	return profile_string(sink->batch, text, ret, err);
}

int intake_named(struct wire_sink *sink, struct str name, struct str file, int64_t line,
		 uint32_t *ret_location, struct err *err)
{
	struct profile_function function = {0};
	struct profile_line row = {.line = line};
	const struct profile_location location = {.line_count = 1, .lines = &row};
	int rc = intake_string(sink, name, &function.name, err);

	if (file.len > 0)
		rc = rc ? rc : intake_string(sink, file, &function.filename, err);
	rc = rc ? rc : profile_function(sink->batch, &function, &row.function, err);
	return rc ? rc : profile_location(sink->batch, &location, ret_location, err);
}

int intake_push(struct wire_sink *sink, struct intake_path *path, uint32_t location,
		struct err *err)
{
	uint32_t *grown = arena_grow(sink->batch->arena, path->items, &path->cap, path->count + 1,
				     sizeof(*grown));

	if (!grown)
		return intake_no_memory(err);
	path->items = grown;
	grown[path->count++] = location;
	return 0;
}

static void turn_round(uint32_t *items, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		uint32_t other = items[i];
		items[i] = items[count - 1 - i];
		items[count - 1 - i] = other;
	}
}

int intake_stack(struct wire_sink *sink, const struct intake_path *path, uint32_t *ret,
		 struct err *err)
{
	int rc;

	turn_round(path->items, path->count);
	rc = profile_stack(sink->batch, path->items, (uint32_t)path->count, ret, err);
	turn_round(path->items, path->count);
	return rc;
}

int intake_value(struct wire_sink *sink, struct profile *profile, uint32_t stack, int64_t value,
		 struct err *err)
{
	struct profile_sample *sample;
	int rc = intake_samples(sink, 1, err);

	rc = rc ? rc : profile_sample_add(sink->batch, profile, &sample, err);
	if (rc)
		return rc;
	sample->stack = stack;
	return profile_sample_value(sink->batch, sample, value, err);
}

int intake_finish(struct wire_sink *sink, struct profile_scope *scope,
		  const struct profile *profile, struct err *err)
{
	struct profile *row;
	int rc = intake_part(sink, err);

	rc = rc ? rc : profile_add(sink->batch, scope, &row, err);
	if (!rc)
		*row = *profile;
	return rc;
}
