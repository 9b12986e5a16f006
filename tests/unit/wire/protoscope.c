#include "protoscope.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_char(out, (char)(value | 0x80));
	buf_char(out, (char)value);
}

static void put_fixed64(struct buf *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		buf_char(out, (char)(value >> (8 * i)));
}

static const char *skip_blanks(const char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* A number and whether it has the i64 suffix. */
static const char *get_number(const char *text, uint64_t *ret, int *ret_fixed)
{
	char *end;

	*ret = *text == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
	assert(end != text);
	*ret_fixed = strncmp(end, "i64", 3) == 0;
	return end + (*ret_fixed ? 3 : 0);
}

static const char *put_fields(const char *text, struct buf *out);

static const char *get_hex(const char *text, struct buf *out)
{
	for (; *text != '"'; text += 2) {
		char digits[3] = {text[0], text[1], 0};
		buf_char(out, (char)strtoul(digits, NULL, 16));
	}
	return text + 1;
}

/* What stands between braces, brackets or quotes. */
static const char *get_content(const char *text, struct buf *out)
{
	uint64_t value;
	int fixed;

	if (*text == '{') {
		text = put_fields(text + 1, out);
		assert(*text == '}');
		return text + 1;
	}
	if (*text == 'x')
		return get_hex(text + 2, out);
	if (*text == '"') {
		const char *end = strchr(text + 1, '"');
		buf_append(out, text + 1, (size_t)(end - text - 1));
		return end + 1;
	}
	assert(*text == '[');
	for (text = skip_blanks(text + 1); *text != ']'; text = skip_blanks(text)) {
		text = get_number(text, &value, &fixed);
		if (fixed)
			put_fixed64(out, value);
		else
			put_varint(out, value);
	}
	return text + 1;
}

static const char *put_value(const char *text, uint64_t number, struct buf *out)
{
	struct buf content;
	uint64_t value;
	int fixed;

	if (isdigit((unsigned char)*text) || *text == '-') {
		text = get_number(text, &value, &fixed);
		put_varint(out, number << 3 | (fixed ? 1 : 0));
		if (fixed)
			put_fixed64(out, value);
		else
			put_varint(out, value);
		return text;
	}
	buf_init(&content, 0);
	text = get_content(text, &content);
	put_varint(out, number << 3 | 2);
	put_varint(out, content.len);
	buf_str(out, buf_text(&content));
	buf_deinit(&content);
	return text;
}

static const char *put_fields(const char *text, struct buf *out)
{
	uint64_t number;
	int fixed;

	for (text = skip_blanks(text); *text && *text != '}'; text = skip_blanks(text)) {
		text = get_number(text, &number, &fixed);
		assert(*text == ':');
		text = put_value(skip_blanks(text + 1), number, out);
	}
	return text;
}

struct buf protoscope(const char *text)
{
	struct buf out;

	buf_init(&out, 0);
	assert(*put_fields(text, &out) == '\0');
	assert(!out.failed);
	return out;
}
