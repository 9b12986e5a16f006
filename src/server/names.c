/* Label names for clients of two ages. Attributes keep their dots in the store;
 * a client that did not say it can read such names is told the name with
 * underscores, under which the store answers too. */
#include "server/api.h"

static bool is_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

bool api_is_legacy_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_char(name.ptr[i], i == 0))
			return false;
	return name.len > 0;
}

struct str api_legacy_name(struct arena *arena, struct str name)
{
	if (api_is_legacy_name(name))
		return name;
	char *copy = arena_copy(arena, name.ptr, name.len);
	if (!copy)
		return (struct str){NULL, 0};
	for (size_t i = 0; i < name.len; i++)
		if (copy[i] == '.')
			copy[i] = '_';
	struct str alias = str_make(copy, name.len);
	return api_is_legacy_name(alias) ? alias : (struct str){NULL, 0};
}

static bool has_capability(struct str media_range)
{
	struct str part;
	while (str_next(&media_range, ';', &part))
		if (str_equal_nocase(str_trim(part), STR("allow-utf8-labelnames=true")))
			return true;
	return false;
}

bool api_accepts_utf8_names(const struct net_request *request)
{
	for (size_t i = 0; i < request->header_count; i++) {
		struct str rest = request->headers[i].value, range;
		if (!str_equal(request->headers[i].name, STR("accept")))
			continue;
		while (str_next(&rest, ',', &range))
			if (has_capability(range))
				return true;
	}
	return false;
}
