#include "elf/demangle_short.h"

#include <ctype.h>
#include <string.h>

#include "elf/symtab.h"

static const struct str shape = {"go.shape.", 9};

/* Behind the parenthesis that closes the one at text; the end when none does. */
static const char *behind_group(const char *text)
{
	int depth = 0;

	for (; *text; text++) {
		depth += (*text == '(') - (*text == ')');
		if (depth == 0)
			return text + 1;
	}
	return text;
}

/* Parameters are in a group of their own; template arguments in one behind '!'. What follows the last
 * parameters says what is const. */
size_t d_name_shorten(char *name)
{
	const char *from = name;
	char *to = name;

	while (*from) {
		const char *next = from + 1;
		if (*from == '(')
			next = behind_group(from);
		bool template = *from == '(' && to > name && to[-1] == '!';
		if (*from != '(' || template) {
			memmove(to, from, (size_t)(next - from));
			to += next - from;
		} else if (*next == ' ') {
			break;
		}
		from = next;
	}
	return (size_t)(to - name);
}

bool go_name_has_shapes(struct str name)
{
	return str_find_char(name, '[') > 0 && str_find(name, shape) > 0;
}

/* Go 1.18 numbered the shapes: "go.shape.int_0". */
static size_t number_at(struct str rest)
{
	size_t len = 1;

	if (rest.len < 2 || rest.ptr[0] != '_')
		return 0;
	while (len < rest.len && isdigit((unsigned char)rest.ptr[len]))
		len++;
	bool ends = len == rest.len || rest.ptr[len] == ',' || rest.ptr[len] == ']';
	return len > 1 && ends ? len : 0;
}

bool go_name_shorten(struct str name, struct buf *ret)
{
	if (name.len > NAME_MAX_BYTES || !go_name_has_shapes(name))
		return false;
	for (size_t i = 0; i < name.len;) {
		struct str rest = str_sub(name, i, name.len);
		size_t number = number_at(rest);
		if (str_starts_with(rest, shape)) {
			i += shape.len;
		} else if (number > 0) {
			i += number;
		} else {
			buf_char(ret, name.ptr[i]);
			i++;
		}
	}
	return true;
}
