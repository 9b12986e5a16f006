#include "profile/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct value *profile_find_attr(const struct key_value *attrs, size_t count, struct str key)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(attrs[i].key, key))
			return &attrs[i].value;
	return NULL;
}

struct str profile_str(const struct profile_dict *dict, uint32_t string)
{
	return string < strtab_count(dict->strings) ? strtab_get(dict->strings, string)
						    : (struct str){NULL, 0};
}

const struct value *profile_find_index(const struct profile_dict *dict, const uint32_t *attrs,
				       uint32_t count, struct str key)
{
	for (uint32_t i = 0; i < count; i++) {
		if (attrs[i] >= dict->attribute_count)
			continue;
		const struct profile_attribute *row = &dict->attributes[attrs[i]];
		if (str_equal(profile_str(dict, row->key), key))
			return &row->value;
	}
	return NULL;
}

/* The fewest digits that read back as the same number; 17 always do (IEEE 754 double). */
static struct str double_text(struct arena *arena, double real)
{
	enum { DIGITS_MIN = 15, DIGITS_MAX = 17 };
	char text[40];

	if (isnan(real))
		return arena_str(arena, STR("NaN"));
	if (isinf(real))
		return arena_str(arena, real > 0 ? STR("Infinity") : STR("-Infinity"));
	for (int digits = DIGITS_MIN; digits <= DIGITS_MAX; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (memcmp(&(double){strtod(text, NULL)}, &real, sizeof(real)) == 0)
			break;
	}
	return arena_str(arena, str_of(text));
}

static struct str hex_text(struct arena *arena, struct str bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(arena, bytes.len * 2 + 1);

	if (!text)
		return (struct str){NULL, 0};
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = (uint8_t)bytes.ptr[i];
		text[2 * i] = digits[byte >> 4];
		text[2 * i + 1] = digits[byte & 15];
	}
	text[2 * bytes.len] = '\0';
	return (struct str){text, 2 * bytes.len};
}

struct str value_text(struct arena *arena, const struct value *value)
{
	switch (value->kind) {
	case VALUE_STRING:
	case VALUE_OTHER:
		return arena_str(arena, value->text);
	case VALUE_INT:
		return arena_printf(arena, "%lld", (long long)value->number);
	case VALUE_BOOL:
		return arena_str(arena, value->number ? STR("true") : STR("false"));
	case VALUE_DOUBLE:
		return double_text(arena, value->real);
	case VALUE_BYTES:
		return hex_text(arena, value->text);
	case VALUE_NONE:
		break;
	}
	return arena_str(arena, STR(""));
}
