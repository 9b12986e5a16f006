#include "wire/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"

static void put_escaped(struct buf *out, uint8_t byte)
{
	switch (byte) {
	case '"':
	case '\\':
		buf_char(out, '\\');
		buf_char(out, (char)byte);
		break;
	case '\n':
		buf_cstr(out, "\\n");
		break;
	case '\t':
		buf_cstr(out, "\\t");
		break;
	default:
		buf_printf(out, "\\u%04x", byte);
	}
}

static bool needs_escape(uint8_t byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
}

void json_put_text(struct buf *out, struct str text)
{
	size_t from = 0;

	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (!needs_escape((uint8_t)text.ptr[i]))
			continue;
		buf_append(out, text.ptr + from, i - from);
		put_escaped(out, (uint8_t)text.ptr[i]);
		from = i + 1;
	}
	buf_append(out, text.ptr + from, text.len - from);
	buf_char(out, '"');
}

void json_put_double(struct buf *out, double real)
{
	enum { DIGITS_MIN = 15, DIGITS_MAX = 17 };
	char text[40];

	if (!isfinite(real)) {
		buf_cstr(out, isnan(real) ? "\"NaN\""
			      : real > 0  ? "\"Infinity\""
					  : "\"-Infinity\"");
		return;
	}
	for (int digits = DIGITS_MIN; digits <= DIGITS_MAX; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (memcmp(&(double){strtod(text, NULL)}, &real, sizeof(real)) == 0)
			break;
	}
	buf_cstr(out, text);
}

void json_put_base64(struct buf *out, struct str bytes)
{
	buf_char(out, '"');
	base64_put(out, bytes, true);
	buf_char(out, '"');
}

bool text_from_hex(struct str text, uint8_t *ret, size_t len)
{
	if (text.len != len * 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = str_hex_digit(text.ptr[2 * i]), low = str_hex_digit(text.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

struct str text_from_base64(struct arena *arena, struct str text)
{
	size_t len = 0;
	char *out = arena_alloc(arena, base64_decoded_max(text.len));
	if (!out || !base64_get(text, out, &len))
		return (struct str){NULL, 0};
	return (struct str){out, len};
}
