#include "net.h"

struct str net_peer_host(struct str peer)
{
	ptrdiff_t colon = str_rfind_char(peer, ':');
	return colon < 0 ? peer : str_sub(peer, 0, (size_t)colon);
}

struct str net_header_get(const struct net_request *request, struct str name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (str_equal(request->headers[i].name, name))
			return request->headers[i].value;
	return (struct str){NULL, 0};
}

/* application/x-www-form-urlencoded (WHATWG URL, section 5.1): a '%' without two digits stays. */
static struct str decode(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	if (!out)
		return (struct str){NULL, 0};
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int high = -1, low = -1;
		if (c == '%' && text.len - i > 2) {
			high = str_hex_digit(text.ptr[i + 1]);
			low = str_hex_digit(text.ptr[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return (struct str){out, len};
}

struct str net_query_get(const struct net_request *request, struct str name)
{
	struct str rest = request->query;
	struct str part;

	if (rest.len == 0)
		return (struct str){NULL, 0};
	while (str_next(&rest, '&', &part)) {
		ptrdiff_t equals = str_find_char(part, '=');
		struct str key = equals < 0 ? part : str_sub(part, 0, (size_t)equals);
		struct str value =
			equals < 0 ? STR("") : str_sub(part, (size_t)equals + 1, part.len);
		if (str_equal(decode(request->arena, key), name))
			return decode(request->arena, value);
	}
	return (struct str){NULL, 0};
}
