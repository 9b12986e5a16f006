/* Symbol names come from files that anybody may have written; they leave here
 * fit to be shown and sent: bounded, valid UTF-8, no control characters. */
#include "elf/symtab.h"

struct str name_cut(struct str name)
{
	size_t len = NAME_MAX_BYTES;

	if (name.len <= NAME_MAX_BYTES)
		return name;
	while (len > NAME_MAX_BYTES - 4 && ((uint8_t)name.ptr[len] & 0xc0) == 0x80)
		len--;
	return str_sub(name, 0, len);
}

struct str name_without_version(struct str name)
{
	ptrdiff_t at = str_find_char(name, '@');

	/* Microsoft's mangling starts with '?' and is full of '@'. */
	if (at <= 0 || name.ptr[0] == '?')
		return name;
	return str_sub(name, 0, (size_t)at);
}

static bool is_plain(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
			return false;
	return true;
}

/* Length of the UTF-8 character at the start of s, 0 when there is none. */
static size_t utf8_len(struct str s)
{
	for (size_t len = 1; len <= 4 && len <= s.len; len++)
		if (str_is_utf8(str_sub(s, 0, len)))
			return len;
	return 0;
}

void name_copy_clean(char *dst, struct str name)
{
	if (is_plain(name)) {
		memcpy(dst, name.ptr, name.len);
		return;
	}
	for (size_t i = 0; i < name.len;) {
		size_t len = utf8_len(str_sub(name, i, name.len - i));
		bool control = (uint8_t)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f;
		if (len == 0 || control) {
			dst[i++] = '?';
			continue;
		}
		memcpy(dst + i, name.ptr + i, len);
		i += len;
	}
}
