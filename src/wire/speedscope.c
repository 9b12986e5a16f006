/* speedscope files. An evented profile is a walk through time: between two events
 * the open frames burn. */
#include "wire/speedscope.h"

#include <math.h>

#include "wire/intake.h"
#include "wire/json_load.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

struct reader {
	struct wire_sink *sink;
	struct profile_scope *scope;
	const json_t *frames; /* shared */
	uint32_t *locations;  /* of the frames, + 1; 0: not made yet */
	struct intake_path path;
	double scale; /* of a value of the profile at work */
	struct speedscope_profile *list;
	size_t count;
};

static struct str text_of(const json_t *json)
{
	const char *text = json_string_value(json);

	return text ? str_make(text, json_string_length(json)) : STR("");
}

/* ---- frames ---- */

static int make_location(struct reader *r, size_t index, struct err *err)
{
	const json_t *frame = json_array_get(r->frames, index);
	const json_t *line = json_object_get(frame, "line");
	int64_t number = json_is_integer(line) ? json_integer_value(line) : 0;
	uint32_t location;
	int rc = intake_rows(r->sink, 1, err);

	rc = rc ? rc
		: intake_named(r->sink, text_of(json_object_get(frame, "name")),
			       text_of(json_object_get(frame, "file")), number > 0 ? number : 0,
			       &location, err);
	if (!rc)
		r->locations[index] = location + 1;
	return rc;
}

static int find_frame(struct reader *r, const json_t *json, size_t *ret, struct err *err)
{
	json_int_t index = json_is_integer(json) ? json_integer_value(json) : -1;
	size_t count = json_array_size(r->frames);

	if (index < 0 || (size_t)index >= count)
		return err_set(err, ERR_INVALID, "frame %lld is outside the list of %zu",
			       (long long)index, count);
	*ret = (size_t)index;
	return r->locations[index] ? 0 : make_location(r, (size_t)index, err);
}

static int push_frame(struct reader *r, const json_t *json, struct err *err)
{
	size_t index;
	int rc = find_frame(r, json, &index, err);

	return rc ? rc : intake_push(r->sink, &r->path, r->locations[index] - 1, err);
}

/* ---- samples ---- */

static int64_t scaled(const struct reader *r, double value)
{
	double result = round(value * r->scale);

	return result < 9.2e18 ? (int64_t)result : INT64_MAX;
}

static int add_path(struct reader *r, struct profile *profile, double value, struct err *err)
{
	int64_t number = scaled(r, value);
	uint32_t stack;
	int rc;

	if (number == 0 || r->path.count == 0)
		return 0;
	rc = intake_rows(r->sink, r->path.count, err);
	rc = rc ? rc : intake_stack(r->sink, &r->path, &stack, err);
	return rc ? rc : intake_value(r->sink, profile, stack, number, err);
}

static int read_sampled(struct reader *r, const json_t *json, struct profile *profile,
			struct err *err)
{
	const json_t *samples = json_object_get(json, "samples");
	const json_t *weights = json_object_get(json, "weights");
	size_t count = json_array_size(samples);
	int rc = 0;

	if (json_array_size(weights) != count)
		return err_set(err, ERR_INVALID, "%zu samples and %zu weights", count,
			       json_array_size(weights));
	for (size_t i = 0; i < count && !rc; i++) {
		const json_t *stack = json_array_get(samples, i);
		double weight = json_number_value(json_array_get(weights, i));
		if (!(weight >= 0))
			return err_set(err, ERR_INVALID, "weight %zu is negative", i);
		r->path.count = 0;
		for (size_t k = 0; k < json_array_size(stack) && !rc; k++)
			rc = push_frame(r, json_array_get(stack, k), err);
		rc = rc ? rc : add_path(r, profile, weight, err);
	}
	return rc;
}

static int close_frame(struct reader *r, const json_t *frame, struct err *err)
{
	size_t index;
	int rc = find_frame(r, frame, &index, err);

	if (rc)
		return rc;
	if (r->path.count == 0 || r->path.items[r->path.count - 1] != r->locations[index] - 1)
		return err_set(err, ERR_INVALID, "frame %zu closes and is not the innermost",
			       index);
	r->path.count--;
	return 0;
}

static int read_event(struct reader *r, const json_t *event, double *last, struct profile *profile,
		      struct err *err)
{
	double at = json_number_value(json_object_get(event, "at"));
	struct str type = text_of(json_object_get(event, "type"));
	const json_t *frame = json_object_get(event, "frame");
	int rc;

	if (!(at >= *last))
		return err_set(err, ERR_INVALID, "is at %g, before the one before it", at);
	rc = add_path(r, profile, at - *last, err);
	*last = at;
	if (rc)
		return rc;
	if (str_equal(type, STR("O")))
		return push_frame(r, frame, err);
	if (str_equal(type, STR("C")))
		return close_frame(r, frame, err);
	return err_set(err, ERR_INVALID, "has type \"%.*s\"; there are O and C",
		       STR_ARG(str_sub(type, 0, 40)));
}

static int read_evented(struct reader *r, const json_t *json, struct profile *profile,
			struct err *err)
{
	const json_t *events = json_object_get(json, "events");
	double last = json_number_value(json_object_get(json, "startValue"));
	int rc = 0;

	r->path.count = 0;
	for (size_t i = 0; i < json_array_size(events) && !rc; i++) {
		rc = read_event(r, json_array_get(events, i), &last, profile, err);
		if (rc)
			err_wrap(err, "event %zu", i);
	}
	return rc;
}

/* ---- profiles ---- */

static int read_unit(struct reader *r, const json_t *json, enum speedscope_unit *ret,
		     struct err *err)
{
	static const struct {
		const char *name;
		enum speedscope_unit unit;
		double scale;
	} units[] = {
		{"none", SPEEDSCOPE_NONE, 1},		{"bytes", SPEEDSCOPE_BYTES, 1},
		{"nanoseconds", SPEEDSCOPE_TIME, 1},	{"microseconds", SPEEDSCOPE_TIME, 1e3},
		{"milliseconds", SPEEDSCOPE_TIME, 1e6}, {"seconds", SPEEDSCOPE_TIME, 1e9},
	};
	struct str unit = text_of(json_object_get(json, "unit"));

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_equal(unit, str_of(units[i].name))) {
			*ret = units[i].unit;
			r->scale = units[i].scale;
			return 0;
		}
	return err_set(err, ERR_INVALID, "unit \"%.*s\" is not known",
		       STR_ARG(str_sub(unit, 0, 40)));
}

static int read_profile(struct reader *r, const json_t *json, struct profile *profile,
			struct err *err)
{
	struct speedscope_profile *about = &r->list[r->count];
	struct str type = text_of(json_object_get(json, "type"));
	int rc = read_unit(r, json, &about->unit, err);

	if (rc)
		return rc;
	about->name = arena_str(r->sink->batch->arena, text_of(json_object_get(json, "name")));
	if (!about->name.ptr)
		return intake_no_memory(err);
	if (str_equal(type, STR("sampled")))
		return read_sampled(r, json, profile, err);
	if (str_equal(type, STR("evented")))
		return read_evented(r, json, profile, err);
	return err_set(err, ERR_INVALID,
		       "type \"%.*s\" is not known; there are sampled and evented",
		       STR_ARG(str_sub(type, 0, 40)));
}

static int read_profiles(struct reader *r, const json_t *profiles, struct err *err)
{
	size_t before = r->scope->profile_count;
	int rc = 0;

	for (size_t i = 0; i < json_array_size(profiles) && !rc; i++) {
		struct profile profile = {0};
		rc = read_profile(r, json_array_get(profiles, i), &profile, err);
		if (rc)
			err_wrap(err, "speedscope: profile %zu", i);
		r->list[r->count++].profile = r->scope->profile_count;
		rc = rc ? rc : intake_finish(r->sink, r->scope, &profile, err);
	}
	if (rc)
		r->scope->profile_count = before;
	return rc;
}

static int read_file(struct reader *r, const json_t *root, struct err *err)
{
	const json_t *profiles = json_object_get(root, "profiles");
	size_t count = json_array_size(profiles);
	struct arena *arena = r->sink->batch->arena;

	if (!str_equal(text_of(json_object_get(root, "$schema")), STR(SCHEMA)))
		return err_set(err, ERR_INVALID, "speedscope: $schema is not " SCHEMA);
	if (count == 0)
		return err_set(err, ERR_INVALID, "speedscope: no profiles");
	r->frames = json_object_get(json_object_get(root, "shared"), "frames");
	r->locations = arena_zalloc(arena, json_array_size(r->frames), sizeof(*r->locations));
	r->list = arena_zalloc(arena, count, sizeof(*r->list));
	if (!r->locations || !r->list)
		return intake_no_memory(err);
	return read_profiles(r, profiles, err);
}

int wire_speedscope(struct str text, struct wire_sink *sink, struct profile_scope *scope,
		    struct speedscope_profile **ret, size_t *ret_count, struct err *err)
{
	struct reader reader = {.sink = sink, .scope = scope};
	json_t *root = NULL;
	int rc = json_tree_load(text, &root, err);

	if (rc) {
		err_wrap(err, "speedscope");
		return rc;
	}
	rc = read_file(&reader, root, err);
	json_tree_free(root, text);
	if (rc)
		return rc;
	*ret = reader.list;
	*ret_count = reader.count;
	return 0;
}
