/* Serving the page. Names under /assets/ carry a hash of their content, so they
 * may be kept for ever; index.html is asked for again each time, and answered
 * with 304 when it is the same. */
#include "server/assets.h"

#include "base/zip.h"
#include "server/api.h"

enum { PLAIN_MAX_BYTES = 16 * 1024 * 1024 };

static const struct asset *find(struct str path)
{
	if (str_equal(path, STR("/")))
		path = STR("/index.html");
	for (size_t i = 0; i < asset_count; i++)
		if (str_equal(path, str_of(assets[i].path)))
			return &assets[i];
	return NULL;
}

static void add_security_headers(struct net_answer *answer)
{
	net_answer_header(answer, STR("content-security-policy"),
			  STR("default-src 'none'; script-src 'self'; style-src 'self'; "
			      "img-src 'self' data:; connect-src 'self'; font-src 'self'; "
			      "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"));
	net_answer_header(answer, STR("x-content-type-options"), STR("nosniff"));
	net_answer_header(answer, STR("referrer-policy"), STR("no-referrer"));
	net_answer_header(answer, STR("cross-origin-opener-policy"), STR("same-origin"));
}

static void add_cache_headers(const struct asset *asset, struct net_answer *answer)
{
	bool hashed = str_starts_with(str_of(asset->path), STR("/assets/"));
	net_answer_header(answer, STR("cache-control"),
			  hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
	net_answer_header(answer, STR("etag"), str_of(asset->etag));
	net_answer_header(answer, STR("vary"), STR("accept-encoding"));
}

static bool is_known(const struct net_request *request, const struct asset *asset)
{
	struct str rest = net_header_get(request, STR("if-none-match")), tag;
	while (str_next(&rest, ',', &tag)) {
		tag = str_trim(tag);
		if (str_starts_with(tag, STR("W/")))
			tag = str_sub(tag, 2, tag.len);
		if (str_equal(tag, str_of(asset->etag)))
			return true;
	}
	return false;
}

static void send_body(const struct net_request *request, const struct asset *asset,
		      struct net_answer *answer)
{
	struct str gzip = str_make(asset->gzip, asset->gzip_len);
	struct err err;

	if (net_accepts_gzip(request)) {
		answer->static_body = gzip;
		net_answer_header(answer, STR("content-encoding"), STR("gzip"));
		return;
	}
	if (zip_gunzip(gzip, PLAIN_MAX_BYTES, &answer->body, &err))
		net_answer_error(answer, &err);
}

void assets_serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	const struct asset *asset = find(request->path);

	if (!asset) {
		api_not_found(user, request, answer);
		return;
	}
	add_security_headers(answer);
	add_cache_headers(asset, answer);
	if (is_known(request, asset)) {
		answer->status = 304;
		return;
	}
	answer->status = 200;
	net_answer_header(answer, STR("content-type"), str_of(asset->type));
	send_body(request, asset, answer);
}
