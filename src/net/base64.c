#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct str plain, char *out, size_t cap)
{
	size_t len = 0;
	uint32_t bits = 0;
	unsigned held = 0;

	if ((plain.len * 4 + 2) / 3 > cap)
		return 0;
	for (size_t i = 0; i < plain.len; i++) {
		bits = bits << 8 | (unsigned char)plain.ptr[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			out[len++] = digits[bits >> held & 63];
		}
	}
	if (held)
		out[len++] = digits[bits << (6 - held) & 63];
	return len;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(struct str text, struct buf *out, struct err *err)
{
	uint32_t bits = 0;
	unsigned held = 0;

	while (text.len > 0 && text.ptr[text.len - 1] == '=')
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.ptr[i]);
		if (value < 0)
			return err_set(err, ERR_INVALID, "base64: byte %zu is no digit", i);
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_char(out, (char)(bits >> held & 0xff));
		}
	}
	return buf_check(out, "base64", err);
}
