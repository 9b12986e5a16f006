#include "config/scalar.h"

#include <assert.h>

#include "base/clock.h"
#include "config/values.h"

struct set {
	const struct config_row *row;
	struct arena *arena;
	struct str text;
	enum config_source source;
	void *field;
	struct err *err;
};

bool config_is_scalar(enum config_type type)
{
	return type <= CONFIG_STRING_MAP;
}

/* ---- what is expected ---- */

static void put_limit(const struct config_row *row, double limit, struct buf *out)
{
	if (row->type == CONFIG_DURATION)
		config_put_duration(out, (int64_t)(limit * NS_PER_S));
	else if (row->type == CONFIG_SIZE)
		config_put_size(out, (uint64_t)limit);
	else
		buf_printf(out, "%.15g", limit);
}

static bool has_range(const struct config_row *row)
{
	return row->min != 0 || row->max != 0;
}

static bool is_counted(const struct config_row *row)
{
	return row->type == CONFIG_STRINGS || row->type == CONFIG_STRING_MAP ||
	       row->type == CONFIG_SECTIONS || row->type == CONFIG_NAMED;
}

static void put_range(const struct config_row *row, struct buf *out)
{
	if (!has_range(row))
		return;
	if (is_counted(row)) {
		buf_printf(out, " of %.15g to %.15g entries", row->min,
			   row->max > 0 ? row->max : (double)CONFIG_NODES_MAX);
		return;
	}
	if (row->max == 0 || row->max < row->min) {
		buf_cstr(out, " of at least ");
		put_limit(row, row->min, out);
		return;
	}
	buf_cstr(out, " from ");
	put_limit(row, row->min, out);
	buf_cstr(out, " to ");
	put_limit(row, row->max, out);
}

static void put_choices(const struct config_row *row, struct buf *out)
{
	buf_cstr(out, "one of ");
	for (size_t i = 0; row->choices[i]; i++)
		buf_printf(out, "%s%s", i ? ", " : "",
			   row->choices[i][0] ? row->choices[i] : "\"\"");
}

void config_put_limits(const struct config_row *row, struct buf *out)
{
	if (row->type == CONFIG_ENUM) {
		put_choices(row, out);
		return;
	}
	put_range(row, out);
	if (row->unit)
		buf_printf(out, " %s", row->unit);
}

void config_put_expected(const struct config_row *row, struct buf *out)
{
	static const char *const names[] = {
		[CONFIG_BOOL] = "true or false",
		[CONFIG_INT] = "a whole number",
		[CONFIG_UINT] = "a whole number",
		[CONFIG_FLOAT] = "a number",
		[CONFIG_STRING] = "text",
		[CONFIG_DURATION] = "a duration such as 250ms or 1h30m",
		[CONFIG_SIZE] = "a size such as 64MiB",
		[CONFIG_STRINGS] = "a list of texts",
		[CONFIG_STRING_MAP] = "a map of texts",
		[CONFIG_SECTION] = "a map",
		[CONFIG_SECTIONS] = "a list of maps",
		[CONFIG_NAMED] = "a map of maps",
		[CONFIG_TREE] = "any value",
		[CONFIG_CUSTOM] = "a value",
		[CONFIG_IGNORED] = "any value",
	};

	if (row->type != CONFIG_ENUM)
		buf_cstr(out, names[row->type]);
	config_put_limits(row, out);
}

/* The sentence for a value that cannot be taken. */
static int refuse(const struct set *s, const char *why)
{
	struct buf expected = {0};
	struct str shown = s->row->secret ? STR("the value") : s->text;
	const char *quote = s->row->secret ? "" : "\"";

	config_put_expected(s->row, &expected);
	int code =
		err_set(s->err, ERR_INVALID, "%s%.*s%s %s (expected %.*s)", quote,
			STR_ARG(str_sub(shown, 0, 200)), quote, why, STR_ARG(buf_text(&expected)));
	buf_deinit(&expected);
	return code;
}

static bool in_range(const struct config_row *row, double value)
{
	if (!has_range(row))
		return true;
	return value >= row->min && (row->max < row->min || row->max == 0 || value <= row->max);
}

static int out_of_range(const struct set *s)
{
	return refuse(s, "is out of range");
}

/* ---- one function a type ---- */

static int set_bool(const struct set *s)
{
	bool value;
	bool ok = s->source == CONFIG_FROM_COLLECTOR_YAML ? config_to_bool(s->text, &value)
							  : config_to_loose_bool(s->text, &value);

	if (!ok)
		return refuse(s, "is not a bool");
	*(bool *)s->field = value;
	return 0;
}

/* Whether value survives in size_bytes is told by reading it back. */
static bool store_int(void *field, size_t size_bytes, int64_t value)
{
	int64_t back = value;

	if (size_bytes == sizeof(int16_t))
		back = *(int16_t *)field = (int16_t)value;
	else if (size_bytes == sizeof(int32_t))
		back = *(int32_t *)field = (int32_t)value;
	else
		*(int64_t *)field = value;
	return back == value;
}

static bool store_uint(void *field, size_t size_bytes, uint64_t value)
{
	uint64_t back = value;

	if (size_bytes == sizeof(uint16_t))
		back = *(uint16_t *)field = (uint16_t)value;
	else if (size_bytes == sizeof(uint32_t))
		back = *(uint32_t *)field = (uint32_t)value;
	else
		*(uint64_t *)field = value;
	return back == value;
}

static int set_int(const struct set *s)
{
	int64_t value;

	if (!config_to_int(s->text, &value))
		return refuse(s, "is not a whole number");
	if (!in_range(s->row, (double)value) || !store_int(s->field, s->row->size, value))
		return out_of_range(s);
	return 0;
}

static int set_uint(const struct set *s)
{
	uint64_t value;
	int64_t negative;

	if (!config_to_uint(s->text, &value))
		return refuse(s, config_to_int(s->text, &negative) ? "is negative"
								   : "is not a whole number");
	if (!in_range(s->row, (double)value) || !store_uint(s->field, s->row->size, value))
		return out_of_range(s);
	return 0;
}

static int set_float(const struct set *s)
{
	double value;

	if (!str_to_double(s->text, &value))
		return refuse(s, "is not a number");
	if (!in_range(s->row, value))
		return out_of_range(s);
	*(double *)s->field = value;
	return 0;
}

static int set_string(const struct set *s)
{
	struct str copy = arena_str(s->arena, s->text);

	if (!copy.ptr)
		return err_set(s->err, ERR_NOMEM, "no memory for its text");
	*(struct str *)s->field = copy;
	return 0;
}

/* A bare number counts nanoseconds, as it does for the Collector and Pyroscope. */
static int set_duration(const struct set *s)
{
	int64_t value;

	if (!config_to_duration(s->text, &value) && !config_to_int(s->text, &value))
		return refuse(s, "is not a duration");
	if (!in_range(s->row, (double)value / NS_PER_S))
		return out_of_range(s);
	*(int64_t *)s->field = value;
	return 0;
}

static int set_size(const struct set *s)
{
	uint64_t value;

	if (!config_to_size(s->text, &value))
		return refuse(s, "is not a size");
	if (!in_range(s->row, (double)value))
		return out_of_range(s);
	*(uint64_t *)s->field = value;
	return 0;
}

static int set_enum(const struct set *s)
{
	for (int i = 0; s->row->choices[i]; i++) {
		if (!str_equal_nocase(s->text, str_of(s->row->choices[i])))
			continue;
		*(int *)s->field = i;
		return 0;
	}
	return refuse(s, "is not known");
}

static int set_strings(const struct set *s)
{
	struct config_strings list = {NULL, 0};
	struct str rest = s->text;
	struct str part;
	int code = 0;

	while (!code && s->text.len > 0 && str_next(&rest, ',', &part))
		code = config_strings_add(s->arena, &list, str_trim(part), s->err);
	if (!code)
		code = config_count_check(s->row, list.count, s->err);
	if (!code)
		*(struct config_strings *)s->field = list;
	return code;
}

/* "a=1,b=2", what a flag or a default can say. */
static int set_pairs(const struct set *s)
{
	struct config_pairs pairs = {NULL, 0};
	struct str rest = s->text;
	struct str part;
	int code = 0;

	while (!code && s->text.len > 0 && str_next(&rest, ',', &part)) {
		ptrdiff_t eq = str_find_char(part, '=');
		if (eq <= 0)
			return refuse(s, "is not key=value");
		code = config_pairs_add(s->arena, &pairs, str_trim(str_sub(part, 0, (size_t)eq)),
					str_trim(str_sub(part, (size_t)eq + 1, part.len)), s->err);
	}
	if (!code)
		code = config_count_check(s->row, pairs.count, s->err);
	if (!code)
		*(struct config_pairs *)s->field = pairs;
	return code;
}

static const struct {
	int (*set)(const struct set *s);
	size_t size_bytes; /* of the field; 0: checked by set */
} setters[] = {
	[CONFIG_BOOL] = {set_bool, sizeof(bool)},
	[CONFIG_INT] = {set_int, 0},
	[CONFIG_UINT] = {set_uint, 0},
	[CONFIG_FLOAT] = {set_float, sizeof(double)},
	[CONFIG_STRING] = {set_string, sizeof(struct str)},
	[CONFIG_DURATION] = {set_duration, sizeof(int64_t)},
	[CONFIG_SIZE] = {set_size, sizeof(uint64_t)},
	[CONFIG_ENUM] = {set_enum, sizeof(int)},
	[CONFIG_STRINGS] = {set_strings, sizeof(struct config_strings)},
	[CONFIG_STRING_MAP] = {set_pairs, sizeof(struct config_pairs)},
};

int config_scalar_set(const struct config_row *row, struct arena *arena, struct str text,
		      enum config_source source, void *field, struct err *err)
{
	struct set s = {row, arena, text, source, field, err};

	assert(config_is_scalar(row->type));
	/* A row whose field is not of its type is our own mistake. */
	assert(setters[row->type].size_bytes == 0 || setters[row->type].size_bytes == row->size);
	assert(setters[row->type].size_bytes || row->size == 2 || row->size == 4 || row->size == 8);
	return setters[row->type].set(&s);
}

int config_count_check(const struct config_row *row, size_t count, struct err *err)
{
	if (in_range(row, (double)count))
		return 0;
	return err_set(err, ERR_INVALID, "has %zu entries (expected %.15g to %.15g)", count,
		       row->min, row->max > 0 ? row->max : (double)CONFIG_NODES_MAX);
}

/* What arena_grow made for so many: the lists keep no capacity of their own. */
static size_t grown_cap(size_t count)
{
	size_t cap = count ? 8 : 0;

	while (cap < count)
		cap *= 2;
	return cap;
}

int config_strings_add(struct arena *arena, struct config_strings *list, struct str item,
		       struct err *err)
{
	size_t cap = grown_cap(list->count);
	struct str *items = arena_grow(arena, list->items, &cap, list->count + 1, sizeof(*items));
	struct str copy = arena_str(arena, item);

	if (!items || !copy.ptr)
		return err_set(err, ERR_NOMEM, "no memory for its list");
	list->items = items;
	items[list->count++] = copy;
	return 0;
}

int config_pairs_add(struct arena *arena, struct config_pairs *pairs, struct str key,
		     struct str value, struct err *err)
{
	size_t cap = grown_cap(pairs->count);
	struct config_pair *items =
		arena_grow(arena, pairs->items, &cap, pairs->count + 1, sizeof(*items));
	struct str key_copy = arena_str(arena, key);
	struct str value_copy = arena_str(arena, value);

	if (!items || !key_copy.ptr || !value_copy.ptr)
		return err_set(err, ERR_NOMEM, "no memory for its map");
	pairs->items = items;
	items[pairs->count++] = (struct config_pair){key_copy, value_copy};
	return 0;
}
