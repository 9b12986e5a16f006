#include "server/pbjson_base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void pbjson_base64_encode(struct str bytes, struct buf *out)
{
	const uint8_t *in = (const uint8_t *)bytes.ptr;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t group = (uint32_t)in[i] << 16;
		if (left > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			group |= in[i + 2];
		char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
				left > 1 ? alphabet[group >> 6 & 63] : '=',
				left > 2 ? alphabet[group & 63] : '='};
		buf_append(out, text, sizeof(text));
	}
}

static int value_of(char c)
{
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	const char *found = c ? strchr(alphabet, c) : NULL;
	return found ? (int)(found - alphabet) : -1;
}

static struct str without_padding(struct str text)
{
	for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
		text.len--;
	return text;
}

bool pbjson_base64_decode(struct str text, uint8_t *out, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t len = 0;

	if (text.len % 4 == 0)
		text = without_padding(text);
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.ptr[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		out[len++] = (uint8_t)(bits >> count);
		bits &= (1U << count) - 1;
	}
	*ret_len = len;
	return count < 6 && bits == 0;
}
