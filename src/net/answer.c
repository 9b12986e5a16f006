#include <stdarg.h>
#include <stdio.h>

#include "base/zip.h"
#include "net.h"

enum { GZIP_MIN_BYTES = 1024, GZIP_LEVEL = 5 };

/* What would end a header line early, or the header block, must not come from a value. */
static bool is_clean(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* How a message ends and how long a connection lives is not a handler's to say. */
static bool is_ours(struct str name)
{
	static const struct str ours[] = {
		{"content-length", 14}, {"transfer-encoding", 17},
		{"connection", 10},	{"keep-alive", 10},
		{"upgrade", 7},		{"date", 4},
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (str_equal_nocase(name, ours[i]))
			return true;
	return false;
}

static void add(struct net_header *headers, size_t cap, size_t *count, struct str name,
		struct str value)
{
	if (*count < cap && name.len > 0 && is_clean(name) && is_clean(value) && !is_ours(name))
		headers[(*count)++] = (struct net_header){name, value};
}

void net_answer_header(struct net_answer *answer, struct str name, struct str value)
{
	add(answer->headers, sizeof(answer->headers) / sizeof(answer->headers[0]),
	    &answer->header_count, name, value);
}

void net_answer_trailer(struct net_answer *answer, struct str name, struct str value)
{
	add(answer->trailers, sizeof(answer->trailers) / sizeof(answer->trailers[0]),
	    &answer->trailer_count, name, value);
}

void net_answer_text(struct net_answer *answer, int status, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 64];
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	answer->status = status;
	buf_clear(&answer->body);
	buf_cstr(&answer->body, len < 0 ? "" : text);
	buf_char(&answer->body, '\n');
	net_answer_header(answer, STR("content-type"), STR("text/plain; charset=utf-8"));
	net_answer_header(answer, STR("x-content-type-options"), STR("nosniff"));
}

void net_answer_error(struct net_answer *answer, const struct err *err)
{
	net_answer_text(answer, err_info(err->code)->http_status, "%s", err->text);
}

static bool has_header(const struct net_answer *answer, struct str name)
{
	for (size_t i = 0; i < answer->header_count; i++)
		if (str_equal(answer->headers[i].name, name))
			return true;
	return false;
}

/* "gzip;q=0" means never (RFC 9110 section 12.4.2). */
static bool is_refused(struct str parameters)
{
	struct str part;

	while (str_next(&parameters, ';', &part)) {
		double q;
		part = str_trim(part);
		if (str_starts_with(part, STR("q=")) &&
		    str_to_double(str_sub(part, 2, part.len), &q))
			return q <= 0;
	}
	return false;
}

bool net_accepts_gzip(const struct net_request *request)
{
	struct str rest = net_header_get(request, STR("accept-encoding"));
	struct str part;

	if (!rest.ptr)
		return false;
	while (str_next(&rest, ',', &part)) {
		struct str name;
		if (!str_next(&part, ';', &name))
			continue;
		name = str_trim(name);
		if (str_equal_nocase(name, STR("gzip")) || str_equal(name, STR("*")))
			return !is_refused(part);
	}
	return false;
}

void net_answer_gzip(const struct net_request *request, struct net_answer *answer)
{
	struct str plain = answer->static_body.len ? answer->static_body : buf_text(&answer->body);
	struct buf packed = {0};

	if (plain.len <= GZIP_MIN_BYTES || answer->body.failed ||
	    has_header(answer, STR("content-encoding")))
		return;
	net_answer_header(answer, STR("vary"), STR("accept-encoding"));
	if (!net_accepts_gzip(request))
		return;
	if (zip_gzip(plain, GZIP_LEVEL, &packed, NULL) || packed.len >= plain.len) {
		buf_deinit(&packed);
		return;
	}
	buf_deinit(&answer->body);
	answer->body = packed;
	answer->static_body = (struct str){NULL, 0};
	net_answer_header(answer, STR("content-encoding"), STR("gzip"));
}
