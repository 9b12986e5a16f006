/* gRPC-web is gRPC with its trailers in the body: a last frame whose flag byte
 * has the high bit, with lines "name: value". So it is answered as gRPC, and
 * then the trailers move. */
#include "server/speech.h"

#include "base/base64.h"
#include "base/clock.h"
#include "server/api.h"

enum { TRAILER_FLAG = 0x80, TIMEOUT_DIGITS_MAX = 10 };

/* ---- which one ---- */

static struct speech named(struct str type)
{
	static const struct {
		const char *type;
		struct speech speech;
	} rows[] = {
		{"application/json", {PROTOCOL_CONNECT, true, false}},
		{"application/proto", {PROTOCOL_CONNECT, false, false}},
		{"application/grpc", {PROTOCOL_GRPC, false, false}},
		{"application/grpc+proto", {PROTOCOL_GRPC, false, false}},
		{"application/grpc+json", {PROTOCOL_GRPC, true, false}},
		{"application/grpc-web", {PROTOCOL_GRPC_WEB, false, false}},
		{"application/grpc-web+proto", {PROTOCOL_GRPC_WEB, false, false}},
		{"application/grpc-web+json", {PROTOCOL_GRPC_WEB, true, false}},
		{"application/grpc-web-text", {PROTOCOL_GRPC_WEB, false, true}},
		{"application/grpc-web-text+proto", {PROTOCOL_GRPC_WEB, false, true}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal_nocase(type, str_of(rows[i].type)))
			return rows[i].speech;
	return (struct speech){PROTOCOL_NONE, false, false};
}

struct speech speech_of(const struct net_request *request)
{
	struct str rest = net_header_get(request, STR("content-type")), type;

	if (!str_next(&rest, ';', &type))
		return (struct speech){PROTOCOL_NONE, false, false};
	struct speech speech = named(str_trim(type));
	/* gRPC ends in trailers, which only HTTP/2 has. */
	if (speech.protocol == PROTOCOL_GRPC && request->http_major < 2)
		speech.protocol = PROTOCOL_NONE;
	return speech;
}

/* ---- requests ---- */

/* Pieces that were packed one by one may have padding between them. */
static int from_base64(const struct net_request *request, struct str *ret, struct err *err)
{
	struct str rest = request->body;
	uint8_t *out = arena_alloc(request->arena, rest.len + 4);
	size_t len = 0;

	if (!out)
		return err_set(err, ERR_NOMEM, "no memory for the request");
	while (rest.len > 0) {
		ptrdiff_t pad = str_find_char(rest, '=');
		size_t end = pad < 0 ? rest.len : (size_t)pad, more;
		while (end < rest.len && rest.ptr[end] == '=')
			end++;
		if (!base64_get(str_sub(rest, 0, end), out + len, &more))
			return err_set(err, ERR_INVALID, "the body is no base64");
		len += more;
		rest = str_sub(rest, end, SIZE_MAX);
	}
	*ret = str_make(out, len);
	return 0;
}

int speech_read(const struct speech *speech, const struct net_request *request, size_t limit_bytes,
		struct str *ret, struct err *err)
{
	struct net_request plain = *request;

	if (speech->protocol == PROTOCOL_CONNECT)
		return net_body(request, limit_bytes, ret, err);
	int rc = speech->text ? from_base64(request, &plain.body, err) : 0;
	return rc ? rc : net_grpc_message(&plain, limit_bytes, ret, err);
}

/* ---- time ---- */

static uint64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return 3600 * (uint64_t)NS_PER_S;
	case 'M':
		return 60 * (uint64_t)NS_PER_S;
	case 'S':
		return NS_PER_S;
	case 'm':
		return NS_PER_MS;
	case 'u':
		return NS_PER_US;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

int speech_deadline(const struct speech *speech, const struct net_request *request,
		    uint64_t *ret_ns, struct err *err)
{
	bool connect = speech->protocol == PROTOCOL_CONNECT;
	struct str version = net_header_get(request, STR("connect-protocol-version"));
	struct str text =
		net_header_get(request, connect ? STR("connect-timeout-ms") : STR("grpc-timeout"));
	uint64_t number, unit = NS_PER_MS;

	*ret_ns = 0;
	if (connect && version.ptr && !str_equal(version, STR("1")))
		return err_set(err, ERR_INVALID, "connect-protocol-version must be 1, not \"%.*s\"",
			       STR_ARG(str_sub(version, 0, 32)));
	if (!text.ptr)
		return 0;
	struct str digits = text;
	if (!connect && text.len > 0) {
		unit = unit_ns(text.ptr[text.len - 1]);
		digits.len--;
	}
	if (digits.len == 0 || digits.len > TIMEOUT_DIGITS_MAX || !str_to_u64(digits, &number) ||
	    unit == 0)
		return err_set(err, ERR_INVALID, "%s: \"%.*s\" is no time",
			       connect ? "connect-timeout-ms" : "grpc-timeout",
			       STR_ARG(str_sub(text, 0, 32)));
	*ret_ns = number > (UINT64_MAX >> 1) / unit ? 0 : clock_mono_ns() + number * unit;
	return 0;
}

/* ---- answers ---- */

static void set_header(struct net_answer *answer, struct str name, struct str value)
{
	for (size_t i = 0; i < answer->header_count; i++)
		if (str_equal(answer->headers[i].name, name)) {
			answer->headers[i].value = value;
			return;
		}
	net_answer_header(answer, name, value);
}

static void put_trailers(struct net_answer *answer)
{
	struct buf lines = {0};
	for (size_t i = 0; i < answer->trailer_count; i++) {
		buf_str(&lines, answer->trailers[i].name);
		buf_cstr(&lines, ": ");
		buf_str(&lines, answer->trailers[i].value);
		buf_cstr(&lines, "\r\n");
	}
	const char head[] = {(char)TRAILER_FLAG, 0, 0, (char)(lines.len >> 8), (char)lines.len};
	buf_append(&answer->body, head, sizeof(head));
	buf_str(&answer->body, buf_text(&lines));
	if (lines.failed)
		answer->body.failed = lines.failed;
	buf_deinit(&lines);
	answer->trailer_count = 0;
}

static void to_web(const struct speech *speech, struct net_answer *answer)
{
	struct str type = speech->text	 ? STR("application/grpc-web-text+proto")
			  : speech->json ? STR("application/grpc-web+json")
					 : STR("application/grpc-web+proto");
	put_trailers(answer);
	set_header(answer, STR("content-type"), type);
	if (!speech->text)
		return;
	struct buf text = {0};
	base64_put(&text, buf_text(&answer->body), true);
	buf_deinit(&answer->body);
	answer->body = text;
}

void speech_answer(const struct speech *speech, const struct net_request *request,
		   struct net_answer *answer, struct buf *message)
{
	if (speech->protocol == PROTOCOL_CONNECT) {
		buf_deinit(&answer->body);
		answer->body = *message;
		*message = (struct buf){0};
		answer->status = 200;
		net_answer_header(answer, STR("content-type"),
				  speech->json ? STR("application/json")
					       : STR("application/proto"));
		net_answer_gzip(request, answer);
		return;
	}
	net_grpc_answer_gzip(request, answer, buf_text(message));
	if (speech->json)
		set_header(answer, STR("content-type"), STR("application/grpc+json"));
	if (speech->protocol == PROTOCOL_GRPC_WEB)
		to_web(speech, answer);
}

void speech_error(const struct speech *speech, const struct net_request *request,
		  struct net_answer *answer, const struct err *err, int64_t retry_ms)
{
	if (speech->protocol == PROTOCOL_CONNECT || speech->protocol == PROTOCOL_NONE) {
		api_error(answer, err);
		api_retry_after(request->arena, answer, retry_ms);
		return;
	}
	net_grpc_error(answer, err, retry_ms);
	if (speech->protocol == PROTOCOL_GRPC_WEB)
		to_web(speech, answer);
}
