/* Splitting an address (RFC 3986 section 3) into what a client connects to, what
 * it asks for and what it shows of itself (RFC 7617). */
#include "base/base64.h"
#include "server/rules_private.h"

static int bad(struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "write it as http://HOST:PORT/PATH or https://HOST/PATH, USER:PASSWORD@ "
		       "before "
		       "HOST if need be");
}

/* %41 is A. */
static void put_decoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		int high = i + 2 < text.len ? str_hex_digit(text.ptr[i + 1]) : -1;
		int low = i + 2 < text.len ? str_hex_digit(text.ptr[i + 2]) : -1;
		if (text.ptr[i] != '%' || high < 0 || low < 0) {
			buf_char(out, text.ptr[i]);
			continue;
		}
		buf_char(out, (char)(high * 16 + low));
		i += 2;
	}
}

static int basic(struct arena *arena, struct str userinfo, struct str *ret, struct err *err)
{
	ptrdiff_t colon = str_find_char(userinfo, ':');
	size_t len = colon < 0 ? userinfo.len : (size_t)colon;
	struct buf plain = {0}, header = {0};

	put_decoded(&plain, str_sub(userinfo, 0, len));
	buf_char(&plain, ':');
	put_decoded(&plain, str_sub(userinfo, len + 1, userinfo.len));
	buf_cstr(&header, "Basic ");
	base64_put(&header, buf_text(&plain), true);
	int rc = buf_check(&plain, "password", err);
	rc = rc ? rc : buf_check(&header, "password", err);
	if (rc == 0)
		*ret = arena_str(arena, buf_text(&header));
	buf_deinit(&plain);
	buf_deinit(&header);
	return rc || ret->ptr ? rc : err_set(err, ERR_NOMEM, "no memory for the address");
}

static bool is_printable(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f || text.ptr[i] == '#')
			return false;
	return true;
}

/* Where the authority ends. */
static size_t authority_len(struct str rest)
{
	size_t len = 0;
	while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
		len++;
	return len;
}

int rules_target_parse(struct arena *arena, struct str address, struct rules_target *ret,
		       struct err *err)
{
	bool tls = str_starts_with(address, STR("https://"));
	struct str rest = str_sub(address, tls ? 8 : 7, address.len);
	struct str host = str_sub(rest, 0, authority_len(rest));
	struct str path = str_sub(rest, host.len, rest.len);
	ptrdiff_t at = str_rfind_char(host, '@');

	*ret = (struct rules_target){.authorization = STR("")};
	if (!tls && !str_starts_with(address, STR("http://")))
		return bad(err);
	if (at >= 0) {
		int rc = basic(arena, str_sub(host, 0, (size_t)at), &ret->authorization, err);
		if (rc)
			return rc;
		host = str_sub(host, (size_t)at + 1, host.len);
	}
	if (host.len == 0 || !is_printable(host) || !is_printable(path))
		return bad(err);
	ret->endpoint = arena_printf(arena, "http%s://%.*s", tls ? "s" : "", STR_ARG(host)).ptr;
	ret->path = arena_printf(arena, "%s%.*s", path.len && path.ptr[0] == '/' ? "" : "/",
				 STR_ARG(path))
			    .ptr;
	return ret->endpoint && ret->path ? 0
					  : err_set(err, ERR_NOMEM, "no memory for the address");
}
