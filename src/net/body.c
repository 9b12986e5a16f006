#include "base/zip.h"
#include "net.h"
#include "unpack.h"

const char unpack_known[] = "gzip, zstd, snappy";

typedef int unpack_fn(struct str packed, size_t limit_bytes, struct buf *out, struct err *err);

static const struct {
	const char *name;
	unpack_fn *unpack;
} codings[] = {
	{"gzip", zip_gunzip},
	{"zstd", zip_unzstd},
	{"snappy", zip_unsnappy},
	{"x-snappy-framed", zip_unsnappy},
};

static unpack_fn *find_coding(struct str coding)
{
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
		if (str_equal_nocase(coding, str_of(codings[i].name)))
			return codings[i].unpack;
	return NULL;
}

int unpack(struct arena *arena, struct str coding, struct str packed, size_t limit_bytes,
	   struct str *ret, struct err *err)
{
	unpack_fn *fn = find_coding(coding);
	struct buf plain = {0};
	int code;

	if (!fn)
		return err_set(err, ERR_UNSUPPORTED,
			       "coding \"%.*s\" is not known here; send identity or one of %s",
			       STR_ARG(coding), unpack_known);
	code = fn(packed, limit_bytes, &plain, err);
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
	struct str coding = str_trim(net_header_get(request, STR("content-encoding")));

	if (coding.len > 0 && !str_equal_nocase(coding, STR("identity"))) {
		int code = unpack(request->arena, coding, request->body, limit_bytes, ret, err);
		return code ? err_wrap(err, "request body") : 0;
	}
	if (request->body.len > limit_bytes)
		return err_set(err, ERR_LIMIT, "request body: larger than %zu bytes", limit_bytes);
	*ret = request->body;
	return 0;
}
