/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/query_read.h"

/* "-15m" -> now - 15 min. */
static bool parse_relative(struct str text, uint64_t now_ms, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	uint64_t number = 0;
	if (text.len < 3 || !str_to_u64(str_sub(text, 1, text.len - 2), &number) ||
	    number > 1000000)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (text.ptr[text.len - 1] == units[i].unit) {
			*ret_ms = (int64_t)now_ms - (int64_t)number * units[i].ms;
			return true;
		}
	return false;
}

int query_parse_time(const char *what, const char *value, uint64_t now_ms, int64_t *ret_ms,
		     struct err *err)
{
	struct str text = str_of(value);
	uint64_t seconds = 0;
	if (str_starts_with(text, STR("now-")))
		text = str_sub(text, 3, text.len);
	if (str_equal(text, STR("now"))) {
		*ret_ms = (int64_t)now_ms;
		return 0;
	}
	if (text.len && text.ptr[0] == '-' && parse_relative(text, now_ms, ret_ms))
		return 0;
	if (str_to_u64(text, &seconds) && seconds < 100000000000ULL) {
		*ret_ms = (int64_t)seconds * 1000;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "--%s=%s is no time: give seconds since 1970, now, or -15m, -3h, -7d", what,
		       value);
}

struct str query_service_selector(struct arena *arena, const char *service)
{
	struct str out = arena_str(arena, STR(""));
	for (const char *c = service; *c; c++)
		out = arena_printf(arena, "%.*s%s%c", STR_ARG(out),
				   *c == '"' || *c == '\\' ? "\\" : "", *c);
	return arena_printf(arena, "{service_name=\"%.*s\"}", STR_ARG(out));
}

/* ---- the answer: Pyroscope's FlameGraph as JSON ---- */

/* int64 comes as text or number; an absent one (a zero that was left out) is 0. */
static int64_t read_int(const json_t *value)
{
	int64_t number = 0;
	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_string(value))
		(void)str_to_i64(str_of(json_string_value(value)), &number);
	return number;
}

static int read_level(const json_t *values, struct arena *arena, struct query_level *ret,
		      struct err *err)
{
	ret->count = json_array_size(values);
	ret->values = arena_zalloc(arena, ret->count + 1, sizeof(*ret->values));
	if (!ret->values)
		return err_set(err, ERR_NOMEM, "flame graph: no memory");
	for (size_t i = 0; i < ret->count; i++)
		ret->values[i] = read_int(json_array_get(values, i));
	return 0;
}

int query_read_flame(const json_t *graph, struct arena *arena, struct query_flame *ret,
		     struct err *err)
{
	const json_t *names = json_object_get(graph, "names");
	const json_t *levels = json_object_get(graph, "levels");
	*ret = (struct query_flame){.name_count = json_array_size(names),
				    .level_count = json_array_size(levels),
				    .total = read_int(json_object_get(graph, "total"))};
	ret->names = arena_zalloc(arena, ret->name_count + 1, sizeof(*ret->names));
	ret->levels = arena_zalloc(arena, ret->level_count + 1, sizeof(*ret->levels));
	if (!ret->names || !ret->levels)
		return err_set(err, ERR_NOMEM, "flame graph: no memory");
	for (size_t i = 0; i < ret->name_count; i++) {
		const json_t *name = json_array_get(names, i);
		ret->names[i] = str_make(json_string_value(name), json_string_length(name));
	}
	int rc = 0;
	for (size_t i = 0; !rc && i < ret->level_count; i++)
		rc = read_level(json_object_get(json_array_get(levels, i), "values"), arena,
				&ret->levels[i], err);
	return rc;
}
