#include "base/zip.h"
#include "net.h"
#include "unpack.h"

int unpack_gzip(struct arena *arena, struct str packed, size_t limit_bytes, struct str *ret,
		struct err *err)
{
	struct buf plain = {0};
	int code = zip_gunzip(packed, limit_bytes, &plain, err);

	if (!code) {
		struct str copy = arena_str(arena, buf_text(&plain));
		if (copy.ptr)
			*ret = copy;
		else
			code = err_set(err, ERR_NOMEM,
				       "unpacking: no memory for %zu bytes in this request",
				       plain.len);
	}
	buf_deinit(&plain);
	return code;
}

int net_body(const struct net_request *request, size_t limit_bytes, struct str *ret,
	     struct err *err)
{
	struct str encoding = net_header_get(request, STR("content-encoding"));

	if (encoding.len > 0 && str_equal_nocase(encoding, STR("gzip"))) {
		int code = unpack_gzip(request->arena, request->body, limit_bytes, ret, err);
		return code ? err_wrap(err, "request body") : 0;
	}
	if (encoding.len > 0 && !str_equal_nocase(encoding, STR("identity")))
		return err_set(err, ERR_UNSUPPORTED,
			       "request body: Content-Encoding \"%.*s\" is not known here; send "
			       "gzip "
			       "or identity",
			       STR_ARG(encoding));
	if (request->body.len > limit_bytes)
		return err_set(err, ERR_LIMIT, "request body: larger than %zu bytes", limit_bytes);
	*ret = request->body;
	return 0;
}
