#include "addr.h"
#include "client_state.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "client: no memory");
}

static bool take_prefix(struct str *text, struct str prefix)
{
	if (!str_starts_with(*text, prefix))
		return false;
	*text = str_sub(*text, prefix.len, text->len);
	return true;
}

/* gRPC name resolvers that mean no more than "this host" (grpc/doc/naming.md). */
static void drop_resolver(struct str *text)
{
	if (!take_prefix(text, STR("dns:///")) && !take_prefix(text, STR("passthrough:///")))
		(void)take_prefix(text, STR("dns:"));
}

static bool is_loopback(struct str host)
{
	return str_equal_nocase(host, STR("localhost")) || str_starts_with(host, STR("127.")) ||
	       str_equal(host, STR("::1"));
}

static int set_unix(struct str path, struct arena *arena, struct client_endpoint *ret,
		    struct err *err)
{
	if (path.len == 0)
		return err_set(err, ERR_INVALID, "endpoint: the Unix socket's path is missing");
	ret->unix_path = arena_str(arena, path).ptr;
	ret->url = "http://localhost";
	ret->is_loopback = true;
	return ret->unix_path ? 0 : no_memory(err);
}

/* Host and port of a URL's authority; without a port the scheme's. */
static int split_authority(struct str authority, bool tls, bool port_needed, struct str *ret_host,
			   struct str *ret_port, struct err *err)
{
	bool bracket_end = authority.len > 0 && authority.ptr[authority.len - 1] == ']';

	if (!port_needed && (str_rfind_char(authority, ':') < 0 || bracket_end)) {
		*ret_host = bracket_end ? str_sub(authority, 1, authority.len - 2) : authority;
		*ret_port = tls ? STR("443") : STR("80");
		return 0;
	}
	return addr_split(authority, ret_host, ret_port, err);
}

static const char *bracketed(struct arena *arena, struct str host)
{
	bool v6 = str_find_char(host, ':') >= 0;

	return arena_printf(arena, "%s%.*s%s", v6 ? "[" : "", STR_ARG(host), v6 ? "]" : "").ptr;
}

static int set_url(struct str host, struct str port, struct str base, const char *server_name,
		   struct arena *arena, struct client_endpoint *ret, struct err *err)
{
	const char *scheme = ret->tls ? "https" : "http";
	const char *real = bracketed(arena, host);
	bool renamed = server_name && server_name[0] && ret->tls;

	if (!real)
		return no_memory(err);
	ret->is_loopback = is_loopback(host);
	ret->url = arena_printf(arena, "%s://%s:%.*s%.*s", scheme, renamed ? server_name : real,
				STR_ARG(port), STR_ARG(base))
			   .ptr;
	if (renamed)
		ret->connect_to = arena_printf(arena, "::%s:%.*s", real, STR_ARG(port)).ptr;
	return ret->url && (!renamed || ret->connect_to) ? 0 : no_memory(err);
}

static bool is_plain(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == '@' || text.ptr[i] == '#')
			return false;
	return text.len > 0;
}

/* What stands in front of an '@' may be a password, and errors go to logs. */
static int bad_endpoint(struct str text, struct err *err)
{
	ptrdiff_t at = str_rfind_char(text, '@');
	struct str shown = at < 0 ? text : str_sub(text, (size_t)at, text.len);

	return err_set(err, ERR_INVALID,
		       "endpoint \"%s%.*s\": write it as HOST:PORT, http://HOST:PORT, "
		       "https://HOST:PORT or unix:///PATH",
		       at < 0 ? "" : "...", STR_ARG(shown));
}

int client_endpoint_parse(const struct net_client_config *config, struct arena *arena,
			  struct client_endpoint *ret, struct err *err)
{
	struct str text = str_of(config->endpoint);
	struct str path = addr_unix_path(text);
	struct str host, port, base = STR("");

	*ret = (struct client_endpoint){.tls = !config->insecure};
	if (path.ptr)
		ret->tls = false;
	if (path.ptr)
		return set_unix(path, arena, ret, err);
	drop_resolver(&text);
	bool http = take_prefix(&text, STR("http://"));
	bool https = !http && take_prefix(&text, STR("https://"));
	if (http || https)
		ret->tls = https;
	ptrdiff_t slash = str_find_char(text, '/');
	if (slash >= 0) {
		base = str_sub(text, (size_t)slash, text.len);
		text = str_sub(text, 0, (size_t)slash);
	}
	while (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	if (!is_plain(text))
		return bad_endpoint(str_of(config->endpoint), err);
	int code = split_authority(text, ret->tls, !http && !https, &host, &port, err);
	if (code)
		return err_wrap(err, "endpoint");
	if (host.len == 0)
		host = STR("localhost");
	return set_url(host, port, base, config->server_name, arena, ret, err);
}
