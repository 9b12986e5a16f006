#include "route.h"

static bool path_matches(const struct net_route *route, struct str path)
{
	struct str pattern = str_of(route->path);

	if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
		return str_starts_with(path, str_sub(pattern, 0, pattern.len - 1));
	return str_equal(path, pattern);
}

static bool method_matches(const struct net_route *route, struct str method)
{
	struct str wanted = str_of(route->method);

	return str_equal(wanted, STR("*")) || str_equal(wanted, method) ||
	       (str_equal(method, STR("HEAD")) && str_equal(wanted, STR("GET")));
}

static void add_allowed(struct call *call, const char *method, struct str *allow)
{
	*allow = arena_printf(&call->arena, "%.*s%s%s", STR_ARG(*allow), allow->len ? ", " : "",
			      method);
	if (!allow->ptr)
		*allow = STR("");
}

/* The first pattern that fits the path says what is there; wider ones behind it (what is for
 * everything else) do not make up for a method that it does not take. */
enum refusal route_find(const struct net_route *routes, size_t count, struct call *call,
			struct str *ret_allow)
{
	struct str pattern = {NULL, 0};

	*ret_allow = STR("");
	for (size_t i = 0; i < count; i++) {
		if (!path_matches(&routes[i], call->request.path) ||
		    (pattern.ptr && !str_equal(pattern, str_of(routes[i].path))))
			continue;
		pattern = str_of(routes[i].path);
		if (method_matches(&routes[i], call->request.method)) {
			call->route = &routes[i];
			if (routes[i].body_limit_bytes)
				call->body_limit_bytes = routes[i].body_limit_bytes;
			return REFUSE_NONE;
		}
		add_allowed(call, routes[i].method, ret_allow);
	}
	return ret_allow->len ? REFUSE_METHOD : REFUSE_PATH;
}
