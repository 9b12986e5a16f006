#include "wire/any.h"

#include <jansson.h>

enum {
	ANY_STRING = 1,
	ANY_BOOL,
	ANY_INT,
	ANY_DOUBLE,
	ANY_ARRAY,
	ANY_MAP,
	ANY_BYTES,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
};

/* Members of a oneof are written even when they are zero: that they are set is the point. */
static void put_double(struct buf *buf, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	if (bits) {
		pb_put_fixed64(buf, ANY_DOUBLE, bits);
		return;
	}
	pb_put_tag(buf, ANY_DOUBLE, PB_FIXED64);
	buf_append(buf, &bits, sizeof(bits));
}

static void put_varint(struct buf *buf, uint32_t number, uint64_t value)
{
	pb_put_tag(buf, number, PB_VARINT);
	pb_put_varint(buf, value);
}

/* jansson refuses text nested deeper than it likes, so this ends. */
static void put_json(struct buf *buf, const json_t *json);

static void put_json_array(struct buf *buf, const json_t *json)
{
	size_t array = pb_begin(buf, ANY_ARRAY);

	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t item = pb_begin(buf, 1);
		put_json(buf, json_array_get(json, i));
		pb_end(buf, item);
	}
	pb_end(buf, array);
}

static void put_json_map(struct buf *buf, json_t *json)
{
	size_t map = pb_begin(buf, ANY_MAP);
	const char *key;
	json_t *item;

	json_object_foreach(json, key, item)
	{
		size_t pair = pb_begin(buf, 1);
		pb_put_text(buf, KEY_VALUE_KEY, str_of(key));
		size_t value = pb_begin(buf, KEY_VALUE_VALUE);
		put_json(buf, item);
		pb_end(buf, value);
		pb_end(buf, pair);
	}
	pb_end(buf, map);
}

static void put_json(struct buf *buf, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		put_json_map(buf, (json_t *)(uintptr_t)json);
		break;
	case JSON_ARRAY:
		put_json_array(buf, json);
		break;
	case JSON_STRING:
		pb_put_bytes(buf, ANY_STRING,
			     str_make(json_string_value(json), json_string_length(json)));
		break;
	case JSON_INTEGER:
		put_varint(buf, ANY_INT, (uint64_t)json_integer_value(json));
		break;
	case JSON_REAL:
		put_double(buf, json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		put_varint(buf, ANY_BOOL, json_is_true(json));
		break;
	case JSON_NULL:
		break;
	}
}

/* Arrays and maps are kept as JSON text; what is not JSON after all goes out as the text that it is. */
static void put_other(struct buf *buf, struct str text)
{
	json_t *json = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (json)
		put_json(buf, json);
	else
		pb_put_bytes(buf, ANY_STRING, text);
	json_decref(json);
}

static void put_member(struct buf *buf, const struct value *value)
{
	switch (value->kind) {
	case VALUE_STRING:
		pb_put_bytes(buf, ANY_STRING, value->text);
		break;
	case VALUE_BYTES:
		pb_put_bytes(buf, ANY_BYTES, value->text);
		break;
	case VALUE_INT:
		put_varint(buf, ANY_INT, (uint64_t)value->number);
		break;
	case VALUE_BOOL:
		put_varint(buf, ANY_BOOL, value->number != 0);
		break;
	case VALUE_DOUBLE:
		put_double(buf, value->real);
		break;
	case VALUE_OTHER:
		put_other(buf, value->text);
		break;
	case VALUE_NONE:
		break;
	}
}

void any_put(struct buf *buf, uint32_t number, const struct value *value)
{
	size_t begin;

	if (value->kind == VALUE_NONE)
		return;
	begin = pb_begin(buf, number);
	put_member(buf, value);
	pb_end(buf, begin);
}

/* Always inline, never by reference: many receivers do not resolve references. */
void any_put_pair(struct buf *buf, uint32_t number, const struct key_value *pair)
{
	size_t begin = pb_begin(buf, number);

	pb_put_text(buf, KEY_VALUE_KEY, pair->key);
	any_put(buf, KEY_VALUE_VALUE, &pair->value);
	pb_end(buf, begin);
}
