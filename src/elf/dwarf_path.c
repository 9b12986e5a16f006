#include "elf/dwarf_path.h"

#include "elf/dwarf.h"

/* Takes the last part off; false when there is none that ".." could leave. */
static bool drop_part(const char *text, size_t *len)
{
	struct str path = str_make(text, *len);
	ptrdiff_t slash = str_rfind_char(path, '/');
	size_t from = slash < 0 ? 0 : (size_t)slash + 1;

	if (*len == 1 && text[0] == '/')
		return true; /* above the root is the root */
	if (from == *len || str_equal(str_sub(path, from, *len), STR("..")))
		return false;
	*len = slash > 0 ? (size_t)slash : from;
	return true;
}

static void add_part(char *text, size_t *len, struct str part)
{
	if (part.len == 0 || str_equal(part, STR(".")) ||
	    (str_equal(part, STR("..")) && drop_part(text, len)))
		return;
	if (*len > 0 && text[*len - 1] != '/')
		text[(*len)++] = '/';
	memcpy(text + *len, part.ptr, part.len);
	*len += part.len;
}

static struct str path_text(const char *path)
{
	return path ? str_make(path, strnlen(path, DWARF_TEXT_MAX)) : STR("");
}

struct str dwarf_path_clean(struct arena *arena, const char *dir, const char *path)
{
	struct str parts[] = {path_text(dir), path_text(path)}, part;
	bool below = !str_starts_with(parts[1], STR("/"));
	char *text = arena_alloc(arena, parts[0].len + parts[1].len + 2);
	size_t len = 0;

	if (!text || parts[1].len == 0)
		return STR("");
	if (str_starts_with(parts[below && parts[0].len > 0 ? 0 : 1], STR("/")))
		text[len++] = '/';
	for (size_t i = below ? 0 : 1; i < 2; i++)
		while (str_next(&parts[i], '/', &part))
			add_part(text, &len, part);
	return str_make(text, len);
}
