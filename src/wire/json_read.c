#include "wire/json_read.h"

#include <ctype.h>
#include <math.h>

#include "wire/json.h"

enum { NAME_MAX_BYTES = 64 };

void jr_complain(struct json_reader *r, const char *name, const char *expected)
{
	if (!r->rc)
		r->rc = err_set(r->err, ERR_INVALID, "\"%s\": expected %s", name, expected);
}

void jr_out_of_memory(struct json_reader *r)
{
	if (!r->rc)
		r->rc = decoder_no_memory(r->err);
}

/* timeUnixNano → time_unix_nano */
static void to_snake(const char *name, char *ret)
{
	size_t len = 0;

	for (; *name && len < NAME_MAX_BYTES - 2; name++) {
		if (isupper((unsigned char)*name))
			ret[len++] = '_';
		ret[len++] = (char)tolower((unsigned char)*name);
	}
	ret[len] = '\0';
}

json_t *jr_member(const json_t *object, const char *name)
{
	char snake[NAME_MAX_BYTES];
	json_t *found = json_object_get(object, name);

	if (!found) {
		to_snake(name, snake);
		found = json_object_get(object, snake);
	}
	return json_is_null(found) ? NULL : found;
}

json_t *jr_list(struct json_reader *r, const json_t *object, const char *name, size_t *ret_count)
{
	json_t *list = jr_member(object, name);

	if (list && !json_is_array(list))
		jr_complain(r, name, "an array");
	*ret_count = json_array_size(list);
	return list;
}

static bool text_number(struct str text, bool is_signed, uint64_t *ret)
{
	int64_t number;

	if (!is_signed)
		return str_to_u64(text, ret);
	if (!str_to_i64(text, &number))
		return false;
	*ret = (uint64_t)number;
	return true;
}

/* A number may be written with a point or exponent as long as it is whole. */
static bool real_number(double real, bool is_signed, uint64_t *ret)
{
	static const double top = 9223372036854775808.0; /* 2^63 */

	if (real != floor(real) || real < (is_signed ? -top : 0) ||
	    real >= (is_signed ? top : 2 * top))
		return false;
	*ret = is_signed ? (uint64_t)(int64_t)real : (uint64_t)real;
	return true;
}

uint64_t jr_number(struct json_reader *r, const json_t *json, const char *name, bool is_signed)
{
	uint64_t number = 0;
	bool good = false;

	if (json_is_integer(json)) {
		good = is_signed || json_integer_value(json) >= 0;
		number = (uint64_t)json_integer_value(json);
	} else if (json_is_string(json)) {
		good = text_number(str_make(json_string_value(json), json_string_length(json)),
				   is_signed, &number);
	} else if (json_is_real(json)) {
		good = real_number(json_real_value(json), is_signed, &number);
	}
	if (!good)
		jr_complain(r, name, "an integer, as a number or as text");
	return good ? number : 0;
}

uint64_t jr_u64(struct json_reader *r, const json_t *object, const char *name)
{
	const json_t *json = jr_member(object, name);

	return json ? jr_number(r, json, name, false) : 0;
}

int64_t jr_i64(struct json_reader *r, const json_t *object, const char *name)
{
	const json_t *json = jr_member(object, name);

	return json ? (int64_t)jr_number(r, json, name, true) : 0;
}

uint32_t jr_index(struct json_reader *r, const json_t *object, const char *name)
{
	return decoder_index((uint64_t)jr_i64(r, object, name));
}

uint32_t jr_string_index(struct json_reader *r, const json_t *object, const char *name)
{
	return decoder_string(r->dec, (uint64_t)jr_i64(r, object, name));
}

struct str jr_copy(struct json_reader *r, struct str text)
{
	struct str copy = decoder_text(r->dec->arena, text);

	if (!copy.ptr)
		jr_out_of_memory(r);
	return copy;
}

struct str jr_text(struct json_reader *r, const json_t *object, const char *name)
{
	const json_t *json = jr_member(object, name);

	if (!json)
		return STR("");
	if (!json_is_string(json)) {
		jr_complain(r, name, "text");
		return STR("");
	}
	return jr_copy(r, str_make(json_string_value(json), json_string_length(json)));
}

const uint32_t *jr_indices(struct json_reader *r, const json_t *object, const char *name,
			   uint32_t *ret_count)
{
	size_t count;
	const json_t *list = jr_list(r, object, name, &count);
	uint32_t *indices = count ? arena_zalloc(r->dec->arena, count, sizeof(*indices)) : NULL;

	*ret_count = 0;
	if (count && !indices)
		jr_out_of_memory(r);
	for (size_t i = 0; i < count && indices && !r->rc; i++)
		indices[i] = decoder_index(jr_number(r, json_array_get(list, i), name, true));
	if (indices)
		*ret_count = (uint32_t)count;
	return indices;
}

bool jr_id(struct json_reader *r, const json_t *object, const char *name, uint8_t *ret, size_t len)
{
	struct str text = jr_text(r, object, name);
	struct str bytes;

	if (text.len == 0 || text_from_hex(text, ret, len))
		return text.len > 0;
	bytes = text_from_base64(r->dec->arena, text);
	if (bytes.len != len)
		return false;
	memcpy(ret, bytes.ptr, len);
	return true;
}

struct str jr_bytes(struct json_reader *r, const json_t *object, const char *name)
{
	struct str text = jr_text(r, object, name);
	struct str bytes = text.len ? text_from_base64(r->dec->arena, text) : STR("");

	if (!bytes.ptr)
		jr_complain(r, name, "base64");
	return bytes;
}

/* ---- AnyValue ---- */

static void put_any(struct json_reader *r, const json_t *object, uint32_t depth, struct buf *out);

static void put_array(struct json_reader *r, const json_t *array, uint32_t depth, struct buf *out)
{
	size_t count;
	const json_t *values = jr_list(r, array, "values", &count);

	buf_char(out, '[');
	for (size_t i = 0; i < count && !r->rc; i++) {
		if (i > 0)
			buf_char(out, ',');
		put_any(r, json_array_get(values, i), depth, out);
	}
	buf_char(out, ']');
}

static void put_key(struct json_reader *r, const json_t *pair, struct buf *out)
{
	struct str key = jr_text(r, pair, "key");

	if (key.len == 0)
		key = decoder_string_text(r->dec, jr_u64(r, pair, "keyStrindex"));
	json_put_text(out, key);
	buf_char(out, ':');
}

static void put_map(struct json_reader *r, const json_t *map, uint32_t depth, struct buf *out)
{
	size_t count;
	const json_t *values = jr_list(r, map, "values", &count);

	buf_char(out, '{');
	for (size_t i = 0; i < count && !r->rc; i++) {
		const json_t *pair = json_array_get(values, i);
		if (i > 0)
			buf_char(out, ',');
		put_key(r, pair, out);
		put_any(r, jr_member(pair, "value"), depth, out);
	}
	buf_char(out, '}');
}

static void put_scalar(const struct value *value, struct buf *out)
{
	switch (value->kind) {
	case VALUE_STRING:
		json_put_text(out, value->text);
		break;
	case VALUE_INT:
		buf_printf(out, "%lld", (long long)value->number);
		break;
	case VALUE_BOOL:
		buf_cstr(out, value->number ? "true" : "false");
		break;
	case VALUE_DOUBLE:
		json_put_double(out, value->real);
		break;
	case VALUE_BYTES:
		json_put_base64(out, value->text);
		break;
	case VALUE_OTHER:
		buf_str(out, value->text);
		break;
	case VALUE_NONE:
		buf_cstr(out, "null");
	}
}

static void put_any(struct json_reader *r, const json_t *object, uint32_t depth, struct buf *out)
{
	const json_t *array = jr_member(object, "arrayValue");
	const json_t *map = jr_member(object, "kvlistValue");

	if (depth >= r->dec->limits->value_depth && !r->rc)
		r->rc = err_set(r->err, ERR_LIMIT, "AnyValue: nested deeper than %u",
				r->dec->limits->value_depth);
	if (r->rc)
		return;
	if (array) {
		put_array(r, array, depth + 1, out);
	} else if (map) {
		put_map(r, map, depth + 1, out);
	} else {
		struct value value = jr_any(r, object);
		put_scalar(&value, out);
	}
}

static struct value nested(struct json_reader *r, const json_t *object)
{
	struct value value = {.kind = VALUE_OTHER};
	struct buf out;

	buf_init(&out, r->dec->limits->message_bytes);
	put_any(r, object, 0, &out);
	if (!r->rc)
		r->rc = buf_check(&out, "attribute value", r->err);
	if (!r->rc)
		value.text = jr_copy(r, buf_text(&out));
	buf_deinit(&out);
	return value;
}

static double any_double(struct json_reader *r, const json_t *json)
{
	double real = 0;

	if (json_is_number(json))
		return json_number_value(json);
	if (json_is_string(json) && strcmp(json_string_value(json), "NaN") == 0)
		return (double)NAN;
	if (json_is_string(json) && strcmp(json_string_value(json), "Infinity") == 0)
		return (double)INFINITY;
	if (json_is_string(json) && strcmp(json_string_value(json), "-Infinity") == 0)
		return -(double)INFINITY;
	if (!json_is_string(json) || !str_to_double(str_of(json_string_value(json)), &real))
		jr_complain(r, "doubleValue", "a number");
	return real;
}

struct value jr_any(struct json_reader *r, const json_t *object)
{
	const json_t *member;

	if (jr_member(object, "stringValue"))
		return (struct value){.kind = VALUE_STRING,
				      .text = jr_text(r, object, "stringValue")};
	if (jr_member(object, "stringValueStrindex"))
		return (struct value){.kind = VALUE_STRING,
				      .text = decoder_string_text(r->dec,
								  jr_u64(r, object,
									 "stringValueStrindex"))};
	if (jr_member(object, "intValue"))
		return (struct value){.kind = VALUE_INT, .number = jr_i64(r, object, "intValue")};
	member = jr_member(object, "boolValue");
	if (member)
		return (struct value){.kind = VALUE_BOOL, .number = json_is_true(member)};
	member = jr_member(object, "doubleValue");
	if (member)
		return (struct value){.kind = VALUE_DOUBLE, .real = any_double(r, member)};
	if (jr_member(object, "bytesValue"))
		return (struct value){.kind = VALUE_BYTES,
				      .text = jr_bytes(r, object, "bytesValue")};
	if (jr_member(object, "arrayValue") || jr_member(object, "kvlistValue"))
		return nested(r, object);
	return (struct value){.kind = VALUE_NONE};
}
